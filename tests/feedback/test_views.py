"""Views equal a plain loop over groups, wherever the groups lie, and say what they left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_groups import collections, same

from zermelo.errors import DataError, SettingError
from zermelo.feedback import Feedback, Group, Judgement, Message, Response
from zermelo.feedback.preferences import derived

PROB = {"first": 1.0, "second": 0.0, "tie": 0.5, "both_bad": 0.5}


def said(found: list[Group], *kinds: str) -> Iterator[tuple[int, Group, Judgement]]:
    for row, group in enumerate(found):
        for judgement in group.judgements:
            if judgement.kind in kinds:
                yield row, group, judgement


def source(group: Group, judgement: Judgement, k: int) -> str | None:
    return group.responses[judgement.on[k]].source if len(judgement.on) > k else None


def nth(judgement: Judgement, k: int) -> int | None:
    return judgement.on[k] if len(judgement.on) > k else None


def prob_of(judgement: Judgement) -> float | None:
    return judgement.value if judgement.value is not None else PROB.get(judgement.outcome or "")


def naive(name: str, found: list[Group]) -> list[dict[str, Any]]:
    """The rows of a view by the plainest loop."""
    rows: list[dict[str, Any]] = []
    kinds = {"ratings": ("rating",), "labels": ("label",), "rankings": ("ranking",), "steps": ("steps",)}
    kinds |= {"events": ("event",), "battles": ("comparison",), "outcomes": ("rating", "label")}
    for row, group, j in said(found, *kinds[name]):
        head = {"row": row, "id": group.id, "by": j.by, "criterion": j.criterion}
        one = {"response": nth(j, 0), "source": source(group, j, 0)}
        if name == "ratings":
            rows.append(head | one | {"value": j.value, "low": j.low, "high": j.high, "at": j.at})
        elif name == "labels" and j.value is not None:
            rows.append(head | one | {"second": nth(j, 1), "value": j.value, "at": j.at})
        elif name == "rankings":
            sources = [group.responses[i].source for i in j.on]
            rows.append(head | {"on": list(j.on), "ranks": list(j.values or ()), "sources": sources, "at": j.at})
        elif name == "steps":
            for step, value in enumerate(j.values or ()):
                rows.append(head | one | {"step": step, "value": value, "at": j.at})
        elif name == "events":
            rows.append(head | one | {"mark": j.text, "at": j.at, "value": j.value})
        elif name == "battles":
            a, b = source(group, j, 0), source(group, j, 1)
            if a is None or b is None or prob_of(j) is None:
                continue
            sides = {"source_a": a, "source_b": b, "a": j.on[0], "b": j.on[1]}
            first = None if not j.shown else j.shown[0] == j.on[0]
            more = {"outcome": j.outcome, "prob": prob_of(j), "strength": j.strength, "weight": 1.0, "a_first": first}
            rows.append(head | sides | more | {"at": j.at})
        elif name == "outcomes" and j.value is not None and len(j.on) == 1:
            score = {"score": j.value, "kind": j.kind, "low": j.low, "high": j.high, "key": group.key}
            rows.append(head | one | score)
    return rows


def sorted_rows(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def stores(found: list[Group], folder: Path) -> list[Feedback]:
    """The same groups in memory, in a file, and as a selection among others."""
    path = folder / "groups.parquet"
    Feedback.of(found).write(path)
    return [Feedback.of(found), Feedback.read(path)]


@settings(max_examples=20, deadline=None)
@given(found=collections())
@pytest.mark.parametrize("name", ["ratings", "labels", "rankings", "steps", "events", "battles", "outcomes"])
def test_a_view_equals_a_plain_loop(name: str, found: list[Group]) -> None:
    view = getattr(Feedback.of(found), name)()
    table = view.arrow()
    assert table.schema == view.schema
    expected = naive(name, found)
    columns = table.column_names
    assert same([{c: row[c] for c in columns} for row in expected], table.to_pylist())
    assert view.count() == len(expected)


@settings(max_examples=25, deadline=None)
@given(found=collections(), keep=st.sets(st.integers(0, 5)))
def test_a_selection_in_a_file_gives_the_rows_of_its_groups(
    tmp_path_factory, found: list[Group], keep: set[int]
) -> None:
    if not found:
        return
    names = {f"g{i}" for i in keep}
    for feedback in stores(found, tmp_path_factory.mktemp("views")):
        chosen = feedback.filter(lambda group: group.id in names)
        for name in ("ratings", "steps", "battles", "outcomes"):
            rows = [row for row in naive(name, found) if row["row"] in keep]
            assert same(sorted_rows(rows), sorted_rows(getattr(chosen, name)().arrow().to_pylist()))


@settings(max_examples=30, deadline=None)
@given(found=collections(), how=st.sampled_from(["all", "best_worst", "adjacent"]))
def test_derived_pairs_are_those_of_the_plain_rules(found: list[Group], how: str) -> None:
    expected: Counter[tuple[int, int, int]] = Counter()
    ties = 0
    for row, group in enumerate(found):
        for pair in derived(group, how=how):
            ties += pair.tie
            if not pair.tie:
                expected[row, pair.win, pair.lose] += 1
    view = Feedback.of(found).pairs(ratings=how, rankings=how)
    table = view.arrow().to_pylist()
    assert Counter((r["row"], r["win"], r["lose"]) for r in table if r["origin"] != "comparison") == expected
    declared = sum(j.outcome in ("tie", "both_bad") for _, _, j in said(found, "comparison"))
    assert view.dropped.get("tie", 0) == ties + declared


@settings(max_examples=30, deadline=None)
@given(found=collections())
def test_stated_pairs_put_the_preferred_response_first(found: list[Group]) -> None:
    expected = []
    for row, _, j in said(found, "comparison"):
        prob = prob_of(j)
        if prob is None or j.outcome in ("tie", "both_bad"):
            continue
        swap = prob < 0.5 or (prob == 0.5 and j.outcome == "second")
        win, lose = (j.on[1], j.on[0]) if swap else j.on
        expected.append((row, win, lose, max(prob, 1 - prob), j.by, j.criterion, j.strength))
    table = Feedback.of(found).pairs().arrow().to_pylist()
    names = ("row", "win", "lose", "prob", "by", "criterion", "strength")
    assert [tuple(r[name] for name in names) for r in table] == expected


def rated(*values: float | None, by: str = "x", criterion: str | None = None, name: str = "g") -> Group:
    responses = tuple(Response(text=f"t{i}", source=f"m{i}") for i in range(len(values)))
    ratings = [Judgement("rating", (i,), value=v, by=by, criterion=criterion) for i, v in enumerate(values)]
    return Group(name, "p", responses, tuple(ratings))


def pairs(group: Group, **settings: Any) -> list[tuple[int, int]]:
    return [(row["win"], row["lose"]) for row in Feedback.of([group]).pairs(**settings).arrow().to_pylist()]


def test_pairs_of_ratings_by_hand() -> None:
    group = rated(3.0, 5.0, 3.0, 1.0)
    assert pairs(group) == []
    assert pairs(group, ratings="all") == [(1, 0), (1, 2), (1, 3), (0, 3), (2, 3)]
    assert pairs(group, ratings="adjacent") == [(1, 0), (2, 3)]
    assert pairs(group, ratings="best_worst") == [(1, 3)]
    assert pairs(group, ratings="all", margin=3) == [(1, 3)]
    view = Feedback.of([group]).pairs(ratings="all", margin=3)
    assert view.dropped == {"tie": 1, "below-margin": 4}
    assert view.arrow()["margin"].to_pylist() == [4.0]


def test_ratings_of_different_annotators_or_criteria_are_never_compared() -> None:
    one, two = rated(1.0, 2.0, by="x", criterion="help"), rated(2.0, 1.0, by="y", criterion="truth")
    both = one.with_judgements(two.judgements)
    assert pairs(both, ratings="all") == [(1, 0), (0, 1)]
    assert pairs(both, ratings="all", criterion="truth") == [(0, 1)]
    mixed = Group("g", "p", one.responses, (one.judgements[0], two.judgements[1]))
    assert pairs(mixed, ratings="all") == []


def test_the_last_rating_of_a_response_counts() -> None:
    group = rated(1.0, 2.0)
    again = group.with_judgements([Judgement("rating", (0,), value=3.0, by="x")])
    assert pairs(again, ratings="all") == [(0, 1)]


def test_a_bare_probability_of_one_half_is_no_tie() -> None:
    responses = (Response(source="a"), Response(source="b"))
    bare, tie = (Judgement("comparison", (0, 1), value=0.5, outcome=outcome) for outcome in (None, "tie"))
    feedback = Feedback.of([Group("g", None, responses, (bare, tie))])
    assert feedback.pairs().arrow()["prob"].to_pylist() == [0.5]
    assert feedback.pairs().dropped == {"tie": 1}
    assert feedback.battles().arrow()["outcome"].to_pylist() == [None, "tie"]


def test_aggregation_runs_in_sql_and_errors_are_clear() -> None:
    view = Feedback.of([rated(1.0, 2.0), rated(3.0, 4.0)]).ratings()
    query = "SELECT source, avg(value) AS mean FROM view GROUP BY ALL ORDER BY source"
    assert view.sql(query).to_pylist() == [{"source": "m0", "mean": 2.0}, {"source": "m1", "mean": 3.0}]
    with pytest.raises(SettingError, match="valeu"):
        view.sql("SELECT valeu FROM view")


def test_a_frame_has_plain_strings() -> None:
    frame = Feedback.of([rated(1.0, 2.0)]).ratings().frame()
    assert frame["source"].tolist() == ["m0", "m1"]
    assert frame["value"].sum() == 3.0


def test_texts_are_read_for_the_rows_that_are_asked_for() -> None:
    chat = Group(
        "c", (Message("user", "hi"), Message("assistant", "yo"), Message("user", "go")), rated(2.0, 1.0).responses
    )
    chat = chat.with_judgements(rated(2.0, 1.0).judgements)
    view = Feedback.of([rated(1.0, 2.0), chat]).pairs(ratings="all")
    first, second = view.text().select(["prompt", "chosen", "rejected"]).to_pylist()
    assert first == {"prompt": "p", "chosen": "t1", "rejected": "t0"}
    assert second == {"prompt": "hi\n\nyo\n\ngo", "chosen": "t0", "rejected": "t1"}
    assert view.text([1]).to_pylist() == view.text(slice(1, 2)).to_pylist() == view.text(slice(-1, None)).to_pylist()
    assert [group.id for group in view.groups([1, 0, 1])] == ["c", "g", "c"]


def test_a_judgement_that_points_outside_its_group_is_named() -> None:
    bad = Group("lost", "p", (Response(text="x"),), (Judgement("rating", (3,), value=1.0),))
    with pytest.raises(DataError, match="'lost': on=3; the group has 1 responses"):
        Feedback.of([bad]).ratings().arrow()
    with pytest.raises(DataError, match="lost"):
        Feedback.of([bad]).ratings().sql("SELECT count(*) FROM view")


def test_steps_keep_what_is_unlabelled() -> None:
    group = Group("g", "p", (Response(steps=("a", "b")),), (Judgement("steps", (0,), values=(1.0, math.nan)),))
    values = Feedback.of([group]).steps().arrow()["value"].to_pylist()
    assert values[0] == 1.0 and math.isnan(values[1])


def test_views_never_read_the_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zermelo.feedback import leaves, sources

    path = tmp_path / "g.parquet"
    Feedback.of([rated(1.0, 2.0)]).write(path)
    asked: list[str] = []
    read = leaves.read_leaves
    monkeypatch.setattr(sources, "read_leaves", lambda p, c, **k: (asked.extend(c), read(p, c, **k))[1])
    feedback = Feedback.read(path)
    for view in (feedback.ratings(), feedback.pairs(ratings="all"), feedback.battles(), feedback.steps()):
        view.arrow()
    assert asked and not {"responses.text", "responses", "prompt"} & set(asked)
