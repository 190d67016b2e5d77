from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as peer

from zermelo.errors import SettingError
from zermelo.stats import cohen_d, equivalence_test, mcnemar, paired_bootstrap, permutation_test, sign_test

RNG = np.random.default_rng(0)
A = RNG.normal(0.4, 1, 30)
B = RNG.normal(0.0, 1, 30)


def test_the_sign_test_is_the_fair_coin() -> None:
    found = sign_test([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 5], [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 5])
    assert (found.wins, found.losses, found.ties) == (8, 2, 1)
    assert found.p_value == pytest.approx(112 / 1024)  # 2 (1 + 10 + 45) / 2^10
    assert found.p_value == pytest.approx(peer.binomtest(8, 10).pvalue)


def test_mcnemar_looks_at_the_items_that_disagree() -> None:
    first, second = np.repeat([1, 1, 0, 0], [30, 12, 3, 5]), np.repeat([1, 0, 1, 0], [30, 12, 3, 5])
    found = mcnemar(first, second)
    assert found.p_value == pytest.approx(peer.binomtest(12, 15).pvalue)
    assert found.difference == pytest.approx(9 / 50)
    with pytest.raises(SettingError, match="0 and 1"):
        mcnemar([0.5], [1.0])


def test_the_permutation_test_is_exact_where_all_patterns_can_be_listed() -> None:
    a, b = A[:10], B[:10]
    exact = peer.permutation_test((a - b,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert permutation_test(a, b).p_value == pytest.approx(exact)


def test_sampled_permutations_agree_with_the_t_test_of_normal_differences() -> None:
    p = permutation_test(A, B, permutations=20_000).p_value
    assert p == pytest.approx(peer.ttest_rel(A, B).pvalue, abs=0.01)
    assert p == permutation_test(A, B, permutations=20_000).p_value


def test_whole_clusters_are_flipped_so_copies_add_no_certainty() -> None:
    cluster = np.repeat(np.arange(30), 4)
    single, copied = permutation_test(A, B), permutation_test(np.repeat(A, 4), np.repeat(B, 4), cluster=cluster)
    assert copied.p_value == pytest.approx(single.p_value)
    assert copied.n == 30
    assert sign_test(np.repeat(A, 4), np.repeat(B, 4), cluster=cluster).wins == sign_test(A, B).wins


def test_swapping_the_systems_changes_the_sign_and_nothing_else() -> None:
    there, back = permutation_test(A, B), permutation_test(B, A)
    assert there.p_value == back.p_value and there.difference == -back.difference


def test_equivalence_is_two_one_sided_t_tests() -> None:
    a, b = A - A.mean(), B - B.mean()
    lower = peer.ttest_1samp(a - b, -0.5, alternative="greater").pvalue
    assert equivalence_test(a, b, margin=0.5).p_value == pytest.approx(lower)
    assert equivalence_test(A + 5, B, margin=0.5).p_value > 0.99


def test_the_paired_interval_is_narrower_than_the_unpaired_one_for_correlated_scores() -> None:
    shared = RNG.normal(size=200)
    found = paired_bootstrap(shared + 0.1, shared + RNG.normal(0, 0.1, 200))
    assert found.excludes(0) and found.high - found.low < 0.04
    assert cohen_d([2.0, 4.0], [1.0, 2.0]) == pytest.approx(1.5 / np.std([1, 2], ddof=1))


def test_missing_scores_are_left_out_in_pairs() -> None:
    found = paired_bootstrap([1.0, np.nan, 0.0], [0.0, 1.0, np.nan], cluster=["a", "b", "c"])
    assert found.value == 1.0 and found.n == 1
    with pytest.raises(SettingError, match="no item"):
        sign_test([np.nan], [1.0])
