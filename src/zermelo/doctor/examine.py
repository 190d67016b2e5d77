"""Run audits over a case, one after the other, and gather what they say."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from zermelo.doctor.case import Case
from zermelo.doctor.diagnosis import Diagnosis
from zermelo.doctor.protocol import Finding, Passed, Skipped
from zermelo.doctor.registry import audits, load_audit
from zermelo.progress import Advance

__all__ = ["examine"]


def examine(case: Case, *, only: Sequence[str] = (), advance: Advance | None = None) -> Diagnosis:
    """Everything the audits have to say about a case.

    Args:
        case: The data.
        only: Ids or families of audits; empty for all.
        advance: Told after each audit, with the next one's id as note.
    Raises:
        SettingError: no audit and no family of that name.
        DataError: a bad row, when it is read.
    """
    names = audits(only)
    findings: list[Finding] = []
    passed: list[Passed] = []
    skipped: list[Skipped] = []
    seconds: dict[str, float] = {}
    with _one_thread():
        for index, name in enumerate(names):
            begin = time.perf_counter()
            for result in load_audit(name).run(case):
                match result:
                    case Finding():
                        findings.append(result)
                    case Passed():
                        passed.append(result)
                    case Skipped():
                        skipped.append(result)
            seconds[name] = time.perf_counter() - begin
            if advance is not None:
                advance(1, note=names[index + 1] if index + 1 < len(names) else "")
    return Diagnosis(
        files=tuple(case.files),
        rows=case.n_rows,
        findings=tuple(findings),
        passed=tuple(passed),
        skipped=tuple(skipped),
        seconds=seconds,
        seed=case.seed,
        encoder=case.encoder,
    )


def _one_thread() -> AbstractContextManager[object]:
    """Small matrices are multiplied faster by one thread than by several; also the same numbers everywhere."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(1)
