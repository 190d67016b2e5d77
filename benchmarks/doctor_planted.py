"""Does the doctor find what was planted, and leave clean data alone? Not a race: rates, precision and recall.

    python -m benchmarks.doctor_planted [seeds [draws]]        3 seeds, 50 clean draws by default

Writes `benchmarks/doctor_planted.json` and its section of `docs/benchmarks.md`, where the page has one.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
RESULT = HERE / "doctor_planted.json"
MARKERS = ("<!-- doctor_planted: made by benchmarks/doctor_planted.py -->", "<!-- /doctor_planted -->")
GROUPS, CLEAN = 2_000, 600


def measure(seeds: int, draws: int) -> dict[str, Any]:
    """Every fault on every seed; clean draws."""
    from zermelo.doctor.held_to import check_planted, false_alarms

    rows: defaultdict[tuple[str, float], list[dict[str, Any]]] = defaultdict(list)
    for seed in range(1, seeds + 1):
        for found in check_planted(seed, n=GROUPS):
            rows[found.fault, found.planted].append(found.row())
        print(f"seed {seed} of {seeds}", file=sys.stderr)
    alarms = false_alarms(draws, n=CLEAN)
    return {
        "day": date.today().isoformat(),
        "groups": GROUPS,
        "seeds": seeds,
        "faults": [summary(each) for each in rows.values()],
        "clean": {"draws": draws, "groups": CLEAN, "high": alarms.share.to_json(), "by_audit": alarms.by_audit},
    }


def summary(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds."""

    def mean(name: str) -> float | None:
        known = [row[name] for row in each if row[name] is not None and row[name] == row[name]]
        return sum(known) / len(known) if known else None

    first = each[0]
    within = [row for row in each if row["low"] is not None]
    return {
        "fault": first["fault"],
        "planted": first["planted"],
        "audit": next((row["audit"] for row in each if row["audit"]), None),
        "severity": "/".join(sorted({row["severity"] or "–" for row in each})),
        "found": sum(row["found"] for row in each),
        "of": len(each),
        **{name: mean(name) for name in ("precision", "recall", "true", "estimated")},
        "covered": sum(row["low"] <= row["true"] <= row["high"] for row in within) if within else None,
    }


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    seeds = result["seeds"]
    lines = [
        f"{result['groups']:,} groups of the replies world with one fault each, {seeds} seeds; means over the seeds.",
        "`true` is the share of faulty rows, of pairs of which the shortcut is true, or of annotators; `within` counts",
        "the seeds on which the finding's 95 % interval holds it.",
        "",
        "| fault | found by | severity | found | precision | recall | true | estimated | within |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["faults"]:
        numbers = [_share(row[name]) for name in ("precision", "recall", "true", "estimated")]
        name = f"{row['fault']}, {row['planted']:.0%}" if row["fault"] == "flipped" else row["fault"]
        audit = f"`{row['audit']}`" if row["audit"] else "–"
        within = "–" if row["covered"] is None else f"{row['covered']}/{row['of']}"
        found = f"{row['found']}/{row['of']}"
        lines.append(f"| {name} | {audit} | {row['severity']} | {found} | {' | '.join(numbers)} | {within} |")
    clean = result["clean"]
    high = clean["high"]
    told = f"{high['value']:.0%} of the draws [{high['ci_low']:.0%}, {high['ci_high']:.0%}]"
    size = f"{clean['draws']} draws of {clean['groups']} groups"
    lines += ["", f"Clean data: {size}, every audit that needs no model; {told} raise anything high."]
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def main() -> None:
    numbers = [int(text) for text in sys.argv[1:]]
    result = measure(*(numbers + [3, 50][len(numbers) :]))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    text = table(result)
    print(text)
    page = PAGE.read_text() if PAGE.exists() else ""
    if all(mark in page for mark in MARKERS):
        before, rest = page.split(MARKERS[0])
        PAGE.write_text(f"{before}{MARKERS[0]}\n\n{text}\n\n{MARKERS[1]}{rest.split(MARKERS[1])[1]}")


if __name__ == "__main__":
    main()
