"""Source separability: the catalogue's oracles."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.doctor.shortcut.separability import source_separability
from zermelo.errors import SettingError


def test_separability_is_chance_for_equal_distributions_and_one_for_an_offset() -> None:
    rng = np.random.default_rng(0)
    n, group = 800, np.arange(800)
    chosen, rejected = rng.normal(size=(2, n, 16))
    alike = source_separability(chosen, rejected, group)
    assert abs(alike.accuracy.value - 0.5) < 3 * np.sqrt(0.25 / (2 * n))
    offset = source_separability(chosen + 20, rejected, group)
    assert offset.accuracy.value == 1.0 and offset.auc == 1.0 and offset.paired.value == 1.0
    swap = rng.random(n) < 0.5
    shuffled = source_separability(
        np.where(swap[:, None], rejected, chosen + 20), np.where(swap[:, None], chosen + 20, rejected), group
    )
    assert abs(shuffled.accuracy.value - 0.5) < 0.06


@pytest.mark.parametrize(("style", "expected"), [(0.0, 0.57), (4.0, 0.97)])
def test_separability_rises_with_style_as_simulated(style: float, expected: float) -> None:
    rng = np.random.default_rng(1)
    n, d = 400, 64
    x = rng.normal(size=(2, n, d))
    x[0, :, 0] += 0.8
    x[0, :, 1] += style
    found = source_separability(x[0], x[1], np.arange(n), l2=30.0)
    assert found.accuracy.value == pytest.approx(expected, abs=0.05)
    assert np.mean(found.folds) == pytest.approx(found.accuracy.value, abs=1e-9)


def test_length_is_told_apart_from_what_remains_without_it() -> None:
    rng = np.random.default_rng(2)
    n = 1_000
    lengths = np.exp(rng.normal(5, 0.3, (n, 2)))
    lengths[:, 0] *= 2  # the longer one wins, and that is all there is
    log = np.log(lengths)
    found = source_separability(log[:, :1], log[:, 1:], np.arange(n), lengths=lengths)
    assert found.length_only.value > 0.85 and found.paired.value > 0.85
    assert found.without_length.value == pytest.approx(0.5, abs=0.06)


def test_pairs_of_one_source_are_the_control() -> None:
    rng = np.random.default_rng(3)
    n = 600
    x = rng.normal(size=(2, n, 8))
    other = np.arange(n) % 2 == 1
    x[0, other, 0] += 5  # a strong model's mark
    sources = (["strong" if apart else "own" for apart in other], ["own"] * n)
    found = source_separability(x[0], x[1], np.arange(n), sources=sources)
    assert found.other_source.value > 0.9 and abs(found.same_source.value - 0.5) < 0.08


def test_wrong_shapes_are_refused() -> None:
    x = np.ones((4, 2))
    for rejected, group in ((x[:3], np.arange(4)), (x, np.zeros(4, int))):
        with pytest.raises(SettingError):
            source_separability(x, rejected, group)
