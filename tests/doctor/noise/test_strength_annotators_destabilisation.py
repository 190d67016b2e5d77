"""`noise.strength`, `noise.annotators`, `noise.destabilisation` on planted data."""

from __future__ import annotations

import random

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.noise.annotators import AnnotatorNoise
from zermelo.doctor.noise.destabilisation import DestabilisationAudit, standings
from zermelo.doctor.noise.strength import Strength
from zermelo.doctor.protocol import Finding, Passed, Skipped
from zermelo.feedback import Feedback, Group, Judgement, Response


def crowd_groups(errors: dict[str, float], n: int = 500, each: int = 3, seed: int = 0) -> list[Group]:
    """Pairs whose first is better in half the cases, judged by people with known error rates."""
    rng = random.Random(seed)
    made = []
    for k in range(n):
        better = rng.random() < 0.5
        words = ["good " * rng.randint(1, 3), "bad " * rng.randint(1, 3)]
        ordered = words if better else words[::-1]
        sides = tuple(Response(f"{text}{k % 7}", source=f"m{k % 2 + i}") for i, text in enumerate(ordered))
        said = tuple(
            Judgement("comparison", (0, 1), by=name, value=float(better != (rng.random() < errors[name])))
            for name in rng.sample(sorted(errors), each)
        )
        made.append(Group(f"g{k}", f"question {k}", sides, said))
    return made


def test_a_noisy_annotator_is_named_with_his_rate() -> None:
    errors = {f"good {k}": 0.05 for k in range(5)} | {"bad": 0.4}
    (found,) = AnnotatorNoise().run(Case(Feedback.of(crowd_groups(errors))))
    assert isinstance(found, Finding) and found.table["annotator"][0] == "bad"
    assert found.table["noise"][0] == pytest.approx(0.4, abs=0.08)
    assert "1 of 6 annotators" in found.title and found.severity == "high"
    assert found.scores.max() == pytest.approx(found.table["noise"][0])


def test_equally_good_annotators_pass() -> None:
    (found,) = AnnotatorNoise().run(Case(Feedback.of(crowd_groups({f"a{k}": 0.05 for k in range(6)}))))
    assert isinstance(found, Passed) and found.figure is not None and found.figure.low <= 0.05 <= found.figure.high


def test_one_annotator_only_is_skipped() -> None:
    (found,) = AnnotatorNoise().run(Case(Feedback.of(crowd_groups({"a": 0.05}, each=1))))
    assert isinstance(found, Skipped) and "two annotators" in found.why
    (found,) = AnnotatorNoise().run(Case(Feedback.of([])))
    assert isinstance(found, Skipped)


def test_annotators_who_share_no_item_are_measured_by_the_probe() -> None:
    errors = {"a": 0.02, "b": 0.02, "c": 0.45}
    (found,) = AnnotatorNoise().run(Case(Feedback.of(crowd_groups(errors, n=1500, each=1))))
    assert isinstance(found, Finding) and found.table["annotator"][0] == "c"
    assert found.table["noise"][0] == pytest.approx(0.45, abs=0.1)


def test_strength_puts_flipped_pairs_into_the_wrong_band() -> None:
    made = crowd_groups({"a": 0.1}, n=600, each=1)
    (found,) = Strength().run(Case(Feedback.of(made)))
    assert isinstance(found, Finding) and found.severity == "info"
    wrong = [
        k for k, g in enumerate(made) if (g.judgements[0].value == 1.0) != g.responses[0].content.startswith("good")
    ]
    assert set(found.rows.tolist()) == set(wrong)
    assert found.plots[0]().body.startswith("<svg")
    assert sum(found.table["share"]) == pytest.approx(1)  # type: ignore[arg-type]
    (nothing,) = Strength().run(Case(Feedback.of([])))
    assert isinstance(nothing, Skipped)


def outcome_groups() -> list[Group]:
    """100 items: model a right on 80, b on 78 (a subset of a's), c on 20."""
    made = []
    for k in range(100):
        sides = tuple(Response(f"{name} says {k}", source=name) for name in "abc")
        right = (k < 80, k < 78, k < 20)
        said = tuple(Judgement("label", (i,), value=float(value)) for i, value in enumerate(right))
        made.append(Group(f"g{k}", f"q{k}", sides, said))
    return made


def test_close_models_can_change_places_and_distant_ones_cannot() -> None:
    case = Case(Feedback.of(outcome_groups()))
    found = standings(case)
    assert not isinstance(found, str)
    assert [(item.first, item.second) for item in found] == [("a", "b"), ("b", "c")]
    assert [item.turns_at for item in found] == pytest.approx([0.01, 0.29])
    (said,) = DestabilisationAudit(rate=0.05).run(case)
    assert isinstance(said, Finding) and said.severity == "info" and "1 of 2 neighbouring places" in said.title
    (said,) = DestabilisationAudit(rate=0.0).run(case)
    assert isinstance(said, Finding) and "0 of 2" in said.title and "stands" in said.title


def test_comparisons_of_sources_have_an_order_too() -> None:
    # x beats y 60 : 40; turning 10 of the 100 votes makes them equal
    sides = (Response(source="x"), Response(source="y"))
    made = [Group(f"g{k}", None, sides, (Judgement("comparison", (0, 1), value=float(k < 60)),)) for k in range(100)]
    found = standings(Case(Feedback.of(made)))
    assert not isinstance(found, str) and found[0].lead == pytest.approx(0.2)
    assert found[0].turns_at == pytest.approx(0.10)


def test_data_without_sources_is_skipped() -> None:
    (found,) = DestabilisationAudit().run(Case(Feedback.of([Group("a", "q", (Response("x"), Response("y")), ())])))
    assert isinstance(found, Skipped)
    assert np.isfinite(DestabilisationAudit(rate=0.1).rate or 0)
