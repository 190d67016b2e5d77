"""Do annotators agree beyond chance? Percent, Cohen's κ, Fleiss' κ, Krippendorff's α."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError

__all__ = ["cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "percent_agreement"]

Floats: TypeAlias = NDArray[np.float64]
Scale: TypeAlias = Literal["nominal", "ordinal", "interval", "ratio"]


def percent_agreement(ratings: ArrayLike) -> float:
    """Share of pairs of raters of the same item that say the same.

    Args:
        ratings: Labels, NaN (or None) = not rated. [items, raters]
    """
    counts = _counts(ratings)[0]
    total = counts.sum(axis=1)
    pairs = (total * (total - 1)).sum()
    return float((counts * (counts - 1)).sum() / pairs) if pairs else float("nan")


def cohen_kappa(
    first: ArrayLike, second: ArrayLike, *, weights: Literal["none", "linear", "quadratic"] = "none"
) -> float:
    """Cohen's κ of two raters: (p_o − p_e) / (1 − p_e), p_e from each rater's own shares.

    Args:
        first: Labels of one rater, NaN or None = not rated. [N]
        second: Labels of the other. [N]
        weights: Disagreement of ordered labels counts by distance (`linear`) or its square (`quadratic`).
    Returns:
        1 = perfect, 0 = chance, NaN where both always say one and the same label.
    Source: Cohen, "A coefficient of agreement for nominal scales", 1960; weighted 1968.
    """
    table, values = _counts(np.stack([_objects(first), _objects(second)], axis=1), keep_raters=True)
    n = table.sum()
    if not n:
        return float("nan")
    seen = table / n
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0))
    size = len(values)
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]).astype(np.float64)
    cost = {"none": (distance > 0).astype(np.float64), "linear": distance, "quadratic": distance**2}.get(weights)
    if cost is None:
        raise SettingError("bad-setting", f"weights must be 'none', 'linear' or 'quadratic'. Got {weights!r}")
    by_chance = (cost * expected).sum()
    return float(1 - (cost * seen).sum() / by_chance) if by_chance > 0 else float("nan")


def fleiss_kappa(ratings: ArrayLike) -> float:
    """Fleiss' κ of several raters; items may have different numbers of ratings, those with fewer than two are left out.

        P̄ = mean over items of agreeing pairs / pairs,  P_e = Σ_c p_c²,  κ = (P̄ − P_e) / (1 − P_e)

    Args:
        ratings: Labels, NaN (or None) = not rated. [items, raters]
    Source: Fleiss, "Measuring nominal scale agreement among many raters", 1971.
    """
    counts = _counts(ratings)[0]
    total = counts.sum(axis=1)
    counts, total = counts[total >= 2], total[total >= 2]
    if not len(counts):
        return float("nan")
    agreement = float(np.mean((counts * (counts - 1)).sum(axis=1) / (total * (total - 1))))
    share = counts.sum(axis=0) / counts.sum()
    chance = float((share**2).sum())
    return (agreement - chance) / (1 - chance) if chance < 1 else float("nan")


def krippendorff_alpha(ratings: ArrayLike, *, scale: Scale = "nominal") -> float:
    """Krippendorff's α = 1 − D_o / D_e: any number of raters, missing ratings, four scales.

    D_o is the mean difference of values within items, D_e between all values, from the coincidence matrix; the squared
    difference is 1[v ≠ w] (nominal), the mass between the ranks (ordinal), (v − w)² (interval), ((v−w)/(v+w))² (ratio).

    Args:
        ratings: Values, NaN (or None) = not rated; numbers except for `nominal`. [items, raters]
        scale: Of the values.
    Returns:
        1 = perfect, 0 = chance, < 0 = systematic disagreement; NaN where nothing varies.
    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011.
    """
    counts, values = _counts(ratings)
    total = counts.sum(axis=1)
    counts, total = counts[total >= 2], total[total >= 2]
    share = counts / (total - 1)[:, None]
    coincidences = share.T @ counts - np.diag(share.sum(axis=0))  # [C, C]
    mass = coincidences.sum(axis=1)
    n = mass.sum()
    if n <= 1:
        return float("nan")
    difference = _DIFFERENCE[_known_scale(scale)](values, mass)
    expected = (np.outer(mass, mass) * difference).sum() / (n - 1)
    return float(1 - (coincidences * difference).sum() / expected) if expected > 0 else float("nan")


def _nominal(values: NDArray[Any], mass: Floats) -> Floats:
    return 1 - np.eye(len(values))


def _ordinal(values: NDArray[Any], mass: Floats) -> Floats:
    middle = np.cumsum(mass) - mass / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2)


def _interval(values: NDArray[Any], mass: Floats) -> Floats:
    v = values.astype(np.float64)
    return np.asarray((v[:, None] - v[None, :]) ** 2)


def _ratio(values: NDArray[Any], mass: Floats) -> Floats:
    v = values.astype(np.float64)
    total = v[:, None] + v[None, :]
    return np.asarray(((v[:, None] - v[None, :]) / np.where(total == 0, 1, total)) ** 2)


_DIFFERENCE: dict[str, Callable[[NDArray[Any], Floats], Floats]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
    "ratio": _ratio,
}


def _known_scale(scale: str) -> str:
    if scale not in _DIFFERENCE:
        raise SettingError("bad-setting", f"scale must be one of {', '.join(map(repr, _DIFFERENCE))}. Got {scale!r}")
    return scale


def _objects(labels: ArrayLike) -> NDArray[Any]:
    given: list[Any] = list(labels)  # type: ignore[arg-type]
    found: NDArray[Any] = np.array([None] * len(given), dtype=object)
    found[:] = given
    return found


def _counts(ratings: Any, *, keep_raters: bool = False) -> tuple[Floats, NDArray[Any]]:
    """Ratings [items, raters] → counts [items, C] (or, for two raters, the table [C, C]) and the C sorted values."""
    table = np.asarray(ratings)
    if table.ndim != 2:
        raise SettingError("bad-shape", f"ratings must be [items, raters]. Got {table.shape}")
    flat: NDArray[Any] = table.ravel()
    given = flat.tolist()
    known = np.array([value is not None and value == value for value in given], dtype=bool)  # NaN ≠ NaN
    if flat.dtype == object:
        # numbers sort as numbers, words as words; a mixture as words
        numeric = all(isinstance(value, int | float) for value, seen in zip(given, known, strict=True) if seen)
        as_one = float if numeric else str
        flat = np.array([as_one(value) if seen else as_one(0) for value, seen in zip(given, known, strict=True)])
    values, code = np.unique(flat[known], return_inverse=True)
    codes = np.full(flat.shape, -1)
    codes[known] = code
    codes = codes.reshape(table.shape)
    if keep_raters:
        both = (codes >= 0).all(axis=1)
        square = np.zeros((len(values), len(values)))
        np.add.at(square, (codes[both, 0], codes[both, 1]), 1)
        return square, values
    counts = np.zeros((len(table), len(values)))
    item, rater = np.nonzero(codes >= 0)
    np.add.at(counts, (item, codes[item, rater]), 1)
    return counts, values
