"""Pairs down a hierarchy, and stability under explanation."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.feedback.records import Group, Response
from zermelo.synthesis.hierarchy import answer_levels, explanation_stability, hierarchy_pairs, leaks


def group(*texts: str) -> Group:
    return Group("q", "Which?", tuple(Response(text) for text in texts))


def pairs(levels, *texts: str, **settings) -> list[tuple[int, ...]]:
    return [judgement.on for judgement in hierarchy_pairs(group(*texts), levels, **settings).judgements]


def test_three_levels_give_three_pairs_down_the_hierarchy() -> None:
    assert pairs([1, 3, 2], "wrong", "reference", "right") == [(1, 0), (1, 2), (2, 0)]
    assert pairs([2, 2, None], "a", "b", "c") == []
    assert len(pairs([3, 3, 2, 2, 1, 1], *"abcdef", max_pairs=4)) == 4
    assert pairs([3, 1, 1], "a", "same", "same") == [(0, 1)]


def test_levels_come_from_answers_and_authorship() -> None:
    found = answer_levels(
        ["B", "B", "C", None, "C", "B"],
        "B",
        references=[True, False, False, False, True, True],
        texts=["x", "y", "z", "w", "v", "Since the answer is B, it follows."],
    )
    assert found == [3, 2, 1, None, None, None]
    assert leaks("because the correct answer is C") and not leaks("the fever is high")


def test_stability_is_a_paired_comparison() -> None:
    # 10 questions right only when answered directly, 2 only when explained, 8 both
    direct = np.array([1] * 10 + [0] * 2 + [1] * 8)
    explained = np.array([0] * 10 + [1] * 2 + [1] * 8)
    found = explanation_stability(direct, explained, unreadable=[0] * 19 + [1])
    assert found.drop == pytest.approx(0.4)
    assert found.p_value == pytest.approx(0.0385742, abs=1e-7)
    assert found.unreadable == pytest.approx(0.05)
