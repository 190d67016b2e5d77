"""How bad a finding about trainability is: a warning at most, since another policy may think otherwise."""

from __future__ import annotations

from zermelo.doctor.protocol import HIGH_SHARE, MEDIUM_SHARE, Severity

__all__ = ["mild"]


def mild(share: float) -> Severity | None:
    """Medium from 15 % of the pairs, low from 1 %, None below."""
    return "medium" if share >= HIGH_SHARE else "low" if share >= MEDIUM_SHARE else None
