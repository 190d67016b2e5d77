"""Hidden words of benchmark items, asked of a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.contamination.items import Item, read_items
from zermelo.doctor.contamination.slot_guessing import Guesses, TSGuessKeyword
from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped
from zermelo.errors import positive

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["SlotGuessing", "completer", "told_of"]

HIGH, MEDIUM = 0.5, 0.25  # what a model that knows the language may deduce stays below
TOKENS = 12


@dataclass(frozen=True)
class SlotGuessing:
    """How many hidden words of the benchmarks' items a policy knows, at temperature 0.

    Some words can be deduced from the sentence, so only a high share speaks: the finding is high where the interval
    lies above one half, medium above one quarter.

    Args:
        n: Items asked, drawn with the case's seed.
    Raises:
        SettingError: n is not positive.
    """

    id: ClassVar[str] = "contamination.slot_guessing"
    asks: ClassVar[str] = "does the model know hidden words of the benchmarks?"
    n: int = 200

    def __post_init__(self) -> None:
        positive(self, "n")

    def run(self, case: Case) -> Sequence[Result]:
        if case.policy is None or not case.benchmarks:
            return [Skipped(self.id, "needs a model (`--policy`) and benchmark files (`--benchmark`)")]
        items = read_items(case.benchmarks)
        rng = np.random.default_rng((case.seed, 2311))
        some = [items[at] for at in np.sort(rng.choice(len(items), min(self.n, len(items)), replace=False))]
        found = TSGuessKeyword().guess([item.text for item in some], completer(case.policy), seed=case.seed)
        return [told_of(self.id, found, some)]


def told_of(audit: str, found: Guesses, items: Sequence[Item]) -> Result:
    """The finding of some guesses."""
    share = found.exact_match
    if not found.guesses:
        return Skipped(audit, "no item has a word that can be hidden")
    title = f"the model knows {share.value:.1%} of the hidden words of {len(found.guesses):,} benchmark items"
    if not share.low > MEDIUM:
        return Passed(audit, title, share, {"rouge_l": found.rouge})
    known = [guess for guess in found.guesses if guess.exact]
    return Finding(
        audit=audit,
        severity="high" if share.low > HIGH else "medium",
        title=title,
        figure=share,
        effect="The model has probably been trained on these items; its score on them says little.",
        source='"Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023,'
        " arXiv 2311.09783",
        remedy="measure on items written later than the model, or on paraphrases",
        examples=[
            Example(-1, f"{guess.hidden}: {items[guess.item].text}", items[guess.item].name) for guess in known[:10]
        ],
        details={"rouge_l": found.rouge},
    )


def completer(policy: str) -> Callable[[str], str]:
    """Prompt → greedy reply of a policy, by folder or name."""
    from zermelo.policies.load import load
    from zermelo.policies.sampling import Sampling, TransformersSampler

    sampler = TransformersSampler(load(policy), Sampling(temperature=0.0, max_tokens=TOKENS))
    return lambda prompt: sampler.sample([prompt])[0].responses[0].content
