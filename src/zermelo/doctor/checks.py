"""Every check of the streaming pass over texts, in one list: bit k of `TextTable.flags` is check k."""

from __future__ import annotations

from zermelo.doctor.scan import TextCheck
from zermelo.doctor.structure.content import REFUSAL
from zermelo.doctor.structure.damage import DOUBLE_BOS
from zermelo.doctor.structure.empty import EMPTY
from zermelo.doctor.structure.ends import EOS_TEXT
from zermelo.doctor.structure.patterns import PATTERNS, check_of
from zermelo.doctor.structure.truncated import UNENDED

__all__ = ["CHECKS"]

CHECKS: tuple[TextCheck, ...] = (EMPTY, UNENDED, DOUBLE_BOS, EOS_TEXT, REFUSAL, *map(check_of, PATTERNS))
