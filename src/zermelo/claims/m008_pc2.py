"""M008 · PC2: pointwise evaluation as accurate as comparisons, after looking at a few answers side by side.

The paper: a judge that first compares auxiliary answers, writes weighted criteria for the query, and then grades each
tested answer against a baseline reaches the accuracy of pairwise evaluation at the cost of pointwise evaluation.

Here: 300 queries, answers with five attributes N(0, 1); what counts differs by query (Dirichlet 0.5 weights). The judge
compares three auxiliary answers two at a time and names its reasons: what each attribute adds to the difference, seen
with noise of 0.19 (five of them make the noise of a pairwise verdict of sharpness 4). Criteria weigh an attribute by
the mean size of its reasons; they are written as text with whole weights. Tested answers are graded 1, 2 or 3 against
the first auxiliary one, each attribute seen with noise 0.5. Beside it: a generic judge that grades the five attributes
1 … 5 with equal weights and the same noise, and a pairwise judge of the two tested answers (sharpness 4, one call a
pair). A first design, where criteria came from the three verdicts alone, was worse than the generic judge on the tuning
seeds. Rule, written before the run: reproduced where PC2 agrees with the true winner at least 0.05 more often than the
generic judge (mean, interval over seeds above 0) and at most 0.05 less often than the pairwise one; partly where only
the first holds on average.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

QUERIES, ATTRIBUTES, NOISE = 300, 5, 0.5
Floats = NDArray[np.float64]


def criteria(auxiliary: Floats, counts: Floats, rng: np.random.Generator) -> str:
    """What a judge writes after comparing three answers. auxiliary [3, A], counts: what matters here [A]"""
    differences = np.stack([auxiliary[i] - auxiliary[j] for i, j in ((0, 1), (0, 2), (1, 2))])
    weight = np.abs(counts * differences + 0.19 * rng.standard_normal(differences.shape)).mean(axis=0)
    share = weight / weight.sum()
    whole = np.floor(100 * share).astype(int)
    whole[int(np.argmax(share))] += 100 - whole.sum()
    kept = [k for k in np.argsort(-whole, kind="stable") if whole[k] > 0]
    return "\n".join(f"{number}. attribute {k} | {whole[k]}" for number, k in enumerate(kept, start=1))


def run(seed: int) -> Mapping[str, float]:
    """Agreement with the true winner of 300 pairs."""
    from zermelo.evaluation.pc2 import pairwise_accuracy, read_criteria

    rng = np.random.default_rng(seed)
    scores = np.zeros((QUERIES, 2))
    generic, gap = np.zeros((QUERIES, 2)), np.zeros(QUERIES)
    for query in range(QUERIES):
        counts = rng.dirichlet(np.full(ATTRIBUTES, 0.5))
        auxiliary, tested = rng.standard_normal((3, ATTRIBUTES)), rng.standard_normal((2, ATTRIBUTES))
        judge = read_criteria(criteria(auxiliary, counts, rng))
        at = [int(name.split()[1]) for name in judge.criteria]
        looked = tested + NOISE * rng.standard_normal(tested.shape)
        ahead = looked[:, at] - auxiliary[0, at]
        scores[query] = judge.score(2.0 + (ahead > 0.5) - (ahead < -0.5))
        generic[query] = np.clip(np.rint(3 + looked), 1, 5).sum(axis=1)
        gap[query] = (tested[0] - tested[1]) @ counts
    truth = (gap > 0) * 1.0
    pairwise = (rng.random(QUERIES) < 1 / (1 + np.exp(-4 * gap))) * 1.0
    found = {
        "pc2": pairwise_accuracy(scores[:, 0], scores[:, 1], truth).value,
        "generic": pairwise_accuracy(generic[:, 0], generic[:, 1], truth).value,
        "pairwise": float((pairwise == truth).mean()),
    }
    return found | {"gain": found["pc2"] - found["generic"], "short_of_pairwise": found["pairwise"] - found["pc2"]}


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    mean = summary.mean
    if summary.low["gain"] > 0 and mean["gain"] >= 0.05 and mean["short_of_pairwise"] <= 0.05:
        return "reproduced"
    return "partly" if mean["gain"] >= 0.05 else "not reproduced"


CLAIM = Claim(
    id="M008",
    paper="PC2 reaches the accuracy of pairwise evaluation at the cost of pointwise evaluation",
    measures="agreement with the true winner, PC2 minus a generic pointwise judge, 300 pairs",
    headline="gain",
    run=run,
    verdict=verdict,
    rule="at least 0.05 above the generic judge (interval above 0) and at most 0.05 below the pairwise one",
    notes="simulated judges; three grades against one baseline answer lose what the weights of the criteria gain",
)
