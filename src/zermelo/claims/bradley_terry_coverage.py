"""Bradley–Terry ratings: do the intervals of a thousand simulated leagues cover the truth, and do rank ranges hold?

What we say of ourselves: a 95 % interval covers in 93–97 % of cases, and a range of ranks misses the true rank of a
player with probability at most 5 %, in ordinary leagues and in the awkward ones where others fail.

Here, 200 leagues of each kind a seed, 1,000 in all. `plain`: 12 players, skills N(0, 0.8²), 600 battles. `ties`: the
same with ties by Davidson's rule (ν = 1), fitted by it. `clusters`: 8 players, 60 prompts of 20 votes each, every
prompt shifts every player's skill by N(0, 0.8²), against the ratings that infinitely many prompts would give, errors
summed by prompt (and plain ones beside them). `newcomer`: 15 players with 1,500 battles and one newcomer with 6, its
own interval, where it has one (a newcomer that won or lost everything is named and has none). `equal`: 10 players of
one skill, 500 battles: no range may exclude any rank, as every order is true.

Rule, written before the verdict's seeds: reproduced where the mean coverage of plain, ties and clusters lies in
0.93 … 0.97, the newcomer's is at least 0.93, and the share of players whose range of ranks misses is at most 0.05 in
plain, ties, clusters and equal; partly where plain holds both; else not reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import Counts, count
from zermelo.ranking.covariates import ControlledBradleyTerry
from zermelo.ranking.result import Ratings

__all__ = ["CLAIM"]

LEAGUES, SHIFT, PROMPTS, VOTES = 200, 0.8, 60, 20


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1/(1 + e^−x)"""
    return np.asarray(1 / (1 + np.exp(-x)))


def pairs(rng: np.random.Generator, size: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n pairs of different players."""
    first = rng.integers(0, size, n)
    return first, (first + rng.integers(1, size, n)) % size


def league(rng: np.random.Generator, skill: np.ndarray, n: int, nu: float = 0.0) -> Counts:
    """Battles, with ties by Davidson's rule."""
    a, b = pairs(rng, len(skill), n)
    half = np.exp((skill[a] - skill[b]) / 2)
    total = half + nu + 1 / half
    draw = rng.random(n) * total
    score = np.where(draw < half, 1.0, np.where(draw < half + nu, 0.5, 0.0))
    return count(a, b, score, players=[f"p{i}" for i in range(len(skill))])


def judged(fitted: Ratings, truth: np.ndarray, only: int | None = None) -> tuple[float, float]:
    """Share of finite ratings whose interval covers, and share of players whose range misses the true rank."""
    known = np.isfinite(fitted.rating)
    true = truth - truth[known].mean()
    low, high = fitted.interval().T
    inside = ((low <= true) & (true <= high))[known if only is None else [only]]
    _, best, worst = fitted.ranks()
    rank = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    return float(inside.mean()), float(((rank < best) | (rank > worst)).mean())


def clustered(rng: np.random.Generator) -> tuple[Ratings, Ratings, np.ndarray]:
    """A league whose prompts shift skills: clustered fit, plain fit, and what infinitely many prompts would give."""
    skill = rng.normal(0, 0.8, 8)
    a, b = pairs(rng, 8, PROMPTS * VOTES)
    prompt = np.repeat(np.arange(PROMPTS), VOTES)
    shift = rng.normal(0, SHIFT, (PROMPTS, 8))
    gap = skill[a] - skill[b] + shift[prompt, a] - shift[prompt, b]
    score = (rng.random(len(a)) < sigmoid(gap)).astype(float)
    names = [f"p{i}" for i in range(8)]
    fit = ControlledBradleyTerry().fit(a, b, score, players=names, cluster=prompt)
    plain = BradleyTerry().fit(count(a, b, score, players=names))
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    i, j = np.triu_indices(8, 1)
    p = sigmoid((skill[i] - skill[j])[:, None] + np.sqrt(2) * SHIFT * node) @ (weight / weight.sum())
    return fit, plain, BradleyTerry().fit(count(i, j, p, players=names)).rating


def newcomer(rng: np.random.Generator) -> float | None:
    """Whether the interval of a player with six battles covers; None where it has none."""
    skill = np.append(rng.normal(0, 0.7, 15), rng.normal(0.5, 1))
    a, b = pairs(rng, 15, 1500)
    met = rng.integers(0, 15, 6)
    a, b = np.append(a, np.full(6, 15)), np.append(b, met)
    score = (rng.random(len(a)) < sigmoid(skill[a] - skill[b])).astype(float)
    fitted = BradleyTerry().fit(count(a, b, score, players=[f"p{i}" for i in range(16)]))
    return judged(fitted, skill, only=15)[0] if np.isfinite(fitted.rating[15]) else None


def run(seed: int) -> Mapping[str, float]:
    """Coverage and missed ranks of every kind."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}

    def add(kind: str, both: tuple[float, float]) -> None:
        found.setdefault(f"coverage_{kind}", []).append(both[0])
        found.setdefault(f"missed_{kind}", []).append(both[1])

    for _ in range(LEAGUES):
        skill = rng.normal(0, 0.8, 12)
        add("plain", judged(BradleyTerry().fit(league(rng, skill, 600)), skill))
        add("ties", judged(BradleyTerry(ties="davidson").fit(league(rng, skill, 600, nu=1.0)), skill))
        by_prompt, by_vote, truth = clustered(rng)
        add("clusters", judged(by_prompt, truth))
        found.setdefault("coverage_clusters_ignored", []).append(judged(by_vote, truth)[0])
        covers = newcomer(rng)
        found.setdefault("newcomer_named", []).append(float(covers is None))
        if covers is not None:
            found.setdefault("coverage_newcomer", []).append(covers)
        _, best, worst = BradleyTerry().fit(league(rng, np.zeros(10), 500)).ranks()
        found.setdefault("missed_equal", []).append(float(((best > 1) | (worst < 10)).mean()))
    return {key: float(np.mean(values)) for key, values in found.items()}


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    mean = summary.mean
    good = {kind: 0.93 <= mean[f"coverage_{kind}"] <= 0.97 for kind in ("plain", "ties", "clusters")}
    held = {kind: mean[f"missed_{kind}"] <= 0.05 for kind in ("plain", "ties", "clusters", "equal")}
    if all(good.values()) and all(held.values()) and mean["coverage_newcomer"] >= 0.93:
        return "reproduced"
    return "partly" if good["plain"] and held["plain"] else "not reproduced"


CLAIM = Claim(
    id="bradley_terry",
    paper="95 % intervals cover 93–97 %, and ranges of ranks miss at most 5 %",
    measures="coverage of 95 % intervals in ordinary leagues",
    headline="coverage_plain",
    run=run,
    verdict=verdict,
    rule="plain, ties and clusters cover 93–97 %, a newcomer ≥ 93 %, ranges of ranks miss ≤ 5 %, of equals too",
    notes="with clusters the truth is what infinitely many prompts would give, and players with one order",
)
