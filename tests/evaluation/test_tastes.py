"""Tastes of several judges on equal terms, and the texts of cues."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.evaluation.cues import DISREGARD, with_cue
from zermelo.evaluation.dissection import Dissection
from zermelo.evaluation.tastes import compare_tastes
from zermelo.feedback import Feedback, Group, Judgement, Response


def judged(n: int = 60) -> Feedback:
    rng = np.random.default_rng(0)
    groups = []
    for number in range(n):
        texts = ["word " * int(rng.integers(40, 60)), "word " * int(rng.integers(1, 9))]
        votes = [Judgement("comparison", (0, 1), value=1.0, outcome="first", by="wordy")]
        if number < n // 2:
            votes.append(Judgement("comparison", (0, 1), value=0.0, outcome="second", by="brief"))
        responses = tuple(Response(text.strip(), source=f"s{i}") for i, text in enumerate(texts))
        groups.append(Group(id=f"g{number}", prompt=f"question {number}", responses=responses, judgements=tuple(votes)))
    return Feedback.of(groups)


def test_opposite_tastes_are_told_apart_on_as_many_pairs() -> None:
    found = compare_tastes(judged().pairs(), settings=Dissection(draws=50, folds=0))
    assert list(found.effects) == ["brief", "wordy"]
    assert [effects.n_pairs for effects in found.effects.values()] == [30, 30]
    assert found.n_pairs == 30
    length = found.table()[0]
    assert length["attribute"] == "length"
    assert length["brief"].high < 0.5 < length["wordy"].low
    assert found.similarity[0, 1] < -0.5
    assert found.to_json()["n_pairs"] == 30
    assert "wordy" in found.to_html()


def test_judges_without_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="two judges"):
        compare_tastes(judged(4).pairs(), ["wordy", "nobody"])
    with pytest.raises(DataError, match="two judges"):
        compare_tastes(judged(4).pairs(), ["wordy"])


@pytest.mark.parametrize("cue", ["bandwagon", "authority", "distraction", "reflection"])
def test_a_cue_adds_one_remark_and_changes_nothing_else(cue) -> None:
    text = with_cue("Which is larger?", ["two", "three"], cue=cue, points_at=0)
    plain = ["Which is larger?", "", "A. two", "B. three"]
    kept = [line for line in text.split("\n") if line in plain]
    assert kept == (plain if cue in ("bandwagon", "reflection") else [plain[0], "", plain[3]])
    assert len(text) > len("\n".join(plain)) + 20
    assert ("A" in text.split("\n")[-1]) or cue != "bandwagon"


def test_endorsements_vary_by_item_and_bad_cues_are_refused() -> None:
    asked = {with_cue("q", ["x", "y"], cue="authority", points_at=1, item=item) for item in range(5)}
    assert len(asked) == 5
    with pytest.raises(SettingError, match="cue must"):
        with_cue("q", ["x"], cue="flattery", points_at=0)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="index"):
        with_cue("q", ["x", "y"], cue="authority", points_at=2)
    assert "content" in DISREGARD
