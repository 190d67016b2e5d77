"""Does mending pay? Not a race: a reward head on right labels, on labels with 20 % flips, and after `doctor fix`.

Style world and HH-RLHF (harmless; $ZERMELO_SHARED_DATA, or `shared/data` beside the checkout), ten seeds, both fixes;
writes `benchmarks/doctor_payoff.json` and its section of `docs/benchmarks.md`, where the page has one.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
RESULT = HERE / "doctor_payoff.json"
MARKERS = ("<!-- doctor_payoff: made by benchmarks/doctor_payoff.py -->", "<!-- /doctor_payoff -->")
FIXES = ("relabel-suspects:soft", "drop-suspects")
RATE, SEEDS = 0.2, tuple(range(101, 111))


def races(encoders: Sequence[str]) -> list[tuple[str, str, Callable[[int], Any]]]:
    """(data, encoder, draw) of every experiment that can be run here."""
    from benchmarks.reward_minilm import hh_harmless, shared_data
    from zermelo.doctor.payoff import halves, style_groups

    found: list[tuple[str, str, Callable[[int], Any]]] = [("style world", "tfidf", style_groups)]
    data = shared_data()
    if data is None:
        print("no public data: HH-RLHF is left out", file=sys.stderr)
    else:
        draw = halves(hh_harmless(data))
        found += [("HH-RLHF, harmless", encoder, draw) for encoder in encoders]
    return found


def measure(encoders: Sequence[str]) -> dict[str, Any]:
    """Every experiment with every fix."""
    from zermelo.doctor.payoff import payoff

    rows = []
    with tempfile.TemporaryDirectory(prefix="zermelo-") as folder:
        keep_embeddings(folder)
        for name, encoder, draw in races(encoders):
            for fix in FIXES:
                found = payoff(draw, fix=fix, rate=RATE, seeds=SEEDS, encoder=encoder, cache=folder)
                rows.append({"data": name, "encoder": encoder, "fix": fix, **found.to_json()})
                print(f"{name}, {encoder}, {fix}: {found.regained:.2f} regained", file=sys.stderr)
    return {"day": date.today().isoformat(), "rate": RATE, "seeds": list(SEEDS), "rows": rows}


def keep_embeddings(folder: str) -> None:
    """Let the doctor's probes keep embeddings, too: every seed asks for those of the same texts."""
    from zermelo.scorers import encoders

    encoders.encoder = functools.partial(encoders.encoder, cache_folder=folder)


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    share, n = f"{result['rate']:.0%}", len(result["seeds"])
    lines = [
        f"{share} of the training labels flipped; a reward head, {n} seeds, accuracy on held-out pairs with their own",
        "labels; intervals at 95 %, paired over seeds.",
        "",
        "| data | text features | fix | right labels | flipped | mended | lost | regained of it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        mean = [sum(row[name]) / len(row[name]) for name in ("clean", "flipped", "mended")]
        lost, regained = row["lost"], row["regained"]
        lines.append(
            f"| {row['data']} | {row['encoder']} | `{row['fix']}` | {mean[0]:.1%} | {mean[1]:.1%} | {mean[2]:.1%} | "
            f"{100 * lost['value']:.1f} [{100 * lost['ci_low']:.1f}, {100 * lost['ci_high']:.1f}] points | "
            f"{'–' if regained != regained else f'{regained:.0%}'} |"
        )
    return "\n".join(lines)


def main() -> None:
    encoders = sys.argv[1:] or ["tfidf", "minilm"]
    result = measure(encoders)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    text = table(result)
    print(text)
    page = PAGE.read_text() if PAGE.exists() else ""
    if all(mark in page for mark in MARKERS):
        before, rest = page.split(MARKERS[0])
        PAGE.write_text(f"{before}{MARKERS[0]}\n\n{text}\n\n{MARKERS[1]}{rest.split(MARKERS[1])[1]}")


if __name__ == "__main__":
    main()
