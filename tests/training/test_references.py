"""References kept for several runs: one process computes at a time, and what nobody will meet again is not kept."""

from __future__ import annotations

import fcntl
import multiprocessing
from pathlib import Path

import pytest
import torch

from zermelo.policies import tokenise
from zermelo.training.references import Kept, alone


def hold(folder: Path, held, release) -> None:
    with alone(folder):
        held.set()
        release.wait(60)


def test_one_process_at_a_time_computes_for_a_folder(tmp_path) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, held, release))
    other.start()
    assert held.wait(60)
    with (tmp_path / ".lock").open("w") as handle:
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        release.set()
        other.join()
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with alone(None):
        pass  # nothing is held without a folder


def test_a_second_run_finds_what_the_first_computed(policy, pairs, tmp_path, monkeypatch) -> None:
    from zermelo.policies import reference

    tokens = tokenise(pairs[:8], policy).tokens
    first = Kept(policy.model, frozen=False, folder=tmp_path)
    first.fill(tokens.groups, budget=256)
    monkeypatch.setattr(reference, "group_logprobs", None)  # computing anything would fail
    second = Kept(policy.model, frozen=False, folder=tmp_path)
    second.fill(tokens.groups, budget=256)
    assert torch.equal(first.logps(tokens), second.logps(tokens))


def test_a_forgetful_reference_computes_what_is_new_by_its_frozen_copy_and_keeps_none_of_it(make, pairs) -> None:
    policy, start = make.policy(), make.policy()
    known, new = tokenise(pairs[:4], policy).tokens, tokenise(pairs[4:8], policy).tokens
    kept = Kept(policy.model, frozen=False, model=start.model.eval(), forgetful=True)
    kept.fill(known.groups, budget=1024)
    kept.seal()
    size = len(kept)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(0.1)
    from zermelo.policies import group_logprobs

    expected = group_logprobs(start, new, grad=False).logps
    assert torch.allclose(kept.logps(new), expected, atol=1e-5) and len(kept) == size
    whole = type(known)((*known.groups, *new.groups))
    assert torch.allclose(kept.logps(whole)[-len(expected) :], expected, atol=1e-5)
    assert torch.equal(kept.logps(known), kept.logps(whole)[: known.n_response_tokens])
