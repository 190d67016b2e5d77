"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch: two threads contend on tiny models
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("NO_COLOR", "1")

ROOT = Path(__file__).parent.parent


def find_shared_data() -> Path | None:
    """The folder of public data: $ZERMELO_SHARED_DATA, or `shared/data` beside the checkout."""
    named = os.environ.get("ZERMELO_SHARED_DATA")
    for path in [Path(named)] if named else [ROOT.parent / "shared" / "data", ROOT / "shared" / "data"]:
        if path.is_dir():
            return path
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data, or skip."""
    path = find_shared_data()
    if path is None:
        pytest.skip(
            "the public data is not here: set ZERMELO_SHARED_DATA, or put it in shared/data beside the checkout"
        )
    return path
