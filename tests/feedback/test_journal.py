"""The journal: what was appended is there after a kill, and a torn line costs one unit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zermelo.errors import DataError, SettingError
from zermelo.feedback import Journal

PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_journal_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert Journal(tmp_path / "none" / "journal.jsonl").done() == {}


def test_finished_units_are_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("a", {"x": 1})
        journal.append("b")
    with Journal(path) as journal:
        journal.append("a", {"x": 2})
        assert journal.done() == {"a": {"x": 2}, "b": None}


@given(payload=PAYLOADS, unit=st.text())
def test_any_json_value_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, payload, unit) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    with Journal(path) as journal:
        journal.append(unit, payload)
        journal.append("next", 1)
    assert Journal(path).done() == {unit: payload, "next": 1} if unit != "next" else {"next": 1}


def test_a_line_torn_anywhere_costs_only_its_own_unit(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append("first", "é" * 3)
        journal.append("second", [1, 2, 3])
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        path.write_bytes(whole[:cut])
        assert set(Journal(path).done()) == {"first"}, cut
        with Journal(path) as journal:
            journal.append("second", "again")
        assert Journal(path).done() == {"first": "é" * 3, "second": "again"}
    path.write_bytes(whole[:first] + b"\0" * 20 + b"\n")
    assert set(Journal(path).done()) == {"first"}


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    entry = json.dumps({"unit": "a", "payload": 1})
    path.write_text(f"{entry}\nnonsense\n{entry}\n")
    with pytest.raises(DataError, match=r"j.jsonl:2"):
        Journal(path).done()


def test_two_journals_may_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as one:
        one.append("a")
        with pytest.raises(SettingError, match="another process"):
            Journal(path).append("b")
    with Journal(path) as other:
        other.append("b")


def test_kill_nine_loses_no_unit_that_was_reported(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    code = (
        "import sys\nfrom zermelo.feedback import Journal\njournal = Journal(sys.argv[1])\n"
        "for i in range(10**6):\n    journal.append(f'u{i}', 'x' * 5000)\n    print(i, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reported = -1
        for line in process.stdout:
            reported = int(line)
            if reported == 20:
                process.send_signal(signal.SIGKILL)
                break
        reported = max([reported, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    done = Journal(path).done()
    assert {f"u{i}" for i in range(reported + 1)} <= set(done)
