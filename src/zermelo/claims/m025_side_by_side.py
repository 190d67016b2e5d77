"""M025 · Side-by-side ranking: more consistent and more telling than grades of single answers.

The paper: comparing answers two at a time and fitting Bradley–Terry gives rankings that are more consistent and tell
more systems apart than grading each answer alone.

Here: four systems, steps of 0.3 in quality, 100 questions; the quality of an answer varies by 1 around its system's. An
absolute rater grades 1 … 5, with a leniency of its own for each question (standard deviation 1) and noise (0.5); a
judge compares, in both orders, with the same noise and no leniency, for that cancels. Both get 1,200 calls: six pairs
in two orders, or three grades of each answer. Figures: pairs told apart (of six) by intervals that do not overlap, as
the paper counts, and by paired differences; Kendall's τ between random halves of the questions. Rule, written before
the run: reproduced where side by side tells apart at least two pairs more by the paper's count (whole interval above 0,
mean at least 2) and its halves agree more by at least 0.1; partly where it is ahead in one of the two on average.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

SYSTEMS, QUESTIONS, STEP = 4, 100, 0.3
NAMES = [f"system {s}" for s in range(SYSTEMS)]


def run(seed: int) -> Mapping[str, float]:
    """Means over five worlds."""
    from zermelo.evaluation.side_by_side import AbsoluteScores, SideBySide
    from zermelo.worlds.judges import SimulatedJudge, SimulatedRater

    rows = []
    for world in range(5):
        rng = np.random.default_rng([seed, world])
        quality = STEP * np.arange(SYSTEMS)[:, None] + rng.standard_normal((SYSTEMS, QUESTIONS))
        quality = quality - STEP * (SYSTEMS - 1) / 2
        rater = SimulatedRater(leniency=1.0, noise=0.5, seed=100 * seed + world)
        grades = np.stack([rater.grade(quality, repeat=r) for r in range(3)], axis=2)
        # σ(2.4 Δ) is within 0.01 of the chance that a difference with the noise of two grades (0.5 √2) is above 0
        judge = SimulatedJudge(sharpness=2.4, position=0.3, seed=100 * seed + world)
        pairs = list(combinations(range(SYSTEMS), 2))
        gap = np.concatenate([quality[i] - quality[j] for i, j in pairs])
        one = judge.choose(judge.probability(gap, shown=1.0), repeat=0)
        two = judge.choose(judge.probability(gap, shown=-1.0), repeat=1)
        question = np.tile(np.arange(QUESTIONS), len(pairs)).tolist()
        a, b = ([NAMES[pair[side]] for pair in pairs for _ in range(QUESTIONS)] for side in (0, 1))
        relative = SideBySide(resamples=300, halvings=40, seed=seed).measure(question, a, b, one, two)
        absolute = AbsoluteScores(resamples=300, halvings=40, seed=seed).measure(grades, systems=NAMES)
        rows.append(
            [len(found.separated(paired=paired)) for paired in (False, True) for found in (relative, absolute)]
            + [relative.consistency, absolute.consistency]
        )
    mean = np.mean(rows, axis=0)
    names = ("apart_relative", "apart_absolute", "paired_relative", "paired_absolute", "tau_relative", "tau_absolute")
    figures = dict(zip(names, mean.tolist(), strict=True))
    figures["apart_gain"] = figures["apart_relative"] - figures["apart_absolute"]
    figures["paired_gain"] = figures["paired_relative"] - figures["paired_absolute"]
    figures["tau_gain"] = figures["tau_relative"] - figures["tau_absolute"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    apart = summary.low["apart_gain"] > 0 and summary.mean["apart_gain"] >= 2
    steady = summary.mean["tau_gain"] >= 0.1
    if apart and steady:
        return "reproduced"
    return "partly" if summary.mean["apart_gain"] > 0 or summary.mean["tau_gain"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M025",
    paper="relative scoring is more consistent and tells more systems apart than absolute scoring",
    measures="pairs of systems told apart, of six, more than by absolute grades (intervals that do not overlap)",
    headline="apart_gain",
    run=run,
    verdict=verdict,
    rule="at least 2 of 6 pairs more (interval above 0) and Kendall's τ of halves higher by ≥ 0.1",
    notes="equal calls; see paired_gain: paired differences of grades cancel the leniency of questions as well",
)
