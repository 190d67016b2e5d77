"""M087 · Dissecting preferences: what a judge likes can be read off its choices, and answers steered by it win there.

The paper: weights of 29 properties, fitted to a judge's choices, tell people and models apart (people mind errors less
and dislike admitted limits; models of a size agree), and answers steered towards a judge's liked properties gain up to
0.59 points of MT-Bench and 31.94 of AlpacaEval 2 with that judge.

Here: three simulated judges, each with a taste for 8 of 29 attributes (±0.4 … ±1.2 logits), choose in the same 1,000
pairs. Their weights are estimated from their choices alone. Then an answer is picked, out of eight, for the three
attributes that the first judge is *estimated* to like best, and meets answers picked at random before that judge and
before the one whose estimated weights of the three sum nearest to 0. Rule, written before the run: reproduced where the
mean correlation of estimated with true weights is at least 0.95 (whole interval over seeds), every judge is nearest to
its own truth, and the steered answer gains at least 10 points with the one judge (whole interval) and at most 5, either
way, with the other on average; partly where the weights are found but the steering fails, or the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

ATTRIBUTES, LIKED, PAIRS, JUDGES = 29, 8, 1000, 3


def run(seed: int) -> Mapping[str, float]:
    """Correlations of weights, and win rates of steered answers."""
    from zermelo.evaluation.dissection import Dissection, preference_similarity
    from zermelo.worlds.judges import SimulatedJudge

    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 4, (2, PAIRS, ATTRIBUTES))  # grades 0…3
    x = np.sign(first - second).astype(float)
    judges, found = [], []
    for number in range(JUDGES):
        taste = np.zeros(ATTRIBUTES)
        liked = rng.choice(ATTRIBUTES, LIKED, replace=False)
        taste[liked] = rng.uniform(0.4, 1.2, LIKED) * rng.choice([-1, 1], LIKED)
        judge = SimulatedJudge(taste=tuple(taste), seed=10 * seed + number)
        effects = Dissection(folds=0, draws=200, seed=seed).fit_attributes(
            x, judge.choose(judge.probability(features=x))
        )
        judges.append(judge)
        found.append(np.array([weight.value for weight in effects.weights]))
    names = {f"true {j}": np.array(judge.taste) for j, judge in enumerate(judges)} | {
        f"found {j}": weights for j, weights in enumerate(found)
    }
    between = preference_similarity(names)["pearson"][JUDGES:, :JUDGES]  # [found, true]
    top = np.argsort(-found[0])[:3]
    other = min(range(1, JUDGES), key=lambda j: abs(float(found[j][top].sum())))
    candidates = rng.integers(0, 4, (1000, 8, ATTRIBUTES))
    rows = np.arange(1000)
    steered = candidates[rows, np.argmax(candidates[:, :, top].sum(axis=2), axis=1)]
    plain = rng.integers(0, 4, (1000, ATTRIBUTES))
    gap = np.sign(steered - plain).astype(float)
    return {
        "pearson": float(np.diag(between).mean()),
        "own_nearest": float((between.argmax(axis=1) == np.arange(JUDGES)).mean()),
        "between_judges": float(between[~np.eye(JUDGES, dtype=bool)].mean()),
        "gain": float(judges[0].probability(features=gap).mean() - 0.5),
        "gain_elsewhere": float(judges[other].probability(features=gap).mean() - 0.5),
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    found = summary.low["pearson"] >= 0.95 and summary.mean["own_nearest"] == 1
    steered = summary.low["gain"] >= 0.10 and abs(summary.mean["gain_elsewhere"]) <= 0.05
    if found and steered:
        return "reproduced"
    return "partly" if found or steered else "not reproduced"


CLAIM = Claim(
    id="M087",
    paper="weights of properties tell judges apart; steering by liked ones gains up to 31.94 points (AlpacaEval 2)",
    measures="correlation of estimated with true weights of 29 attributes, 1,000 choices a judge",
    headline="pearson",
    run=run,
    verdict=verdict,
    rule="correlation ≥ 0.95 (whole interval), each judge nearest its own truth, steering gains ≥ 10 points there only",
    notes="simulated judges; people and two models on PandaLM's pairs are compared in docs/evaluation.md",
)
