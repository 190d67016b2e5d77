"""Traces cut, stopped and pruned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.synthesis.thinking_patterns import earliest_finish, prune_patterns, reasoning_cost, segments, trace_pair

TRACE = "First add 2. Wait, is that right? So 5.\nAlternatively, multiply. The sofa is red. But no."


def test_cuts_before_cue_words_that_begin_a_sentence() -> None:
    assert segments(TRACE) == [
        "First add 2. ",
        "Wait, is that right? ",
        "So 5.\n",
        "Alternatively, multiply. The sofa is red. ",
        "But no.",
    ]


@given(st.text(alphabet="aWwait. \nSo,But", max_size=80))
def test_segments_joined_are_the_trace(trace: str) -> None:
    assert "".join(segments(trace)) == trace


def test_the_earliest_finish_computed_by_hand() -> None:
    shares = (0.1, 0.2, 0.75, 0.9, 0.9)
    assert earliest_finish(shares, threshold=0.7) == 2
    assert earliest_finish(shares, threshold=0.95) is None
    found = [earliest_finish(shares, threshold=t / 20) for t in range(1, 19)]
    assert found == sorted(found)  # a lower threshold never comes later
    with pytest.raises(SettingError, match="threshold"):
        earliest_finish(shares, threshold=0.0)


def test_planted_waste_is_removed_and_what_is_needed_stays() -> None:
    pieces = ["2+3=5. ", "Wait, hmm. ", "So 5*2=10. ", "Another way. ", "But 11? "]
    planted = {1, 3, 2}  # the judge wrongly calls 2 useless too
    found = prune_patterns(
        pieces, 3, useful=lambda i, piece: i not in planted, still_right=lambda text: "5*2=10" in text
    )
    assert found.kept == (0, 2)
    assert found.text == "2+3=5. So 5*2=10. "
    assert found.removed == (1, 3, 4)
    assert found.needed == (2,)
    with pytest.raises(SettingError, match="until"):
        prune_patterns(pieces, 9, useful=lambda i, p: True, still_right=lambda t: True)


def test_pairs_prefer_the_pruned_trace() -> None:
    assert trace_pair("long trace", True, "short", True) == ("short", "long trace")
    assert trace_pair("x", False, "longer but right", True) == ("longer but right", "x")
    assert trace_pair("x", True, "longer", True) is None
    assert trace_pair("long trace", True, "short", False) is None


def test_cost_of_attention_is_quadratic() -> None:
    assert reasoning_cost(3000) / reasoning_cost(5000) == pytest.approx(0.36)
    assert reasoning_cost(10, parameters=3.0) == pytest.approx(50 + 60)
