"""Public data is read as it is published, with the figures of its own documentation."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from statistics import mean

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from zermelo.feedback import Group, Message, detect, read_groups, write_groups
from zermelo.feedback.inspecting import Summary, summarise
from zermelo.feedback.reading import ReadReport


def read(path: Path, **options: object) -> tuple[list[Group], ReadReport]:
    report = ReadReport()
    return list(read_groups(path, report=report, quiet=True, **options)), report  # type: ignore[arg-type]


def summary(path: Path, **options: object) -> Summary:
    groups, report = read(path, **options)
    return summarise(groups, report)


def last_reply(group: Group, side: int) -> str:
    response = group.responses[side]
    return response.messages[-1].content if response.messages else response.text or ""


def human_turns(group: Group) -> list[str]:
    assert isinstance(group.prompt, tuple)
    return [turn.content for turn in group.prompt if isinstance(turn, Message) and turn.role == "user"]


class TestHarmlessDialogues:
    """1,600 pairs of HH-RLHF."""

    @pytest.fixture(scope="class")
    def found(self, shared_data: Path) -> tuple[list[Group], ReadReport]:
        return read(shared_data / "hh_harmless" / "test_dev.parquet")

    def test_figures_of_the_documentation_come_out(self, found: tuple[list[Group], ReadReport]) -> None:
        groups, report = found
        assert len(groups) == 1600
        assert report.suspicious == {"differing-prompts": 4, "empty-response": 1}
        assert 1600 - len({human_turns(group)[0] for group in groups}) == 105
        chosen, rejected = (mean(len(last_reply(group, side)) for group in groups) for side in (0, 1))
        assert (round(chosen, 1), round(rejected, 1)) == (162.7, 210.5)
        longer = mean(len(last_reply(group, 0)) > len(last_reply(group, 1)) for group in groups)
        shorter = mean(len(last_reply(group, 0)) < len(last_reply(group, 1)) for group in groups)
        assert (longer, shorter) == (pytest.approx(0.433, abs=6e-4), pytest.approx(0.563, abs=6e-4))  # as printed

    def test_no_role_mark_is_left_in_a_prompt(self, found: tuple[list[Group], ReadReport]) -> None:
        for group in found[0]:
            for turn in group.prompt or ():
                assert isinstance(turn, Message)
                assert "\n\nHuman:" not in turn.content and "\n\nAssistant:" not in turn.content

    @pytest.mark.parametrize(("name", "form"), [("a.parquet", "native"), ("a.jsonl.gz", "hh"), ("a.jsonl", "trl")])
    def test_round_trips(self, found: tuple[list[Group], ReadReport], name: str, form: str, tmp_path: Path) -> None:
        groups = found[0]
        report = write_groups(groups, tmp_path / name, format=form)
        again, _ = read(tmp_path / name)
        assert report.lost == {} and detect(tmp_path / name).name == form
        assert [(g.key, g.responses, g.judgements, g.meta) for g in again] == [
            (g.key, g.responses, g.judgements, {k: v for k, v in g.meta.items() if form != "trl" or k != "suspicious"})
            for g in groups
        ]


def test_votes_of_crowd_workers_agree_as_documented(shared_data: Path) -> None:
    found = summary(shared_data / "llmfao" / "human_votes.parquet")
    assert (found.format, found.groups, found.pairs, found.ties) == ("arena", 8931, 8931, 3471)
    assert len(found.annotators) == 124 and len(found.sources) == 59
    assert found.agreement is not None
    assert found.agreement.comparisons == 15112
    assert round(found.agreement.share, 3) == 0.532
    assert round(found.agreement.alpha, 4) == 0.2906
    assert found.suspicious == {}  # bare votes repeat by nature


def test_verdicts_of_a_judge_on_battles(shared_data: Path) -> None:
    groups, _ = read(shared_data / "llmfao" / "gpt35_verdicts.parquet")
    outcomes = Counter(group.judgements[0].outcome for group in groups)
    assert outcomes == {"first": 1965, "second": 958, "tie": 313}


def test_three_annotators_a_pair(shared_data: Path) -> None:
    groups, _ = read(shared_data / "pandalm" / "items.parquet")
    assert len(groups) == 722 and len({group.key for group in groups}) == 117
    votes = [[item.outcome for item in group.judgements] for group in groups]
    assert sum(len(set(said)) == 1 for said in votes) == 631
    majority = Counter(outcome for said in votes for outcome, n in Counter(said).items() if n > 1)
    assert majority == {"tie": 75, "first": 320, "second": 327}
    assert {item.by for group in groups for item in group.judgements} == {"annotator1", "annotator2", "annotator3"}
    assert {len(group.responses) for group in groups} == {2}


def test_ratings_and_choices_of_the_same_responses(shared_data: Path) -> None:
    folder = shared_data / "sparse_feedback"
    ratings, report = read(folder / "ratings_dev.parquet")
    assert report.rows == 59 and len(ratings) == 12  # rows with one prompt stand together
    assert sum(len(group.judgements) for group in ratings) == 59
    scores = {
        (group.meta["prompt_id"], group.responses[item.on[0]].text): item.value
        for group in ratings
        for item in reversed(group.judgements)
    }
    choices, _ = read(folder / "rankings_dev.parquet")
    assert len(choices) == 70
    consistent, compared = 0, 0
    for group in choices:
        known = [scores.get((group.meta["prompt_id"], side.text)) for side in group.responses]
        if known[0] is not None and known[1] is not None:
            rated = "tie" if known[0] == known[1] else "first" if known[0] > known[1] else "second"
            compared += 1
            consistent += rated == group.judgements[0].outcome
    assert (compared, consistent) == (69, 38)
    policy, _ = read(folder / "policy_rankings.parquet")
    outcomes = Counter(group.judgements[0].outcome for group in policy)
    assert outcomes == {"second": 12, "tie": 6, "first": 28}
    assert len(read(folder / "policy_ratings.parquet")[0]) > 0


def test_a_judge_of_a_benchmark_by_named_columns(shared_data: Path, tmp_path: Path) -> None:
    where = {"a": "output", "source_a": "model", "source_b": "'gpt4_1106_preview'", "prob": "preference"}
    table = pq.read_table(shared_data / "alpaca_eval" / "annotations_dev.parquet")
    pq.write_table(
        table.filter(pc.is_in(table["model"], pa.array(["NullModel", "minotaur-13b"]))), tmp_path / "a.parquet"
    )
    annotations, _ = read(tmp_path / "a.parquet", columns=where)
    assert len(annotations) == 805 + 804
    null = [group.judgements[0].value for group in annotations if group.responses[0].source == "NullModel"]
    assert 100 * sum(value or 0.0 for value in null) / len(null) == pytest.approx(76.91979180386511)
    votes = shared_data / "alpaca_eval" / "other_judges.parquet"
    where = {"source_a": "model", "source_b": "baseline", "prob": "preference", "by": "judge"}
    groups, report = read(votes, columns=where)
    assert len(groups) == 54_740 and report.missing == {"preference": 55}
    assert sum(len(group.judgements) for group in groups) == 54_740 - 55


def test_right_and_wrong_solutions_in_steps(shared_data: Path) -> None:
    groups, report = read(shared_data / "rewardmath" / "math_prm_pairs.parquet")
    assert (report.rows, len(groups)) == (894, 447)
    right = {group.id: [item.value for item in group.judgements].index(1.0) for group in groups}
    steps = [[len(side.steps or ()) for side in group.responses] for group in groups]
    shorter = sum(
        counts[right[group.id]] < counts[1 - right[group.id]] for group, counts in zip(groups, steps, strict=True)
    )
    assert 0.85 < shorter / 447 < 0.95


OTHERS = [
    ("dove/helpful_pairs.parquet", {}, 363, "comparison"),
    (
        "dove/helpful_verdicts.parquet",
        {"prompt": "instruction", "a": "model", "b": "gold", "winner": "verdict"},
        500,
        "comparison",
    ),
    ("llmbar/items.parquet", {}, 326, "comparison"),
    (
        "gsm8k/model_solutions.parquet",
        {"group": "id", "response": "solution", "source": "model", "label": "is_correct"},
        None,
        "label",
    ),
    ("gsm8k/test.parquet", {}, 1319, None),
    (
        "wildbench/item_scores.parquet",
        {"source": "model", "rating": "score", "by": "judge", "group": "session_id", "low": "1", "high": "10"},
        None,
        "rating",
    ),
    ("humaneval/HumanEval.jsonl.gz", {}, 164, None),
    ("mbpp/mbpp_sanitized.parquet", {}, 427, None),
]


@pytest.mark.parametrize(("name", "columns", "groups", "kind"), OTHERS, ids=lambda item: str(item)[:32])
def test_other_extracts_are_read(
    shared_data: Path, name: str, columns: dict[str, str], groups: int | None, kind: str | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = summary(shared_data / name, columns=columns)
    assert groups is None or found.groups == groups
    assert set(found.kinds) == ({kind} if kind else set())


def test_the_verdicts_give_the_documented_win_rate(shared_data: Path) -> None:
    where = {"prompt": "instruction", "a": "model", "b": "gold", "winner": "verdict"}
    groups, _ = read(shared_data / "dove" / "helpful_verdicts.parquet", columns=where)
    assert mean(group.judgements[0].value or 0.0 for group in groups) == 0.745
