"""An independent path: the losses of TRL's own trainer, on the same log-probabilities."""

from __future__ import annotations

import types
from collections import defaultdict
from typing import Any

import pytest
import torch

from zermelo.objectives import (
    DPO,
    FDPO,
    IPO,
    LDDPO,
    LNDPO,
    SFT,
    SPPO,
    APODown,
    APOZero,
    BCOPair,
    DiscoPOP,
    EXOPair,
    HingeDPO,
    NCAPair,
    RobustDPO,
    weights_of,
)

DPOTrainer = pytest.importorskip("trl.trainer.dpo_trainer", reason="TRL is not installed (extra `bench`)").DPOTrainer

CASES = [
    ("sigmoid", {}, DPO(beta=0.3)),
    ("hinge", {}, HingeDPO(beta=0.3)),
    ("ipo", {}, IPO(tau=0.3)),
    ("exo_pair", {"label_smoothing": 0.01}, EXOPair(beta=0.3, epsilon=0.01)),
    ("nca_pair", {}, NCAPair(beta=0.3)),
    ("robust", {"label_smoothing": 0.2}, RobustDPO(beta=0.3, epsilon=0.2)),
    ("bco_pair", {}, BCOPair(beta=0.3)),
    ("sppo_hard", {}, SPPO(eta=1 / 0.3)),
    ("apo_zero", {}, APOZero(beta=0.3)),
    ("apo_down", {}, APODown(beta=0.3)),
    ("discopop", {}, DiscoPOP(beta=0.3)),
    ("sigmoid_norm", {}, LNDPO(beta=0.3)),
    ("sft", {}, SFT()),
    ("sigmoid", {"ld_alpha": 0.4}, LDDPO(DPO(beta=0.3), alpha=0.4, eos_as_tail=False)),
    ("sigmoid", {"f_divergence_type": "forward_kl"}, FDPO("forward_kl", beta=0.3)),
    ("sigmoid", {"f_divergence_type": "js_divergence"}, FDPO("jensen_shannon", beta=0.3)),
    ("sigmoid", {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.5}, FDPO("alpha", beta=0.3)),
]


def theirs(logps: torch.Tensor, ref: torch.Tensor, mask: torch.Tensor, loss_type: str, **settings: Any) -> torch.Tensor:
    """TRL's loss of padded rows [chosen; rejected], through its own method on a stand-in for the trainer."""

    def model(values: torch.Tensor) -> Any:
        zero = torch.zeros_like(values)
        found = types.SimpleNamespace(log_probs=values, entropy=zero, mean_logits=zero, is_top1=zero.bool())
        return lambda **_: found

    given = {"label_smoothing": 0.0, "ld_alpha": None, "f_divergence_type": "reverse_kl", **settings}
    stand_in = types.SimpleNamespace(
        model=types.SimpleNamespace(training=True),
        accelerator=types.SimpleNamespace(
            device="cpu", gather_for_metrics=lambda x: x, unwrap_model=lambda x: x, gather=lambda x: x
        ),
        args=types.SimpleNamespace(gradient_checkpointing_kwargs=None, discopop_tau=0.05),
        aux_loss_enabled=False,
        precompute_ref_logps=True,
        beta=0.3,
        use_weighting=False,
        loss_types=[loss_type],
        loss_weights=[1.0],
        f_alpha_divergence_coef=0.5,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
        _tp_size=1,
    )
    for name, value in given.items():
        setattr(stand_in, name, value)
    ref_sum = ref
    if stand_in.ld_alpha is not None:
        place, length = mask[:, 1:].cumsum(1), mask[:, 1:].sum(1)
        limit = length.reshape(2, -1).min(0).values.repeat(2)[:, None]
        ref_sum = torch.where(place > limit, stand_in.ld_alpha * ref, ref)
    chosen, rejected = ref_sum.sum(1).chunk(2)
    inputs = {
        "input_ids": torch.zeros_like(mask),
        "completion_mask": mask,
        "attention_mask": torch.ones_like(mask),
        "ref_chosen_logps": chosen,
        "ref_rejected_logps": rejected,
    }
    found = DPOTrainer._compute_loss(stand_in, model(logps), inputs, False)
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize(("loss_type", "settings", "objective"), CASES, ids=[f"{c[0]}{c[1] or ''}" for c in CASES])
def test_losses_and_gradients_are_those_of_trl(make_batch, loss_type: str, settings: dict, objective) -> None:
    rng = torch.Generator().manual_seed(3)
    lengths = torch.tensor([4, 7, 5, 3, 6, 2, 5, 8])  # pairs of rows (0, 1), (2, 3), …
    n, width = len(lengths), int(lengths.max())
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])  # TRL stacks all chosen, then all rejected
    values = [-torch.rand(int(length), generator=rng) * 3 for length in lengths]
    refs = [value + 0.5 * torch.randn(len(value), generator=rng) for value in values]

    def padded(rows: list[torch.Tensor]) -> torch.Tensor:
        table = torch.zeros(n, width)
        for place, row in enumerate(order.tolist()):
            table[place, : len(rows[row])] = rows[row]
        return table

    mask = torch.zeros(n, width + 1, dtype=torch.long)  # one prompt position in front
    for place, row in enumerate(order.tolist()):
        mask[place, 1 : 1 + len(values[row])] = 1
    logps = padded(values).requires_grad_()
    reference = theirs(logps, padded(refs), mask, loss_type, **settings)
    (gradient,) = torch.autograd.grad(reference, logps)

    batch = make_batch(
        [value.tolist() for value in values], ref=[value.tolist() for value in refs], dtype=torch.float32
    )
    ours_logps = batch.logps.clone().requires_grad_()
    batch = batch.with_(logps=ours_logps)
    (item,) = objective(batch)
    ours = (weights_of(item, batch) * item.each).sum() / weights_of(item, batch).sum()
    (ours_gradient,) = torch.autograd.grad(ours, ours_logps)
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-6)  # float32, sums of eight terms
    rows = torch.split(ours_gradient, lengths.tolist())
    # padding has log-probability 0 there, whatever the model: its gradient goes nowhere
    torch.testing.assert_close(padded(list(rows)), gradient * mask[:, 1:], rtol=1e-4, atol=1e-6)
