"""One's own objective: about ten lines, used by import path."""

from __future__ import annotations

import sys
import textwrap

import pytest
import torch

from zermelo.errors import SettingError
from zermelo.objectives import DPO, SFT, Needs, from_config, objective, to_config
from zermelo.objectives.protocol import term

OWN = '''
from zermelo.objectives import objective
from zermelo.objectives.numerics import softplus


@objective
def cautious(batch, *, beta: float = 0.1, cap: float = 5.0):
    """DPO that stops pulling once the margin reaches `cap`."""
    win, lose = batch.sides(beta * batch.log_ratio("ref"))
    return softplus(-(win - lose).clamp_max(cap))
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_losses.py").write_text(textwrap.dedent(OWN))
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_losses:cautious"
    sys.modules.pop("own_losses", None)


def test_a_function_is_an_objective_by_its_import_path(own: str, pairs_abc) -> None:
    made = from_config([{own: {"beta": 0.2}}, {"sft": {}, "weight": 0.1}])
    assert to_config(made) == [{own: {"beta": 0.2}}, {"sft": {}, "weight": 0.1}]
    assert from_config(to_config(made)) == made
    torch.testing.assert_close(made(pairs_abc).terms[0].each, DPO(beta=0.2)(pairs_abc).terms[0].each)
    assert made.needs == Needs(pairs=True, policies=("ref",))


def test_it_refuses_settings_that_it_does_not_have(own: str) -> None:
    with pytest.raises(SettingError, match="cautious has no such setting; did you mean `beta`"):
        from_config({own: {"betta": 0.2}})


def test_it_composes_and_follows_schedules(pairs_abc) -> None:
    @objective(needs=Needs(labels=True), over="responses")
    def flat(batch, *, scale: float):
        return scale * torch.ones(batch.n_responses)

    mixed = flat(scale=lambda progress: 1 + progress) + 0.5 * SFT()
    first = mixed.at(0.5)(pairs_abc).terms[0]
    assert first.over == "responses"
    assert first.each.tolist() == [1.5] * 6
    assert flat(scale=1.0) == flat(scale=1.0)


def test_it_may_return_several_terms(pairs_abc) -> None:
    @objective
    def two(batch):
        """Two terms."""
        return term("one", over="pairs", each=batch.prob) + term("two", over="pairs", each=batch.prob)

    assert [item.name for item in two()(pairs_abc)] == ["one", "two"]
    assert two.__doc__ == "Two terms."


def test_other_signatures_are_refused() -> None:
    with pytest.raises(SettingError, match="settings as keyword-only arguments"):
        objective(lambda batch, beta: batch)
