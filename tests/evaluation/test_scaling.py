"""The metric chain: worked numbers and invariances."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.evaluation.scaling import MetricChain, metric_chain, score_compute_correlations


def test_the_chain_is_that_worked_out_by_hand() -> None:
    p = np.array([[[0.02, 0.01, 0.03, 0.005]], [[0.04, 0.02, 0.02, 0.01]]])
    chain = metric_chain(np.log(p), np.array([0]))
    np.testing.assert_allclose(chain.p_vocab[:, 0], [0.02, 0.04])
    np.testing.assert_allclose(chain.p_choices[:, 0], [0.307692, 0.444444], atol=1e-6)
    np.testing.assert_allclose(chain.brier[:, 0], [0.721893, 0.419753], atol=1e-6)
    np.testing.assert_allclose(chain.accuracy[:, 0], [0, 1])


def test_a_constant_factor_leaves_what_is_renormalised() -> None:
    log_p = np.log(np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 5)))
    one, two = metric_chain(log_p, np.zeros(5, int)), metric_chain(log_p - 700.0, np.zeros(5, int))
    np.testing.assert_allclose(one.p_choices, two.p_choices)
    np.testing.assert_allclose(one.brier, two.brier)


def test_the_area_is_the_mean_plus_one_and_constants_are_left_out() -> None:
    scores = np.array([[0.1, 1.0], [0.2, 1.0], [0.3, 1.0]])
    chain = MetricChain(scores, scores, scores, -scores, scores)
    found = score_compute_correlations(chain, np.array([1.0, 10.0, 100.0]))["accuracy"]
    assert (found.mean, found.area, found.distance, found.n_constant) == (
        pytest.approx(1), pytest.approx(2), pytest.approx(0), 1,
    )  # fmt: skip
    assert score_compute_correlations(chain, np.array([1.0, 10, 100]))["brier"].mean == pytest.approx(1)
