"""Objectives as plain data and back; what is wrong is said with its place."""

from __future__ import annotations

import pytest
import yaml

from zermelo.errors import SettingError
from zermelo.objectives import (
    DPO,
    LCPO,
    SFT,
    Cosine,
    Exponential,
    Linear,
    SimPO,
    Steps,
    Sum,
    Weighted,
    from_config,
    to_config,
)


def test_reads_a_sum_with_weights() -> None:
    made = from_config(yaml.safe_load("[{simpo: {beta: 2.0, gamma: 1.0}}, {sft: {}, weight: 0.1}]"))
    assert made == SimPO(beta=2.0, gamma=1.0) + 0.1 * SFT()


def test_reads_a_wrapper_and_a_bare_name() -> None:
    assert from_config({"lcpo": {"base": {"dpo": {"beta": 0.2}}}}) == LCPO(DPO(beta=0.2))
    assert from_config({"lcpo": {"base": "dpo"}}) == LCPO(DPO())
    assert from_config("dpo") == DPO()
    assert from_config({"dpo": None}) == DPO()


@pytest.mark.parametrize(
    "schedule", [Linear(0.1, 0.05), Linear(0.1, 0.05, until=0.5), Cosine(1.0, 0.0), Exponential(1.0, 0.01)], ids=repr
)
def test_reads_and_writes_schedules(schedule) -> None:
    for objective in (DPO(beta=schedule), DPO() * schedule, DPO() + schedule * SFT()):
        assert from_config(yaml.safe_load(yaml.safe_dump(to_config(objective)))) == objective


def test_schedules_have_their_values() -> None:
    assert Linear(0.1, 0.3)(0.5) == pytest.approx(0.2)
    assert Linear(0.1, 0.3, until=0.5)(0.75) == pytest.approx(0.3)
    assert Cosine(1.0, 0.0)(0.5) == pytest.approx(0.5)
    assert Exponential(1.0, 0.01)(0.5) == pytest.approx(0.1)
    steps = Steps(at=(0.5, 0.8), values=(3.0, 2.0, 1.0))
    assert [steps(p) for p in (0.0, 0.5, 0.9)] == [3.0, 2.0, 1.0]
    assert from_config({"dpo": {"beta": {"steps": {"at": [0.5], "values": [0.1, 0.2]}}}}).at(0.6) == DPO(beta=0.2)


def test_a_weight_on_a_sum_is_a_weight_on_each_part() -> None:
    assert 0.5 * (DPO() + 2.0 * SFT()) == Sum((Weighted(DPO(), 0.5), Weighted(SFT(), 1.0)))


def test_writes_the_data_that_was_read() -> None:
    data = [{"simpo": {"gamma": 1.0}}, {"sft": {}, "weight": 0.1}]
    assert to_config(from_config(data)) == data


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (
            [{"simpo": {"gama": 1}}],
            "unknown-setting",
            r"objective\[0\].simpo.gama: SimPO has no such setting; did you",
        ),
        ({"dpo": {"beta": -1}}, "bad-setting", "objective.dpo: DPO.beta must be a positive number. Got -1"),
        ({"dpo": {"beta": "high"}}, "bad-setting", "objective.dpo.beta must be a number. Got 'high'"),
        ({"dpo": {"beta": {"lineal": {}}}}, "bad-setting", "expected a value or a schedule"),
        ({"dpoo": {}}, "unknown-name", "dpoo"),
        ({"sppo": {}}, "missing-setting", "objective.sppo.eta: missing"),
        ({"dpo": {}, "sft": {}}, "bad-setting", "expected one objective"),
        ({"dpo": {}, "weight": "much"}, "bad-setting", "objective.weight must be a number or a schedule"),
        ([], "bad-setting", "an empty list is no objective"),
        (3, "bad-setting", "expected a name, a mapping or a list"),
        ({"dpo": [1]}, "bad-setting", "settings are a mapping"),
        ({"zermelo.objectives:RaggedBatch": {}}, "unknown-name", "is no objective"),
        ({"no_such_package:thing": {}}, "unknown-name", "no_such_package"),
    ],
)
def test_says_where_and_what_is_wrong(data, code: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        from_config(data)
    assert caught.value.code == code


def test_an_objective_made_inside_a_function_has_no_yaml_form() -> None:
    class Inner(DPO):
        pass

    with pytest.raises(SettingError, match="made inside a function"):
        to_config(Inner())
