"""Outliers, order and imbalance: found where planted, silent on what is well."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.geometry.groups import Groups, weak_groups
from zermelo.doctor.geometry.imbalance import Imbalance
from zermelo.doctor.geometry.order import Order
from zermelo.doctor.geometry.outliers import Outliers
from zermelo.doctor.protocol import Finding, Passed, Skipped
from zermelo.feedback import Feedback
from zermelo.feedback.records import Group, Judgement, Response

TOPICS = {
    "cooking": "boil stir oven flour butter taste salt simmer bake dough garlic pepper onion serve plate",
    "sailing": "wind sail rope harbour deck anchor tide mast crew storm compass wave rudder knot keel",
    "law": "court judge contract clause appeal statute lawyer verdict claim party breach rule trial oath",
}


def pairs(topics: list[str], seed: int = 0) -> list[Group]:
    rng = np.random.default_rng(seed)
    said = [" ".join(rng.choice(TOPICS[topic].split(), 20)) for topic in topics for _ in range(2)]
    return [
        Group(
            id=str(i),
            prompt=f"prompt {i}",
            responses=(Response(said[2 * i]), Response(said[2 * i + 1])),
            judgements=(Judgement(kind="comparison", on=(0, 1), value=1.0),),
        )
        for i in range(len(topics))
    ]


def test_an_answer_like_no_other_is_found() -> None:
    groups = pairs(["cooking", "sailing", "law"] * 40)
    strange = Group(
        id="strange",
        prompt="?",
        responses=(Response("zq xx yy 0x3f 0x9a lorem ipsum dolor sit"), Response(groups[0].responses[0].text)),
        judgements=(Judgement(kind="comparison", on=(0, 1), value=1.0),),
    )
    groups.insert(50, strange)
    (found,) = Outliers().run(Case(Feedback.of(groups)))
    assert isinstance(found, Finding)
    assert 50 in found.rows[:3]


def test_rows_sorted_by_topic_are_reported_and_shuffled_ones_are_not() -> None:
    (found,) = Order().run(Case(Feedback.of(pairs(["cooking"] * 40 + ["sailing"] * 40 + ["law"] * 40))))
    assert isinstance(found, Finding)
    assert found.figure is not None
    assert found.figure.value > 0.75
    mixed = np.random.default_rng(1).permutation(["cooking", "sailing", "law"] * 40).tolist()
    (passed,) = Order().run(Case(Feedback.of(pairs(mixed))))
    assert isinstance(passed, Passed)


def test_labels_that_nearly_all_say_yes_are_reported() -> None:
    def labelled(share: float) -> Feedback:
        return Feedback.of(
            Group(
                id=str(i),
                prompt="p",
                responses=(Response(f"answer {i}"),),
                judgements=(Judgement(kind="label", on=(0,), value=float(i >= share * 1000)),),
            )
            for i in range(1000)
        )

    (found,) = Imbalance().run(Case(labelled(0.02)))
    assert isinstance(found, Finding)
    assert found.figure is not None
    assert found.figure.value == pytest.approx(0.98)
    (passed,) = Imbalance().run(Case(labelled(0.5)))
    assert isinstance(passed, Passed)


def test_a_group_of_weaker_labels_is_named_and_equal_groups_are_not() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(8), 100)
    share = np.where(group == 5, 0.4, 0.8)
    assert weak_groups(group, rng.random(800) < share).tolist() == [5]
    named = [len(weak_groups(group, rng.random(800) < 0.8)) > 0 for _ in range(200)]
    assert np.mean(named) <= 0.03, "named by chance at most at the level of 0.01"


def test_labels_of_one_topic_that_are_noise_are_reported() -> None:
    rng = np.random.default_rng(1)
    groups = []
    for i in range(1200):
        topic = ["cooking", "sailing", "law"][i % 3]
        good, bad = (f"{' '.join(rng.choice(TOPICS[topic].split(), 12))} {word}" for word in ("thanks", "whatever"))
        wrong = topic == "law" and rng.random() < 0.5
        groups.append(
            Group(
                id=str(i),
                prompt=" ".join(rng.choice(TOPICS[topic].split(), 8)),
                responses=(Response(bad), Response(good)) if wrong else (Response(good), Response(bad)),
                judgements=(Judgement(kind="comparison", on=(0, 1), value=1.0),),
            )
        )
    (found,) = Groups().run(Case(Feedback.of(groups)))
    assert isinstance(found, Finding)
    assert np.mean(found.rows % 3 == 2) > 0.9


def test_too_few_texts_are_skipped_with_the_reason() -> None:
    case = Case(Feedback.of(pairs(["law"] * 3)))
    for audit in (Outliers(), Order(), Imbalance(), Groups()):
        (skipped,) = audit.run(case)
        assert isinstance(skipped, Skipped)
        assert skipped.why
