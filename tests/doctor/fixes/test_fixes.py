"""The remedies: what they leave, what they set aside, and that both versions are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.doctor.fixes import FIXES, apply, dropped_beside, dropped_rows, load_fix, original, repairs
from zermelo.doctor.fixes.balancing import surplus
from zermelo.doctor.fixes.history import changed
from zermelo.doctor.fixes.templates import stripped
from zermelo.doctor.protocol import Finding
from zermelo.errors import DataError, SettingError
from zermelo.feedback import Feedback, Group, Judgement, Message, Response

WORDS = st.sampled_from(["", " ", "a", "yes it is so", "no it is not", "<|im_end|> yes", "a long answer of many words"])


def vote(value: float, by: str | None = "ann", on: tuple[int, int] = (0, 1)) -> Judgement:
    return Judgement("comparison", on, by=by, value=value, outcome="first" if value > 0.5 else "second")


def pair(name: str, chosen: str, rejected: str, *said: Judgement, prompt: str = "why?") -> Group:
    return Group(name, prompt, (Response(chosen), Response(rejected)), said or (vote(1.0),))


def noise(rows: list[int], scores: list[float]) -> Finding:
    return Finding("noise.labels", "high", "some labels are wrong", rows=np.array(rows), scores=np.array(scores))


@st.composite
def collections(draw: st.DrawFn) -> Feedback:
    groups = []
    for number in range(draw(st.integers(1, 8))):
        answers = tuple(Response(draw(WORDS), source="m") for _ in range(draw(st.integers(2, 4))))
        on = st.permutations(range(len(answers))).map(lambda order: (order[0], order[1]))
        said = tuple(
            vote(draw(st.sampled_from([0.0, 1.0])), draw(st.sampled_from(["ann", "bob"])), draw(on))
            for _ in range(draw(st.integers(1, 3)))
        )
        groups.append(Group(f"g{number}", draw(st.sampled_from(["p", "q", "<s>r"])), answers, said))
    return Feedback.of(groups)


def every_finding(data: Feedback) -> list[Finding]:
    """Findings that concern some rows, as audits would make them."""
    rows = np.arange(0, len(data), 2)
    scores = np.full(len(rows), 0.8)
    empty = [i for i, group in enumerate(data) if any(item.empty for item in group.responses)]
    found = [
        Finding("structure.empty", "high", "t", rows=np.array(empty, np.int64), scores=np.ones(len(empty))),
        Finding("structure.truncated", "high", "t", rows=rows[:1], scores=scores[:1]),
        Finding("structure.near_duplicate", "high", "t", rows=np.arange(len(data)), scores=np.ones(len(data))),
        Finding("structure.template", "high", "t", rows=np.arange(len(data)), scores=np.ones(len(data))),
        Finding("contamination.overlap", "high", "t", rows=rows[:1], scores=scores[:1]),
        Finding("noise.labels", "high", "t", rows=rows, scores=scores),
        Finding("disagreement.spam", "high", "t", table={"annotator": ("bob",)}),
    ]
    return [item for item in found if len(item.rows) or item.table]


NAMES = [
    *(name for name in FIXES if name != "drop-flagged"),
    "drop-flagged:structure.empty",
    "relabel-suspects:hard",
    "balance-length:weight",
]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=collections(), seed=st.integers(0, 3))
def test_no_row_is_lost_and_ids_and_order_stay(name: str, data: Feedback, seed: int) -> None:
    after, (change,) = apply(data, every_finding(data), [name], seed=seed)
    aside = dropped_rows(after, [change])
    out, gone = after.ids(), [] if aside is None else aside.ids()
    assert len(out) + len(gone) == len(data) == change.rows_in
    assert sorted(out + gone) == sorted(data.ids())
    assert out == [name for name in data.ids() if name in set(out)]
    assert all(reason for reason in change.reasons)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=collections())
def test_the_original_comes_back_from_the_file_written(name: str, data: Feedback) -> None:
    after, changes = apply(data, every_finding(data), [name])
    again = Feedback.of(list(after))  # as a file would: plain rows, plain JSON
    before = {group.id: group for group in data}
    assert [original(group) for group in again] == [before[name] for name in after.ids()]
    aside = dropped_rows(after, changes)
    if aside is not None:
        assert [original(group) for group in aside] == [before[name] for name in aside.ids()]
        assert all(repairs(group)[-1]["fix"] == name for group in aside)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=collections())
def test_a_second_application_does_nothing(name: str, data: Feedback) -> None:
    findings = every_finding(data)
    once, _ = apply(data, findings, [name])
    if not len(once):
        return
    twice, (change,) = apply(once, findings, [name])
    assert twice.ids() == once.ids()
    assert not len(change.dropped) and not len(change.edited)


def test_a_trainer_reads_the_repaired_label_and_the_first_one_is_kept() -> None:
    data = Feedback.of([pair("a", "good", "bad"), pair("b", "bad", "good")])
    after, (change,) = apply(data, [noise([1], [0.8])], ["relabel-suspects:soft"])
    pairs = after.pairs().arrow().to_pydict()
    assert pairs["win"] == [0, 1]
    assert pairs["prob"] == pytest.approx([1.0, 0.8])
    fixed = list(after)[1]
    assert [item.by for item in fixed.judgements] == ["zermelo doctor"]
    assert "relabel-suspects:soft" in (fixed.judgements[0].note or "")
    assert original(fixed).judgements == (vote(1.0),)
    assert change.edited.tolist() == [1]


def test_a_hard_relabelling_turns_label_and_outcome_round() -> None:
    data = Feedback.of([pair("a", "x", "y", vote(0.0)), pair("b", "x", "y", vote(1.0))])
    after, _ = apply(data, [noise([0, 1], [0.6, 0.9])], ["relabel-suspects:hard"])
    said = [group.judgements[0] for group in after]
    assert [(item.value, item.outcome) for item in said] == [(1.0, "first"), (0.0, "second")]


def test_a_suspect_among_other_votes_goes_alone() -> None:
    group = pair("a", "x", "y", vote(1.0), vote(0.0, "bob"))
    after, (change,) = apply(
        Feedback.of([group]),
        [Finding("disagreement.spam", "high", "t", table={"annotator": ("bob",)})],
        ["drop-spammers"],
    )
    assert not len(change.dropped)
    assert [item.by for item in next(iter(after)).judgements] == ["ann"]
    assert change.note == "bob"


def test_an_empty_answer_goes_alone_where_two_others_stay() -> None:
    answers = (Response("one"), Response(" "), Response("three"))
    group = Group("a", "p", answers, (vote(1.0, on=(0, 1)), vote(0.0, on=(0, 2))))
    after, (change,) = apply(Feedback.of([group, pair("b", "", "x")]), None, ["drop-empty"])
    (kept,) = after
    assert [item.text for item in kept.responses] == ["one", "three"]
    assert [item.on for item in kept.judgements] == [(0, 1)]
    assert change.dropped.tolist() == [1] and change.edited.tolist() == [0]
    assert original(kept) == group


def test_duplicates_keep_the_first_and_contradictory_votes_stay() -> None:
    data = Feedback.of(
        [pair("a", "x", "y"), pair("b", "x", "y"), pair("c", "x", "y", vote(0.0)), pair("d", "x", "y", prompt="else")]
    )
    after, (change,) = apply(data, None, ["drop-duplicates"])
    assert after.ids() == ["a", "c", "d"]
    assert change.reasons == ("structure.duplicate",)


def test_near_duplicates_keep_the_first() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs away through the wide green field at dawn"
    rows = [pair("a", text, "no"), pair("b", text + "!", "no"), pair("c", "something else entirely is said here", "no")]
    finding = Finding("structure.near_duplicate", "high", "t", rows=np.arange(3), scores=np.ones(3))
    after, _ = apply(Feedback.of(rows), [finding], ["drop-near-duplicates"])
    assert after.ids() == ["a", "c"]


def test_prompts_are_kept_once() -> None:
    data = Feedback.of([pair("a", "x", "y"), pair("b", "u", "v"), pair("c", "u", "v", prompt="other")])
    assert apply(data, None, ["dedupe-prompts"])[0].ids() == ["a", "c"]


def test_comparisons_of_equal_answers_go_and_the_others_stay() -> None:
    answers = (Response("same"), Response("same"), Response("other"))
    group = Group("a", "p", answers, (vote(1.0, on=(0, 1)), vote(1.0, on=(0, 2)), vote(0.0, on=(1, 2))))
    after, (change,) = apply(Feedback.of([group, pair("b", "z", "z")]), None, ["drop-identical"])
    assert after.ids() == ["a"] and change.dropped.tolist() == [1]
    (kept,) = after
    assert [item.text for item in kept.responses] == ["same", "other"]
    assert [item.on for item in kept.judgements] == [(0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<|im_start|>assistant\nHello.<|im_end|>", "Hello."),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nYes<|eot_id|>", "Yes"),
        ("[INST] Why? [/INST] So.</s>", "Why?  So."),
        ("<start_of_turn>model\nFine<end_of_turn>", "Fine"),
        ("<s>Good", "Good"),
        ("a <s>struck</s", "a <s>struck</s"),
        ("<|im_<s>end|>x<|im_end|>", "<|im_<s>end|>x"),
        ("  spaces stay where no mark stood ", "  spaces stay where no mark stood "),
        ("if a < b | c > d: <span>html stays</span>", "if a < b | c > d: <span>html stays</span>"),
    ],
)
def test_template_marks_are_taken_out_and_nothing_else(text: str, clean: str) -> None:
    assert stripped(text) == clean
    assert stripped(stripped(text)) == stripped(text)


def test_an_answer_ends_where_another_speaker_begins() -> None:
    assert stripped("Assistant: Yes.\n\nHuman: And then?", answer=True) == "Yes."
    assert stripped("Human: And then?") == "Human: And then?"


def test_a_stripped_answer_loses_its_ids_because_they_hold_the_mark() -> None:
    answer = Response("Hi<|im_end|>", token_ids=(5, 9), logprobs=(-0.5, -0.25))
    prompt = (Message("user", "<s>hello"),)
    group = Group("a", prompt, (answer, Response("Ho", token_ids=(7,))), (vote(1.0),))
    finding = Finding("structure.template", "high", "t", rows=np.array([0]), scores=np.ones(1))
    (after,) = apply(Feedback.of([group]), [finding], ["strip-template"])[0]
    assert after.prompt == (Message("user", "hello"),)
    assert after.responses[0].text == "Hi" and after.responses[0].token_ids is None
    assert after.responses[1].token_ids == (7,)
    assert original(after) == group


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), max_size=60), st.integers(0, 5))
def test_balanced_pairs_have_as_many_of_either_sign_at_every_size(d: list[float], seed: int) -> None:
    values = np.array(d, np.float64)
    kept = values[~surplus(values, rng=np.random.default_rng(seed))]
    for low, high in ((0.02, 0.05), (0.2, 0.3), (0.8, 1.2), (2.4, 9.0)):
        inside = kept[(abs(kept) >= low) & (abs(kept) < high)]
        assert (inside > 0).sum() == (inside < 0).sum()
    assert (kept == 0).sum() == (values == 0).sum()


def test_weights_let_both_lengths_count_alike() -> None:
    rows = [pair(f"l{i}", "a longer answer", "short") for i in range(3)] + [pair("s", "short", "a longer answer")]
    after, (change,) = apply(Feedback.of(rows), None, ["balance-length:weight"])
    weights = [group.meta["weight"] for group in after]
    assert weights == pytest.approx([2 / 3] * 3 + [2.0], abs=1e-6)
    assert not len(change.dropped)


def test_fixes_follow_one_another_by_position() -> None:
    rows = [pair("e", "", "y"), pair("a", "x", "y"), pair("b", "x", "y"), pair("c", "bad", "good", prompt="c")]
    after, changes = apply(
        Feedback.of(rows), [noise([3], [1.0])], ["drop-empty", "drop-duplicates", "relabel-suspects:hard"]
    )
    assert after.ids() == ["a", "c"]
    assert [group.judgements[0].value for group in after] == [1.0, 0.0]
    assert [change.to_json()["dropped"] for change in changes] == [1, 1, 0]
    aside = dropped_rows(after, changes)
    assert aside is not None and [repairs(group)[0]["fix"] for group in aside] == ["drop-empty", "drop-duplicates"]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    data = Feedback.of([pair("a", "good", "bad"), pair("b", "bad", "good"), pair("c", "", "good")])
    after, changes = apply(data, [noise([1], [0.9])], ["drop-empty", "relabel-suspects:soft"])
    after.write(tmp_path / "clean.parquet")
    aside = dropped_rows(after, changes)
    assert aside is not None
    aside.write(dropped_beside(tmp_path / "clean.parquet"))
    again = Feedback.read(tmp_path / "clean.parquet")
    assert again.pairs().arrow().column("prob").to_pylist() == pytest.approx([1.0, 0.9])
    assert json.loads(json.dumps(repairs(list(again)[1])))[0]["note"] == "P(wrong) = 0.900"
    gone = Feedback.read(tmp_path / "clean.dropped.parquet")
    assert gone.ids() == ["c"]


def test_a_view_reads_only_what_it_needs_of_changed_groups() -> None:
    data = Feedback.of([pair("a", "good", "bad"), pair("b", "bad", "good")])
    after, _ = apply(data, [noise([0], [0.8])], ["relabel-suspects:hard"])
    assert [batch.schema.names for batch in after.batches(("judgements.value",))] == [["judgements"]]
    assert after.pairs().select("prob").arrow().column("prob").to_pylist() == [1.0, 1.0]
    assert [batch.column("text").to_pylist() for batch in after.texts()] == [["good", "bad", "bad", "good"]]


def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingError, match="no fix 'drop-empti'") as caught:
        load_fix("drop-empti")
    assert "drop-empty" in (caught.value.hint or "")
    for name in ("drop-empty:now", "relabel-suspects:loud", "drop-flagged", "drop-flagged:nothing.there"):
        with pytest.raises(SettingError):
            load_fix(name)


def test_a_finding_without_rows_cannot_be_dropped() -> None:
    data = Feedback.of([pair("a", "x", "y")])
    with pytest.raises(DataError, match="not about rows"):
        apply(data, [Finding("structure.empty", "high", "all of it")], ["drop-flagged:structure.empty"])


def test_a_group_that_does_not_change_gets_no_history() -> None:
    group = pair("a", "x", "y")
    assert changed(group, pair("a", "x", "y"), fix="nothing") is group
    assert original(group) is group


ODD = {
    "no judgements": [Group("a", "p", (Response("x"), Response("y")))],
    "no responses": [Group("a", "p"), Group("b", "q")],
    "no prompt": [Group("a", None, (Response("x"), Response("y")), (vote(1.0),))],
    "sources only": [Group("a", None, (Response(source="m"), Response(source="n")), (vote(1.0),))],
    "ratings only": [
        Group(
            f"g{k}",
            "p",
            (Response("x"), Response("y" * k), Response("")),
            tuple(Judgement("rating", (i,), value=float(i), low=0, high=5) for i in range(3)),
        )
        for k in range(1, 4)
    ],
    "emoji only": [pair("a", "🙂🙂🙂", "🙃"), pair("b", "🙂🙂🙂", "🙃")],
    "one class": [pair(f"g{k}", "long answer here", "short", prompt=f"q{k}") for k in range(5)],
    "conversations": [
        Group(
            "a",
            (Message("user", "hi"), Message("assistant", "ho<|im_end|>"), Message("user", "<s>well?")),
            (Response(messages=(Message("assistant", "yes</s>"),)), Response("no")),
            (vote(0.0),),
        )
    ],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", list(ODD))
def test_odd_data_is_mended_or_left_alone(what: str, name: str) -> None:
    data = Feedback.of(ODD[what])
    findings = [] if name == "drop-spammers" else None
    after, changes = apply(data, findings, [name])
    aside = dropped_rows(after, changes)
    assert len(after) + (0 if aside is None else len(aside)) == len(data)
    before = {group.id: group for group in data}
    assert all(original(group) == before[group.id] for group in after)


def test_marks_go_from_conversations_too() -> None:
    (after,) = apply(Feedback.of(ODD["conversations"]), None, ["strip-template"])[0]
    assert [turn.content for turn in after.prompt or ()] == ["hi", "ho", "well?"]  # type: ignore[union-attr]
    assert after.responses[0].content == "yes"


def test_many_identical_rows_leave_one() -> None:
    data = Feedback.of([pair(f"g{k}", "x", "y") for k in range(5_000)])
    after, (change,) = apply(data, None, ["drop-duplicates"])
    assert after.ids() == ["g0"] and len(change.dropped) == 4_999
