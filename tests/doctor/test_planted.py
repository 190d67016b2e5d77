"""Planted faults are found where they are, mended by the fix that the finding names, and clean data raises nothing."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.fixes import apply
from zermelo.doctor.held_to import check_one, false_alarms
from zermelo.doctor.planted import FAULTS, clean, plant
from zermelo.doctor.protocol import Finding
from zermelo.doctor.registry import AUDITS, load_audit
from zermelo.errors import SettingError
from zermelo.feedback import Feedback
from zermelo.worlds.replies import Crowd, ask, replies, share_covered

# fault → least precision, least recall
BOUNDS = {
    "duplicates": (1.0, 1.0),
    "near-duplicates": (1.0, 0.85),
    "template": (1.0, 1.0),
    "truncated": (1.0, 0.9),
    "truncated-chars": (1.0, 0.5),
    "empty": (1.0, 1.0),
    "identical": (1.0, 1.0),
    "leaked": (0.95, 0.95),
    "length-bias": (0.0, 0.0),
    "flipped": (0.7, 0.7),
}
KNOWN = [name for name in BOUNDS if set(FAULTS[name].audits) & set(AUDITS)]
MENDED = [name for name in KNOWN if name not in ("flipped", "leaked")]


@pytest.mark.parametrize("fault", KNOWN)
def test_a_planted_fault_is_found_where_it_is(fault: str) -> None:
    n = {"flipped": 600, "truncated": 1_500, "truncated-chars": 1_500}.get(fault, 300)
    made = plant(fault, clean(n, seed=5), seed=5)
    found = check_one(made, FAULTS[fault].rate)
    precision, recall = BOUNDS[fault]
    assert found.found and found.severity in ("medium", "high")
    if FAULTS[fault].of == "rows":
        assert found.precision >= precision
        assert found.recall >= recall
    assert found.estimated is not None
    assert abs(found.estimated.value - found.true) <= 0.05


@pytest.mark.parametrize("fault", ["spammer", "drifter", "tribes", "position-bias", "source-separable"])
def test_a_planted_habit_is_found_and_its_figure_holds(fault: str) -> None:
    made = plant(fault, clean(500, seed=4, votes=FAULTS[fault].votes), seed=4)
    found = check_one(made, FAULTS[fault].rate)
    assert found.found and found.severity in ("medium", "high")
    assert found.estimated is not None and abs(found.estimated.value - found.true) <= 0.05
    if FAULTS[fault].of == "annotators":
        assert found.precision == found.recall == 1.0


@pytest.mark.parametrize("fault", MENDED)
def test_what_the_finding_says_mends_it(fault: str) -> None:
    made = plant(fault, clean(300, seed=6), seed=6)
    (audit,) = [name for name in FAULTS[fault].audits[:1] if name in AUDITS]
    findings = [item for item in load_audit(audit).run(Case(made.feedback)) if isinstance(item, Finding)]
    (fix,) = {item.fix for item in findings}
    after, (change,) = apply(made.feedback, findings, [fix])
    again = load_audit(audit).run(Case(after))
    assert not [item for item in again if isinstance(item, Finding)]
    assert len(change.dropped) + len(change.edited) > 0
    assert len(after) + len(change.dropped) == len(made.feedback)


def test_dropping_suspects_leaves_fewer_wrong_labels() -> None:
    made = plant("flipped", clean(600, seed=7), rate=0.2, seed=7)
    after, (change,) = apply(made.feedback, None, ["drop-suspects"])
    left = np.setdiff1d(made.rows, change.dropped)
    assert len(left) / len(after) < 0.4 * made.rate
    again, (soft,) = apply(made.feedback, None, ["relabel-suspects:soft"])
    assert len(again) == 600
    assert np.mean(np.isin(soft.edited, made.rows)) > 0.7


@pytest.mark.parametrize(("fault", "fix"), [("spammer", "drop-spammers"), ("drifter", "drop-drifted")])
def test_votes_of_who_spams_or_drifts_go_and_the_others_stay(fault: str, fix: str) -> None:
    made = plant(fault, clean(500, seed=9, votes=3), seed=9)
    audit = FAULTS[fault].audits[0]
    after, (change,) = apply(made.feedback, None, [fix])
    assert not [item for item in load_audit(audit).run(Case(after)) if isinstance(item, Finding)]
    assert len(after) == 500 and len(change.edited) > 40
    votes = {name: [v for group in data for v in group.judgements if v.by == made.who[0]] for name, data in
             (("before", made.feedback), ("after", after))}  # fmt: skip
    others = sum(v.by != made.who[0] for group in after for v in group.judgements)
    assert len(votes["after"]) < 0.7 * len(votes["before"])
    assert others == sum(v.by != made.who[0] for group in made.feedback for v in group.judgements)


def test_clean_data_raises_nothing_high_in_a_few_draws() -> None:
    found = false_alarms(2, n=300)
    assert found.share.value == 0, found.by_audit


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_concerns_the_rows_it_names_and_no_others(fault: str) -> None:
    groups = clean(60, seed=1, votes=FAULTS[fault].votes)
    made = plant(fault, groups, seed=1)
    after = list(made.feedback)
    if FAULTS[fault].of == "rows" and fault not in ("flipped", "near-duplicates"):
        changed = [row for row, group in enumerate(after) if row >= 60 or group != groups[row]]
        assert changed == made.rows.tolist()
    assert len({group.id for group in after}) == len(after)
    assert [group.id for group in plant(fault, groups, seed=1).feedback] == [group.id for group in after]


def test_the_clean_world_is_right_but_for_slips_and_says_nothing_by_length() -> None:
    groups = replies(1_500, seed=2, crowd=Crowd(error=0.02))
    covered = [[share_covered(group, item.content) for item in group.responses] for group in groups]
    wins = np.array([group.judgements[0].value == 1 for group in groups])
    better = np.array([a > b for a, b in covered])
    longer = np.array([len(group.responses[0].content) > len(group.responses[1].content) for group in groups])
    assert 0.005 < np.mean(wins != better) < 0.04
    assert abs(np.mean(wins == longer) - 0.5) < 0.05
    assert abs(np.mean(wins) - 0.5) < 0.05


def test_wrong_settings_are_refused() -> None:
    for make in (
        lambda: plant("flips", clean(3)),
        lambda: plant("flipped", clean(3), rate=0.0),
        lambda: Crowd(votes=13),
        lambda: replies(-1, seed=0),
    ):
        with pytest.raises(SettingError):
            make()


def test_a_question_names_its_subjects() -> None:
    import random

    prompt, subjects = ask(random.Random(0))
    assert all(f"the {item}" in prompt for item in subjects) and 3 <= len(subjects) <= 5
    assert Feedback.of(replies(2, seed=0)).ids() == ["replies-0-0", "replies-0-1"]
