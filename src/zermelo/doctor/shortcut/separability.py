"""Can chosen and rejected answers be told apart by a linear reading of each alone? By source, more than by content?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from zermelo.doctor.protocol import Result, Skipped
from zermelo.doctor.shortcut.probe import LEAST_PAIRS, Floats, Ints, Probed, clustered_share, folds_of, logistic, probed
from zermelo.doctor.shortcut.verdict import sampled_pairs, shortcut
from zermelo.doctor.shortcut.wording import pair_features, some_pairs
from zermelo.errors import SettingError
from zermelo.stats.estimate import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["Separability", "SourceSeparability", "source_separability"]

FOLDS = 5
PAPER = (
    '"More is Less: The Pitfalls of Multi-Model Synthetic Preference Data in DPO Safety Alignment", 2025,'
    " arXiv 2504.02193"
)


@dataclass(frozen=True)
class SourceSeparability:
    """How well a linear probe tells preferred from other answers, one answer at a time.

    Args:
        accuracy: Out of fold, folds and interval by prompt; 0.5 by chance.
        auc: Of the scores.
        paired: Accuracy on differences within pairs: which of the two is the preferred one.
        length_only: Accuracy of the paired probe on log characters alone.
        without_length: Paired accuracy where, at every difference of lengths, as many longer as shorter answers win;
            NaN where too few pairs are left.
        same_source: Accuracy on pairs of one source, each pair judged by the probe of all; NaN without such pairs.
        other_source: Accuracy on pairs of different sources.
        folds: Accuracy of each fold.
        margin: Score of the preferred answer minus the other's, out of fold. [M]
    """

    accuracy: Estimate
    auc: float
    paired: Estimate
    length_only: Estimate
    without_length: Estimate
    same_source: Estimate
    other_source: Estimate
    folds: Sequence[float]
    margin: Floats


def source_separability(
    chosen: Any,
    rejected: Any,
    group: Ints,
    *,
    lengths: Floats | None = None,
    sources: tuple[Sequence[str | None], Sequence[str | None]] | None = None,
    seed: int = 0,
    l2: float = 1.0,
) -> SourceSeparability:
    """Linear separability of preferred and other answers.

        ŵ, b̂ = argmin Σ log(1 + exp(−y (w·x + b))) + λ/2 |w|²,  y = 1 preferred, −1 other;  accuracy out of fold

    0.5 where both sides are drawn alike, 1 where they differ by a constant offset. A high figure alone is no fault:
    where the content really differs it has to be high. So it is told beside the same without length, and beside pairs
    of one source.

    Args:
        chosen: Features of the preferred answers, dense or CSR. [M, D]
        rejected: Of the others. [M, D]
        group: Number of each pair's prompt; folds hold whole prompts. [M]
        lengths: Characters of preferred and other answers. [M, 2]
        sources: Writers of preferred and other answers, None where unknown. [M], [M]
        seed: Of the folds and of balancing.
        l2: λ.
    Raises:
        SettingError: shapes differ, or there are fewer than two prompts.
    Source: "More is Less: The Pitfalls of Multi-Model Synthetic Preference Data in DPO Safety Alignment", 2025,
        arXiv 2504.02193.
    """
    m = chosen.shape[0]
    if rejected.shape != chosen.shape or len(group) != m:
        raise SettingError("bad-shape", f"separability: {chosen.shape}, {rejected.shape} and {len(group)} groups")
    names, of = np.unique(group, return_inverse=True)
    if len(names) < 2:
        raise SettingError("bad-shape", f"separability: {len(names)} prompts; cross-validation needs two or more")
    fold = folds_of(of, min(FOLDS, len(names)), seed)
    score = _scores(chosen, rejected, fold, l2)
    right = (np.sign(score) @ np.array([1.0, -1.0]) + 2) / 4
    nothing = Estimate(float("nan"))
    length_only, without = nothing, nothing
    paired = probed(chosen - rejected, group, seed=seed, l2=l2)
    if lengths is not None:
        log = np.log(np.maximum(lengths, 1))
        delta = log[:, 0] - log[:, 1]
        length_only = probed(delta[:, None], group, seed=seed).accuracy
        kept = _balanced(delta, np.random.default_rng((seed, 2504)))
        if len(kept) >= LEAST_PAIRS:
            without = clustered_share((paired.margin[kept] > 0).astype(float), of[kept])
    same, other = nothing, nothing
    if sources is not None:
        one, two = (np.array([name or "" for name in side], object) for side in sources)
        known = (one != "") & (two != "")
        same = _share(right, of, known & (one == two))
        other = _share(right, of, known & (one != two))
    return SourceSeparability(
        accuracy=clustered_share(right, of),
        auc=_auc(score),
        paired=paired.accuracy,
        length_only=length_only,
        without_length=without,
        same_source=same,
        other_source=other,
        folds=[float(right[fold == k].mean()) for k in range(int(fold.max()) + 1)],
        margin=score[:, 0] - score[:, 1],
    )


@dataclass(frozen=True)
class Separability:
    """Linear separability of preferred and other answers, one answer at a time, without prompts.

    Details: the paired probe, length alone, what remains where length says nothing, pairs of one source and of two.

    Source: "More is Less: The Pitfalls of Multi-Model Synthetic Preference Data in DPO Safety Alignment", 2025,
        arXiv 2504.02193.
    """

    id: ClassVar[str] = "shortcut.separability"
    asks: ClassVar[str] = "can preferred and other answers be told apart by source, one at a time?"

    def run(self, case: Case) -> Sequence[Result]:
        pairs = sampled_pairs(case)
        if isinstance(pairs, str):
            return [Skipped(self.id, pairs)]
        sample, kept, group = pairs
        kept, group = some_pairs(case, kept, group)
        sides = [[side[at] for at in kept] for side in (sample.chosen, sample.rejected)]
        x = pair_features(case, pairs)
        found = source_separability(
            x[: len(kept)],
            x[len(kept) :],
            group,
            lengths=np.array([[len(text) for text in side] for side in sides], float).T,
            sources=([sample.source_win[at] for at in kept], [sample.source_lose[at] for at in kept]),
            seed=case.seed,
        )
        judged = Probed(found.accuracy, found.auc, found.margin, np.zeros(0))
        details: dict[str, float | str] = {"encoder": case.encoder}
        for name in ("paired", "length_only", "without_length", "same_source", "other_source"):
            details[name] = getattr(found, name).value
        return shortcut(
            case,
            self.id,
            judged,
            sample.row[kept],
            judge="one answer at a time, without its prompt or rival,",
            effect="Answers that can be told apart before they are compared let the loss fall without anything being"
            " learnt about quality; pairs from several models are the usual cause.",
            source=PAPER,
            remedy="take both answers of a pair from one model; compare the figures for pairs of one source and"
            " without length",
            details=details,
            of=sample.of,
        )


def _share(right: Floats, of: Ints, inside: NDArray[np.bool_]) -> Estimate:
    if inside.sum() < LEAST_PAIRS:
        return Estimate(float("nan"))
    return clustered_share(right[inside], of[inside])


def _auc(score: Floats) -> float:
    """Of the scores of preferred answers against those of the others. [M, 2]"""
    from scipy.stats import rankdata

    n = len(score)
    ranks = rankdata(score.T.ravel())[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / n**2)


def _scores(chosen: Any, rejected: Any, fold: Ints, l2: float) -> Floats:
    """Scores of both answers of each pair by a probe with intercept that saw neither. [M, 2]"""
    from scipy import sparse

    scores = np.zeros((chosen.shape[0], 2))
    stack = (lambda parts: sparse.vstack(parts).tocsr()) if sparse.issparse(chosen) else np.vstack
    one = np.ones((chosen.shape[0], 1))
    for k in range(int(fold.max()) + 1):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        both = stack([chosen[inside], -rejected[inside]])
        side = np.concatenate([one[inside], -one[inside]])  # the intercept: +1 beside preferred, −1 beside others
        x = sparse.hstack([both, side]).tocsr() if sparse.issparse(both) else np.hstack([both, side])
        w = logistic(x, l2=l2)
        for place, answers in enumerate((chosen, rejected)):
            scores[outside, place] = np.asarray(answers[outside] @ w[:-1]).ravel() + w[-1]
    return scores


def _balanced(delta: Floats, rng: np.random.Generator) -> Ints:
    """Pairs among which, in every stratum of |delta|, as many are positive as negative."""
    edges = np.unique(np.quantile(abs(delta), np.linspace(0, 1, 21)))
    stratum = np.searchsorted(edges, abs(delta), side="right")
    kept = []
    for number in np.unique(stratum):
        sides = [np.flatnonzero((stratum == number) & (sign * delta > 0)) for sign in (1, -1)]
        n = min(map(len, sides))
        kept += [rng.permutation(side)[:n] for side in sides]
    return np.sort(np.concatenate(kept)).astype(np.int64) if kept else np.zeros(0, np.int64)
