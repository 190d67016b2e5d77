"""What to compare next, how many votes are needed, when to stop."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from zermelo.errors import SettingError
from zermelo.ranking.active import next_pairs, posterior, power
from zermelo.ranking.bradley_terry import BradleyTerry
from zermelo.ranking.counts import count
from zermelo.ranking.sequential import SequentialTest, settled


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
    found = next_pairs(rare, BradleyTerry().fit(rare), n=10, random_share=0.0, goal="ratings")
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
            for pair in next_pairs(
                counts, fitted, n=10, seed=len(rows) + seed, random_share=random_share, goal="ratings"
            ):
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


def test_the_gain_of_an_order_is_the_fall_of_the_weighted_variance() -> None:
    counts = league(120, size=5)
    fitted = posterior(counts)
    sigma, d = fitted.covariance, fitted.rating[:, None] - fitted.rating[None, :]

    def spread(table: np.ndarray) -> np.ndarray:
        return np.asarray(np.diag(table)[:, None] + np.diag(table)[None, :] - 2 * table)

    w = np.exp(-0.5 * d**2 / np.where(np.eye(5) > 0, 1, spread(sigma))) / np.where(np.eye(5) > 0, 1, spread(sigma))
    np.fill_diagonal(w, 0)
    for top, mask in ((None, np.ones((5, 5))), (2, None)):
        if mask is None:
            best = np.isin(np.arange(5), np.argsort(-fitted.rating)[:2])
            mask = best[:, None] != best[None, :]
        goal = "order" if top is None else "top"
        state = sigma
        for pair in next_pairs(counts, fitted, n=6, random_share=0.0, goal=goal, top=top or 5, max_repeats=9):
            i, j = (counts.players.index(name) for name in (pair.a, pair.b))
            p = 1 / (1 + math.exp(-d[i, j]))
            gains = {}
            for a, b in itertools.combinations(range(5), 2):  # brute force over all pairs
                pa = 1 / (1 + math.exp(-d[a, b]))
                x = np.eye(5)[a] - np.eye(5)[b]
                after = np.linalg.inv(np.linalg.inv(state) + pa * (1 - pa) * np.outer(x, x))
                gains[frozenset((a, b))] = float((w * mask * (spread(state) - spread(after))).sum() / 2)
            assert pair.gain == pytest.approx(gains[frozenset((i, j))], rel=1e-6)
            assert pair.gain == pytest.approx(max(gains.values()), rel=1e-6)
            x = np.eye(5)[i] - np.eye(5)[j]
            state = np.linalg.inv(np.linalg.inv(state) + p * (1 - p) * np.outer(x, x))


def test_dear_players_are_asked_less() -> None:
    counts = league(300)
    fitted = posterior(counts)
    plain = next_pairs(counts, fitted, n=10, random_share=0.0)
    dear = next_pairs(counts, fitted, n=10, random_share=0.0, cost={"p2": 50.0})
    assert any("p2" in (pair.a, pair.b) for pair in plain) and not any("p2" in (pair.a, pair.b) for pair in dear)
    with pytest.raises(SettingError, match="positive"):
        next_pairs(counts, fitted, cost={"p2": 0.0})
    with pytest.raises(SettingError, match="no such player"):
        next_pairs(counts, fitted, cost={"nobody": 1.0})
    with pytest.raises(SettingError, match="goal"):
        next_pairs(counts, fitted, goal="fame")


def test_the_best_are_asked_about_when_they_are_the_goal() -> None:
    counts = league(600, size=12, skills=np.linspace(2, -2, 12))
    found = next_pairs(counts, posterior(counts), n=20, random_share=0.0, goal="top", top=3)
    names = [name for pair in found for name in (pair.a, pair.b)]
    assert np.mean([int(name[1:]) < 6 for name in names]) > 0.8


def test_the_posterior_shrinks_as_much_as_the_players_are_alike() -> None:
    alike, apart = league(400, skills=np.zeros(6), seed=3), league(400, skills=np.linspace(2, -2, 6), seed=3)
    raw = [BradleyTerry().fit(counts).rating.std() for counts in (alike, apart)]
    kept = [posterior(counts).rating.std() / r for counts, r in zip((alike, apart), raw, strict=True)]
    assert kept[0] < 0.7 < 0.9 < kept[1]


def test_choosing_orders_a_wide_league_better_than_chance() -> None:
    """Twenty seeds, paired, in a league where most random pairs are foregone; the claim measures narrower ones."""
    from scipy.stats import kendalltau

    skill = np.linspace(4, -4, 14)
    size, names = len(skill), [str(i) for i in range(len(skill))]

    def after(chosen: bool, seed: int) -> float:
        rng = np.random.default_rng(seed)
        a = rng.integers(0, size, 60)
        rows = list(zip(a, (a + rng.integers(1, size, 60)) % size, strict=True))
        won = [float(rng.random() < 1 / (1 + math.exp(skill[j] - skill[i]))) for i, j in rows]
        for _ in range(6):
            counts = count(*(np.array(c) for c in zip(*rows, strict=True)), np.array(won), players=names)
            share = 0.0 if chosen else 1.0
            pairs = next_pairs(counts, posterior(counts), n=60, random_share=share, seed=len(rows))
            new = [(int(pair.a), int(pair.b)) for pair in pairs]
            rows += new
            won += [float(rng.random() < 1 / (1 + math.exp(skill[j] - skill[i]))) for i, j in new]
        counts = count(*(np.array(c) for c in zip(*rows, strict=True)), np.array(won), players=names)
        return float(kendalltau(posterior(counts).rating, skill).statistic)

    gain = np.array([after(True, seed) - after(False, seed) for seed in range(20)])
    assert gain.mean() > 2 * gain.std(ddof=1) / math.sqrt(20)


def test_many_players_are_weighed_within_a_pool_that_holds_every_piece() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3000, 6000)
    b = (a + rng.integers(1, 3000, 6000)) % 3000
    a, b = np.append(a, [3000, 3001]), np.append(b, [3001, 3000])
    counts = count(a, b, (rng.random(6002) < 0.5).astype(float), players=[f"p{i}" for i in range(3002)])
    found = next_pairs(counts, posterior(counts), n=8)
    assert len(found) == 8 and any({"p3000", "p3001"} & {pair.a, pair.b} for pair in found if pair.reason == "links")


def test_the_one_sided_e_value_is_an_integral_over_better_chances() -> None:
    from scipy.integrate import quad

    counts = count(np.zeros(12, dtype=int), np.ones(12, dtype=int), np.array([1.0] * 11 + [0.0]), players=["a", "b"])
    (found,) = settled(counts, alpha=0.5)
    wanted = 2 * quad(lambda p: (2 * p) ** 11 * (2 * (1 - p)), 0.5, 1)[0]
    assert (found.better, found.wins, found.losses) == ("a", 11, 1)
    assert found.log_e == pytest.approx(math.log(wanted))
    assert SequentialTest(side="first").log_e(11, 1) == pytest.approx(found.log_e, abs=1e-6)


def test_nothing_false_is_settled_though_the_chooser_looks_after_every_batch() -> None:
    """Equal players; the chooser always asks the pair that leads most: the error rate must hold for the whole board."""
    wrong = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        wins = np.zeros((4, 4))
        for _ in range(60):
            lead = wins - wins.T + 1e-6 * rng.random((4, 4))
            np.fill_diagonal(lead, -np.inf)
            i, j = np.unravel_index(int(np.argmax(lead)), (4, 4))
            more = rng.random(5) < 0.5
            wins[i, j] += more.sum()
            wins[j, i] += (~more).sum()
            first, second = np.nonzero(wins)
            n = wins[first, second].astype(int)
            counts = count(np.repeat(first, n), np.repeat(second, n), np.ones(n.sum()), players=list("abcd"))
            if settled(counts, alpha=0.2):
                wrong += 1
                break
    assert wrong / 400 <= 0.2  # whole-board bound; single pairs would cross log(1/0.2) far more often


def test_a_clear_difference_is_settled_and_ties_and_probabilities_say_nothing() -> None:
    score = np.array([1.0] * 60 + [0.0] * 10 + [0.5] * 40)
    counts = count(np.zeros(110, dtype=int), np.ones(110, dtype=int), score, players=["a", "b"])
    (found,) = settled(counts)
    assert (found.better, found.wins, found.losses) == ("a", 60, 10)
    with pytest.raises(SettingError, match="needs votes"):
        settled(count(np.array([0]), np.array([1]), np.array([0.7]), players=["a", "b"]))
    with pytest.raises(SettingError):
        settled(counts, alpha=0)
