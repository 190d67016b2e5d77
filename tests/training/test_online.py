"""Fresh samples in every step: a step computed by hand, going on after a crash, the check against the sampler."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.feedback.records import Judgement
from zermelo.objectives import DPO, KTO, OREO, RWR, HyPO
from zermelo.policies.sampling import Sampling, TransformersSampler
from zermelo.training import Callback, OfflineSettings, Online, alarms_of, align

SMALL = OfflineSettings(lr=1e-3, groups_per_step=6, max_steps=1, clip=None, checks=False, save_every=None)
ONLINE = Online(n=3, max_tokens=12)


class StopAt(Callback):
    """Raises in the middle of a run, as a crash would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, run, row) -> None:
        if row["step"] == self.step:
            raise RuntimeError("crash")


def result_of(path: Path) -> tuple[list[dict], dict[str, list[float]]]:
    """Every figure of every step, and the weights."""
    from safetensors.torch import load_file

    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    figures = [{name: value for name, value in row.items() if name != "run"} for row in rows]
    return figures, {name: value.tolist() for name, value in load_file(path / "model" / "model.safetensors").items()}


def sequence_logp(policy, prompt: tuple[int, ...], response: tuple[int, ...]) -> torch.Tensor:
    """log π(response | prompt) by one plain forward of the model."""
    logits = policy.model(input_ids=torch.tensor([[*prompt, *response]])).logits[0].log_softmax(-1)
    at = torch.arange(len(prompt), len(prompt) + len(response))
    return logits[at - 1, torch.tensor(response)].sum()


def test_one_step_of_hypo_is_the_plain_forward_written_by_hand(make, pairs) -> None:
    policy, other, few = make.policy(), make.policy(seed=5), pairs[:6]
    result = align(policy, few, HyPO(beta=0.1, lam=0.2), settings=SMALL, references={"ref": other}, online=ONLINE)
    by_id = {group.id: group for group in few}
    # the loop takes the groups of a step in its own order; the sampler's streams depend on ids and seed alone
    drawn = TransformersSampler(policy, Sampling(max_tokens=12)).sample(few, n=3, seed=1)
    end = policy.end_ids[0]
    terms, costs = [], []
    policy.model.requires_grad_(True)
    for group in drawn:
        prompt = group.responses[0].prompt_ids
        own = torch.stack([sequence_logp(policy, prompt, r.token_ids) for r in group.responses])
        with torch.no_grad():
            cost = own - torch.stack([sequence_logp(other, prompt, r.token_ids) for r in group.responses])
        baseline = (cost.sum() - cost) / 2
        terms.append((cost - baseline) * own)
        costs.append(cost)
    kl = torch.cat(terms).mean()
    losses = []
    for group in by_id.values():
        prompt = policy.template.prompts([group.prompt], [group.meta])[0]
        sides = [(*policy.tokenizer(r.text, add_special_tokens=False).input_ids, end) for r in group.responses]
        gaps = []
        for side in sides:
            with torch.no_grad():
                reference = sequence_logp(other, prompt, side)
            gaps.append(sequence_logp(policy, prompt, side) - reference)
        losses.append(torch.nn.functional.softplus(-0.1 * (gaps[0] - gaps[1])))
    loss = torch.stack(losses).mean() + 0.2 * kl
    gradient = torch.autograd.grad(loss, list(policy.model.parameters()))
    row = result.history[0]
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert row["fresh/kl"] == pytest.approx(torch.cat(costs).mean().item(), rel=1e-4)
    assert row["grad_norm"] == pytest.approx(torch.cat([g.reshape(-1) for g in gradient]).norm().item(), rel=1e-3)


def test_without_fresh_samples_the_online_term_is_idle_and_an_alarm_says_so(policy, pairs) -> None:
    result = align(policy, pairs[:6], HyPO(lam=0.1), settings=SMALL)
    assert "hypo_kl/loss" not in result.history[0]
    (alarm,) = [alarm for alarm in result.alarms if alarm.name == "idle-term"]
    assert "hypo_kl" in alarm.figure and "online" in alarm.remedy
    online = align(policy, pairs[:6], HyPO(lam=0.1), settings=SMALL, online=ONLINE)
    assert "hypo_kl/loss" in online.history[0]
    assert "idle-term" not in {alarm.name for alarm in alarms_of(online.history, online.counts)}


def test_every_step_compares_the_sampler_with_the_trainer(policy, pairs) -> None:
    settings = OfflineSettings(lr=1e-2, groups_per_step=6, max_steps=4, checks=False, save_every=None)
    result = align(policy, pairs, HyPO(lam=0.05), settings=settings, online=ONLINE)
    assert all(0 <= row["sampler/gap"] < 1e-4 for row in result.history)
    assert all(row["sampler/largest"] >= row["sampler/gap"] for row in result.history)
    assert result.history[0]["fresh/kl"] == pytest.approx(0, abs=1e-4)
    assert result.history[-1]["fresh/kl"] > 0.01  # weights have moved, and the sampler's with them


def test_a_sampler_of_other_weights_stops_the_run(policy, make, pairs, monkeypatch) -> None:
    from zermelo.training.online import Sampled

    made = Sampled.__init__

    def stale(self, online, other, *rest) -> None:
        made(self, online, make.policy(seed=3), *rest)

    monkeypatch.setattr(Sampled, "__init__", stale)
    with pytest.raises(SettingError, match="sampler = trainer"):
        align(policy, pairs, HyPO(lam=0.05), settings=SMALL, online=ONLINE)


@pytest.mark.parametrize("crash", [4, 6])
def test_a_run_that_goes_on_draws_what_the_uninterrupted_one_draws(crash, policy, pairs, tmp_path) -> None:
    settings = OfflineSettings(lr=2e-3, groups_per_step=8, epochs=1, save_every=3, checks=False)
    how = {"settings": settings, "online": ONLINE}
    align(policy, pairs, HyPO(lam=0.1), out=tmp_path / "whole", **how)
    with pytest.raises(RuntimeError, match="crash"):
        align(policy, pairs, HyPO(lam=0.1), out=tmp_path / "broken", callbacks=[StopAt(crash)], **how)
    align(policy, pairs, HyPO(lam=0.1), out=tmp_path / "broken", **how)
    assert result_of(tmp_path / "whole") == result_of(tmp_path / "broken")


def test_the_cut_of_a_step_changes_no_figure(make, pairs) -> None:
    from dataclasses import replace

    how = {"references": {"ref": make.policy(seed=5)}, "online": ONLINE}
    whole = align(make.policy(), pairs, HyPO(lam=0.1), settings=SMALL, **how)
    parts = align(make.policy(), pairs, HyPO(lam=0.1), settings=replace(SMALL, tokens=90), **how)
    (one,), (two,) = whole.history, parts.history
    for name in ("loss", "grad_norm", "hypo_kl/loss", "fresh/kl", "sampler/gap"):
        assert one[name] == pytest.approx(two[name], rel=1e-3, abs=1e-6), name


def worker(make, rank: int, world: int, port: int, out: Path) -> None:
    """One process of a run, as a launcher would start it."""
    import os

    from accelerate.state import AcceleratorState

    os.environ |= {"ACCELERATE_USE_CPU": "true"}
    if world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
        os.environ |= {"LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    AcceleratorState._reset_state(reset_partial_state=True)
    how = {"references": {"ref": make.policy(seed=5)}, "online": Online(n=3, max_tokens=12, prompts=5)}
    align(make.policy(), make.pairs(6), HyPO(lam=0.1) + OREO(alpha=0.0), settings=SMALL, out=out, **how)


def test_two_processes_share_the_sampling_and_give_the_figures_of_one(make, tmp_path) -> None:
    import socket

    rows = []
    for world in (1, 2):
        out = tmp_path / str(world)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        started = [make.forked(worker, make, rank, world, port, out) for rank in range(world)]
        for process in started:
            process.join(120)
            assert process.exitcode == 0
        rows.append(json.loads((out / "metrics.jsonl").read_text().splitlines()[0]))
    for name in rows[0].keys() - {"run", "sampler/gap", "sampler/largest"}:
        assert rows[0][name] == pytest.approx(rows[1][name], rel=2e-3, abs=1e-5), name
    assert {"hypo_kl/loss", "oreo_value/loss", "fresh/kl"} < rows[0].keys() == rows[1].keys()


class Shorter:
    """A judge that likes short answers."""

    name = "shorter"

    def score(self, groups):
        return [
            tuple(Judgement("rating", (i,), value=-float(len(r.token_ids))) for i, r in enumerate(group.responses))
            for group in groups
        ]


def test_judged_samples_are_learnt_from(policy, pairs) -> None:
    settings = OfflineSettings(lr=3e-3, groups_per_step=8, epochs=2, checks=False, save_every=None)
    online = Online(n=4, max_tokens=24, judge=Shorter())
    result = align(policy, pairs, RWR(tau=4.0), settings=settings, online=online)
    lengths = [row["fresh/length"] for row in result.history]
    assert sum(lengths[-4:]) < 0.9 * sum(lengths[:4])


def test_other_objectives_run_beside_fresh_samples(policy, pairs) -> None:
    for objective in (DPO() + 0.1 * HyPO(lam=1.0), KTO()):
        result = align(policy, pairs, objective, settings=SMALL, online=ONLINE)
        assert result.history[0]["fresh/length"] > 0


def test_the_command_samples_in_every_step(pairs, tmp_path) -> None:
    from zermelo.cli.app import main
    from zermelo.feedback.writing import write_groups
    from zermelo.worlds.protocol import folder

    file, out = tmp_path / "pairs.jsonl", tmp_path / "run"
    write_groups(pairs[:6], file, format="trl")
    how = ["-b", "hypo:lam=0.01", "--online", "2", "--online-tokens", "8", "--max-steps", "2", "--batch", "3"]
    with pytest.raises(SystemExit) as done:
        main(["align", str(file), "-m", str(folder("arithmetic")), *how, "-o", str(out), "--json"])
    assert done.value.code == 0
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2 and all(1 <= row["fresh/length"] <= 8 and "hypo_kl/loss" in row for row in rows)
    assert json.loads((out / "config.json").read_text())["online"]["n"] == 2


@pytest.mark.parametrize("wrong", [{"n": 0}, {"max_tokens": 0}, {"prompts": -1}], ids=str)
def test_wrong_settings_are_refused(wrong) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Online(**wrong)
