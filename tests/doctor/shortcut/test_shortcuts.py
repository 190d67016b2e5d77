"""Audits of shortcuts: each finds its own, at the right strength, and chance where there is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.registry import AUDITS, load_audit
from zermelo.doctor.shortcut.sources import Constant
from zermelo.errors import SettingError
from zermelo.feedback import Feedback, Group, Judgement, Response

SHORTCUTS = [name for name in AUDITS if name.startswith("shortcut.")]
WORDS = [f"{one}{two}" for one in ("ba", "do", "ki", "lu", "me", "no") for two in ("ra", "su", "te", "vo", "za", "pi")]
Change = Callable[[np.random.Generator, int, str, bool], str]


def data(change: Change | None = None, n: int = 300, *, sources: bool = False, shown: bool = True) -> Case:
    """Pairs of random words; `change(rng, row, text, preferred)` puts the shortcut in."""
    rng = np.random.default_rng(11)
    rows = []
    for at in range(n):
        texts = [" ".join(rng.choice(WORDS, int(rng.integers(10, 30)))) + "." for _ in range(2)]
        first = bool(rng.random() < 0.5)
        if change is not None:
            texts = [change(rng, at, text, side == (0 if first else 1)) for side, text in enumerate(texts)]
        named = [str(name) for name in rng.choice(["red", "blue"], 2, replace=False)] if sources else [None, None]
        order = (0, 1) if rng.random() < 0.5 else (1, 0)
        vote = Judgement(
            "comparison",
            (0, 1),
            by="ann",
            value=float(first),
            outcome="first" if first else "second",
            shown=order if shown else None,
        )
        answers = tuple(Response(text, source=name) for text, name in zip(texts, named, strict=True))
        rows.append(Group(str(at), f"{' '.join(rng.choice(WORDS, 8))}?", answers, (vote,)))
    return Case(Feedback.of(rows))


def said(name: str, case: Case) -> Result:
    (found,) = load_audit(name).run(case)
    return found


@pytest.mark.parametrize("name", SHORTCUTS)
def test_without_a_shortcut_no_judge_beats_chance_by_much(name: str) -> None:
    found = said(name, data(sources=True))
    assert isinstance(found, Passed | Skipped) or (isinstance(found, Finding) and found.severity == "low")


PLANTED: dict[str, Change] = {
    "shortcut.length": lambda rng, at, text, good: text + " lura meza" * (10 if good and rng.random() < 0.9 else 0),
    "shortcut.format": lambda rng, at, text, good: f"- {text}\n- and more" if good else text,
    "shortcut.style": lambda rng, at, text, good: text.replace(".", "!") if good else text,
    "shortcut.ngram": lambda rng, at, text, good: text.replace(" ", " xylo ", 1) if good else text,
    "shortcut.prompt_free": lambda rng, at, text, good: text.replace(" ", " xylo ", 1) if good else text,
    "shortcut.separability": lambda rng, at, text, good: text.replace(" ", " xylo ", 1) if good else text,
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_shortcut_is_found(name: str) -> None:
    found = said(name, data(PLANTED[name]))
    assert isinstance(found, Finding) and found.severity == "high"
    assert found.figure is not None and found.figure.value > 0.8 and found.figure.low > 0.65
    assert float(found.details["auc"]) > 0.75
    assert len(found.rows) == len(found.scores) == len(set(found.rows.tolist())) > 150
    assert (np.diff(found.scores) <= 1e-12).all()
    for plot in found.plots:
        assert "<svg" in str(plot())


def test_the_length_audit_counts_who_is_longer_by_hand() -> None:
    texts = [("a" * 10, "a" * 20)] * 30 + [("a" * 30, "a" * 20)] * 15 + [("b" * 20, "a" * 20)] * 5
    vote = Judgement("comparison", (0, 1), value=1.0, outcome="first")
    rows = [
        Group(str(at), f"{WORDS[at % 36]} {at}?", (Response(one), Response(two)), (vote,))
        for at, (one, two) in enumerate(texts)
    ]
    found = said("shortcut.length", Case(Feedback.of(rows)))
    assert isinstance(found, Finding | Passed) and found.figure is not None
    assert found.details["chosen_longer"] == pytest.approx(0.3) and found.details["chosen_shorter"] == pytest.approx(
        0.6
    )
    assert found.details["longer_wins"] == pytest.approx(1 / 3)
    assert found.figure.value == pytest.approx((30 + 2.5) / 50)  # shorter wins; a tie is half


def test_the_curve_of_lengths_rises_where_the_judge_likes_them() -> None:
    def longer(rng: np.random.Generator, at: int, text: str, good: bool) -> str:
        return text + " lura" * (at % 40) if good else text

    found = said("shortcut.length", data(longer, 400))
    assert isinstance(found, Finding)
    wins = [float(value or 0) for value in found.table["longer wins"]]
    assert wins[-1] > 0.9 > wins[0] and sum(int(n or 0) for n in found.table["pairs"]) <= 400


def test_who_is_shown_first_is_read_from_what_was_shown() -> None:
    def rows(order: tuple[int, int] | None) -> Case:
        rng = np.random.default_rng(5)
        made = []
        for at in range(200):
            wins = bool(rng.random() < 0.7)  # the one named first
            shown = None if order is None else order
            vote = Judgement(
                "comparison", (0, 1), value=float(wins), outcome="first" if wins else "second", shown=shown
            )
            made.append(
                Group(str(at), f"ask {at} of {WORDS[at % 36]}", (Response(f"a{at}"), Response(f"b{at}")), (vote,))
            )
        return Case(Feedback.of(made))

    second, named = said("shortcut.position", rows((1, 0))), said("shortcut.position", rows(None))
    assert isinstance(second, Finding) and isinstance(named, Finding)
    assert float(second.details["first_wins"]) == pytest.approx(1 - float(named.details["first_wins"]))
    assert second.severity == "high" and second.figure is not None and 0.6 < second.figure.value < 0.8
    assert (second.details["order"], named.details["order"]) == ("shown", "named")


def test_an_order_that_was_lost_is_no_position_bias() -> None:
    vote = Judgement("comparison", (0, 1), value=1.0, outcome="first")
    rows = [Group(str(at), f"q {at}", (Response("yes"), Response("no")), (vote,)) for at in range(100)]
    found = said("shortcut.position", Case(Feedback.of(rows)))
    assert isinstance(found, Skipped) and "not recorded" in found.why


def test_a_source_that_always_wins_is_named() -> None:
    case = data(sources=True)
    rows = []
    for group in case.feedback:
        red = [item.source for item in group.responses].index("red")
        vote = Judgement("comparison", (0, 1), value=1.0 - red, outcome="second" if red else "first")
        rows.append(Group(group.id, group.prompt, group.responses, (vote,)))
    found = said("shortcut.source", Case(Feedback.of(rows)))
    assert isinstance(found, Finding) and found.severity == "high"
    assert found.table["source"] == ["red", "blue"] and found.table["wins"] == [1.0, 0.0]


@pytest.mark.parametrize("vary", [False, True], ids=["constant", "nearly"])
def test_a_source_that_says_the_same_to_all_is_flagged_and_nothing_else(vary: bool) -> None:
    rng = np.random.default_rng(7)
    null = "Thank you for your question, which is of course the best one that was ever asked by anybody, and"
    rows = []
    for at in range(60):
        honest = " ".join(rng.choice(WORDS, 20))
        empty = (
            f"{null} to number {at} I say it all again in the very same words as I have said it before."
            if vary
            else null
        )
        vote = Judgement("comparison", (0, 1), value=1.0, outcome="first")
        answers = (Response(empty, source="null"), Response(honest, source="honest"))
        rows.append(Group(str(at), f"{' '.join(rng.choice(WORDS, 6))} {at}?", answers, (vote,)))
    found = load_audit("shortcut.constant").run(Case(Feedback.of(rows)))
    assert [item.details["source"] for item in found if isinstance(item, Finding)] == ["null"]
    (only,) = found
    assert isinstance(only, Finding) and only.severity == "high" and only.details["win_rate"] == 1.0
    assert len(only.rows) == 60


def odd(kind: str) -> Case:
    vote = Judgement("comparison", (0, 1), value=1.0, outcome="first")
    tie = Judgement("comparison", (0, 1), value=0.5, outcome="tie")
    bare = (Response(source="a"), Response(source="b"))
    rows = {
        "nothing": [],
        "battles": [Group(str(at), None, bare, (vote,)) for at in range(60)],
        "one row": [Group("0", "why?", (Response("a"), Response("b")), (vote,))],
        "ties": [Group(str(at), f"{at}?", (Response("a"), Response("b")), (tie,)) for at in range(60)],
        "no pairs": [Group(str(at), f"{at}?", (Response(f"so {at}", source="me"),)) for at in range(60)],
        "one prompt": [Group(str(at), "why?", (Response(f"a {at}"), Response(f"b {at}")), (vote,)) for at in range(60)],
        "emoji": [Group(str(at), "🙈", (Response("😀" * at), Response("🎉" * 3)), (vote,)) for at in range(1, 60)],
        "equal": [Group(str(at), f"q {at}", (Response("same"), Response("same")), (vote,)) for at in range(60)],
    }[kind]
    return Case(Feedback.of(rows))


@pytest.mark.parametrize("name", SHORTCUTS)
@pytest.mark.parametrize("kind", ["nothing", "battles", "one row", "ties", "no pairs", "one prompt", "emoji", "equal"])
def test_odd_data_gets_an_answer(name: str, kind: str) -> None:
    found = load_audit(name).run(odd(kind))
    assert len(found) >= 1
    if kind in ("nothing", "one row", "ties"):
        assert all(isinstance(item, Skipped | Passed) for item in found)


def test_the_same_seed_gives_the_same_figures() -> None:
    one, two = (said("shortcut.ngram", data(PLANTED["shortcut.ngram"])) for _ in range(2))
    assert isinstance(one, Finding) and isinstance(two, Finding)
    assert one.figure == two.figure and one.table == two.table


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(SettingError):
        Constant(share=2.0)


def test_a_giveaway_in_a_script_without_spaces_is_found() -> None:
    signs = list("今天我们去河边修理旧桥因为气很好所以大家都高兴学习音乐")

    def written(rng: np.random.Generator, row: int, text: str, preferred: bool) -> str:
        drawn = list(rng.choice(signs, 40))
        drawn[int(rng.integers(40))] = "据" if preferred else "许"
        return "".join(drawn)

    (found,) = load_audit("shortcut.ngram").run(data(written))
    assert isinstance(found, Finding) and found.severity == "high"
    (blind,) = load_audit("shortcut.ngram").run(data(lambda rng, row, text, preferred: "".join(rng.choice(signs, 40))))
    assert not isinstance(blind, Finding)
