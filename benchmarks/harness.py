"""How a race is run and kept: fresh interleaved processes, medians, peak memory, one entry in `results.json`.

A benchmark is a script `benchmarks/NAME.py` with one plain function per side and

    if __name__ == "__main__":
        race("feedback_views", peer="datasets", ours=ours, theirs=theirs, conditions="10⁵ rows", args={"path": path})

A side takes keyword arguments (JSON values) and returns None or a dict: `seconds` replaces the measured wall time of
the call (to leave a set-up out), `result` must be equal on both sides, whatever else it holds is handed back.
Nothing heavy is imported here: this process is small, so that a child's peak memory is its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "benchmarks.md"
MARKERS = ("<!-- results: made by `make bench` -->", "<!-- /results -->")


@dataclass(frozen=True)
class Entry:
    """One row of `results.json`. `ratio` = theirs/ours in time, `memory_ratio` = ours/theirs in peak memory."""

    name: str
    peer: str | None
    peer_version: str | None
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    memory_ratio: float | None
    conditions: str
    ours_mb: float | None = None
    theirs_mb: float | None = None


@dataclass(frozen=True)
class Run:
    """One run of one side in its own process: wall seconds, peak resident memory in MB, what it returned."""

    seconds: float
    peak_mb: float
    returned: Mapping[str, Any] = field(default_factory=dict)


def full() -> bool:
    """Whether `FULL=1` asks for the large inputs."""
    return os.environ.get("FULL", "0") not in ("", "0")


def rows(default: int = 10**5, large: int = 10**6) -> int:
    """The number of input rows: `default`, or `large` where `FULL=1`."""
    return large if full() else default


def run_function(side: Callable[..., Any], args: Mapping[str, Any] | None = None) -> Run:
    """Call a module-level function in a fresh process.

    Args:
        side: Function of a module under `benchmarks/` (or of the script that runs now).
        args: Keyword arguments, JSON values.
    """
    module = side.__module__
    if module == "__main__":
        module = f"benchmarks.{Path(sys.modules['__main__'].__file__ or '').stem}"
    command = [sys.executable, "-m", "benchmarks.harness", f"{module}:{side.__name__}", json.dumps(dict(args or {}))]
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def run_command(command: list[str]) -> Run:
    """Run a whole command; its wall time includes start-up, its memory that of its largest child.

    A small process stands between, because a child's peak begins with that of the process it was forked from.
    """
    watch = (
        "import json, resource, subprocess, sys, time; start = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); seconds = time.perf_counter() - start; "
        "print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", watch, *command], capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout)
    return Run(seconds, _megabytes(peak))


def race(
    name: str,
    *,
    peer: str | None,
    ours: Callable[..., Any] | list[str],
    theirs: Callable[..., Any] | list[str] | None,
    conditions: str,
    args: Mapping[str, Any] | None = None,
    repeat: int = 3,
    package: str | None = None,
) -> Entry:
    """Run both sides in turn, `repeat` times each, and keep the medians.

    Args:
        name: Entry in `results.json`; begins with the script's name.
        peer: What we race against; None where there is no peer.
        ours: A function (see the module) or a command line.
        theirs: The peer's, at its best settings on the same data.
        conditions: Data, sizes and settings, one line.
        args: Keyword arguments of both functions.
        repeat: Runs of each side.
        package: Distribution whose version is kept, where it is not called like the peer.
    """

    def run(side: Callable[..., Any] | list[str]) -> Run:
        return run_command(side) if isinstance(side, list) else run_function(side, args)

    mine: list[Run] = []
    other: list[Run] = []
    for _ in range(repeat):
        mine.append(run(ours))
        if theirs is not None:
            other.append(run(theirs))
            check_equal(name, mine[-1], other[-1])
    return keep(
        name,
        peer=peer,
        ours=statistics.median(item.seconds for item in mine),
        theirs=statistics.median(item.seconds for item in other) if other else None,
        ours_mb=statistics.median(item.peak_mb for item in mine),
        theirs_mb=statistics.median(item.peak_mb for item in other) if other else None,
        conditions=conditions,
        package=package,
    )


def check_equal(name: str, ours: Run, theirs: Run) -> None:
    """First prove the outputs equal, then time: both sides' `result`, where both give one."""
    if (
        "result" in ours.returned
        and "result" in theirs.returned
        and ours.returned["result"] != theirs.returned["result"]
    ):
        raise SystemExit(f"{name}: outputs differ: {ours.returned['result']} and {theirs.returned['result']}")


def keep(
    name: str,
    *,
    peer: str | None,
    ours: float,
    theirs: float | None,
    conditions: str,
    unit: str = "s",
    ours_mb: float | None = None,
    theirs_mb: float | None = None,
    package: str | None = None,
) -> Entry:
    """Replace the entry `name` in `results.json`, print it, and make the table of `docs/benchmarks.md` again.

    For benchmarks that measure in a way of their own. `ours` and `theirs` are in `unit`; where more is better
    (`tests/s`), the ratio is still that of times: ours/theirs.
    """
    rate = unit.endswith("/s")
    entry = Entry(
        name=name,
        peer=peer,
        peer_version=None if peer is None else _version(package or peer),
        ours=_rounded(ours),
        theirs=None if theirs is None else _rounded(theirs),
        unit=unit,
        ratio=None if theirs is None else _rounded(ours / theirs if rate else theirs / ours),
        memory_ratio=None if not (ours_mb and theirs_mb) else _rounded(ours_mb / theirs_mb),
        conditions=f"{conditions}; {machine()}",
        ours_mb=None if ours_mb is None else _rounded(ours_mb),
        theirs_mb=None if theirs_mb is None else _rounded(theirs_mb),
    )
    with _locked():
        kept = [item for item in read_results() if item["name"] != name]
        _replace(RESULTS, json.dumps(sorted([*kept, asdict(entry)], key=lambda item: item["name"]), indent=1) + "\n")
        render()
    print(json.dumps(asdict(entry)), flush=True)
    return entry


def machine() -> str:
    """Cores, Python and the day."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, Python {sys.version_info.major}.{sys.version_info.minor}, {date.today()}"


def read_results() -> list[dict[str, Any]]:
    """All entries that were kept."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table, wins and losses alike."""
    lines = [
        "| benchmark | ours | peer | theirs | times faster | memory, ours ÷ theirs | conditions |",
        "|---|---:|---|---:|---:|---:|---|",
    ]
    for item in results:
        peer = f"{item['peer']} {item['peer_version'] or ''}".strip() if item["peer"] else "–"
        ratio = "–" if item["ratio"] is None else f"**{item['ratio']:g}×**"
        memory = "–" if item["memory_ratio"] is None else f"{item['memory_ratio']:g}"
        cells = [item["name"], _cell(item, "ours"), peer, _cell(item, "theirs"), ratio, memory, item["conditions"]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render(page: Path = PAGE) -> None:
    """Write the table between the two markers of `docs/benchmarks.md`; the rest of the page stays."""
    start, end = MARKERS
    text = page.read_text() if page.exists() else f"# Benchmarks\n\n{start}\n{end}\n"
    if start not in text or end not in text:
        text = f"{text.rstrip()}\n\n{start}\n{end}\n"
    before, rest = text.split(start, 1)
    after = rest.split(end, 1)[1]
    page.parent.mkdir(exist_ok=True)
    _replace(page, f"{before}{start}\n\n{table(read_results())}\n\n{end}{after}")


def _cell(item: Mapping[str, Any], side: str) -> str:
    if item[side] is None:
        return "–"
    memory = item.get(f"{side}_mb")
    return f"{item[side]:g} {item['unit']}" + (f", {memory:,.0f} MB" if memory else "")


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _version(package: str) -> str | None:
    with contextlib.suppress(Exception):
        return version(package)
    return None


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    folder = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _megabytes(maxrss: float) -> float:
    return maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _peak_mb() -> float:
    """Peak resident memory of this process alone (VmHWM: `ru_maxrss` also remembers the parent it came from)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return _megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _child(target: str, arguments: str) -> None:
    module, _, name = target.partition(":")
    side = getattr(importlib.import_module(module), name)
    start = time.perf_counter()
    returned = side(**json.loads(arguments)) or {}
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": returned.pop("seconds", seconds), "peak_mb": _peak_mb(), "returned": returned}))


if __name__ == "__main__":
    _child(*sys.argv[1:3])
