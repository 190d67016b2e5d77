"""Losses over lists: LiPO's worked example, limits and symmetries."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.objectives import (
    DPO,
    EXO,
    NCA,
    BCOPair,
    EXOPair,
    InfoNCA,
    LambdaLoss,
    ListMLE,
    ListwiseHinge,
    ListwiseLogistic,
    NCAPair,
    PointwiseRank,
    RaggedBatch,
    SoftmaxRank,
)
from zermelo.objectives.listwise import lambda_weights, plackett_luce

LABELS = [0.9, 0.6, 0.3, 0.1]
MODEL = [0.2, 0.5, -0.1, 0.3]
GOLDEN = [
    (LambdaLoss(beta=1.0), 0.648486),
    (LambdaLoss(beta=1.0, reduce="mean"), 0.108081),
    (ListwiseLogistic(beta=1.0), 4.101749),
    (ListwiseHinge(beta=1.0), 5.7),
    (ListMLE(beta=1.0), 3.208963),
    (SoftmaxRank(beta=1.0), 1.381464),
    (PointwiseRank(beta=1.0), 2.790968),
    (PointwiseRank(beta=1.0, loss="squared"), 0.378849),
]


def a_list(model: list[float], labels: list[float], groups: list[int] | None = None) -> RaggedBatch:
    """One-token responses under a uniform reference, so that s = β·model. float64."""
    n = len(model)
    return RaggedBatch(
        torch.tensor(model, dtype=torch.float64),
        torch.arange(n),
        torch.tensor(groups or [0] * n),
        scores=torch.tensor(labels, dtype=torch.float64),
        logps_of={"ref": torch.zeros(n, dtype=torch.float64)},
    )


def value(objective, model: list[float], labels: list[float]) -> float:
    return float(objective(a_list(model, labels)).terms[0].each.sum())


@pytest.mark.parametrize(("objective", "expected"), GOLDEN, ids=repr)
def test_gives_the_list_losses_computed_by_hand(objective, expected: float) -> None:
    assert value(objective, MODEL, LABELS) == pytest.approx(expected, abs=1e-6)


def test_lambda_weights_computed_by_hand() -> None:
    batch = (
        torch.tensor([MODEL], dtype=torch.float64),
        torch.tensor([LABELS], dtype=torch.float64),
        torch.ones(1, 4, dtype=torch.bool),
    )
    table = lambda_weights(*batch)[0]
    found = [float(table[i, j]) for i, j in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]]
    assert found == pytest.approx([0.252724, 0.063500, 0.150035, 0.233736, 0.236380, 0.046043], abs=1e-6)


def test_plackett_luce_and_its_gradient_computed_by_hand() -> None:
    model = torch.tensor([[0.5, 0.2, -0.3, 0.1]], dtype=torch.float64, requires_grad=True)
    label, mask = torch.tensor([[4.0, 3, 2, 1]], dtype=torch.float64), torch.ones(1, 4, dtype=torch.bool)
    loss = plackett_luce(model, label, mask)
    assert float(loss.detach()) == pytest.approx(2.884828, abs=1e-6)
    (gradient,) = torch.autograd.grad(loss.sum(), model)
    assert gradient[0].tolist() == pytest.approx([-0.650407, -0.342826, -0.200091, 1.193324], abs=1e-6)
    top = plackett_luce(model, label, mask, top=1)
    assert float(top.detach()) == pytest.approx(float((torch.logsumexp(model, 1) - model[0, 0]).detach()))


def test_two_responses_give_bradley_terry() -> None:
    assert value(ListMLE(beta=1.0), [0.5, 0.2], [1, 0]) == pytest.approx(0.554355, abs=1e-6)
    assert value(ListwiseLogistic(beta=1.0), [0.5, 0.2], [1, 0]) == pytest.approx(0.554355, abs=1e-6)


def test_ties_share_one_denominator() -> None:
    # Breslow: {a, b} tied above c: 2·logsumexp(a, b, c) − a − b
    a, b, c = 0.4, -0.2, 0.1
    everything = math.log(math.exp(a) + math.exp(b) + math.exp(c))
    assert value(ListMLE(beta=1.0), [a, b, c], [1, 1, 0]) == pytest.approx(2 * everything - a - b)


def test_lambda_loss_of_two_is_weighted_dpo() -> None:
    weight = abs(2**0.8 - 2**0.3) * (1 / math.log(2) - 1 / math.log(3))
    assert value(LambdaLoss(beta=1.0), [0.1, 0.4], [0.8, 0.3]) == pytest.approx(weight * math.log1p(math.exp(0.3)))


@pytest.mark.parametrize("objective", [LambdaLoss(), ListwiseLogistic(), ListwiseHinge()], ids=repr)
def test_a_list_of_ties_gives_nothing(objective) -> None:
    assert value(objective, MODEL, [0.5] * 4) == 0.0


EVERY = [case[0] for case in GOLDEN] + [EXO(beta=1.0), NCA(beta=1.0), InfoNCA(beta=1.0), ListMLE(beta=1.0, top=2)]


@pytest.mark.parametrize("objective", EVERY, ids=repr)
@given(order=st.permutations(range(4)))
@settings(max_examples=10, deadline=None)
def test_order_of_the_items_does_not_matter(objective, order: list[int]) -> None:
    moved = value(objective, [MODEL[i] for i in order], [LABELS[i] for i in order])
    assert moved == pytest.approx(value(objective, MODEL, LABELS))


@pytest.mark.parametrize("objective", EVERY, ids=repr)
def test_a_common_shift_changes_only_what_looks_at_single_items(objective) -> None:
    moved = value(objective, [s + 0.7 for s in MODEL], LABELS)
    same = moved == pytest.approx(value(objective, MODEL, LABELS), abs=1e-9)
    assert same == (not isinstance(objective, PointwiseRank | NCA))


@pytest.mark.parametrize("objective", EVERY, ids=repr)
def test_responses_without_a_score_are_not_in_the_list(objective) -> None:
    nan = float("nan")
    assert value(objective, [*MODEL, 5.0], [*LABELS, nan]) == pytest.approx(value(objective, MODEL, LABELS))


def test_a_single_scored_response_is_no_list() -> None:
    nan = float("nan")
    batch = a_list([0.1, 0.2, 0.3, 0.4, 0.5], [1.0, nan, 0.2, 0.4, 0.6], groups=[0, 0, 1, 1, 1])
    item = ListMLE()(batch).terms[0]
    assert item.index.tolist() == [1]
    assert item.each.shape == (1,)


def test_one_hot_rewards_give_the_pair_forms() -> None:
    # a reward gap of 200 at τ = 1 is a one-hot softmax to all digits
    one = torch.ones(1, dtype=torch.float64)
    pair = a_list([0.7, -0.4], [200.0, 0.0])
    pair = pair.with_(pairs=torch.tensor([[0, 1]]), prob=one, margin=one, weight=one, annotator=torch.tensor([-1]))
    torch.testing.assert_close(NCA(beta=1.0)(pair).terms[0].each, NCAPair(beta=1.0)(pair).terms[0].each)
    torch.testing.assert_close(InfoNCA(beta=1.0)(pair).terms[0].each, DPO(beta=1.0)(pair).terms[0].each)
    smoothed = pair.with_(scores=torch.tensor([math.log(0.999 / 0.001), 0.0], dtype=torch.float64))
    torch.testing.assert_close(EXO(beta=1.0)(smoothed).terms[0].each, EXOPair(beta=1.0)(pair).terms[0].each)
    assert float(BCOPair(beta=1.0)(pair).terms[0].each) > 0


def test_reverse_kl_is_zero_at_the_rewards_own_distribution() -> None:
    assert value(EXO(beta=1.0, tau=2.0), [s / 2 for s in LABELS], LABELS) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kind", [EXO, NCA, InfoNCA], ids=lambda kind: kind.__name__)
def test_temperature_divides_the_labels(kind) -> None:
    doubled = [2 * label for label in LABELS]
    assert value(kind(beta=1.0, tau=2.0), MODEL, doubled) == pytest.approx(value(kind(beta=1.0), MODEL, LABELS))
