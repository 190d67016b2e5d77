"""Graded versions of an answer."""

from __future__ import annotations

import pytest

from zermelo.errors import SettingError
from zermelo.synthesis.degrade import WORD, KeyContent, degrade, degrade_filler

TEXT = "The Eiffel Tower stands in Paris, and it was finished in 1889 by engineers of Gustave Eiffel."
KEY = KeyContent.of([TEXT, "The tower of Pisa leans.", "It was a day in Paris."])


def test_the_first_degree_is_untouched_and_more_goes_with_each() -> None:
    versions = degrade(TEXT, KEY, classes=4)
    assert [version.degree for version in versions] == [0, 1, 2, 3]
    assert versions[0].text == TEXT
    removed = [version.removed for version in versions]
    assert removed == sorted(removed)
    assert removed[1] > 0
    assert all(WORD.search(version.text) for version in versions)


def test_the_heaviest_word_goes_first_and_stop_words_never() -> None:
    assert KEY.ranked(TEXT)[0] == "eiffel"  # twice, and in one text only
    assert not {"the", "in", "and", "it"} & set(KEY.ranked(TEXT))
    most = degrade(TEXT, KEY, classes=3)[-1].text
    assert "Eiffel" not in most
    assert "The" in most


def test_short_answers_and_equal_seeds() -> None:
    assert degrade("Yes.", KEY, classes=3) == ()
    assert degrade(TEXT, KEY) == degrade(TEXT, KEY)
    with pytest.raises(SettingError, match="at least 2"):
        degrade(TEXT, KEY, classes=1)


def test_the_control_removes_filler_of_like_length() -> None:
    plain = degrade_filler(TEXT, KEY, characters=8, seed=0)
    assert len(TEXT) - len(plain) >= 8
    assert "Eiffel" in plain and "Paris" in plain
    assert plain == degrade_filler(TEXT, KEY, characters=8, seed=0)
