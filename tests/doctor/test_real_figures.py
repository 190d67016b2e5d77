"""What the doctor says of public data equals the figures that are known of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.protocol import Finding, Passed, Result
from zermelo.doctor.registry import load_audit
from zermelo.feedback import Feedback, Group, Judgement, Response

FIRST = Judgement("comparison", (0, 1), value=1.0, outcome="first")


def said(name: str, case: Case) -> Result:
    (found,) = load_audit(name).run(case)
    return found


def finding(name: str, case: Case) -> Finding:
    found = said(name, case)
    assert isinstance(found, Finding), found
    return found


@pytest.fixture(scope="module")
def harmless(shared_data: Path) -> Case:
    return Case(Feedback.read(str(shared_data / "hh_harmless" / "test_dev.parquet")))


def test_harmless_repeats_105_first_turns_and_four_pairs_differ_before_the_last_reply(harmless: Case) -> None:
    assert finding("structure.prompts", harmless).details["first_turns"] == 105
    assert len(finding("structure.differing_prompts", harmless).rows) == 4
    assert len(finding("structure.empty", harmless).rows) == 1
    assert isinstance(said("structure.identical", harmless), Passed)


def test_in_harmless_the_shorter_reply_wins(harmless: Case) -> None:
    found = finding("shortcut.length", harmless)
    assert found.severity == "medium" and found.figure is not None and found.figure.low > 0.5
    # the four rows that differ earlier count all turns after the shared ones here: 3 pairs in 1,600
    assert float(found.details["chosen_longer"]) == pytest.approx(0.433, abs=0.002)
    assert float(found.details["chosen_shorter"]) == pytest.approx(0.563, abs=0.002)
    last = []
    for group in harmless.feedback:
        answers = tuple(
            Response(item.text if item.messages is None else item.messages[-1].content) for item in group.responses
        )
        last.append(Group(group.id, group.prompt, answers, group.judgements))
    exact = finding("shortcut.length", Case(Feedback.of(last))).details
    assert round(float(exact["mean_characters_chosen"]), 1) == 162.7
    assert round(float(exact["mean_characters_rejected"]), 1) == 210.5
    assert float(exact["chosen_longer"]) == pytest.approx(0.433, abs=0.0006)
    assert float(exact["chosen_shorter"]) == pytest.approx(0.563, abs=0.0006)


@pytest.fixture(scope="module")
def alpaca_eval(shared_data: Path) -> Case:
    """Eleven of the 38 models, all 805 instructions; the null model among them."""
    folder = shared_data / "alpaca_eval"
    judged, base = pd.read_parquet(folder / "annotations_dev.parquet"), pd.read_parquet(folder / "baseline.parquet")
    known = base.set_index("instruction_id")
    models = [name for name in judged.model.unique() if name != "gpt4_1106_preview"][:10]
    judged = judged[judged.model.isin({*models, "NullModel"})]
    rows = []
    for row in judged.itertuples():
        asked = known.loc[row.instruction_id]
        answers = (Response(row.output, source=row.model), Response(asked.output_1, source="gpt4_1106_preview"))
        vote = Judgement("comparison", (0, 1), "gpt4_turbo", float(row.preference))
        rows.append(Group(f"{row.model}-{row.instruction_id}", asked.instruction, answers, (vote,)))
    return Case(Feedback.of(rows))


def test_in_alpaca_eval_the_null_model_is_flagged_and_nothing_else_is(alpaca_eval: Case, shared_data: Path) -> None:
    found = load_audit("shortcut.constant").run(alpaca_eval)
    assert [item.details["source"] for item in found if isinstance(item, Finding)] == ["NullModel"]
    (only,) = found
    assert isinstance(only, Finding) and only.severity == "high" and len(only.rows) == 805
    # the published 76.92 is the mean preference; here it is the share of decided pairs
    board = pd.read_csv(shared_data / "alpaca_eval" / "leaderboard_dev.csv").set_index("model").loc["NullModel"]
    assert float(only.details["win_rate"]) == pytest.approx(board.n_wins / (board.n_wins + board.n_wins_base))


def test_the_judge_of_alpaca_eval_prefers_the_longer_answer(shared_data: Path) -> None:
    folder = shared_data / "alpaca_eval"
    judged, base = pd.read_parquet(folder / "annotations_dev.parquet"), pd.read_parquet(folder / "baseline.parquet")
    judged = judged[judged.model != "gpt4_1106_preview"]
    baseline = base.set_index("instruction_id").output_1.to_dict()
    rows = [
        Group(
            str(at),
            f"instruction {row.instruction_id}",
            (Response(row.output), Response(baseline[row.instruction_id])),
            (Judgement("comparison", (0, 1), value=float(row.preference)),),
        )
        for at, row in enumerate(judged.itertuples())
    ]
    found = finding("shortcut.length", Case(Feedback.of(rows)))
    assert float(found.details["longer_wins"]) == pytest.approx(0.861, abs=0.002)
    assert found.severity == "high" and found.figure is not None
    assert found.figure.n == 805  # intervals by instruction, not by row
    curve = [float(value or 0) for value in found.table["longer wins"]]
    assert curve[-1] > curve[0]


def test_half_of_the_win_rate_of_dove_is_length(shared_data: Path) -> None:
    verdicts = pd.read_parquet(shared_data / "dove" / "helpful_verdicts.parquet")
    told = {"model": (1.0, "first"), "gold": (0.0, "second"), "equal": (0.5, "tie")}
    rows = [
        Group(
            str(at),
            row.instruction,
            (Response(row.model, source="model"), Response(row.gold, source="gold")),
            (Judgement("comparison", (0, 1), value=told[row.verdict][0], outcome=told[row.verdict][1]),),  # type: ignore[arg-type]
        )
        for at, row in enumerate(verdicts.itertuples())
    ]
    case = Case(Feedback.of(rows))
    said_so = case.comparisons
    assert np.where(said_so.tie, 0.5, said_so.prob).mean() == pytest.approx(0.745)
    found = finding("shortcut.length", case)
    assert found.details["pairs"] == 365 and found.severity == "high"
    assert float(found.details["chosen_longer"]) == pytest.approx(0.734, abs=0.0006)
    pairs = Case(Feedback.read(str(shared_data / "dove" / "helpful_pairs.parquet")))
    assert float(finding("shortcut.length", pairs).details["chosen_longer"]) == pytest.approx(0.647, abs=0.0006)


def test_pairs_of_rewardmath_are_solved_by_shortest_wins(shared_data: Path) -> None:
    pairs = pd.read_parquet(shared_data / "rewardmath" / "math_prm_pairs.parquet")
    rows = []
    for number, both in pairs.groupby("problem_id"):
        answers = tuple(Response("\n".join(both[both.chosen == chosen].steps.iloc[0])) for chosen in (True, False))
        rows.append(Group(str(number), both.problem.iloc[0], answers, (FIRST,)))
    case = Case(Feedback.of(rows))
    found = finding("shortcut.length", case)
    assert found.severity == "high" and "shorter" in found.title
    assert float(found.details["chosen_shorter"]) == pytest.approx(0.911, abs=0.0006)
    # and the problems themselves: 95 % of them are among the 483 of the benchmark
    problems = str(shared_data / "rewardmath" / "problems.parquet")
    leak = finding("contamination.overlap", Case(case.feedback, benchmarks=[problems]))
    assert leak.severity == "high" and leak.figure is not None and leak.figure.value == pytest.approx(0.95, abs=0.02)


def test_in_fine_grained_feedback_the_first_of_a_pair_wins_sixty_to_forty(shared_data: Path) -> None:
    packed = (shared_data / "fine_grained_rlhf" / "dev_feedback_dev.jsonl.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    couples = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    told = {1: (1.0, "first"), 2: (0.0, "second"), 0: (0.5, "tie")}

    def votes(preference: Sequence[int]) -> tuple[Judgement, ...]:
        pairs = zip(couples, preference, strict=True)
        return tuple(Judgement("comparison", on, value=told[p][0], outcome=told[p][1]) for on, p in pairs)  # type: ignore[arg-type]

    rows = []
    for line in lines:
        item = json.loads(line)
        answers = tuple(Response(item[f"prediction {k}"]) for k in (1, 2, 3, 4))
        rows.append(Group(str(item["row"]), item["question"], answers, votes(item["preference"])))
    found = finding("shortcut.position", Case(Feedback.of(rows)))
    assert found.details["ties"] == 234 and found.details["pairs"] == 935 + 607
    assert float(found.details["first_wins"]) == pytest.approx(935 / (935 + 607))
    assert found.severity == "medium" and found.figure is not None and found.figure.n <= 296


def test_overlaps_that_are_known_between_the_sets_are_found(shared_data: Path) -> None:
    problems = str(shared_data / "rewardmath" / "problems.parquet")
    case = Case(Feedback.read(str(shared_data / "rl_checkpoints" / "math500.parquet")), benchmarks=[problems])
    found = finding("contamination.overlap", case)
    # 477 of the 483 problems are there; a few have fewer than four words and are not looked for
    assert float(found.details["items_found"]) >= 470 and len(found.rows) <= 485
    policies = pd.read_parquet(shared_data / "sparse_feedback" / "policy_rankings.parquet")
    rows = [
        Group(str(at), row.instruction, (Response(row.response_a), Response(row.response_b)), (FIRST,))
        for at, row in enumerate(policies.itertuples())
    ]
    bench = str(shared_data / "alpaca_eval" / "baseline.parquet")
    overlap = finding("contamination.overlap", Case(Feedback.of(rows), benchmarks=[bench]))
    long = [at for at, row in enumerate(policies.itertuples()) if len(row.instruction.split()) >= 4]
    assert set(long) <= set(overlap.rows.tolist())
