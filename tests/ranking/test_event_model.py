"""Time and mark of feedback events: worked numbers, integrals, closed forms, simulation by thinning, recovery."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from zermelo.errors import DataError, SettingError
from zermelo.feedback import Group, Judgement, Response
from zermelo.ranking.event_model import EventModel, FittedEvents
from zermelo.ranking.streams import mark_scores, streams
from zermelo.stats.hawkes import hawkes_compensator, simulate_hawkes, stationary_rate


def two_marks(mean: tuple[float, float] = (0.0, 1.0), p: tuple[float, float] = (0.6, 0.4)) -> FittedEvents:
    """Order 0, one component, s = 0.5."""
    return FittedEvents(
        ("a", "b"),
        0,
        np.array([p]),
        np.ones((1, 2, 1)),
        np.array([[[mean[0]], [mean[1]]]]),
        np.full((1, 2, 1), 0.5),
        (),
    )


def markov(n: int, events: int, seed: int, gap: tuple[float, float] = (0.0, 1.0)):
    """Streams of Markov marks with log-normal gaps whose mean hangs on the mark."""
    rng = np.random.default_rng(seed)
    step = np.array([[0.7, 0.3], [0.4, 0.6]])
    rows: dict[str, list[object]] = {"id": [], "mark": [], "at": []}
    for s in range(n):
        now, mark = 0.0, int(rng.random() < 0.5)
        for _ in range(events):
            mark = int(rng.random() < step[mark, 1])
            now += math.exp(rng.normal(gap[mark], 0.5))
            for name, value in (("id", s), ("mark", "ab"[mark]), ("at", now)):
                rows[name].append(value)
    return streams(rows, start=0.0)


def test_gives_the_densities_computed_by_hand() -> None:
    one = two_marks((0.2, 0.2))
    context = np.zeros(1, dtype=np.int64)
    assert one.log_density(np.array([1.3]), context)[0, 0] == pytest.approx(-0.495934, abs=1e-6)
    assert math.exp(one.log_survival(np.array([1.3]), context)[0]) == pytest.approx(0.450369, abs=1e-6)
    assert one.mean_gap(context)[0] == pytest.approx(1.384031, abs=1e-6)
    two = two_marks()
    joint = np.exp(two.log_density(np.array([2.5]), context)) * two.mark
    np.testing.assert_allclose(joint, [[0.035719, 0.125885]], atol=1e-6)


def test_a_gap_tells_the_mark_from_the_point_where_the_joint_densities_cross() -> None:
    point = math.exp(0.5 + 0.25 * math.log(1.5))
    assert point == pytest.approx(1.824610, abs=1e-6)
    rows = {"id": [0] * 4, "mark": list("abab"), "at": np.cumsum([1.0, point * 0.999, point * 1.001, 1.0])}
    seen = streams(rows, start=0.0)
    assert two_marks().predict(seen, given_gap=True).tolist() == [0, 0, 1, 0]
    assert two_marks().predict(seen, given_gap=False).tolist() == [0, 0, 0, 0]


def test_the_joint_density_integrates_to_one_and_the_survival_is_its_tail() -> None:
    rng = np.random.default_rng(0)
    shape = (3, 2, 3)
    model = FittedEvents(
        ("a", "b"), 1, rng.dirichlet([1, 1], 3), rng.dirichlet([1, 1, 1], (3, 2)), rng.normal(size=shape),
        rng.uniform(0.3, 1, shape), (),
    )  # fmt: skip
    h = np.array([1])

    def density(t: float) -> float:
        return float((np.exp(model.log_density(np.array([t]), h)) * model.mark[h]).sum())

    assert integrate.quad(density, 0, np.inf, limit=300)[0] == pytest.approx(1, abs=1e-6)
    tail = integrate.quad(density, 1.7, np.inf, limit=300)[0]
    assert math.exp(model.log_survival(np.array([1.7]), h)[0]) == pytest.approx(tail, abs=1e-6)


def test_tied_gaps_are_the_independent_model() -> None:
    seen = markov(20, 10, 0)
    tied = two_marks((0.3, 0.3))
    single = FittedEvents(("a", "b"), 0, tied.mark, tied.weight[:, :1], tied.mean[:, :1], tied.deviation[:, :1], ())
    assert tied.log_likelihood(seen).total == pytest.approx(single.log_likelihood(seen).total)


def test_one_component_without_ends_is_the_mean_and_deviation_of_the_log_gaps() -> None:
    seen = markov(50, 20, 1)
    found = EventModel(components=1, order=1, smoothing=1e-9).fit(seen)
    inside = (found.context(seen.before) == 0) & (seen.mark == 1)  # b after a
    assert found.mean[0, 1, 0] == pytest.approx(np.log(seen.gap[inside]).mean())
    assert found.deviation[0, 1, 0] == pytest.approx(np.log(seen.gap[inside]).std())
    after_a = found.context(seen.before) == 0
    assert found.mark[0, 1] == pytest.approx((seen.mark[after_a] == 1).mean(), abs=1e-6)


def test_ends_without_an_event_count_as_in_the_censored_likelihood() -> None:
    rng = np.random.default_rng(3)
    rows: dict[str, list[object]] = {"id": [], "mark": [], "at": []}
    for s in range(300):
        for at in np.cumsum(np.exp(rng.normal(0.5, 0.7, 12))):
            if at < 6:
                for name, value in (("id", s), ("mark", "x"), ("at", at)):
                    rows[name].append(value)
    seen = streams(rows, start=0.0, end=6.0)
    found = EventModel(components=1, order=0, smoothing=1e-9, tolerance=1e-12, max_iterations=2000).fit(seen)

    def loss(theta: np.ndarray) -> float:
        law = stats.norm(theta[0], math.exp(theta[1]))
        return -float(law.logpdf(np.log(seen.gap)).sum() + law.logsf(np.log(seen.rest)).sum())

    best = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x
    assert (found.mean[0, 0, 0], found.deviation[0, 0, 0]) == pytest.approx((best[0], math.exp(best[1])), abs=1e-4)
    naive = np.log(seen.gap).mean()
    assert abs(best[0] - 0.5) < 0.06 < 0.5 - naive  # leaving the ends out is biased towards short gaps


@pytest.mark.parametrize("mode", ["time_given_mark", "independent"])
def test_em_never_goes_down(mode) -> None:
    rng = np.random.default_rng(0)
    rows: dict[str, list[object]] = {"id": [], "mark": [], "at": []}
    for s in range(60):
        times, marks = simulate_hawkes([0.2, 0.1], [[0.2, 0.1], [0.2, 0.3]], 1.0, horizon=30.0, rng=rng)
        rows["id"] += [s] * len(times)
        rows["mark"] += ["ab"[m] for m in marks]
        rows["at"] += times.tolist()
    seen = streams(rows, start=0.0, end=30.0)
    found = EventModel(mode=mode, components=3).fit(seen)
    assert (np.diff(found.objective) >= -1e-7 * abs(found.objective[-1])).all() and len(found.objective) > 3


def test_recovers_the_model_that_made_the_streams() -> None:
    truth = EventModel(components=1).fit(markov(100, 20, 5))
    rng = np.random.default_rng(0)
    rows: dict[str, list[object]] = {"id": [], "mark": [], "at": []}
    for s in range(400):
        times, marks = truth.sample(horizon=40.0, rng=rng)
        rows["id"] += [s] * len(times)
        rows["mark"] += ["ab"[m] for m in marks]
        rows["at"] += times.tolist()
    found = EventModel(components=1).fit(streams(rows, start=0.0, end=40.0))
    np.testing.assert_allclose(found.mark[:2], truth.mark[:2], atol=0.03)
    np.testing.assert_allclose(found.mean[:2], truth.mean[:2], atol=0.04)
    np.testing.assert_allclose(found.deviation[:2], truth.deviation[:2], atol=0.04)


def test_gaps_that_hang_on_the_mark_are_worth_it_and_only_then() -> None:
    for gap, least, most in (((0.0, 1.0), 0.1, 1.0), ((0.5, 0.5), -0.02, 0.02)):
        train, test = markov(200, 20, 1, gap), markov(100, 20, 2, gap)
        score = {
            mode: EventModel(mode=mode, components=2).fit(train).log_likelihood(test).per_event
            for mode in ("time_given_mark", "independent")
        }
        assert least < score["time_given_mark"] - score["independent"] < most


def test_thinning_has_the_known_rate_and_standard_exponential_increments() -> None:
    base, excite = [0.1, 0.05], [[0.2, 0.1], [0.2, 0.3]]
    np.testing.assert_allclose(stationary_rate(base, excite), [0.138889, 0.111111], atol=1e-6)
    times, marks = simulate_hawkes(base, excite, 1.0, horizon=20_000.0, rng=np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(marks) / 20_000, stationary_rate(base, excite), rtol=0.06)
    for mark in (0, 1):
        grown = hawkes_compensator(times[:4000], marks[:4000], base, excite, 1.0, mark=mark)
        assert stats.kstest(grown, "expon").pvalue > 0.01
    wrong = hawkes_compensator(times[:4000], marks[:4000], [0.2, 0.05], [[0, 0], [0, 0.0]], 1.0, mark=0)
    assert stats.kstest(wrong, "expon").pvalue < 1e-6
    with pytest.raises(SettingError, match="fewer than one"):
        simulate_hawkes([1.0], [[1.0]], 1.0, horizon=1.0, rng=np.random.default_rng(0))


def test_streams_come_from_the_events_of_groups() -> None:
    from zermelo.feedback import Feedback

    def group(name: str, said: list[tuple[str, float]]) -> Group:
        judged = tuple(Judgement("event", (0,), "user", text=mark, at=at) for mark, at in said)
        return Group(name, "prompt", (Response("answer", source="m"),), judged)

    groups = [
        group("g1", [("shown", 0.0), ("copy", 4.0), ("leave", 5.0)]),
        group("g2", [("shown", 2.0), ("leave", 9.0)]),
    ]
    seen = streams(Feedback.of(groups).events(), by="id", names=("shown", "copy", "leave"))
    assert seen.gap.tolist() == [4.0, 1.0, 7.0] and seen.mark.tolist() == [1, 2, 2]
    assert seen.before[:, -1].tolist() == [0, 1, 0] and seen.stream.tolist() == [0, 0, 1]
    assert seen.subset([1]).gap.tolist() == [7.0]


def test_order_of_rows_and_ties_in_time_are_harmless() -> None:
    rows = {"id": [0, 0, 0], "mark": ["b", "a", "a"], "at": [3.0, 1.0, 1.0]}
    seen = streams(rows)
    assert seen.gap.tolist() == [1.0, 2.0]  # two at once lie half the smallest gap apart
    assert np.isfinite(EventModel(components=1).fit(seen).log_likelihood(seen).total)


def test_scores_of_marks_are_those_computed_by_hand() -> None:
    found = mark_scores(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 3)
    assert (found.accuracy, found.macro_f1) == pytest.approx((0.75, (0.8 + 2 / 3) / 2))
    assert found.weighted_f1 == pytest.approx((3 * 0.8 + 2 / 3) / 4)


def test_bad_events_and_settings_are_refused() -> None:
    with pytest.raises(DataError, match="nothing follows"):
        streams({"id": [0, 1], "mark": ["a", "a"], "at": [1.0, 2.0]})
    with pytest.raises(SettingError, match="a column 'at'"):
        streams({"id": [0], "mark": ["a"]})
    with pytest.raises(DataError, match="not among"):
        streams({"id": [0, 0], "mark": ["a", "z"], "at": [1.0, 2.0]}, names=("a",))
    with pytest.raises(DataError, match="outside"):
        streams({"id": [0, 0], "mark": ["a", "a"], "at": [1.0, 2.0]}, end=1.5)
    with pytest.raises(SettingError):
        EventModel(components=0)
    with pytest.raises(SettingError, match="needs more"):
        EventModel(order=3).fit(markov(2, 3, 0))


def test_the_result_says_itself() -> None:
    found = EventModel(components=2).fit(markov(30, 10, 0))
    rows = found.table()
    assert [row["after"] for row in rows] == ["a", "b", "(start)"]
    assert rows[0]["→ a"] + rows[0]["→ b"] == pytest.approx(1)
    assert found.to_json()["schema"] == "zermelo.events/1" and "gap" in found.plot().body
