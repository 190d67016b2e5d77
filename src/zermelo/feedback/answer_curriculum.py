"""Weights of pairs for re-rankers: what a cheap ranker finds hard counts less at first, and alike in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import SettingError, one_of

__all__ = ["AnswerCurriculum", "Ease"]

Ease: TypeAlias = Literal["reciprocal_rank", "normalised", "kde"]
Floats: TypeAlias = NDArray[np.float64]
LEAST = 1e-8  # a weight of 0 would take the pair out


@dataclass(frozen=True)
class AnswerCurriculum:
    """A curriculum for answer re-ranking, from the scores s of an unsupervised ranker (BM25) over a query's list.

        e = 1 / rank  |  (s − min s) / (max s − min s)  |  mean_j Φ((s − s_j) / h)                  ease, in [0, 1]
        D = (e(d⁺) − e(d⁻) + 1) / 2,  with several negatives the least;   pointwise e or 1 − e     difficulty weight
        W(i) = D (1 − i/m) + i/m for epochs i < m, then 1                                          weight of the pair

    h is Scott's bandwidth, sd(s) · n^(−1/5). A list of equal scores has ease ½ throughout.

    Args:
        ease: How easy a document looks to the cheap ranker.
        epochs: m: from then on every pair counts 1.
        anti: The ablation, 1 − D: hard pairs first.
    Raises:
        SettingError: an unknown measure; epochs < 1.
    Source: "Training Curricula for Open Domain Answer Re-Ranking", 2020, arXiv 2004.14269.
    """

    ease: Ease = "normalised"
    epochs: int = 20
    anti: bool = False

    def __post_init__(self) -> None:
        one_of(self, "ease", ("reciprocal_rank", "normalised", "kde"))
        if self.epochs < 1:
            raise SettingError("bad-setting", f"AnswerCurriculum.epochs must be ≥ 1. Got {self.epochs!r}")

    def eases(self, scores: ArrayLike) -> Floats:
        """e of every document of one query's list, from the ranker's scores (higher is better). [K] → [K]

        Equal scores share the better rank.
        """
        s = np.asarray(scores, np.float64)
        if s.ndim != 1 or not np.isfinite(s).all():
            raise SettingError("bad-setting", "AnswerCurriculum: scores must be one list of finite numbers")
        if self.ease == "reciprocal_rank":
            return 1.0 / (1 + (s[None, :] > s[:, None]).sum(axis=1))
        if len(s) == 0 or s.max() == s.min():
            return np.full(len(s), 0.5)
        if self.ease == "normalised":
            return np.asarray((s - s.min()) / (s.max() - s.min()))
        from scipy.special import ndtr

        h = float(s.std(ddof=1)) * len(s) ** -0.2
        return np.asarray(ndtr((s[:, None] - s[None, :]) / h).mean(axis=1))

    def pair_weights(self, better: ArrayLike, worse: ArrayLike) -> Floats:
        """D of pairs, from the eases of their documents. [M], [M] or [M, J] negatives → [M]"""
        good, bad = np.asarray(better, np.float64), np.asarray(worse, np.float64)
        each = (good[..., None] - bad + 1) / 2 if bad.ndim > good.ndim else (good - bad + 1) / 2
        return self._turned(each.min(axis=-1) if bad.ndim > good.ndim else each)

    def point_weights(self, ease: ArrayLike, relevant: ArrayLike) -> Floats:
        """D of single documents: e where relevant, 1 − e where not. [N], [N] → [N]"""
        e = np.asarray(ease, np.float64)
        return self._turned(np.where(np.asarray(relevant, bool), e, 1 - e))

    def weights(self, difficulty: ArrayLike, epoch: int) -> Floats:
        """W(epoch), epochs counted from 0. [M] → [M]"""
        d = np.asarray(difficulty, np.float64)
        if epoch >= self.epochs:
            return np.ones_like(d)
        done = epoch / self.epochs
        return d * (1 - done) + done

    def _turned(self, d: Floats) -> Floats:
        return np.asarray((1 - d if self.anti else d) + LEAST)
