"""M011 · CGCoT: comparing breakdowns scores texts better than comparing the texts.

The paper: pairwise comparisons of concept-guided breakdowns correlate better with human judgement than Wordfish and
than comparisons of the raw texts, and come near a supervised model.

Here: 60 texts of about 60 words: hostile, friendly and heated-but-neutral words (exclamations, emphasis) among plain
ones; the truth is hostile minus friendly words per word, and people rate it with noise. A comparer counts "strong"
words of either text: raw, it takes heat for hostility; of a breakdown it reads a list of hostile and friendly words
that an extractor wrote, which misses 20 % of them and adds 5 % of the others. Both have the same noise of their own
(half a word) and the same 600 comparisons. Rule, written before the run: reproduced where Spearman's correlation with
the human ratings is at least 0.05 higher from breakdowns (whole interval over seeds above 0, mean at least 0.05) and at
least 0.8; partly where it is higher on average.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

TEXTS, WORDS, PER_TEXT = 60, 60, 20
KINDS = {
    "hostile": ("vile", "traitors", "disgusting"),
    "friendly": ("thanks", "kind", "lovely"),
    "heated": ("!", "so", "really"),
}
PLAIN = ("the", "bill", "was", "read", "on", "monday", "by", "members")
Floats = NDArray[np.float64]


def write(rng: np.random.Generator) -> tuple[list[str], Floats]:
    """Texts and their true scores."""
    texts, truth = [], []
    for _ in range(TEXTS):
        shares = np.array([*(rng.beta(1.2, 8, 3) * np.array([1.0, 0.6, 1.2])), 0.0])
        shares[3] = max(0.2, 1 - shares.sum())
        kinds = rng.choice(4, WORDS, p=shares / shares.sum())
        words = [rng.choice([*KINDS.values(), PLAIN][kind]) for kind in kinds]
        texts.append(" ".join(words))
        truth.append(((kinds == 0).sum() - (kinds == 1).sum()) / WORDS)
    return texts, np.array(truth)


def strength(text: str) -> float:
    """What a hasty reader counts: hostile and heated words, less the friendly ones."""
    words = text.split()
    weight = {"hostile": 1.0, "friendly": -1.0, "heated": 1.0}
    return sum(weight[kind] * words.count(word) for kind, known in KINDS.items() for word in known)


def extract(text: str, rng: np.random.Generator) -> str:
    """An imperfect answer to "which words are hostile, which friendly?"."""
    wanted = {*KINDS["hostile"], *KINDS["friendly"]}
    return " ".join(w for w in text.split() if rng.random() < (0.8 if w in wanted else 0.05))


def run(seed: int) -> Mapping[str, float]:
    """Correlations with people's ratings."""
    from zermelo.ranking.concept_scores import ConceptScores, breakdown, random_pairs

    rng = np.random.default_rng(seed)
    texts, truth = write(rng)
    human = truth + 0.25 * truth.std() * rng.standard_normal(TEXTS)
    pairs = random_pairs(TEXTS, per_text=PER_TEXT, seed=seed)
    answers = [extract(text, rng) for text in texts]
    wholes = [
        breakdown(text, ["Which words are hostile, which friendly?"], [a])
        for text, a in zip(texts, answers, strict=True)
    ]
    read = {
        "raw": np.array([strength(text) for text in texts]),
        "breakdown": np.array([strength(whole.split("Analysis:\n1. ")[1]) for whole in wholes]),
    }
    found = {}
    for name, seen in read.items():
        gap = seen[pairs[:, 0]] - seen[pairs[:, 1]] + 0.5 * rng.standard_normal(len(pairs))
        verdict = np.where(np.abs(gap) < 0.5, 0.5, (gap > 0) * 1.0)
        scale = ConceptScores().fit(pairs, verdict, texts=[str(i) for i in range(TEXTS)])
        found[f"spearman_{name}"] = scale.validate(human)["spearman"].value
    return found | {"gain": found["spearman_breakdown"] - found["spearman_raw"]}


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    mean = summary.mean
    if summary.low["gain"] > 0 and mean["gain"] >= 0.05 and mean["spearman_breakdown"] >= 0.8:
        return "reproduced"
    return "partly" if mean["gain"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M011",
    paper="scores from compared breakdowns correlate better with people than those from compared raw texts",
    measures="Spearman with simulated people, breakdowns minus raw texts, 60 texts, 600 comparisons",
    headline="gain",
    run=run,
    verdict=verdict,
    rule="at least 0.05 higher (interval above 0) and at least 0.8",
    notes="a word-counting comparer and an extractor with planted errors, not language models",
)
