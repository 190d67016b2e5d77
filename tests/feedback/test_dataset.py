"""`Feedback`: what goes in comes out; selections, joins and merges keep what they should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_groups import collections, same

from zermelo.errors import DataError, SettingError
from zermelo.feedback import Feedback, Group, Judgement, Message, Response


def group(name: str, prompt: str, *answers: str, said: tuple[Judgement, ...] = ()) -> Group:
    return Group(name, prompt, tuple(Response(text=text, source="m") for text in answers), said)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Group], Path]:
    """1,000 groups, in memory and in a native file of several row groups."""
    folder = tmp_path_factory.mktemp("many")
    found = [group(f"g{i}", f"prompt {i % 700}", f"answer {i}", "other") for i in range(1000)]
    from zermelo.feedback.schema import groups_to_arrow

    pq.write_table(groups_to_arrow(found), folder / "many.parquet", row_group_size=64)
    return found, folder / "many.parquet"


@settings(max_examples=30, deadline=None)
@given(found=collections())
def test_the_round_trip_through_a_native_file_is_exact(tmp_path_factory, found: list[Group]) -> None:
    path = tmp_path_factory.mktemp("native") / "groups.parquet"
    assert same(list(Feedback.of(found)), found)
    if found:
        Feedback.of(found).write(path)
        assert same(list(Feedback.read(path)), found)


def test_none_and_empty_and_nan_stay_apart(tmp_path: Path) -> None:
    found = [
        Group("a", None, (Response(text=None), Response(text="")), (Judgement("steps", (0,), values=(float("nan"),)),)),
        Group("b", "", (Response(messages=()), Response(steps=())), (Judgement("ranking", (), values=()),)),
        Group("c", (Message("user", ""), Message("assistant", "x"))),
    ]
    Feedback.of(found).write(tmp_path / "x.parquet")
    assert same(list(Feedback.read(tmp_path / "x.parquet")), found)


def test_files_of_many_row_groups_are_read_in_order(many) -> None:
    found, path = many
    feedback = Feedback.read(path)
    assert len(feedback) == 1000
    assert [item.id for item in feedback] == feedback.ids() == [item.id for item in found]
    assert feedback.keys() == [item.key for item in found]


def test_several_files_are_one_collection(many, tmp_path: Path) -> None:
    found, path = many
    Feedback.of(found[:10]).write(tmp_path / "more.parquet")
    both = Feedback.read([tmp_path / "more.parquet", path])
    assert len(both) == 1010
    assert [both.at([3, 15])[row].id for row in (3, 15)] == ["g3", "g5"]


def test_a_filter_by_predicate_and_by_sql_agree(many) -> None:
    found, path = many
    feedback = Feedback.read(path)
    expected = [item.id for item in found if item.prompt.endswith("7")]
    assert feedback.filter(lambda item: item.prompt.endswith("7")).ids() == expected
    assert feedback.filter("prompt LIKE '%7'").ids() == expected
    twice = feedback.filter("prompt LIKE '%7'").filter("id > 'g5'").ids()
    assert twice == [name for name in expected if name > "g5"]
    assert feedback.filter("len(responses) > 2").ids() == []


def test_a_filter_that_is_no_sql_says_so(many) -> None:
    with pytest.raises(SettingError, match="prmpt"):
        Feedback.read(many[1]).filter("prmpt = 'x'")


def test_take_keeps_the_order_and_refuses_unknown_ids(many) -> None:
    feedback = Feedback.read(many[1])
    assert feedback.take(["g900", "g5"]).ids() == ["g5", "g900"]
    with pytest.raises(DataError, match="nobody"):
        feedback.take(["g5", "nobody"])


def test_a_sample_is_the_same_whatever_the_order_of_rows(many) -> None:
    found, path = many
    one, other = Feedback.read(path).sample(50, seed=3), Feedback.of(reversed(found)).sample(50, seed=3)
    assert len(one) == 50
    assert set(one.ids()) == set(other.ids()) != set(Feedback.read(path).sample(50, seed=4).ids())
    assert set(Feedback.read(path).sample(20, seed=3).ids()) < set(one.ids())
    assert len(one.sample(10**6)) == 50


@settings(max_examples=20, deadline=None)
@given(found=collections(), data=st.data())
def test_a_join_appends_judgements_to_their_groups(found: list[Group], data: st.DataObject) -> None:
    added = {
        item.id: [Judgement("rating", (i,), value=2.0, by="later") for i in range(len(item.responses))]
        for item in found
        if data.draw(st.booleans())
    }
    feedback = Feedback.of(found).join(added)
    expected = [item.with_judgements(added.get(item.id, ())) for item in found]
    assert same(list(feedback), expected)
    assert feedback.ratings().count() == sum(j.kind == "rating" for item in expected for j in item.judgements)
    rated = [j.value for item in expected for j in item.judgements if j.kind == "rating"]
    assert feedback.ratings().arrow()["value"].to_pylist() == rated


def test_a_join_onto_a_file_reads_by_columns_and_chains(many) -> None:
    _, path = many
    said = Judgement("comparison", (0, 1), value=1.0, by="x")
    feedback = Feedback.read(path).join([("g7", said), ("g900", said)]).join({"g7": [said]})
    assert feedback.pairs().arrow()["row"].to_pylist() == [7, 7, 900]
    assert feedback.filter("id = 'g7'").battles().count() == 2


def test_a_join_refuses_what_does_not_fit(many) -> None:
    feedback = Feedback.read(many[1])
    with pytest.raises(DataError, match="nobody"):
        feedback.join({"nobody": [Judgement("rating", (0,), value=1.0)]})
    with pytest.raises(DataError, match="2 responses"):
        feedback.join({"g1": [Judgement("rating", (2,), value=1.0)]})


def test_a_merge_makes_groups_with_one_prompt_one_group() -> None:
    first = [group("a", "p", "x", "y", said=(Judgement("rating", (1,), value=1.0),)), group("b", "q", "x")]
    second = [group("c", " p ", "z", "y", said=(Judgement("comparison", (0, 1), value=1.0, shown=(1, 0)),))]
    merged = list(Feedback.of(first).merge(Feedback.of(second)))
    assert [item.id for item in merged] == ["a", "b"]
    assert [response.text for response in merged[0].responses] == ["x", "y", "z"]
    assert [(item.on, item.shown) for item in merged[0].judgements] == [((1,), None), ((2, 1), (1, 2))]
    assert len(Feedback.of(first).merge(Feedback.of(second), by="id")) == 3


def test_two_equal_samples_of_one_group_stay_two() -> None:
    one = Feedback.of([group("a", "p", "x", "x")])
    merged = next(iter(one.merge(Feedback.of([group("b", "p", "x", "x", "x")]))))
    assert [item.text for item in merged.responses] == ["x"] * 4 or len(merged.responses) == 3


def test_other_formats_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "p", "chosen": "c", "rejected": "r"}\n' * 3)
    feedback = Feedback.read(path)
    assert [item.prompt for item in feedback] == ["p"] * 3
    assert feedback.pairs().count() == len(feedback) == 3
    assert feedback.pairs().text(slice(1, 2)).to_pylist()[0] | {"id": 0} == {
        "row": 1, "id": 0, "win": 0, "lose": 1, "prob": 1.0, "margin": None, "strength": None, "origin": "comparison",
        "source_win": None, "source_lose": None, "by": None, "criterion": None,
        "prompt": "p", "chosen": "c", "rejected": "r",
    }  # fmt: skip


def test_a_cut_file_is_one_clear_error(many, tmp_path: Path) -> None:
    data = many[1].read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="cut"):
        Feedback.read(tmp_path / "cut.parquet")
    broken = bytearray(data)
    broken[1000:3000] = b"\0" * 2000
    (tmp_path / "broken.parquet").write_bytes(broken)
    with pytest.raises(DataError, match="cut"):
        list(Feedback.read(tmp_path / "broken.parquet"))


def test_texts_come_once_in_order_turns_joined() -> None:
    turns = Response(messages=(Message("assistant", "a"), Message("assistant", "b")))
    feedback = Feedback.of([Group("g", "p", (Response(text="x"), turns, Response(source="m")))])
    assert [row["text"] for batch in feedback.texts() for row in batch.to_pylist()] == ["x", "a\n\nb", None]


def test_kill_nine_in_the_middle_of_a_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "groups.parquet"
    Feedback.of([group("old", "p", "x")]).write(path)
    code = """
import sys
from zermelo.feedback import Feedback, Group, Response, write_groups
def endless():
    for i in range(10**9):
        yield Group(f"g{i}", "p" * 2000, (Response(text="x" * 2000),))
        if i == 20_000: print("writing", flush=True)
write_groups(endless(), sys.argv[1])
"""
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert [item.id for item in Feedback.read(path)] == ["old"]
    Feedback.of([group("new", "p", "x")]).write(path)
    assert Feedback.read(path).ids() == ["new"]


def test_a_collection_may_be_written_over_its_own_file(many, tmp_path: Path) -> None:
    path = tmp_path / "self.parquet"
    Feedback.of(many[0][:20]).write(path)
    Feedback.read(path).filter("id <> 'g3'").write(path)
    assert len(Feedback.read(path)) == 19
    assert not [name for name in os.listdir(tmp_path) if name != "self.parquet"]


@settings(max_examples=30, deadline=None)
@given(found=collections(max_size=2), data=st.data())
def test_dropping_responses_remaps_what_judgements_are_about(found: list[Group], data: st.DataObject) -> None:
    for item in found:
        kept = data.draw(st.lists(st.integers(0, len(item.responses) - 1), unique=True)) if item.responses else []
        smaller = item.keep_responses(kept)
        marked = {id(response): i for i, response in enumerate(item.responses)}
        old = [marked[id(response)] for response in smaller.responses]
        assert old == kept
        survivors = [
            judgement
            for judgement in item.judgements
            if set(judgement.on) <= set(kept)
            or (judgement.kind == "ranking" and len(set(judgement.on) & set(kept)) >= 2)
        ]
        assert len(smaller.judgements) == len(survivors)
        for before, after in zip(survivors, smaller.judgements, strict=True):
            left = [i for i in before.on if i in kept]
            assert [old[i] for i in after.on] == left
            if before.values is not None and before.kind == "ranking":
                assert list(after.values or ()) == [before.values[before.on.index(i)] for i in left]
            if before.shown is not None:
                assert [old[i] for i in after.shown or ()] == [i for i in before.shown if i in kept]
