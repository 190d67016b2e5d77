from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.evaluation import Diversity, Overoptimisation, PassAtK
from zermelo.search import best_of_n_kl

nan = np.nan


def test_gives_the_curve_computed_by_hand() -> None:
    proxy, gold = [[0.1, 0.4, 0.2, 0.9]] * 3, [[1, 0, 1, 0]] * 3
    found = Overoptimisation(n=(1, 2, 3, 4, 99), resamples=20).measure(proxy, gold)
    assert found.n == (1, 2, 3, 4) and found.best == 1
    assert [e.value for e in found.gold] == pytest.approx([0.5, 1 / 6, 0, 0], abs=1e-12)
    assert found.fall.value == pytest.approx(-0.5) and found.fall.high < 0
    assert found.kl == pytest.approx(best_of_n_kl([1, 2, 3, 4]))


def test_a_hacked_proxy_falls_and_an_honest_one_rises() -> None:
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(150, 32))
    trick = (rng.random((150, 32)) < 0.03) * 8.0  # a rare answer that the proxy loves and the truth hates
    found = Overoptimisation(n=(1, 2, 4, 8, 16, 32), resamples=300).measure(gold + trick, gold - trick)
    assert 1 < found.best < 32 and found.fall.high < 0
    assert all(a.value < b.value for a, b in zip(found.proxy[:-1], found.proxy[1:], strict=True))
    honest = Overoptimisation(n=(1, 8, 32), resamples=100).measure(gold, gold)
    assert honest.best == 32 and honest.fall.value == 0
    # the expected maximum of 32 standard normals
    assert honest.gold[-1].value == pytest.approx(2.0697, abs=0.08)


def test_one_set_of_prompts_stands_behind_the_whole_curve() -> None:
    proxy = np.array([[1, 2, 3, 4], [4, 3, 2, 1], [1, 2, nan, nan], [2, 1, 3, 4]], dtype=float)
    found = Overoptimisation(n=(1, 2, 4), resamples=20).measure(proxy, proxy)
    assert found.n == (1, 2, 4) and found.n_prompts == 3


def test_pass_at_k_averages_prompts_and_leaves_sizes_out_that_cannot_be_filled() -> None:
    correct = [[1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0] * 10]
    found = PassAtK(k=(1, 2, 5, 50), resamples=50).measure(correct)
    assert found.k == (1, 2, 5)
    assert [e.value for e in found.share] == pytest.approx([0.15, 0.2666665, 0.4583335], abs=1e-6)
    assert found.to_json()["k"] == [1, 2, 5] and "pass@5" in found.to_html()


def test_diversity_falls_when_samples_become_copies() -> None:
    fresh = [["the cat sat", "a dog ran off", "birds sing"], ["one two", "three four", "five six"]]
    copied = [["the cat sat"] * 3, ["one two"] * 3]
    a, b = Diversity(resamples=20).measure(fresh), Diversity(resamples=20).measure(copied)
    assert a.unique.value == 1 and b.unique.value == pytest.approx(1 / 3)
    assert a.self_bleu.value < b.self_bleu.value and a.jaccard.value > b.jaccard.value
    assert Diversity(most=2, resamples=20).measure([["a", "b", "a", "a"]]).unique.value == 1
    assert "self-BLEU" in a.to_html()


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(SettingError, match="same"):
        Overoptimisation().measure([[1, 2]], [[1, 2, 3]])
    with pytest.raises(SettingError, match="both proxy"):
        Overoptimisation().measure([[1, nan]], [[nan, 1]])
    with pytest.raises(SettingError, match="fewer than every n"):
        Overoptimisation(n=(8,)).measure([[1, 2]], [[1, 2]])
    with pytest.raises(SettingError, match="0 and 1"):
        PassAtK().measure([[0.5, 1]])
    with pytest.raises(SettingError, match="two samples"):
        Diversity().measure([["a"]])
