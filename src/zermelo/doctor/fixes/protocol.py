"""What a fix is: from a case and what the audits found, which rows go and which change; it changes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.case import Case
from zermelo.doctor.protocol import Finding
from zermelo.feedback.records import Group

__all__ = ["Change", "Findings", "Fix", "Plan"]

Findings = Mapping[str, Sequence[Finding]]


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _same(row: int, group: Group) -> Group:
    return group


@dataclass(frozen=True)
class Plan:
    """What a fix wants to do.

    Args:
        drop: Positions of rows to be set aside. [D]
        why: Reason for each of them, or one for all.
        edit: Positions of rows to be changed. [E]
        change: (position, group) → the group instead, with its history (`history.changed`).
        note: What else there is to say, in a line.
    """

    drop: NDArray[np.int64] = field(default_factory=_none)
    why: str | Mapping[int, str] = ""
    edit: NDArray[np.int64] = field(default_factory=_none)
    change: Callable[[int, Group], Group] = _same
    note: str = ""

    def reason(self, row: int) -> str:
        """Why a row goes."""
        return self.why if isinstance(self.why, str) else self.why.get(row, "")


class Fix(Protocol):
    """One remedy. A frozen dataclass; `name` is what `--apply` calls it, its choice included."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Audits whose findings it uses; they are run where nobody has."""
        ...

    def plan(self, case: Case, findings: Findings, *, seed: int) -> Plan:
        """What to do to the case as it stands."""
        ...


@dataclass(frozen=True)
class Change:
    """What a fix did.

    Args:
        fix: Its name.
        rows_in: Rows before it.
        dropped: Positions of rows set aside, ascending. [D]
        reasons: Why, for each of them. [D]
        edited: Positions of rows changed, ascending. [E]
        note: What else there is to say.
    """

    fix: str
    rows_in: int
    dropped: NDArray[np.int64]
    reasons: tuple[str, ...]
    edited: NDArray[np.int64]
    note: str = ""

    @property
    def rows_out(self) -> int:
        """Rows after it."""
        return self.rows_in - len(self.dropped)

    def to_json(self) -> dict[str, str | int]:
        """Counts."""
        return {
            "fix": self.fix,
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "dropped": len(self.dropped),
            "changed": len(self.edited),
            "note": self.note,
        }
