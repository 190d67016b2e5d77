"""The remedies of what the doctor found.

apply.py        the table of names; applies fixes one after the other
protocol.py     what a fix is, and the record of what it did
history.py      both versions of a changed group, in the group itself
overlay.py      groups that change as they are read
dropping.py     rows set aside: flagged, repeated, of one prompt
sayings.py      comparisons taken out or restated: suspects, spammers, identical answers
templates.py    leaked template marks
balancing.py    length that says nothing about the label
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.doctor.fixes.apply import FIXES, apply, dropped_beside, dropped_rows, load_fix
    from zermelo.doctor.fixes.history import DOCTOR, original, repairs
    from zermelo.doctor.fixes.protocol import Change, Fix, Plan

__all__ = [
    "DOCTOR",
    "FIXES",
    "Change",
    "Fix",
    "Plan",
    "apply",
    "dropped_beside",
    "dropped_rows",
    "load_fix",
    "original",
    "repairs",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "FIXES": "apply",
        "apply": "apply",
        "dropped_beside": "apply",
        "dropped_rows": "apply",
        "load_fix": "apply",
        "DOCTOR": "history",
        "original": "history",
        "repairs": "history",
        "Change": "protocol",
        "Fix": "protocol",
        "Plan": "protocol",
    },
)
