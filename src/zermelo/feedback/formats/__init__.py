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
tables.py        flat tables of comparisons and of ratings
winners.py       the words for who won
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
    "ultrafeedback": "ultrafeedback:UltraFeedback",
    "helpsteer2": "helpsteer:HelpSteer2",
    "nectar": "listwise:Nectar",
    "listwise": "listwise:Listwise",
    "shp": "shp:SHP",
    "prm800k": "prm800k:PRM800K",
    "alpacaeval": "alpacaeval:AlpacaEval",
    "alpacaeval-outputs": "alpacaeval:AlpacaEvalOutputs",
    "arena": "arena:Arena",
    "rewardbench": "rewardbench:RewardBench",
    "rmbench": "rewardbench:RMBench",
    "lmsys": "lmsys:LMSYS",
    "openai-preference": "chat:OpenAIPreference",
    "chat": "chat:Chat",
    "trl": "trl:Preference",
    "kto": "trl:Unpaired",
    "stepwise": "trl:Stepwise",
    "sft": "trl:Completion",
    "prompts": "trl:PromptOnly",
    "csv": "tables:Pairs",
    "ratings": "tables:Ratings",
    "columns": "columns:Columns",
}


@cache
def load_format(name: str) -> Format:
    """The format of that name, imported now."""
    module, _, attribute = FORMATS[name].partition(":")
    found: Format = getattr(importlib.import_module(f"zermelo.feedback.formats.{module}"), attribute)()
    return found
