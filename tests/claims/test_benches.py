"""The benches that claims share: their batches and gradients agree with arithmetic done another way."""

from __future__ import annotations

import math

import pytest
import torch

from zermelo.claims.benches import (
    END,
    Texts,
    TinyPolicy,
    accuracy,
    filler_pairs,
    fit,
    imitate,
    list_batch,
    mean_loss,
    pair_batch,
    sequence_batch,
)
from zermelo.objectives import DPO, SFT, ListMLE

TEXTS = Texts(torch.tensor([0, 0, 1, 1]), torch.tensor([[1, 2, 0], [2, 0, -1], [3, 3, 3], [0, -1, -1]]))


def by_hand(policy: TinyPolicy, prompt: int, tokens: list[int]) -> list[float]:
    """log π of each token, one state at a time."""
    found = []
    for t, token in enumerate(tokens):
        before = tokens[:t]
        h = policy.prompt[prompt] + policy.place[t] + policy.last[before[-1] if before else -1]
        if before:
            h = h + policy.bag[before].mean(0)
        found.append(float((policy.head @ torch.tanh(h) + policy.bias).log_softmax(0)[token].detach()))
    return found


def test_the_policy_gives_each_token_the_log_probability_computed_one_by_one() -> None:
    policy = TinyPolicy(4, 2, 3, hidden=5, seed=3)
    rows = [
        by_hand(policy, 0, [1, 2, 0]),
        by_hand(policy, 0, [2, 0]),
        by_hand(policy, 1, [3, 3, 3]),
        by_hand(policy, 1, [0]),
    ]
    assert policy.logps(TEXTS).tolist() == pytest.approx([value for row in rows for value in row], abs=1e-6)
    assert policy.sums(TEXTS).tolist() == pytest.approx([sum(row) for row in rows], abs=1e-6)
    assert TEXTS.lengths.tolist() == [3, 2, 3, 1]


def test_probabilities_of_all_short_texts_and_of_going_on_sum_to_one() -> None:
    policy = TinyPolicy(3, 1, 2, hidden=4, seed=1)
    texts = [[0], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]]
    tokens = torch.tensor([row + [-1] * (2 - len(row)) for row in texts])
    total = policy.sums(Texts(torch.zeros(7, dtype=torch.long), tokens)).detach().exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-6)


def test_samples_follow_the_probabilities() -> None:
    policy = TinyPolicy(3, 2, 2, hidden=4, seed=2)
    found = policy.sample(torch.ones(20_000, dtype=torch.long), seed=5)
    stopped = float((found.tokens[:, 0] == END).double().mean())
    one_one = float(((found.tokens[:, 0] == 1) & (found.tokens[:, 1] == 1)).double().mean())
    wanted = policy.sums(Texts(torch.ones(2, dtype=torch.long), torch.tensor([[0, -1], [1, 1]]))).exp().tolist()
    assert [stopped, one_one] == pytest.approx(wanted, abs=0.012)  # 3.5 standard errors of 20,000 draws
    assert bool((found.tokens[found.tokens[:, 0] == END, 1] == -1).all())


def test_pairs_of_texts_give_the_dpo_loss_of_their_sums() -> None:
    policy, ref = TinyPolicy(4, 2, 3, hidden=5, seed=3), TinyPolicy(4, 2, 3, hidden=5, seed=4)
    batch = sequence_batch(policy, TEXTS, ref)
    ratio = (policy.sums(TEXTS) - ref.sums(TEXTS)).reshape(2, 2)
    wanted = torch.log1p(torch.exp(-0.5 * (ratio[:, 0] - ratio[:, 1]))).mean()
    assert float(mean_loss(DPO(beta=0.5)(batch), batch).detach()) == pytest.approx(float(wanted.detach()), abs=1e-6)
    assert batch.finished.tolist() == [True, True, False, True]


def test_terms_are_averaged_over_their_own_axis_and_added() -> None:
    log_p, ref = torch.tensor([[-1.0, -2.0], [-0.5, -3.0]]), torch.tensor([[-1.5, -1.5], [-1.0, -1.0]])
    batch = pair_batch(log_p, ref)
    alone = [float(mean_loss(objective(batch), batch)) for objective in (DPO(), SFT())]
    assert float(mean_loss((DPO() + 2.0 * SFT())(batch), batch)) == pytest.approx(alone[0] + 2 * alone[1])


def test_a_list_of_two_is_a_pair() -> None:
    log_p, ref = torch.tensor([[-1.0, -2.0], [-0.5, -3.0]]), torch.tensor([[-1.5, -1.5], [-1.0, -1.0]])
    listed = list_batch(log_p, ref, torch.tensor([[2.0, 1.0], [5.0, 4.0]]))
    paired = pair_batch(log_p, ref)
    assert float(mean_loss(ListMLE()(listed), listed)) == pytest.approx(float(mean_loss(DPO()(paired), paired)))


def test_training_leaves_the_start_alone_and_lowers_the_loss() -> None:
    start = TinyPolicy(16, 10, 14, hidden=16, seed=0)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    pairs = filler_pairs(200, seed=1, right=1.0, longer=0.5)
    taught = imitate(start, pairs, steps=60, lr=1e-2)
    tuned = fit(taught, DPO(beta=0.1), pairs, steps=40, lr=3e-3)
    assert all(bool((value == before[name]).all()) for name, value in start.state_dict().items())
    assert float(taught.logps(pairs).mean()) > float(start.logps(pairs).mean()) + 0.3
    batch = sequence_batch(tuned, pairs, taught)
    assert float(mean_loss(DPO(beta=0.1)(batch), batch)) < 0.68  # log 2 at the start


def test_filler_pairs_are_confounded_as_asked() -> None:
    pairs = filler_pairs(4000, seed=7, right=0.9, longer=0.75)
    win, lose = pairs.lengths.reshape(-1, 2).unbind(1)
    right = (pairs.tokens[:, 0] == pairs.prompt + 1).reshape(-1, 2)
    assert bool((win != lose).all())
    assert bool((right.sum(1) == 1).all())
    assert float(right[:, 0].double().mean()) == pytest.approx(0.9, abs=0.02)
    assert float((win > lose).double().mean()) == pytest.approx(0.75, abs=0.025)
    assert bool(((pairs.tokens == END).sum(1) == 1).all())
    assert (int(pairs.lengths.min()), int(pairs.lengths.max())) == (4, 14)


def test_accuracy_is_the_probability_of_the_right_first_token() -> None:
    policy = TinyPolicy(6, 4, 3, hidden=5, seed=8)
    right = [by_hand(policy, prompt, [prompt % 2 + 1])[0] for prompt in range(4)]
    assert accuracy(policy, answers=2) == pytest.approx(sum(math.exp(value) for value in right) / 4, abs=1e-6)
