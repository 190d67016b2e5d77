"""Run benchmarks: `make bench`, `make bench ONLY=name`, `FULL=1 make bench`.

Every `benchmarks/NAME.py` but this file and the harness is one; `--only NAME` runs those whose name begins so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.harness import render  # noqa: E402


def scripts(only: str = "") -> list[str]:
    """Names of the benchmarks that begin with `only`."""
    names = {path.stem for path in HERE.glob("*.py")} - {"__init__", "harness", "run"}
    return sorted(name for name in names if name.startswith(only) and not name.startswith("_"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run the benchmarks whose name begins so")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--render", action="store_true", help="only make docs/benchmarks.md from results.json again")
    settings = parser.parse_args()
    if settings.render:
        render()
        return
    names = scripts(settings.only)
    if settings.list:
        print("\n".join(names))
        return
    if not names:
        raise SystemExit(f"no benchmark begins with {settings.only!r}; there are: {', '.join(scripts())}")
    failed = [
        name
        for name in names
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False).returncode
    ]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
