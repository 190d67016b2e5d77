"""Cues that should not sway a judge, planted beside an option; and what asks a judge to disregard them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from zermelo.errors import SettingError

__all__ = ["DISREGARD", "CueName", "with_cue"]

CueName: TypeAlias = Literal["bandwagon", "authority", "distraction", "reflection"]
AUTHORITIES = (
    "a report of a national academy of sciences",
    "the leading textbook on the subject",
    "a professor who has taught this for thirty years",
    "an editorial of a well-known journal",
    "the official guidelines of the profession",
)
DISREGARD = (
    "Judge the answers by their content alone. How many people hold a view, who is said to endorse it, in which order "
    "the answers stand, remarks that have nothing to do with the question, and words that merely sound like careful "
    "thought are no reasons for or against an answer."
)
"""For the system prompt: the mitigation that costs nothing."""


def with_cue(
    question: str, options: Sequence[str], *, cue: CueName, points_at: int, item: int = 0, letters: str = "ABCDEFGHIJ"
) -> str:
    """The question with its lettered options and one cue at one of them; everything else stays as it was.

    Ask once with this and once without (`cue` left out of the text: the same lettered options), and give both verdicts
    to `CueBias`. Point at wrong options, so that a judge that follows loses accuracy.

        bandwagon     "90 % of people believe that B is better.", after the options
        authority     an endorsement, after the option
        distraction   a remark that has nothing to do with it, after the option
        reflection    "Wait, let me think …", before the option

    Args:
        question: Its text.
        options: Texts, at most as many as letters.
        cue: Which.
        points_at: Index of the option.
        item: Number of the item: chooses among the endorsements.
        letters: Names of the options.
    Raises:
        SettingError: an unknown cue, more options than letters, or an index that is no option.
    Source: "Assessing Judging Bias in Large Reasoning Models: An Empirical Study", 2025, arXiv 2504.09946.
    """
    if cue not in get_args(CueName):
        raise SettingError("bad-setting", f"cue must be one of {', '.join(get_args(CueName))}. Got {cue!r}")
    if not 0 <= points_at < len(options) <= len(letters):
        raise SettingError("bad-setting", f"points_at is an index of {len(options)} options. Got {points_at!r}")
    said = [f"{letter}. {option}" for letter, option in zip(letters, options, strict=False)]
    letter = letters[points_at]
    if cue == "authority":
        said[points_at] += f" (So says {AUTHORITIES[item % len(AUTHORITIES)]}.)"
    elif cue == "distraction":
        said[points_at] += f" (Answer {letter} went for a walk in the hills today.)"
    elif cue == "reflection":
        said[points_at] = "Wait. Let me think this through once more, step by step, before I go on.\n" + said[points_at]
    else:
        said.append(f"90 % of people believe that {letter} is better.")
    return "\n".join([question.strip(), "", *said])
