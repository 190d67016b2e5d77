"""Which gradients act: dynamic slicing, normalised sides, control stages."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import (
    BVPO,
    DPO,
    LCPO,
    LDDPO,
    MEET,
    IRepair,
    NormalisedDPO,
    RaggedBatch,
    block_norms,
    concentration,
)


def gradients(**by_block: list[float]) -> dict[str, torch.Tensor]:
    return {f"model.layers.{name[1:]}.weight": torch.tensor(value) for name, value in by_block.items()}


PLANTED = gradients(b0=[3.0, 4.0], b1=[1.0] * 9, b2=[6.0])


def test_chooses_the_block_with_the_largest_gradient() -> None:
    assert block_norms(PLANTED) == pytest.approx({0: 5.0, 1: 3.0, 2: 6.0})
    assert block_norms(PLANTED, norm="rms") == pytest.approx({0: 3.5355, 1: 1.0, 2: 6.0}, abs=1e-4)
    parts = {"irepair": {**PLANTED, "model.embed.weight": torch.tensor([99.0])}, "irepair_kl": PLANTED}
    kept = IRepair(k=1).gradient_rule(parts)
    assert set(kept) == {"model.layers.2.weight"}
    assert kept["model.layers.2.weight"].tolist() == [12.0]
    assert set(IRepair(k=3).gradient_rule(parts)) == set(PLANTED)


def test_the_choice_rests_on_the_repair_loss_alone() -> None:
    other = gradients(b0=[100.0, 0.0], b1=[0.0] * 9, b2=[0.0])
    assert set(IRepair().gradient_rule({"irepair": PLANTED, "irepair_kl": other})) == {"model.layers.2.weight"}


def test_block_coordinate_descent_reaches_the_optimum_and_a_static_slice_does_not() -> None:
    goal = {"h.0.w": torch.tensor([1.0, 2.0]), "h.1.w": torch.tensor([-1.5, 1.0])}

    def descend(static: bool) -> float:
        now = {name: torch.zeros(2) for name in goal}
        first: set[str] = set()
        for _ in range(200):
            gradient = {name: now[name] - goal[name] for name in goal}
            kept = IRepair().gradient_rule({"irepair": gradient})
            first = first or set(kept)
            for name in first if static else kept:
                now[name] = now[name] - 0.2 * gradient[name]
        return float(sum(((now[name] - goal[name]) ** 2).sum() for name in goal))

    assert descend(static=False) < 1e-8
    assert descend(static=True) > 1.0


def test_concentration_compares_the_top_blocks_with_the_rest() -> None:
    assert concentration({0: 9.0, 1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0}) == pytest.approx(8.0)
    assert math.isnan(concentration({0: 1.0}))


def test_repair_and_general_text_have_their_own_terms(make_batch) -> None:
    batch = make_batch(
        [[-1.0, -2.0], [-3.0]],
        ref=[[-1.0, -1.0], [-1.0]],
        extra={"part": ("responses", [1.0, 0.0]), "kl:ref:forward": ("tokens", [9.0, 9.0, 0.4])},
    )
    repair, kl = IRepair(lam=0.5)(batch)
    assert repair.each.tolist() == [1.0, 2.0]
    assert (kl.each.tolist(), kl.scale) == ([0.4], 0.5)


def two_logps(theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two entangled log-probabilities: their gradients have a cosine near 0.9."""
    scores = torch.stack([theta[0], 0.9 * theta[0] + 0.3 * theta[1], torch.zeros((), dtype=theta.dtype)])
    log_p = scores.log_softmax(0)
    return log_p[0], log_p[1]


def test_normalised_step_raises_the_chosen_and_lowers_the_rejected() -> None:
    # the rejected gradient is the longer one: a plain margin step drags the chosen side down
    g_w, g_l = torch.tensor([2.0, 0.0], dtype=torch.float64), torch.tensor([3.0, 1.0], dtype=torch.float64)
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    batch = RaggedBatch(
        torch.stack([g_w @ theta, g_l @ theta]),
        torch.tensor([0, 1]),
        torch.tensor([0, 0]),
        pairs=torch.tensor([[0, 1]]),
        logps_of={"ref": torch.zeros(2, dtype=torch.float64)},
    )
    objective = NormalisedDPO(beta=0.1)
    parts = {
        item.name: {"theta": torch.autograd.grad(item.each.sum(), theta, retain_graph=True)[0]}
        for item in objective(batch)
    }
    step = -objective.gradient_rule(parts)["theta"]
    assert float(g_w @ step) > 0 > float(g_l @ step)
    plain = -torch.autograd.grad(DPO(beta=0.1)(batch).terms[0].each.sum(), theta)[0]
    assert float(g_w @ plain) < 0  # ⟨g_w, g_l⟩ = 6 > ‖g_w‖² = 4: both sides fall
    cosine = 6 / math.sqrt(40)
    assert float(g_w @ step) / (2.0 * (1 - cosine)) == pytest.approx(
        -float(g_l @ step) / (math.sqrt(10) * (1 - cosine))
    )


def test_equal_sides_stay_where_they_are_and_orthogonal_ones_add_unit_vectors() -> None:
    rule = NormalisedDPO().gradient_rule
    same = {"a": torch.tensor([1.0, 2.0])}
    found = rule({"normalised_chosen": same, "normalised_rejected": {"a": -same["a"]}})
    assert found["a"].tolist() == pytest.approx([0.0, 0.0])
    found = rule(
        {"normalised_chosen": {"a": torch.tensor([2.0, 0.0])}, "normalised_rejected": {"a": torch.tensor([0.0, 4.0])}}
    )
    assert found["a"].tolist() == pytest.approx([3.0, 3.0])


def test_first_stage_moves_control_modules_only() -> None:
    parts = {"meet": {"model.w": torch.ones(2), "control.good": torch.ones(3), "layer.lora_A": torch.ones(1)}}
    assert set(MEET("control").gradient_rule(parts)) == {"control.good", "layer.lora_A"}
    assert set(MEET("both").gradient_rule(parts)) == set(parts["meet"])


def test_control_tokens_reach_the_class_conditional_distribution() -> None:
    # a unigram model with a bias for each control: stage 1, then stage 2, on counts of two classes
    counts = torch.tensor([[6.0, 3.0, 1.0], [1.0, 2.0, 7.0]], dtype=torch.float64)
    base = torch.tensor([0.5, 0.1, -0.3], dtype=torch.float64, requires_grad=True)
    control = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    start = base.detach().clone()
    token = torch.repeat_interleave(torch.arange(6), counts.flatten().long())
    for stage in ("control", "both"):
        objective = MEET(stage)
        for _ in range(400):
            log_p = (base + control).log_softmax(-1).flatten()[token]
            n = len(token)
            batch = RaggedBatch(log_p, torch.arange(n), torch.arange(n))
            loss = objective(batch).terms[0].each.mean()
            found = torch.autograd.grad(loss, [base, control])
            kept = objective.gradient_rule({"meet": {"base": found[0], "control": found[1]}})
            with torch.no_grad():
                for name, parameter in (("base", base), ("control", control)):
                    if name in kept:
                        parameter -= 2.0 * kept[name]
        if stage == "control":
            assert torch.equal(base.detach(), start)  # bit-identical
    learnt = (base + control).softmax(-1).detach()
    truth = counts / counts.sum(-1, keepdim=True)
    kl = (truth * (truth / learnt).log()).sum(-1)
    assert float(kl.max()) < 1e-3


def test_a_rule_cannot_be_added_weighted_or_wrapped() -> None:
    with pytest.raises(SettingError, match="IRepair combines gradients by a rule of its own"):
        IRepair() + DPO()
    with pytest.raises(SettingError, match="cannot be weighted"):
        0.5 * NormalisedDPO()
    for wrap in (LCPO, LDDPO, BVPO):
        with pytest.raises(SettingError, match="cannot be wrapped"):
            wrap(NormalisedDPO())


def test_without_the_rule_both_terms_together_are_dpo(pairs_abc) -> None:
    logps = pairs_abc.logps.clone().requires_grad_()
    batch = pairs_abc.with_(logps=logps)
    ours = torch.autograd.grad(sum(item.each.sum() for item in NormalisedDPO(beta=0.1)(batch)), logps)[0]
    torch.testing.assert_close(ours, torch.autograd.grad(DPO(beta=0.1)(batch).terms[0].each.sum(), logps)[0])
