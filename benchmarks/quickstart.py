"""The quickstart on three seeds: `make bench ONLY=quickstart`. Finished runs are found again, not repeated.

Writes the table of `docs/benchmarks.md` and the picture of the README from the runs' `summary.json`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "images" / "quickstart.svg"
MARKERS = ("<!-- quickstart: made by benchmarks/quickstart.py -->", "<!-- /quickstart -->")
SEEDS = (0, 1, 2)


def summaries(folders: list[Path]) -> list[dict[str, Any]]:
    """What the runs found."""
    return [json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in folders]


def section(found: list[dict[str, Any]]) -> str:
    """The table: gains in points with 95 % intervals, for each seed and objective."""
    lines = [
        "## The quickstart on three seeds",
        "",
        "Gain in held-out accuracy over the start, points, with the paired 95 % interval; 600 held-out prompts,",
        "sampling at temperature 1. The reward model's accuracy is on held-out pairs; best-of-n is the true reward at",
        "n = 1, at its best n and at n = 16, chosen by the reward model.",
        "",
    ]
    names = list(found[0]["objectives"])
    lines += [
        "| seed | start | " + " | ".join(names) + " | reward model | best-of-n |",
        "|---|---|" + "---|" * (len(names) + 2),
    ]
    for one in found:
        cells = [str(one["seed"]), f"{one['objectives'][names[0]]['accuracy_before']:.1%}"]
        for name in names:
            own = one["objectives"][name]
            low, high = 100 * own["ci_low"], 100 * own["ci_high"]
            cells.append(f"{100 * own['accuracy_gain']:+.1f} [{low:+.1f}, {high:+.1f}]")
        gold = [item["value"] for item in one["best_of_n"]["gold"]]
        best = one["best_of_n"]["best_n"]
        cells.append(f"{one['reward_accuracy']:.1%}")
        cells.append(f"{gold[0]:.1%}, {max(gold):.1%} (n = {best}), {gold[-1]:.1%}")
        lines.append("| " + " | ".join(cells) + " |")
    versions = found[0]["run"]["versions"]
    told = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "transformers") if name in versions)
    return "\n".join([*lines, "", f"{told}; CPU, one thread.", ""])


def write(found: list[dict[str, Any]]) -> None:
    """Put the section between its markers, and draw the picture."""
    from zermelo.report.plots import interval_plot
    from zermelo.stats.estimate import Estimate

    page = PAGE.read_text(encoding="utf-8")
    body = f"{MARKERS[0]}\n\n{section(found)}\n{MARKERS[1]}"
    start, stop = page.find(MARKERS[0]), page.find(MARKERS[1])
    page = page[:start] + body + page[stop + len(MARKERS[1]) :] if start >= 0 else page.rstrip() + f"\n\n{body}\n"
    PAGE.write_text(page, encoding="utf-8")
    rows = [
        (f"{name}, seed {one['seed']}", Estimate(own["accuracy_gain"], own["ci_low"], own["ci_high"]))
        for name in found[0]["objectives"]
        for one in found
        for own in [one["objectives"][name]]
    ]
    picture = interval_plot(rows, title="Gain in held-out accuracy over the start", percent_x=True, reference=0.0)
    picture.write(PICTURE)


def main() -> None:
    """Run what is missing, then write."""
    folders = [Path(name) for name in sys.argv[1:]]
    if not folders:
        folders = [ROOT / "runs" / f"quickstart-{seed}" for seed in SEEDS]
        for seed, folder in zip(SEEDS, folders, strict=True):
            command = [sys.executable, "-m", "zermelo", "quickstart", "--seed", str(seed), "--out", str(folder)]
            subprocess.run(command, check=True)
    write(summaries(folders))


if __name__ == "__main__":
    main()
