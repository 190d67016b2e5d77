"""Every check of the streaming pass over texts, in one list: bit k of `TextTable.flags` is check k."""

from __future__ import annotations

from zermelo.doctor.scan import TextCheck
from zermelo.doctor.structure.empty import EMPTY

__all__ = ["CHECKS"]

CHECKS: tuple[TextCheck, ...] = (EMPTY,)
