from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import zoo

from zermelo.errors import DataError, SettingError, ZermeloWarning
from zermelo.feedback.journal import Journal
from zermelo.feedback.records import Group, Judgement, Message, Response
from zermelo.policies.sampling.decode import Decoder, decoder_for
from zermelo.policies.sampling.local import TransformersSampler, cut
from zermelo.policies.sampling.protocol import Sampler, Sampling
from zermelo.policies.sampling.streams import stream_seeds
from zermelo.policies.tokens import tokenise

PROMPTS = ["1+2=", "12*3+4=", "7=", "123456-1=", "1+2+3=", "9*9="]


@pytest.fixture(scope="module")
def sampler(tiny_llama: Any) -> TransformersSampler:
    return TransformersSampler(tiny_llama, Sampling(max_tokens=24), batch=12)


def plain_logps(model: Any, prompt: tuple[int, ...], ids: tuple[int, ...]) -> torch.Tensor:
    with torch.no_grad():
        logits = model(torch.tensor([prompt + ids]), use_cache=False).logits[0]
    return logits.float().log_softmax(-1)[len(prompt) - 1 : -1].gather(-1, torch.tensor(ids)[:, None])[:, 0]


def test_is_a_sampler(sampler: TransformersSampler) -> None:
    assert isinstance(sampler, Sampler)


def test_logprobs_are_those_of_a_plain_forward_though_prompts_are_padded(sampler: TransformersSampler) -> None:
    for group in sampler.sample(PROMPTS, n=3, seed=1):
        assert len(group.responses) == 3
        for response in group.responses:
            assert response.token_ids and response.logprobs and response.prompt_ids
            expected = plain_logps(sampler.policy.model, response.prompt_ids, response.token_ids)
            assert torch.allclose(torch.tensor(response.logprobs), expected, atol=1e-5)  # float32, 2 layers


def test_greedy_is_what_generate_gives(sampler: TransformersSampler) -> None:
    model = sampler.policy.model
    for group in sampler.sample(PROMPTS, sampling=Sampling(temperature=0.0, max_tokens=20)):
        (response,) = group.responses
        ids = torch.tensor([response.prompt_ids])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20)
        assert tuple(out[0, ids.shape[1] :].tolist()) == response.token_ids


def test_first_tokens_follow_the_policys_distribution(tiny_llama: Any) -> None:
    sampler = TransformersSampler(tiny_llama, Sampling(max_tokens=1), batch=4000)
    (group,) = sampler.sample(["1+2="], n=4000)
    share = torch.bincount(torch.tensor([r.token_ids[0] for r in group.responses]), minlength=50) / 4000  # type: ignore[index]
    with torch.no_grad():
        p = tiny_llama.model(torch.tensor([group.responses[0].prompt_ids])).logits[0, -1].softmax(-1)
    assert ((share - p).abs() < 4.5 * (p * (1 - p) / 4000).sqrt() + 1e-4).all()


def test_a_response_depends_on_seed_and_group_not_on_batch_or_company(sampler: TransformersSampler) -> None:
    whole = sampler.sample(PROMPTS, n=4, seed=3)
    alone = replace(sampler, batch=2).sample(PROMPTS[2:3], n=4, seed=3)
    assert [r.token_ids for r in alone[0].responses] == [r.token_ids for r in whole[2].responses]
    other = sampler.sample(PROMPTS, n=4, seed=4)
    assert [r.token_ids for r in other[2].responses] != [r.token_ids for r in whole[2].responses]


def test_samples_of_one_prompt_differ(sampler: TransformersSampler) -> None:
    (group,) = sampler.sample(["1+2="], n=8)
    assert len({r.token_ids for r in group.responses}) > 4


def test_ends_are_told_apart(tiny_llama: Any) -> None:
    responses = [
        r for g in TransformersSampler(tiny_llama, Sampling(max_tokens=16)).sample(PROMPTS, n=16) for r in g.responses
    ]
    assert {r.finish for r in responses} == {"stopped", "cut"}
    for response in responses:
        assert response.token_ids
        assert (response.finish == "stopped") == (response.token_ids[-1] == 2)
        assert response.finish == "stopped" or len(response.token_ids) == 16
        assert 2 not in response.token_ids[:-1]
        assert response.text == tiny_llama.template.decode(response.token_ids)


def test_a_stop_text_ends_a_response_and_stays_in_it(tiny_llama: Any) -> None:
    sampler = TransformersSampler(tiny_llama, Sampling(max_tokens=40, stop=("7", "1")))
    responses = [r for group in sampler.sample(PROMPTS, n=4) for r in group.responses]
    by_stop = [r for r in responses if r.finish == "stopped" and r.token_ids and r.token_ids[-1] != 2]
    assert by_stop
    assert all(r.text and r.text[-1] in "71" and not set(r.text[:-1]) & set("71") for r in by_stop)
    made = tokenise([Group("g", "1=", (by_stop[0],))], tiny_llama).tokens.groups[0].responses[0]
    assert made.ids == by_stop[0].token_ids and not made.finished  # no end token was sampled, none is trained


def test_sampled_groups_keep_who_they_are_and_nothing_that_was_said(sampler: TransformersSampler) -> None:
    given = Group("g7", "1=", (Response("2"),), (Judgement("label", (0,), value=1.0),), user="u", meta={"a": 1})
    (group,) = sampler.sample([given], n=2)
    assert (group.id, group.user, group.meta, group.origin) == ("g7", "u", {"a": 1}, "online")
    assert len(group.responses) == 2 and group.judgements == ()
    assert all(r.source == "tiny-llama" and r.sampling == {**r.sampling, "max_tokens": 24} for r in group.responses)


def test_changed_distributions_keep_their_own_logprobs_too(tiny_llama: Any) -> None:
    sampler = TransformersSampler(tiny_llama, Sampling(temperature=0.5, max_tokens=8))
    (group,) = sampler.sample(["1+2="])
    (r,) = group.responses
    with torch.no_grad():
        logits = tiny_llama.model(torch.tensor([r.prompt_ids + r.token_ids])).logits[0, len(r.prompt_ids) - 1 : -1]
    tempered = (logits / 0.5).log_softmax(-1).gather(-1, torch.tensor(r.token_ids)[:, None])[:, 0]
    assert torch.allclose(torch.tensor(r.meta["sampling_logprobs"]), tempered, atol=1e-5)
    assert torch.allclose(torch.tensor(r.logprobs), plain_logps(tiny_llama.model, r.prompt_ids, r.token_ids), atol=1e-5)


@pytest.mark.parametrize("finished", [0, 1, 2, 3])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_digit(
    sampler: TransformersSampler, tmp_path: Path, finished: int
) -> None:
    whole = sampler.sample(PROMPTS, n=4, seed=5)
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        assert sampler.sample(PROMPTS, n=4, seed=5, journal=journal) == whole
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2
    path.write_bytes(b"".join(lines[:finished]) + b'{"unit": "torn')
    with Journal(path) as journal:
        assert sampler.sample(PROMPTS, n=4, seed=5, journal=journal) == whole


def test_a_journal_of_other_weights_or_settings_is_not_taken_for_ones_own(
    sampler: TransformersSampler, tmp_path: Path
) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        first = sampler.sample(PROMPTS, seed=1, journal=journal)
        assert sampler.sample(PROMPTS, seed=2, journal=journal) != first
        weight = sampler.policy.model.lm_head.weight
        try:
            with torch.no_grad():
                weight.mul_(2)
            assert sampler.sample(PROMPTS, seed=1, journal=journal) != first
        finally:
            with torch.no_grad():
                weight.div_(2)
        assert sampler.sample(PROMPTS, seed=1, journal=journal) == first


def test_a_prompt_that_fills_the_context_has_no_answer_and_says_so(sampler: TransformersSampler) -> None:
    with pytest.warns(ZermeloWarning, match="1 of 2 prompts fill the context of 128"):
        long, short = sampler.sample(["1" * 200, "1="], n=2)
    assert [r.finish for r in long.responses] == ["error", "error"]
    assert "prompt of 200 tokens" in long.responses[0].meta["error"]
    assert all(r.finish != "error" for r in short.responses)


def test_prompt_and_response_stay_within_the_context(tiny_llama: Any) -> None:
    sampler = TransformersSampler(tiny_llama, Sampling(max_tokens=500))
    for group in sampler.sample(["1" * 120, "1="], n=4):
        assert all(len(r.prompt_ids) + len(r.token_ids) <= 128 for r in group.responses)


def test_more_samples_than_rows_are_cut_into_chunks(sampler: TransformersSampler) -> None:
    small = replace(sampler, batch=3).sample(["1=", "2="], n=7, seed=1)
    large = replace(sampler, batch=64).sample(["1=", "2="], n=7, seed=1)
    assert [[r.token_ids for r in g.responses] for g in small] == [[r.token_ids for r in g.responses] for g in large]


def test_chunks_hold_each_sample_once() -> None:
    lengths = [3, 1, 3, 2, 2, 1]
    for n, batch, padding in [(1, 2, True), (3, 2, True), (2, 7, False)]:
        order = sorted(range(6), key=lambda at: lengths[at])
        chunks = list(cut(order, lengths, n, batch, padding))
        rows = [(at, k) for places, numbers in chunks for at in places for k in numbers]
        assert sorted(rows) == [(at, k) for at in range(6) for k in range(n)]
        assert all(len(places) * len(numbers) <= max(batch, len(numbers)) for places, numbers in chunks)
        assert padding or all(len({lengths[at] for at in places}) == 1 for places, _ in chunks)


def test_sampling_leaves_the_mode_of_each_module(sampler: TransformersSampler) -> None:
    model = sampler.policy.model
    model.train()
    model.lm_head.eval()
    sampler.sample(["1="])
    assert model.training and not model.lm_head.training
    model.eval()


def test_messages_are_prompts_too(sampler: TransformersSampler) -> None:
    text, turns = sampler.sample(["1=", (Message("user", "1="),)])
    assert text.responses == turns.responses


def test_no_samples_and_no_prompt_are_refused(sampler: TransformersSampler) -> None:
    with pytest.raises(SettingError):
        sampler.sample(["1="], n=0)
    with pytest.raises(DataError):
        sampler.sample([Group("g", None)])


@pytest.mark.parametrize("name", [*zoo.BRANCHING, *zoo.ALONE])
def test_every_architecture_is_sampled_with_the_logprobs_of_its_plain_forward(name: str) -> None:
    model = zoo.build(name, torch.float32)
    prompts = [(5, 6, 7, 8), (9, 10, 11, 12, 13, 14)]
    decoder = decoder_for(model, prompts)
    assert decoder.cached == (name != "recurrent-gemma")  # it keeps its state in its modules, out of reach
    for batch in [prompts] if decoder.padding else [prompts[:1], prompts[1:]]:
        check_decoder(decoder, model, batch)


def test_without_a_cache_the_numbers_are_the_same(tiny_llama: Any) -> None:
    check_decoder(Decoder(tiny_llama.model, False, False, None), tiny_llama.model, [(5, 6, 7, 8), (9, 10, 11, 12)])


@torch.no_grad()
def check_decoder(decoder: Decoder, model: Any, prompts: list[tuple[int, ...]]) -> None:
    seeds = stream_seeds(0, ["a"] * 4 * len(prompts), range(4 * len(prompts)))
    found = decoder.decode(
        prompts, 4, seeds, Sampling(max_tokens=20), end_ids=(2, 3, 4), context=None, text_of=lambda ids: ""
    )
    for prompt, one in zip([p for p in prompts for _ in range(4)], found, strict=True):
        expected = plain_logps(model, prompt, one.ids)
        assert torch.allclose(torch.tensor(one.logps), expected, atol=2e-4), (expected, one.logps)
