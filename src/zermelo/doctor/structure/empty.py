"""Responses without a visible character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Result
from zermelo.doctor.scan import TextCheck
from zermelo.doctor.structure.flagged import flagged

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["EMPTY", "Empty"]


def _empty(text: pa.Array) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    return np.asarray(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(text)), 0).to_numpy(zero_copy_only=False), bool)


EMPTY = TextCheck("empty", _empty, "responses")


@dataclass(frozen=True)
class Empty:
    """Answers without a visible character."""

    id: ClassVar[str] = "structure.empty"
    asks: ClassVar[str] = "are there answers without a visible character?"

    def run(self, case: Case) -> Sequence[Result]:
        return flagged(
            case,
            self.id,
            "empty",
            title="{rows} of {of} rows ({share}) hold an empty answer",
            passed="no answer is empty",
            effect="An empty answer teaches nothing but its length; rejected, it teaches that any text wins.",
            remedy="drop the rows, or sample the answers again",
            fix="drop-empty",
        )
