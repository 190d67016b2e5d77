"""Everything that a file of judged groups lets one say about the systems in it, with intervals over prompts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, nearest
from zermelo.evaluation.accuracy import Accuracy, PairedAccuracy
from zermelo.evaluation.calibration import Calibration, CalibrationResult
from zermelo.evaluation.diversity import Diversity, DiversityResult
from zermelo.evaluation.gather import Comparisons, Gathered, Marks, gather
from zermelo.evaluation.judged_result import JudgedGroupsResult, Score, Win
from zermelo.evaluation.length_control import LengthControlledWinRate
from zermelo.evaluation.overoptimisation import Overoptimisation, OveroptimisationResult
from zermelo.evaluation.pass_at_k import PassAtK, PassAtKResult
from zermelo.evaluation.present import check_settings
from zermelo.evaluation.reward_model import RewardModelAccuracy, RewardModelAccuracyResult
from zermelo.evaluation.win_rate import WinRate
from zermelo.feedback.records import Group
from zermelo.stats.bootstrap import bootstrap_mean
from zermelo.stats.estimate import Estimate

__all__ = ["JudgedGroups"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
PAIRS_SHOWN = 10  # pairs of systems compared where no baseline is named
ROWS_OF_A_PROMPT = 64  # pairs of samples of one prompt that a derived win rate uses


@dataclass(frozen=True)
class JudgedGroups:
    """Evaluates the systems in judged groups by whatever was said of them.

    Prompts are the independent units everywhere: samples, annotators and comparisons of one prompt are resampled
    together.

    Args:
        baseline: System that the others are compared with; default: none, the most frequent pairs.
        by: Only judgements of this annotator.
        proxy: Annotator whose ratings choose in best-of-n; default: the only one that rates.
        truth: Annotator whose marks best-of-n is read by; default: the only one that labels.
        level: Coverage.
        resamples: Of the bootstraps.
        seed: Of the resamples.
    """

    baseline: str | None = None
    by: str | None = None
    proxy: str | None = None
    truth: str | None = None
    level: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(self, groups: Iterable[Group]) -> JudgedGroupsResult:
        """Read the groups once and measure what they allow.

        Raises:
            SettingError: the baseline or an annotator is not there.
            DataError: there is no group, or nothing that can be evaluated was said.
        """
        data = gather(groups, by=self.by)
        self._check(data)
        notes: list[str] = []
        scores = tuple(score for marks in data.marks for score in self._scores(data, marks))
        wins = tuple(self._wins(data, notes))
        result = JudgedGroupsResult(
            data.n_groups,
            len(data.prompts),
            len(data.prompt),
            data.n_judgements,
            self.baseline,
            scores,
            wins,
            self._longer(data),
            self._pass_at_k(data),
            self._best_of_n(data, notes),
            self._scorers(data),
            self._calibration(data),
            self._diversity(data),
            (),
        )
        if not (scores or len(data.comparisons)):
            raise DataError(
                "nothing-to-evaluate",
                f"{data.n_groups:,} groups, but no rating or label of a single response and no comparison"
                + (f" by {self.by!r}" if self.by else ""),
                hint="`zermelo inspect FILE` lists what was said; `zermelo reward score` and verifiers add scores",
            )
        for kind, count in data.other.items():
            notes.append(f"{count:,} judgements of kind {kind!r} (or without a value) are not used here.")
        return replace(result, notes=tuple(notes))

    @property
    def _settings(self) -> dict[str, Any]:
        return {"level": self.level, "resamples": self.resamples, "seed": self.seed}

    def _check(self, data: Gathered) -> None:
        if not data.n_groups:
            raise DataError("nothing-to-evaluate", "there is no group")
        named = [source for source in data.sources if source]
        if self.baseline is not None and self.baseline not in named:
            guess = nearest(self.baseline, named)
            shown = ", ".join(named[:12]) or "none is named"
            hint = f"did you mean {guess!r}?" if guess else f"sources: {shown}"
            raise SettingError("unknown-source", f"no response is by {self.baseline!r}", hint=hint)
        known = [marks.by for marks in data.marks]
        for option, name in (("proxy", self.proxy), ("truth", self.truth)):
            if name is not None and name not in known:
                guess = nearest(name, known)
                hint = f"did you mean {guess!r}?" if guess else f"annotators: {', '.join(known[:12]) or 'none'}"
                raise SettingError(
                    "unknown-annotator", f"{option}: nobody called {name!r} rated or labelled", hint=hint
                )

    def _scores(self, data: Gathered, marks: Marks) -> list[Score]:
        present = np.unique(data.source[marks.response])
        base = data.sources.index(self.baseline) if self.baseline else -1
        tables = {int(s): _table(data, marks, int(s)) for s in present if data.sources[s] or len(present) == 1}
        found = []
        for source, table in tables.items():
            rows = ~np.isnan(table).all(axis=1)
            of_source = data.source[marks.response] == source
            gain, test = None, None
            if base in tables and source != base:
                both = rows & ~np.isnan(tables[base]).all(axis=1)
                if both.any() and marks.kind == "label":
                    test = PairedAccuracy(**self._settings).measure(tables[base][both], table[both])
                    gain = test.gain
                elif both.any():
                    gap = np.nanmean(table[both], axis=1) - np.nanmean(tables[base][both], axis=1)
                    gain = bootstrap_mean(gap, **self._settings).estimate()
            if marks.kind == "label":
                mean = Accuracy(**self._settings).measure(table[rows])
            else:
                mean = bootstrap_mean(np.nanmean(table[rows], axis=1), **self._settings).estimate()
            length = data.length[np.unique(marks.response[of_source])]
            name = data.sources[source] or "all responses"
            known = float(np.nanmean(length)) if not np.isnan(length).all() else float("nan")
            found.append(
                Score(
                    marks.name,
                    marks.kind,
                    name,
                    mean,
                    gain,
                    test,
                    known,
                    int(rows.sum()),
                    int((~np.isnan(table)).sum()),
                )
            )
        return sorted(found, key=lambda score: -score.mean.value)

    def _wins(self, data: Gathered, notes: list[str]) -> list[Win]:
        said = data.comparisons
        a, b = data.source[said.first], data.source[said.second]
        unnamed = data.sources.index("") if "" in data.sources else -1
        usable = (a != b) & (a != unnamed) & (b != unnamed)
        pairs = _frequent(np.minimum(a, b)[usable], np.maximum(a, b)[usable])
        derived = not pairs
        if derived:
            present = [s for s in range(len(data.sources)) if s != unnamed]
            pairs = list(itertools.combinations(present, 2)) if len(present) <= 12 or self.baseline else []
        if len(said) and not usable.any():
            notes.append(
                "The compared responses do not name two different sources, so there is no win rate of systems."
            )
        if self.baseline is not None:
            base = data.sources.index(self.baseline)
            pairs = [(y if x == base else x, base) for x, y in pairs if base in (x, y)]
        elif len(pairs) > PAIRS_SHOWN:
            notes.append(
                f"{len(pairs):,} pairs of systems; the {PAIRS_SHOWN} most frequent are shown. "
                "`zermelo rank` puts all on one scale, `--baseline` compares all with one."
            )
            pairs = pairs[:PAIRS_SHOWN]
        found = []
        for first, second in pairs:
            if not derived:
                rows = usable & (((a == first) & (b == second)) | ((a == second) & (b == first)))
                found.append(self._win(data, first, second, "comparisons", _oriented(data, said.where(rows), first)))
                continue
            for marks in data.marks:
                both = _sample_pairs(data, marks, first, second)
                if len(both[0]):
                    found.append(self._win(data, first, second, marks.name, both))
        if self.baseline is not None:
            found.sort(key=lambda win: -win.raw.win_rate.value)
        return found

    def _win(
        self, data: Gathered, first: int, second: int, basis: str, rows: tuple[Floats, Floats, Floats, Ints]
    ) -> Win:
        prob, own, other, prompt = rows
        raw = WinRate(**self._settings).measure(prob, prompt=prompt)
        known = ~np.isnan(own) & ~np.isnan(other)
        controlled = None
        if known.all():
            controlled = LengthControlledWinRate(**self._settings).measure(prob, own, other, prompt=prompt)
        return Win(data.sources[first], data.sources[second], basis, raw, controlled)

    def _longer(self, data: Gathered) -> Estimate | None:
        said = data.comparisons
        gap = data.length[said.first] - data.length[said.second]
        rows = (said.prob != 0.5) & ~np.isnan(gap) & (gap != 0)
        if not rows.any():
            return None
        won = (gap[rows] > 0) == (said.prob[rows] > 0.5)
        return WinRate(**self._settings).measure(won, prompt=data.prompt[said.first[rows]]).win_rate

    def _pass_at_k(self, data: Gathered) -> dict[tuple[str, str], PassAtKResult]:
        found = {}
        for marks in data.marks:
            if marks.kind != "label":
                continue
            for source in np.unique(data.source[marks.response]):
                table = _table(data, marks, int(source))
                samples = (~np.isnan(table)).sum(axis=1)
                whole = np.isin(table[~np.isnan(table)], (0, 1)).all()
                if whole and data.sources[source] and np.median(samples[samples > 0]) >= 2:
                    found[marks.name, data.sources[source]] = PassAtK(**self._settings).measure(table[samples > 0])
        return found

    def _best_of_n(self, data: Gathered, notes: list[str]) -> dict[tuple[str, str], OveroptimisationResult]:
        proxies = [m for m in data.marks if (m.by == self.proxy if self.proxy else m.kind == "rating")]
        truths = [m for m in data.marks if (m.by == self.truth if self.truth else m.kind == "label")]
        if len(proxies) != 1 or len(truths) != 1 or proxies[0] is truths[0]:
            if len(proxies) > 1 and truths:
                names = ", ".join(m.name for m in proxies[:6])
                notes.append(f"Best of n: several annotators rate ({names}); --proxy and --truth name one of each.")
            return {}
        proxy, truth = (_by_prompt(data, m) for m in (proxies[0], truths[0]))
        if int(((~np.isnan(proxy)) & (~np.isnan(truth))).sum(axis=1).max(initial=0)) < 2:
            return {}
        found = Overoptimisation(**self._settings).measure(proxy, truth)
        return {(proxies[0].name, truths[0].name): found} if len(found.n) > 1 else {}

    def _scorers(self, data: Gathered) -> dict[str, RewardModelAccuracyResult]:
        said, found = data.comparisons, {}
        prompt = data.prompt[said.first]
        for marks in data.marks:
            others = np.array([data.annotators[by] != marks.by for by in said.by], dtype=bool)
            value = _of_responses(data, marks)
            margin = value[said.first] - value[said.second]
            rows = others & ~np.isnan(margin) & (said.prob != 0.5)
            if marks.kind == "rating" and rows.sum() >= 2:
                length = data.length[said.first] - data.length[said.second]
                found[marks.name] = RewardModelAccuracy(**self._settings).measure(
                    margin[rows],
                    said.prob[rows],
                    prompt=prompt[rows],
                    length_margin=None if np.isnan(length[rows]).any() else length[rows],
                )
        return found

    def _calibration(self, data: Gathered) -> dict[str, CalibrationResult]:
        said = data.comparisons
        declared: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for i in np.flatnonzero(said.declared):
            first, second, prob = int(said.first[i]), int(said.second[i]), float(said.prob[i])
            key, outcome = ((first, second), prob) if first < second else ((second, first), 1 - prob)
            declared.setdefault(key, []).append((int(said.by[i]), outcome))
        rows: dict[int, list[tuple[float, float, int]]] = {}
        for i in np.flatnonzero(~said.declared) if declared else ():
            first, second, by = int(said.first[i]), int(said.second[i]), int(said.by[i])
            stated = float(said.prob[i]) if first < second else 1 - float(said.prob[i])
            others = [y for who, y in declared.get((min(first, second), max(first, second)), ()) if who != by]
            rows.setdefault(by, []).extend((stated, y, int(data.prompt[first])) for y in others)
        found = {}
        for by, table in rows.items():
            if len(table) >= 2:
                p, y, prompt = (np.array(column) for column in zip(*table, strict=True))
                name = data.annotators[by] or "unnamed judge"
                found[name] = Calibration(**self._settings).measure(p, y, cluster=prompt, symmetric=True)
        return found

    def _diversity(self, data: Gathered) -> dict[str, DiversityResult]:
        settings = Diversity(**self._settings)
        return {
            data.sources[source]: settings.measure_rows(rows) for source, rows in data.diverse.items() if len(rows) > 1
        }


def _of_responses(data: Gathered, marks: Marks) -> Floats:
    """Mean mark of each response, NaN without. [N]"""
    size = len(data.prompt)
    count = np.bincount(marks.response, minlength=size)
    total = np.bincount(marks.response, weights=marks.value, minlength=size)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), dtype=np.float64)


def _padded(data: Gathered, value: Floats, responses: Ints) -> Floats:
    """Values of some responses as [prompts, samples], NaN-padded, samples in order of appearance."""
    prompt = data.prompt[responses]
    order = np.argsort(prompt, kind="stable")
    sorted_prompt = prompt[order]
    size = np.bincount(prompt, minlength=len(data.prompts))
    start = np.cumsum(size) - size
    out = np.full((len(data.prompts), int(size.max(initial=0))), np.nan)
    out[sorted_prompt, np.arange(len(order)) - start[sorted_prompt]] = value[responses][order]
    return out


def _table(data: Gathered, marks: Marks, source: int) -> Floats:
    """Marks of one source as [prompts, samples]."""
    value = _of_responses(data, marks)
    return _padded(data, value, np.flatnonzero((data.source == source) & ~np.isnan(value)))


def _by_prompt(data: Gathered, marks: Marks) -> Floats:
    """Marks of all responses of each prompt, in one order for every annotator. [prompts, samples]"""
    return _padded(data, _of_responses(data, marks), np.arange(len(data.prompt)))


def _frequent(a: Ints, b: Ints) -> list[tuple[int, int]]:
    """Pairs of sources, the most frequent first."""
    if not len(a):
        return []
    pairs, counts = np.unique(np.stack([a, b], axis=1), axis=0, return_counts=True)
    return [(int(x), int(y)) for x, y in pairs[np.argsort(-counts, kind="stable")]]


def _oriented(data: Gathered, said: Comparisons, first: int) -> tuple[Floats, Floats, Floats, Ints]:
    """P(first ≻ other), both lengths and the prompt, with `first` on the left."""
    left = data.source[said.first] == first
    own, other = np.where(left, said.first, said.second), np.where(left, said.second, said.first)
    return np.where(left, said.prob, 1 - said.prob), data.length[own], data.length[other], data.prompt[own]


def _sample_pairs(data: Gathered, marks: Marks, first: int, second: int) -> tuple[Floats, Floats, Floats, Ints]:
    """The same from marks: every sample of one against every sample of the other on the same prompt."""
    value = _of_responses(data, marks)
    sides: list[dict[int, list[int]]] = []
    for source in (first, second):
        of_prompt: dict[int, list[int]] = {}
        for response in np.flatnonzero((data.source == source) & ~np.isnan(value)):
            of_prompt.setdefault(int(data.prompt[response]), []).append(int(response))
        sides.append(of_prompt)
    rows = [
        pair
        for prompt, own in sides[0].items()
        if prompt in sides[1]
        for pair in itertools.islice(itertools.product(own, sides[1][prompt]), ROWS_OF_A_PROMPT)
    ]
    a, b = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    prob = 0.5 + 0.5 * np.sign(value[a] - value[b])
    return prob, data.length[a], data.length[b], data.prompt[a]
