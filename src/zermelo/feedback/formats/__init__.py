"""Formats of preference data: a table of names; each class is imported when it is asked for.

native.py        the group itself: Parquet, Arrow, JSON lines
trl.py           TRL / Hugging Face: preference, unpaired, stepwise, completion, prompt only
hh.py            transcripts with role marks, chosen and rejected
chat.py          OpenAI-style chats and preference fine-tuning, ShareGPT
ultrafeedback.py several completions × aspects
helpsteer.py     a row per response with attributes
listwise.py      ranks and scores of several answers
shp.py           pairs of posts with votes
prm800k.py       steps with ratings
alpacaeval.py    annotations and outputs
arena.py         battles, with or without conversations
rewardbench.py   RewardBench, RewardBench 2, RM-Bench
lmsys.py         conversations of one model
columns.py       columns that the user names
"""

from __future__ import annotations

import importlib
from functools import cache

from zermelo.feedback.protocol import Format

__all__ = ["FORMATS", "load_format"]

# name → "module:Class"; where two are equally sure of a file, the earlier one reads it
FORMATS: dict[str, str] = {
    "native": "native:Native",
    "hh": "hh:HH",
    "trl": "trl:Preference",
    "kto": "trl:Unpaired",
    "stepwise": "trl:Stepwise",
    "sft": "trl:Completion",
    "prompts": "trl:PromptOnly",
}


@cache
def load_format(name: str) -> Format:
    """The format of that name, imported now."""
    module, _, attribute = FORMATS[name].partition(":")
    found: Format = getattr(importlib.import_module(f"zermelo.feedback.formats.{module}"), attribute)()
    return found
