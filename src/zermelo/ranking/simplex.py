"""Rankings from graded judgements by judges who err: what is known, what is believed, and how much hangs on belief.

    P(judge j gives candidate k the level s) = Σ_m π_km θ_jms

π_k is a point of the simplex, the candidate's true levels; θ_jm the scores that judge j gives to answers of true level
m. With two levels the order of candidates follows from a judge that is better than chance. With three or more it does
not follow from any amount of data: priors on the judge decide, and have to be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError, positive
from zermelo.ranking.simplex_sampler import Draws, Patterns, monotone, patterns, sample

if TYPE_CHECKING:
    from zermelo.report.svg import Svg

__all__ = ["JudgeSimplex", "Sensitivity", "SimplexRanking", "identifiable_interval", "sensitivity"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SimplexRanking:
    """Posterior of a ranking.

    Args:
        candidates: Names. [K]
        score: Posterior mean of v_k = Σ_m m π_km, in levels 1 … M. [K]
        naive: Mean score with the judges taken at their word. [K]
        probability: P(v_k > v_l). [K, K]
        rank_probability: P(rank of k is r + 1). [K, K]
        judge: Posterior mean of θ. [J, M, M]
        draws: v of every draw. [S, K]
        warnings: Where the prior and not the data decides, and chains that do not agree.
    """

    candidates: tuple[str, ...]
    score: Floats
    naive: Floats
    probability: Floats
    rank_probability: Floats
    judge: Floats
    draws: Floats
    warnings: tuple[str, ...] = ()

    def interval(self, level: float = 0.95) -> Floats:
        """Credible interval of each score, levels. [K, 2]"""
        return np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0).T

    def ranks(self, level: float = 0.95) -> NDArray[np.int64]:
        """Credible interval of each rank. [K, 2]"""
        below = self.rank_probability.cumsum(axis=1)
        tail = (1 - level) / 2
        low = (below < tail).sum(axis=1) + 1
        return np.stack([low, (below < 1 - tail - 1e-12).sum(axis=1) + 1], axis=1).clip(1, len(self.candidates))

    def table(self, *, level: float = 0.95) -> list[dict[str, Any]]:
        """One row per candidate, best first."""
        ends, ranks = self.interval(level).tolist(), self.ranks(level).tolist()
        return [
            {"name": self.candidates[k], "score": float(self.score[k]), "ci_low": ends[k][0], "ci_high": ends[k][1],
             "rank_low": ranks[k][0], "rank_high": ranks[k][1], "naive": float(self.naive[k])}
            for k in np.argsort(-self.score, kind="stable").tolist()
        ]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "schema": "zermelo.simplex/1",
            "candidates": self.table(),
            "probability": self.probability.tolist(),
            "judge": self.judge.tolist(),
            "warnings": list(self.warnings),
        }

    def plot(self, *, level: float = 0.95) -> Svg:
        """Scores with credible intervals, best first."""
        from zermelo.report.plots import interval_plot
        from zermelo.stats.estimate import Estimate

        rows = [(row["name"], Estimate(row["score"], row["ci_low"], row["ci_high"], level)) for row in self.table()]
        return interval_plot(rows, title="Scores with the judges' uncertainty", x_label="mean true level")

    def to_html(self) -> str:
        """A page in one file."""
        from zermelo.report.page import Page

        page = Page("Ranking with uncertain judges", f"{len(self.candidates)} candidates, {len(self.judge)} judges.")
        page.section("Scores")
        for line in self.warnings:
            page.note(line, warning=True)
        return page.table(self.table()).plot(self.plot()).html()


@dataclass(frozen=True)
class JudgeSimplex:
    """Bayesian ranking with judge uncertainty.

        z_ik ~ π_k,  s_ikj | z = m ~ θ_jm independently over judges,
        π_k ~ Dir(1),  θ_jm ~ Dir(1 + κ e_m), monotone: P(score ≥ s | m) never falls with m
        c < ∞: candidate k meets the judge θ_jmk ~ Dir(c θ_jm)

    Drawn by Gibbs sweeps; with one judge also by moves along the ridge π θ = const, which the data cannot see.

    Args:
        levels: M ≥ 2.
        quality: κ: how much the judges are trusted; 0 little, 5, 20 much; very large takes them at their word.
        concentration: c: how alike a judge treats the candidates; inf = exactly alike.
        draws: Kept sweeps of each chain.
        burn: Sweeps before.
        chains: Chains.
    Raises:
        SettingError: fewer than two levels, a negative κ.
    Source: "Judging LLMs on a Simplex", 2025, arXiv 2505.21972; the priors' constants are ours.
    """

    levels: int = 2
    quality: float = 5.0
    concentration: float = float("inf")
    draws: int = 2000
    burn: int = 500
    chains: int = 4

    def __post_init__(self) -> None:
        positive(self, "draws", "burn", "chains")
        if self.levels < 2 or not self.quality >= 0 or not self.concentration > 0:
            got = f"{self.levels}, {self.quality}, {self.concentration}"
            raise SettingError(
                "bad-setting", f"JudgeSimplex takes levels ≥ 2, quality ≥ 0, concentration > 0. Got {got}"
            )

    def fit(self, scores: ArrayLike, *, candidates: Sequence[str], seed: int = 0) -> SimplexRanking:
        """Fit to scores.

        Args:
            scores: Levels 1 … M, NaN where there is none. [I, K] for one judge, or [I, K, J]
            candidates: Names. [K]
            seed: Of the chains.
        Raises:
            DataError: a level out of range; a candidate without scores.
        """
        return self.fit_many([_cells(scores, self.levels, candidates)], candidates=candidates, seed=seed)[0]

    def fit_many(self, data: Sequence[Patterns], *, candidates: Sequence[str], seed: int = 0) -> list[SimplexRanking]:
        """The same for several data sets of equal shape, side by side."""
        prior = 1.0 + self.quality * np.eye(self.levels)
        found = sample(
            list(data), levels=self.levels, prior=prior, concentration=self.concentration, n_draws=self.draws,
            burn=self.burn, chains=self.chains, rng=np.random.default_rng(seed),
        )  # fmt: skip
        parts = np.array_split(np.arange(len(found.share)), len(data))
        return [
            _ranking(one, Draws(found.share[part], found.judge[part]), tuple(candidates))
            for one, part in zip(data, parts, strict=True)
        ]


@dataclass(frozen=True)
class Sensitivity:
    """A ranking under several beliefs about the judge.

    Args:
        settings: (κ, c) of each fit. [F]
        probability: P(v_k > v_l) under each. [F, K, K]
        candidates: Names. [K]
    """

    settings: tuple[tuple[float, float], ...]
    probability: Floats
    candidates: tuple[str, ...]

    def table(self) -> list[dict[str, Any]]:
        """One row per pair: the range of P(first is better), whether the belief turns the order, whether it decides.

        `turns`: P crosses ½. `decided`: P stays outside [0.05, 0.95] on one side under every belief.
        """
        rows = []
        for k, l in zip(*np.triu_indices(len(self.candidates), 1), strict=True):
            p = self.probability[:, k, l]
            low, high = float(p.min()), float(p.max())
            rows.append({"a": self.candidates[k], "b": self.candidates[l], "low": low, "high": high,
                         "turns": low < 0.5 < high, "decided": low > 0.95 or high < 0.05})  # fmt: skip
        return rows


def sensitivity(
    scores: ArrayLike,
    *,
    candidates: Sequence[str],
    model: JudgeSimplex,
    qualities: Sequence[float] = (0.0, 5.0, 20.0, 100.0),
    concentrations: Sequence[float] = (float("inf"), 100.0, 20.0),
    seed: int = 0,
) -> Sensitivity:
    """Fit under every belief about the judge's quality and constancy.

    Args:
        scores: As for `JudgeSimplex.fit`.
        candidates: Names. [K]
        model: The other settings.
        qualities: κ.
        concentrations: c.
        seed: Of the chains.
    Source: "Judging LLMs on a Simplex", 2025, arXiv 2505.21972.
    """
    cells = _cells(scores, model.levels, candidates)
    settings = tuple((float(q), float(c)) for c in concentrations for q in qualities)
    found = [
        replace(model, quality=q, concentration=c).fit_many([cells], candidates=candidates, seed=seed)[0].probability
        for q, c in settings
    ]
    return Sensitivity(settings, np.array(found), tuple(candidates))


def identifiable_interval(
    seen: ArrayLike, a: int, b: int, *, seed: int = 0, particles: int = 256, rounds: int = 600
) -> tuple[float, float]:
    """Smallest and largest v_a − v_b that some monotone judge explains exactly, without any prior.

    Where the interval holds both signs, infinitely many scores would not tell which candidate is better. Two levels
    have a closed form; more are searched by random moves from the perfect judge, so the interval found lies within the
    true one.

    Args:
        seen: γ: distribution of each candidate's scores. [K, M]
        a: Candidate.
        b: Candidate.
        seed: Of the search.
        particles: Judges that move side by side.
        rounds: Moves of each.
    Source: "Judging LLMs on a Simplex", 2025, arXiv 2505.21972.
    """
    gamma = np.asarray(seen, dtype=np.float64)
    gap = float((gamma[a] - gamma[b]) @ np.arange(gamma.shape[1]))
    if gamma.shape[1] == 2:
        spread = float(np.ptp(gamma[:, 1]))
        ends = (gap, gap / spread if spread > 0 else 0.0)
        return min(ends), max(ends)
    rng = np.random.default_rng(seed)
    return -_furthest(gamma, b, a, rng, particles, rounds), _furthest(gamma, a, b, rng, particles, rounds)


def _furthest(gamma: Floats, a: int, b: int, rng: np.random.Generator, particles: int, rounds: int) -> float:
    """Largest v_a − v_b over monotone judges that hold all of γ in their hull."""
    size = gamma.shape[1]
    judge = np.tile(np.eye(size), (particles, 1, 1))
    value = np.full(particles, float((gamma[a] - gamma[b]) @ np.arange(size)))
    for _ in range(rounds):
        step = rng.choice([0.003, 0.01, 0.03, 0.1, 0.3], particles)[:, None, None]
        new = np.maximum(judge + step * rng.standard_normal(judge.shape) * (rng.random(judge.shape) < 0.5), 0)
        new /= np.maximum(new.sum(axis=-1, keepdims=True), 1e-12)
        fine = monotone(new) & (np.abs(np.linalg.det(new)) > 1e-5)
        share = gamma @ np.linalg.inv(np.where(fine[:, None, None], new, np.eye(size)))  # [particles, K, M]
        fine &= (share >= -1e-12).all(axis=(1, 2))
        found = (share[:, a] - share[:, b]) @ np.arange(size)
        # now and then a worse judge is taken, so that particles do not all sit in the first corner
        better = fine & ((found > value) | (rng.random(particles) < 0.02))
        better[0] = fine[0] and found[0] > value[0]
        lead = int(np.argmax(np.where(fine, found, -np.inf)))
        if fine[lead] and found[lead] > value[0]:
            judge[0], value[0] = new[lead], found[lead]
            better[0] = False
        judge, value = np.where(better[:, None, None], new, judge), np.where(better, found, value)
    return float(value[0])


def _cells(scores: ArrayLike, levels: int, candidates: Sequence[str]) -> Patterns:
    """Scores as patterns, checked."""
    table = np.asarray(scores, dtype=np.float64)
    table = table[..., None] if table.ndim == 2 else table
    if table.ndim != 3 or table.shape[1] != len(candidates):
        raise SettingError("bad-shape", f"scores must be [items, {len(candidates)}] or [items, {len(candidates)}, "
                           f"judges]. Got {table.shape}")  # fmt: skip
    said = ~np.isnan(table)
    bad = said & ~((table >= 1) & (table <= levels) & (table == np.round(table)))
    if bad.any():
        i, k, j = (int(x) for x in np.argwhere(bad)[0])
        raise DataError("off-scale", f"item {i + 1}, {candidates[k]!r}, judge {j + 1}: score {table[i, k, j]:g}; "
                        f"expected a level 1 to {levels}")  # fmt: skip
    silent = ~said.any(axis=(0, 2))
    if silent.any():
        raise DataError("empty-answers", f"{candidates[int(np.argmax(silent))]!r} has no score")
    return patterns(np.where(said, table - 1, -1).astype(np.int64))


def _ranking(cells: Patterns, found: Draws, candidates: tuple[str, ...]) -> SimplexRanking:
    chains, n, size, levels = found.share.shape
    v = found.share @ np.arange(1, levels + 1)  # [chains, S, K]
    flat = v.reshape(-1, size)
    better = (flat[:, :, None] > flat[:, None, :]).mean(axis=0)
    rank = (flat[:, None, :] > flat[:, :, None]).sum(axis=2)  # 0 is best
    share = np.stack([(rank == r).mean(axis=0) for r in range(size)], axis=1)
    told = (cells.score >= 0).sum(axis=1) * cells.count
    total = np.where(cells.score >= 0, cells.score + 1, 0).sum(axis=1) * cells.count
    notes = []
    judges = cells.score.shape[1]
    if judges < 3:
        what = "one judge" if judges == 1 else "two judges"
        more = (
            "the order of candidates rests on the prior too" if levels > 2 else "sizes of differences rest on the prior"
        )
        notes.append(f"{what} and {levels} levels: {more}; see `sensitivity` and `identifiable_interval`")
    within = v.var(axis=1, ddof=1).mean(axis=0)
    ratio = np.sqrt((n - 1) / n + v.mean(axis=1).var(axis=0, ddof=1) / within) if chains > 1 else np.ones(size)
    if ratio.max() > 1.1:
        notes.append(f"the chains do not agree yet (R̂ = {ratio.max():.2f}): more draws")
    return SimplexRanking(
        candidates, flat.mean(axis=0), total.sum(axis=1) / told.sum(axis=1), better, share,
        found.judge.mean(axis=0), flat, tuple(notes),
    )  # fmt: skip
