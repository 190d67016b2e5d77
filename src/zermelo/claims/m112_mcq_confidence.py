"""M112 · Reasoning makes models surer, even when they are wrong.

The paper: in multiple choice, models that reason first give their chosen option a higher probability than models that
answer at once, for right answers and for wrong ones, the more so for the wrong.

Here: (a + b + c + d) mod 5 with five options. One small network answers at once. Another, of the same size and trained
on as many examples, reasons: a first network gives the sum of a, b and c, which is *sampled* from its own distribution
and shown to a second one that has learnt to add d; its errors are its own. Option probabilities of both are compared on
questions that neither has seen. Rule, written before the run: reproduced where confidence rises by at least 0.1 for
right and for wrong reasoned answers (lower ends of the intervals over seeds above 0, means at least 0.1); partly where
both means are above 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

BASE, EXAMPLES, QUESTIONS = 5, 475, 150


def learn(inputs: NDArray[np.int64], answers: NDArray[np.int64], seed: int) -> Any:
    """A network of 64 hidden units on one-hot digits, trained for 150 passes."""
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((64,), alpha=1e-1, learning_rate_init=1e-2, max_iter=150, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all get the same number of passes, converged or not
        return network.fit(one_hot(inputs), answers)


def one_hot(digits: NDArray[np.int64]) -> NDArray[np.float64]:
    """[N, L] digits → [N, L · BASE]"""
    return np.eye(BASE)[digits].reshape(len(digits), -1)


def run(seed: int) -> Mapping[str, float]:
    """Rise of confidence for right and wrong answers."""
    from zermelo.evaluation.mcq_confidence import ReasoningConfidence

    rng = np.random.default_rng(seed)
    digits = np.stack(np.meshgrid(*[np.arange(BASE)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    digits = digits[rng.permutation(len(digits))]
    train, test = digits[:EXAMPLES], digits[EXAMPLES : EXAMPLES + QUESTIONS]
    total, part = digits.sum(axis=1) % BASE, digits[:, :3].sum(axis=1) % BASE
    key, half = total[EXAMPLES : EXAMPLES + QUESTIONS], part[:EXAMPLES]
    direct = learn(train, total[:EXAMPLES], seed)
    step = learn(train[:, :3], half, seed + 1)
    last = learn(np.stack([half, train[:, 3]], axis=1), total[:EXAMPLES], seed + 2)
    thought = step.predict_proba(one_hot(test[:, :3]))
    drawn = np.minimum((rng.random((len(test), 1)) > np.cumsum(thought, axis=1)).sum(axis=1), BASE - 1)
    reasoned = last.predict_proba(one_hot(np.stack([drawn, test[:, 3]], axis=1)))
    found = ReasoningConfidence(resamples=1).measure(direct.predict_proba(one_hot(test)), reasoned, key)
    return {
        **{name: estimate.value for name, estimate in found.figures.items()},
        "ece_direct": found.error_direct.value,
        "ece_reasoned": found.error_reasoned.value,
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    names = ("rise_right", "rise_wrong")
    if all(summary.low[name] > 0 and summary.mean[name] >= 0.1 for name in names):
        return "reproduced"
    return "partly" if all(summary.mean[name] > 0 for name in names) else "not reproduced"


CLAIM = Claim(
    id="M112",
    paper="models are surer of their choice after reasoning, whether it is right or wrong",
    measures="rise of the chosen option's probability by reasoning, where the reasoned answer is wrong",
    headline="rise_wrong",
    run=run,
    verdict=verdict,
    rule="confidence rises by ≥ 0.1 for right and for wrong answers, intervals over seeds above 0",
    notes="networks of 64 hidden units on sums mod 5, not language models",
)
