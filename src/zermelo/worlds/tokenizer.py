"""The tokenizer of the tiny policies: one token per printable ASCII character and the newline, as a `tokenizer.json`.

Encoding a prompt begins with `<s>`; whoever trains or samples ends a turn with `</s>`. Written as plain JSON, so that
the world itself needs no tokenizer library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["BOS", "EOS", "PAD", "VOCABULARY", "decode", "encode", "write_tokenizer"]

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
_SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
VOCABULARY: tuple[str, ...] = (*_SPECIALS, "\n", *map(chr, range(32, 127)))  # [V] id → token

_IDS = {token: index for index, token in enumerate(VOCABULARY)}


def encode(text: str) -> list[int]:
    """Ids of a text without BOS or EOS; characters outside the vocabulary are `<unk>`."""
    return [_IDS.get(character, UNKNOWN) for character in text]


def decode(ids: list[int]) -> str:
    """The text of ids; special tokens are left out."""
    return "".join(VOCABULARY[index] for index in ids if index >= len(_SPECIALS))


def write_tokenizer(folder: Path, *, max_length: int) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json`, as `AutoTokenizer.from_pretrained` reads them."""
    names: dict[str, Any] = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), _SPECIALS, strict=True))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    begin = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": index, "content": token, **flags} for index, token in enumerate(_SPECIALS)],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": _IDS,
            "merges": [],
        },
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        **names,
    }
    for name, content in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        text = json.dumps(content, ensure_ascii=True, indent=1) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
