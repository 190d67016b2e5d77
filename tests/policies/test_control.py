"""Control tokens: soft prompts that are ids like any others, and parameters of their own."""

from __future__ import annotations

import copy

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.feedback.records import Group, Judgement, Message, Response
from zermelo.objectives import MEET, RaggedBatch
from zermelo.policies.control import add_controls, controlled
from zermelo.policies.engine import group_logprobs
from zermelo.policies.tokens import tokenise

GROUPS = [
    Group(
        "q",
        "2+2=",
        (Response("4"), Response("5"), Response("6")),
        (Judgement("label", on=(0,), value=1.0, by="me"), Judgement("label", on=(1,), value=0.0, by="me")),
    )
]


def said(group: Group, place: int) -> str | None:
    found = [judgement.value for judgement in group.judgements if judgement.on == (place,)]
    return ("good" if found[0] else "bad") if found else None


@pytest.fixture
def policy(tiny_llama):
    return copy.deepcopy(tiny_llama)


def test_a_control_is_a_soft_prompt_before_the_prompt(policy) -> None:
    plain = policy.model.get_input_embeddings()
    tuned, controls = add_controls(policy, ["good", "bad"], length=3, seed=1)
    table = tuned.model.get_input_embeddings()
    with torch.no_grad():
        table.control += torch.randn(6, table.control.shape[1], generator=torch.Generator().manual_seed(0))
    tokens = tokenise(controlled(GROUPS, controls, said), tuned).tokens
    assert len(tokens.groups) == 3
    found = group_logprobs(tuned, tokens).logps
    wanted = []
    for group, label in zip(tokens.groups, ("good", "bad", None), strict=True):
        ids = list(group.prompt)
        if label is not None:
            assert [token for token in ids if token >= controls.first] == list(controls.ids(label))
        ids += group.responses[0].ids
        rows = torch.stack(
            [table.control[token - controls.first] if token >= controls.first else plain.weight[token] for token in ids]
        )
        logits = tuned.model(inputs_embeds=rows[None]).logits[0].log_softmax(-1)
        wanted += [float(logits[place - 1, ids[place]]) for place in range(len(group.prompt), len(ids))]
    assert found.detach().tolist() == pytest.approx(wanted, abs=1e-4)  # float32, two layers


def test_without_a_control_nothing_changes(policy, tiny_llama) -> None:
    tuned, _ = add_controls(policy, ["good"], length=2)
    before = group_logprobs(tiny_llama, tokenise(GROUPS, tiny_llama).tokens).logps
    after = group_logprobs(tuned, tokenise(GROUPS, tuned).tokens).logps
    assert torch.equal(before, after)


def test_the_first_stage_leaves_the_model_bit_identical_and_trains_the_controls(policy) -> None:
    tuned, controls = add_controls(policy, ["good", "bad"], length=2)
    named = dict(tuned.model.named_parameters())
    before = {name: value.detach().clone() for name, value in named.items()}
    tokens = tokenise(controlled(GROUPS, controls, said), tuned).tokens
    objective, losses = MEET(stage="control"), []
    optimiser = torch.optim.SGD(named.values(), lr=0.5)
    for _ in range(5):
        logps = group_logprobs(tuned, tokens).logps
        lengths = torch.tensor([len(response.ids) for group in tokens.groups for response in group.responses])
        place = torch.arange(len(lengths))
        batch = RaggedBatch(logps, place.repeat_interleave(lengths), place)
        loss = objective(batch).terms[0].each.mean()
        losses.append(float(loss))
        gradients = dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))
        optimiser.zero_grad(set_to_none=True)
        for name, gradient in objective.gradient_rule({"meet": gradients}).items():
            named[name].grad = gradient
        optimiser.step()
    moved = [name for name in named if not torch.equal(named[name], before[name])]
    assert [name.rsplit(".", 1)[-1] for name in moved] == ["control"]
    assert losses[-1] < losses[0]


def test_a_control_may_start_as_text(policy) -> None:
    tuned, controls = add_controls(policy, ["good"], length=5, texts={"good": "12"})
    table = tuned.model.get_input_embeddings()
    one, two = tuned.tokenizer("12", add_special_tokens=False)["input_ids"]
    assert torch.equal(table.control, table.weight[torch.tensor([one, two, one, two, one])])
    assert controls.first == len(policy.tokenizer)


def test_a_conversation_is_controlled_in_its_first_turn(policy) -> None:
    _, controls = add_controls(policy, ["good"], length=1)
    group = Group("q", (Message("user", "Hi"), Message("assistant", "Oh"), Message("user", "2+2=")), (Response("4"),))
    (found,) = controlled([group], controls, lambda *_: "good")
    assert [turn.content for turn in found.responses[0].prompt] == ["<|control:good:0|>Hi", "Oh", "2+2="]


@pytest.mark.parametrize("settings", [{"labels": []}, {"labels": ["a", "a"]}, {"labels": ["a"], "length": 0}])
def test_bad_settings_are_refused(policy, settings) -> None:
    with pytest.raises(SettingError, match="must be"):
        add_controls(policy, **settings)


def test_controls_are_added_once_and_asked_for_by_name(policy) -> None:
    tuned, controls = add_controls(policy, ["good"])
    with pytest.raises(SettingError, match="already"):
        add_controls(tuned, ["bad"])
    with pytest.raises(SettingError, match="no control for 'bad'"):
        controls.prefix("bad")
