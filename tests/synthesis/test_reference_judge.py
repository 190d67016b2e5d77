"""Best and worst of N by a metric against a reference."""

from __future__ import annotations

import pytest

from zermelo.feedback.records import Group, Response
from zermelo.synthesis.reference_judge import best_worst, green, judged_by_reference


def test_first_of_equal_ends_is_taken_and_equal_scores_have_none() -> None:
    ends = best_worst([0.2, 0.9, 0.9, 0.2])
    assert (ends.best, ends.worst) == (1, 0)
    assert best_worst([0.4, 0.4, 0.4]) is None
    assert best_worst([0.4]) is None


def test_findings_over_findings_and_errors() -> None:
    assert green(3, 2) == pytest.approx(0.6)
    assert green(0, 0) == 0.0


def test_groups_get_ratings_and_a_pair_or_two_labels() -> None:
    groups = [Group(str(i), "p", tuple(Response(t) for t in "abc")) for i in range(2)]
    scores = [[0.1, 0.8, 0.5], [0.3, 0.3, 0.3]]
    paired, dropped = judged_by_reference(groups, scores)
    assert dropped == 1
    kinds = [judgement.kind for judgement in paired[0].judgements]
    assert kinds == ["rating"] * 3 + ["comparison"]
    assert paired[0].judgements[-1].on == (1, 0)
    labelled, _ = judged_by_reference(groups, scores, form="labels")
    assert [(j.on, j.value) for j in labelled[0].judgements[-2:]] == [((1,), 1.0), ((0,), 0.0)]
