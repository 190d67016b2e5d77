from __future__ import annotations

from typing import Any

import pytest
import tokenizers_for_tests as tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.errors import SettingError
from zermelo.feedback.records import Message
from zermelo.policies.template import probe_template

KINDS = {
    "bytes": tokenizers.byte_level(),
    "bytes with chat": tokenizers.byte_level(chat=True),
    "bytes with chat and begin": tokenizers.byte_level(chat=True, bos=True),
    "pieces": tokenizers.pieces(),
    "characters": tokenizers.characters(),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_text_prompt_is_used_as_it_is_without_a_chat_template() -> None:
    template = probe_template(KINDS["bytes"])
    assert template.render("What is 2?") == "What is 2?"
    assert template.decode(template.prompts(["What is 2?"])[0]) == "What is 2?"


def test_a_text_prompt_becomes_a_user_turn_where_there_is_a_chat_template() -> None:
    template = probe_template(KINDS["bytes with chat"])
    assert template.render("hi") == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert template.with_chat("never").render("hi") == "hi"


def test_a_prompt_that_ends_in_an_assistant_turn_is_continued() -> None:
    prompt = (Message("user", "hi"), Message("assistant", "Hello"))
    assert probe_template(KINDS["bytes with chat"]).render(prompt).endswith("<|im_start|>assistant\nHello")
    assert probe_template(KINDS["bytes"]).render(prompt) == "\n\nHuman: hi\n\nAssistant: Hello"


def test_there_is_exactly_one_begin_token_even_where_the_template_writes_it_too() -> None:
    tokenizer = tokenizers.byte_level(chat=True, bos=True)
    tokenizer.chat_template = "<|begin|>" + tokenizer.chat_template
    ids = probe_template(tokenizer).prompts(["hi"])[0]
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1


def test_the_end_of_turn_of_the_chat_template_ends_responses() -> None:
    template = probe_template(KINDS["bytes with chat"])
    end = KINDS["bytes with chat"].convert_tokens_to_ids("<|im_end|>")
    assert template.end_id == end
    assert set(template.end_ids) == {end, KINDS["bytes with chat"].eos_token_id}


def test_a_response_carries_no_space_that_nobody_wrote() -> None:
    template = probe_template(KINDS["pieces"])
    assert template.decode(template.responses(["Sure"])[0]) == "Sure"
    assert template.decode(template.responses([" Sure"])[0]) == " Sure"


def test_describe_names_the_special_tokens(tokenizer: Any) -> None:
    text = probe_template(tokenizer).describe()
    assert "end of response: " in text and str(probe_template(tokenizer).end_id) in text
    assert "strict prefix" in text
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize("name", ["bytes", "bytes with chat", "pieces"])
@given(text=st.text(alphabet="abc \n4.?Sure", max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_response_decodes_to_its_text(name: str, text: str) -> None:
    template = probe_template(KINDS[name])
    assert template.decode(template.responses([text])[0]) == text


def test_a_prompt_has_at_least_one_token(tokenizer: Any) -> None:
    assert len(probe_template(tokenizer, chat="never").prompts([""])[0]) == 1


def test_a_tokenizer_without_end_token_is_refused() -> None:
    with pytest.raises(SettingError) as caught:
        probe_template(tokenizers.byte_level(eos=False))
    assert caught.value.code == "no-eos" and caught.value.exit_code == 2


def test_chat_always_needs_a_chat_template() -> None:
    with pytest.raises(SettingError, match="no chat template"):
        probe_template(KINDS["bytes"], chat="always")


def test_a_chat_template_that_fails_is_named_with_the_roles() -> None:
    tokenizer = tokenizers.byte_level(chat=True)
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + (tokenizer.chat_template)
    )
    template = probe_template(tokenizer)
    with pytest.raises(SettingError, match=r"\(system, user\).*no system"):
        template.prompts([(Message("system", "s"), Message("user", "u"))])


def test_a_template_that_rewrites_the_open_turn_is_reported() -> None:
    tokenizer = tokenizers.byte_level(chat=True)
    tokenizer.chat_template = tokenizer.chat_template.replace("assistant\\n{% endif %}", "assistant\\nhm\\n{% endif %}")
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{% if add_generation_prompt %}<|im_start|>assistant\n",
        "{% if add_generation_prompt %}<|im_start|>assistant\nhm\n",
    )
    assert "NO by the template alone" in probe_template(tokenizer).describe()
