"""Posterior draws of the simplex model: Gibbs sweeps, and moves along the ridge that the data cannot see.

B chains (and data sets) side by side, K candidates, J judges, M levels, C patterns of scores.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Draws", "Patterns", "monotone", "patterns", "sample"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = (0.01, 0.03, 0.03, 0.06, 0.06, 0.15)  # sizes of ridge moves, in probability


@dataclass(frozen=True)
class Patterns:
    """Scores collapsed: how often each candidate got each pattern of scores from the J judges.

    Args:
        score: Level of each judge in each pattern, −1 where it said nothing. [C, J]
        count: [K, C]
    """

    score: Ints
    count: Ints


@dataclass(frozen=True)
class Draws:
    """Draws after the burn-in.

    Args:
        share: π. [B, S, K, M]
        judge: θ, mean of the draws. [B, J, M, M]
    """

    share: Floats
    judge: Floats


def patterns(scores: Ints) -> Patterns:
    """Collapse scores [I, K, J] in 0 … M − 1, −1 for none."""
    n_items, size, judges = scores.shape
    found, code = np.unique(scores.reshape(-1, judges), axis=0, return_inverse=True)
    key = np.tile(np.arange(size), n_items) * len(found) + code.ravel()
    count = np.bincount(key, minlength=size * len(found)).reshape(size, len(found))
    said = (found >= 0).any(axis=1)
    return Patterns(found[said], count[:, said])


def monotone(judge: Floats) -> NDArray[np.bool_]:
    """Whether P(score ≥ s | true level m) never falls as m rises. [..., M, M] → [...]"""
    tail = judge[..., ::-1].cumsum(axis=-1)
    return np.asarray((np.diff(tail, axis=-2) >= -1e-12).all(axis=(-2, -1)))


def sample(
    data: list[Patterns],
    *,
    levels: int,
    prior: Floats,
    concentration: float,
    n_draws: int,
    burn: int,
    chains: int,
    rng: np.random.Generator,
    order: bool = True,
) -> Draws:
    """Draw from the posterior of one or many data sets with equal shapes; chains of a data set lie side by side.

    Args:
        data: Data sets.
        levels: M.
        prior: Dirichlet parameters of a judge's rows. [M, M]
        concentration: c of θ_mk ~ Dir(c θ_m); inf: the same judge for every candidate.
        n_draws: Kept sweeps of each chain.
        burn: Sweeps before.
        chains: Of each data set.
        rng: Randomness.
        order: Keep judges monotone.
    """
    batch, size, judges = len(data) * chains, data[0].count.shape[0], data[0].score.shape[1]
    width = max(part.score.shape[0] for part in data)
    score = np.full((len(data), width, judges), -1)
    count = np.zeros((len(data), size, width), dtype=np.int64)
    for b, part in enumerate(data):
        score[b, : len(part.score)], count[b, :, : len(part.score)] = part.score, part.count
    score, count = np.repeat(score, chains, axis=0), np.repeat(count, chains, axis=0)
    said = np.stack([score == level for level in range(levels)], axis=-1).astype(np.float64)  # [B, C, J, M]
    share = rng.dirichlet(np.ones(levels), size=(batch, size))
    judge = rng.dirichlet(np.ones(levels), size=(batch, judges, levels)) * 0.5 + 0.5 * np.eye(levels)
    judge = np.where(monotone(judge)[..., None, None] | (not order), judge, 0.6 * np.eye(levels) + 0.4 / levels)
    strong = np.isinf(concentration)
    own = np.repeat(judge[:, None], 1 if strong else size, axis=1)  # [B, K or 1, J, M, M]
    seen_of = np.einsum("bkc,bcs->bks", count.astype(np.float64), said[:, :, 0])  # scores of each candidate, one judge
    kept, mean = np.empty((batch, n_draws, size, levels)), np.zeros_like(judge)
    for sweep in range(burn + n_draws):
        logs = np.einsum("bcjs,bkjms->bkcm", said, np.log(np.maximum(own, 1e-300)))
        weight = share[:, :, None, :] * np.exp(logs - logs.max(axis=-1, keepdims=True))
        latent = rng.multinomial(np.broadcast_to(count, weight.shape[:3]), weight / weight.sum(-1, keepdims=True))
        share = _dirichlet(1.0 + latent.sum(axis=2), rng)
        seen = np.einsum("bkcm,bcjs->bkjms", latent.astype(np.float64), said)
        if strong:
            trial = _dirichlet(prior + seen.sum(axis=1), rng)
            fine = monotone(trial) | (not order)
            judge = np.where(fine[..., None, None], trial, judge)
            own = judge[:, None]
            if judges == 1:
                share = _fresh(share, own, seen_of, rng)
                for step in STEPS:
                    share, own = _ridge(share, own, prior, step, rng, order)
                judge = own[:, 0]
        else:
            own = _dirichlet(concentration * judge[:, None] + seen, rng)
            if judges == 1:
                share = _fresh(share, own, seen_of, rng)
                for step in STEPS:
                    share, own = _ridge(share, own, concentration * judge[:, None], step, rng, False)
            judge = _hyper(judge, own, prior, concentration, rng, order)
        if sweep >= burn:
            kept[:, sweep - burn] = share
            mean += judge / n_draws
    return Draws(kept, mean)


def _fresh(share: Floats, own: Floats, seen: Floats, rng: np.random.Generator) -> Floats:
    """π given θ at once: γ ~ Dir(1 + scores) is its posterior but for the bounds of π = γ θ⁻¹; refused outside them."""
    det = np.linalg.det(own[:, :, 0])
    inverse = np.linalg.inv(np.where((np.abs(det) > 1e-6)[..., None, None], own[:, :, 0], np.eye(own.shape[-1])))
    gamma = _dirichlet(1.0 + seen, rng)
    moved = np.einsum("bks,bksm->bkm", gamma, np.broadcast_to(inverse, (*share.shape, share.shape[-1])))
    taken = (moved >= 0).all(axis=-1) & (np.abs(det) > 1e-6)
    return np.where(taken[..., None], moved, share)


def _ridge(
    share: Floats, own: Floats, prior: Floats, step: float, rng: np.random.Generator, order: bool
) -> tuple[Floats, Floats]:
    """Move θ and π together so that what is seen, γ = πθ, stays: θ → θ', π → π θ θ'⁻¹.

    Gibbs steps are as short as the data are many, and would take very long along this ridge. On the simplex the map of
    π has the Jacobian det θ/det θ'; each group of candidates that shares a judge is accepted or refused together.
    """
    groups = own.shape[1]
    move = rng.normal(0, step, own.shape)
    new = own + move - move.mean(axis=-1, keepdims=True)
    inside = (new > 1e-9).all(axis=(-3, -2, -1))
    if order:
        inside &= monotone(new).all(axis=-1)
    old_det, det = np.linalg.det(own)[..., 0], np.linalg.det(new)[..., 0]  # [B, groups]
    inside &= np.abs(det) > 1e-6
    safe = np.where(inside[..., None, None], new[:, :, 0], np.eye(new.shape[-1]))
    seen = np.einsum("bkm,bkms->bks", share, np.broadcast_to(own[:, :, 0], (*share.shape, share.shape[-1])))
    inverse = np.linalg.inv(safe)
    moved = np.einsum("bks,bksm->bkm", seen, np.broadcast_to(inverse, (*share.shape, share.shape[-1])))
    allowed = (moved >= 0).all(axis=-1)
    many = share.shape[1] // groups
    inside &= allowed.reshape(-1, groups, many).all(axis=-1)
    floor = 1e-300
    change = np.log(np.maximum(new, floor)) - np.log(np.maximum(own, floor))
    ratio = ((prior - 1) * change).sum(axis=(-3, -2, -1))
    with np.errstate(divide="ignore"):
        ratio += many * (np.log(np.abs(old_det)) - np.log(np.maximum(np.abs(det), floor)))
    taken = inside & (np.log(rng.random(inside.shape)) < ratio)
    share = np.where(np.repeat(taken, many, axis=1)[..., None], moved, share)
    return share, np.where(taken[..., None, None, None], new, own)


def _hyper(
    judge: Floats, own: Floats, prior: Floats, concentration: float, rng: np.random.Generator, order: bool
) -> Floats:
    """Metropolis steps of the common judge θ_m given the candidates' own θ_mk ~ Dir(c θ_m), row by row."""
    from scipy.special import gammaln

    told = np.log(np.maximum(own, 1e-300)).sum(axis=1)  # [B, J, M, M]
    size = own.shape[1]

    def density(rows: Floats) -> Floats:
        a = concentration * np.maximum(rows, 1e-12)
        body = size * (gammaln(a.sum(-1)) - gammaln(a).sum(-1)) + ((a - 1) * told).sum(-1)
        return np.asarray(body + ((prior - 1) * np.log(np.maximum(rows, 1e-300))).sum(-1))

    for step, level in itertools.product((0.02, 0.06), range(judge.shape[-1])):
        move = rng.normal(0, step, (*judge.shape[:2], judge.shape[-1]))
        new = judge.copy()
        new[:, :, level] += move - move.mean(axis=-1, keepdims=True)
        fine = (new > 1e-9).all(axis=(-2, -1)) & (monotone(new) | (not order))
        ratio = (density(new) - density(judge))[:, :, level]
        taken = fine & (np.log(rng.random(fine.shape)) < ratio)
        judge = np.where(taken[..., None, None], new, judge)
    return judge


def _dirichlet(alpha: Floats, rng: np.random.Generator) -> Floats:
    """Dirichlet draws over the last axis, never exactly 0."""
    drawn = np.maximum(rng.standard_gamma(alpha), 1e-300)
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True))
