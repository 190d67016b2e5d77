"""Bradley–Terry and kin: ratings by maximum likelihood, ties, position, prior; sandwich errors."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, one_of
from zermelo.ranking.counts import Counts
from zermelo.ranking.graph import pieces, reach, strong_components, strongly_connected
from zermelo.ranking.likelihood import Ties
from zermelo.ranking.newton import DENSE, newton
from zermelo.ranking.reading import Battles, as_counts
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

    def fit(self, battles: Battles) -> Ratings:
        """Fit to comparisons: `Counts`, a view, a pandas frame, an Arrow table, columns (see `as_counts`)."""
        return _fit(as_counts(battles), self.ties, self)


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

    def fit(self, battles: Battles) -> Ratings:
        """Fit to comparisons of any form (see `as_counts`)."""
        return _fit(as_counts(battles), "thurstone", self)


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
    rating, covariance = limit.copy(), fitted.covariance
    rating[core] = fitted.rating
    if len(core) < size:
        covariance = np.full((size,) * min(fitted.covariance.ndim, 2 if size <= DENSE else 1), np.nan)
        if covariance.ndim == 2:
            covariance[np.ix_(core, core)] = fitted.covariance
        else:  # too many players for a table: variances only
            covariance[core] = np.diag(fitted.covariance) if fitted.covariance.ndim == 2 else fitted.covariance
    if covariance.ndim == 1:
        warnings.append(f"{size:,} players: errors neglect most of what ratings share through common opponents")
    alone = core[np.bincount(piece[core], minlength=size)[piece[core]] == 1] if len(core) < size else core[:0]
    covariance[alone] = np.nan  # the only one of its piece that is left stands on the scale by definition, not by data
    if covariance.ndim == 2:
        covariance[:, alone] = np.nan
    n_pieces = int(piece.max()) + 1 if size else 0
    if n_pieces > 1:
        largest = int(np.bincount(piece).argmax())
        apart = [counts.players[i] for i in np.flatnonzero(piece != largest)]
        shown = ", ".join(apart[:5]) + (f" and {len(apart) - 5:,} more" if len(apart) > 5 else "")
        warnings.insert(
            0,
            f"the comparisons fall into {n_pieces} pieces; ratings of two pieces have no common scale "
            f"(not in the largest piece: {shown})",
        )
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
    sizes = np.bincount(component)[component]  # [P]
    order = np.lexsort((np.arange(size), -sizes, piece))
    leader = order[np.searchsorted(piece[order], np.arange(int(piece.max()) + 1))]  # of each piece's largest component
    core = component == component[leader][piece]
    above, below = reach(core, target, source), reach(core, source, target)
    limit = np.where(core, 0.0, np.where(above, np.inf, np.where(below, -np.inf, np.nan)))
    warnings = []
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
