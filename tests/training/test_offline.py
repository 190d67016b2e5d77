"""The loop: its numbers are those of a plain loop, however a step is cut, on however many processes."""

from __future__ import annotations

import copy
import json
import math
import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file

from zermelo.errors import DataError, SettingError
from zermelo.feedback.records import Group, Judgement, Response
from zermelo.objectives import BCO, DPO, KTO, LCPO, ORPO, SFT, Linear, ListMLE, Needs, SimPO, term
from zermelo.objectives.protocol import Composable
from zermelo.policies.load import LoRA
from zermelo.training import Callback, OfflineSettings, align
from zermelo.training.plan import make_plan

QUICK = OfflineSettings(lr=2e-3, groups_per_step=16, checks=False, save_every=None)


def weights(policy) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1).double() for p in policy.model.parameters()])


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def moved(a, b, start) -> float:
    """Difference of two trained policies, relative to how far they moved."""
    return apart(weights(a) - weights(start), weights(b) - weights(start))


def test_dpo_equals_a_plain_loop_written_by_hand(policy, pairs) -> None:
    settings = replace(QUICK, groups_per_step=8, epochs=0.5, warmup=0.0, schedule="constant", clip=0.5)
    ours = align(policy, pairs, DPO(beta=0.3), settings=settings)
    model, reference, tok = copy.deepcopy(policy.model), policy.model, policy.tokenizer

    def logp(m, prompt: str, answer: str) -> torch.Tensor:
        x = tok(prompt, add_special_tokens=False).input_ids
        y = [*tok(answer, add_special_tokens=False).input_ids, 2]
        logits = m(input_ids=torch.tensor([x + y])).logits[0, len(x) - 1 : -1].log_softmax(-1)
        return logits[torch.arange(len(y)), torch.tensor(y)].sum()

    from zermelo.training.examples import make_examples

    order = make_plan(make_examples(pairs, policy, Needs(pairs=True), settings).items, settings)
    by_id = {group.id: group for group in pairs}
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=0.0)
    losses = []
    for step in order.steps():
        total = 0.0
        for item in step.examples:
            group = by_id[item.id]
            won, lost = (response.text for response in group.responses)
            with torch.no_grad():
                base = logp(reference, group.prompt, won) - logp(reference, group.prompt, lost)
            h = logp(model, group.prompt, won) - logp(model, group.prompt, lost) - base
            loss = -torch.nn.functional.logsigmoid(0.3 * h) / len(step.examples)
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(total)
    assert [row["loss"] for row in ours.history] == pytest.approx(losses, rel=1e-4)
    by_hand = replace(policy, model=model)
    assert moved(ours.policy, by_hand, policy) < 1e-3  # Adam divides by small second moments: float32 noise grows


OBJECTIVES = [
    DPO(),
    SFT(),
    SFT(of="all"),
    KTO(),
    BCO(),
    ORPO(),
    SimPO(),
    ListMLE(),
    DPO() + 0.5 * SFT(nll="token_mean", of="all"),
    LCPO(DPO(beta=0.1)),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_gradient_does_not_depend_on_how_the_step_is_cut(objective, policy, pairs, rated) -> None:
    data = rated if objective.needs.scores else pairs
    settings = replace(QUICK, groups_per_step=8, max_steps=2, schedule="constant", warmup=0.0, clip=None)
    norms, ends = [], []
    for tokens in (1, 150, 100_000):  # one group at a time, several, all at once
        result = align(policy, data, objective, settings=replace(settings, tokens=tokens))
        norms.append([row["grad_norm"] for row in result.history])
        ends.append(result.policy)
    assert norms[0] == pytest.approx(norms[2], rel=2e-4) and norms[1] == pytest.approx(norms[2], rel=2e-4)
    assert moved(ends[0], ends[2], policy) < 5e-3 and moved(ends[1], ends[2], policy) < 5e-3


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_every_kind_of_objective_learns_in_the_same_loop(objective, policy, pairs, rated) -> None:
    data = rated if objective.needs.scores else pairs
    result = align(policy, data, objective, settings=replace(QUICK, epochs=3, checks=True))
    first, last = result.history[0]["loss"], result.history[-1]["loss"]
    assert last < first and math.isfinite(last)


def test_the_policy_passed_in_stays_as_it_is(policy, pairs) -> None:
    before = weights(policy)
    result = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=1))
    assert torch.equal(weights(policy), before)
    assert not torch.equal(weights(result.policy), before)


def test_runs_are_the_same_to_the_last_bit_and_leave_the_random_state_alone(policy, pairs) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=2))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    two = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=2))
    assert torch.equal(weights(one.policy), weights(two.policy))


def test_metrics_have_the_names_that_people_grep_for(policy, pairs) -> None:
    row = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=1, entropy=True)).history[0]
    wanted = "loss rewards/chosen rewards/rejected rewards/margins rewards/accuracies logps/chosen logps/rejected"
    assert set(wanted.split()) | {"kl", "entropy", "grad_norm", "lr", "step", "epoch", "groups"} <= set(row)
    assert row["loss"] == pytest.approx(math.log(2), abs=1e-5) and row["kl"] < 1e-9
    assert 0 < row["entropy"] < math.log(64) and row["run"]["tokens_per_s"] > 0


def test_a_new_adapter_is_trained_and_nothing_else(policy, pairs, tmp_path) -> None:
    result = align(policy, pairs, DPO(), settings=replace(QUICK, checks=True), lora=LoRA(rank=4), out=tmp_path)
    assert "ok" in result.checks[1]
    trained = dict(result.policy.model.named_parameters())
    base = {name.replace("base_model.model.", "").replace(".base_layer", ""): p for name, p in trained.items()}
    assert all(torch.equal(base[name], p) for name, p in policy.model.named_parameters())
    assert result.history[-1]["loss"] < math.log(2)
    assert (tmp_path / "model" / "adapter_model.safetensors").exists()
    from peft import PeftModel

    loaded = PeftModel.from_pretrained(copy.deepcopy(policy.model), tmp_path / "model")
    ids = torch.tensor([[1, 5, 6, 7]])
    assert torch.allclose(loaded(ids).logits, result.policy.model(ids).logits, atol=1e-5)


def test_the_trained_model_loads_in_transformers_as_it_is(policy, pairs, tmp_path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    result = align(policy, pairs, SimPO(), settings=QUICK, out=tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), result.policy.model.parameters(), strict=True))
    assert AutoTokenizer.from_pretrained(tmp_path / "model").eos_token_id == 2


def test_validation_stops_early_and_the_best_model_is_kept(policy, pairs, tmp_path) -> None:
    settings = replace(
        QUICK, lr=3e-2, epochs=20, groups_per_step=8, validation_share=0.3, validate_every=1, patience=3, keep_best=True
    )
    result = align(policy, pairs, SFT(), settings=settings, out=tmp_path)
    series = dict(result.series("eval/loss"))
    assert "has not improved" in result.stopped and result.steps < 120
    best = min(series, key=lambda step: series[step])
    assert result.best_step == best == result.steps - 3
    kept = align(result.policy, pairs, SFT(), settings=replace(settings, max_steps=1, lr=1e-12, patience=None))
    assert kept.series("eval/loss")[0][1] == pytest.approx(series[best], rel=1e-4)


def test_groups_that_say_nothing_are_left_out_and_counted(policy, pairs, rated) -> None:
    result = align(policy, [*pairs[:16], *rated[:8]], DPO(), settings=replace(QUICK, max_steps=1))
    assert result.counts["no_signal"] == 8 and result.counts["groups"] == 16
    assert any(alarm.name == "no-signal" for alarm in result.alarms)
    with pytest.raises(DataError, match="derive all"):
        align(policy, rated, DPO(), settings=QUICK)


def test_an_objective_that_reads_what_nobody_supplies_is_refused_at_once(policy, pairs) -> None:
    with pytest.raises(SettingError, match="mean squared denoising error of an image"):
        align(policy, pairs, Reads("denoising_error"), settings=QUICK)
    with pytest.raises(SettingError, match="old"):
        align(policy, pairs, Under("old"), settings=QUICK)


@dataclass(frozen=True)
class Reads(Composable):
    """Minimises one extra."""

    name: str

    @property
    def needs(self) -> Needs:
        return Needs(extra=(self.name,))

    def __call__(self, batch):
        return term("reads", over="tokens", each=batch.extra_of(self.name))


@dataclass(frozen=True)
class Under(Composable):
    """Log-ratio to another policy."""

    other: str

    @property
    def needs(self) -> Needs:
        return Needs(policies=(self.other,))

    def __call__(self, batch):
        each = batch.log_ratio(self.other)
        return term("under", over="responses", each=each, metrics={"ratio": each})


def test_entropy_and_divergences_are_supplied_with_gradient(policy, pairs) -> None:
    settings = replace(QUICK, epochs=2)
    fell = align(policy, pairs, Reads("entropy"), settings=settings).series("loss")
    assert fell[-1][1] < fell[0][1]
    for direction in ("forward", "reverse"):
        other = align(policy, pairs, SFT(), settings=settings).policy
        towards = align(other, pairs, Reads(f"kl:ref:{direction}"), settings=settings, references={"ref": policy})
        values = [value for _, value in towards.series("loss")]
        assert values[0] > values[-1] > 0


def test_named_policies_are_read(policy, pairs) -> None:
    other = align(policy, pairs, SFT(), settings=QUICK).policy
    result = align(policy, pairs, Under("old"), settings=replace(QUICK, max_steps=1), references={"old": other})
    assert result.history[0]["under/ratio"] < -0.1


@dataclass(frozen=True)
class Opposed(Composable):
    """Two terms, combined by a rule of its own: only the first counts."""

    needs: ClassVar[Needs] = Needs()

    def __call__(self, batch):
        return term("up", over="tokens", each=-batch.logps) + term("down", over="tokens", each=3 * batch.logps)

    def gradient_rule(self, parts):
        return dict(parts["up"])


def test_a_gradient_rule_combines_the_gradients_of_the_terms(policy, pairs) -> None:
    settings = replace(QUICK, max_steps=3, tokens=300)
    ruled = align(policy, pairs, Opposed(), settings=settings)
    plain = align(policy, pairs, SFT(of="all"), settings=settings)
    assert moved(ruled.policy, plain.policy, policy) < 1e-3


def test_state_and_schedules_reach_the_objective(policy, pairs) -> None:
    seen = []

    @dataclass(frozen=True)
    class Counts(Composable):
        needs: ClassVar[Needs] = Needs()
        rate: object = Linear(1.0, 0.0)

        def init_state(self):
            return {"n": 0}

        def update(self, state, sums):
            assert "counts/loss" in sums
            return {"n": state["n"] + 1}

        def __call__(self, batch):
            seen.append((batch.state["n"], self.rate))
            return term("counts", over="tokens", each=-batch.logps * self.rate)

    align(policy, pairs, Counts(), settings=replace(QUICK, epochs=1))
    kept = sorted(set(seen), key=lambda item: item[0])
    assert [n for n, _ in kept] == [0, 1, 2, 3]
    assert [rate for _, rate in kept] == pytest.approx([1.0, 0.75, 0.5, 0.25])


def test_callbacks_look_on_and_can_stop_the_run(policy, pairs, tmp_path) -> None:
    class Watch(Callback):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_start(self, run) -> None:
            self.seen.append("start")

        def on_step(self, run, row) -> None:
            self.seen.append(f"step {row['step']}")
            if row["step"] == 2:
                run.stop("enough")

        def on_save(self, run, folder) -> None:
            self.seen.append(folder.name)

        def on_end(self, run) -> None:
            self.seen.append("end")

    watch = Watch()
    result = align(policy, pairs, SFT(), settings=replace(QUICK, save_every=1), callbacks=[watch], out=tmp_path)
    assert watch.seen == ["start", "step 1", "step-000001", "step 2", "step-000002", "end"]
    assert result.stopped == "enough" and result.steps == 2


def test_displacement_raises_an_alarm(policy, pairs) -> None:
    result = align(policy, pairs, DPO(beta=0.05), settings=replace(QUICK, lr=1e-2, epochs=4))
    chosen = [value for _, value in result.series("logps/chosen")]
    raised = [alarm.name for alarm in result.alarms]
    assert ("likelihood-displacement" in raised) == (chosen[0] - chosen[-1] > 1)
    flipped = [
        replace(group, judgements=(replace(group.judgements[0], value=0.0),)) for group in pairs
    ]  # prefer the short side: lengths no longer tell
    names = [alarm.name for alarm in align(policy, flipped, SFT(), settings=replace(QUICK, max_steps=1)).alarms]
    assert "length" not in names


def test_mixed_precision_trains_in_bfloat16_with_weights_in_float32(policy, pairs) -> None:
    plain = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=3))
    mixed = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=3, precision="bfloat16", checks=True))
    assert next(mixed.policy.model.parameters()).dtype == torch.float32
    assert mixed.history[-1]["loss"] == pytest.approx(plain.history[-1]["loss"], rel=0.05)


def test_activation_checkpointing_changes_no_number(policy, pairs) -> None:
    plain = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=2))
    again = align(policy, pairs, DPO(), settings=replace(QUICK, max_steps=2, checkpointing=True))
    assert moved(again.policy, plain.policy, policy) < 1e-4


def test_a_tool_turn_is_read_and_not_trained(policy) -> None:
    from zermelo.feedback.records import Message

    turns = (Message("assistant", " call"), Message("tool", " 42"), Message("assistant", " so 42"))
    groups = [Group(f"t{i}", "6*7=", (Response(messages=turns),)) for i in range(4)]
    result = align(policy, groups, SFT(of="all"), settings=replace(QUICK, max_steps=1, groups_per_step=4, checks=True))
    assert math.isfinite(result.history[0]["loss"])


def test_sampled_logprobs_are_compared(policy, pairs) -> None:
    from zermelo.policies.engine import group_logprobs
    from zermelo.policies.fingerprint import fingerprint
    from zermelo.policies.tokens import tokenise

    made = tokenise(pairs[:8], policy)
    flat = group_logprobs(policy, made.tokens, grad=False).logps
    version, at, groups = fingerprint(policy), 0, []
    for group, tokens in zip(pairs[:8], made.tokens.groups, strict=True):
        responses = []
        for old, new in zip(group.responses, tokens.responses, strict=True):
            n = len(new.ids)
            responses.append(
                replace(
                    old,
                    token_ids=new.ids,
                    prompt_ids=tokens.prompt,
                    logprobs=tuple(flat[at : at + n].tolist()),
                    finish="stopped",
                    policy_version=version,
                )
            )
            at += n
        groups.append(replace(group, responses=tuple(responses)))
    settings = replace(QUICK, max_steps=1, groups_per_step=8, checks=True)
    assert "ok" in align(policy, groups, DPO(), settings=settings).checks[4]
    wrong = [
        replace(g, responses=tuple(replace(r, logprobs=tuple(v - 1 for v in r.logprobs)) for r in g.responses))
        for g in groups
    ]
    with pytest.raises(SettingError, match="sampler = trainer"):
        align(policy, wrong, DPO(), settings=settings)


def test_a_response_without_its_end_token_fails_the_check(policy, pairs, monkeypatch) -> None:
    from zermelo.training import examples as module

    real = module.tokenise

    def without_end(*args, **kwargs):
        made = real(*args, **kwargs)
        groups = tuple(
            replace(g, responses=tuple(replace(r, ids=r.ids[:-1]) for r in g.responses)) for g in made.tokens.groups
        )
        return replace(made, tokens=replace(made.tokens, groups=groups))

    monkeypatch.setattr(module, "tokenise", without_end)
    with pytest.raises(SettingError, match="end token"):
        align(policy, pairs, DPO(), settings=replace(QUICK, checks=True))


def test_a_reference_that_is_not_the_start_fails_the_check(policy, pairs, monkeypatch) -> None:
    from zermelo.training import references as module

    real = module.Kept.logps
    monkeypatch.setattr(module.Kept, "logps", lambda self, tokens: real(self, tokens) + 0.01)
    with pytest.raises(SettingError, match="margin 0"):
        align(policy, pairs, DPO(), settings=replace(QUICK, checks=True))


def test_a_diverged_run_stops_with_a_word(policy, pairs) -> None:
    with pytest.raises(SettingError, match="the run has diverged"):
        align(policy, pairs, DPO(), settings=replace(QUICK, lr=1e30, epochs=4, clip=None))


def worker(make, rank: int, world: int, port: int, objective: Composable, out: Path) -> None:
    """One process of a run, as a launcher would start it."""
    from accelerate.state import AcceleratorState

    os.environ |= {"ACCELERATE_USE_CPU": "true"}
    if world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
        os.environ |= {"LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    AcceleratorState._reset_state(reset_partial_state=True)
    # the sixth step has a single group, so that one of two processes has nothing to do
    settings = replace(QUICK, groups_per_step=7, tokens=150, save_every=2, validate_every=3, checks=True)
    groups = make.pairs(48)
    align(make.policy(), groups[:36], objective, settings=settings, validation=groups[36:], out=out)


@pytest.mark.parametrize("objective", [DPO(), KTO()], ids=repr)
def test_two_processes_give_the_result_of_one(objective, make, tmp_path) -> None:
    rows, models = [], []
    for world in (1, 2):
        out = tmp_path / str(world)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        started = [make.forked(worker, make, rank, world, port, objective, out) for rank in range(world)]
        for process in started:
            process.join(120)
            assert process.exitcode == 0
        rows.append([json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()])
        models.append(load_file(out / "model" / "model.safetensors"))
    assert len(rows[0]) == len(rows[1]) and len(rows[0]) >= 4
    for one, two in zip(*rows, strict=True):
        assert one.keys() == two.keys()
        # at the first step margins are rounding, and their sign is anything
        for name in one.keys() - {"run", "rewards/accuracies" if one["step"] == 1 else ""}:
            assert one[name] == pytest.approx(two[name], rel=2e-3, abs=1e-5), name
    for name, tensor in models[0].items():
        assert torch.allclose(tensor, models[1][name], atol=2e-4), name


def test_a_group_may_hold_responses_to_different_prompts(policy) -> None:
    responses = (Response(" same"), Response(" same", prompt="2+2="))
    groups = [
        Group(f"x{i}", f"{i}+1=", responses, (Judgement("comparison", (0, 1), value=1.0),), meta={}) for i in range(8)
    ]
    result = align(policy, groups, DPO(), settings=replace(QUICK, epochs=4, groups_per_step=8, checks=True))
    assert result.history[-1]["loss"] < result.history[0]["loss"]
