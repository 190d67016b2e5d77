"""The style world: its notes are measured back exactly, its annotators judge as their settings say."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.feedback.records import Group, Response, check_judgement
from zermelo.worlds import World, world
from zermelo.worlds.annotators import Annotator, judge, tribes
from zermelo.worlds.notes import Attributes, Brief, Style, brief, measure, tell_brief, write_note
from zermelo.worlds.style import REWARDS, STYLES, Notes

NOTES = Notes()
PROMPT = "Note to Ana: door red, desk 7, call Ben. >"
TASK = Brief("Ana", (("door", "red"), ("desk", "7"), ("call", "Ben")))

GOLDEN = [
    ("Dear Ana. The door is red. Your desk is 7. Call Ben. Thank you!", Attributes(14, 2, 0, 0, 1.0, 0)),
    ("Hi Ana. Good news! Perhaps the door is blue. Please call Ben.", Attributes(12, 1, 1, 1, 1 / 3, 1)),
    ("Hi Ana. Alas. I think your desk is 7. Bring the tea.", Attributes(12, 0, -1, 1, 1 / 3, 1)),
    ("", Attributes(0, 0, 0, 0, 0.0, 0)),
]


@pytest.mark.parametrize(("text", "attributes"), GOLDEN)
def test_notes_are_measured_as_counted_by_hand(text: str, attributes: Attributes) -> None:
    assert brief(PROMPT) == TASK
    assert measure(TASK, text) == attributes


@given(seed=st.integers(0, 10**6), n_facts=st.integers(1, 5))
def test_what_a_writer_puts_in_is_what_the_measure_finds(seed: int, n_facts: int) -> None:
    rng = random.Random(seed)
    task = brief(tell_brief(rng, n_facts))
    assert len(task.facts) == n_facts
    sure = Style("sure", polite=1, hedge=1, glad=1, sad=0, keep=1, wrong=0)
    found = measure(task, write_note(task, sure, rng))
    assert (found.kept, found.wrong, found.hedging, found.sentiment) == (1.0, 0, n_facts, 1)
    assert found.politeness >= 2
    false = measure(task, write_note(task, replace(sure, wrong=1, hedge=0, polite=0), rng))
    assert (false.kept, false.wrong, false.hedging, false.politeness) == (0.0, n_facts, 0, 0)


def test_it_is_a_world_with_splits_that_never_meet() -> None:
    assert isinstance(world("style"), World)
    test = {group.prompt for group in NOTES.prompts(200, seed=0, split="test")}
    assert test.isdisjoint(group.prompt for group in NOTES.prompts(1000, seed=0))
    assert NOTES.prompts(5, seed=1) == NOTES.prompts(9, seed=1)[:5]
    assert all(NOTES.reward(group, NOTES.reference(group)) > 0.85 for group in NOTES.prompts(50, seed=2))


def test_rewards_lie_in_the_unit_interval_and_styles_differ_in_them() -> None:
    groups = NOTES.prompts(150, seed=0)
    means = {}
    for style in STYLES:
        notes = [write_note(brief(str(g.prompt)), style, random.Random(g.id)) for g in groups]
        found = [NOTES.measure(group, note) for group, note in zip(groups, notes, strict=True)]
        for name, reward in REWARDS.items():
            values = [reward(attributes) for attributes in found]
            assert all(0 <= value <= 1 for value in values)
            means[style.name, name] = sum(values) / len(values)
    assert means["exact", "faithful"] > means["unsure", "faithful"] + 0.1
    assert means["warm", "polite"] > means["curt", "polite"] + 0.3
    assert means["curt", "concise"] > means["warm", "concise"]
    assert means["exact", "plain"] == 1.0


@pytest.mark.parametrize("kind", [error.name for error in Notes.errors])
def test_an_injected_error_is_seen_by_the_measure_and_is_local(kind: str) -> None:
    made = 0
    for group in NOTES.prompts(60, seed=4):
        text = NOTES.reference(group)
        edited = NOTES.inject(group, text, random.Random(group.id), kind=kind)
        if edited is None:
            continue
        made += 1
        assert text[edited.start :].startswith(edited.before)
        before, after = NOTES.measure(group, text), NOTES.measure(group, edited.text)
        assert {
            "changed_fact": after.wrong == 1 and after.kept < 1,
            "lost_fact": after.wrong == 0 and after.kept < 1,
            "added_hedge": after.hedging == before.hedging + 1 and after.kept == 1,
        }[kind]
    assert made > 50


def test_verifies_facts_and_rates_what_is_liked() -> None:
    group = Group("g", PROMPT, tuple(Response(text) for text, _ in GOLDEN))
    found = NOTES.verify(group)
    for judgement in found:
        check_judgement(judgement, len(group.responses))
    assert [item.value for item in found if item.kind == "label"] == [1.0, 0.0, 0.0, 0.0]
    assert NOTES.step_labels(group, GOLDEN[1][0]) == (1.0, 1.0, 0.0, 1.0)


def test_wrong_settings_and_prompts_are_refused() -> None:
    with pytest.raises(SettingError) as error:
        Notes(liked="polit")
    assert error.value.hint == "did you mean `polite`?"
    for bad in ({"n": -1}, {"n": 1, "difficulty": 9}, {"n": 1, "split": "dev"}):
        with pytest.raises(SettingError):
            NOTES.prompts(**bad, seed=0)
    with pytest.raises(DataError, match="no brief"):
        NOTES.reward(Group("g", "What is 2+2?"), "4")


def pair(better: str = "Dear Ana. The door is red. Call Ben.", worse: str = "Hi.") -> list[Group]:
    return [Group(str(index), PROMPT, (Response(better), Response(worse))) for index in range(2000)]


def share(annotator: Annotator, groups: list[Group]) -> float:
    return sum(votes[0].value or 0 for votes in annotator.compare(groups)) / len(groups)


def test_an_annotator_votes_with_the_probability_of_its_utility() -> None:
    def utility(group: Group, text: str) -> float:
        return float("red" in text)

    annotator = Annotator("a", utility, sharpness=1.5)
    expected = 1 / (1 + math.exp(-1.5))
    assert annotator.prefers(pair()[0], 0, 1) == pytest.approx(expected)
    assert share(annotator, pair()) == pytest.approx(expected, abs=0.035)  # 2,000 votes: four standard errors
    flipping = replace(annotator, flip=0.3)
    assert share(flipping, pair()) == pytest.approx(0.7 * expected + 0.3 * (1 - expected), abs=0.04)
    long = replace(annotator, sharpness=1e-9, length_bias=2.0)
    assert long.prefers(pair()[0], 0, 1) == pytest.approx(1 / (1 + math.exp(-2.0 * 7 / 10)))


def test_a_position_bias_favours_what_is_shown_first_and_evens_out_over_orders() -> None:
    annotator = Annotator("a", lambda group, text: 0.0, position_bias=2.0)
    votes = [votes[0] for votes in annotator.compare(pair())]
    first_won = sum((vote.value == 1.0) == (vote.shown == (0, 1)) for vote in votes) / len(votes)
    assert first_won == pytest.approx(1 / (1 + math.exp(-2.0)), abs=0.035)
    assert sum(vote.value or 0 for vote in votes) / len(votes) == pytest.approx(0.5, abs=0.05)


def test_indifference_is_a_declared_tie_and_votes_depend_on_ids_alone() -> None:
    annotator = Annotator("a", lambda group, text: 0.0, indifferent=0.1)
    vote = annotator.compare(pair()[:1])[0][0]
    assert (vote.value, vote.outcome) == (0.5, "tie")
    sharp = Annotator("b", NOTES.reward)
    assert sharp.compare(pair()[:20][::-1])[::-1] == sharp.compare(pair()[:20])


def test_tribes_disagree_and_a_crowd_sees_each_group() -> None:
    crowd = tribes([Notes("polite").reward, Notes("concise").reward], [3, 2], sharpness=40.0)
    polite = "Dear Ana. Thank you! Please call Ben. Please bring the tea. The door is red. Your desk is 7. Good news!"
    group = Group("g", PROMPT, (Response(polite), Response("Call Ben.")))
    (judged,) = judge([group], crowd)
    assert [item.value for item in judged.judgements] == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert len(judge([group], crowd, per_group=2)[0].judgements) == 2
    with pytest.raises(SettingError, match="expected as many"):
        tribes([NOTES.reward], [1, 2])
    with pytest.raises(SettingError, match="flip"):
        Annotator("a", NOTES.reward, flip=2)
