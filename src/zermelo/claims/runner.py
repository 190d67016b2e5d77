"""Run claims, keep their results, list them."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zermelo import __version__
from zermelo.catalogue import Entry, catalogue
from zermelo.claims.protocol import Claim, Summary, interval
from zermelo.errors import MissingError, SettingError, nearest

__all__ = ["KEPT", "claims", "keep", "kept_results", "load_claim", "run_claim", "shared_data"]

KEPT = Path(__file__).parent / "results"  # results that ship with the package
SCHEMA = "zermelo.claim/1"


def claims() -> dict[str, Entry]:
    """id → catalogue entry, of every method that has a claim."""
    return {entry.id: entry for entry in catalogue().values() if entry.claim}


def load_claim(claim_id: str) -> Claim:
    """The claim of a catalogue id.

    Raises:
        SettingError: the id is unknown, or has no claim.
    """
    known = claims()
    if claim_id not in known:
        guess = nearest(claim_id, list(known))
        hint = f"did you mean `{guess}`?" if guess else "`zermelo claims list` shows those that exist"
        raise SettingError("unknown-claim", f"no claim for {claim_id!r}", hint=hint)
    return importlib.import_module(f"zermelo.claims.{known[claim_id].claim}").CLAIM


def shared_data(name: str) -> Path:
    """A folder of the public data: below $ZERMELO_SHARED_DATA, or `shared/data` beside the checkout or here.

    Raises:
        MissingError: it is in none of these places.
    """
    named = os.environ.get("ZERMELO_SHARED_DATA")
    root = Path(__file__).parents[3]
    places = [Path(named)] if named else [root.parent / "shared" / "data", Path("shared/data"), Path("../shared/data")]
    for place in places:
        if (place / name).is_dir():
            return place / name
    raise MissingError(
        "missing-data",
        f"the public data {name!r} is not here",
        hint="set ZERMELO_SHARED_DATA to the folder that holds it",
    )


def run_claim(claim: Claim, *, advance: Callable[..., None] = lambda *_, **__: None) -> dict[str, Any]:
    """Run a claim over its seeds; returns the result as plain data (`SCHEMA`).

    Args:
        claim: What to run.
        advance: Called after each seed.
    """
    if claim.data:
        shared_data(claim.data)
    started = time.perf_counter()
    per_seed: dict[int, Mapping[str, float]] = {}
    for seed in claim.seeds[:1] if claim.exact else claim.seeds:
        per_seed[seed] = {key: float(value) for key, value in claim.run(seed).items()}
        advance(1, note=f"{claim.headline} {per_seed[seed][claim.headline]:.4g}")
    summary = summarise(claim, per_seed)
    return {
        "schema": SCHEMA,
        "id": claim.id,
        "title": catalogue()[claim.id].title,
        "paper": claim.paper,
        "measures": claim.measures,
        "measured": summary.mean[claim.headline],
        "ci_low": summary.low[claim.headline],
        "ci_high": summary.high[claim.headline],
        "seeds": list(per_seed),
        "verdict": claim.verdict(summary),
        "rule": claim.rule,
        "seconds": round(time.perf_counter() - started, 2),
        "notes": claim.notes,
        "figures": {key: [summary.low[key], summary.mean[key], summary.high[key]] for key in summary.mean},
        "per_seed": {str(seed): dict(figures) for seed, figures in per_seed.items()},
        "versions": versions(),
    }


def summarise(claim: Claim, per_seed: Mapping[int, Mapping[str, float]]) -> Summary:
    """Mean and interval of every figure; an exact claim gives its own interval of the headline."""
    keys = list(next(iter(per_seed.values())))
    spread = {key: interval([figures[key] for figures in per_seed.values()]) for key in keys}
    mean, low, high = ({key: spread[key][part] for key in keys} for part in range(3))
    if claim.exact:
        only = next(iter(per_seed.values()))
        low[claim.headline] = only.get("ci_low", low[claim.headline])
        high[claim.headline] = only.get("ci_high", high[claim.headline])
    return Summary(mean, low, high, per_seed)


def versions() -> dict[str, str]:
    """Versions that a figure may depend on."""
    found = {"zermelo": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "scikit-learn", "torch", "transformers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def keep(result: Mapping[str, Any], folder: Path) -> Path:
    """Write a result beside and rename; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['id']}.json"
    beside = path.with_suffix(".json.part")
    beside.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)
    return path


def kept_results(*folders: Path) -> list[dict[str, Any]]:
    """Results that are kept, by id; later folders win over earlier ones."""
    found: dict[str, dict[str, Any]] = {}
    for folder in (KEPT, *folders):
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            result = json.loads(path.read_text(encoding="utf-8"))
            found[result["id"]] = result
    return [found[key] for key in sorted(found)]


def with_seeds(claim: Claim, seeds: list[int]) -> Claim:
    """The claim on other seeds (for tuning; not for a verdict that is kept)."""
    return dataclasses.replace(claim, seeds=tuple(seeds))
