"""Interrupted runs: what is left is whole, and the end is that of an uninterrupted run to the last bit."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import BCO, DPO, SFT
from zermelo.training import Callback, OfflineSettings, align
from zermelo.training.folder import RunFolder

SETTINGS = OfflineSettings(lr=2e-3, groups_per_step=8, epochs=1.25, save_every=5, checks=False, validation_share=0.1)


class StopAt(Callback):
    """Raises in the middle of a run, as a crash would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, run, row) -> None:
        if row["step"] == self.step:
            raise RuntimeError("crash")


def figures(path: Path) -> list[dict]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "run"} for row in rows]


def saved(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(next((path / "model").glob("*model.safetensors")))


def same(a: Path, b: Path) -> None:
    assert figures(a) == figures(b)
    one, two = saved(a), saved(b)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    first, second = (json.loads((path / "summary.json").read_text()) for path in (a, b))
    assert {k: v for k, v in first.items() if k != "run"} == {k: v for k, v in second.items() if k != "run"}


@pytest.mark.parametrize("kind", ["full", "lora"])
@pytest.mark.parametrize("objective", [DPO(), BCO()], ids=repr)
def test_a_run_that_goes_on_ends_like_one_that_was_never_stopped(kind, objective, policy, pairs, tmp_path) -> None:
    from zermelo.policies.load import LoRA

    lora = LoRA(rank=2, dropout=0.1) if kind == "lora" else None

    def go(out: str, *callbacks: Callback):
        return align(policy, pairs, objective, settings=SETTINGS, lora=lora, callbacks=callbacks, out=tmp_path / out)

    whole = go("whole")
    for at in (3, 5, 8):  # before the first checkpoint, on it, after it
        with pytest.raises(RuntimeError, match="crash"):
            go("broken", StopAt(at))
    torch.rand(7)
    result = go("broken")
    assert result.steps == whole.steps == 10
    same(tmp_path / "whole", tmp_path / "broken")


def test_a_finished_run_is_not_done_again(policy, pairs, tmp_path) -> None:
    first = align(policy, pairs, DPO(), settings=SETTINGS, out=tmp_path)
    again = align(policy, pairs, DPO(), settings=SETTINGS, out=tmp_path, callbacks=[StopAt(1)])
    assert again.steps == first.steps and again.final == first.final
    ids = torch.tensor([[1, 5, 6]])
    assert torch.equal(again.policy.model(ids).logits, first.policy.model(ids).logits)


def test_another_configuration_is_refused_and_fresh_starts_over(policy, pairs, tmp_path) -> None:
    align(policy, pairs, DPO(), settings=SETTINGS, out=tmp_path)
    other = replace(SETTINGS, lr=1e-3)
    with pytest.raises(SettingError, match=r"differs in settings\.lr"):
        align(policy, pairs, DPO(), settings=other, out=tmp_path)
    with pytest.raises(SettingError, match="objective"):
        align(policy, pairs, DPO(beta=0.2), settings=SETTINGS, out=tmp_path)
    with pytest.raises(SettingError, match="data"):
        align(policy, pairs[:-1], DPO(), settings=SETTINGS, out=tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    result = align(policy, pairs, DPO(), settings=other, out=tmp_path, fresh=True)
    assert len(figures(tmp_path)) == len(result.history) and (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_takes_one_run_at_a_time(policy, pairs, tmp_path) -> None:
    with RunFolder(tmp_path).locked(), pytest.raises(SettingError, match="another run is going on"):
        align(policy, pairs, SFT(), settings=SETTINGS, out=tmp_path)


def test_only_so_many_checkpoints_are_kept(policy, pairs, tmp_path) -> None:
    settings = replace(SETTINGS, save_every=1, epochs=1)
    align(policy, pairs, SFT(), settings=replace(settings, save_total_limit=3), out=tmp_path / "three")
    names = sorted(path.name for path in (tmp_path / "three" / "checkpoints").iterdir())
    assert names == ["step-000006", "step-000007", "step-000008"]
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(tmp_path / "three" / "checkpoints" / names[0])


def test_a_torn_line_of_the_journal_is_forgotten(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        folder.append({"step": step, "loss": 0.5})
    with folder.metrics.open("a") as handle:
        handle.write('{"step": 4, "lo')
    assert [row["step"] for row in folder.rows()] == [1, 2, 3]
    assert [row["step"] for row in folder.rewind(2)] == [1, 2]
    folder.append({"step": 3, "loss": 0.4})
    assert [row["step"] for row in folder.rows()] == [1, 2, 3]


def worker(make, out: Path) -> None:
    settings = replace(SETTINGS, groups_per_step=4, epochs=2, save_every=4, validation_share=0.0)
    try:
        align(make.policy(), make.pairs(32), DPO(), settings=settings, out=out)
    except KeyboardInterrupt:
        sys.exit(130)


def until(condition, process) -> None:
    end = time.monotonic() + 60
    while not condition() and process.is_alive() and time.monotonic() < end:
        time.sleep(0.002)


def test_killed_in_the_middle_of_a_step_or_a_save_and_stopped_by_ctrl_c(make, tmp_path) -> None:
    out = tmp_path / "broken"
    saves, journal = out / "checkpoints", out / "metrics.jsonl"
    # in the middle of a save: the part is there, the checkpoint is not
    process = make.forked(worker, make, out)
    until(lambda: any(saves.glob(".step-*.part")), process)
    process.kill()
    process.join()
    # in the middle of a step, after a checkpoint
    process = make.forked(worker, make, out)
    until(lambda: any(saves.glob("step-*")), process)
    process.kill()
    process.join()
    # Ctrl-C: finishes the step, saves, and says so
    before = journal.stat().st_mtime_ns if journal.exists() else 0
    process = make.forked(worker, make, out)
    until(lambda: journal.exists() and journal.stat().st_mtime_ns > before and len(figures(out)) % 4 == 1, process)
    os.kill(process.pid, signal.SIGINT)
    process.join(60)
    assert process.exitcode == 130
    assert (saves / f"step-{len(figures(out)):06d}").exists()
    for folder in (out, tmp_path / "whole"):
        process = make.forked(worker, make, folder)
        process.join(60)
        assert process.exitcode == 0
    same(tmp_path / "whole", out)
    assert not list(saves.glob(".*.part"))
