"""Likelihood displacement (M015): DPO lowers preferred responses; the CHES score of a pair tells which pairs do it,
edit distance and the last hidden state do not; "training on the lowest 5 %" (15 % works) avoids it.

In miniature: the world of M113, one good or bad word before a shared suffix, 80 pairs for each length of suffix from 0
to 12; a tiny policy that imitated such texts. Scores at the start: ln-CHES, CHES, −(share of tokens that differ), inner
product of the last states. DPO (β = 0.1, 60 Adam steps of 16 pairs, lr 1e-3) on a random 15 % of the pairs and on the
15 % that each score puts lowest; for comparison all pairs, and all with a likelihood term of weight 0.1. Figures: share
of the trained pairs whose preferred side has fallen, and the growth of the margin. Besides, 80 random pairs trained
alone (20 SGD steps of 0.3): Spearman's correlation of each score with the fall. And 300 free single-token models, 10
tokens and a state of 4 dimensions, each trained by DPO on its two likeliest tokens (100 SGD steps of 0.01): how well
⟨W_z, W_w − W_l⟩ ranks the other tokens by what they have gained (mean of Spearman's correlation).

Reproduced where, with their intervals, the lowest ln-CHES has fewer falls than a random choice, fewer than the lowest
by either baseline, and a correlation above 0.4; partly where the first holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zermelo.claims.protocol import Claim, Summary, Verdict

if TYPE_CHECKING:
    import torch

__all__ = ["CLAIM"]

LENGTHS, EACH, KEPT, ALONE, BETA, STEPS = 13, 80, 0.15, 80, 0.1, 60


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import torch
    from scipy.stats import spearmanr

    from zermelo.claims.benches import Texts, fit
    from zermelo.claims.shared_suffix import SharedSuffix, alone
    from zermelo.objectives import DPO, DPONLL
    from zermelo.objectives.diagnostics import ches_scores, keep_lowest

    torch.set_num_threads(1)
    world = SharedSuffix(seed)
    start = world.start()
    parts = [world.pairs(EACH, length) for length in range(LENGTHS)]
    pairs = Texts(torch.cat([part.prompt for part in parts]), torch.cat([part.tokens for part in parts]))
    sides = torch.arange(len(pairs.prompt)).reshape(-1, 2)
    n = len(sides)
    with torch.no_grad():
        states, kept = start.states(pairs), pairs.tokens >= 0
    found = ches_scores(states[kept], token_response=kept.nonzero()[:, 0], pairs=sides)
    last = states[torch.arange(2 * n), pairs.lengths - 1]
    differ = (pairs.tokens[0::2] != pairs.tokens[1::2]).sum(1) / pairs.lengths[0::2]
    scores = {
        "ln_ches": found.ln_ches,
        "ches": found.ches,
        "edit": -differ,
        "last_state": (last[0::2] * last[1::2]).sum(1),
    }
    figures: dict[str, float] = {}

    def arm(name: str, chosen: torch.Tensor, objective: DPO | DPONLL) -> None:
        trained = pairs[sides[chosen].reshape(-1)]
        tuned = fit(start, objective, trained, steps=STEPS, lr=1e-3, size=16, seed=seed)
        with torch.no_grad():
            moved = (tuned.sums(trained) - start.sums(trained)).reshape(-1, 2)
        figures[f"falls_{name}"] = float((moved[:, 0] < 0).double().mean())
        figures[f"margin_{name}"] = float((moved[:, 0] - moved[:, 1]).mean())

    mixed = torch.randperm(n, generator=world.rng)
    arm("random", mixed[: round(KEPT * n)], DPO(beta=BETA))
    arm("all", torch.arange(n), DPO(beta=BETA))
    arm("all_nll", torch.arange(n), DPONLL(beta=BETA, alpha=0.1))
    for name, score in scores.items():
        arm(name, keep_lowest(score, KEPT), DPO(beta=BETA))
        if name != "ln_ches":
            figures[f"saved_over_{name}"] = figures[f"falls_{name}"] - figures["falls_ln_ches"]
    figures["saved"] = figures["falls_random"] - figures["falls_ln_ches"]
    few = mixed[-ALONE:]
    falls = [-alone(start, pairs[sides[one]], beta=BETA, steps=20, lr=0.3)[0] for one in few.tolist()]
    for name, score in scores.items():
        figures[f"correlation_{name}"] = float(spearmanr(score[few], falls)[0])
    figures["gainers_foretold"] = _gainers(torch.Generator().manual_seed(seed))
    return figures


def _gainers(rng: torch.Generator) -> float:
    """Where the mass goes in models of one token: the correlation of the prediction with what happened."""
    import torch
    from scipy.stats import spearmanr

    from zermelo.claims.benches import mean_loss, pair_batch
    from zermelo.objectives import DPO
    from zermelo.objectives.diagnostics import predicted_gain

    n, vocabulary, dimension = 300, 10, 4
    first = 2 * torch.randn(n, vocabulary, dimension, generator=rng)
    head, state = first.clone().requires_grad_(), torch.randn(n, dimension, generator=rng).requires_grad_()

    def log_policy() -> torch.Tensor:
        return (head @ state.unsqueeze(-1)).squeeze(-1).log_softmax(-1)

    before = log_policy().detach()
    sides = before.topk(2, -1).indices
    optimiser = torch.optim.SGD([head, state], lr=0.01)
    for _ in range(100):
        batch = pair_batch(log_policy().gather(1, sides), before.gather(1, sides))
        optimiser.zero_grad()
        (n * mean_loss(DPO(beta=BETA)(batch), batch)).backward()  # each model takes the step of its own pair
        optimiser.step()
    gain = log_policy().detach() - before
    found = []
    for index, (win, lose) in enumerate(sides.tolist()):
        others = [token for token in range(vocabulary) if token not in (win, lose)]
        found.append(spearmanr(predicted_gain(first[index], win, lose)[others], gain[index, others])[0])
    return float(sum(found) / n)


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low = summary.low
    if low["saved"] <= 0:
        return "not reproduced"
    best = min(low["saved_over_edit"], low["saved_over_last_state"]) > 0
    return "reproduced" if best and low["correlation_ln_ches"] > 0.4 else "partly"


CLAIM = Claim(
    id="M015",
    paper="refusal 74.4 → 33.4 % under DPO (Llama-3-8B-Instruct); lowest-CHES 5 % avoids it, edit distance is no guide",
    measures="share of trained pairs whose preferred side falls, random 15 % less lowest ln-CHES 15 % (fraction)",
    headline="saved",
    run=run,
    verdict=verdict,
    rule="reproduced: falls saved > 0, also over both baselines, and correlation > 0.4, each with its interval; "
    "partly: saved > 0 with its interval",
    notes="here the shared suffix is the cause, and the share of differing tokens knows its length; on independent "
    "texts of unequal length CHES ranks the change of the preferred side (Spearman 0.7–0.9 on seeds 1–3), of equal "
    "length hardly (0.2–0.4): much of it is length; raw CHES is no filter here, ln-CHES is",
)
