"""Merging weights."""

from __future__ import annotations

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.policies.merging import dare, linear_merge, ties_merge

BASE = {"w": torch.zeros(4), "n": torch.tensor([7])}
ONE = {"w": torch.tensor([1.0, -2, 3, 0]), "n": torch.tensor([8])}
TWO = {"w": torch.tensor([1.0, 2, -1, 4]), "n": torch.tensor([9])}


def test_signs_are_elected_entry_by_entry() -> None:
    merged = ties_merge(BASE, [ONE, TWO], weights=[0.5, 0.5])
    assert merged["w"].tolist() == [1.0, 0.0, 3.0, 4.0]
    assert merged["n"].tolist() == [7]
    assert ties_merge(BASE, [ONE, TWO], weights=[0.5, 0.5], normalise=False)["w"].tolist() == [1.0, 0.0, 1.5, 2.0]


def test_equal_specialists_merge_into_themselves() -> None:
    start = {"w": torch.tensor([0.3, -1.0, 2.0, 0.0])}
    assert torch.allclose(ties_merge(start, [ONE, ONE], weights=[0.25, 0.25])["w"], ONE["w"])


def test_dropping_and_rescaling_keeps_the_mean() -> None:
    delta = torch.tensor([1.0, -2.0, 0.5])
    draws = torch.stack([dare(delta, density=0.25, generator=torch.Generator().manual_seed(s)) for s in range(2000)])
    error = (draws.mean(0) - delta).abs() / (draws.std(0) / 2000**0.5)
    assert (error < 3.5).all()  # three standard errors, three entries
    assert torch.equal(dare(delta, density=1.0, generator=torch.Generator()), delta)


def test_ends_of_the_line_are_exact() -> None:
    a, b = {"w": torch.randn(5)}, {"w": torch.randn(5)}
    assert torch.equal(linear_merge(a, b, share=1.0)["w"], a["w"])
    assert torch.equal(linear_merge(a, b, share=0.0)["w"], b["w"])
    assert torch.allclose(linear_merge(a, b, share=0.3)["w"], 0.3 * a["w"] + 0.7 * b["w"])


def test_bad_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="2 models and 1 weights"):
        ties_merge(BASE, [ONE, TWO], weights=[1.0])
    with pytest.raises(SettingError, match="density"):
        ties_merge(BASE, [ONE], weights=[1.0], density=0.0)
