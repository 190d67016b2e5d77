"""Selection on groups with judgements: which response of each group to give.

`scorer` is the name of an annotator whose ratings or labels the groups already carry, or an object with `score`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError
from zermelo.feedback.records import Group, Judgement
from zermelo.search.selection import (
    Aggregate,
    canonical_answer,
    expected_utility,
    soft_weights,
    vote,
    vote_weights,
)

__all__ = [
    "Selection",
    "best_of_n",
    "label_table",
    "majority_vote",
    "minimum_bayes_risk",
    "score_table",
    "soft_best_of_n",
    "weighted_majority",
]

Floats: TypeAlias = NDArray[np.float64]


class HasScore(Protocol):
    """What gives judgements for groups (`zermelo.scorers`)."""

    name: str

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]: ...


@dataclass(frozen=True)
class Selection:
    """One chosen response for each group.

    Args:
        method: How.
        index: Chosen response, −1 where nothing could be chosen (no score, no answer). [G]
        counts: What a reader must know: `unscored`, `unanswered`, `tied`, …
    """

    method: str
    index: tuple[int, ...]
    counts: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)

    def apply(self, groups: Sequence[Group]) -> list[Group]:
        """The groups with the chosen response alone; groups without one are left out."""
        return [group.keep_responses([i]) for group, i in zip(groups, self.index, strict=True) if i >= 0]


def best_of_n(groups: Sequence[Group], *, scorer: str | HasScore | None = None, n: int | None = None) -> Selection:
    """The response with the highest score: i* = argmax_{i < n} r_i; ties go to the lowest index.

    Args:
        groups: Prompts with their samples.
        scorer: Annotator of stored ratings or labels (None: the only one there is), or an object with `score`.
        n: Only the first n responses; default all.
    Raises:
        DataError: there are no scores, or those of several annotators and none was named.
    Source: Stiennon et al., "Learning to summarize from human feedback", 2020, arXiv 2009.01325.
    """
    scores = score_table(_judged(groups, scorer), by=_name(scorer))[:, :n]
    unscored = np.isnan(scores).all(axis=1)
    index = np.where(unscored, -1, np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1))
    return Selection("best_of_n", tuple(int(i) for i in index), {"unscored": int(unscored.sum())})


def soft_best_of_n(
    groups: Sequence[Group], *, temperature: float, scorer: str | HasScore | None = None, seed: int = 0
) -> Selection:
    """A response drawn with probability ∝ exp(r_i / τ): between a plain sample (τ → ∞) and best-of-n (τ → 0).

    Args:
        groups: Prompts with their samples.
        temperature: τ, in units of the scores, ≥ 0.
        scorer: As for `best_of_n`.
        seed: Each group draws from its own stream, derived from its id.
    Source: Verdun et al., "Soft Best-of-n Sampling for Model Alignment", 2025, arXiv 2505.03156.
    """
    scores = score_table(_judged(groups, scorer), by=_name(scorer))
    chosen = []
    for group, row in zip(groups, scores, strict=True):
        share = soft_weights(row, temperature=temperature)
        chosen.append(int(_stream(seed, group.id).choice(len(share), p=share)) if share.sum() else -1)
    return Selection("soft_best_of_n", tuple(chosen), {"unscored": chosen.count(-1)})


def majority_vote(
    groups: Sequence[Group],
    *,
    canonical: Callable[[str], str] = canonical_answer,
    tie: Literal["first", "random"] = "first",
    seed: int = 0,
) -> Selection:
    """The first response whose final answer (`Response.answer`) is the most frequent one.

    On temperature samples of a model this is self-consistency.

    Args:
        groups: Prompts with their samples; responses without an answer do not vote.
        canonical: Makes equal answers equal strings (`$18` = `18.0`).
        tie: To the answer that occurs first, or to a random one.
        seed: Of random ties; each group has its own stream, derived from its id.
    Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning", 2022, arXiv 2203.11171.
    """
    votes = [
        vote(
            [response.answer for response in group.responses],
            canonical=canonical,
            rng=_stream(seed, group.id) if tie == "random" else None,
        )
        for group in groups
    ]
    counts = {"unanswered": sum(v.dropped for v in votes), "tied": sum(v.tied for v in votes)}
    return Selection("majority_vote", tuple(v.index for v in votes), counts)


def weighted_majority(
    groups: Sequence[Group],
    *,
    scorer: str | HasScore | None = None,
    beta: float = 1.0,
    aggregate: Aggregate = "sum",
    canonical: Callable[[str], str] = canonical_answer,
) -> Selection:
    """argmax_a Σ_{i: answer_i = a} w_i, then the best-scored response with that answer.

    w_i = r_i where all scores of the group lie in [0, 1], else exp((r_i − max r)/β): the plain majority for β → ∞,
    best-of-n by answer for β → 0.

    Args:
        groups: Prompts with their samples.
        scorer: As for `best_of_n`.
        beta: Temperature of the weights, in units of the scores.
        aggregate: `sum`, `mean` or `max` of the weights of an answer.
        canonical: Makes equal answers equal strings.
    Source: Li et al., "Making Language Models Better Reasoners with Step-Aware Verifier", 2022, arXiv 2206.02336.
    """
    scores = score_table(_judged(groups, scorer), by=_name(scorer))
    chosen, dropped, tied = [], 0, 0
    for group, padded in zip(groups, scores, strict=True):
        row = padded[: len(group.responses)]
        answers = [response.answer for response in group.responses]
        found = vote(answers, weights=vote_weights(row, beta=beta), aggregate=aggregate, canonical=canonical)
        dropped, tied = dropped + found.dropped, tied + found.tied
        same = [
            i
            for i, a in enumerate(answers)
            if a and a.strip() and canonical(a) == found.answer and not math.isnan(row[i])
        ]
        chosen.append(max(same, key=lambda i, row=row: (row[i], -i)) if same else -1)  # type: ignore[misc]
    return Selection("weighted_majority", tuple(chosen), {"unanswered": dropped, "tied": tied})


def minimum_bayes_risk(groups: Sequence[Group], *, utility: Callable[[str, str], float] | None = None) -> Selection:
    """The response most like all others: argmax_i (1/N) Σ_j u(y_i, y_j); ties go to the lowest index.

    Args:
        groups: Prompts with their samples; empty responses are not candidates.
        utility: u(response, other as the truth); default the F1 of their words.
    Source: Kumar and Byrne, "Minimum Bayes-Risk Decoding for Statistical Machine Translation", 2004.
    """
    measure = word_f1 if utility is None else utility
    chosen, empty = [], 0
    for group in groups:
        kept = [i for i, response in enumerate(group.responses) if response.content.strip()]
        empty += len(group.responses) - len(kept)
        texts = [group.responses[i].content for i in kept]
        gains = expected_utility(
            np.array([[measure(a, b) for b in texts] for a in texts]).reshape(len(kept), len(kept))
        )
        chosen.append(kept[int(np.argmax(np.round(gains, 12)))] if kept else -1)
    return Selection("minimum_bayes_risk", tuple(chosen), {"empty": empty})


def word_f1(text: str, other: str) -> float:
    """F1 of the words (with repetition) that two texts share (ROUGE-1)."""
    from collections import Counter

    a, b = Counter(text.lower().split()), Counter(other.lower().split())
    shared = sum((a & b).values())
    return 2 * shared / (sum(a.values()) + sum(b.values())) if shared else 0.0


def score_table(groups: Sequence[Group], *, by: str | None = None, criterion: str | None = None) -> Floats:
    """Ratings, or else labels, of one annotator: [G, N], NaN where there is none. Of several by the same, the mean.

    Args:
        groups: Groups with judgements.
        by: Annotator; None: the only one that rated or labelled single responses.
        criterion: Only judgements on this criterion; None: any.
    Raises:
        DataError: no such scores, or several annotators and none named.
    """
    return _table(groups, ("rating", "label"), by, criterion)


def label_table(groups: Sequence[Group], *, by: str | None = None) -> Floats:
    """Labels (1 right, 0 wrong) of single responses by one annotator: [G, N], NaN where there is none.

    Args:
        groups: Groups with judgements.
        by: Annotator; None: the only one.
    Raises:
        DataError: no labels, or several annotators and none named.
    """
    return _table(groups, ("label",), by, None)


def _table(groups: Sequence[Group], kinds: tuple[str, ...], by: str | None, criterion: str | None) -> Floats:
    size = max((len(group.responses) for group in groups), default=0)
    total, count = np.zeros((len(groups), size)), np.zeros((len(groups), size))
    seen: dict[str | None, None] = {}
    for g, group in enumerate(groups):
        for judgement in group.judgements:
            if judgement.kind not in kinds or len(judgement.on) != 1 or judgement.value is None:
                continue
            if criterion is not None and judgement.criterion != criterion:
                continue
            seen[judgement.by] = None
            if by is None or judgement.by == by:
                total[g, judgement.on[0]] += judgement.value
                count[g, judgement.on[0]] += 1
    known = ", ".join(sorted(str(name) for name in seen)) or "none"
    what = " or ".join(f"{kind}s" for kind in kinds)
    if not count.any():
        wanted = "" if by is None else f" by {by!r}"
        raise DataError("no-scores", f"the groups have no {what} of single responses{wanted}; annotators: {known}")
    if by is None and len(seen) > 1:
        raise DataError("several-annotators", f"{what} by several annotators: {known}", hint="name one")
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _judged(groups: Sequence[Group], scorer: str | HasScore | None) -> Sequence[Group]:
    if scorer is None or isinstance(scorer, str):
        return groups
    return [replace(group, judgements=said) for group, said in zip(groups, scorer.score(groups), strict=True)]


def _name(scorer: str | HasScore | None) -> str | None:
    return scorer if isinstance(scorer, str) else None


def _stream(seed: int, group_id: str) -> np.random.Generator:
    import hashlib

    digest = hashlib.blake2b(f"{seed}:{group_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
