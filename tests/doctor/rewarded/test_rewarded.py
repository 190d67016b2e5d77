"""What is rewarded: planted tastes are named, and nothing is named where there is none."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.planted import clean
from zermelo.doctor.protocol import Finding, Passed, Skipped
from zermelo.doctor.rewarded.annotators import Annotators
from zermelo.doctor.rewarded.attributes import Attributes
from zermelo.doctor.rewarded.graph import AttributeGraph
from zermelo.feedback import Feedback, Group, Judgement, Response

EVERY = [Attributes(), Annotators(), AttributeGraph()]


def taste(prefer: Callable[[bool, bool, random.Random, str], bool], n: int = 300) -> Feedback:
    """Pairs in which each answer may be polite and may be longer; `prefer` says whether the first wins."""
    rng = random.Random(0)
    groups = []
    for number in range(n):
        answers, marks = [], []
        for _ in range(2):
            polite, long = rng.random() < 0.5, rng.random() < 0.5
            words = ["word", "thing", "place", "plan"] * (12 if long else 5)
            rng.shuffle(words)
            if polite:
                words[-3:] = ["glad", "to", "please"]
            answers.append(Response(" ".join(words)))
            marks.append((polite, long))
        by = f"annotator {number % 3}"
        gap = [a - b for a, b in zip(marks[0], marks[1], strict=True)]
        first = rng.random() < 0.5 if not any(gap) else prefer(gap[0] > 0, gap[1] > 0, rng, by) if gap[0] else None
        if first is None:
            first = rng.random() < 0.5
        groups.append(
            Group(f"g{number}", f"q{number}", tuple(answers), (Judgement("comparison", (0, 1), by=by, value=first),))
        )
    return Feedback.of(groups)


def likes_polite(polite: bool, long: bool, rng: random.Random, by: str) -> bool:
    return polite if rng.random() < 0.9 else not polite


def one_dislikes_it(polite: bool, long: bool, rng: random.Random, by: str) -> bool:
    return polite != (by == "annotator 1")


def test_the_attribute_that_decides_is_named_first() -> None:
    (result,) = Attributes().run(Case(taste(likes_polite)))
    assert isinstance(result, Finding) and result.severity == "info"
    assert result.table["attribute"][0] == "polite"
    assert result.figure is not None and result.figure.low > 0.55
    assert "polite" in result.title


def test_an_annotator_of_another_taste_is_named() -> None:
    (result,) = Annotators().run(Case(taste(one_dislikes_it)))
    assert isinstance(result, Finding)
    assert result.table["annotator"][0] == "annotator 1"
    assert result.table["attribute"][0] == "polite"
    assert result.table["difference"][0] < -0.5  # type: ignore[operator]
    (same,) = Annotators().run(Case(taste(likes_polite)))
    assert isinstance(same, Passed)


def test_the_graph_ties_the_choice_to_what_decides_it() -> None:
    (result,) = AttributeGraph().run(Case(taste(likes_polite)))
    assert isinstance(result, Finding)
    tied = [
        ({cause, effect} - {"preferred"}).pop()
        for cause, effect in zip(result.table["cause"], result.table["effect"], strict=True)
        if "preferred" in (cause, effect)
    ]
    assert tied[0] == "polite"  # it is counted per word, so length is tied to it a little
    assert "informal" not in tied and "steps" not in tied


@pytest.mark.parametrize("audit", EVERY, ids=lambda audit: audit.id)
def test_clean_data_rewards_no_attribute(audit: Attributes) -> None:
    (result,) = audit.run(Case(Feedback.of(clean(400, seed=8))))
    assert isinstance(result, Passed | Skipped)


@pytest.mark.parametrize("audit", EVERY, ids=lambda audit: audit.id)
def test_few_pairs_say_nothing(audit: Attributes) -> None:
    (result,) = audit.run(Case(Feedback.of(clean(20, seed=8))))
    assert isinstance(result, Skipped) and "100" in result.why
