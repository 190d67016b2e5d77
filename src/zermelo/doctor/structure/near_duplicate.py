"""Rows, prompts and answers that are nearly the same as others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Example, Result, Skipped
from zermelo.doctor.structure.flagged import EXCERPT, SHOWN, found_rows
from zermelo.doctor.structure.rows import row_digests
from zermelo.doctor.structure.sketches import near_clusters, sketches_of
from zermelo.errors import positive, unit_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["NearDuplicate"]


@dataclass(frozen=True)
class NearDuplicate:
    """Rows whose word triples are nearly those of another row, prompt and answers together; equal rows apart.

        J(A, B) = |A ∩ B| / |A ∪ B| ≥ similar,  estimated by MinHash

    Details give the same of prompts alone and of answers alone (`near_prompts`, `near_answers`: shares of texts that
    are nearly, but not exactly, a text of another row).

    Args:
        similar: Jaccard similarity from which two texts are one, in (0, 1].
        most: Rows looked at; of more a seeded sample is taken, which sees fewer pairs, and the finding says so.
    Raises:
        SettingError: a setting is out of range.
    """

    id: ClassVar[str] = "structure.near_duplicate"
    asks: ClassVar[str] = "are rows nearly the same as others?"
    similar: float = 0.8
    most: int = 400_000

    def __post_init__(self) -> None:
        unit_interval(self, "similar")
        positive(self, "most")

    def run(self, case: Case) -> Sequence[Result]:
        rows, digests = row_digests(case)
        if not len(rows):
            return [Skipped(self.id, "the data holds no texts")]
        _, first = np.unique(digests, return_index=True)
        kept = rows[np.sort(first)]  # equal rows are another audit's
        distinct = len(kept)
        if distinct > self.most:
            rng = np.random.default_rng((case.seed, 1894))
            kept = np.sort(rng.choice(kept, self.most, replace=False))
        row, response, sketches = sketches_of(case, kept)
        order = np.argsort(row, kind="stable")
        places, starts = np.unique(row[order], return_index=True)
        whole = np.minimum.reduceat(sketches[order], starts, axis=0)
        cluster = near_clusters(whole, similar=self.similar)
        members, repeated = _clustered(cluster)
        details: dict[str, float | str] = {"rows_repeated": float(repeated.sum()), "rows_looked_at": float(len(kept))}
        for name, mask in (("near_prompts", response < 0), ("near_answers", response >= 0)):
            details[name] = _share(case, row[mask], response[mask], near_clusters(sketches[mask], similar=self.similar))
        found = places[members]
        sampled = f" (of a sample of {len(kept):,} of {distinct:,} different rows)" if distinct > len(kept) else ""
        return found_rows(
            case,
            self.id,
            found,
            np.bincount(cluster)[cluster[members]].astype(np.float64),
            title="{rows} of {of} rows ({share}) are nearly the same as another row" + sampled,
            passed="no row is nearly the same as another" + sampled,
            effect="Near-duplicates weigh a few prompts more than the rest, and stand on both sides of a split that"
            " only looks for equal texts.",
            source='"Deduplicating Training Data Makes Language Models Better", 2021, arXiv 2107.06499',
            remedy="keep one row of each cluster; split with near-duplicates together",
            fix="drop-near-duplicates",
            details=details,
            of=len(kept),
            examples=_examples(case, found, cluster[members]),
        )


def _clustered(cluster: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Who shares a cluster, and who is not the first of a shared one."""
    size = np.bincount(cluster, minlength=1)[cluster] if len(cluster) else cluster
    _, first = np.unique(cluster, return_index=True)
    later = np.ones(len(cluster), bool)
    later[first] = False
    return size > 1, later


def _share(case: Case, row: NDArray[np.int64], response: NDArray[np.int64], cluster: NDArray[np.int64]) -> float:
    """Share of texts whose cluster holds another row's different text."""
    if not len(row):
        return 0.0
    digest = case.texts.digest[case.texts.place(row, response)]
    both = np.unique(np.stack([cluster, digest.view(np.int64)], 1), axis=0)[:, 0]
    wordings = np.bincount(both, minlength=int(cluster.max()) + 1)
    owners = np.bincount(np.unique(np.stack([cluster, row], 1), axis=0)[:, 0], minlength=len(wordings))
    return float(((wordings > 1) & (owners > 1))[cluster].mean())


def _examples(case: Case, rows: NDArray[np.int64], cluster: NDArray[np.int64]) -> list[Example]:
    """The first two members of some clusters."""
    made: list[Example] = []
    from zermelo.feedback.neardup import plain_prompt

    for number in dict.fromkeys(cluster.tolist()):
        pair = rows[cluster == number][:2].tolist()
        found = case.feedback.at(pair)
        texts = [plain_prompt(found[row].prompt) + " → " + found[row].responses[0].content for row in pair]
        made.append(Example(pair[1], " | ".join(text[:EXCERPT] for text in texts), f"nearly row {pair[0]}"))
        if len(made) >= SHOWN // 2:
            break
    return made
