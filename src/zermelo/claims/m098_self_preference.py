"""M098 · Self-preference: the DBG score is not fooled by quality.

The paper: the difference between a judge's and gold judges' preference for the judge's own answers removes the
confound of quality that the plain comparison has; most judges have DBG > 0, less so the larger ones.

Here: two contestants answer 500 prompts, the first better by −1, 0 or 1 on average; each judges both orders (with a
taste for the first position), gold is the majority of six votes of three other judges. The bonus for one's own answer
is 0, 0.5, 1 or 2 logits. Figures: how far DBG without a bonus strays from 0 over the three gaps, how far the naive
score (win rate of its own by the first minus win rate of its own by the second) moves with them, and the rise of DBG
with the bonus at each gap. Rule, written before the run: reproduced where DBG without a bonus stays within 4 points at
every gap on average over seeds, the naive score moves by more than 25 points (whole interval), and DBG rises at every
step of the bonus and gap on average; partly where one of them fails.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

PROMPTS, GAPS, BONUSES = 500, (-1.0, 0.0, 1.0), (0.0, 0.5, 1.0, 2.0)
Floats = NDArray[np.float64]


def asked_twice(gap: Floats, *, bonus: float, own: float, seed: int) -> tuple[Floats, Floats]:
    """P(first contestant's answer ≻ the other's) in both orders. The judge likes what stands first a little."""
    from zermelo.worlds.judges import SimulatedJudge

    judge = SimulatedJudge(sharpness=1.5, position=0.4, own_bonus=bonus, seed=seed)
    return (
        judge.choose(judge.probability(gap, shown=1.0, own=own), repeat=0),
        judge.choose(judge.probability(gap, shown=-1.0, own=own), repeat=1),
    )


def run(seed: int) -> Mapping[str, float]:
    """DBG by gap and bonus, and the naive score."""
    from zermelo.evaluation.self_preference import SelfPreference, both_orders

    dbg, naive, by_mean = np.zeros((len(GAPS), len(BONUSES))), np.zeros(len(GAPS)), np.zeros(len(GAPS))
    for g, mean in enumerate(GAPS):
        gap = np.random.default_rng([seed, g]).normal(mean, 1.0, PROMPTS)
        votes = [asked_twice(gap, bonus=0.0, own=0.0, seed=100 * seed + 10 * g + k) for k in range(3)]
        gold = np.stack([vote for pair in votes for vote in pair], axis=1)
        for b, bonus in enumerate(BONUSES):
            one, _ = both_orders(*asked_twice(gap, bonus=bonus, own=1.0, seed=1000 * seed + 7))
            two, _ = both_orders(*asked_twice(gap, bonus=bonus, own=-1.0, seed=1000 * seed + 8))
            dbg[g, b] = SelfPreference(resamples=1).measure(one, gold).dbg.value
            if bonus == 0:
                by_mean[g] = SelfPreference(gold="mean", resamples=1).measure(one, gold).dbg.value
                naive[g] = 100 * float(one.mean() - (1 - two).mean())
    figures = {f"dbg_without_bonus_gap_{mean:+g}": float(dbg[g, 0]) for g, mean in enumerate(GAPS)}
    rises = {
        f"rise_gap_{mean:+g}_step_{b}": float(dbg[g, b + 1] - dbg[g, b])
        for g, mean in enumerate(GAPS)
        for b in range(len(BONUSES) - 1)
    }
    return (
        figures
        | rises
        | {
            "naive_moves": float(np.ptp(naive)),
            "dbg_strays": float(np.abs(dbg[:, 0]).max()),
            "dbg_strays_by_mean_of_gold": float(np.abs(by_mean).max()),
        }
    )


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    still = all(abs(v) <= 4 for k, v in summary.mean.items() if k.startswith("dbg_without_bonus"))
    moves = summary.low["naive_moves"] > 25
    rises = all(v > 0 for k, v in summary.mean.items() if k.startswith("rise"))
    held = still + moves + rises
    return "reproduced" if held == 3 else "partly" if held == 2 else "not reproduced"


CLAIM = Claim(
    id="M098",
    paper="DBG removes the confound of quality that the plain comparison of judges has",
    measures="percentage points by which DBG without a bonus strays from 0 over three quality gaps",
    headline="dbg_strays",
    run=run,
    verdict=verdict,
    rule="DBG within ± 4 without a bonus at every gap, the naive score moves by > 25, and DBG rises with the bonus",
    notes="a judge noisier than the majority of gold votes is pulled to 50 %, and DBG counts that; the mean of the "
    "votes as gold mends it (dbg_strays_by_mean_of_gold)",
)
