"""MORE: equal sets train as plain, the common direction is followed, bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError, SettingError
from zermelo.scorers.more import MORE


def taste(rng: np.random.Generator, w: list[float], n: int) -> np.ndarray:
    """Differences whose sign is drawn from σ(w·d)."""
    d = rng.normal(size=(n, len(w)))
    won = rng.random(n) < 1 / (1 + np.exp(-d @ np.array(w)))
    return np.where(won[:, None], d, -d)


def test_equal_sets_train_as_plain_descent() -> None:
    d = taste(np.random.default_rng(0), [1.0, -1.0], 200)
    more = MORE(batch=0, steps=50).fit([d, d])
    plain = MORE(weighting="uniform", batch=0, steps=50).fit([d])
    assert more.w == pytest.approx(plain.w)
    w = np.zeros(2)
    for _ in range(50):  # by hand
        w += 0.5 * (d / (1 + np.exp(d @ w))[:, None]).mean(axis=0)
    assert plain.w == pytest.approx(w)


def test_the_common_direction_is_followed_and_private_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    sets = [taste(rng, [1.5, 3.0, 0.0], 300), taste(rng, [1.5, -3.0, 0.0], 3000)]
    more = MORE(steps=400).fit(sets)
    pooled = MORE(weighting="pooled", steps=400).fit(sets)
    assert abs(more.w[1]) < 0.25 * more.w[0]
    assert pooled.w[1] < -pooled.w[0]  # the larger set rules
    assert more.weights.shape == (400, 2) and more.weights.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("normalise", ["none", "l2", "loss", "loss+"])
def test_every_normalisation_lowers_every_loss(normalise: str) -> None:
    rng = np.random.default_rng(2)
    sets = [taste(rng, [2.0, 0.5], 400), taste(rng, [2.0, -0.5], 400)]
    found = MORE(normalise=normalise, steps=100, batch=0, rate=0.2).fit(sets)  # type: ignore[arg-type]
    assert (found.losses[-1] < found.losses[0]).all()


def test_nothing_to_train_on_and_impossible_settings_are_refused() -> None:
    with pytest.raises(DataError):
        MORE().fit([])
    with pytest.raises(DataError):
        MORE().fit([np.zeros((0, 2))])
    with pytest.raises(SettingError):
        MORE(alpha=0.0)
