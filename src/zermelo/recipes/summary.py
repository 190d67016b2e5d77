"""`summary.json` and the table on the terminal: the figures of a finished run, as plain numbers.

Whatever may differ between equal runs (times, memory, dates, paths, versions) stands under `run`.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zermelo import __version__
from zermelo.recipes.run import Done, write_json
from zermelo.recipes.schema import Recipe

__all__ = ["show", "summary", "versions"]

SCHEMA = "zermelo.run/1"
KEPT = (
    "accuracy_before",
    "accuracy_after",
    "accuracy_gain",
    "ci_low",
    "ci_high",
    "win_rate",
    "win_rate_length_controlled",
    "kl",
    "n_prompts",
)


def summary(recipe: Recipe, done: Mapping[str, Done], out: Path) -> dict[str, Any]:
    """The figures of a run, also written to `summary.json`."""
    evaluated = done["evaluate"].figures if "evaluate" in done else {"objectives": {}}
    trained = {name: own for step in ("align", "rounds") if step in done for name, own in done[step].figures.items()}
    objectives = {}
    for name in recipe.policies:
        measured = evaluated["objectives"].get(name, {})
        objectives[name] = {key: measured.get(key) for key in KEPT} | {
            "steps": trained.get(name, {}).get("steps"),
            "alarms": [
                alarm["name"]
                for told in (trained, evaluated["objectives"])
                for alarm in told.get(name, {}).get("alarms", [])
            ],
        }
    reward = evaluated.get("reward") or {}
    curve = done["select"].figures.get("curve") if "select" in done else None
    figures: dict[str, Any] = {
        "schema": SCHEMA,
        "seed": recipe.seed,
        "objectives": objectives,
        "reward_accuracy": reward.get("reward_accuracy"),
        "reward_accuracy_low": reward.get("ci_low"),
        "reward_accuracy_high": reward.get("ci_high"),
        "reward_calibration_error": reward.get("ece"),
        "reward_length_accuracy": (reward.get("length_accuracy") or {}).get("value"),
        "best_of_n": curve,
        "data": done["data"].figures,
        **{step: done[step].figures for step in ("sample", "judge", "inject", "pairs", "doctor") if step in done},
        "run": {
            "seconds": round(sum(step.seconds for step in done.values()), 2),
            "steps": {name: {"seconds": step.seconds, "memory_mb": step.memory_mb} for name, step in done.items()},
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "folder": str(out),
            "report": str(out / "report.html"),
            "versions": versions(),
        },
    }
    write_json(out / "summary.json", figures)
    return figures


def versions() -> dict[str, str]:
    """Versions that figures may depend on."""
    found = {"zermelo": __version__, "python": platform.python_version()}
    for name in ("torch", "transformers", "accelerate", "peft", "numpy", "scipy", "duckdb", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def show(figures: Mapping[str, Any]) -> None:
    """Print the side-by-side table."""
    from zermelo.report.page import Column
    from zermelo.report.terminal import print_table
    from zermelo.stats.estimate import Estimate

    rows = []
    for name, own in figures["objectives"].items():
        gain = own["accuracy_gain"]
        rows.append(
            {
                "objective": name,
                "before": own["accuracy_before"],
                "after": own["accuracy_after"],
                "gain": None if gain is None else Estimate(gain, own["ci_low"], own["ci_high"]),
                "win rate": own["win_rate"],
                "length-controlled": own["win_rate_length_controlled"],
                "KL (nat)": own["kl"],
                "alarms": ", ".join(own["alarms"]),
            }
        )
    percent = ("before", "after", "win rate", "length-controlled")
    columns: list[Column | str] = ["objective"]
    columns += [Column(name, percent=True) for name in percent[:2]]
    columns += [Column("gain", percent=True, signed=True)]
    columns += [Column(name, percent=True) for name in percent[2:]]
    columns += [Column("KL (nat)", digits=2), "alarms"]
    print_table(rows, columns)
    accuracy = figures["reward_accuracy"]
    if accuracy is not None:
        print(f"reward model: {accuracy:.1%} of held-out pairs in order")
    print(f"{figures['run']['seconds']:.0f} s in all")
