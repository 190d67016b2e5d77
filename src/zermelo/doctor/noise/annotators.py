"""`noise.annotators`: how often each annotator, and each pair of sources, is labelled wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.disagreement.votes import Votes, rows_of, votes_of
from zermelo.doctor.noise.suspects import Suspects, label_suspects
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped, severity_of_share
from zermelo.errors import unit_interval
from zermelo.stats.crowd import AnnotatorReliability, OneCoin
from zermelo.stats.estimate import Estimate
from zermelo.stats.intervals import normal_interval

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["AnnotatorNoise", "fit_annotators"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
ENOUGH = 15.0  # votes' worth of evidence
SHOWN = 30


@dataclass(frozen=True)
class AnnotatorNoise:
    """Noise rate of every annotator by EM, measured by the others on the same items and by a probe of the texts.

    Args:
        worse: An annotator is named where the lower end of his interval (95 %, corrected for their number) is above
            this noise rate and above twice the median annotator's.
    """

    id: ClassVar[str] = "noise.annotators"
    asks: ClassVar[str] = "how often is each annotator wrong?"
    worse: float = 0.1

    def __post_init__(self) -> None:
        unit_interval(self, "worse")

    def run(self, case: Case) -> Sequence[Result]:
        votes = votes_of(case)
        if not len(votes):
            return [Skipped(self.id, "no comparisons whose annotator is known")]
        found = fit_annotators(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        kept, fit, by = found
        known = np.flatnonzero(fit.checked >= ENOUGH)
        if len(known) < 2:
            return [Skipped(self.id, "fewer than two annotators with enough votes that can be checked")]
        noise = 1 - fit.eta
        from scipy.special import ndtri

        z = float(ndtri(1 - 0.025 / len(known)))
        middle = float(np.median(noise[known]))
        low = noise - z * fit.error
        bad = known[low[known] > max(self.worse, 2 * middle)]
        overall = _overall(fit, known)
        order = known[np.argsort(-noise[known], kind="stable")][:SHOWN]
        names = [votes.annotators[by[k]] for k in order]
        details: dict[str, float | str] = {"median_noise": middle, "annotators": float(len(known))}
        details |= _by_sources(case, votes, kept, fit)
        if not len(bad):
            title = f"no annotator is much noisier than the others: median {middle:.1%}, overall {overall.value:.1%}"
            return [Passed(self.id, title, overall, details)]
        who = by[bad]
        share = float(np.isin(votes.by, who).mean())
        rows = rows_of(votes, who.tolist())
        return [
            Finding(
                audit=self.id,
                severity=severity_of_share(share),
                title=f"{len(bad)} of {len(known)} annotators, with {share:.1%} of the votes, "
                f"{'is' if len(bad) == 1 else 'are'} much noisier than "
                f"the others (median {middle:.1%}); all votes: {overall.value:.1%} wrong",
                figure=overall,
                effect="Votes of a noisy annotator pull with the weight of a good one's, unless the objective knows "
                "who said what.",
                source="Latent Collective Preference Optimization: A General Framework for Robust LLM Alignment, 2025, "
                "arXiv 2509.24159",
                remedy="train with a reliability per annotator (LCPO), or leave the worst out",
                rows=rows,
                scores=_worst(votes, rows, noise, by),
                table={
                    "annotator": names,
                    "votes": fit.votes[order].tolist(),
                    "noise": noise[order].tolist(),
                    "low": np.clip(low[order], 0, 1).tolist(),
                    "high": np.clip(noise[order] + z * fit.error[order], 0, 1).tolist(),
                },
                details=details,
            )
        ]


def fit_annotators(case: Case) -> tuple[Ints, AnnotatorReliability, Ints] | str:
    """Places (in the votes) of decided votes that can be checked, the fit on them, and its annotators' codes.

    An item's prior is what a probe of the texts says of it; 0 where it says nothing, and then others must have voted.
    """
    votes = votes_of(case)
    prior = _prior(case, votes)
    decided = votes.say != 0
    often = np.bincount(votes.item[decided], minlength=votes.n_items)
    kept = np.flatnonzero(decided & ((often[votes.item] >= 2) | (prior[votes.item] != 0)))
    if not len(kept):
        return "no item was judged by two annotators, and a probe of the texts says nothing of the labels"
    items, item = np.unique(votes.item[kept], return_inverse=True)
    by, who = np.unique(votes.by[kept], return_inverse=True)
    return kept, OneCoin().fit(item, who, votes.say[kept] > 0, prior=prior[items]), by


def _prior(case: Case, votes: Votes) -> Floats:
    """Log-odds of `lower index better` of each item by the probe, 0 where there is none. [I]"""
    prior = np.zeros(votes.n_items)
    found = label_suspects(case)
    if not isinstance(found, Suspects) or not found.lapse.has_skill:
        return prior
    pairs = found.probe.pairs
    logit = found.lapse.scale * found.probe.margin * np.where(pairs.win < pairs.lose, 1, -1)
    said = case.comparisons
    low = np.minimum(said.first, said.second)[votes.place]
    high = np.maximum(said.first, said.second)[votes.place]
    width = 1 << 16
    keys = (votes.row * width + low) * width + high
    mine = (pairs.row * width + np.minimum(pairs.win, pairs.lose)) * width + np.maximum(pairs.win, pairs.lose)
    known, first = np.unique(mine, return_index=True)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    hit = known[at] == keys
    prior[votes.item[hit]] = logit[first[at[hit]]]
    return prior


def _overall(fit: AnnotatorReliability, known: Ints) -> Estimate:
    """Noise of all votes, weighted by how many each annotator cast."""
    weight = fit.votes[known] / fit.votes[known].sum()
    value = float(weight @ (1 - fit.eta[known]))
    error = float(np.sqrt((weight**2) @ fit.error[known] ** 2))
    found = normal_interval(value, error, n=int(fit.votes[known].sum()))
    return Estimate(found.value, max(found.low, 0.0), min(found.high, 1.0), found.level, found.n, "EM, normal")


def _by_sources(case: Case, votes: Votes, kept: Ints, fit: AnnotatorReliability) -> dict[str, float | str]:
    """The pair of sources whose votes are wrong most often."""
    said = case.comparisons
    place = votes.place[kept]
    a, b = said.source_first[place], said.source_second[place]
    known = (a >= 0) & (b >= 0)
    if not known.any():
        return {}
    key = np.minimum(a, b)[known].astype(np.int64) * len(said.sources) + np.maximum(a, b)[known]
    pairs, code = np.unique(key, return_inverse=True)
    count = np.bincount(code)
    wrong = np.bincount(code, weights=fit.wrong[known]) / count
    wrong = np.where(count >= ENOUGH, wrong, -1)
    top = int(wrong.argmax())
    if wrong[top] < 0:
        return {}
    names = (said.sources[pairs[top] // len(said.sources)], said.sources[pairs[top] % len(said.sources)])
    return {"noisiest_sources": " / ".join(names), "noisiest_sources_rate": float(wrong[top])}


def _worst(votes: Votes, rows: Ints, noise: Floats, by: Ints) -> Floats:
    """The largest noise rate of those who judged a row. [R]"""
    of = np.zeros(len(votes.annotators))
    of[by] = noise
    worst = np.zeros(len(rows))
    place = np.searchsorted(rows, votes.row)
    hit = (place < len(rows)) & (rows[np.minimum(place, len(rows) - 1)] == votes.row)
    np.maximum.at(worst, place[hit], of[votes.by[hit]])
    return worst
