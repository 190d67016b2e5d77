"""Do words, or the answers without their prompts, predict the label?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from zermelo.doctor.protocol import Example, Result, Skipped
from zermelo.doctor.shortcut.ngrams import NGrams, ngram_differences
from zermelo.doctor.shortcut.probe import Ints, probed
from zermelo.doctor.shortcut.verdict import sampled_pairs, shortcut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case, PairTexts

__all__ = ["Ngram", "PromptFree", "answer_features", "pair_features", "some_pairs"]

MOST_PAIRS = 5_000
WORDS_SEEN = 1_500  # characters of an answer
NAMED = 30
_features: WeakKeyDictionary[Case, Any] = WeakKeyDictionary()


@dataclass(frozen=True)
class Ngram:
    """A judge that sees which words and pairs of words only one of two answers has; it names the ones that decide."""

    id: ClassVar[str] = "shortcut.ngram"
    asks: ClassVar[str] = "do single words and phrases predict the label?"

    def run(self, case: Case) -> Sequence[Result]:
        pairs = sampled_pairs(case)
        if isinstance(pairs, str):
            return [Skipped(self.id, pairs)]
        sample, kept, group = pairs
        kept, group = some_pairs(case, kept, group)
        grams = ngram_differences(*([side[at] for at in kept] for side in (sample.chosen, sample.rejected)))
        if not grams.delta.shape[1]:
            return [Skipped(self.id, "no word tells five pairs apart")]
        found = probed(grams.delta, group, seed=case.seed, l2=3.0)
        order = _deciding(grams, found.weights)
        return shortcut(
            case,
            self.id,
            found,
            sample.row[kept],
            judge="words and pairs of words" + _quoted(grams, order),
            effect="What a phrase decides is learnt before what the answer says; the policy then writes the phrase.",
            source='"Annotation Artifacts in Natural Language Inference Data", 2018, arXiv 1803.02324',
            remedy="look at the phrases: cut boilerplate, drop pairs that only differ in it",
            table={
                "n-gram": [grams.names[at] for at in order],
                "wins": [int(grams.wins[at]) for at in order],
                "losses": [int(grams.losses[at]) for at in order],
                "weight": [float(found.weights[at]) for at in order],
            },
            examples=[
                Example(-1, grams.names[at], f"only preferred {grams.wins[at]:,}, only other {grams.losses[at]:,}")
                for at in order[:10]
            ],
            of=sample.of,
        )


@dataclass(frozen=True)
class PromptFree:
    """A judge that reads both answers and never the prompt: TF–IDF of words and pairs of words, or embeddings.

    What it gets right can be had without knowing what was asked. Some of that is quality that shows anywhere; the
    remainder is source, style and length.
    """

    id: ClassVar[str] = "shortcut.prompt_free"
    asks: ClassVar[str] = "can the label be told from the answers without their prompt?"

    def run(self, case: Case) -> Sequence[Result]:
        pairs = sampled_pairs(case)
        if isinstance(pairs, str):
            return [Skipped(self.id, pairs)]
        sample, kept, group = pairs
        kept, group = some_pairs(case, kept, group)
        features = pair_features(case, pairs)
        found = probed(features[: len(kept)] - features[len(kept) :], group, seed=case.seed, l2=1.0)
        return shortcut(
            case,
            self.id,
            found,
            sample.row[kept],
            judge="the answers, never the prompt,",
            effect="A reward model can reach this accuracy without reading what was asked, and will generalise so.",
            source='"Hypothesis Only Baselines in Natural Language Inference", 2018, arXiv 1805.01042',
            remedy="add pairs whose order turns with the prompt; report accuracies as gains over this figure",
            details={"encoder": case.encoder},
            of=sample.of,
        )


def answer_features(texts: Sequence[str], encoder: str) -> Any:
    """Features of answers alone, [T, D]: sparse TF–IDF, or embeddings by a named encoder, each text embedded once."""
    from zermelo.doctor.noise.features import embeddings, word_features

    if encoder == "tfidf":
        return 4 * word_features([text[:WORDS_SEEN] for text in texts], n_features=20_000)
    return embeddings(texts, encoder)


def pair_features(case: Case, pairs: tuple[PairTexts, Ints, Ints]) -> Any:
    """Features of the preferred answers of `some_pairs`, then of the others; made once for all audits. [2 M, D]"""
    if case not in _features:
        sample, kept, group = pairs
        kept, _ = some_pairs(case, kept, group)
        texts = [side[at] for side in (sample.chosen, sample.rejected) for at in kept.tolist()]
        _features[case] = answer_features(texts, case.encoder)
    return _features[case]


def some_pairs(
    case: Case, kept: NDArray[np.int64], group: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """At most 5,000 of the pairs, seeded."""
    if len(kept) <= MOST_PAIRS:
        return kept, group
    some = np.sort(np.random.default_rng((case.seed, 78)).choice(len(kept), MOST_PAIRS, replace=False))
    return kept[some], group[some]


def _deciding(grams: NGrams, weights: NDArray[np.float64]) -> list[int]:
    """N-grams that pull most pairs, the strongest first."""
    pull = abs(weights) * np.sqrt(grams.wins + grams.losses)
    return np.argsort(-pull, kind="stable")[:NAMED].tolist()


def _quoted(grams: NGrams, order: Sequence[int]) -> str:
    won = [grams.names[at] for at in order if grams.wins[at] > grams.losses[at]][:2]
    lost = [grams.names[at] for at in order if grams.wins[at] < grams.losses[at]][:2]
    said = [f"{', '.join(map(repr, some))} {word}" for some, word in ((won, "win"), (lost, "lose")) if some]
    return f" ({'; '.join(said)})" if said else ""
