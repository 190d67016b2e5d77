"""`Diagnosis`: what the audits said, in order of weight, with a verdict in plain words and the commands that mend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zermelo.doctor.protocol import FAMILIES, SEVERITIES, Finding, Passed, Severity, Skipped

if TYPE_CHECKING:
    from zermelo.feedback import Feedback

__all__ = ["SCHEMA", "Diagnosis"]

SCHEMA = "zermelo.doctor/1"
MATTER_MOST = 3
_STEP = {"relabel": 1, "balance": 2}
# what misleads training comes before what merely wastes it
WEIGHT = ("contamination", "noise", "shortcut", "structure", "disagreement", "trainability", "rewarded")


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Args:
        files: The files examined.
        rows: Number of groups.
        findings: What is wrong or worth knowing.
        passed: What was looked at and is well.
        skipped: What does not apply, and why.
        seconds: Audit → seconds it took; shared tables are charged to the first that asks for them.
        seed: Of samples and folds.
        encoder: Text features of the probes.
    """

    files: tuple[str, ...]
    rows: int
    findings: tuple[Finding, ...]
    passed: tuple[Passed, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    encoder: str = "tfidf"

    @cached_property
    def ordered(self) -> tuple[Finding, ...]:
        """Findings by severity, then by family, then by figure."""
        return tuple(sorted(self.findings, key=_weight))

    def count(self, severity: Severity) -> int:
        """How many findings are of that severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """Findings of that severity or worse."""
        limit = SEVERITIES.index(severity)
        return tuple(item for item in self.ordered if SEVERITIES.index(item.severity) <= limit)

    @property
    def worst(self) -> tuple[Finding, ...]:
        """The three findings that matter most; `info` never does."""
        return self.at_least("low")[:MATTER_MOST]

    def verdict(self) -> str:
        """One paragraph in plain words: how bad it is, and what matters most."""
        looked = len(self.passed) + len({item.audit for item in self.findings})
        if not self.at_least("low"):
            return f"{_n(looked, 'audit')} looked at {_n(self.rows, 'row')} and found nothing to mend."
        counted = [f"{self.count(name)} {name}" for name in SEVERITIES[:3] if self.count(name)]
        told = "; ".join(finding.title.rstrip(".") for finding in self.worst)
        looked_at = f"{_n(looked, 'audit')} looked at {_n(self.rows, 'row')}"
        return f"{looked_at}: {', '.join(counted)}. What matters most: {told}."

    def remedy(self, output: str = "clean.parquet") -> str:
        """The command that applies the remedies of findings from medium up, '' where there are none.

        Rows are dropped before labels are mended, and lengths are balanced by what the mended labels say.
        Rows that only look odd (`drop-flagged:…`: refusals, outliers) are the user's to judge and are left out.
        """
        named = dict.fromkeys(item.fix for item in self.at_least("medium") if item.fix)
        fixes = [name for name in named if not name.startswith("drop-flagged:")]
        fixes.sort(key=lambda name: _STEP.get(name.partition("-")[0], 0))
        if not fixes:
            return ""
        import shlex

        files = " ".join(shlex.quote(name) for name in self.files) or "FILE"
        return f"zermelo doctor fix {files} --apply {','.join(fixes)} -o {output}"

    def table(self) -> list[dict[str, Any]]:
        """One row per finding: severity, audit, finding, figure, rows."""
        return [
            {
                "severity": item.severity,
                "audit": item.audit,
                "finding": item.title,
                "figure": item.figure,
                "rows": len(item.rows),
            }
            for item in self.ordered
        ]

    def to_json(self, rows_files: Mapping[int, str] | None = None) -> dict[str, Any]:
        """Plain data.

        Args:
            rows_files: Place of a finding in `ordered` → the file that holds its rows.
        """
        return {
            "schema": SCHEMA,
            "files": list(self.files),
            "rows": self.rows,
            "verdict": self.verdict(),
            "remedy": self.remedy() or None,
            "encoder": self.encoder,
            "seed": self.seed,
            "findings": [_finding_json(item, (rows_files or {}).get(place)) for place, item in enumerate(self.ordered)],
            "passed": [{"audit": item.audit, "title": item.title, **_figure(item)} for item in self.passed],
            "skipped": [{"audit": item.audit, "why": item.why} for item in self.skipped],
            "run": {"seconds": {name: round(value, 3) for name, value in self.seconds.items()}},
        }

    def to_html(self) -> str:
        """The whole diagnosis as one page, for a browser."""
        from zermelo.doctor.present import page_of

        return page_of(self).html()

    def write(self, path: str | Path, *, rows_files: Mapping[int, str] | None = None) -> Path:
        """Write `.html` or `.json`, whole or not at all."""
        from zermelo.report.svg import write_text

        if Path(path).suffix == ".html":
            return write_text(path, self.to_html())
        return write_text(path, json.dumps(self.to_json(rows_files), ensure_ascii=False, indent=1) + "\n")

    def write_rows(self, folder: str | Path, feedback: Feedback) -> dict[int, str]:
        """For each finding with rows a Parquet file of `row`, `id`, `score`; place in `ordered` → file.

        Args:
            folder: Made where it is missing.
            feedback: The data, for the ids.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        concerned = [(place, item) for place, item in enumerate(self.ordered) if len(item.rows)]
        if not concerned:
            return {}
        Path(folder).mkdir(parents=True, exist_ok=True)
        ids = pa.array(feedback.ids(), pa.string())
        at = np.arange(len(ids)) if feedback.rows is None else np.asarray(feedback.rows)
        written: dict[int, str] = {}
        for place, item in concerned:
            name = re.sub(r"[^A-Za-z0-9._-]", "_", item.audit)
            target = Path(folder) / f"{name}.parquet"
            if str(target) in written.values():
                target = Path(folder) / f"{name}.{place}.parquet"
            scores = item.scores if len(item.scores) == len(item.rows) else np.full(len(item.rows), np.nan)
            found = pa.array(np.searchsorted(at, item.rows))
            table = pa.table({"row": pa.array(item.rows), "id": ids.take(found), "score": pa.array(scores)})
            beside = target.with_name(f".{target.name}.part")
            pq.write_table(table, beside)
            beside.replace(target)
            written[place] = str(target)
        return written


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _weight(finding: Finding) -> tuple[int, int, float]:
    family = finding.audit.partition(".")[0]
    place = WEIGHT.index(family) if family in WEIGHT else len(FAMILIES)
    value = finding.figure.value if finding.figure is not None else 0.0
    return SEVERITIES.index(finding.severity), place, -value if value == value else 0.0


def _figure(item: Finding | Passed) -> dict[str, Any]:
    if item.figure is None:
        return {"figure": None, "ci_low": None, "ci_high": None}
    said = item.figure.to_json()
    return {"figure": said["value"], "ci_low": said["ci_low"], "ci_high": said["ci_high"]}


def _finding_json(item: Finding, rows_file: str | None) -> dict[str, Any]:
    return {
        "audit": item.audit,
        "severity": item.severity,
        "title": item.title,
        **_figure(item),
        "n_rows": len(item.rows),
        "rows_file": rows_file,
        "examples": [{"row": example.row, "text": example.text, "note": example.note} for example in item.examples],
        "effect": item.effect,
        "source": item.source,
        "remedy": item.remedy,
        "fix": item.fix or None,
        "details": _plain(item.details),
        "table": {name: [_number(value) for value in column] for name, column in item.table.items()},
    }


def _plain(details: Mapping[str, float | str]) -> dict[str, Any]:
    return {name: _number(value) for name, value in details.items()}


def _number(value: Any) -> Any:
    """A plain number, null for what is none: NumPy's scalars and NaN are no JSON."""
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        return None
    return int(number) if isinstance(value, int) or (hasattr(value, "dtype") and value.dtype.kind in "iu") else number
