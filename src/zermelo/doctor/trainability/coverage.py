"""What the prompts are about: clusters, how evenly they are filled, and a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.protocol import Example, Finding, Result, Skipped
from zermelo.errors import SettingError
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.report.svg import Svg

__all__ = ["Coverage"]

MOST = 4_000  # prompts
LEAST = 50
CROWDED = 0.5


@dataclass(frozen=True)
class Coverage:
    """Prompts in k clusters of their directions; the effective number is the exponential of the entropy of their sizes.

    Args:
        k: Clusters looked for.
    """

    id: ClassVar[str] = "trainability.coverage"
    asks: ClassVar[str] = "what are the prompts about, and how evenly?"
    k: int = 12

    def __post_init__(self) -> None:
        if self.k < 2:
            raise SettingError("bad-setting", f"Coverage.k must be ≥ 2. Got {self.k!r}")

    def run(self, case: Case) -> Sequence[Result]:
        rows, prompts = _prompts(case)
        if len(prompts) < LEAST:
            return [Skipped(self.id, f"{len(prompts)} different prompts; a map needs {LEAST}")]
        from sklearn.cluster import KMeans

        from zermelo.doctor.geometry.vectors import reduced

        x = reduced(tuple(prompts), case.encoder, case.seed).astype(np.float64)
        size = np.sqrt((x**2).sum(axis=1, keepdims=True))
        x = x / np.where(size > 0, size, 1)
        fit = KMeans(self.k, n_init=1, max_iter=50, random_state=case.seed).fit(x)
        count = np.bincount(fit.labels_, minlength=self.k)
        share = count / count.sum()
        effective = float(np.exp(-(share[share > 0] * np.log(share[share > 0])).sum()))
        largest = wilson(int(count.max()), len(prompts))
        order = np.argsort(-count, kind="stable")
        words = _words(prompts, fit.labels_, self.k)
        table = {
            "cluster": [int(k) for k in range(len(order))],
            "prompts": [int(count[k]) for k in order],
            "words": [words[k] for k in order],
        }
        details = {"effective number of clusters": effective, "different prompts": len(prompts)}
        title = (
            f"{len(prompts):,} prompts fill {effective:.1f} of {self.k} clusters evenly; the largest holds "
            f"{largest.value:.1%}"
        )
        crowded = largest.value >= CROWDED
        inside = np.flatnonzero(fit.labels_ == order[0])
        return [
            Finding(
                self.id,
                "low" if crowded else "info",
                title,
                largest,
                effect="What is trained on one kind of prompt is measured on another." if crowded else "",
                remedy="sample the clusters more evenly, or add prompts where there are few" if crowded else "",
                rows=np.sort(rows[inside]) if crowded else np.zeros(0, np.int64),
                scores=np.ones(len(inside)) if crowded else np.zeros(0),
                examples=[
                    Example(int(rows[at]), prompts[at][:200], f"cluster {number}")
                    for number, k in enumerate(order[:10])
                    for at in np.flatnonzero(fit.labels_ == k)[:1]
                ],
                table=table,
                details=details,
                plots=(lambda: _map(x),),
            )
        ]


def _prompts(case: Case) -> tuple[NDArray[np.int64], list[str]]:
    """First row and text of each different prompt, at most 4,000 of them, drawn at random."""
    from zermelo.feedback.neardup import plain_prompt

    asked = np.flatnonzero(case.texts.is_prompt & (case.texts.chars > 0))
    _, first = np.unique(case.texts.digest[asked], return_index=True)
    rows = case.texts.row[asked[np.sort(first)]]
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng((case.seed, 12)).choice(rows, MOST, replace=False))
    prompts: list[str] = []
    for start in range(0, len(rows), 1_024):
        found = case.feedback.at(rows[start : start + 1_024].tolist())
        prompts += [plain_prompt(found[int(row)].prompt) for row in rows[start : start + 1_024]]
    return rows, prompts


def _words(prompts: Sequence[str], label: NDArray[np.int64], k: int) -> list[str]:
    """The words that are most typical of each cluster."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(stop_words="english", max_features=4_000, binary=True)
    try:
        seen = counter.fit_transform(prompts)
    except ValueError:  # no word in any of them
        return [""] * k
    names, overall = counter.get_feature_names_out(), np.asarray(seen.mean(axis=0)).ravel()
    found = []
    for number in range(k):
        inside = np.asarray(seen[label == number].mean(axis=0)).ravel() if (label == number).any() else overall * 0
        found.append(", ".join(names[np.argsort(-(inside - overall), kind="stable")[:4]]))
    return found


def _map(x: NDArray[np.float64]) -> Svg:
    from zermelo.report.plots import scatter_plot

    centred = x - x.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = np.pad(centred @ axes[:2].T, ((0, 0), (0, max(2 - len(axes), 0))))  # points of one number: a line
    shown = flat[:1_500]
    return scatter_plot(
        shown[:, 0], shown[:, 1], title="Map of the prompts", x_label="first component", y_label="second component"
    )
