"""The claims' little language model: its probabilities, its samples, its batches."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")

from zermelo.claims.sequence_bench import (  # noqa: E402
    END,
    Texts,
    WindowLM,
    frozen,
    ragged,
    sample,
    take_step,
    texts_of,
    train,
)
from zermelo.objectives import DPO, SFT, IRepair  # noqa: E402


def test_probabilities_of_all_responses_sum_to_one() -> None:
    policy = WindowLM(5, window=3, seed=4)
    room = 3
    every: list[list[int]] = []
    for length in range(room + 1):  # those that end, and those cut at the room
        every += [list(y) for y in itertools.product((2, 3, 4), repeat=length)]
    texts = texts_of([[2, 3]] * len(every), every, room=room)
    batch = ragged(policy, texts)
    total = batch.response_sum(batch.logps).detach().exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-5)  # float32


def test_log_probabilities_are_the_models_at_the_right_places() -> None:
    policy = WindowLM(6, window=2, seed=1)
    batch = ragged(policy, texts_of([[2], [3]], [[4, 5], [5]], room=4))
    seen = [([0, 2], 4), ([2, 4], 5), ([4, 5], END), ([0, 3], 5), ([3, 5], END)]
    by_hand = [float(policy(torch.tensor([context]))[0, token]) for context, token in seen]
    assert batch.logps.tolist() == pytest.approx(by_hand, abs=1e-6)
    assert batch.lengths.tolist() == [3, 2]


def test_pinned_tokens_are_read_wherever_the_window_is() -> None:
    policy = WindowLM(6, window=1, pinned=2, seed=1)
    batch = ragged(policy, texts_of([[2, 3], [4, 3]], [[5, 5], []], room=4))
    seen = [([2, 3, 3], 5), ([2, 3, 5], 5), ([2, 3, 5], END), ([4, 3, 3], END)]
    by_hand = [float(policy(torch.tensor([context]))[0, token]) for context, token in seen]
    assert batch.logps.tolist() == pytest.approx(by_hand, abs=1e-6)
    prompts = torch.tensor([[2, 3]] * 20_000)
    drawn = sample(policy, prompts, room=1, rng=torch.Generator().manual_seed(0))
    found = float((drawn.responses == END).float().mean())
    wanted = float(policy(torch.tensor([[2, 3, 3]]))[0, END].exp())
    assert found == pytest.approx(wanted, abs=4 * (wanted / 20_000) ** 0.5)  # four standard errors


def test_samples_come_as_often_as_their_probability_says() -> None:
    policy = WindowLM(4, window=2, seed=2)
    drawn = sample(policy, torch.full((20_000, 1), 2), room=2, rng=torch.Generator().manual_seed(0))
    found = float((drawn.responses == torch.tensor([3, END])).all(1).float().mean())
    batch = ragged(policy, texts_of([[2]], [[3]], room=2))
    wanted = float(batch.logps.sum().exp())
    assert found == pytest.approx(wanted, abs=4 * (wanted / 20_000) ** 0.5)  # four standard errors


def test_the_kl_per_token_is_the_sum_over_the_vocabulary() -> None:
    policy, ref = WindowLM(5, window=2, seed=1), frozen(WindowLM(5, window=2, seed=2))
    texts = texts_of([[2]], [[3]], room=3)
    found = ragged(policy, texts, ref=ref, kl=True).extra_of("kl:ref:forward")
    for row, context in enumerate([[0, 2], [2, 3]]):
        p, q = ref(torch.tensor([context]))[0, 1:], policy(torch.tensor([context]))[0, 1:]
        assert float(found[row]) == pytest.approx(float((p.exp() * (p - q)).sum()), abs=1e-6)


def test_dpo_learns_which_of_two_words_is_liked() -> None:
    policy = WindowLM(5, window=2, seed=3)
    ref = frozen(policy)
    texts = texts_of([[2], [2]], [[3], [4]], room=2)
    train(policy, DPO(beta=1.0), lambda model, _: ragged(model, texts, ref=ref), steps=60, lr=0.01, seed=0)
    after, before = ragged(policy, texts).logps[[0, 2]], ragged(ref, texts).logps[[0, 2]]
    assert float((after - before)[0]) > 0 > float((after - before)[1])


def test_a_gradient_rule_moves_only_what_it_returns() -> None:
    policy = WindowLM(5, window=2, blocks=3, seed=3)
    ref, before = frozen(policy), {name: value.clone() for name, value in policy.named_parameters()}
    texts = texts_of([[2], [2]], [[3], [4]], room=2)
    batch = ragged(policy, texts, ref=ref, kl=True, flags={"part": torch.tensor([1.0, 0.0])})
    take_step(policy, torch.optim.Adam(policy.parameters(), lr=0.01), IRepair(lam=1.0), batch)
    moved = {name.split(".")[1] for name, value in policy.named_parameters() if not torch.equal(value, before[name])}
    assert len(moved) == 1
    assert moved <= {"0", "1", "2"}


def test_a_plain_step_follows_the_loops_average() -> None:
    policy = WindowLM(5, window=2, seed=3)
    texts = texts_of([[2], [2]], [[3], [4, 4, 4]], room=5)
    losses = take_step(policy, torch.optim.SGD(policy.parameters(), lr=0.0), SFT(of="all"), ragged(policy, texts))
    gradient = policy.head.bias.grad
    policy.zero_grad()
    (-ragged(policy, texts).logps.mean()).backward()
    assert torch.allclose(gradient, policy.head.bias.grad, atol=1e-6)
    assert len(losses.terms[0].each) == 6


def test_a_text_longer_than_its_room_is_cut_without_an_end() -> None:
    texts = texts_of([[2]], [[3, 4, 3]], room=2)
    assert texts.responses.tolist() == [[3, 4]]
    assert Texts(texts.tokens, 1).take(torch.tensor([0, 0])).lengths.tolist() == [2, 2]
