"""Does a cheap ranker tell easy pairs from hard ones? What a curriculum would have to go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Curriculum", "overlaps"]

LEAST = 50
MOST = 5_000


@dataclass(frozen=True)
class Curriculum:
    """How often the overlap of prompt and answer ranks a pair rightly: the ease signal of answer-ranking curricula.

        s(y) = cos(tf-idf(x), tf-idf(y)) or of embeddings;     right: s(y_w) > s(y_l)

    Above ½ the signal tells easy pairs (ranked rightly) from hard ones, and pairs can be weighted by it at first.

    Source: "Training Curricula for Open Domain Answer Re-Ranking", 2020, arXiv 2004.14269.
    """

    id: ClassVar[str] = "trainability.curriculum"
    asks: ClassVar[str] = "does a cheap ranker tell easy pairs from hard ones?"

    def run(self, case: Case) -> Sequence[Result]:
        sample = case.sample if case.pairs.num_rows and len(case.texts.row) else None
        if sample is None or len(sample) < LEAST:
            return [Skipped(self.id, f"fewer than {LEAST} preferences with texts")]
        drawn = np.arange(len(sample))
        if len(drawn) > MOST:
            drawn = np.sort(np.random.default_rng((case.seed, 56)).choice(drawn, MOST, replace=False))
        prompts, chosen, rejected = (
            [side[at] for at in drawn.tolist()] for side in (sample.prompt, sample.chosen, sample.rejected)
        )
        win = overlaps(prompts, chosen, rejected, case.encoder)
        gap = win[0] - win[1]
        if not gap.any():
            return [Skipped(self.id, "prompts and answers share no words")]
        right = wilson(float((gap > 0).sum() + 0.5 * (gap == 0).sum()), len(gap))
        title = f"the overlap of prompt and answer ranks {right.value:.1%} of the pairs rightly"
        if right.low <= 0.5:
            return [Passed(self.id, f"{title}: no signal for a curriculum", right)]
        return [
            Finding(
                self.id,
                "info",
                f"{title}: easy pairs can be told from hard ones",
                right,
                effect="Re-rankers gained a little where pairs that such a ranker finds hard counted less at first.",
                source="Training Curricula for Open Domain Answer Re-Ranking, 2020",
                remedy="weigh pairs by `feedback.AnswerCurriculum`, order rated groups by `feedback.pair_curriculum`",
                rows=np.unique(sample.row[drawn][gap < 0]),
                details={"pairs looked at": len(gap), "median gap": float(np.median(gap))},
            )
        ]


def overlaps(
    prompts: Sequence[str], chosen: Sequence[str], rejected: Sequence[str], encoder: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine of each prompt with its two answers. [M], [M]"""
    from zermelo.doctor.noise.features import embeddings, word_features

    n = len(prompts)
    texts = [*prompts, *chosen, *rejected]
    if encoder == "tfidf":
        x = word_features(texts)
        dots = [np.asarray(x[:n].multiply(x[k * n : (k + 1) * n]).sum(axis=1)).ravel() for k in (1, 2)]
    else:
        y = embeddings(texts, encoder).astype(np.float64)
        dots = [(y[:n] * y[k * n : (k + 1) * n]).sum(axis=1) for k in (1, 2)]
    return dots[0].astype(np.float64), dots[1].astype(np.float64)
