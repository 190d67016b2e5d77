from __future__ import annotations

from dataclasses import replace

import pytest
import tokenizers_for_tests as tokenizers

from zermelo.errors import DataError, SettingError
from zermelo.feedback.records import Group, Message, Response
from zermelo.policies.template import Template, probe_template
from zermelo.policies.tokens import tokenise


@pytest.fixture(scope="module")
def plain() -> Template:
    return probe_template(tokenizers.characters())


@pytest.fixture(scope="module")
def chat() -> Template:
    return probe_template(tokenizers.byte_level(chat=True))


def only(group: Group, template: Template, **settings: object) -> tuple:
    made = tokenise([group], template, **settings)  # type: ignore[arg-type]
    assert len(made.tokens.groups) == 1
    return made.tokens.groups[0].prompt, made.tokens.groups[0].responses


def test_a_finished_response_ends_with_the_end_token_and_a_cut_one_does_not(plain: Template) -> None:
    group = Group("g", "1+2=", (Response("3"), Response("3", finish="cut"), Response("3", finish="stopped")))
    _, (whole, cut, stopped) = only(group, plain)
    assert whole.ids[-1] == plain.end_id and whole.finished
    assert cut.ids == whole.ids[:-1] and not cut.finished
    assert stopped == whole


def test_sampled_ids_are_used_as_they_are(plain: Template) -> None:
    sampled = Response("3", token_ids=(40, 41, 2), prompt_ids=(9, 9), finish="stopped")
    prompt, (response,) = only(Group("g", "1+2=", (sampled,)), plain)
    assert prompt == (9, 9)
    assert response.ids == (40, 41, 2) and response.finished


def test_sampled_and_written_responses_to_equal_prompt_ids_share_a_token_group(plain: Template) -> None:
    ids = plain.prompts(["1+2="])[0]
    sampled = Response("3", token_ids=(7, 2), prompt_ids=ids, finish="stopped")
    _, responses = only(Group("g", "1+2=", (Response("4"), sampled)), plain)
    assert len(responses) == 2


def test_a_response_with_its_own_prompt_becomes_its_own_token_group(plain: Template) -> None:
    group = Group("g", "1+2=", (Response("3"), Response("3", prompt="careful: 1+2="), Response("4")))
    made = tokenise([group], plain)
    assert [(place.group, place.responses) for place in made.index] == [(0, (0, 2)), (0, (1,))]
    assert [one.id for one in made.tokens.groups] == ["g", "g/1"]


def test_tool_output_is_read_but_not_trained(chat: Template) -> None:
    turns = (Message("assistant", "call"), Message("tool", "7"), Message("assistant", "It is 7."))
    _, (response,) = only(Group("g", "hi", (Response(messages=turns),)), chat)
    trained = [token for token, weight in zip(response.ids, response.weight, strict=True) if weight]
    end = chat.end_id
    assert chat.tokenizer.decode(trained) == "call<|im_end|>It is 7.<|im_end|>"
    assert response.ids[-1] == end and response.finished
    text = chat.tokenizer.decode(response.ids)
    assert text == "call<|im_end|>\n<|im_start|>tool\n7<|im_end|>\n<|im_start|>assistant\nIt is 7.<|im_end|>"


def test_one_assistant_message_is_the_same_as_its_text(chat: Template) -> None:
    one = only(Group("g", "hi", (Response("It is 4."),)), chat)
    assert only(Group("g", "hi", (Response(messages=(Message("assistant", "It is 4."),)),)), chat) == one


def test_prompt_and_response_ids_equal_the_rendered_conversation(chat: Template) -> None:
    prompt, (response,) = only(Group("g", (Message("user", "hi"),), (Response("It is 4."),)), chat)
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "It is 4."}]
    whole = chat.tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
    assert list(prompt + response.ids) == whole[: len(prompt + response.ids)]


def test_steps_become_a_step_for_each_token(plain: Template) -> None:
    group = Group("g", "1+2+3=", (Response("1+2=3\n3+3=6", steps=("1+2=3", "3+3=6")),))
    _, (response,) = only(group, plain)
    assert response.step == (0,) * 6 + (1,) * 6  # the line break belongs to the first, the end token to the last


def test_steps_of_sampled_ids_follow_the_text_they_make(chat: Template) -> None:
    text = "Step one: é.\nStep two: 7."
    ids = chat.responses([text])[0]
    sampled = Response(text, steps=("Step one: é.", "Step two: 7."), token_ids=(*ids, chat.end_id), finish="stopped")
    written = Response(text, steps=("Step one: é.", "Step two: 7."))
    _, (first, second) = only(Group("g", "hi", (sampled, written)), chat)
    assert first.step == second.step
    assert chat.decode([t for t, s in zip(first.ids, first.step, strict=True) if s == 1]) == "Step two: 7."


@pytest.mark.parametrize(("overlong", "lengths"), [("drop", [3]), ("cut", [3, 4])])
def test_an_overlong_response_is_dropped_or_cut_and_counted(plain: Template, overlong: str, lengths: list[int]) -> None:
    group = Group("g", "1=", (Response("12"), Response("123456")))
    made = tokenise([group], plain, max_tokens=4, overlong=overlong)  # type: ignore[arg-type]
    responses = made.tokens.groups[0].responses
    assert [len(response.ids) for response in responses] == lengths
    assert made.counts["overlong_response"] == 1
    assert all(response.finished == (response.ids[-1] == plain.end_id) for response in responses)


def test_an_overlong_prompt_takes_its_group_along(plain: Template) -> None:
    groups = [Group("a", "1" * 30, (Response("1"), Response("2"))), Group("b", "1", (Response("1"),))]
    made = tokenise(groups, plain, context=20)
    assert [one.id for one in made.tokens.groups] == ["b"]
    assert made.index[0].group == 1
    assert made.counts == {
        "overlong_prompt": 1,
        "overlong_response": 0,
        "no_prompt": 0,
        "no_text": 0,
        "dropped_responses": 2,
        "dropped_groups": 1,
    }
    cut = tokenise(groups, plain, context=20, overlong="cut").tokens.groups[0]
    assert cut.prompt == plain.prompts(["1" * 30])[0][-18:] and len(cut.responses) == 2


def test_too_long_is_an_error_where_asked(plain: Template) -> None:
    with pytest.raises(DataError, match="group g: response 0 of 7 tokens; 4 fit"):
        tokenise([Group("g", "1=", (Response("123456"),))], plain, max_tokens=4, overlong="error")


def test_what_has_no_text_or_no_prompt_is_counted(plain: Template) -> None:
    made = tokenise([Group("a", "1", (Response(source="m"), Response("2"))), Group("b", None, (Response("2"),))], plain)
    assert made.counts["no_text"] == 1 and made.counts["no_prompt"] == 1 and made.counts["dropped_groups"] == 1


def test_an_empty_response_is_its_end_token(plain: Template) -> None:
    _, (response,) = only(Group("g", "1", (Response(""),)), plain)
    assert response.ids == (plain.end_id,)


def test_a_template_that_rewrites_earlier_turns_refuses_several_messages() -> None:
    tokenizer = tokenizers.byte_level(chat=True)
    tokenizer.chat_template = "{{ messages | length }}" + tokenizer.chat_template
    template = probe_template(tokenizer)
    turns = (Message("assistant", "a"), Message("tool", "7"), Message("assistant", "b"))
    with pytest.raises(SettingError) as caught:
        tokenise([Group("g", "hi", (Response(messages=turns),))], template)
    assert caught.value.code == "not-a-prefix"


def test_tools_of_the_group_reach_the_chat_template() -> None:
    tokenizer = tokenizers.byte_level(chat=True)
    tokenizer.chat_template = "{% if tools %}{{ tools | length }} tools {% endif %}" + tokenizer.chat_template
    template = probe_template(tokenizer)
    group = Group("g", "hi", (Response("x"),), meta={"tools": [{"type": "function", "function": {"name": "f"}}]})
    with_tools = tokenise([group, replace(group, id="h", meta={})], template).tokens.groups
    assert template.tokenizer.decode(with_tools[0].prompt).startswith("1 tools")
    assert not template.tokenizer.decode(with_tools[1].prompt).startswith("1 tools")
