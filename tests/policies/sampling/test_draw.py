from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.policies.sampling.draw import draw, filtered
from zermelo.policies.sampling.protocol import Sampling
from zermelo.policies.sampling.streams import stream_seeds, uniform

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0, -torch.inf]])
P = LOGITS.softmax(-1)[0]


def test_streams_are_uniform_and_independent_of_each_other() -> None:
    seeds = stream_seeds(0, [f"g{i}" for i in range(200)], [0] * 200)
    u = np.stack([uniform(seeds, step) for step in range(200)])
    assert abs(u.mean() - 0.5) < 4 / np.sqrt(12 * u.size)
    assert abs(np.corrcoef(u[:-1].ravel(), u[1:].ravel())[0, 1]) < 4 / np.sqrt(u.size)
    assert abs(np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]) < 4 / np.sqrt(u.size)


def test_a_stream_depends_on_seed_group_and_number_alone() -> None:
    seeds = stream_seeds(7, ["a", "b"], [0, 3])
    assert stream_seeds(7, ["b"], [3])[0] == seeds[1]
    assert len({*seeds, stream_seeds(8, ["a"], [0])[0], stream_seeds(7, ["a"], [1])[0]}) == 4


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), P.tolist()),
        (Sampling(temperature=2.0), (LOGITS / 2).softmax(-1)[0].tolist()),
        (Sampling(top_k=2), [0.7310586, 0.2689414, 0, 0, 0]),  # 1/(1 + e^-1)
        (Sampling(top_p=0.8), [0.7310586, 0.2689414, 0, 0, 0]),  # 0.644 + 0.237 crosses 0.8
        (Sampling(top_p=0.5), [1.0, 0, 0, 0, 0]),
        (Sampling(min_p=0.3), [0.7310586, 0.2689414, 0, 0, 0]),  # e^-1 = 0.37 ≥ 0.3 > e^-2
    ],
    ids=repr,
)
def test_tokens_are_drawn_with_the_probabilities_that_the_settings_leave(
    sampling: Sampling, expected: list[float]
) -> None:
    u = (np.arange(20_000) + 0.5) / 20_000
    tokens, logps, drawn = draw(LOGITS.expand(20_000, -1), u, sampling)
    share = torch.bincount(tokens, minlength=5) / 20_000
    assert torch.allclose(share, torch.tensor(expected), atol=1e-4)
    assert torch.allclose(logps, P.log()[tokens])  # under the policy itself, whatever the settings
    assert torch.allclose(drawn.exp(), torch.tensor(expected)[tokens], atol=1e-6)


def test_temperature_zero_takes_the_likeliest() -> None:
    tokens, logps, drawn = draw(LOGITS.flip(-1), np.array([0.99]), Sampling(temperature=0.0))
    assert tokens.tolist() == [4] and logps.item() == pytest.approx(P[0].log().item()) and drawn.item() == 0.0


def test_the_tail_of_a_large_vocabulary_can_be_drawn() -> None:
    logits = torch.zeros(1, 200_000)
    tokens, _, _ = draw(logits.expand(2, -1), np.array([2.0**-54, 1 - 2.0**-53]), Sampling())
    assert tokens.tolist() == [0, 199_999]


@given(st.integers(0, 2**31), st.floats(0.1, 4), st.floats(0.05, 1), st.floats(0, 0.9), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_what_is_left_is_a_distribution_that_holds_the_likeliest(
    seed: int, temperature: float, top_p: float, min_p: float, top_k: int
) -> None:
    logps = torch.randn(3, 8, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)
    left = filtered(logps, Sampling(temperature=temperature, top_p=top_p, min_p=min_p, top_k=top_k))
    assert torch.allclose(left.exp().sum(-1), torch.ones(3))
    assert torch.equal(left.argmax(-1), logps.argmax(-1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_k": 0},
        {"max_tokens": 0},
        {"stop": "x"},
    ],
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        Sampling(**wrong)  # type: ignore[arg-type]
