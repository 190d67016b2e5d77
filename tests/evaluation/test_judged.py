from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.evaluation import JudgedGroups, PairedAccuracy
from zermelo.feedback.records import Group, Judgement, Response

FAST = {"resamples": 200}


def arithmetic(n: int = 60, seed: int = 0) -> list[Group]:
    """Two systems, four samples each; a verifier labels, a reward model that also likes length rates."""
    rng = np.random.default_rng(seed)
    groups = []
    for i in range(n):
        responses, said = [], []
        skill = rng.random()
        for j in range(8):
            source = "start" if j < 4 else "dpo"
            right = bool(rng.random() < min(1.0, skill + 0.2 * (source == "dpo")))
            text = "step " * int(rng.integers(1, 9)) + ("right" if right else "wrong")
            responses.append(Response(text=text, source=source))
            said.append(Judgement("label", (j,), "verifier", float(right)))
            said.append(Judgement("rating", (j,), "rm", float(right) + 0.02 * len(text) + rng.normal(0, 0.3)))
        groups.append(Group(f"g{i}", f"{i} + {i} =", tuple(responses), tuple(said)))
    return groups


def battles(n: int = 400, seed: int = 0) -> list[Group]:
    """A judge who likes long answers, people who declare outcomes on the same pairs."""
    rng = np.random.default_rng(seed)
    groups = []
    for i in range(n):
        lengths = (int(rng.integers(40, 400)), int(rng.integers(10, 250)))
        gap = (lengths[0] - lengths[1]) / 150
        prob = 1 / (1 + np.exp(-(-0.5 + gap)))
        won = rng.random() < prob
        swap = bool(rng.integers(2))
        on = (1, 0) if swap else (0, 1)
        human = Judgement("comparison", on, "ann", float(won != swap), outcome="first" if won != swap else "second")
        judge = Judgement("comparison", on, "judge", float(1 - prob if swap else prob))
        sides = tuple(Response(text="x" * k, source=s) for k, s in zip(lengths, ("ours", "theirs"), strict=True))
        groups.append(Group(f"b{i}", f"prompt {i // 2}", sides, (human, judge)))
    return groups


def test_labels_give_accuracy_by_source_and_the_paired_gain() -> None:
    groups = arithmetic()
    found = JudgedGroups(baseline="start", **FAST).measure(groups)
    label = {s.source: s for s in found.scores if s.kind == "label"}
    tables = [
        [[j.value for j in g.judgements if j.kind == "label" and (j.on[0] < 4) == first] for g in groups]
        for first in (True, False)
    ]
    expected = PairedAccuracy(**FAST).measure(*tables)
    assert label["dpo"].gain == expected.gain and label["start"].gain is None
    assert label["start"].mean.value == pytest.approx(float(np.mean(tables[0])))
    assert (label["dpo"].n_prompts, label["dpo"].n_responses) == (60, 240)
    rating = {s.source: s for s in found.scores if s.kind == "rating"}
    assert rating["dpo"].gain is not None and rating["dpo"].gain.value > 0


def test_several_samples_give_pass_at_k_best_of_n_and_diversity() -> None:
    found = JudgedGroups(**FAST).measure(arithmetic())
    assert found.pass_at_k["verifier", "dpo"].k == (1, 2, 4)
    curve = found.best_of_n["rm", "verifier"]
    assert curve.n == (1, 2, 4, 8) and curve.gold[-1].value > curve.gold[0].value
    assert set(found.diversity) == {"start", "dpo"}


def test_without_comparisons_win_rates_are_derived_from_marks() -> None:
    found = JudgedGroups(baseline="start", by="verifier", **FAST).measure(arithmetic())
    (win,) = found.wins
    assert (win.first, win.second, win.basis) == ("dpo", "start", "verifier")
    accuracy = {s.source: s.mean.value for s in found.scores}
    # with right and wrong only, the win rate is ½ + half the difference in accuracy
    assert win.raw.win_rate.value == pytest.approx(0.5 + (accuracy["dpo"] - accuracy["start"]) / 2)
    assert win.raw.n_prompts == 60


def test_comparisons_give_win_rates_raw_and_at_equal_lengths() -> None:
    groups = battles()
    found = JudgedGroups(by="ann", **FAST).measure(groups)
    (win,) = found.wins
    assert {win.first, win.second} == {"ours", "theirs"} and win.basis == "comparisons"
    ours = win.raw.win_rate.value if win.first == "ours" else 1 - win.raw.win_rate.value
    expected = np.mean(
        [(j.value if j.on[0] == 0 else 1 - j.value) for g in groups for j in g.judgements if j.by == "ann"]
    )  # type: ignore[operator]
    assert ours == pytest.approx(expected)
    assert win.controlled is not None and win.controlled.slope.value > 0
    equal = win.controlled.controlled.value if win.first == "ours" else 1 - win.controlled.controlled.value
    assert equal < 0.45 < ours
    assert win.raw.n_prompts == 200 and found.longer is not None and found.longer.value > 0.5


def test_a_ranking_says_all_its_pairs() -> None:
    sides = tuple(Response(text=s, source=s) for s in ("a", "b", "c"))
    groups = [
        Group(f"g{i}", f"p{i}", sides, (Judgement("ranking", (2, 0, 1), "ann", values=(1.0, 2.0, 2.0)),))
        for i in range(9)
    ]
    wins = {(w.first, w.second): w.raw.win_rate.value for w in JudgedGroups(**FAST).measure(groups).wins}
    assert wins == {("a", "b"): 0.5, ("a", "c"): 0.0, ("b", "c"): 0.0}


def test_a_judges_probabilities_are_checked_against_what_people_declared() -> None:
    found = JudgedGroups(**FAST).measure(battles())
    assert list(found.calibration) == ["judge"]
    assert found.calibration["judge"].n == 400 and found.calibration["judge"].error.value < 0.08
    turned = [
        Group(
            g.id,
            g.prompt,
            g.responses,
            (g.judgements[0], Judgement("comparison", g.judgements[1].on[::-1], "judge", 1 - g.judgements[1].value)),
        )  # type: ignore[operator]
        for g in battles()
    ]
    again = JudgedGroups(**FAST).measure(turned).calibration["judge"]
    own = [g.with_judgements([Judgement("comparison", (0, 1), "judge", 1.0, outcome="first")]) for g in battles()]
    assert JudgedGroups(**FAST).measure(own).calibration["judge"].n == 400  # its own verdicts are no truth
    assert again.error.value == pytest.approx(found.calibration["judge"].error.value)


def test_a_scorer_is_held_against_the_comparisons_of_others() -> None:
    groups = [
        g.with_judgements([Judgement("rating", (i,), "rm", 0.01 * len(r.content)) for i, r in enumerate(g.responses)])
        for g in battles()
    ]
    scorer = JudgedGroups(**FAST).measure(groups).scorers["rm"]
    assert scorer.length_accuracy is not None
    assert scorer.accuracy.value == pytest.approx(scorer.length_accuracy.value)  # this scorer is length
    assert scorer.n_pairs >= 400


def test_what_is_missing_is_said_and_not_guessed() -> None:
    nameless = [
        Group(g.id, g.prompt, tuple(Response(text=r.text) for r in g.responses), g.judgements) for g in battles(20)
    ]
    found = JudgedGroups(**FAST).measure(nameless)
    assert not found.wins and "do not name two different sources" in found.notes[0]
    assert found.longer is not None
    with pytest.raises(SettingError, match="no response is by 'our'") as error:
        JudgedGroups(baseline="our").measure(battles(5))
    assert error.value.hint == "did you mean 'ours'?"
    with pytest.raises(DataError, match="no rating or label"):
        JudgedGroups().measure([Group("a", "p", (Response(text="x"),))])
    with pytest.raises(DataError, match="no group"):
        JudgedGroups().measure([])
    with pytest.raises(SettingError, match="nobody called 'mr'"):
        JudgedGroups(proxy="mr").measure(arithmetic(3))


def test_the_same_groups_in_another_order_give_the_same_figures() -> None:
    groups = battles(60)
    there, back = JudgedGroups(**FAST).measure(groups), JudgedGroups(**FAST).measure(groups[::-1])
    assert there.wins[0].raw.win_rate.value == pytest.approx(back.wins[0].raw.win_rate.value)


def test_json_is_json_and_the_page_shows_every_part() -> None:
    found = JudgedGroups(baseline="start", **FAST).measure(arithmetic(20))
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["schema"] == "zermelo.evaluate/1"
    html = found.to_html()
    assert all(
        f">{title}</h2>" in html for title in ("Accuracy", "Ratings", "Win rates", "pass@k", "Best of n", "Diversity")
    )


def test_win_rates_on_alpacaeval_are_the_published_ones(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    folder = shared_data / "alpaca_eval"
    base = {r["instruction_id"]: r for r in pq.read_table(folder / "baseline.parquet").to_pylist()}
    rows = pq.read_table(
        folder / "annotations_dev.parquet", filters=[("model", "in", ["gpt-3.5-turbo-1106", "NullModel"])]
    ).to_pylist()
    groups = [
        Group(
            f"{r['model']} {r['instruction_id']}",
            base[r["instruction_id"]]["instruction"],
            (
                Response(text=r["output"], source=r["model"]),
                Response(text=base[r["instruction_id"]]["output_1"], source="gpt4"),
            ),
            (Judgement("comparison", (0, 1), "gpt-4-turbo", r["preference"]),),
        )
        for r in rows
    ]
    found = {w.first: w for w in JudgedGroups(baseline="gpt4", **FAST).measure(groups).wins}
    published = {"gpt-3.5-turbo-1106": 9.177965, "NullModel": 76.919792}
    checked = [name for name in published if name in found]
    assert checked
    for name in checked:
        assert 100 * found[name].raw.win_rate.value == pytest.approx(published[name], abs=1e-5)
        # the published standard error is of the mean: the bootstrap interval is about 2 × 1.96 of it wide
        values = np.array([r["preference"] for r in rows if r["model"] == name])
        error = values.std(ddof=1) / np.sqrt(len(values))
        width = found[name].raw.win_rate.high - found[name].raw.win_rate.low
        assert width == pytest.approx(3.92 * error, rel=0.2)
