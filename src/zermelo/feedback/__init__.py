"""Records, formats, data sets.

records.py     Response, Judgement, Group: the data model
schema.py      the native Arrow schema (Parquet)
reading.py     read_groups, detect: files of any known format to groups (files.py, formats/)
writing.py     write_groups: groups to a file of any format
suspicions.py  why a group is suspicious
dataset.py     Feedback: groups read lazily, selections, joins, splits
views.py       what each view holds (view.py, pairs.py, outcomes.py; bare.py for bare battles)
curricula.py   the order of pairs: stages from easy to hard; answer_curriculum.py: weights for re-rankers
journal.py     finished units of an interrupted run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.feedback.answer_curriculum import AnswerCurriculum
    from zermelo.feedback.bare import read_battles
    from zermelo.feedback.curricula import pair_curriculum, stage_groups
    from zermelo.feedback.dataset import Feedback
    from zermelo.feedback.journal import Journal
    from zermelo.feedback.preferences import Preference, preferences
    from zermelo.feedback.protocol import Format
    from zermelo.feedback.reading import ReadReport, detect, read_groups
    from zermelo.feedback.records import Group, Judgement, Message, Response, Span, prompt_key
    from zermelo.feedback.rejects import Rejects
    from zermelo.feedback.suspicions import suspicions
    from zermelo.feedback.view import View
    from zermelo.feedback.writing import WriteReport, write_groups

__all__ = [
    "AnswerCurriculum",
    "Feedback",
    "Format",
    "Group",
    "Journal",
    "Judgement",
    "Message",
    "Preference",
    "ReadReport",
    "Rejects",
    "Response",
    "Span",
    "View",
    "WriteReport",
    "detect",
    "pair_curriculum",
    "preferences",
    "prompt_key",
    "read_battles",
    "read_groups",
    "stage_groups",
    "suspicions",
    "write_groups",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "AnswerCurriculum": "answer_curriculum",
        "Feedback": "dataset",
        "Format": "protocol",
        "Preference": "preferences",
        "ReadReport": "reading",
        "Rejects": "rejects",
        "View": "view",
        "WriteReport": "writing",
        "pair_curriculum": "curricula",
        "stage_groups": "curricula",
        "detect": "reading",
        "preferences": "preferences",
        "read_battles": "bare",
        "read_groups": "reading",
        "suspicions": "suspicions",
        "write_groups": "writing",
        "Group": "records",
        "Journal": "journal",
        "Judgement": "records",
        "Message": "records",
        "Response": "records",
        "Span": "records",
        "prompt_key": "records",
    },
)
