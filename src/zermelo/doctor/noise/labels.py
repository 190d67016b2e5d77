"""`noise.labels`: how many labels are wrong, and which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from zermelo.doctor.noise.items import LabelledItems, labelled_items
from zermelo.doctor.noise.suspects import Suspects, confident_pairs, label_suspects
from zermelo.doctor.protocol import Example, Finding, Passed, Result, Severity, Skipped, severity_of_share
from zermelo.stats.confident_learning import ConfidentLearning
from zermelo.stats.lapse import LapseRate, lapse_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["Labels", "severity_of_rate"]

SURE = 3.32  # gain in nat from which ε > 0 is taken for real: χ²(1) at 0.01
EXCERPT = 150
SOURCE = "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks, 2021, arXiv 2103.14749"
EFFECT = (
    "A flipped pair pulls a reward model or a DPO policy the wrong way with full weight, and both learn "
    "the flips by heart when they are trained for long."
)


@dataclass(frozen=True)
class Labels:
    """Wrong labels of pairs, and of single responses where they are labelled or rated.

    A probe of the texts scores each item without having seen it. Confident learning takes a weak probe's errors for
    wrong labels, so the rate that is reported is a lapse rate: contradiction of the probe that does not vanish as the
    probe gets surer; the figures of confident learning stand beside it. Where the probe has no skill nothing is said.
    """

    id: ClassVar[str] = "noise.labels"
    asks: ClassVar[str] = "how many labels are wrong, and which?"

    def run(self, case: Case) -> Sequence[Result]:
        found = label_suspects(case)
        results: list[Result] = []
        if isinstance(found, Suspects):
            results.append(_of_pairs(self.id, found))
        kinds: tuple[Literal["label", "rating"], ...] = (
            ("label",) if isinstance(found, Suspects) else ("label", "rating")
        )
        for kind in kinds:
            items = labelled_items(case, kind) if len(case.texts.row) else "the data holds no texts"
            if isinstance(items, LabelledItems):
                results.append(_of_items(self.id, items, kind))
        return results or [Skipped(self.id, found if isinstance(found, str) else "nothing to look at")]


def severity_of_rate(lapse: LapseRate) -> Severity:
    """By the rate where it is known to within half of itself, else by the lower end of its interval."""
    rate = lapse.rate
    return severity_of_share(rate.value if rate.low >= rate.value / 2 else rate.low)


def _of_pairs(audit: str, found: Suspects) -> Result:
    probe, lapse = found.probe, found.lapse
    seen = f"{len(probe.pairs):,} preferences" + (f" (a sample of {probe.pairs.of:,})" if probe.is_sample else "")
    if not lapse.has_skill:
        return Skipped(audit, _no_skill(seen, probe.accuracy.format(percent=True)))
    issues, confident = confident_pairs(lapse.belief[:, 0])
    details: dict[str, float | str] = {
        "probe_accuracy": probe.accuracy.value,
        "probe": probe.encoder,
        "confident_learning_rate": issues.error_rate,
        "confident_learning_suspects": float(confident.sum()),
        "threshold": float(issues.thresholds[0]),
        "looked_at": float(len(probe.pairs)),
        "of": float(probe.pairs.of),
    }
    if not _sure(lapse):
        return Passed(audit, _cannot_tell(seen, lapse), lapse.rate, details)
    order = found.order
    pairs = probe.pairs
    examples = [
        Example(
            int(pairs.row[at]),
            f"preferred: {pairs.chosen[at][:EXCERPT]} | rejected: {pairs.rejected[at][:EXCERPT]}",
            f"P(label wrong) = {found.wrong[at]:.2f}",
        )
        for at in order[:10].tolist()
    ]
    rows, scores = _by_row(pairs.row[order], found.wrong[order])
    return Finding(
        audit=audit,
        severity=severity_of_rate(lapse),
        title=f"about {lapse.rate.value:.1%} of {seen} are labelled the wrong way round; {len(order):,} are suspects",
        figure=lapse.rate,
        effect=EFFECT,
        source=SOURCE,
        remedy="have the suspects judged again, or weight them by the chance that they are right, or drop them",
        fix="relabel-suspects:soft",
        rows=rows,
        scores=scores,
        examples=examples,
        details=details,
    )


def _of_items(audit: str, items: LabelledItems, kind: str) -> Result:
    y = items.positive.astype(np.int64)
    lapse = lapse_rate(y, np.stack([np.zeros_like(items.margin), items.margin], axis=1), offset=True)
    seen = f"{len(y):,} {kind}s" + (f" (a sample of {items.of:,})" if len(y) < items.of else "")
    if not lapse.has_skill:
        right = float(((items.margin > 0) == items.positive).mean())
        return Skipped(audit, _no_skill(seen, f"{right:.1%}"))
    issues = ConfidentLearning().find(y, lapse.belief)
    details: dict[str, float | str] = {
        "confident_learning_rate": issues.error_rate,
        "confident_learning_suspects": float(issues.issue.sum()),
        "noise_1_given_0": float(issues.noise[1, 0]),
        "noise_0_given_1": float(issues.noise[0, 1]),
    }
    if not _sure(lapse):
        return Passed(audit, _cannot_tell(seen, lapse), lapse.rate, details)
    order = np.flatnonzero(lapse.wrong > 0.5)
    order = order[np.argsort(-lapse.wrong[order], kind="stable")]
    said = "labelled wrongly" if kind == "label" else f"on the wrong side of {items.middle:g}"
    rows, scores = _by_row(items.row[order], lapse.wrong[order])
    return Finding(
        audit=audit,
        severity=severity_of_rate(lapse),
        title=f"about {lapse.rate.value:.1%} of {seen} are {said}; {len(order):,} are suspects",
        figure=lapse.rate,
        effect=EFFECT,
        source=SOURCE,
        remedy="have the suspects judged again, or drop them",
        fix="drop-suspects",
        rows=rows,
        scores=scores,
        examples=[
            Example(int(items.row[at]), items.text[at], f"P(wrong) = {lapse.wrong[at]:.2f}")
            for at in order[:10].tolist()
        ],
        details=details,
    )


def _sure(lapse: LapseRate) -> bool:
    return lapse.found and lapse.gain >= SURE and lapse.rate.value >= 0.005


def _no_skill(seen: str, accuracy: str) -> str:
    return (
        f"a probe of the texts predicts {seen} no better than chance ({accuracy} right): wrong labels and a weak probe "
        "cannot be told apart"
    )


def _cannot_tell(seen: str, lapse: LapseRate) -> str:
    return f"{seen}: no wrong labels beyond what a probe's own errors explain (at most {lapse.rate.high:.1%})"


def _by_row(rows: NDArray[np.int64], scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every row once, with its worst score, the worst first; `rows` come the worst first."""
    _, first = np.unique(rows, return_index=True)
    first = np.sort(first)
    return rows[first].astype(np.int64), scores[first]
