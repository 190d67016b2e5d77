"""The summary of a study on a table made by hand; nested subsets; losses at the start in closed form."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
import torch

from zermelo.errors import SettingError
from zermelo.evaluation.alignment_matrix import AlignmentMatrix, MatrixRow, kendall_w, nested_subsets

VALUES = {  # (scenario, method, n) → maths, truth; 2 × 2 × 2
    ("sft", "dpo", 50): (0.5, 0.4),
    ("sft", "dpo", 100): (0.4, 0.3),
    ("sft", "kto", 50): (0.3, 0.2),
    ("sft", "kto", 100): (0.6, 0.5),
    ("raw", "dpo", 50): (0.2, 0.1),
    ("raw", "dpo", 100): (0.1, 0.3),
    ("raw", "kto", 50): (0.0, 0.2),
    ("raw", "kto", 100): (0.1, 0.2),
}


def rows(change=lambda value: value) -> list[MatrixRow]:
    found = []
    for (scenario, method, n), pair in VALUES.items():
        for seed, (metric, value) in product((0, 1), zip(("maths", "truth"), pair, strict=True)):
            found.append(MatrixRow(scenario, method, n, seed, metric, change(value + 0.01 * seed)))
    for scenario, seed, metric in product(("sft", "raw"), (0, 1), ("maths", "truth")):
        found.append(MatrixRow(scenario, "start", 0, seed, metric, 0.1 + 0.01 * seed))
    return found


def test_a_table_made_by_hand() -> None:
    result = AlignmentMatrix().measure(rows())
    delta = result.deltas["sft", "kto", 100, "maths"]
    assert (delta.value, delta.low, delta.high) == pytest.approx((0.5, 0.5, 0.5))  # paired by seed
    assert result.best == {("sft", "dpo"): 50, ("sft", "kto"): 100, ("raw", "dpo"): 100, ("raw", "kto"): 100}
    assert result.ranks["sft"] == {"dpo": 2.0, "kto": 1.0}
    assert result.agreement["sft"] == pytest.approx(1.0)  # both metrics say kto first
    assert result.agreement["raw"] == pytest.approx(0.5)  # maths tied: 12 · ½ / (24 − 12)
    assert json.loads(json.dumps(result.to_json()))["agreement"]["sft"] == pytest.approx(1.0)
    assert "sft: maths" in result.to_html()


def test_a_run_that_learns_nothing_has_deltas_of_zero() -> None:
    still = [
        r if r.n == 0 else MatrixRow(r.scenario, r.method, r.n, r.seed, r.metric, 0.1 + 0.01 * r.seed) for r in rows()
    ]
    assert all(delta.value == pytest.approx(0) for delta in AlignmentMatrix().measure(still).deltas.values())


def test_kendalls_w_is_its_relation_to_spearmans_mean() -> None:
    from scipy.stats import spearmanr

    scores = np.random.default_rng(0).normal(size=(4, 7))
    pairs = [spearmanr(scores[i], scores[j]).statistic for i in range(4) for j in range(i)]
    assert kendall_w(scores) == pytest.approx((np.mean(pairs) * 3 + 1) / 4)
    assert kendall_w([[1, 2, 3], [1, 2, 3]]) == pytest.approx(1.0)
    assert kendall_w([[1, 2, 3], [3, 2, 1]]) == pytest.approx(0.0)
    assert math.isnan(kendall_w([[1, 2]]))


def test_subsets_are_nested_and_follow_from_the_seed() -> None:
    found = nested_subsets(1000, [50, 200, 1000], seed=3)
    assert set(found[50]) < set(found[200]) < set(found[1000]) == set(range(1000))
    assert (found[200] == nested_subsets(1000, [200], seed=3)[200]).all()
    with pytest.raises(SettingError):
        nested_subsets(10, [11], seed=0)


def test_losses_of_the_study_at_the_start_have_their_closed_forms() -> None:
    from zermelo.objectives import CPO, DPO, IPO, KTO, RaggedBatch
    from zermelo.objectives.protocol import Step

    logps = torch.full((4,), -1.0)
    place = torch.arange(2)
    batch = RaggedBatch(
        logps,
        torch.tensor([0, 0, 1, 1]),
        torch.zeros(2, dtype=torch.long),
        pairs=place[None],
        labels=torch.tensor([1.0, 0.0]),
        logps_of={"ref": logps},
        extra={name: ("responses", torch.zeros(2)) for name in ("mismatched", "mismatched_ref")},
    )
    assert DPO()(batch).terms[0].each.item() == pytest.approx(math.log(2))
    assert IPO(tau=0.1)(batch).terms[0].each.item() == pytest.approx((1 / 0.2) ** 2)
    assert CPO()(batch).terms[0].each.item() == pytest.approx(math.log(2))
    kto = KTO()
    stats = kto.prepare(Step([batch]))
    assert kto(batch.with_(stats=stats)).terms[0].each.tolist() == pytest.approx([0.5, 0.5])


def test_incomplete_tables_are_refused() -> None:
    with pytest.raises(SettingError, match="no value"):
        AlignmentMatrix().measure(rows()[1:])
    with pytest.raises(SettingError, match="twice"):
        AlignmentMatrix().measure([*rows(), rows()[0]])
    with pytest.raises(SettingError, match="no value"):
        AlignmentMatrix().measure([row for row in rows() if row.n])
