"""What the audits say of public data equals the published figures."""

from __future__ import annotations

import gzip
import json
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.disagreement.agreement import Agreement, cohen_by_pair
from zermelo.doctor.disagreement.cycles import Cycles, triples_of
from zermelo.doctor.disagreement.position import Position, Ties
from zermelo.doctor.disagreement.ratings_rankings import RatingsRankings, turned_sources
from zermelo.doctor.disagreement.spam import Spam
from zermelo.doctor.disagreement.votes import votes_of
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.feedback import Feedback, Group, Judgement, Response


def figure(result: Result) -> float:
    assert isinstance(result, Finding | Passed) and result.figure is not None
    return result.figure.value


@pytest.fixture(scope="module")
def llmfao(shared_data: Path) -> Case:
    import pandas as pd

    frame = pd.read_parquet(shared_data / "llmfao" / "human_votes.parquet")
    value = {"left": 1.0, "right": 0.0, "tie": 0.5}
    groups = []
    for name, rows in frame.groupby("pair_id"):
        sides = (Response(source=rows["left"].iloc[0]), Response(source=rows["right"].iloc[0]))
        said = tuple(
            Judgement(
                "comparison", (0, 1), by=f"worker {who}", value=value[won], shown=(0, 1),
                outcome="tie" if won == "tie" else None,
            )
            for who, won in zip(rows["worker"], rows["winner"], strict=True)
        )  # fmt: skip
        groups.append(Group(f"pair-{name}", None, sides, said))
    return Case(Feedback.of(groups))


def test_workers_of_llmfao_agree_as_published(llmfao: Case) -> None:
    (found,) = Agreement().run(llmfao)
    assert isinstance(found, Finding)
    assert found.details["percent"] == pytest.approx(0.532, abs=0.0005)
    assert found.details["alpha_nominal"] == pytest.approx(0.2906, abs=5e-5) == figure(found)
    assert found.severity == "low"


def test_llmfao_has_tie_happy_and_left_happy_workers(llmfao: Case) -> None:
    (ties,) = Ties().run(llmfao)
    assert isinstance(ties, Finding) and figure(ties) == pytest.approx(3471 / 8931)
    shares = np.array(ties.table["ties"], float)
    assert (shares > 0.6).any() and len(shares) >= 5
    (side,) = Position().run(llmfao)
    assert isinstance(side, Finding) and figure(side) == pytest.approx(2911 / 5460)
    assert side.table["annotator"] == ["worker 20"]  # 70 % of 290 decided votes
    # a worker's share, from the file itself
    votes = votes_of(llmfao)
    name = str(side.table["annotator"][0])
    mine = votes.of(votes.annotators.index(name))
    mine = mine[votes.say[mine] != 0]
    assert side.table["first"][0] == pytest.approx((votes.say[mine] == 1).mean())


def test_spammers_of_llmfao_agree_with_the_others_no_more_than_chance(llmfao: Case) -> None:
    (found,) = Spam().run(llmfao)
    assert isinstance(found, Finding)
    votes = votes_of(llmfao)
    counts = votes.counts()
    for name, reason in zip(found.table["annotator"], found.table["reason"], strict=True):
        mine = votes.of(votes.annotators.index(str(name)))
        if "others" not in str(reason):
            continue
        rest = counts[votes.item[mine]]
        rest[np.arange(len(mine)), votes.say[mine] + 1] -= 1
        known = rest.sum(axis=1) > 0
        share = rest[known] / rest[known].sum(axis=1, keepdims=True)
        agreement = share[np.arange(known.sum()), votes.say[mine][known] + 1].mean()
        assert agreement < 0.45  # of all workers 0.532


def test_people_of_pandalm_agree_as_published(shared_data: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(shared_data / "pandalm" / "items.parquet")
    value = {0: 0.5, 1: 1.0, 2: 0.0}
    groups = []
    for row in frame.itertuples():
        said = tuple(
            Judgement("comparison", (0, 1), by=f"annotator {k}", value=value[int(getattr(row, f"annotator{k}"))],
                      outcome="tie" if getattr(row, f"annotator{k}") == 0 else None)
            for k in (1, 2, 3)
        )  # fmt: skip
        sides = (Response(row.response1, source=row.model_1), Response(row.response2, source=row.model_2))
        groups.append(Group(f"item-{row.item}-{row.Index}", row.instruction, sides, said))
    case = Case(Feedback.of(groups))
    kappa = cohen_by_pair(votes_of(case))
    named = {pair: value for pair, (value, n) in kappa.items() if n == 722}
    published = {("1", "2"): 0.848, ("1", "3"): 0.880, ("2", "3"): 0.847}
    expected = {(f"annotator {a}", f"annotator {b}"): value for (a, b), value in published.items()}
    assert named == pytest.approx(expected, abs=0.001)
    counts = votes_of(case).counts()
    assert int((counts.max(axis=1) == 3).sum()) == 631
    (found,) = Agreement().run(case)
    assert isinstance(found, Passed) and figure(found) > 0.8
    (spam,) = Spam().run(case)
    assert isinstance(spam, Passed)


def test_preference_lists_of_fine_grained_rlhf(shared_data: Path) -> None:
    path = shared_data / "fine_grained_rlhf" / "dev_feedback_dev.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    value = {1: 1.0, 2: 0.0, 0: 0.5}
    pairs = list(combinations(range(4), 2))
    groups = [
        Group(
            f"row-{row['row']}",
            row["question"],
            tuple(Response(row[f"prediction {k}"]) for k in (1, 2, 3, 4)),
            tuple(
                Judgement("comparison", pair, by="worker", value=value[said], outcome="tie" if said == 0 else None)
                for pair, said in zip(pairs, row["preference"], strict=True)
            ),
        )
        for row in rows
    ]
    case = Case(Feedback.of(groups))
    (side,) = Position().run(case)
    assert isinstance(side, Finding) and figure(side) == pytest.approx(935 / (935 + 607))
    assert side.details["order"] == "of the file" and side.severity == "info"
    (ties,) = Ties().run(case)
    assert isinstance(ties, Passed) and figure(ties) == pytest.approx(234 / 1776)

    def is_weak_order(said: list[int]) -> bool:
        wanted = [{1: 1, 2: -1, 0: 0}[item] for item in said]
        return any(
            [int(np.sign(ranks[j] - ranks[i])) for i, j in pairs] == wanted for ranks in product(range(4), repeat=4)
        )

    broken = [k for k, row in enumerate(rows) if not is_weak_order(row["preference"])]
    triples = triples_of(case.comparisons)
    assert len(triples) == 4 * len(rows)
    assert np.unique(triples.row[triples.contradictory]).tolist() == broken
    (cycles,) = Cycles().run(case)
    assert isinstance(cycles, Finding | Passed) and cycles.details["rows_without_an_order"] == len(broken)


def test_protocols_of_sparse_feedback(shared_data: Path) -> None:
    import pandas as pd

    folder = shared_data / "sparse_feedback"
    rated, ranked = (pd.read_parquet(folder / f"{name}_dev.parquet") for name in ("ratings", "rankings"))
    groups = []
    for name in ranked["prompt_id"].unique():
        mine, chosen = rated[rated["prompt_id"] == name], ranked[ranked["prompt_id"] == name]
        texts = list(dict.fromkeys([*mine["response"], *chosen["response_a"], *chosen["response_b"]]))
        place = {text: k for k, text in enumerate(texts)}
        said = [Judgement("rating", (place[t],), by="judge", value=float(v), low=1.0, high=7.0)
                for t, v in zip(mine["response"], mine["rating"], strict=True)]  # fmt: skip
        for a, b, choice in zip(chosen["response_a"], chosen["response_b"], chosen["choice"], strict=True):
            value = {"(a)": 1.0, "(b)": 0.0, "equal": 0.5}[choice]
            outcome = "tie" if value == 0.5 else None
            said.append(Judgement("comparison", (place[a], place[b]), by="judge", value=value, outcome=outcome))
        groups.append(Group(f"prompt-{name}", str(name), tuple(Response(text) for text in texts), tuple(said)))
    (found,) = RatingsRankings().run(Case(Feedback.of(groups)))
    assert isinstance(found, Finding)
    assert found.figure is not None and found.figure.n == 69 and figure(found) == pytest.approx(38 / 69)
    assert found.details["hedged"] == pytest.approx((3 + 4 + 8 + 6) / 69)


def test_the_policy_comparison_of_sparse_feedback_turns_with_the_protocol(shared_data: Path) -> None:
    import pandas as pd

    folder = shared_data / "sparse_feedback"
    policy, reference = "alpaca7b_best_of_64_rating_rm", "text-davinci-003"
    rated = pd.read_parquet(folder / "policy_ratings.parquet").drop_duplicates(["system", "instruction"])
    ranked = pd.read_parquet(folder / "policy_rankings.parquet")
    wide = rated.pivot(index="instruction", columns="system", values="rating")
    chosen = dict(zip(ranked["instruction"], ranked["choice"], strict=True))
    groups = []
    for k, instruction in enumerate(sorted({*wide.index, *chosen})):
        said = []
        for place, name in enumerate((reference, policy)):
            if instruction in wide.index and not np.isnan(wide.loc[instruction, name]):
                said.append(Judgement("rating", (place,), by="judge", value=float(wide.loc[instruction, name])))
        if instruction in chosen:
            value = {"(a)": 1.0, "(b)": 0.0, "equal": 0.5}[chosen[instruction]]
            said.append(Judgement("comparison", (0, 1), by="judge", value=value))
        groups.append(Group(f"g{k}", instruction, (Response(source=reference), Response(source=policy)), tuple(said)))
    case = Case(Feedback.of(groups))
    (found,) = RatingsRankings().run(case)
    assert isinstance(found, Finding | Passed | Skipped)
    told = turned_sources(case, sure=False)
    assert len(told) == 1 and "52.9% by ratings, 32.6% by choices" in told[0]


def test_anaesthetists_agree_on_an_ordinal_scale(shared_data: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(shared_data / "raters" / "anesthesia.csv")
    groups = [
        Group(
            f"patient-{item}",
            f"patient {item}",
            (Response("the record"),),
            tuple(
                Judgement("rating", (0,), by=f"rater {who}", value=float(value))
                for who, value in zip(rows["rater"], rows["rating"], strict=True)
            ),
        )
        for item, rows in frame.groupby("item")
    ]
    (found,) = Agreement().run(Case(Feedback.of(groups)))
    assert isinstance(found, Finding | Passed) and "ratings" in found.title and found.details["items"] == 45
    same = [a == b for _, rows in frame.groupby("item") for a, b in combinations(rows["rating"], 2)]
    assert found.details["percent"] == pytest.approx(np.mean(same))
    assert float(found.details["alpha_ordinal"]) > float(found.details["alpha_nominal"]) > 0.5
