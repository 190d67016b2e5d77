"""When does the next event come, and which: marked point processes with gaps that depend on the mark, or do not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, one_of, positive
from zermelo.ranking.streams import Streams

if TYPE_CHECKING:
    from zermelo.report.svg import Svg

__all__ = ["EventLikelihood", "EventModel", "FittedEvents"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NARROW, BROAD = math.exp(-5.0), math.exp(3.0)  # standard deviations of log gaps


@dataclass(frozen=True)
class EventLikelihood:
    """Log-likelihood of streams, nat.

    Args:
        time: Σ log density of the gaps: given the mark where the model is so, plain otherwise.
        mark: Σ log probability of the marks.
        rest: Σ log probability that nothing came until the end.
        n: Events.
    """

    time: float
    mark: float
    rest: float
    n: int

    @property
    def total(self) -> float:
        """All of it."""
        return self.time + self.mark + self.rest

    @property
    def per_event(self) -> float:
        """Per event."""
        return self.total / self.n


@dataclass(frozen=True)
class FittedEvents:
    """A fitted model of H contexts, K marks and C components; `independent` has one gap density for all marks.

    Args:
        names: Marks. [K]
        order: Marks that make a context.
        mark: p(m | h). [H, K]
        weight: w. [H, K, C] or [H, 1, C]
        mean: Of log gaps. [H, K, C] or [H, 1, C]
        deviation: Of log gaps. [H, K, C] or [H, 1, C]
        objective: Log posterior after each round of EM.
    """

    names: tuple[str, ...]
    order: int
    mark: Floats
    weight: Floats
    mean: Floats
    deviation: Floats
    objective: tuple[float, ...]

    def context(self, before: Ints) -> Ints:
        """Number of the context of marks before. [N, O] → [N]"""
        return _context(before, self.order, len(self.names))

    def log_density(self, gap: Floats, context: Ints) -> Floats:
        """log f_k(gap | h) for every mark k. [N, K]"""
        x = np.log(gap)[:, None, None]
        z = (x - self.mean[context]) / self.deviation[context]
        parts = (
            np.log(self.weight[context]) - 0.5 * z * z - np.log(self.deviation[context]) - 0.5 * math.log(2 * math.pi)
        )
        found = np.logaddexp.reduce(parts, axis=-1) - np.log(gap)[:, None]
        return np.asarray(np.broadcast_to(found, (len(gap), len(self.names))))

    def log_survival(self, gap: Floats, context: Ints) -> Floats:
        """log P(no event within gap | h) = log Σ_k p_k S_k(gap). [N]"""
        from scipy.special import log_ndtr

        z = (np.log(gap)[:, None, None] - self.mean[context]) / self.deviation[context]
        each = np.logaddexp.reduce(np.log(self.weight[context]) + log_ndtr(-z), axis=-1)
        return np.asarray(np.logaddexp.reduce(np.log(self.mark[context]) + each, axis=-1))

    def log_likelihood(self, streams: Streams) -> EventLikelihood:
        """Of other or the same streams."""
        h = self.context(streams.before)
        rows = np.arange(len(h))
        known = np.isfinite(streams.rest) & (streams.rest > 0)
        rest = self.log_survival(streams.rest[known], self.context(streams.rest_before[known])) if known.any() else 0.0
        return EventLikelihood(
            float(self.log_density(streams.gap, h)[rows, streams.mark].sum()),
            float(np.log(self.mark[h, streams.mark]).sum()),
            float(np.sum(rest)),
            len(h),
        )

    def predict(self, streams: Streams, *, given_gap: bool) -> Ints:
        """Most likely mark of every event; with `given_gap` once it is known when the event came. [N]"""
        h = self.context(streams.before)
        score = np.log(self.mark[h])
        return np.asarray((score + self.log_density(streams.gap, h) if given_gap else score).argmax(axis=1))

    def mean_gap(self, context: Ints) -> Floats:
        """Expected time to the next event, Σ_k p_k Σ_c w exp(μ + s²/2). [N]"""
        each = (self.weight[context] * np.exp(self.mean[context] + self.deviation[context] ** 2 / 2)).sum(axis=-1)
        return np.asarray((self.mark[context] * each).sum(axis=-1))

    def sample(self, *, horizon: float, rng: np.random.Generator) -> tuple[Floats, Ints]:
        """One stream in (0, horizon]: times and marks."""
        times: list[float] = []
        marks: list[int] = []
        now, size = 0.0, len(self.names)
        before = np.full(max(self.order, 1), size)
        while True:
            h = int(self.context(before[None, :])[0])
            mark = int(rng.choice(size, p=self.mark[h]))
            own = mark if self.weight.shape[1] > 1 else 0
            part = int(rng.choice(self.weight.shape[2], p=self.weight[h, own]))
            now += float(np.exp(rng.normal(self.mean[h, own, part], self.deviation[h, own, part])))
            if now > horizon:
                return np.array(times), np.array(marks, dtype=np.int64)
            times.append(now)
            marks.append(mark)
            before = np.append(before[1:], mark)

    def table(self) -> list[dict[str, Any]]:
        """After each mark: how likely each mark is next, and the expected gap (contexts of one mark)."""
        if self.order != 1:
            raise SettingError("bad-setting", f"the table is of contexts of one mark. Got order {self.order}")
        rows: list[dict[str, Any]] = []
        for h, name in enumerate((*self.names, "(start)")):
            shares = {f"→ {mark}": float(p) for mark, p in zip(self.names, self.mark[h], strict=True)}
            rows.append({"after": name, **shares, "mean gap": float(self.mean_gap(np.array([h]))[0])})
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        parts = {name: getattr(self, name).tolist() for name in ("mark", "weight", "mean", "deviation")}
        return {"schema": "zermelo.events/1", "names": list(self.names), "order": self.order, **parts}

    def plot(self, context: int = 0) -> Svg:
        """Density of the next gap for each mark, in one context."""
        from zermelo.report.plots import Line, line_plot

        reach = 3 * self.deviation[context].max()
        x = np.exp(np.linspace(self.mean[context].min() - reach, self.mean[context].max() + reach, 200))
        density = np.exp(self.log_density(x, np.full(200, context))) * self.mark[context] * x[:, None]
        lines = [Line(name, x, density[:, k]) for k, name in enumerate(self.names)]
        return line_plot(
            lines, title="When the next event comes", x_label="gap", y_label="density of log gap", log_x=True
        )


@dataclass(frozen=True)
class EventModel:
    """Time and mark of the next event given the marks before it.

        f(τ, m | h) = p(m | h) f_m(τ | h),   f_m(τ | h) = Σ_c w_c LogNormal(τ; μ_c, s_c)
        log-likelihood = Σ_i log f(τ_i, m_i | h_i) + Σ over streams log Σ_k p_k S_k(T − t_N)

    `time_given_mark`: every mark has its own gaps, so a gap tells about the mark. `independent`: one density for all
    marks. h is the last `order` marks, where the paper has a recurrent network: everything is then exact, fitted by
    EM with censored ends. The last gap of a stream survives all marks (the published code takes that of one mark).

    Args:
        mode: `time_given_mark` or `independent`.
        components: C, log-normals of each density.
        order: Marks that make a context; 0 = none.
        smoothing: Pseudo-events in every cell, with the gaps and marks of all events.
        tolerance: Change of the objective per event at which EM stops, nat.
        max_iterations: Rounds.
    Source: "Modeling Inter-Dependence Between Time and Mark in Multivariate Temporal Point Processes", 2022,
        arXiv 2210.15294.
    """

    mode: Literal["time_given_mark", "independent"] = "time_given_mark"
    components: int = 4
    order: int = 1
    smoothing: float = 1.0
    tolerance: float = 1e-6
    max_iterations: int = 300

    def __post_init__(self) -> None:
        one_of(self, "mode", ("time_given_mark", "independent"))
        positive(self, "components", "smoothing", "tolerance", "max_iterations")
        if self.order < 0:
            raise SettingError("bad-setting", f"EventModel.order must be ≥ 0. Got {self.order!r}")

    def fit(self, streams: Streams) -> FittedEvents:
        """Fit by EM, from quantiles of all log gaps."""
        from zermelo.ranking.event_em import run_em

        if streams.before.shape[1] < self.order:
            raise SettingError("bad-setting", f"the streams keep {streams.before.shape[1]} marks before an event; "
                               f"order {self.order} needs more")  # fmt: skip
        size = len(streams.names)
        known = np.isfinite(streams.rest) & (streams.rest > 0)
        return run_em(
            self,
            streams,
            _context(streams.before, self.order, size),
            _context(streams.rest_before[known], self.order, size),
            np.log(streams.rest[known]),
        )


def _context(before: Ints, order: int, size: int) -> Ints:
    code = np.zeros(len(before), dtype=np.int64)
    for back in range(order, 0, -1):
        code = code * (size + 1) + before[:, -back]
    return code
