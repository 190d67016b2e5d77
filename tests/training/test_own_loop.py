"""Objectives and the engine in somebody else's loop: the page runs as written and gives our loop's numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import DPO, IPO, SFT, ListMLE
from zermelo.policies import group_logprobs, tokenise
from zermelo.training import OfflineSettings, align, batch_of, mean_loss

PAGE = (Path(__file__).parents[2] / "docs" / "own_loop.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)\n```", PAGE, re.S)


def test_the_page_runs_as_written_and_its_losses_fall(capsys) -> None:
    names: dict = {"__name__": "docs"}
    for code in CODE:
        exec(compile(code, "docs/own_loop.md", "exec"), names)
    assert names["history"][-1] < names["history"][0]
    assert "→" in capsys.readouterr().out
    assert len(names["losses"]) == 4 and names["losses"][-1] < names["losses"][0]


@pytest.mark.parametrize("objective", [DPO(), IPO(), DPO() + 0.1 * SFT()], ids=repr)
def test_a_step_has_the_loss_and_the_gradient_of_our_loop(objective, policy, pairs) -> None:
    few = pairs[:6]
    settings = OfflineSettings(lr=1e-3, groups_per_step=6, max_steps=1, clip=None, checks=False, save_every=None)
    row = align(policy, few, objective, settings=settings).history[0]
    tokens = tokenise(few, policy).tokens
    policy.model.requires_grad_(True)
    logps = group_logprobs(policy, tokens).logps
    batch = batch_of(tokens, logps, logps_of={"ref": logps.detach()})
    loss = mean_loss(objective(batch), batch)
    gradients = torch.autograd.grad(loss, list(policy.model.parameters()))
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-5)
    norm = torch.cat([gradient.reshape(-1) for gradient in gradients]).norm().item()
    assert row["grad_norm"] == pytest.approx(norm, rel=1e-4)


def test_scores_of_lists_reach_an_objective(policy, rated) -> None:
    tokens = tokenise(rated[:2], policy).tokens
    logps = group_logprobs(policy, tokens, grad=False).logps
    scores = [4.0, 3.0, 2.0, 1.0] * 2
    batch = batch_of(tokens, logps, logps_of={"ref": logps}, scores=scores, pairs=[])
    # equal implied rewards: Plackett–Luce gives log 4! for each list
    assert mean_loss(ListMLE()(batch), batch).item() == pytest.approx(torch.tensor(24.0).log().item(), rel=1e-5)


def test_a_group_of_one_needs_its_pairs_said(policy, pairs) -> None:
    single = [group.keep_responses([0]) for group in pairs[:2]]
    tokens = tokenise(single, policy).tokens
    logps = group_logprobs(policy, tokens, grad=False).logps
    with pytest.raises(SettingError, match="pairs="):
        batch_of(tokens, logps)
    assert batch_of(tokens, logps, pairs=[]).n_pairs == 0
