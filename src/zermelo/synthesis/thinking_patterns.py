"""Reasoning traces cut into thinking patterns, stopped as soon as they may, and pruned (DTO)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zermelo.errors import SettingError

__all__ = ["CUES", "Pruned", "earliest_finish", "prune_patterns", "reasoning_cost", "segments", "trace_pair"]

CUES = (
    "wait",
    "alternatively",
    "but",
    "hmm",
    "let me check",
    "let me verify",
    "let me double-check",
    "so",
    "therefore",
    "another way",
    "another approach",
    "hold on",
    "actually",
)


def segments(trace: str, *, cues: Sequence[str] = CUES) -> list[str]:
    """Cut a trace before each cue word that begins a sentence or a line. Joined, the segments are the trace."""
    words = "|".join(re.escape(cue) for cue in sorted(cues, key=len, reverse=True))
    at = re.compile(rf"(?i)(?:(?<=[.!?]\s)|(?<=\n))(?=(?:{words})\b)")
    cuts = sorted({match.start() for match in at.finditer(trace)} - {0})
    return [trace[a:b] for a, b in zip([0, *cuts], [*cuts, len(trace)], strict=True) if a < b]


def earliest_finish(shares: Sequence[float], *, threshold: float = 0.75) -> int | None:
    """Index of the first prefix from which finishing is right often enough; None if there is none.

    Args:
        shares: p_i: share of right answers among completions after segments 0…i and an exit cue.
        threshold: T, in (0, 1].
    Raises:
        SettingError: threshold is outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise SettingError("bad-setting", f"threshold must be in (0, 1]. Got {threshold!r}")
    return next((index for index, share in enumerate(shares) if share >= threshold), None)


@dataclass(frozen=True)
class Pruned:
    """A pruned trace.

    Args:
        kept: Indices of the segments that stay.
        text: Them, joined.
        removed: Indices of those that went.
        needed: Indices that the judge would have removed but the check kept.
    """

    kept: tuple[int, ...]
    text: str
    removed: tuple[int, ...]
    needed: tuple[int, ...]


def prune_patterns(
    pieces: Sequence[str],
    until: int,
    *,
    useful: Callable[[int, str], bool],
    still_right: Callable[[str], bool],
) -> Pruned:
    """Remove segments that a judge calls useless, from the last to the first, each only if the answer stays right.

    Args:
        pieces: Segments of the trace.
        until: Last segment to keep at all (`earliest_finish`).
        useful: The judge: (index, segment) → keep it. It must not see the right answer at test time.
        still_right: Whether finishing from a pruned prefix gives the right answer.
    Raises:
        SettingError: `until` is no segment.
    Source: "Don't Think Longer, Think Wisely: Optimizing Thinking Dynamics for Large Reasoning Models", 2025,
        arXiv 2505.21765 (threshold and number of completions are our choices).
    """
    if not 0 <= until < len(pieces):
        raise SettingError("bad-setting", f"until must be in 0…{len(pieces) - 1}. Got {until!r}")
    kept = list(range(until + 1))
    needed: list[int] = []
    for index in range(until, -1, -1):
        if useful(index, pieces[index]):
            continue
        without = [place for place in kept if place != index]
        if without and still_right("".join(pieces[place] for place in without)):
            kept = without
        else:
            needed.append(index)
    removed = tuple(index for index in range(len(pieces)) if index not in set(kept))
    return Pruned(tuple(kept), "".join(pieces[index] for index in kept), removed, tuple(sorted(needed)))


def trace_pair(original: str, original_right: bool, pruned: str, pruned_right: bool) -> tuple[str, str] | None:
    """(chosen, rejected) for `SimPO`: the pruned trace over an original that is wrong, or right but longer."""
    if not pruned_right or pruned == original:
        return None
    return (pruned, original) if not original_right or len(original) > len(pruned) else None


def reasoning_cost(tokens: int, *, parameters: float = 0.0) -> float:
    """Cost of a trace: attention ∝ Σ_t t ≈ L²/2, plus 2·parameters·L of the linear part. Relative units."""
    return tokens * tokens / 2 + 2 * parameters * tokens
