from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.stats import cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement

nan = np.nan
# Krippendorff's own example: four observers, twelve units
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
).T
# Fleiss 1971 as counts on Wikipedia's example: 10 subjects, 14 raters, 5 categories
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


@pytest.mark.parametrize(
    ("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_gives_the_published_values(scale: str, alpha: float) -> None:
    assert krippendorff_alpha(OBSERVERS, scale=scale) == pytest.approx(alpha, abs=5e-4)  # type: ignore[arg-type]


def test_fleiss_gives_the_published_value() -> None:
    ratings = np.array([np.repeat(np.arange(5), row) for row in FLEISS])
    assert fleiss_kappa(ratings) == pytest.approx(0.210, abs=5e-4)


def test_cohen_gives_the_value_computed_by_hand() -> None:
    table = np.array([[20, 5, 0], [4, 15, 1], [1, 2, 2]])
    first, second = np.repeat(np.arange(9) // 3, table.ravel()), np.repeat(np.arange(9) % 3, table.ravel())
    assert cohen_kappa(first, second) == pytest.approx(0.542254, abs=1e-6)
    assert percent_agreement(np.stack([first, second], axis=1)) == pytest.approx(0.74)
    words = np.array(["A", "B", "tie"])
    assert cohen_kappa(words[first], words[second]) == pytest.approx(0.542254, abs=1e-6)


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_weighted_kappa_agrees_with_scikit_learn(weights: str) -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    a = rng.integers(1, 6, 200)
    b = np.clip(a + rng.integers(-1, 2, 200), 1, 5)
    assert cohen_kappa(a, b, weights=weights) == pytest.approx(cohen_kappa_score(a, b, weights=weights))  # type: ignore[arg-type]


@given(st.lists(st.lists(st.sampled_from(["x", "y", "z", None]), min_size=3, max_size=3), min_size=2, max_size=12))
def test_renaming_labels_and_reordering_raters_changes_nothing(rows: list[list[str | None]]) -> None:
    renamed = [
        [None if label is None else {"x": 7.0, "y": -1.0, "z": 3.0}[label] for label in row[::-1]] for row in rows
    ]
    for measure in (percent_agreement, fleiss_kappa, krippendorff_alpha):
        first, second = measure(np.array(rows, dtype=object)), measure(np.array(renamed, dtype=object))
        assert first == pytest.approx(second, nan_ok=True)


def test_identical_raters_agree_perfectly_and_independent_ones_by_chance() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, 5000), rng.integers(0, 3, 5000)
    assert cohen_kappa(a, a) == 1
    assert abs(cohen_kappa(a, b)) < 0.05
    assert abs(krippendorff_alpha(np.stack([a, b], axis=1))) < 0.05


def test_agreement_of_constant_ratings_is_undefined_and_not_perfect() -> None:
    same = np.ones((5, 3))
    assert (
        np.isnan(fleiss_kappa(same)) and np.isnan(krippendorff_alpha(same)) and np.isnan(cohen_kappa(same[0], same[1]))
    )
    assert percent_agreement(same) == 1


def test_pandalm_annotators_agree_as_published(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "pandalm" / "items.parquet", columns=["annotator1", "annotator2", "annotator3"])
    a, b, c = (np.asarray(table.column(i)) for i in range(3))
    assert [cohen_kappa(a, b), cohen_kappa(a, c), cohen_kappa(b, c)] == pytest.approx(
        [0.848, 0.880, 0.847], abs=1e-3
    )  # printed to three digits


def test_anaesthetists_agree_well_beyond_chance(shared_data: Path) -> None:
    with (shared_data / "raters" / "anesthesia.csv").open() as file:
        rows = [(int(r["item"]), int(r["rater"]), int(r["occasion"]), int(r["rating"])) for r in csv.DictReader(file)]
    ratings = np.full((45, 7), nan)
    for item, rater, occasion, rating in rows:
        ratings[item - 1, rater + occasion - 2 if rater == 1 else rater + 1] = rating
    assert not np.isnan(ratings).any()
    assert krippendorff_alpha(ratings, scale="ordinal") > krippendorff_alpha(ratings) > 0.5
    # with seven ratings of all 45 items α and κ differ by the small-sample term only
    alpha, kappa = krippendorff_alpha(ratings), fleiss_kappa(ratings)
    assert alpha == pytest.approx(kappa + (1 - kappa) / ratings.size, abs=1e-12)


def test_unknown_scales_and_shapes_are_refused() -> None:
    with pytest.raises(SettingError, match="scale"):
        krippendorff_alpha(OBSERVERS, scale="cardinal")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="items, raters"):
        fleiss_kappa([1, 2, 3])
