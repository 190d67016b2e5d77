"""Lazy rooms: a public name is itself, whatever was imported before."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["suspicions", "preferences", "Feedback", "read_groups"])
def test_a_public_name_is_not_hidden_by_the_module_of_that_name(name: str) -> None:
    room = importlib.import_module("zermelo.feedback")
    for module in ("suspicions", "preferences", "dataset", "reading"):
        importlib.import_module(f"zermelo.feedback.{module}")
    assert callable(getattr(room, name))


def test_submodules_are_still_imported_by_path() -> None:
    code = (
        "from zermelo.feedback.suspicions import mark\nfrom zermelo.feedback import suspicions, records\n"
        "import zermelo.feedback.flat as flat\n"
        "print(mark.__name__, callable(suspicions), records.__name__, flat.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mark", "True", "zermelo.feedback.records", "zermelo.feedback.flat"]
