"""The task of the comparison studies: its scale, its pairs, and that its training does what the closed forms say."""

from __future__ import annotations

import pytest
import torch

from zermelo.claims.preference_task import FEATURES, Task, align, fine_tune, make_pairs, reinforce, reward_model
from zermelo.objectives import CPO, DPO, IPO, KTO

TASK = Task(1)
BLANK = torch.zeros(FEATURES, dtype=torch.float64)


def test_chance_scores_0_and_nothing_scores_above_1() -> None:
    prompts = TASK.prompts(200, part=5)
    assert TASK.score(BLANK, prompts) == pytest.approx(0, abs=1e-12)
    best = reinforce(TASK, BLANK, prompts, TASK.reward, beta=0.001)
    assert 0.5 < TASK.score(best, prompts) < 1
    reward = TASK.reward(prompts)
    assert reward.mean(1).abs().max() < 1e-9 and reward.std(1).sub(1).abs().max() < 1e-9


def test_which_answer_is_best_depends_on_the_prompt() -> None:
    best = TASK.reward(TASK.prompts(300)).argmax(1)
    assert best.bincount().max() < 150


def test_pairs_put_the_better_answer_first_but_for_the_flips() -> None:
    for flip in (0.0, 0.4):
        pairs = make_pairs(TASK, 1000, flip=flip, part=1)
        r = TASK.reward(pairs.prompts).gather(1, pairs.sides)
        assert float((r[:, 0] < r[:, 1]).double().mean()) == pytest.approx(flip, abs=0.05)
    assert (pairs.first(10).sides == pairs.sides[:10]).all()


@pytest.mark.parametrize("objective", [DPO(), IPO(), KTO(), CPO()], ids=repr)
def test_every_method_of_the_studies_learns_clean_pairs(objective) -> None:
    pairs, held = make_pairs(TASK, 400, flip=0.0, part=1), TASK.prompts(200, part=7)
    assert TASK.score(align(TASK, BLANK, pairs, objective), held) > 0.1


def test_reward_models_and_fine_tuning_learn() -> None:
    pairs, held = make_pairs(TASK, 400, flip=0.0, part=1), make_pairs(TASK, 400, flip=0.0, part=2)
    said = reward_model(TASK, pairs, size=64)(held.prompts).gather(1, held.sides)
    assert float((said[:, 0] > said[:, 1]).double().mean()) > 0.65
    tuned = fine_tune(TASK, BLANK, TASK.prompts(400, part=3), lambda r: r.argmax(1), lr=0.02)
    assert TASK.score(tuned, TASK.prompts(200, part=7)) > 0.3
