"""Text that was damaged on its way: leaked template tokens, wrong ends and beginnings, broken encoding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Result
from zermelo.doctor.scan import TextCheck
from zermelo.doctor.structure.flagged import flagged
from zermelo.doctor.structure.patterns import BOS, around

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["DOUBLE_BOS", "Encoding", "Template"]

START = 64  # characters


def _starts_with_bos(text: pa.Array) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    head = pc.utf8_slice_codeunits(text, 0, START)
    return np.asarray(pc.match_substring_regex(head, rf"^\s*(?:{BOS})").to_numpy(zero_copy_only=False), bool)


DOUBLE_BOS = TextCheck("bos", _starts_with_bos)


@dataclass(frozen=True)
class Template:
    """Tokens of a chat template inside texts, and turns of another speaker inside an answer."""

    id: ClassVar[str] = "structure.template"
    asks: ClassVar[str] = "have chat-template tokens leaked into the texts?"

    def run(self, case: Case) -> Sequence[Result]:
        return flagged(
            case,
            self.id,
            ("template", "role-mark"),
            title="{rows} of {of} rows ({share}) hold chat-template tokens, or a speaker's mark inside an answer",
            passed="no template tokens and no speaker's marks inside the texts",
            effect="The model learns to write the tokens itself, or to go on as the user; where only one side holds"
            " them, they decide the pair.",
            remedy="cut the tokens, and cut answers where another speaker begins",
            fix="strip-template",
            show=around(("template", "role-mark")),
        )


@dataclass(frozen=True)
class Encoding:
    """Replacement characters, UTF-8 that was read as Latin-1, control characters."""

    id: ClassVar[str] = "structure.encoding"
    asks: ClassVar[str] = "is the encoding of the texts intact?"

    def run(self, case: Case) -> Sequence[Result]:
        show = around(("replacement", "mojibake", "control"))
        return flagged(
            case,
            self.id,
            ("replacement", "mojibake", "control"),
            title="{rows} of {of} rows ({share}) hold text of a broken encoding",
            passed="no broken encoding",
            effect="Broken characters become rare tokens: noise in the likelihood, and a cue for the source that wrote"
            " them.",
            remedy="read the origin again as UTF-8; mend what was decoded twice",
            fix="drop-flagged:structure.encoding",
            show=lambda text: re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "�", show(text)),
        )
