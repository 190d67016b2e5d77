"""M034 · Language models (mostly) know what they know: P(IK) and P(True).

The paper: P(IK), trained on questions alone, tells known from unknown questions and generalises partly to other tasks,
losing calibration there; P(True) of a model's own answers is better when it sees more of its own samples.

Here: a small network learns a + b and a · b mod 23 from 4,000 examples in which large a are rare, so it knows some
questions and not others. 30 answers are sampled for every question. The P(IK) head is fitted on the network's hidden
layer for half of the sums, and read on the other half and on all products. P(True) is a head on the hidden layer and
the proposed answer, fitted on verification examples, without and with the share of five further samples that agree.
Rule, written before the run: reproduced where P(IK) has an AUROC of at least 0.85 on new sums and 0.6 on products, its
calibration error is at least 1.5 times as large there (means over seeds), and the five samples raise the AUROC of
P(True) (whole interval); partly where at least two of these four hold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

BASE, EXAMPLES, SAMPLES, SHOWN = 23, 4000, 30, 5
Floats = NDArray[np.float64]


def learner(rng: np.random.Generator, seed: int) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Hidden states, answer probabilities, true answers and "is a sum" of all questions, after training."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    op, a, b = (grid.ravel() for grid in np.meshgrid([0, 1], np.arange(BASE), np.arange(BASE), indexing="ij"))
    truth = np.where(op == 0, (a + b) % BASE, (a * b) % BASE)
    inputs = np.concatenate([np.eye(2)[op], np.eye(BASE)[a], np.eye(BASE)[b]], axis=1)
    chance = np.exp(-a / 5.0)
    shown = rng.choice(len(op), EXAMPLES, p=chance / chance.sum())
    network = MLPClassifier((64,), alpha=1e-3, learning_rate_init=5e-3, max_iter=40, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge: what it does not know is the point
        network.fit(inputs[shown], truth[shown])
    answers = np.zeros((len(op), BASE))
    answers[:, network.classes_] = network.predict_proba(inputs)
    hidden = np.maximum(inputs @ network.coefs_[0] + network.intercepts_[0], 0.0)
    return hidden, answers, truth, op == 0


def run(seed: int) -> Mapping[str, float]:
    """P(IK) in and out of its domain, P(True) without and with samples."""
    from zermelo.evaluation.self_knowledge import PIKHead, SelfKnowledge

    rng = np.random.default_rng(seed)
    hidden, answers, truth, sums = learner(rng, seed)
    luck = rng.random((len(truth), SAMPLES, 1))
    drawn = np.minimum((luck > np.cumsum(answers, axis=1)[:, None, :]).sum(axis=2), BASE - 1)  # [Q, 30]
    right = (drawn == truth[:, None]).astype(float)
    train = sums & (rng.random(len(truth)) < 0.5)
    head = PIKHead(ridge=0.1).fit(hidden[train], right[train].mean(axis=1))
    audit, known = SelfKnowledge(resamples=1), head.predict(hidden)

    def of(rows: NDArray[np.bool_]) -> tuple[float, float]:
        found = audit.measure(np.repeat(known[rows], SAMPLES), right[rows].ravel())
        return found.auroc.value, found.error.value

    (auroc_in, ece_in), (auroc_out, ece_out) = of(sums & ~train), of(~sums)
    proposed, verdicts = drawn[:, 0], right[:, 0]
    agree = (drawn[:, 1 : 1 + SHOWN] == proposed[:, None]).mean(axis=1)
    alone = np.concatenate([hidden, np.eye(BASE)[proposed]], axis=1)
    seen = np.concatenate([alone, agree[:, None]], axis=1)
    half = rng.random(len(truth)) < 0.5
    areas = []
    for features in (alone, seen):
        p = PIKHead(ridge=1e-2).fit(features[half], verdicts[half]).predict(features[~half])
        areas.append(audit.measure(p, verdicts[~half]).auroc.value)
    return {
        "pik_auroc": auroc_in,
        "pik_auroc_elsewhere": auroc_out,
        "ece": ece_in,
        "ece_elsewhere": ece_out,
        "p_true_auroc": areas[0],
        "p_true_auroc_samples": areas[1],
        "p_true_gain": areas[1] - areas[0],
        "accuracy": float(right.mean()),
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    mean = summary.mean
    held = [
        mean["pik_auroc"] >= 0.85,
        mean["pik_auroc_elsewhere"] >= 0.6,
        mean["ece_elsewhere"] >= 1.5 * mean["ece"],
        summary.low["p_true_gain"] > 0,
    ]
    return "reproduced" if all(held) else "partly" if sum(held) >= 2 else "not reproduced"


CLAIM = Claim(
    id="M034",
    paper="P(IK) tells known questions from unknown and generalises partly; P(True) gains from seeing own samples",
    measures="AUROC of P(IK) on new questions of its own task",
    headline="pik_auroc",
    run=run,
    verdict=verdict,
    rule="AUROC ≥ 0.85 in and ≥ 0.6 out of domain, calibration error ≥ 1.5 × there, P(True) gains from five samples",
    notes="a network of 64 hidden units on arithmetic mod 23, not a language model",
)
