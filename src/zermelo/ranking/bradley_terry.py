"""Bradley–Terry and kin: ratings by maximum likelihood, ties, position, prior; sandwich errors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, one_of
from zermelo.ranking.counts import Counts
from zermelo.ranking.graph import pieces, reach, strong_components, strongly_connected
from zermelo.ranking.likelihood import LIKELIHOODS, Parts, Ties
from zermelo.ranking.result import FitInfo, Ratings

__all__ = ["BradleyTerry", "Thurstone"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class BradleyTerry:
    """Ratings by maximum likelihood.

        P(i ≻ j) = σ(β_i − β_j + γ)          γ: advantage of the first position, 0 unless `position`
        penalty   = ½ prior Σ β²

    Ties are half a win for each (`half`, the arenas' rule), Davidson's e^{u/2} : ν : e^{−u/2}, or Rao and Kupper's
    threshold θ; ratings of the last two are on the scale of *decisive* games and are larger. Solved by Newton's method
    on the cells of `Counts`, per piece of the comparison graph, centred on 0 in each piece.

    Args:
        ties: `half` (default), `davidson` or `rao-kupper`.
        position: Fit the advantage of the first position.
        prior: Ridge on the ratings, in games; 0 = none. With it every rating is finite.
        errors: `sandwich` (right where the model is not, default) or `model`.
        tolerance: Largest absolute gradient at which to stop, in games per game.
        max_iterations: Newton steps.
    Raises:
        SettingError: probabilities as outcomes with a model of ties.
    Source: "Rank Analysis of Incomplete Block Designs: I", 1952; ties: "On Extending the Bradley-Terry Model to
        Accommodate Ties", 1970, and "Ties in Paired-Comparison Experiments", 1967.
    """

    ties: Ties = "half"
    position: bool = False
    prior: float = 0.0
    errors: Literal["sandwich", "model"] = "sandwich"
    tolerance: float = 1e-10
    max_iterations: int = 100

    def __post_init__(self) -> None:
        one_of(self, "ties", ("half", "davidson", "rao-kupper"))
        one_of(self, "errors", ("sandwich", "model"))
        if not self.prior >= 0:
            raise SettingError("bad-setting", f"BradleyTerry.prior must be a number ≥ 0. Got {self.prior!r}")

    def fit(self, counts: Counts) -> Ratings:
        """Fit to collapsed comparisons."""
        return _fit(counts, self.ties, self)


@dataclass(frozen=True)
class Thurstone:
    """Thurstone's case V: P(i ≻ j) = Φ((β_i − β_j)/√2); ties are half a win for each.

    Args:
        position: Fit the advantage of the first position.
        prior: Ridge on the ratings; 0 = none.
        errors: `sandwich` or `model`.
        tolerance: Largest absolute gradient at which to stop, in games per game.
        max_iterations: Newton steps.
    Source: "A Law of Comparative Judgment", 1927.
    """

    position: bool = False
    prior: float = 0.0
    errors: Literal["sandwich", "model"] = "sandwich"
    tolerance: float = 1e-10
    max_iterations: int = 100

    def fit(self, counts: Counts) -> Ratings:
        """Fit to collapsed comparisons."""
        return _fit(counts, "thurstone", self)


def _fit(counts: Counts, model: str, settings: BradleyTerry | Thurstone) -> Ratings:
    started = time.perf_counter()
    if counts.soft and model in ("davidson", "rao-kupper"):
        raise SettingError(
            "soft-outcomes", f"{model} models declared ties, but some outcomes are probabilities", hint="ties='half'"
        )
    size = len(counts.players)
    piece = pieces(counts.first, counts.second, size)
    limit, warnings = (np.zeros(size), []) if settings.prior else unbeaten(counts, piece)
    core = np.flatnonzero(limit == 0)
    inner = counts if len(core) == size else counts.subset(core.tolist())
    fitted = newton(inner, piece[core], model, settings)
    rating, covariance = limit.copy(), np.full((size, size), np.nan)
    rating[core] = fitted.rating
    covariance[np.ix_(core, core)] = fitted.covariance
    n_pieces = int(piece.max()) + 1 if size else 0
    if n_pieces > 1:
        warnings.insert(0, f"the comparisons fall into {n_pieces} pieces; ratings of two pieces have no common scale")
    if not fitted.converged:
        warnings.append(f"not converged after {fitted.iterations} Newton steps: largest gradient {fitted.gradient:.2g}")
    for reason, number in counts.left_out:
        what = "a player against itself" if reason == "self" else reason
        warnings.append(f"{number} comparisons left out: {what}")
    name = {"half": "Bradley–Terry", "thurstone": "Thurstone"}.get(model, f"Bradley–Terry, ties by {model}")
    name += (", position" if settings.position else "") + (f", prior {settings.prior:g}" if settings.prior else "")
    return Ratings(
        players=counts.players,
        rating=rating,
        covariance=covariance,
        fit=FitInfo(
            method=name,
            n_battles=counts.battles,
            iterations=fitted.iterations,
            gradient_norm=fitted.gradient,
            log_likelihood=fitted.log_likelihood,
            seconds=time.perf_counter() - started,
            errors=settings.errors,
            warnings=tuple(warnings),
        ),
        games=counts.games(),
        win_rate=counts.win_rate(),
        piece=piece,
        extra=fitted.extra,
    )


def unbeaten(counts: Counts, piece: Ints) -> tuple[Floats, list[str]]:
    """Who has no finite maximum-likelihood rating: +inf, −inf or NaN, 0 for those who have. [P]

    In each piece, ratings are finite exactly within the largest strongly connected component of "i took points off j".
    A player outside it that can reach it (won against it, directly or through others) is at +inf, one that it reaches
    at −inf; one that does neither is NaN.
    """
    size = len(counts.players)
    beat, beaten = counts.score > 0, counts.n - counts.score > 0
    source = np.concatenate([counts.first[beat], counts.second[beaten]])
    target = np.concatenate([counts.second[beat], counts.first[beaten]])
    limit = np.zeros(size)
    if strongly_connected(source, target, piece):
        return limit, []
    component = strong_components(source, target, size)
    sizes = np.bincount(component)
    warnings = []
    for number in range(int(piece.max()) + 1):
        inside = np.flatnonzero(piece == number)
        core = component[inside[np.argmax(sizes[component[inside]])]]
        if sizes[core] == len(inside):
            continue
        above, below = reach(component == core, target, source), reach(component == core, source, target)
        outside = inside[component[inside] != core]
        limit[outside] = np.where(above[outside], np.inf, np.where(below[outside], -np.inf, np.nan))
    for value, words in ((np.inf, "never lost to"), (-np.inf, "never took a point off")):
        names = [counts.players[i] for i in np.flatnonzero(limit == value)]
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            warnings.append(f"no finite rating ({words} the rest): {shown}; a prior gives them one")
    names = [counts.players[i] for i in np.flatnonzero(np.isnan(limit))]
    if names:
        warnings.append(
            f"no rating at all (their battles do not place them): {', '.join(names[:5])}; a prior gives one"
        )
    return limit, warnings


@dataclass(frozen=True)
class _Fitted:
    rating: Floats
    covariance: Floats
    extra: dict[str, tuple[float, float]]
    iterations: int
    gradient: float
    log_likelihood: float
    converged: bool


def newton(counts: Counts, piece: Ints, model: str, settings: BradleyTerry | Thurstone) -> _Fitted:
    """Newton's method in (β, γ, η), damped by halving; one dense solve a step."""
    size = len(counts.players)
    names = (["home"] if settings.position else []) + (["tie"] if model in ("davidson", "rao-kupper") else [])
    likelihood = LIKELIHOODS[model]
    gauge = np.zeros((size + len(names), size + len(names)))
    if not settings.prior:  # fixes the free level of each piece; projected out again below
        same = piece[:, None] == piece[None, :]
        gauge[:size, :size] = same / np.bincount(piece)[piece][:, None]
    theta = np.zeros(size + len(names))
    if "tie" in names:
        share = float(np.clip(counts.tie.sum() / max(counts.n.sum(), 1e-12), 1e-3, 0.9))
        theta[-1] = np.log(2 * share / (1 - share)) if model == "davidson" else np.log(share / (1 - share))

    def parts(theta: Floats) -> tuple[Parts, float]:
        u = theta[counts.first] - theta[counts.second] + (theta[size] if settings.position else 0.0)
        found = likelihood(counts, u, float(theta[-1]) if "tie" in names else 0.0)
        return found, float(found.value.sum()) - settings.prior / 2 * float(theta[:size] @ theta[:size])

    now, value = parts(theta)
    scale = max(1.0, float(counts.n.sum()) / max(size, 1))
    gradient, step_count = np.inf, 0
    while step_count < settings.max_iterations:
        g = assemble_gradient(counts, now, size, names) - settings.prior * _ridge(theta, size)
        gradient = float(np.abs(g).max(initial=0.0))
        if gradient <= settings.tolerance * scale:
            break
        h = assemble(counts, now.uu, now.u_eta, now.eta_eta, size, names)
        h[np.arange(size), np.arange(size)] += settings.prior
        step = np.linalg.solve(h + gauge, g)
        step_count += 1
        damping = 1.0
        while damping > 1e-8:
            trial, trial_value = parts(theta + damping * step)
            if trial_value >= value - 1e-12 * abs(value):
                break
            damping /= 2
        theta, now = theta + damping * step, trial
        stalled = trial_value <= value and float(np.abs(step).max()) * damping < 1e-14
        value = trial_value
        if stalled:
            break
    g = assemble_gradient(counts, now, size, names) - settings.prior * _ridge(theta, size)
    gradient = float(np.abs(g).max(initial=0.0))
    covariance = _covariance(counts, now, size, names, gauge, settings)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    extra = {name: (float(theta[size + k]), float(errors[size + k])) for k, name in enumerate(names)}
    if "tie" in extra:
        extra["tie"] = _tie_parameter(model, *extra["tie"])
    return _Fitted(
        rating=theta[:size] - _level(theta[:size], piece, bool(settings.prior)),
        covariance=covariance[:size, :size],
        extra=extra,
        iterations=step_count,
        gradient=gradient,
        log_likelihood=float(now.value.sum()),
        converged=gradient <= max(settings.tolerance, 1e-8) * scale,
    )


def assemble(counts: Counts, uu: Floats, ue: Floats, ee: Floats, size: int, names: Sequence[str]) -> Floats:
    """Σ over cells of the outer product: a weighted graph Laplacian, bordered by position and tie parameter."""
    h = np.zeros((size + len(names), size + len(names)))
    flat = np.bincount(counts.first * size + counts.second, uu, size * size).reshape(size, size)
    h[:size, :size] = -(flat + flat.T)
    h[np.arange(size), np.arange(size)] += flat.sum(0) + flat.sum(1)

    def difference(values: Floats) -> Floats:
        return np.asarray(np.bincount(counts.first, values, size) - np.bincount(counts.second, values, size))

    if "home" in names:
        h[size, :size] = h[:size, size] = difference(uu)
        h[size, size] = uu.sum()
    if "tie" in names:
        h[-1, :size] = h[:size, -1] = difference(ue)
        h[-1, -1] = ee.sum()
    if "home" in names and "tie" in names:
        h[size, -1] = h[-1, size] = ue.sum()
    return h


def assemble_gradient(counts: Counts, parts: Parts, size: int, names: Sequence[str]) -> Floats:
    """∂/∂(β, γ, η) of the log-likelihood."""
    beta = np.bincount(counts.first, parts.u, size) - np.bincount(counts.second, parts.u, size)
    rest = {"home": parts.u.sum(), "tie": parts.eta.sum()}
    return np.concatenate([beta, [rest[name] for name in names]])


def _covariance(
    counts: Counts, now: Parts, size: int, names: Sequence[str], gauge: Floats, settings: BradleyTerry | Thurstone
) -> Floats:
    h = assemble(counts, now.uu, now.u_eta, now.eta_eta, size, names)
    h[np.arange(size), np.arange(size)] += settings.prior
    bread = np.linalg.inv(h + gauge) - gauge if size else h
    if settings.errors == "model":
        return bread
    meat = assemble(counts, now.meat_uu, now.meat_u_eta, now.meat_eta_eta, size, names)
    return np.asarray(bread @ meat @ bread)


def _ridge(theta: Floats, size: int) -> Floats:
    out = np.zeros_like(theta)
    out[:size] = theta[:size]
    return out


def _level(rating: Floats, piece: Ints, prior: bool) -> Floats:
    """What to subtract so that each piece is centred on 0 (a prior centres by itself)."""
    if prior or not len(rating):
        return np.zeros_like(rating)
    return np.asarray((np.bincount(piece, rating) / np.maximum(np.bincount(piece), 1))[piece])


def _tie_parameter(model: str, eta: float, error: float) -> tuple[float, float]:
    """ν = e^η (Davidson) or θ = 1 + e^η (Rao–Kupper), with the delta method's standard error."""
    scale = float(np.exp(eta))
    return (scale if model == "davidson" else 1 + scale), scale * error
