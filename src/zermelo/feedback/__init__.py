"""Records, formats, data sets.

records.py     Response, Judgement, Group: the data model
schema.py      the native Arrow schema (Parquet)
journal.py     finished units of an interrupted run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.feedback.journal import Journal
    from zermelo.feedback.records import Group, Judgement, Message, Response, Span, prompt_key

__all__ = ["Group", "Journal", "Judgement", "Message", "Response", "Span", "prompt_key"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Group": "records",
        "Journal": "journal",
        "Judgement": "records",
        "Message": "records",
        "Response": "records",
        "Span": "records",
        "prompt_key": "records",
    },
)
