"""Gradient entanglement (M113): margin losses tie the two sides by ⟨∇log π_w, ∇log π_l⟩; where it is large "the
preferred and dispreferred log-probabilities move together", as with a long shared suffix; normalising both gradients
mends it.

In miniature: a tiny policy that imitated texts of one word (4 good, 4 bad ones) and a prompt's template of 0, 3 or 12
tokens with 20 % noise. Pairs differ in the first word alone, the prompt's good one against its bad one; 200 pairs for
each length of suffix. Figures: mean cosine of the two gradients at the start; share of pairs whose preferred side has
fallen after DPO on all 200 together (β = 0.1, 50 Adam steps of 16 pairs); then 30 pairs of each length are trained
alone, 20 SGD steps of 0.3, which is far from first order: Spearman's correlation over these 90 pairs of the part of
the margin's growth that a rise of the preferred side makes, as the gradients at the start foretell it,
(‖g_w‖² − ⟨g_w, g_l⟩)/‖g_w − g_l‖², with the same part at the end; and the share of pairs of which the normalised rule
raises the preferred side and lowers the other.

Reproduced where all hold with their intervals: the cosine rises by more than 0.1 from no suffix to 3 tokens and from 3
to 12; more preferred sides fall with 12 tokens than with none; the correlation is above 0.3; the normalised share is
above 0.9. Partly where the first two hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zermelo.claims.protocol import Claim, Summary, Verdict

if TYPE_CHECKING:
    import torch

    from zermelo.claims.benches import Texts, TinyPolicy

__all__ = ["CLAIM"]

LENGTHS = (0, 3, 12)
PAIRS, ALONE, BETA, STEPS, LR = 200, 30, 0.1, 20, 0.3


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import torch
    from scipy.stats import spearmanr

    from zermelo.claims.benches import fit
    from zermelo.claims.shared_suffix import SharedSuffix, alone
    from zermelo.objectives import DPO
    from zermelo.objectives.diagnostics import entanglement

    torch.set_num_threads(1)
    world = SharedSuffix(seed)
    start = world.start()
    figures: dict[str, float] = {}
    score, shares, normalised = [], [], []
    for length in LENGTHS:
        pairs = world.pairs(PAIRS, length)
        g = _gradients(start, pairs)
        win, lose = g[0::2], g[1::2]
        found = entanglement((win * lose).sum(1), (win**2).sum(1), (lose**2).sum(1))
        tuned = fit(start, DPO(beta=BETA), pairs, steps=50, lr=1e-3, size=16, seed=seed)
        with torch.no_grad():
            moved = (tuned.sums(pairs) - start.sums(pairs)).reshape(-1, 2)
        figures[f"cosine_{length}"] = float(found.cosine.mean())
        figures[f"falls_{length}"] = float((moved[:, 0] < 0).double().mean())
        share = (found.square_win - found.inner) / (found.square_win + found.square_lose - 2 * found.inner)
        score += share[:ALONE].tolist()
        for number in range(ALONE):
            one = pairs[torch.tensor([2 * number, 2 * number + 1])]
            up, down = alone(start, one, beta=BETA, steps=STEPS, lr=LR)
            shares.append(up / (up - down))
            up, down = alone(start, one, beta=BETA, steps=STEPS, lr=LR, normalise=True)
            normalised.append(up > 0 > down)
    figures["cosine_step_short"] = figures["cosine_3"] - figures["cosine_0"]
    figures["cosine_step_long"] = figures["cosine_12"] - figures["cosine_3"]
    figures["more_falls"] = figures["falls_12"] - figures["falls_0"]
    figures["falls_alone"] = sum(value < 0 for value in shares) / len(shares)
    figures["correlation"] = float(spearmanr(score, shares)[0])
    figures["correlation_long"] = float(spearmanr(score[-ALONE:], shares[-ALONE:])[0])
    figures["normalised"] = sum(normalised) / len(normalised)
    return figures


def _gradients(policy: TinyPolicy, texts: Texts) -> torch.Tensor:
    """∇ log π(y) of every text, all parameters flat. [N, parameters]"""
    import torch

    weights, sums = list(policy.parameters()), policy.sums(texts)
    rows = [torch.autograd.grad(one, weights, retain_graph=True) for one in sums]
    return torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low = summary.low
    together = min(low["cosine_step_short"], low["cosine_step_long"]) > 0.1 and low["more_falls"] > 0
    if together and low["correlation"] > 0.3 and low["normalised"] > 0.9:
        return "reproduced"
    return "partly" if together else "not reproduced"


CLAIM = Claim(
    id="M113",
    paper="sentiment pairs with a long shared suffix: both log-probabilities move together; single tokens separate",
    measures="share of pairs whose preferred side falls under DPO, shared suffix of 12 tokens less none (fraction)",
    headline="more_falls",
    run=run,
    verdict=verdict,
    rule="reproduced: cosine up by > 0.1 at each longer suffix, more falls, correlation > 0.3, normalised share > 0.9, "
    "each with its interval; partly: the first two",
    notes="a next-token model of one hidden layer; the first-order condition itself is a test, here steps are finite; "
    "where a word is good for one prompt and bad for another, batches hide the effect (seen on seeds 1–3)",
)
