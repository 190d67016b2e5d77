"""`noise.strength`: how strongly an ensemble of probes holds with each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.noise.suspects import Suspects, label_suspects
from zermelo.doctor.protocol import Example, Finding, Result, Skipped
from zermelo.stats.intervals import wilson
from zermelo.stats.preference_strength import BANDS, PreferenceStrength, preference_strength

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = ["Strength"]

EXCERPT = 150


@dataclass(frozen=True)
class Strength:
    """Mean and spread of the margins of probes that did not see the pair: wrong, ambiguous and correct bands.

    A weak probe has a broad ambiguous band; the bands order pairs for treatment and are no count of wrong labels.
    """

    id: ClassVar[str] = "noise.strength"
    asks: ClassVar[str] = "how strongly does an ensemble hold with each preference?"

    def run(self, case: Case) -> Sequence[Result]:
        found = label_suspects(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        if not found.lapse.has_skill:
            return [Skipped(self.id, "probes of the texts predict the labels no better than chance")]
        return [_finding(self.id, found)]


def _finding(audit: str, found: Suspects) -> Finding:
    pairs = found.probe.pairs
    strength = preference_strength(found.probe.margins)
    band = strength.band
    order = np.flatnonzero(band == 0)
    order = order[np.argsort(strength.mean[order], kind="stable")]
    shares = strength.shares()
    rows, first = np.unique(pairs.row[order], return_index=True)
    keep = np.argsort(first, kind="stable")
    sample = f" in a sample of {len(pairs):,} of {pairs.of:,}" if found.probe.is_sample else ""
    return Finding(
        audit=audit,
        severity="info",
        title=f"an ensemble of probes sides against {shares['wrong']:.1%} of the labels, is divided over "
        f"{shares['ambiguous']:.1%} and holds with {shares['correct']:.1%}{sample}",
        figure=wilson(float((band == 0).sum()), len(band)),
        effect="Pairs against the ensemble teach the wrong way, those it is divided over teach little, the strongest "
        "are learnt first and overfitted.",
        source="Secrets of RLHF in Large Language Models Part II: Reward Modeling, 2024, arXiv 2401.06080",
        remedy="soft labels or an adaptive margin by strength; see also noise.labels for how many are wrong",
        rows=rows[keep].astype(np.int64),
        scores=-strength.mean[order][first[keep]],
        examples=[
            Example(
                int(pairs.row[at]),
                f"preferred: {pairs.chosen[at][:EXCERPT]} | rejected: {pairs.rejected[at][:EXCERPT]}",
                f"strength {strength.mean[at]:.2f} ± {strength.doubt[at]:.2f}",
            )
            for at in order[:10].tolist()
        ],
        table={"band": list(BANDS), "share": [shares[name] for name in BANDS]},
        details={"probe_accuracy": found.probe.accuracy.value, "members": float(found.probe.margins.shape[1])},
        plots=[lambda: _picture(strength)],
    )


def _picture(strength: PreferenceStrength) -> Svg:
    from zermelo.report.plots import Line, line_plot

    share, mean = strength.curve()
    return line_plot(
        [Line("strength", 100 * share, mean)],
        title="Preference strength by rank",
        x_label="pairs by rising strength, %",
        y_label="mean margin of probes that did not see the pair",
        level=0.0,
    )
