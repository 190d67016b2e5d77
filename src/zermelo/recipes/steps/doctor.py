"""The `doctor` step: audits of the pairs that training is about to read, and their remedies."""

from __future__ import annotations

import sys
from typing import Any

from zermelo.doctor.case import Case
from zermelo.doctor.examine import examine
from zermelo.doctor.fixes import apply, dropped_rows
from zermelo.errors import LimitError
from zermelo.feedback.dataset import Feedback
from zermelo.recipes.run import Context
from zermelo.recipes.steps.tools import seed_of

__all__ = ["doctor"]


def doctor(context: Context) -> dict[str, Any]:
    """Write `doctor.html` and `doctor.json` of the pairs as they came, and `groups.parquet` as mended.

    Raises:
        LimitError: a finding is as bad as `fail_on` after mending.
    """
    settings = context.recipe.doctor
    assert settings is not None
    source, seed = context.file("pairs", "groups.parquet"), seed_of(context.recipe.seed, "doctor")
    every = sys.maxsize if settings.apply else Case.n_pairs  # what is to be mended is looked at whole
    case = Case(Feedback.read(source), (source.name,), seed, settings.encoder, n_pairs=every)
    found = examine(case, only=settings.only, advance=context.bar("doctor"))
    found.write(context.out / "doctor.html")
    found.write(context.out / "doctor.json", rows_files=found.write_rows(context.out / "rows", case.feedback))
    mended, changes = apply(case.feedback, found, settings.apply, seed=seed, case=case)
    mended.write(context.out / "groups.parquet")
    aside = dropped_rows(mended, changes)
    if aside is not None:
        aside.write(context.out / "dropped.parquet")
    if settings.fail_on is not None:
        after = examine(Case(mended, (source.name,), seed, settings.encoder), only=settings.only) if changes else found
        if bad := after.at_least(settings.fail_on):
            names = ", ".join(dict.fromkeys(finding.audit for finding in bad))
            raise LimitError("doctor-findings", f"doctor: found {settings.fail_on} or worse in the pairs: {names}")
    return {
        "groups": len(mended),
        **{severity: found.count(severity) for severity in ("high", "medium", "low")},
        "worst": [finding.title for finding in found.worst],
        "fixes": {
            change.fix: f"{len(change.dropped):,} set aside, {len(change.edited):,} changed" for change in changes
        },
    }
