"""Languages of prompts and answers, on a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.doctor.structure.flagged import EXCERPT, SHOWN
from zermelo.doctor.structure.rows import sampled_texts
from zermelo.doctor.structure.tongues import UNKNOWN, language_of
from zermelo.errors import positive
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Languages"]


@dataclass(frozen=True)
class Languages:
    """Rows whose answer is in another language than the prompt, and the mixture of languages, on a seeded sample.

    Args:
        n: Rows looked at.
    Raises:
        SettingError: n is not positive.
    """

    id: ClassVar[str] = "structure.languages"
    asks: ClassVar[str] = "which languages are there, and do answers keep to the prompt's?"
    n: int = 2_000

    def __post_init__(self) -> None:
        positive(self, "n")

    def run(self, case: Case) -> Sequence[Result]:
        sample = sampled_texts(case, self.n)
        asked = [language_of(text) for text in sample.prompt]
        given = [[language_of(text) for text in answers] for answers in sample.answers]
        counted = Counter(name for names in given for name in names if name != UNKNOWN)
        if not counted:
            return [Skipped(self.id, "no answer is in a language that can be told (too short, or code)")]
        compared = [
            at for at, names in enumerate(given) if asked[at] != UNKNOWN and any(name != UNKNOWN for name in names)
        ]
        other = [at for at in compared if any(name not in (UNKNOWN, asked[at]) for name in given[at])]
        share = wilson(len(other), len(compared))
        total = sum(counted.values())
        shares = {name: count / total for name, count in counted.most_common()}
        details: dict[str, float | str] = {f"answers_{name}": value for name, value in list(shares.items())[:10]}
        details |= {"rows_looked_at": float(len(sample.row)), "rows_compared": float(len(compared))}
        table: dict[str, list[str] | list[float]] = {
            "language": list(shares),
            "share of answers": list(shares.values()),
        }
        mixture = ", ".join(f"{name} {value:.0%}" for name, value in list(shares.items())[:4] if value >= 0.005)
        on = "" if len(sample.row) == case.n_rows else f" (a sample of {len(sample.row):,} rows)"
        if not other:
            said = f"answers keep to the prompt's language{on}: {mixture}"
            return [Passed(self.id, said, share if compared else None, details)]
        title = f"{len(other):,} of {len(compared):,} rows ({share.value:.1%}) answer in another language than the"
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(share.value),
                title=f"{title} prompt's{on}; answers: {mixture}",
                figure=share,
                effect="The model learns to change language; translations are fine, so look first.",
                remedy="look at the rows; drop those in which nobody asked for the other language",
                fix="drop-flagged:structure.languages",
                rows=sample.row[other],
                scores=np.array([sum(name not in (UNKNOWN, asked[at]) for name in given[at]) for at in other], float),
                examples=[
                    Example(
                        int(sample.row[at]),
                        f"{sample.prompt[at][:EXCERPT]} → {sample.answers[at][0][:EXCERPT]}",
                        f"{asked[at]} → {', '.join(given[at])}",
                    )
                    for at in other[:SHOWN]
                ],
                table=table,
                details=details,
            )
        ]
