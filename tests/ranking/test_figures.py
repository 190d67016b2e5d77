"""Published figures of public data, recomputed: the rows that `docs/benchmarks.md` shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from benchmarks.ranking_figures import SETS


@pytest.mark.parametrize("name", SETS)
def test_published_figures_are_found_again(name: str, shared_data: Path) -> None:
    rows = list(SETS[name](shared_data))
    assert rows and [row for row in rows if not row.good] == []
