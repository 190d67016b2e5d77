"""Do annotators fall into groups? A mixture of Bradley–Terry models, how many by held-out likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive, unit_interval

__all__ = ["TasteGroups", "TasteMixture"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
SCALES = np.geomspace(0.05, 2.0, 24)  # of log-odds, when held-out votes are predicted
Fit: TypeAlias = Callable[[Floats, Floats], Floats]  # weights of votes in the group, in all → log-odds of `yes`


@dataclass(frozen=True)
class TasteGroups:
    """Groups of annotators.

    Args:
        n_groups: How many groups the held-out votes speak for.
        share: Of the annotators, by group; the largest first. [G]
        belongs: P(group | all votes) of each annotator. [R, G]
        odds: Log-odds of yes of each vote in each group. [B, G]
        held_out: Mean log-likelihood of a held-out vote, nat, by number of groups from 1 on.
        gain: Of `n_groups` over one group, nat an annotator; 0 for one.
        gain_error: Its standard error over annotators.
    """

    n_groups: int
    share: Floats
    belongs: Floats
    odds: Floats
    held_out: tuple[float, ...]
    gain: float
    gain_error: float

    @property
    def group(self) -> Ints:
        """Most likely group of each annotator. [R]"""
        return np.asarray(self.belongs.argmax(axis=1))


@dataclass(frozen=True)
class TasteMixture:
    """EM over which group each annotator belongs to.

        P(votes of k) = Σ_g π_g Π_m σ(± θ_g·x_m)        x_m: difference of two sources (one-hot), or an item of its own

    Items are the pairs themselves where the same responses are judged by several people: a Bradley–Terry model of two
    players each, whose strength is the smoothed log-odds of the group's votes. Sources are players where responses are
    many and their writers few. Each annotator's votes are parted; groups are fitted to one part, and the other is
    predicted with the membership that the first part gives.

    Args:
        most: Largest number of groups.
        held_out: Share of each annotator's votes to predict.
        restarts: Random starts for each number, beside one from the agreement between annotators.
        prior: Half the pseudo-votes by which an item in a group is drawn to all votes on it, and those to a coin;
            inverse variance of a source's strength.
        level: Of the t test over annotators that more groups predict held-out votes better.
        least: Gain in nat an annotator that counts.
        rounds: EM rounds.
    Source: mixtures of Bradley–Terry models (Croon, 1989); held-out likelihood instead of an information criterion.
    """

    most: int = 4
    held_out: float = 0.25
    restarts: int = 3
    prior: float = 0.5
    level: float = 0.001
    least: float = 0.5
    rounds: int = 60

    def __post_init__(self) -> None:
        positive(self, "most", "restarts", "prior", "least", "rounds")
        unit_interval(self, "held_out", "level")

    def fit(
        self,
        annotator: ArrayLike,
        yes: ArrayLike,
        *,
        item: ArrayLike | None = None,
        players: tuple[ArrayLike, ArrayLike] | None = None,
        seed: int = 0,
    ) -> TasteGroups:
        """Fit to votes, one row each.

        Args:
            annotator: Numbers 0…R−1, each with a vote. [B]
            yes: The first is better. [B]
            item: Numbers of the pairs of responses, which several annotators judge. [B]
            players: Instead: numbers of the two sources of each vote. [B], [B]
            seed: Of the parting and the starts.
        Raises:
            DataError: fewer than two annotators.
            SettingError: neither items nor players, or both.
        """
        by, y = np.asarray(annotator, np.int64), np.asarray(yes, bool)
        if (item is None) == (players is None):
            raise SettingError("bad-setting", "TasteMixture.fit takes items or players")
        if not len(by) or by.max() == 0:
            raise DataError("nothing-to-measure", "groups of annotators need two annotators")
        rng = np.random.default_rng((seed, 1989))
        if item is not None:
            fit = _by_item(np.asarray(item, np.int64), y, self.prior)
        else:
            one, two = (np.asarray(side, np.int64) for side in players)  # type: ignore[union-attr]
            fit = _by_player(one, two, y, self.prior)
        # an annotator's own other votes on the item would tell: whole votes are held out, items are not
        train = rng.random(len(by)) >= self.held_out
        starts = _agreement_start(by, y, train, np.asarray(item, np.int64)) if item is not None else None
        r = int(by.max()) + 1
        each: list[Floats] = []
        for g in range(1, self.most + 1):
            if g > r:
                break
            odds, belongs, _ = self._best(fit, by, y, train, g, rng, starts)
            each.append(_predicted(odds, belongs, by, y, ~train))
        chosen = self._chosen(each)
        odds, belongs, share = self._best(fit, by, y, np.ones(len(by), bool), chosen, rng, starts)
        order = np.argsort(-share, kind="stable")
        sums = np.array([np.nansum(part) for part in each]) / max(int((~train).sum()), 1)
        gain, error = _gain(each[0], each[chosen - 1]) if chosen > 1 else (0.0, 0.0)
        return TasteGroups(chosen, share[order], belongs[:, order], odds[:, order], tuple(sums.tolist()), gain, error)

    def _chosen(self, each: list[Floats]) -> int:
        """One group more for as long as held-out votes are clearly better predicted."""
        from scipy.special import stdtrit

        chosen = 1
        for g in range(2, len(each) + 1):
            gain, error = _gain(each[chosen - 1], each[g - 1])
            if gain > max(float(stdtrit(max(len(each[0]) - 1, 1), 1 - self.level)) * error, self.least):
                chosen = g
        return chosen

    def _best(
        self, fit: Fit, by: Ints, y: NDArray[np.bool_], train: NDArray[np.bool_], g: int, rng: np.random.Generator,
        start: Floats | None,
    ) -> tuple[Floats, Floats, Floats]:  # fmt: skip
        """The most likely of several starts: log-odds [B, G], memberships [R, G], shares [G]."""
        r = int(by.max()) + 1
        first = [] if start is None or g == 1 else [_cut(start, g)]
        others = [rng.dirichlet(np.full(g, 0.5), size=r) for _ in range(self.restarts if g > 1 else 1)]
        found = [self._em(fit, by, y, train, belongs) for belongs in [*first, *others]]
        best = max(found, key=lambda item: item[3])
        return best[:3]

    def _em(
        self, fit: Fit, by: Ints, y: NDArray[np.bool_], train: NDArray[np.bool_], belongs: Floats
    ) -> tuple[Floats, Floats, Floats, float]:
        r, g = belongs.shape
        before = -np.inf
        odds = np.zeros((len(by), g))
        share = np.full(g, 1 / g)
        value = before
        for _ in range(self.rounds):
            odds = np.stack([fit(train * belongs[by, k], train.astype(np.float64)) for k in range(g)], axis=1)
            share = (belongs.sum(axis=0) + 1) / (r + g)
            said = -np.logaddexp(0, np.where(y, -1, 1)[:, None] * odds) * train[:, None]
            total = np.stack([np.bincount(by, weights=said[:, k], minlength=r) for k in range(g)], axis=1)
            total += np.log(share)
            top = total.max(axis=1, keepdims=True)
            belongs = np.exp(total - top)
            value = float((top[:, 0] + np.log(belongs.sum(axis=1))).sum())
            belongs /= belongs.sum(axis=1, keepdims=True)
            if value - before < 1e-4 * max(1.0, abs(value)) / 100:
                break
            before = value
        return odds, belongs, share, value


def _by_item(item: Ints, y: NDArray[np.bool_], prior: float) -> Fit:
    """Votes of a group shrunk towards those of all: what groups share they need not learn apart."""
    n = int(item.max()) + 1

    def fit(weight: Floats, everyone: Floats) -> Floats:
        all_yes = np.bincount(item, weights=everyone * y, minlength=n) + prior
        usual = all_yes / (np.bincount(item, weights=everyone, minlength=n) + 2 * prior)
        yes = np.bincount(item, weights=weight * y, minlength=n) + 2 * prior * usual
        no = np.bincount(item, weights=weight * ~y, minlength=n) + 2 * prior * (1 - usual)
        return np.asarray(np.log(yes / no)[item])

    return fit


def _by_player(one: Ints, two: Ints, y: NDArray[np.bool_], prior: float) -> Fit:
    p = int(max(one.max(), two.max())) + 1
    sign = np.where(y, 1.0, -1.0)

    def fit(weight: Floats, everyone: Floats) -> Floats:
        theta = np.zeros(p)
        for _ in range(12):  # Newton: strongly convex by the prior
            gap = theta[one] - theta[two]
            chance = 0.5 * (1 + np.tanh(-sign * gap / 2))
            slope = weight * sign * chance
            gradient = np.bincount(one, weights=slope, minlength=p) - np.bincount(two, weights=slope, minlength=p)
            bend = weight * chance * (1 - chance)
            hessian = np.zeros((p, p))
            np.add.at(hessian, (one, two), -bend)
            hessian += hessian.T
            hessian[np.diag_indices(p)] += (
                np.bincount(one, weights=bend, minlength=p) + np.bincount(two, weights=bend, minlength=p) + prior
            )
            step = np.linalg.solve(hessian, gradient - prior * theta)
            theta += step
            if np.abs(step).max() < 1e-6:
                break
        return np.asarray(theta[one] - theta[two])

    return fit


def _predicted(odds: Floats, belongs: Floats, by: Ints, y: NDArray[np.bool_], held: NDArray[np.bool_]) -> Floats:
    """Log-likelihood of the held-out votes of each annotator, NaN where he has none. [R]

    At the temperature that suits them best: how sure a model is depends on how many votes a group has, and a model must
    not win by being rightly unsure.
    """
    r, who = len(belongs), by[held]
    n = np.bincount(who, minlength=r)
    against = np.where(y, 1, -1)[held, None] * odds[held]
    best = np.full(r, -np.inf)
    for scale in SCALES:
        chance = 1 / (1 + np.exp(np.clip(-scale * against, -30, 30)))
        each = np.log(np.maximum((belongs[who] * chance).sum(axis=1), 1e-12))
        total = np.bincount(who, weights=each, minlength=r)
        best = total if total.sum() > best.sum() else best
    return np.where(n > 0, best, np.nan)


def _gain(before: Floats, after: Floats) -> tuple[float, float]:
    """Mean gain of an annotator's held-out votes, and its standard error, nat an annotator over votes."""
    known = ~np.isnan(before) & ~np.isnan(after)
    gap = (after - before)[known]
    if len(gap) < 2:
        return 0.0, np.inf
    return float(gap.mean()), float(gap.std(ddof=1) / np.sqrt(len(gap)))


def _agreement_start(by: Ints, y: NDArray[np.bool_], train: NDArray[np.bool_], item: Ints) -> Floats | None:
    """Leading eigenvectors of the agreement between annotators beyond the mean. [R, ≤ 4]"""
    from scipy import sparse

    r = int(by.max()) + 1
    if r > 2_000 or r < 3:
        return None
    shape = (int(item.max()) + 1, r)
    said = sparse.csr_matrix((np.where(y, 1.0, -1.0)[train], (item[train], by[train])), shape=shape)
    seen = abs(said)
    together = np.asarray((seen.T @ seen).todense())
    agree = np.divide(np.asarray((said.T @ said).todense()), together, out=np.zeros((r, r)), where=together > 0)
    known = together > 0
    np.fill_diagonal(known, False)
    if not known.any():
        return None
    agree = np.where(known, agree - agree[known].mean(), 0.0)
    values, vectors = np.linalg.eigh(agree)
    return np.asarray(vectors[:, np.argsort(-values)[:4]])


def _cut(directions: Floats, g: int) -> Floats:
    """Soft memberships from quantiles of the first direction (two groups) or the signs of several."""
    r = len(directions)
    lead = directions[:, 0]
    place = np.minimum((np.argsort(np.argsort(lead)) * g) // r, g - 1) if g > 2 else (lead > 0).astype(np.int64)
    belongs = np.full((r, g), 0.1 / g)
    belongs[np.arange(r), place] += 0.9
    return belongs / belongs.sum(axis=1, keepdims=True)
