"""The house: rooms import downwards only, and the lower ones stay free of torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "zermelo"
# top to bottom; a room may import any room below it and none above
ROOMS = """
cli server claims recipes recommend diffusion doctor evaluation training search synthesis scorers policies
objectives ranking worlds report feedback stats
""".split()  # noqa: SIM905
ROOT_MODULES = {"errors", "lazy", "catalogue", "progress", "explanations"}
TORCH_FREE = ROOMS[ROOMS.index("ranking") :]


def imports_of(path: Path) -> set[str]:
    """The zermelo modules that a file imports anywhere, as first path components below `zermelo`."""
    found = set()
    package = ["zermelo", *path.relative_to(SRC).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [module] + [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "zermelo" and len(parts) > 1:
                found.add(parts[1])
    return found


FILES = sorted(SRC.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_rooms_import_downwards_only(path: Path) -> None:
    room = path.relative_to(SRC).parts[0].removesuffix(".py")
    used = imports_of(path) & (set(ROOMS) | ROOT_MODULES)
    if room == "__main__":
        return
    if room in ROOT_MODULES or room == "__init__":
        assert used <= ROOT_MODULES, f"{path.name} is a root module and may import no room"
        return
    assert room in ROOMS, f"{room} is no room of the architecture"
    allowed = set(ROOMS[ROOMS.index(room) :]) | ROOT_MODULES
    if room == "objectives":
        allowed = {"objectives"} | ROOT_MODULES
    assert used <= allowed, f"{path.relative_to(SRC)} imports upwards: {sorted(used - allowed)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_ranking_and_below_never_import_torch(path: Path) -> None:
    if path.relative_to(SRC).parts[0] not in TORCH_FREE:
        return
    heavy = {"torch", "transformers", "accelerate", "peft"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = {(node.module or "").split(".")[0]}
        else:
            continue
        assert not names & heavy, f"{path.relative_to(SRC)}:{node.lineno} imports {names & heavy}"


def test_importing_zermelo_loads_nothing_heavy() -> None:
    code = "import sys, zermelo; print(*sorted(set(sys.modules) & {'torch', 'numpy', 'scipy', 'pandas', 'duckdb'}))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert seen == []
