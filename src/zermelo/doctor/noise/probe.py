"""An ensemble of linear probes on pairs, each pair scored only by members that did not see it or its prompt.

    d_m = φ(chosen) − φ(rejected),   w = argmin Σ (w·d_m − 1)² + λ |w|²,   margin = w·d of a member trained elsewhere

Members differ by how prompts were cut into folds. Squared loss bounds what one wrong label can pull.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.noise.features import response_features
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case, PairTexts

__all__ = ["PairProbe", "cross_fitted", "folds_of", "pair_probe", "ridge"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
LEAST_PAIRS, LEAST_PROMPTS = 60, 20
REPEATS = 5
MANY = 4_000  # pairs from which half of them are enough to train a member
L2 = 10.0  # stiff: many features, and labels that may be wrong
ROUNDS = 20  # of conjugate gradients


@dataclass(frozen=True)
class PairProbe:
    """Out-of-fold margins of the sampled preferences.

    Args:
        pairs: The preferences with their texts. [M]
        margins: w·d of the members that did not see the pair, one for each way of cutting. [M, R]
        encoder: Text features.
        delta: φ(chosen) − φ(rejected), dense or CSR. [M, D]
        group: Number of the pair's prompt. [M]
    """

    pairs: PairTexts
    margins: Floats
    encoder: str
    delta: Any
    group: Ints

    @property
    def margin(self) -> Floats:
        """Mean over the members: > 0 where they side with the label. [M]"""
        return np.asarray(self.margins.mean(axis=1))

    @property
    def accuracy(self) -> Estimate:
        """How often the members side with the label; a margin of 0 is half."""
        margin = self.margin
        right = (margin > 0).sum() + 0.5 * (margin == 0).sum()
        return wilson(float(right), len(margin))

    @property
    def is_sample(self) -> bool:
        """Whether there are more pairs than were looked at."""
        return len(self.pairs) < self.pairs.of


_KNOWN: WeakKeyDictionary[Case, PairProbe | str] = WeakKeyDictionary()


def pair_probe(case: Case) -> PairProbe | str:
    """The ensemble's margins on `case.sample`, made once for all audits; a string says why there is none."""
    if case not in _KNOWN:
        _KNOWN[case] = _made(case)
    return _KNOWN[case]


def _made(case: Case) -> PairProbe | str:
    if not len(case.texts.row):
        return "the data holds no texts"
    if not case.pairs.num_rows:
        return "the data holds no preferences: neither comparisons nor ratings or rankings of several responses"
    pairs = case.sample
    if (pairs.prob == 0.5).any():  # a probability of ½ prefers neither
        pairs = case.pair_texts(pairs.index[pairs.prob != 0.5])
    if len(pairs) < LEAST_PAIRS:
        return f"{len(pairs)} preferences; a probe needs {LEAST_PAIRS} or more"
    group = groups_of([text or int(row) for text, row in zip(pairs.prompt, pairs.row, strict=True)])
    if group.max() + 1 < LEAST_PROMPTS:
        return f"{group.max() + 1} different prompts; a cross-validated probe needs {LEAST_PROMPTS} or more"
    x = response_features(pairs.prompt, pairs.chosen, pairs.rejected, encoder=case.encoder)
    n = len(pairs)
    delta = x[:n] - x[n:]
    return PairProbe(pairs, cross_fitted(delta, group, seed=case.seed), case.encoder, delta, group)


def cross_fitted(
    delta: Any, group: Ints, *, seed: int, repeats: int = REPEATS, n_folds: int | None = None, l2: float = L2
) -> Floats:
    """Margins of members that saw neither the pair nor its group. [M, R]

    Args:
        delta: φ(chosen) − φ(rejected), dense or CSR. [M, D]
        group: Pairs of one group are in one fold. [M]
        seed: Of the folds.
        repeats: R, ways of cutting.
        n_folds: Folds of each; by default 5, or 2 where there are many pairs.
        l2: λ.
    """
    m = delta.shape[0]
    folds = n_folds or (5 if m < MANY else 2)
    margins = np.empty((m, repeats))
    for repeat in range(repeats):
        fold = folds_of(group, folds, seed=seed, repeat=repeat)
        for k in range(folds):
            inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            if len(outside):
                margins[outside, repeat] = delta[outside] @ ridge(delta[inside], l2=l2)
    return margins


def ridge(x: Any, y: Floats | None = None, *, l2: float = L2, rounds: int = ROUNDS) -> Floats:
    """argmin |x w − y|² + l2 |w|² by conjugate gradients; y is 1 by default. [D]

    Few rounds suffice: directions that they have not reached carry little.
    """
    target = np.ones(x.shape[0]) if y is None else y
    back = x.T.tocsr() if hasattr(x, "tocsr") else x.T

    def times(w: Floats) -> Floats:
        return np.asarray(back @ (x @ w)) + l2 * w

    return _conjugate(times, np.asarray(back @ target), rounds)


def _conjugate(times: Callable[[Floats], Floats], right: Floats, rounds: int) -> Floats:
    w = np.zeros_like(right)
    residual, step = right.copy(), right.copy()
    size = float(residual @ residual)
    first = size
    for _ in range(rounds):
        if size <= 1e-8 * first or size == 0:
            break
        image = times(step)
        move = size / float(step @ image)
        w += move * step
        residual -= move * image
        size, before = float(residual @ residual), size
        step = residual + size / before * step
    return w


def folds_of(group: Ints, n_folds: int, *, seed: int, repeat: int = 0) -> Ints:
    """Fold of every pair; whole groups, of nearly equal numbers. [M]"""
    n = int(group.max()) + 1
    of_group = np.empty(n, np.int64)
    of_group[np.random.default_rng((seed, 114, repeat)).permutation(n)] = np.arange(n) % n_folds
    return np.asarray(of_group[group])


def groups_of(keys: Sequence[Hashable]) -> Ints:
    """Numbers of keys in order of appearance. [M]"""
    place: dict[Hashable, int] = {}
    return np.array([place.setdefault(key, len(place)) for key in keys], np.int64)
