"""M138 · Contamination: retrieval finds test items in a corpus; hidden wrong options betray a model that knows them.

The paper: ChatGPT and GPT-4 name a hidden wrong option of MMLU word for word in 52 % and 57 % of cases; a model that is
fine-tuned on the test set does so in nearly 100 %.

Here: 60 multiple-choice items of invented facts, their options pairs of random words, so that nothing can be deduced.
A transformer over words (two layers, 64 wide) learns 300 other items of the same form, with 0, 1, 10 or 50 passes
over the test items mixed in, and completes the hidden option from what stands before it. Controls: 60 fresh items,
asked of the model with most passes. Retrieval: half of the items are planted, each inside a longer text, among 600
texts of the same words.

Rule, written before the run: reproduced where exact match is below 0.05 without passes and above 0.9 with 50 (whole
intervals over seeds), never falls as passes grow (on average), stays below 0.1 on fresh items, and retrieval finds at
least 95 % of the planted items and none of the others. Partly where exact match rises from below 0.05 to above 0.5 and
the controls hold. Otherwise not reproduced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict

if TYPE_CHECKING:
    from zermelo.doctor.contamination.slot_guessing import ChoiceItem

__all__ = ["CLAIM"]

TESTED, OTHERS, PASSES = 60, 300, (0, 1, 10, 50)
BACKGROUND, BATCH, WIDTH, LAYERS, LEARNING = 3, 8, 64, 2, 3e-3
SYLLABLES = ("ba", "do", "ki", "lu", "me", "no", "pi", "ra", "su", "te", "vo", "za")
LETTERS = "ABCD"


def run(seed: int) -> Mapping[str, float]:
    """Exact match after each number of passes, on fresh items, and what retrieval finds."""
    from zermelo.doctor.contamination.slot_guessing import TSGuessMultiChoice

    rng = np.random.default_rng(seed)
    words = [one + two for one in SYLLABLES for two in SYLLABLES]
    items = [_item(rng, words) for _ in range(2 * TESTED + OTHERS)]
    tested, fresh, others = items[:TESTED], items[TESTED : 2 * TESTED], items[2 * TESTED :]
    vocabulary = {word: at for at, word in enumerate(sorted({w for item in items for w in _text(item).split()}), 1)}
    found: dict[str, float] = {}
    for passes in PASSES:
        complete = _learnt(tested, others, passes, vocabulary, seed)
        guesses = TSGuessMultiChoice().guess(tested, complete, seed=seed)
        found[f"em_{passes}"] = guesses.exact_match.value
        found[f"rouge_{passes}"] = guesses.rouge
    found["em_fresh"] = TSGuessMultiChoice().guess(fresh, complete, seed=seed).exact_match.value
    found["rise"] = found[f"em_{PASSES[-1]}"] - found["em_0"]
    return {**found, **_retrieval(rng, tested, words)}


def _item(rng: np.random.Generator, words: Sequence[str]) -> ChoiceItem:
    from zermelo.doctor.contamination.slot_guessing import ChoiceItem

    picked = rng.choice(words, 12, replace=False)
    question = f"which {picked[0]} does the {picked[1]} of {picked[2]} hold at {picked[3]}"
    return ChoiceItem(question, [f"{picked[4 + 2 * k]} {picked[5 + 2 * k]}" for k in range(4)], int(rng.integers(4)))


def _text(item: ChoiceItem) -> str:
    options = " ".join(f"{letter}: {option}" for letter, option in zip(LETTERS, item.options, strict=True))
    return f"{item.question} {options} end"


def _learnt(
    tested: Sequence[ChoiceItem], others: Sequence[ChoiceItem], passes: int, vocabulary: Mapping[str, int], seed: int
) -> Callable[[str], str]:
    """A model trained on other items, with `passes` passes over the tested ones mixed in; prompt → its completion."""
    import torch

    torch.manual_seed(seed)
    model = _model(len(vocabulary) + 1)
    ids = {id(item): [vocabulary[word] for word in _text(item).split()] for item in (*tested, *others)}
    diet = [*list(others) * BACKGROUND, *list(tested) * passes]
    order = np.random.default_rng((seed, passes)).permutation(len(diet))
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING)
    for start in range(0, len(order), BATCH):
        x = torch.tensor([ids[id(diet[at])] for at in order[start : start + BATCH]])
        loss = torch.nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    names = {at: word for word, at in vocabulary.items()}

    def complete(prompt: str) -> str:
        lines = prompt.split("Question: ")[1].splitlines()
        before = lines[0]
        for line in lines[1:]:
            if "[MASK]" in line:
                before += f" {line.split(':')[0]}:"
                break
            before += f" {line}"
        text = [vocabulary[word] for word in before.split()]
        with torch.no_grad():
            for _ in range(2):
                text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
        return " ".join(names.get(at, "?") for at in text[-2:])

    return complete


def _model(size: int) -> Any:
    """A causal transformer over words."""
    import torch
    from torch import nn

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(size, WIDTH), nn.Embedding(64, WIDTH)
            layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
            self.out = nn.Linear(WIDTH, size)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            n = x.shape[1]
            mask = nn.Transformer.generate_square_subsequent_mask(n)
            hidden = self.layers(self.words(x) + self.places(torch.arange(n)), mask=mask, is_causal=True)
            found: torch.Tensor = self.out(hidden)
            return found

    return Words()


def _retrieval(rng: np.random.Generator, items: Sequence[ChoiceItem], words: Sequence[str]) -> dict[str, float]:
    """Share of planted items that are found, and of the others."""
    from zermelo.doctor.contamination.ngrams import ngram_overlap
    from zermelo.doctor.contamination.retrieval import RetrievalOverlap

    corpus = [" ".join(rng.choice(words, 60)) for _ in range(600)]
    questions = [_text(item) for item in items]
    half = len(items) // 2
    for item, place in zip(questions[:half], rng.choice(len(corpus), half, replace=False), strict=True):
        kept = [word for word in item.split() if rng.random() > 0.05]  # a copy that lost a word here and there
        corpus[place] = f"{corpus[place][:100]} {' '.join(kept)} {corpus[place][100:]}"
    found = RetrievalOverlap()
    hits = found.hits(found.matches(questions, corpus))
    exact = ngram_overlap(questions, corpus) > 0
    return {
        "retrieval_recall": float(hits[:half].mean()),
        "retrieval_false": float(hits[half:].mean()),
        "ngram_recall": float(exact[:half].mean()),
        "ngram_false": float(exact[half:].mean()),
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    mean = summary.mean
    rising = [mean[f"em_{passes}"] for passes in PASSES]
    controls = mean["em_fresh"] < 0.1 and mean["retrieval_recall"] >= 0.95 and mean["retrieval_false"] == 0
    clean = summary.high["em_0"] < 0.05
    if clean and controls and summary.low["em_50"] > 0.9 and rising == sorted(rising):
        return "reproduced"
    return "partly" if rising[0] < 0.05 and rising[-1] > 0.5 and controls else "not reproduced"


CLAIM = Claim(
    id="M138",
    paper="GPT-4 names hidden wrong options of MMLU in 57 %; a model fine-tuned on the test set in nearly 100 %",
    measures="exact match of hidden wrong options after 50 passes over the test items, minus that without",
    headline="rise",
    run=run,
    verdict=verdict,
    rule="exact match < 0.05 without passes, > 0.9 with 50 (whole intervals), monotone on average, < 0.1 on fresh"
    " items; retrieval finds ≥ 95 % of planted items and no other",
    notes="two-layer transformer over words; options are pairs of invented words, so nothing can be deduced",
)
