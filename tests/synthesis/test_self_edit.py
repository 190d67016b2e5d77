"""RISE: error-injected self-editing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.synthesis.edits import sound
from zermelo.synthesis.self_edit import (
    ERROR_OPERATORS,
    LINES,
    Edit,
    applicable_operators,
    edit_request,
    edit_span,
    pairs_to_groups,
    parse_edit,
    self_edit_pairs,
    strip_boxed,
)
from zermelo.worlds import Arithmetic

STEP = "3 * 4 = 12, then 12 + 5 = 17."
SOLUTION = "We work it out.\nStep 1: 3 * 4 = 12 boxes.\nStep 2: 12 + 5 = 17.\nStep 3: The answer is \\boxed{17}."


def question(
    right: str = SOLUTION, wrong: str = "Step 1: I say 3.", *, id: str = "q", prompt: str = "How many?"
) -> Group:
    labels = (Judgement("label", (0,), value=1.0), Judgement("label", (1,), value=0.0))
    return Group(id, prompt, (Response(right), Response(wrong)), labels)


def test_operators_apply_by_what_the_span_holds() -> None:
    arithmetic = {"wrong_substitution", "delete_term", "change_symbol", "swap_terms"}
    assert set(applicable_operators(STEP)) == {"change_values", *arithmetic}
    assert set(applicable_operators("He has 3 left.")) == {"change_value"}
    assert set(applicable_operators("x = y")) == arithmetic
    assert set(applicable_operators("Each box holds more.")) == {"misread_words"}
    assert set(applicable_operators("2nd")) == set()
    assert set(ERROR_OPERATORS) == {"change_value", "change_values", "misread_words", *arithmetic}


def test_long_steps_are_edited_from_the_fourth_last_sentence_on() -> None:
    assert edit_span("One. Two. Three") == (0, 15)
    text = "One. Two. Three. Four. Five.\nSix"
    assert text[slice(*edit_span(text))] == "Three. Four. Five.\nSix"
    assert edit_span("") == (0, 0)


def test_boxes_are_taken_off_with_their_nested_braces() -> None:
    assert strip_boxed(r"\boxed{\frac{1}{2}} and \boxed{3}") == r"\frac{1}{2} and 3"
    assert strip_boxed(r"\boxed{\boxed{4}}") == "4"
    assert strip_boxed(r"\boxed{5") == "5"
    assert strip_boxed("none") == "none"


def test_pairs_differ_inside_the_span_alone_and_share_their_prefix() -> None:
    seen = set()
    for seed in range(60):
        full, step = self_edit_pairs([question()], seed=seed)
        assert (full.kind, full.prefix, full.chosen, full.rejected) == ("full", "", SOLUTION, "Step 1: I say 3.")
        assert SOLUTION.startswith(step.prefix + step.chosen) and step.prefix.endswith(":")
        start, stop = step.span
        assert step.chosen != step.rejected and "\\boxed" not in step.rejected
        assert step.chosen[:start] == step.rejected[:start]
        assert step.operator in applicable_operators(step.chosen[start:stop])
        if sound(step.chosen):
            assert sound(step.rejected) is not True
        seen.add(step.prefix)
    assert len(seen) == 3


def test_without_step_pairs_it_is_sampled_pairs_alone() -> None:
    groups = [question(id=str(index)) for index in range(5)]
    pairs = self_edit_pairs(groups, seed=0, step_pairs=0)
    assert [pair.kind for pair in pairs] == ["full"] * 5
    assert [pair.kind for pair in self_edit_pairs(groups, seed=0)].count("step") == 5
    with pytest.raises(SettingError, match="step_pairs"):
        self_edit_pairs([], seed=0, step_pairs=-1)


def test_questions_without_both_sides_and_solutions_that_correct_themselves_are_left_out() -> None:
    only_right = replace(question(), judgements=(Judgement("label", (0,), value=1.0),))
    corrects = question(right="Step 1: 2 + 2 = 5. That was a mistake: 4.")
    asked_for = question(
        right="Step 1: There is a mistake.\nStep 2: 2 + 2 = 4.", prompt="What is wrong with 2 + 2 = 5?"
    )
    assert self_edit_pairs([only_right, corrects], seed=0) == ()
    assert len(self_edit_pairs([asked_for], seed=0)) == 2


def test_a_worlds_checker_decides_what_is_wrong() -> None:
    world = Arithmetic()
    groups = []
    for group in world.prompts(60, seed=2):
        texts = [world.reference(group), "A: 12345"]
        filled = group.with_responses(Response(text) for text in texts)
        groups.append(filled.with_judgements(world.verify(filled)))

    def wrong(group: Group, prefix: str, step: str) -> bool:
        return world.check(group, prefix + step).first_slip is not None

    pairs = self_edit_pairs(groups, seed=0, marker=LINES, wrong=wrong)
    steps = [pair for pair in pairs if pair.kind == "step"]
    assert len(steps) > 50
    by_id = {group.id: group for group in groups}
    for pair in steps:
        assert wrong(by_id[pair.origin], pair.prefix, pair.rejected)
        assert not wrong(by_id[pair.origin], pair.prefix, pair.chosen)


def test_pairs_become_groups_that_end_where_the_edited_step_ends() -> None:
    pairs = self_edit_pairs([question()], seed=0)
    full, step = pairs_to_groups(pairs)
    assert full.prompt == "How many?" and full.responses[0].finish is None
    assert step.prompt == "How many?" + pairs[1].prefix
    assert [response.finish for response in step.responses] == ["cut", "cut"]
    assert step.judgements[0].on == (0, 1) and step.judgements[0].value == 1.0
    assert step.meta["operator"] == pairs[1].operator


def test_a_model_that_edits_is_asked_and_its_fenced_block_is_read() -> None:
    request = edit_request(Edit("How many?", "Step 1:", " 3 * 4 = 12.", " 3 * 4 = 12.", "change_symbol"))
    assert "How many?" in request and ERROR_OPERATORS["change_symbol"] in request
    assert parse_edit("Here:\n```text\n3 + 4 = 12.\n```\nDone. ```\nno\n```") == "3 + 4 = 12."
    assert parse_edit("3 + 4 = 12.") is None
    assert parse_edit("```\n3 + 4 = 12, which is wrong\n```") is None

    def model(edit: Edit, rng: random.Random) -> str | None:
        return parse_edit(f"```\n{edit.span.replace('12', '13')}\n```")

    step = self_edit_pairs([question()], seed=0, editor=model)[1]
    assert step.rejected == step.chosen.replace("12", "13")


def test_an_editor_may_bring_its_own_list_of_errors() -> None:
    def edit(request: Edit, rng: random.Random) -> str | None:
        return request.span.replace("17", "71") if request.operator == "turned_digits" else None

    pairs = self_edit_pairs([question()], seed=0, editor=edit, operators=lambda span: ("turned_digits",), step_pairs=9)
    assert {pair.operator for pair in pairs[1:]} == {"turned_digits"}
    assert all("71" in pair.rejected for pair in pairs[1:])
