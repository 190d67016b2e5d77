"""`Template`: prompts as ids, probed once when a model is loaded. Text becomes ids here and in `tokens.py` only.

A prompt is rendered (a chat template, or as it is), then tokenised without the tokenizer's own additions; the
beginning-of-text token is put in front here, exactly once, where the tokenizer would have put one. A response is
tokenised by itself, so that the ids of prompt + response always begin with the ids of the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from zermelo.errors import SettingError, one_of
from zermelo.feedback.records import Message, Prompt

__all__ = ["Chat", "Template", "probe_template"]

Chat = Literal["auto", "always", "never"]

USER, ANSWER = "What is 2 + 2?", "It is 4."
ANCHORS = ("\n", ".", "a")  # the next is tried where a text melts into one


@dataclass(frozen=True)
class Template:
    """How one tokenizer's prompts and responses become ids.

    `chat`: `auto` wraps a text prompt as a user turn where the tokenizer has a chat template and uses it as it is
    where not; `always` wraps (an error without a template); `never` uses text as it is. A conversation is rendered
    by the chat template; without one (or with `never`) a single user turn is its text, and several turns become a
    transcript marked `Human:` and `Assistant:`. A prompt that ends in an assistant turn is continued.

    Args:
        tokenizer: The tokenizer; never changed.
        chat: See above.
        end_ids: Ids that end a response when sampled; the first is the tokenizer's end token.
        turn_end: Id that the chat template writes where an assistant turn ends; None = no template.
        bos: Beginning-of-text id that prompts start with, None where the tokenizer adds none.
        anchored: Whether the tokenizer puts a space before every text it is given; responses are then tokenised
            behind a line break that is taken off again, so that they carry no space that nobody wrote.
        findings: What the probe saw, one line each.
    """

    tokenizer: Any
    chat: Chat
    end_ids: tuple[int, ...]
    turn_end: int | None
    bos: int | None
    anchored: bool
    findings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        one_of(self, "chat", ("auto", "always", "never"))
        if self.chat == "always" and not self.has_chat:
            raise SettingError(
                "no-chat-template",
                "chat='always': the tokenizer has no chat template",
                hint="chat='auto' uses prompts as they are; or set `chat_template` in tokenizer_config.json",
            )

    @property
    def has_chat(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    def with_chat(self, chat: Chat) -> Template:
        """A copy with another `chat`."""
        return self if chat == self.chat else replace(self, chat=chat)

    @property
    def uses_chat(self) -> bool:
        """Whether the chat template renders prompts."""
        return self.has_chat and self.chat != "never"

    @property
    def end_id(self) -> int:
        """The id appended to a finished response."""
        return self.turn_end if self.turn_end is not None and self.uses_chat else self.end_ids[0]

    def render(self, prompt: Prompt, meta: Mapping[str, Any] | None = None) -> str:
        """The prompt as one text, ready for the response.

        Args:
            prompt: Text or messages.
            meta: The group's `meta`; `tools` and `chat_template_kwargs` reach the chat template.
        """
        if self.uses_chat:
            turns = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
            goes_on = turns[-1].role == "assistant"
            return self.render_turns(turns, meta, opened=not goes_on, continued=goes_on)
        return prompt if isinstance(prompt, str) else _transcript(prompt)

    def render_turns(
        self,
        turns: Sequence[Message],
        meta: Mapping[str, Any] | None = None,
        *,
        opened: bool = False,
        continued: bool = False,
    ) -> str:
        """Turns through the chat template; `opened` for an assistant's turn, or the last one left open."""
        meta = meta or {}
        known: dict[str, Any] = dict(meta.get("chat_template_kwargs") or {})
        if meta.get("tools"):
            known["tools"] = meta["tools"]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    [turn.as_dict() for turn in turns],
                    tokenize=False,
                    add_generation_prompt=opened,
                    continue_final_message=continued,
                    **known,
                )
            )
        except Exception as error:  # templates are programs of their own: jinja2, TypeError, KeyError, ValueError
            roles = ", ".join(turn.role for turn in turns)
            raise SettingError(
                "bad-template",
                f"the chat template refuses turns ({roles}): {type(error).__name__}: {error}",
                hint="chat='never' uses prompts without the template",
            ) from error

    def prompts(
        self, prompts: Sequence[Prompt], metas: Sequence[Mapping[str, Any]] | None = None
    ) -> list[tuple[int, ...]]:
        """Ids of many prompts, in one call of the tokenizer; at least one id each."""
        metas = metas or [{}] * len(prompts)
        texts = [self.render(prompt, meta) for prompt, meta in zip(prompts, metas, strict=True)]
        return [self._with_bos(ids) for ids in self.encode(texts)]

    def lead(self, prompt: Prompt) -> str:
        """What stands between prompt and response in a transcript: a space after `Assistant:`."""
        marked = not isinstance(prompt, str) and not self.uses_chat and _is_transcript(prompt)
        return " " if marked and prompt[-1].role != "assistant" else ""  # type: ignore[union-attr]

    def responses(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Ids of response texts, without an end token."""
        if not self.anchored:
            return [tuple(ids) for ids in self.encode(texts)]
        found: list[tuple[int, ...] | None] = [None] * len(texts)
        for anchor in ANCHORS:
            left = [at for at, ids in enumerate(found) if ids is None]
            front = self.encode([anchor])[0]
            for at, ids in zip(left, self.encode([anchor + texts[at] for at in left]), strict=True):
                if ids[: len(front)] == front:
                    found[at] = tuple(ids[len(front) :])
        return [tuple(self.encode([text])[0]) if ids is None else ids for ids, text in zip(found, texts, strict=True)]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Texts as ids, with nothing added by the tokenizer."""
        if not texts:
            return []
        found = self.tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)
        return [list(map(int, ids)) for ids in found["input_ids"]]

    def decode(self, ids: Sequence[int]) -> str:
        """Ids of a response as text, without end tokens."""
        kept = [token for token in ids if token not in self.end_ids and token != self.turn_end]
        if not self.anchored:
            return self._decode(kept)
        front = self.encode([ANCHORS[0]])[0]  # decoders of such tokenizers swallow the first space
        return self._decode([*front, *kept])[len(self._decode(front)) :]

    def describe(self) -> str:
        """A few lines for the log: which template, which special tokens, what the probe saw."""
        return "\n".join(self.findings)

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _with_bos(self, ids: Sequence[int]) -> tuple[int, ...]:
        if self.bos is None:
            return tuple(ids) or (self.end_ids[0],)  # a sequence needs a first token: GPT-2 begins with its end token
        start = 0
        while start < len(ids) and ids[start] == self.bos:
            start += 1
        return (self.bos, *ids[start:])


def probe_template(tokenizer: Any, *, chat: Chat = "auto", end_ids: Sequence[int] = ()) -> Template:
    """Look at a tokenizer: where it begins and ends texts, and whether prompts are prefixes.

    Args:
        tokenizer: A Transformers tokenizer.
        chat: See `Template`.
        end_ids: Further ids that end a response (the model's `generation_config.eos_token_id`).
    Raises:
        SettingError: no end-of-text token (`no-eos`), or a chat template that fails (`bad-template`).
    """
    eos = tokenizer.eos_token_id
    if eos is None:
        raise SettingError(
            "no-eos",
            f"the tokenizer {_name(tokenizer)} has no end-of-text token, so no response could ever end",
            hint="name one as `eos_token` in tokenizer_config.json",
        )
    plain = Template(tokenizer, "auto", (int(eos),), None, None, anchored=False)
    added = [int(token) for token in tokenizer("a")["input_ids"]]
    bare = plain.encode(["a"])[0]
    bos = tokenizer.bos_token_id
    has_bos = bos is not None and added[:1] == [bos] and bare[:1] != [bos]
    template = replace(plain, bos=int(bos) if has_bos else None, anchored=_adds_space(plain))
    ends = [int(eos)]
    if template.has_chat and chat != "never":
        turn_end = _turn_end(template)
        template = replace(template, turn_end=int(eos) if turn_end is None else turn_end)
        ends += [] if turn_end is None else [turn_end]
        prefix = _prefix_finding(template, turn_end)
    else:
        prefix = "prompt ids are a strict prefix of prompt + response ids: yes, they are made apart"
    template = replace(template, end_ids=tuple(dict.fromkeys([*ends, *map(int, end_ids)])))
    return replace(template, findings=(*_special_findings(template, chat), prefix)).with_chat(chat)


def _turn_end(template: Template) -> int | None:
    """The first special id that the chat template writes behind an assistant's text."""
    turns = [Message("user", USER), Message("assistant", ANSWER)]
    text = template.render_turns(turns)
    at = text.rfind(ANSWER)
    if at < 0:
        raise SettingError("bad-template", "the chat template does not show the assistant's text", hint="chat='never'")
    special = set(template.tokenizer.all_special_ids) | set(getattr(template.tokenizer, "added_tokens_decoder", {}))
    tail = template.encode([text[at + len(ANSWER) :]])[0]
    return next((token for token in tail if token in special), None)


def _prefix_finding(template: Template, turn_end: int | None) -> str:
    if turn_end is None:
        return f"end of turn: the chat template writes none; {_show(template, template.end_ids[0])} is appended instead"
    prompt = template.prompts([(Message("user", USER),)])[0]
    ours = (*prompt, *template.responses([ANSWER])[0], turn_end)
    text = template.render_turns([Message("user", USER), Message("assistant", ANSWER)])
    whole = template._with_bos(template.encode([text])[0])
    if whole[: len(ours)] == ours:
        return "prompt ids are a strict prefix of prompt + response ids: yes, probed"
    if whole[: len(prompt)] == prompt:
        return "prompt ids are a strict prefix of prompt + response ids: yes; the template adds to the response's text"
    return (
        "prompt ids are a strict prefix of prompt + response ids: NO by the template alone (it rewrites the open "
        "turn); responses are put behind the prompt as it is sampled from"
    )


def _special_findings(template: Template, chat: Chat) -> tuple[str, ...]:
    used = template.has_chat and chat != "never"
    kind = (
        "chat, the tokenizer's own"
        if used
        else "none, prompts are used as they are" + (" (chat='never')" if template.has_chat else "")
    )
    prompt = template.prompts([USER])[0]
    if template.bos is None:
        begin = "none; the tokenizer adds none"
    else:
        begin = f"{_show(template, template.bos)}, {prompt.count(template.bos)} in a prompt"
    end = template.end_id if used else template.end_ids[0]
    return (
        f"template: {kind}",
        f"begin of text: {begin}",
        f"end of response: {_show(template, end)}, appended to finished responses and trained on",
    )


def _show(template: Template, token: int) -> str:
    return f"{template.tokenizer.convert_ids_to_tokens(token)!r} (id {token})"


def _adds_space(template: Template) -> bool:
    """Whether the tokenizer reads 'a' as ' a' at the start of a text (SentencePiece's dummy prefix)."""
    pieces = template.tokenizer.convert_ids_to_tokens(template.encode(["a"])[0])
    return bool(pieces) and str(pieces[0]).startswith("▁")


def _name(tokenizer: Any) -> str:
    return str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)


def _is_transcript(prompt: Sequence[Message]) -> bool:
    return not (len(prompt) == 1 and prompt[0].role == "user")


def _transcript(prompt: Sequence[Message]) -> str:
    if not _is_transcript(prompt):
        return prompt[0].content
    marks = {"user": "Human", "assistant": "Assistant", "system": "System", "developer": "System", "tool": "Tool"}
    text = "".join(f"\n\n{marks[turn.role]}: {turn.content}" for turn in prompt)
    return text if prompt[-1].role == "assistant" else text + "\n\nAssistant:"
