"""Does the longer (or the shorter) answer win?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Result, Skipped
from zermelo.doctor.shortcut.probe import LEAST_PAIRS, clustered_share, probed
from zermelo.doctor.shortcut.verdict import Lengths, lengths_of, sampled_pairs, shortcut
from zermelo.errors import positive

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = ["Length", "length_curve"]


@dataclass(frozen=True)
class Length:
    """How often a judge is right that sees only which answer has how many characters.

    All pairs are looked at; a pair of equal lengths counts one half. Details say how often the longer one wins by
    characters, words and approximate tokens, and by how much the answers differ.

    Args:
        bins: Points of the curve of the longer answer's win rate over the difference of lengths.
    Raises:
        SettingError: bins is not positive.
    """

    id: ClassVar[str] = "shortcut.length"
    asks: ClassVar[str] = "does length predict the label?"
    bins: int = 8

    def __post_init__(self) -> None:
        positive(self, "bins")

    def run(self, case: Case) -> Sequence[Result]:
        if not len(case.texts.row) or not case.pairs.num_rows:
            return [Skipped(self.id, "needs preferences between answers whose texts are known")]
        found = lengths_of(case)
        if len(found.row) < LEAST_PAIRS or len(np.unique(found.group)) < 2:
            return [
                Skipped(self.id, f"{len(found.row)} decided pairs; a probe needs {LEAST_PAIRS}, of several prompts")
            ]
        log = np.log(found.win / found.lose)
        judged = probed(np.sign(log)[:, None], found.group, seed=case.seed)
        differ = found.win != found.lose
        longer = clustered_share((found.win > found.lose)[differ].astype(float), found.group[differ])
        details: dict[str, float | str] = {
            "longer_wins": longer.value,
            "longer_wins_low": longer.low,
            "longer_wins_high": longer.high,
            "chosen_longer": float((found.win > found.lose).mean()),
            "chosen_shorter": float((found.win < found.lose).mean()),
            "mean_characters_chosen": float(found.win.mean()),
            "mean_characters_rejected": float(found.lose.mean()),
            "correlation": _correlation(found),
            **_other_units(case),
        }
        curve = length_curve(found, self.bins)
        word = "longer" if longer.value >= 0.5 else "shorter"
        return shortcut(
            case,
            self.id,
            judged,
            found.row,
            judge=f"lengths (the {word} answer wins)",
            effect="A reward model learns the length before anything else, and a policy trained on it writes ever"
            f" {word} answers.",
            source='"A Long Way to Go: Investigating Length Correlations in RLHF", 2023, arXiv 2310.03716',
            remedy="balance the lengths of preferred and other answers, or train with a length-controlled objective",
            fix="balance-length",
            details=details,
            table=curve,
            plots=(lambda: _picture(curve),),
        )


def length_curve(found: Lengths, bins: int = 8) -> dict[str, list[float | int]]:
    """Win rate of the longer answer where its length exceeds the other's by so much, in equally filled bins.

    Args:
        found: The pairs.
        bins: At most.
    """
    differ = found.win != found.lose
    ratio = np.exp(abs(np.log(found.win[differ] / found.lose[differ])))
    won = (found.win > found.lose)[differ].astype(float)
    group = found.group[differ]
    names = ("longer by (ratio)", "pairs", "longer wins", "low", "high")
    table: dict[str, list[float | int]] = {name: [] for name in names}
    if not len(ratio):
        return table
    edges = np.unique(np.quantile(ratio, np.linspace(0, 1, bins + 1)))
    at = np.clip(np.searchsorted(edges, ratio, side="right") - 1, 0, max(len(edges) - 2, 0))
    for index in range(max(len(edges) - 1, 1)):
        inside = at == index
        if inside.any():
            share = clustered_share(won[inside], group[inside])
            values = (float(np.median(ratio[inside])), int(inside.sum()), share.value, share.low, share.high)
            for name, value in zip(names, values, strict=True):
                table[name].append(value)
    return table


def _correlation(found: Lengths) -> float:
    """Point-biserial correlation of Δ log characters and the label, each pair taken both ways round."""
    log = np.log(found.win / found.lose)
    size = float(np.sqrt((log * log).mean()))
    return float(log.mean() / size) if size else 0.0


def _other_units(case: Case) -> dict[str, float]:
    pairs = sampled_pairs(case)
    if isinstance(pairs, str):
        return {}
    sample, kept, _ = pairs
    words = np.array([[len(side[at].split()) for side in (sample.chosen, sample.rejected)] for at in kept], float)
    chars = np.array([[len(side[at]) for side in (sample.chosen, sample.rejected)] for at in kept], float)
    tokens = np.maximum(1.3 * words, chars / 4)  # of common tokenizers on prose; code and other scripts have more
    found = {}
    for name, unit in (("words", words), ("tokens", tokens)):
        differ = unit[:, 0] != unit[:, 1]
        if differ.any():
            found[f"longer_wins_{name}"] = float((unit[:, 0] > unit[:, 1])[differ].mean())
    return found


def _picture(curve: dict[str, list[float | int]]) -> Svg:
    from zermelo.report.plots import Line, line_plot

    line = Line("longer wins", curve["longer by (ratio)"], curve["longer wins"], curve["low"], curve["high"])
    return line_plot(
        [line],
        title="Win rate of the longer answer over the ratio of lengths",
        x_label="times as long (characters)",
        y_label="the longer one wins",
        y_percent=True,
        log_x=True,
        level=0.5,
    )
