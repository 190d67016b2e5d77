"""M136 · Judging bias: reasoning does not free a judge of it, and the audit finds what was planted.

The paper: large reasoning models are still led by bandwagon, authority, position and distraction, though less on facts.

Here, two parts. A simulated judge (400 items, the first answer better, luck in common) is led by authority (0.8
logits), bandwagon (0.5) and superficial reflection (0.3), and not by distraction (0), each cue pointing at the wrong
answer: the figure is the largest difference between the measured pull and the one that the judge's probabilities have.
And LLMBar's six judges, asked to reason before the verdict (CoT) and to answer at once (Vanilla), each pair in both
orders: share of winners that change with the order. Rule, written before the run: reproduced where the largest
difference is at most 0.05 on average over seeds, distraction reads less than 0.05, and in at least four of the six real
judges that reason the flips lie above 5 % with their whole 95 % interval; partly where only one part holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

ITEMS, CUES = 400, {"authority": 0.8, "bandwagon": 0.5, "reflection": 0.3, "distraction": 0.0}


def planted(seed: int) -> dict[str, float]:
    """Pull of each cue, measured and true."""
    from zermelo.evaluation.judge_bias import CueBias
    from zermelo.worlds.judges import SimulatedJudge

    gap = np.abs(np.random.default_rng(seed).normal(0, 1.5, ITEMS))
    judge = SimulatedJudge(cues=CUES, seed=seed)
    before = judge.probability(gap)
    figures, errors = {}, []
    for cue in CUES:
        after = judge.probability(gap, pointed={cue: -1.0})
        found = CueBias(resamples=1).measure(
            1 - judge.choose(before), 1 - judge.choose(after), np.zeros(ITEMS), np.ones(ITEMS)
        )
        figures[f"pull_{cue}"] = found.pull.value
        errors.append(abs(found.pull.value - float((before - after).mean())))
    return figures | {"worst_error": max(errors)}


def real() -> dict[str, float]:
    """Flips of LLMBar's judges with the order of the answers, by strategy."""
    import pandas as pd

    from zermelo.claims.runner import shared_data
    from zermelo.evaluation.judge_bias import PositionBias

    rows = pd.read_parquet(shared_data("llmbar") / "verdicts.parquet")
    rows = rows[(rows["stage"] == "final") & rows["strategy"].isin(["CoT", "Vanilla"])]
    figures, biased = {}, 0
    for (judge, strategy), part in rows.groupby(["judge", "strategy"]):
        table = part.set_index(["subset", "item", "swapped"])["winner"].unstack()
        found = PositionBias(seed=0).measure(2 - table[False].to_numpy(), 2 - table[True].to_numpy())
        figures[f"flips_{strategy}_{judge}"] = found.flips.value
        figures[f"first_{strategy}_{judge}"] = found.first.value
        biased += int(strategy == "CoT" and found.flips.low > 0.05)
    return figures | {"reasoning_judges_that_flip": float(biased)}


def run(seed: int) -> Mapping[str, float]:
    """Both parts; the second does not depend on the seed."""
    return planted(seed) | real()


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    found = summary.mean["worst_error"] <= 0.05 and abs(summary.mean["pull_distraction"]) < 0.05
    biased = summary.mean["reasoning_judges_that_flip"] >= 4
    return "reproduced" if found and biased else "partly" if found or biased else "not reproduced"


CLAIM = Claim(
    id="M136",
    paper="reasoning judges are still biased by cues and position",
    measures="judges of LLMBar, of six, whose verdicts after reasoning flip with the order in more than 5 % of pairs",
    headline="reasoning_judges_that_flip",
    run=run,
    verdict=verdict,
    rule="planted pulls found to 0.05, and ≥ 4 of 6 real judges that reason flip in > 5 % of pairs (whole interval)",
    data="llmbar",
    notes="prompted chain of thought of 2023's judges, not trained reasoning models; cues are simulated",
)
