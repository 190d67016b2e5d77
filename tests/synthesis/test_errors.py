"""Injecting errors into correct responses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Response, check_judgement
from zermelo.synthesis import TextErrors, inject_errors
from zermelo.synthesis.edits import sound
from zermelo.worlds import Arithmetic

WORLD = Arithmetic()


def solved(n: int, *, wrong: bool = True) -> list[Group]:
    groups = []
    for group in WORLD.prompts(n, seed=5):
        texts = [WORLD.reference(group), *(["A: 12345"] if wrong else [])]
        with_texts = group.with_responses(Response(text, token_ids=(1, 2), source="policy") for text in texts)
        groups.append(with_texts.with_judgements(WORLD.verify(with_texts)))
    return groups


@pytest.mark.parametrize("follows", [0.0, 0.5, 1.0])
def test_every_twin_is_wrong_named_and_compared(follows: float) -> None:
    groups = solved(60)
    done = inject_errors(groups, WORLD, seed=0, follows=follows)
    kinds = set()
    for before, after in zip(groups, done, strict=True):
        assert (
            after.responses[:2] == before.responses and after.judgements[: len(before.judgements)] == before.judgements
        )
        (twin,) = after.responses[2:]
        assert twin.source == "injection" and twin.meta["of"] == 0 and twin.token_ids is None
        found = WORLD.check(after, twin.content)
        assert not found.complete
        assert not (twin.meta["follows"] and found.right)
        compared, label = after.judgements[len(before.judgements) :]
        assert (compared.kind, compared.on, compared.value, compared.outcome) == ("comparison", (0, 2), 1.0, "first")
        assert (label.kind, label.on, label.value) == ("label", (2,), 0.0)
        for judgement in after.judgements:
            check_judgement(judgement, len(after.responses))
        start, old, new = (twin.meta[key] for key in ("start", "before", "after"))
        assert before.responses[0].content[start:].startswith(old) and twin.content[start:].startswith(new)
        kinds.add(twin.meta["error"])
    assert kinds == {error.name for error in WORLD.errors}


def test_a_groups_errors_depend_on_its_id_and_the_seed_alone() -> None:
    groups = solved(20)
    done = inject_errors(groups, WORLD, seed=1)
    assert inject_errors(groups[::-1], WORLD, seed=1) == done[::-1]
    assert inject_errors(groups, WORLD, seed=2) != done


def test_a_share_of_the_right_responses_gets_a_twin() -> None:
    groups = solved(400, wrong=False)
    made = sum(len(group.responses) - 1 for group in inject_errors(groups, WORLD, seed=0, share=0.25))
    assert 70 <= made <= 130  # 100 expected, 3.5 standard deviations
    assert inject_errors(groups, WORLD, seed=0, share=0.0) == tuple(groups)


def test_responses_that_nobody_called_right_are_left_alone() -> None:
    groups = [replace(group, judgements=()) for group in solved(5)]
    assert inject_errors(groups, WORLD, seed=0) == tuple(groups)
    disputed = solved(1)[0].with_judgements([Judgement("label", (0,), by="person", value=0.0)])
    assert inject_errors([disputed], WORLD, seed=0) == (disputed,)
    assert len(inject_errors(groups, WORLD, seed=0, which="all")[0].responses) == 3


def test_only_the_kinds_asked_for_are_put_in() -> None:
    done = inject_errors(solved(40), WORLD, seed=0, kinds=["dropped_sign"])
    twins = [twin for group in done for twin in group.responses[2:]]
    assert twins and {twin.meta["error"] for twin in twins} == {"dropped_sign"}
    with pytest.raises(SettingError) as error:
        inject_errors([], WORLD, seed=0, kinds=["droped_sign"])
    assert error.value.hint == "did you mean `dropped_sign`?"


@pytest.mark.parametrize("settings", [{"share": 1.5}, {"follows": -0.1}, {"which": "some"}])
def test_wrong_settings_are_refused(settings: dict) -> None:
    with pytest.raises(SettingError, match="must be"):
        inject_errors([], WORLD, seed=0, **settings)


def test_solutions_of_any_origin_get_generic_errors_that_are_false() -> None:
    text = "Each of 4 boxes holds 3 kg.\nSo 3 * 4 = 12 kg in all, and 12 - 5 = 7 kg are left."
    group = Group("g", "How much is left?", (Response(text),))
    kinds = set()
    for seed in range(80):
        (done,) = inject_errors([group], TextErrors(), seed=seed, which="all")
        for twin in done.responses[1:]:
            kinds.add(twin.meta["error"])
            assert twin.content != text
            if twin.meta["error"] in ("wrong_substitution", "delete_term", "change_symbol", "swap_terms"):
                assert sound(twin.content) is not True
    assert kinds == {error.name for error in TextErrors.errors}


def test_texts_with_nothing_to_corrupt_and_turns_are_passed_over() -> None:
    groups = (Group("a", "?", (Response("Hm."), Response(""), Response(None, source="model"))), Group("b", None))
    assert inject_errors(groups, TextErrors(), seed=0, which="all") == groups
