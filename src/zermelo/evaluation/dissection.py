"""What does a judge prefer? The weight of each attribute of an answer in somebody's choices, and who weighs alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive
from zermelo.evaluation.attributes import Scale, attribute_differences
from zermelo.evaluation.present import one_page, plain
from zermelo.feedback.view import View
from zermelo.report.page import Cell, Column, Page
from zermelo.report.plots import interval_plot
from zermelo.report.svg import Svg
from zermelo.stats.estimate import Estimate
from zermelo.stats.laplace_logistic import LaplaceLogistic, LogisticPosterior

__all__ = ["AttributeEffects", "Dissection", "preference_similarity"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AttributeEffects:
    """The weight of each attribute in a judge's choices.

    Args:
        weights: Posterior mean of α, logits, with its credible interval. [D]
        preferred: σ(α): chance of preferring the answer that has more of it, all else equal. [D]
        names: Of the attributes. [D]
        correlation: Posterior correlation of the weights: near ±1 two attributes cannot be told apart. [D, D]
        accuracy: Share of held-out choices that the weights foretell, undecided ones ½; NaN without folds.
        posterior: The draws.
        n_pairs: Pairs used.
        left_out: Pairs beyond `max_pairs`.
    """

    weights: tuple[Estimate, ...]
    preferred: tuple[Estimate, ...]
    names: tuple[str, ...]
    correlation: Floats
    accuracy: float
    posterior: LogisticPosterior
    n_pairs: int
    left_out: int = 0

    def table(self) -> list[dict[str, Cell]]:
        """One row an attribute, the strongest first."""
        order = sorted(range(len(self.names)), key=lambda d: -abs(self.weights[d].value))
        return [{"attribute": self.names[d], "preferred": self.preferred[d], "weight": self.weights[d]} for d in order]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "attributes": {
                name: {"weight": plain(self.weights[d]), "preferred": plain(self.preferred[d])}
                for d, name in enumerate(self.names)
            },
            "accuracy": plain(self.accuracy),
            "n_pairs": self.n_pairs,
            "left_out": self.left_out,
            "r_hat": plain(self.posterior.r_hat),
        }

    def plot(self) -> Svg:
        """Chance of preferring the answer that has more of an attribute."""
        rows = [(str(row["attribute"]), row["preferred"]) for row in self.table()]
        return interval_plot(rows, title="What the judge prefers", percent_x=True, reference=0.5)  # type: ignore[arg-type]

    def show(self, page: Page) -> Page:
        """Picture and table on a page."""
        return page.plot(self.plot()).table(self.table(), ["attribute", Column("preferred", percent=True), "weight"])

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "What the judge prefers")


@dataclass(frozen=True)
class Dissection:
    """Which attributes of an answer decide a judge's choices.

        P(first ≻ second) = σ(Σ_d α_d x_d),   x_d = more of attribute d in the first,   α_d ~ Laplace(0, scale)

    No intercept: which side a text stands on says nothing. Attributes are read off the texts by rules
    (`attributes.py`); the paper has 29, graded by a language model: hand those to `fit_attributes`. The prior shrinks
    strongly where pairs are few: compare judges on equal numbers of pairs (`max_pairs`).

    Args:
        scale: Of the prior, logits.
        features: `comparison`: who has more; `norm_diff`: how much more.
        folds: For the held-out accuracy; 0 = none.
        max_pairs: Most pairs that are used; others are left out at random and counted.
        level: Of the credible intervals.
        draws: Kept per chain, of four.
        seed: Of the chains, folds and left-out pairs.
    Raises:
        SettingError: a setting outside its range.
    Source: "Dissecting Human and LLM Preferences", 2024, arXiv 2402.11296.
    """

    scale: float = 0.1
    features: Scale = "comparison"
    folds: int = 5
    max_pairs: int = 5000
    level: float = 0.95
    draws: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        positive(self, "scale", "max_pairs", "draws")
        if self.folds < 0 or self.folds == 1 or not 0 < self.level < 1:
            raise SettingError("bad-setting", "Dissection.folds must be 0 or at least 2, level between 0 and 1")

    def fit(
        self,
        pairs: View | Sequence[str],
        other: Sequence[str] | None = None,
        *,
        preferred: ArrayLike | None = None,
        by: str | None = None,
    ) -> AttributeEffects:
        """Effects from texts.

        Args:
            pairs: The view `feedback.pairs()` of groups with texts, or the first texts. [M]
            other: The second texts, where the first are given. [M]
            preferred: P(first ≻ second), 1 won, ½ tie, 0 lost; default: the first was always preferred. [M]
            by: Of a view, only the choices of this annotator.
        Raises:
            DataError: no pair; texts or preferences do not match.
            SettingError: a view with second texts, or texts without.
        """
        left_out = 0
        if isinstance(pairs, View):
            if other is not None or preferred is not None:
                raise SettingError("bad-setting", "a view of pairs already says which answer was preferred")
            first, second, choice, left_out = self._of_view(pairs, by)
        elif other is None:
            raise SettingError("bad-setting", "first texts need second texts; or hand over a view of pairs")
        else:
            first, second = list(pairs), list(other)
            choice = np.ones(len(first)) if preferred is None else np.asarray(preferred, dtype=np.float64)
            if len(choice) != len(first):
                raise DataError("bad-shape", f"{len(first)} pairs and {len(choice)} preferences; expected as many")
            if len(first) == len(second) and len(first) > self.max_pairs:
                kept = self._kept(len(first))
                left_out = len(first) - len(kept)
                first, second, choice = [first[i] for i in kept], [second[i] for i in kept], choice[kept]
        if not len(first):
            raise DataError("nothing-to-measure", "dissection: there is no pair")
        x, names = attribute_differences(first, second, scale=self.features)
        return self._fit(x, choice, names, left_out)

    def fit_attributes(
        self, differences: ArrayLike, preferred: ArrayLike, *, names: Sequence[str] | None = None
    ) -> AttributeEffects:
        """Effects from attributes that were graded elsewhere.

        Args:
            differences: First minus second, −1…1; rows with NaN (an attribute that could not be graded) are left out.
                [M, D]
            preferred: P(first ≻ second). [M]
            names: Of the attributes. [D]
        """
        x, y = np.asarray(differences, dtype=np.float64), np.asarray(preferred, dtype=np.float64)
        if x.ndim != 2 or len(x) != len(y):
            raise DataError("bad-shape", f"differences must be [M, D], preferred [M]. Got {x.shape} and {y.shape}")
        known = np.flatnonzero(~(np.isnan(x).any(axis=1) | np.isnan(y)))
        kept = known[self._kept(len(known))]
        called = tuple(names) if names is not None else tuple(f"x{d}" for d in range(x.shape[1]))
        return self._fit(x[kept], y[kept], called, len(x) - len(kept))

    def _kept(self, size: int) -> NDArray[np.int64]:
        if size <= self.max_pairs:
            return np.arange(size)
        return np.sort(np.random.default_rng([self.seed, 1]).choice(size, self.max_pairs, replace=False))

    def _of_view(self, view: View, by: str | None) -> tuple[list[str], list[str], Floats, int]:
        table = view.arrow()
        rows = np.arange(table.num_rows)
        if by is not None:
            rows = rows[[name == by for name in table["by"].to_pylist()]]
        kept = rows[self._kept(len(rows))]
        text = view.text(kept.tolist())
        found = (text["chosen"].to_pylist(), text["rejected"].to_pylist(), text["prob"].to_numpy())
        there = [i for i, (a, b) in enumerate(zip(found[0], found[1], strict=True)) if a is not None and b is not None]
        first, second = [found[0][i] for i in there], [found[1][i] for i in there]
        return first, second, found[2][there].astype(np.float64), len(rows) - len(there)

    def _fit(self, x: Floats, y: Floats, names: tuple[str, ...], left_out: int) -> AttributeEffects:
        model = LaplaceLogistic(scale=self.scale, draws=self.draws, level=self.level, seed=self.seed)
        posterior = model.fit(x, y, names=names)
        weights = posterior.estimates()
        preferred = tuple(_share(weight) for weight in weights)
        with np.errstate(invalid="ignore"):
            correlation = posterior.correlation()
        accuracy = self._held_out(model, x, y)
        return AttributeEffects(weights, preferred, names, correlation, accuracy, posterior, len(x), left_out)

    def _held_out(self, model: LaplaceLogistic, x: Floats, y: Floats) -> float:
        """Accuracy of the mode of the posterior on the fold that it has not seen; ties of either side count ½."""
        if self.folds < 2 or len(x) < 2 * self.folds:
            return float("nan")
        fold = np.random.default_rng([self.seed, 2]).permutation(len(x)) % self.folds
        right = np.empty(len(x))
        for number in range(self.folds):
            test = fold == number
            said = np.sign(np.round(x[test] @ model.mode(x[~test], y[~test]), 9))
            right[test] = 0.5 + 0.5 * said * np.sign(y[test] - 0.5)
        return float(right.mean())


def _share(weight: Estimate) -> Estimate:
    """σ of a weight and of the ends of its interval."""
    value, low, high = (float(1 / (1 + np.exp(-end))) for end in (weight.value, weight.low, weight.high))
    return Estimate(value, low, high, weight.level, weight.n, weight.method)


def preference_similarity(judges: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """How alike judges weigh, from their weights; matrices in the order of `judges`.

    Args:
        judges: Name → weights, of one scenario [D] or of several [S, D]; the mean over scenarios is given.
    Returns:
        `pearson`, `spearman` (1 = alike), `l1` and `l2` (minus the distance over D, 0 = alike). Each [J, J]
    Raises:
        DataError: fewer than two attributes, or judges with different numbers of them.
    Source: "Dissecting Human and LLM Preferences", 2024, arXiv 2402.11296.
    """
    from scipy.stats import rankdata

    tables = [np.atleast_2d(np.asarray(weights, dtype=np.float64)) for weights in judges.values()]
    if not tables or any(t.shape != tables[0].shape for t in tables) or tables[0].shape[1] < 2:
        raise DataError("bad-shape", "preference_similarity takes equal tables of at least two weights for each judge")
    w = np.stack(tables)  # [J, S, D]
    apart = w[:, None] - w[None, :]  # [J, J, S, D]
    size = w.shape[2]
    return {
        "pearson": _correlations(w),
        "spearman": _correlations(rankdata(w, axis=2)),
        "l1": -(np.abs(apart).sum(axis=3) / size).mean(axis=2),
        "l2": -(np.sqrt((apart**2).sum(axis=3)) / size).mean(axis=2),
    }


def _correlations(w: Floats) -> Floats:
    centred = w - w.mean(axis=2, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=2, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = centred / length
    return np.asarray(np.einsum("isd,jsd->ij", unit, unit) / w.shape[1])
