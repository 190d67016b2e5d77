"""The arithmetic world: its prompts, its judgements, its corpus."""

from __future__ import annotations

import pytest

from zermelo.errors import DataError, SettingError
from zermelo.feedback.records import Group, Message, Response
from zermelo.worlds import Arithmetic, World, world
from zermelo.worlds.chains import check, problem
from zermelo.worlds.writers import corpus, dropped_sign, lost_carry

ARITHMETIC = Arithmetic()


def test_it_is_a_world_and_is_found_by_name() -> None:
    assert isinstance(ARITHMETIC, World)
    assert world("arithmetic") == ARITHMETIC
    with pytest.raises(SettingError, match="no world 'aritmetic'") as error:
        world("aritmetic")
    assert error.value.hint == "did you mean `arithmetic`?"


def test_prompts_are_distinct_repeatable_and_a_prefix_of_more() -> None:
    fifty = ARITHMETIC.prompts(50, seed=3)
    assert ARITHMETIC.prompts(80, seed=3)[:50] == fifty
    assert len({group.key for group in fifty}) == 50
    assert {group.prompt for group in ARITHMETIC.prompts(50, seed=4)} != {group.prompt for group in fifty}


def test_train_and_test_prompts_and_the_corpus_never_meet() -> None:
    held_out = {group.prompt for group in ARITHMETIC.prompts(500, seed=0, split="test")}
    assert held_out.isdisjoint(group.prompt for group in ARITHMETIC.prompts(2000, seed=0))
    assert held_out.isdisjoint(prompt for prompt, _, _ in ARITHMETIC.corpus(5000, 0))


def test_stories_and_expressions_come_in_turn() -> None:
    groups = Arithmetic(kinds=("expression", "story")).prompts(6, seed=0, difficulty=4)
    assert [group.meta["kind"] for group in groups] == ["expression", "story"] * 3
    assert all(len(ARITHMETIC.problem(group).terms) == 4 for group in groups)


def test_small_spaces_end_with_a_clear_line_and_not_with_an_endless_loop() -> None:
    with pytest.raises(SettingError, match="distinct expressions of difficulty 1 exist"):
        ARITHMETIC.prompts(4000, seed=0, split="test", difficulty=1)


@pytest.mark.parametrize("settings", [{"n": -1}, {"n": 1, "split": "dev"}])
def test_wrong_settings_are_refused(settings: dict) -> None:
    with pytest.raises(SettingError, match="must be"):
        ARITHMETIC.prompts(**settings, seed=0)
    with pytest.raises(SettingError, match="kinds"):
        Arithmetic(kinds=("verse",))


def test_verifies_each_response_and_each_step() -> None:
    group = Group(
        "g",
        "2+3+4=?",
        (Response("2+3=5\n5+4=9\nA: 9"), Response("2+3=6\n6+4=10\nA: 10"), Response("nine"), Response("")),
    )
    found = ARITHMETIC.verify(group)
    assert [(item.on[0], item.value) for item in found if item.kind == "label"] == [(0, 1), (1, 0), (2, 0), (3, 0)]
    assert [item.values for item in found if item.kind == "steps"] == [(1.0, 1.0), (0.0, 0.0)]
    assert ARITHMETIC.step_labels(group, "2+3=5\n5+4=8") == (1.0, 0.0)
    assert ARITHMETIC.reward(group, ARITHMETIC.reference(group)) == 1.0


def test_a_conversation_is_judged_by_its_last_message_and_no_prompt_is_bad_data() -> None:
    assert ARITHMETIC.reward(Group("g", (Message("system", "Be exact."), Message("user", "2+3=?"))), "A: 5") == 1.0
    with pytest.raises(DataError, match="prompt: missing"):
        ARITHMETIC.reward(Group("g", None), "A: 5")


@pytest.mark.parametrize(
    ("left", "operator", "right", "carry", "sign"),
    [
        (47, "+", 38, 75, None),
        (52, "-", 17, 45, None),
        (-8, "-", 7, -5, 15),
        (17, "-", 52, -45, 35),
        (-20, "+", 5, -25, 15),
        (40, "+", 12, None, None),
        (-35, "+", 52, 27, None),
        (6, "*", 7, None, None),
    ],
)
def test_bad_habits_give_the_slips_worked_by_hand(
    left: int, operator: str, right: int, carry: int | None, sign: int | None
) -> None:
    assert lost_carry(left, operator, right) == carry
    assert dropped_sign(left, operator, right) == sign


def test_careful_writers_are_right_and_careless_ones_slip_then_follow() -> None:
    rows = corpus(3000, seed=1)
    checked = [(writer, check(problem(prompt), text)) for prompt, text, writer in rows]
    assert all(found.complete for writer, found in checked if writer == "careful")
    wrong = [found for _, found in checked if not found.right]
    assert 0.25 < len(wrong) / len(rows) < 0.45
    assert {verdict for found in wrong for verdict in found.verdicts} == {"right", "slip", "follows"}
    followed = [v for found in wrong for v in found.verdicts[(found.first_slip or 0) + 1 :]]
    assert followed.count("follows") > followed.count("slip")
