from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.stats import distinct_n, jaccard_diversity, self_bleu, unique_share

TEXTS = st.lists(st.text(alphabet="ab c.", max_size=12), min_size=2, max_size=5)


def test_gives_the_values_computed_by_hand() -> None:
    texts = ["the cat sat", "the cat ran"]
    assert distinct_n(texts, n=1) == pytest.approx(4 / 6)
    assert distinct_n(texts, n=2) == pytest.approx(3 / 4)
    assert jaccard_diversity(texts) == pytest.approx(1 - 2 / 4)
    # 1-grams 2/3, 2-grams (1 + 1) / (2 + 1), equal lengths: geometric mean
    assert self_bleu(texts, n=2) == pytest.approx(math.sqrt(2 / 3 * 2 / 3))
    assert unique_share(["a", "a ", "b"]) == pytest.approx(2 / 3)


def test_copies_have_no_diversity() -> None:
    copies = ["one two three four five"] * 3
    assert self_bleu(copies) == pytest.approx(1)
    assert jaccard_diversity(copies) == 0
    assert unique_share(copies) == pytest.approx(1 / 3)


def test_texts_without_a_common_word_share_nothing() -> None:
    assert self_bleu(["aa bb", "cc dd"]) == 0
    assert jaccard_diversity(["aa bb", "cc dd"]) == 1


@given(TEXTS)
def test_all_measures_stay_between_0_and_1_and_ignore_the_order(texts: list[str]) -> None:
    for measure in (unique_share, distinct_n, jaccard_diversity, self_bleu):
        value = measure(texts)
        assert math.isnan(value) or -1e-12 <= value <= 1 + 1e-12
        assert measure(texts[::-1]) == pytest.approx(value, nan_ok=True)


def test_a_single_text_has_no_pairwise_diversity() -> None:
    assert math.isnan(self_bleu(["a"])) and math.isnan(jaccard_diversity(["a"])) and math.isnan(unique_share([]))
