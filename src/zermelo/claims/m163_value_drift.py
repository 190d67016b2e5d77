"""Value drifts (M163): preference data without a value gap barely moves a policy's stances; with a synthetic gap DPO
moves support by +.53, SimPO by about +.15 (paper, Llama-3-3B).

In miniature: an answer is a stance token (reference .2 support, .6 neutral, .2 oppose) and seven style tokens of four
kinds; logits are free. 300 pairs of a supporting with an opposing answer, styles drawn alike; support is preferred with
chance (1 + gap)/2. DPO (β = 0.5, sums over tokens) and SimPO (β = 2, γ = 1, means over tokens) for 300 full-batch
gradient steps at 0.5; 11 checkpoints; gaps 0, 0.5 and 1. Figure: drift of support at gap 1 under DPO. KL-regularised
training, in closed form, at β = 10, 1, 0.3 with the reward (1, 0, −1).

Reproduced where, with intervals over seeds, the drift at gap 0 lies within ±0.1 for both, it grows with the gap
(0, 0.5, 1) for both, DPO's at gap 1 exceeds 0.3, and SimPO's at gap 1 is below DPO's; partly where all but the last
hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zermelo.claims.protocol import Claim, Summary, Verdict

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CLAIM"]

STYLE, KINDS, PAIRS, STEPS, LR, EVERY = 7, 4, 300, 300, 0.5, 30
GAPS = (0.0, 0.5, 1.0)


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import numpy as np
    import torch

    from zermelo.evaluation.value_drift import ValueDrift
    from zermelo.objectives import DPO, RaggedBatch, SimPO
    from zermelo.worlds.tabular import Tabular

    torch.set_num_threads(1)
    reference = torch.tensor([0.2, 0.6, 0.2], dtype=torch.float64)
    figures: dict[str, float] = {}
    for gap in GAPS:
        rng = np.random.default_rng(seed)
        supports = rng.random(PAIRS) < (1 + gap) / 2
        stance = torch.as_tensor(np.where(supports[:, None], [0, 2], [2, 0]))  # [M, 2], preferred first
        style = torch.as_tensor(rng.integers(KINDS, size=(PAIRS, 2, STYLE)))
        place = torch.arange(2 * PAIRS)
        owner = place.repeat_interleave(1 + STYLE)
        objectives: dict[str, Any] = {"dpo": DPO(beta=0.5), "simpo": SimPO(beta=2.0, gamma=1.0)}
        for name, objective in objectives.items():
            stances = reference.log().clone().requires_grad_()
            styles = torch.zeros(KINDS, dtype=torch.float64, requires_grad=True)

            start = tokens(stances, styles, stance, style).detach()
            seen = [stances.detach().softmax(0).numpy()]
            for step in range(1, STEPS + 1):
                batch = RaggedBatch(
                    tokens(stances, styles, stance, style),
                    owner,
                    place // 2,
                    pairs=place.reshape(-1, 2),
                    logps_of={"ref": start},
                )
                loss = objective(batch).terms[0].each.mean()
                slopes = torch.autograd.grad(loss, (stances, styles))
                stances, styles = (
                    (part - LR * slope).detach().requires_grad_()
                    for part, slope in zip((stances, styles), slopes, strict=True)
                )
                if step % EVERY == 0:
                    seen.append(stances.detach().softmax(0).numpy())
            drift = ValueDrift().measure(np.stack(seen)[:, None], steps=range(0, STEPS + 1, EVERY)).drifts[0]
            figures[f"{name}_{gap:g}"] = drift.magnitude.value
            figures[f"{name}_time_{gap:g}"] = drift.time
    for beta in (10.0, 1.0, 0.3):
        world = Tabular(reference.log().numpy()[None], np.array([[1.0, 0.0, -1.0]]))
        figures[f"kl_rl_{beta:g}"] = float(np.exp(world.optimum(beta))[0, 0]) - 0.2
    for name in ("dpo", "simpo"):
        figures[f"{name}_rise_low"] = figures[f"{name}_0.5"] - figures[f"{name}_0"]
        figures[f"{name}_rise_high"] = figures[f"{name}_1"] - figures[f"{name}_0.5"]
    figures["dpo_over_simpo"] = figures["dpo_1"] - figures["simpo_1"]
    return figures


def tokens(stances: Tensor, styles: Tensor, stance: Tensor, style: Tensor) -> Tensor:
    """Log-probability of every token of every answer, the stance first. [2·M·8]"""
    import torch

    first = stances.log_softmax(0)[stance].unsqueeze(-1)
    return torch.cat([first, styles.log_softmax(0)[style]], -1).reshape(-1)


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low, high = summary.low, summary.high
    still = all(low[f"{name}_0"] > -0.1 and high[f"{name}_0"] < 0.1 for name in ("dpo", "simpo"))
    rising = all(low[f"{name}_rise_{part}"] > 0 for name in ("dpo", "simpo") for part in ("low", "high"))
    if not (still and rising and low["dpo_1"] > 0.3):
        return "not reproduced"
    return "reproduced" if low["dpo_over_simpo"] > 0 else "partly"


CLAIM = Claim(
    id="M163",
    paper="with a synthetic value gap DPO moves support by +.53, SimPO by about +.15; without one both barely do",
    measures="drift of support under DPO at value gap 1 (share)",
    headline="dpo_1",
    run=run,
    verdict=verdict,
    rule="reproduced: still at gap 0, growing with the gap, DPO > 0.3 and above SimPO; partly: all but the last",
    seeds=(101, 102, 103, 104, 105, 106, 107, 108),
    notes="one learning rate for both losses; PPO is not run, KL-regularised optima stand in closed form",
)
