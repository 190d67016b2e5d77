"""Reference log-probabilities are computed once, kept per token, and found by whoever has the same policy."""

from __future__ import annotations

import copy
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
import zoo
from peft import LoraConfig, get_peft_model
from torch import nn

from zermelo.errors import MissingError
from zermelo.policies import reference
from zermelo.policies.engine import group_logprobs
from zermelo.policies.groups import TokenGroup, TokenGroups, TokenResponse
from zermelo.policies.reference import ReferenceCache, fingerprint, sequence_key

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return zoo.build("llama", torch.float32)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Responses computed by each call of the engine."""
    calls: list[int] = []

    def counting(policy: nn.Module, groups: TokenGroups, **kwargs: object) -> object:
        calls.append(groups.n_responses)
        return group_logprobs(policy, groups, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(reference, "group_logprobs", counting)
    return calls


def test_the_second_call_computes_nothing_and_gives_the_same_bits(
    model: nn.Module, counted: list[int], tmp_path: Path
) -> None:
    cache = ReferenceCache(tmp_path / "new" / "folder", fingerprint(model))
    first = cache.logps(model, zoo.SAMPLE)
    again = ReferenceCache(cache.folder, cache.fingerprint).logps(None, zoo.SAMPLE)
    expected = group_logprobs(model, zoo.SAMPLE, grad=False).logps
    assert expected is not None and torch.equal(first, again) and zoo.apart(first, expected) < 1e-6
    assert counted == [zoo.SAMPLE.n_responses] and cache.missing(zoo.SAMPLE) == 0


def test_only_missing_responses_are_computed_each_once(model: nn.Module, counted: list[int], tmp_path: Path) -> None:
    cache = ReferenceCache(tmp_path, fingerprint(model))
    group = zoo.group("a", 6, 5, 9, 4)
    part = TokenGroup("other id", group.prompt, group.responses[1:2])
    cache.logps(model, TokenGroups((part,)))
    twice = TokenGroups((group, TokenGroup("b", group.prompt, group.responses)))
    got = cache.logps(model, twice)
    assert counted == [1, 2]
    expected = group_logprobs(model, twice, grad=False).logps
    assert expected is not None and zoo.apart(got, expected) < 1e-6


def test_the_key_knows_where_the_prompt_ends() -> None:
    assert sequence_key((1, 2), (3,)) != sequence_key((1,), (2, 3))
    assert sequence_key((1, 2), (3,)) == sequence_key([1, 2], [3])


def test_dropout_is_off_and_the_mode_comes_back(tmp_path: Path) -> None:
    model = zoo.build("gpt2", torch.float32).train()
    a = ReferenceCache(tmp_path / "a", "x").logps(model, zoo.SAMPLE)
    b = ReferenceCache(tmp_path / "b", "x").logps(model, zoo.SAMPLE)
    assert torch.equal(a, b) and model.training and all(module.training for module in model.modules())


def test_a_miss_without_a_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="10 sequences"):
        ReferenceCache(tmp_path, "x").logps(None, zoo.SAMPLE)
    assert list(tmp_path.iterdir()) == []


def test_float64_is_kept_as_float64(tmp_path: Path) -> None:
    with zoo.wide():
        model = zoo.build("llama")
        cache = ReferenceCache(tmp_path, fingerprint(model))
        assert cache.logps(model, zoo.SAMPLE).dtype == cache.logps(None, zoo.SAMPLE).dtype == torch.float64


def test_processes_share_a_file_and_a_killed_one_loses_nothing_of_others(tmp_path: Path) -> None:
    code = """
        import os, signal, sys, numpy as np
        from pathlib import Path
        from zermelo.policies.reference import ReferenceCache
        cache, who = ReferenceCache(Path(sys.argv[1]), "shared"), int(sys.argv[2])
        for i in range(40):
            own = np.full(3, who * 100 + i, np.float32)
            cache._write({f"{who}:{i}".encode(): own, b"same": np.ones(2, np.float32)})
        if who == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    """
    code = textwrap.dedent(code)
    workers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(who)]) for who in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, -9]
    found = ReferenceCache(tmp_path, "shared")._read([f"{who}:{i}".encode() for who in (0, 1) for i in range(40)])
    assert len(found) == 80 and found[b"1:39"].tolist() == [139.0] * 3
    with sqlite3.connect(tmp_path / "shared.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class TestFingerprint:
    def test_is_the_same_for_equal_models_and_for_its_own_copy(self, model: nn.Module) -> None:
        assert fingerprint(model) == fingerprint(copy.deepcopy(model)) == fingerprint(zoo.build("llama", torch.float32))
        assert len(fingerprint(model)) == 32

    def test_does_not_depend_on_mode_attention_or_wrapping(self, model: nn.Module) -> None:
        expected = fingerprint(model)
        other = copy.deepcopy(model).train()
        other.config._attn_implementation = "eager"
        other.config.name_or_path = "elsewhere"
        assert fingerprint(other) == expected
        wrapped = nn.Module()
        wrapped.module = other
        assert fingerprint(wrapped) == expected

    def test_changes_with_any_single_weight(self, model: nn.Module) -> None:
        seen = {fingerprint(model)}
        for name, parameter in model.named_parameters():
            with torch.no_grad():
                flat = parameter.view(-1)
                before = flat[-1].item()
                flat[-1] = before + 1e-3
                seen.add(fingerprint(model))
                flat[-1] = before
            assert len(seen) > 1, name
        assert len(seen) == 1 + len(list(model.parameters()))

    def test_changes_when_two_weights_trade_places(self, model: nn.Module) -> None:
        other = copy.deepcopy(model)
        with torch.no_grad():
            weight = other.lm_head.weight
            weight[[3, 4]] = weight[[4, 3]]
        assert fingerprint(other) != fingerprint(model)

    def test_changes_with_dtype_configuration_and_autocast(self, model: nn.Module) -> None:
        theta = copy.deepcopy(model)
        theta.config.rope_parameters = {**theta.config.rope_parameters, "rope_theta": 5e5}
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = fingerprint(model)
        assert len({fingerprint(model), fingerprint(copy.deepcopy(model).bfloat16()), fingerprint(theta), cast}) == 4

    def test_with_adapters_off_is_that_of_the_base_model(self, model: nn.Module) -> None:
        base = fingerprint(model)
        adapter = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"])
        adapted = get_peft_model(copy.deepcopy(model), adapter)
        on = fingerprint(adapted)
        with adapted.disable_adapter():
            assert fingerprint(adapted) == base != on
        with torch.no_grad():
            next(p for n, p in adapted.named_parameters() if "lora_A" in n).add_(1.0)
        assert fingerprint(adapted) != on


def test_responses_of_equal_ids_in_different_groups_share_an_entry_only_under_the_same_prompt(
    model: nn.Module, tmp_path: Path
) -> None:
    cache = ReferenceCache(tmp_path, fingerprint(model))
    response = TokenResponse((9, 8, 7))
    groups = TokenGroups((TokenGroup("a", (5, 6), (response,)), TokenGroup("b", (6, 5), (response,))))
    got = cache.logps(model, groups)
    assert not torch.allclose(got[:3], got[3:])
