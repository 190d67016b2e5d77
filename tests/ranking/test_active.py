"""What to compare next, how many votes are needed, when to stop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zermelo.ranking.active import SequentialTest, next_pairs, power
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import count


def league(n: int, seed: int = 0, size: int = 6, skills: np.ndarray | None = None):
    rng = np.random.default_rng(seed)
    skill = np.linspace(1, -1, size) if skills is None else skills
    first = rng.integers(0, size, n)
    second = (first + rng.integers(1, size, n)) % size
    score = (rng.random(n) < 1 / (1 + np.exp(skill[second] - skill[first]))).astype(float)
    return count(first, second, score, players=[f"p{i}" for i in range(size)])


def test_pieces_are_linked_first() -> None:
    counts = count(np.array([0, 1, 2, 3]), np.array([1, 0, 3, 2]), np.ones(4), players=list("abcd"))
    first = next_pairs(counts, BradleyTerry().fit(counts), n=3)[0]
    assert first.reason == "links"
    assert {first.a, first.b} & {"a", "b"}
    assert {first.a, first.b} & {"c", "d"}


def test_the_most_uncertain_pair_is_asked_and_not_over_and_over() -> None:
    counts = league(600)
    rare = count(
        np.concatenate([counts.first, [0, 6]]), np.concatenate([counts.second, [6, 0]]),
        np.concatenate([counts.score / counts.n, [1.0, 1.0]]), players=[*counts.players, "new"],
        weight=np.concatenate([counts.n, [1.0, 1.0]]),
    )  # fmt: skip
    found = next_pairs(rare, BradleyTerry().fit(rare), n=10, random_share=0.0)
    assert all("new" in (pair.a, pair.b) for pair in found[:4])
    assert len({(pair.a, pair.b) for pair in found}) > 2


def test_choosing_by_information_beats_choosing_at_random() -> None:
    skill = np.linspace(2, -2, 8)
    players = [str(i) for i in range(8)]

    def information_after(random_share: float, seed: int) -> float:
        """log-determinant of the information at the true skills, 120 votes after a round robin of 32."""
        rng = np.random.default_rng(seed)
        rows = [(i, (i + 1) % 8, float(rng.random() < 0.5)) for i in range(8) for _ in range(4)]
        for _ in range(12):
            counts = count(*(np.array(column) for column in zip(*rows, strict=True)), players=players)
            fitted = BradleyTerry(prior=0.1).fit(counts)
            for pair in next_pairs(counts, fitted, n=10, seed=len(rows) + seed, random_share=random_share):
                i, j = int(pair.a), int(pair.b)
                rows.append((i, j, float(rng.random() < 1 / (1 + math.exp(skill[j] - skill[i])))))
        information = np.zeros((8, 8))
        for i, j, _ in rows:
            x = np.eye(8)[i] - np.eye(8)[j]
            p = 1 / (1 + math.exp(skill[j] - skill[i]))
            information += p * (1 - p) * np.outer(x, x)
        return float(np.log(np.linalg.eigvalsh(information)[1:]).sum())

    gain = [information_after(0.0, seed) - information_after(1.0, seed) for seed in range(4)]
    assert np.mean(gain) > 0.3


def test_the_votes_still_needed_match_the_textbook() -> None:
    counts = league(800, skills=np.array([0.1, 0.0, 0.0, 0.0, 0.0, -0.1]))
    fitted = BradleyTerry(errors="model").fit(counts)
    found = power(fitted, "p0", "p1")
    p = 1 / (1 + math.exp(-found.difference))
    wanted = ((1.959964 + 0.841621) / found.difference) ** 2 - 1 / found.error**2
    assert found.separated or found.votes == pytest.approx(math.ceil(wanted / (p * (1 - p))))


def test_the_e_value_is_the_beta_mixture() -> None:
    # uniform mixture: 2^n w! l!/(n + 1)!
    assert SequentialTest().log_e(7, 3) == pytest.approx(math.log(2**10 * math.factorial(7) * 6 / math.factorial(11)))
    assert SequentialTest().log_e(0, 0) == pytest.approx(0)
    assert SequentialTest(side="first").log_e(9, 1) > SequentialTest().log_e(9, 1)


def test_looking_after_every_vote_keeps_the_error_rate() -> None:
    rng = np.random.default_rng(0)
    wins = np.cumsum(rng.random((800, 300)) < 0.5, axis=1)
    test = SequentialTest(alpha=0.05)
    stopped = sum(any(test.stop(int(w), n - int(w)) for n, w in enumerate(path, 1)) for path in wins)
    assert stopped / 800 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 800)
