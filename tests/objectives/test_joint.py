"""DOVE: preferences between (instruction, response) pairs."""

from __future__ import annotations

import pytest
import torch

from zermelo.objectives import DOVE, DPO


def joint(make_batch, prompts: list[float], prompts_ref: list[float]):
    return make_batch(
        [(-10.0, 5), (-14.0, 7)],
        ref=[-11.0, -13.0],
        extra={"prompt_logps": ("responses", prompts), "prompt_logps_ref": ("responses", prompts_ref)},
    )


def test_joint_loss_computed_by_hand(make_batch) -> None:
    batch = joint(make_batch, [-40.0, -50.0], [-39.0, -47.0])
    assert float(DOVE()(batch).terms[0].each) == pytest.approx(0.5981388693815918)
    assert float(DOVE(include_prompt=True)(batch).terms[0].each) == pytest.approx(0.5130152523999526)


def test_a_shared_instruction_cancels(make_batch) -> None:
    batch = joint(make_batch, [-40.0, -40.0], [-37.0, -37.0])
    torch.testing.assert_close(DOVE(include_prompt=True)(batch).terms[0].each, DPO()(batch).terms[0].each)


def test_asks_for_prompts_only_where_they_count() -> None:
    assert DOVE(include_prompt=True).needs.prompt_logps
    assert not DOVE().needs.prompt_logps
