"""The disagreement audits on hand-made crowds: each fires at what is planted and names who; else it is silent."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, permutations, product

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.disagreement.agreement import Agreement, cohen_by_pair, packed
from zermelo.doctor.disagreement.cycles import Cycles, chance_of_contradiction, triples_of
from zermelo.doctor.disagreement.diversified import Diversified
from zermelo.doctor.disagreement.drift import Drift, cusum
from zermelo.doctor.disagreement.position import Position, Ties, unlike_the_others
from zermelo.doctor.disagreement.ratings_rankings import RatingsRankings, asked_twice
from zermelo.doctor.disagreement.spam import Spam
from zermelo.doctor.disagreement.tribes import Tribes
from zermelo.doctor.disagreement.votes import others_of, votes_of
from zermelo.doctor.protocol import Finding, Passed, Skipped
from zermelo.feedback import Feedback, Group, Judgement, Response
from zermelo.stats.agreement import krippendorff_alpha, percent_agreement

Voter = Callable[[bool, bool, int, random.Random], float]  # (first better, first shown first, row, rng) → value


def honest(error: float = 0.1) -> Voter:
    return lambda better, shown, row, rng: float(better != (rng.random() < error))


def crowd(people: dict[str, Voter], n: int = 300, each: int = 3, seed: int = 0, shown: bool = True) -> Case:
    """Pairs with votes; either response is named first, and either is shown first."""
    rng = random.Random(seed)
    made = []
    for row in range(n):
        better = rng.random() < 0.5
        said = []
        for name in rng.sample(sorted(people), each):
            first = rng.random() < 0.5
            value = people[name](better, first, row, rng)
            turned = rng.random() < 0.5
            said.append(
                Judgement(
                    "comparison",
                    (1, 0) if turned else (0, 1),
                    by=name,
                    value=1 - value if turned else value,
                    outcome="tie" if value == 0.5 else None,
                    shown=((0, 1) if first else (1, 0)) if shown else None,
                    at=float(row),
                )
            )
        made.append(Group(f"g{row}", f"q{row}", (Response("x"), Response("y")), tuple(said)))
    return Case(Feedback.of(made))


def good(n: int = 6, error: float = 0.1) -> dict[str, Voter]:
    return {f"a{k}": honest(error) for k in range(n)}


# ── votes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_pair_is_one_item_whichever_was_named_first() -> None:
    said = (
        Judgement("comparison", (0, 1), by="a", value=1.0),
        Judgement("comparison", (1, 0), by="b", value=0.0),
        Judgement("comparison", (1, 0), by="c", value=0.5, outcome="tie"),
    )
    votes = votes_of(Case(Feedback.of([Group("g", "q", (Response("x"), Response("y")), said)])))
    assert votes.item.tolist() == [0, 0, 0] and votes.say.tolist() == [1, 1, 0]
    others = others_of(votes)
    assert others.same.tolist() == [1, 1, 0] and others.n.tolist() == [2, 2, 2]
    assert others.expected.tolist() == [0, 0, 1]


def test_who_shares_a_taste_with_few_or_has_drifted_is_no_spammer() -> None:
    def other(better: bool, shown: bool, row: int, rng: random.Random) -> float:
        return float((row % 2 == 0) != (rng.random() < 0.1))  # a rule of their own

    def turned(better: bool, shown: bool, row: int, rng: random.Random) -> float:
        return float(better != (row > 500)) if rng.random() < 0.9 else float(rng.random() < 0.5)

    def blind(better: bool, shown: bool, row: int, rng: random.Random) -> float:
        return float(rng.random() < 0.5)

    people = {**good(8), "t0": other, "t1": other, "drifter": turned, "bad": blind}
    (found,) = Spam().run(crowd(people, n=1_000, each=6))
    assert isinstance(found, Finding) and found.table["annotator"] == ["bad"]


def test_a_tribe_that_never_errs_is_no_ring_of_copies() -> None:
    def other(better: bool, shown: bool, row: int, rng: random.Random) -> float:
        return float(row % 2 == 0)

    people = {**good(6), **{f"t{k}": other for k in range(4)}}
    (found,) = Spam().run(crowd(people, n=600, each=6))
    assert isinstance(found, Passed)


def test_rows_of_one_prompt_and_the_same_texts_are_votes_on_one_item() -> None:
    one, two = Response("x", source="red"), Response("y", source="blue")
    rows = [
        Group("0", "q", (one, two), (Judgement("comparison", (0, 1), by="a", value=1.0),)),
        Group("1", "q", (two, one), (Judgement("comparison", (0, 1), by="b", value=0.0),)),
        Group("2", "other", (one, two), (Judgement("comparison", (0, 1), by="c", value=1.0),)),
        Group(
            "3", "q", (one, two), (Judgement("comparison", (0, 1), by="a", value=0.0),)
        ),  # a copy is no second opinion
    ]
    votes = votes_of(Case(Feedback.of(rows)))
    assert votes.item[0] == votes.item[1] and len(set(votes.item.tolist())) == 3
    assert votes.say.tolist() == [1, 1, 1, -1] and others_of(votes).same.tolist() == [1, 1, 0, 0]


def test_a_spammer_is_found_where_every_vote_is_a_row_of_its_own() -> None:
    case = crowd({**good(), "bad": lambda better, shown, row, rng: float(rng.random() < 0.5)})
    rows = [
        replace(group, id=f"{group.id}-{k}", judgements=(said,))
        for group in case.feedback
        for k, said in enumerate(group.judgements)
    ]
    (found,) = Spam().run(Case(Feedback.of(rows)))
    assert isinstance(found, Finding) and found.table["annotator"] == ["bad"]


# ── spam ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SPAMMERS: dict[str, tuple[Voter, str]] = {
    "coin": (lambda better, shown, row, rng: float(rng.random() < 0.5), "chance"),
    "left": (lambda better, shown, row, rng: float(shown), "shown first"),
    "right": (lambda better, shown, row, rng: float(not shown), "shown last"),
    "tie": (lambda better, shown, row, rng: 0.5, "tie"),
    "liar": (lambda better, shown, row, rng: float(not better), "chance"),
}


@pytest.mark.parametrize("kind", SPAMMERS)
def test_a_spammer_of_each_kind_is_named_with_the_reason(kind: str) -> None:
    voter, reason = SPAMMERS[kind]
    case = crowd(good() | {"bad": voter})
    (found,) = Spam().run(case)
    assert isinstance(found, Finding) and found.table["annotator"] == ["bad"]
    assert reason in str(found.table["reason"][0]) and found.fix == "drop-spammers"
    judged = [row for row, g in enumerate(case.feedback) if any(item.by == "bad" for item in g.judgements)]
    assert found.rows.tolist() == judged
    assert found.figure is not None and found.figure.value == pytest.approx(1 / 7)


def test_a_copycat_is_named() -> None:
    rng = random.Random(3)
    made = []
    for row in range(300):
        better = rng.random() < 0.5
        votes = {f"a{k}": float(better != (rng.random() < 0.25)) for k in range(4)}
        votes["copy"] = votes["a0"]
        if row % 10 == 0:
            votes.pop("copy")
        said = tuple(Judgement("comparison", (0, 1), by=name, value=value) for name, value in votes.items())
        made.append(Group(f"g{row}", f"q{row}", (Response("x"), Response("y")), said))
    (found,) = Spam().run(Case(Feedback.of(made)))
    assert isinstance(found, Finding) and found.table["annotator"] == ["copy"]
    assert found.table["reason"] == ["says what a0 says"]


def test_honest_crowds_are_left_alone() -> None:
    alarms = [isinstance(Spam().run(crowd(good(8, 0.2), n=150, seed=seed))[0], Finding) for seed in range(20)]
    assert sum(alarms) <= 1


@pytest.mark.parametrize("audit", [Spam(), Agreement(), Drift(), Tribes()])
def test_one_annotator_alone_is_skipped_and_so_is_nobody(audit: Spam | Agreement | Drift | Tribes) -> None:
    (alone,) = audit.run(crowd({"a": honest()}, each=1))
    assert isinstance(alone, Skipped) and alone.why
    (nobody,) = audit.run(Case(Feedback.of([])))
    assert isinstance(nobody, Skipped)


# ── agreement ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_agreement_by_hand() -> None:
    # two items: a and b say the same on one, not on the other; 1 of 2 pairs of votes agree
    said = [
        (Judgement("comparison", (0, 1), by="a", value=1.0), Judgement("comparison", (1, 0), by="b", value=0.0)),
        (Judgement("comparison", (0, 1), by="a", value=1.0), Judgement("comparison", (0, 1), by="b", value=0.0)),
    ]
    groups = [Group(f"g{k}", f"q{k}", (Response("x"), Response("y")), item) for k, item in enumerate(said)]
    (found,) = Agreement().run(Case(Feedback.of(groups)))
    assert isinstance(found, Finding | Passed)
    assert found.details["percent"] == pytest.approx(0.5)
    # Krippendorff by hand: values 1 1 | 1 −1: D_o = 2/4, D_e = 2·(3·1)/(4·3) = 1/2 → α = 0
    assert found.figure is not None and found.figure.value == pytest.approx(0.0)


def test_packing_forgets_who_but_not_what() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(3, size=(50, 6)).astype(float)
    table[rng.random((50, 6)) < 0.5] = np.nan
    item, _ = np.nonzero(~np.isnan(table))
    narrow = packed(item, table[~np.isnan(table)])
    assert narrow.shape[1] <= 6
    assert percent_agreement(narrow) == pytest.approx(percent_agreement(table))
    for scale in ("nominal", "ordinal"):
        assert krippendorff_alpha(narrow, scale=scale) == pytest.approx(krippendorff_alpha(table, scale=scale))


def test_a_crowd_of_coins_disagrees_and_an_honest_one_agrees() -> None:
    coin = SPAMMERS["coin"][0]
    (found,) = Agreement().run(crowd({f"a{k}": coin for k in range(5)}))
    assert isinstance(found, Finding) and found.severity == "medium"
    assert found.figure is not None and found.figure.low < 0 < found.figure.high
    case = crowd(good())
    (passed,) = Agreement().run(case)
    assert isinstance(passed, Passed) and passed.details["percent"] == pytest.approx(0.82, abs=0.03)
    kappas = cohen_by_pair(votes_of(case))
    assert len(kappas) == 15 and np.mean([k for k, _ in kappas.values()]) == pytest.approx(0.64, abs=0.06)


def test_ratings_of_several_raters_have_an_ordinal_alpha() -> None:
    rng = random.Random(0)
    groups = []
    for row in range(100):
        true = rng.randint(1, 5)
        said = tuple(
            Judgement("rating", (0,), by=name, value=float(min(5, max(1, true + rng.choice((-1, 0, 0, 1))))))
            for name in "ab"
        )
        groups.append(Group(f"g{row}", f"q{row}", (Response("x"),), said))
    (found,) = Agreement().run(Case(Feedback.of(groups)))
    assert isinstance(found, Passed) and "ratings" in found.title
    assert float(found.details["alpha_ordinal"]) > float(found.details["alpha_nominal"])


# ── cycles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def ranked_rows(n: int, cycles: int) -> Feedback:
    """Rows of three responses, the first `cycles` of them cyclic."""
    groups = []
    for row in range(n):
        values = (1.0, 1.0, 0.0) if row < cycles else (1.0, 1.0, 1.0)  # 0≻1, 1≻2, then 2≻0 or 0≻2
        pairs = ((0, 1), (1, 2), (0, 2))
        said = tuple(
            Judgement("comparison", pair, by="a", value=value) for pair, value in zip(pairs, values, strict=True)
        )
        groups.append(Group(f"g{row}", f"q{row}", tuple(Response(c) for c in "xyz"), said))
    return Feedback.of(groups)


def test_planted_cycles_are_found_where_they_are() -> None:
    (found,) = Cycles().run(Case(ranked_rows(100, 20)))
    assert isinstance(found, Finding) and found.rows.tolist() == list(range(20)) and found.severity == "high"
    assert found.figure is not None and found.figure.value == pytest.approx(0.2)
    (passed,) = Cycles().run(Case(ranked_rows(100, 0)))
    assert isinstance(passed, Passed)
    (skipped,) = Cycles().run(crowd(good()))
    assert isinstance(skipped, Skipped)


def test_random_answers_contradict_themselves_a_quarter_of_the_time() -> None:
    assert chance_of_contradiction(0.5, 0.5, 0.0) == pytest.approx(0.25)
    # with ties by enumeration of all 27 answers against all 27 rank assignments
    orders = {
        tuple(int(np.sign(ranks[j] - ranks[i])) for i, j in ((0, 1), (1, 2), (0, 2)))
        for ranks in product(range(3), repeat=3)
    }
    assert len(orders) == 13  # weak orders of three things
    assert chance_of_contradiction(1 / 3, 1 / 3, 1 / 3) == pytest.approx(14 / 27)


def test_triples_are_those_of_brute_force() -> None:
    rng = random.Random(5)
    groups = []
    expected = []
    for row in range(40):
        k = rng.randint(2, 5)
        said = {}
        for pair in combinations(range(k), 2):
            if rng.random() < 0.8:
                said[pair] = rng.choice((0.0, 0.5, 1.0))
        judgements = [
            Judgement("comparison", pair[:: rng.choice((1, -1))], by="a", value=value) for pair, value in said.items()
        ]
        judgements = [
            Judgement("comparison", j.on, by="a", value=j.value if j.on[0] < j.on[1] else 1 - (j.value or 0.0))
            for j in judgements
        ]
        groups.append(Group(f"g{row}", f"q{row}", tuple(Response(f"r{i}") for i in range(k)), tuple(judgements)))
        for a, b, c in combinations(range(k), 3):
            if all(pair in said for pair in ((a, b), (b, c), (a, c))):
                signs = tuple(int(np.sign(said[pair] - 0.5)) for pair in ((a, b), (b, c), (a, c)))
                expected.append((row, *signs))
    found = triples_of(Case(Feedback.of(groups)).comparisons)
    assert sorted(zip(found.row, found.ab, found.bc, found.ac, strict=True)) == sorted(expected)
    for row, ab, bc, ac, bad in zip(found.row, found.ab, found.bc, found.ac, found.contradictory, strict=True):
        fits = any(
            (np.sign(r[1] - r[0]), np.sign(r[2] - r[1]), np.sign(r[2] - r[0])) == (ab, bc, ac)
            for r in product(range(3), repeat=3)
        )
        assert fits != bad, row


# ── drift, tribes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_annotator_who_turns_is_named_with_the_time() -> None:
    def turns(better: bool, shown: bool, row: int, rng: random.Random) -> float:
        return float(better == (row < 200))

    (found,) = Drift().run(crowd(good() | {"turncoat": turns}, n=400))
    assert isinstance(found, Finding) and found.table["annotator"] == ["turncoat"]
    assert found.table["time"][0] == pytest.approx(200, abs=15)
    assert found.rows.min() >= 185 and found.plots[0]().body.startswith("<svg")
    alarms = [isinstance(Drift().run(crowd(good(), seed=seed))[0], Finding) for seed in range(20)]
    assert sum(alarms) <= 1


def test_the_running_sum_by_hand_and_its_level_under_no_change() -> None:
    peak, _, turn, path = cusum(np.array([1.0, 1.0, 0.0, 0.0]))
    assert path == pytest.approx([0.5, 1.0, 0.5, 0.0]) and peak == 1.0 and turn == 1  # σ = ½, √n = 2
    rng = np.random.default_rng(0)
    p = [cusum(rng.normal(size=300))[1] for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) < 0.08  # conservative in finite samples
    assert cusum(np.ones(10))[1] == 1.0


def test_two_tribes_are_parted_and_one_is_not() -> None:
    def tribe(liked: int) -> Voter:
        def vote(better: bool, shown: bool, row: int, rng: random.Random) -> float:
            taste = (row * 7919) % 2 == 0 if liked else better
            return float(taste != (rng.random() < 0.05))

        return vote

    people = {f"p{k}": tribe(0) for k in range(5)} | {f"q{k}": tribe(1) for k in range(4)}
    (found,) = Tribes().run(crowd(people, n=500, each=5))
    assert isinstance(found, Finding)
    group = dict(zip(found.table["annotator"], found.table["group"], strict=True))
    assert len({group[f"p{k}"] for k in range(5)}) == 1 and len({group[f"q{k}"] for k in range(4)}) == 1
    assert group["p0"] != group["q0"]
    assert found.figure is not None and found.figure.value == pytest.approx(4 / 9)
    alarms = [isinstance(Tribes().run(crowd(good(8, 0.1), n=200, seed=seed))[0], Finding) for seed in range(10)]
    assert sum(alarms) == 0


def test_tribes_that_differ_in_whose_answers_they_like_are_found_without_common_items() -> None:
    rng = random.Random(0)
    strength = {"x": 2.0, "y": 0.0, "z": -2.0}
    groups = []
    for row in range(900):
        a, b = rng.sample(sorted(strength), 2)
        who = rng.randrange(6)
        gap = (strength[a] - strength[b]) * (1 if who < 3 else -1)
        value = float(rng.random() < 1 / (1 + np.exp(-gap)))
        said = (Judgement("comparison", (0, 1), by=f"p{who}", value=value),)
        groups.append(Group(f"g{row}", f"q{row}", (Response("s", source=a), Response("t", source=b)), said))
    (found,) = Tribes().run(Case(Feedback.of(groups)))
    assert isinstance(found, Finding)
    group = dict(zip(found.table["annotator"], found.table["group"], strict=True))
    assert [group[f"p{k}"] == group["p0"] for k in range(6)] == [True] * 3 + [False] * 3


# ── position, ties ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_favour_for_the_first_place_is_measured() -> None:
    def leftish(better: bool, shown: bool, row: int, rng: random.Random) -> float:
        return float(shown) if rng.random() < 0.4 else float(better)

    (found,) = Position().run(crowd({f"a{k}": leftish for k in range(6)}))
    assert isinstance(found, Finding) and found.severity == "info" and found.details["order"] == "recorded"
    assert found.figure is not None and found.figure.low <= 0.7 <= found.figure.high
    (passed,) = Position().run(crowd(good()))
    assert isinstance(passed, Passed)
    (alone,) = Position().run(crowd(good() | {"lefty": leftish}, n=600))
    assert isinstance(alone, Finding) and alone.table["annotator"] == ["lefty"] and alone.severity == "medium"
    assert alone.table["first"][0] == pytest.approx(0.7, abs=0.1)


def test_a_file_that_names_the_winner_first_says_nothing_of_position() -> None:
    groups = [
        Group(f"g{k}", f"q{k}", (Response("x"), Response("y")), (Judgement("comparison", (0, 1), value=1.0),))
        for k in range(50)
    ]
    (found,) = Position().run(Case(Feedback.of(groups)))
    assert isinstance(found, Skipped) and "winner first" in found.why


def test_a_tie_happy_annotator_is_named() -> None:
    def ties(often: float) -> Voter:
        return lambda better, shown, row, rng: 0.5 if rng.random() < often else float(better)

    (found,) = Ties().run(crowd({f"a{k}": ties(0.1) for k in range(6)} | {"hedger": ties(0.7)}))
    assert isinstance(found, Finding) and found.table["annotator"] == ["hedger"]
    assert found.table["ties"][0] == pytest.approx(0.7, abs=0.1)
    (passed,) = Ties().run(crowd({f"a{k}": ties(0.2) for k in range(6)}))
    assert isinstance(passed, Passed)
    (skipped,) = Ties().run(crowd(good()))
    assert isinstance(skipped, Skipped)


def test_nobody_is_unlike_himself() -> None:
    assert len(unlike_the_others(np.zeros(100, np.int64), np.ones(100, bool), 0.01, margin=0.1)) == 0
    assert len(unlike_the_others(np.full(100, -1), np.ones(100, bool), 0.01, margin=0.1)) == 0


# ── ratings against choices ─────────────────────────────────────────────────────────────────────────────────────────


def asked(n: int, turned: int, tied: int = 0) -> Feedback:
    """Pairs rated 5 and 3; of the first `turned` the second is chosen, of the next `tied` neither."""
    groups = []
    for row in range(n):
        value = 0.0 if row < turned else 0.5 if row < turned + tied else 1.0
        said = (
            Judgement("rating", (0,), by="a", value=5.0),
            Judgement("rating", (1,), by="a", value=3.0),
            Judgement("comparison", (0, 1), by="a", value=value),
        )
        groups.append(Group(f"g{row}", f"q{row}", (Response("x", source="m"), Response("y", source="n")), said))
    return Feedback.of(groups)


def test_contradictions_of_protocol_are_counted_and_located() -> None:
    (found,) = RatingsRankings().run(Case(asked(100, 20, 10)))
    assert isinstance(found, Finding) and found.severity == "high"
    assert found.figure is not None and found.figure.value == pytest.approx(0.7)
    assert found.details["decisive_consistency"] == pytest.approx(70 / 90)
    assert found.rows.tolist() == list(range(30))
    (passed,) = RatingsRankings().run(Case(asked(100, 0)))
    assert isinstance(passed, Passed)


def test_the_better_source_turns_with_the_protocol() -> None:
    (found,) = RatingsRankings().run(Case(asked(100, 90)))
    assert isinstance(found, Finding) and "turns with the protocol: m against n" in found.title


def test_the_first_rating_of_the_annotator_who_chose_counts() -> None:
    said = (
        Judgement("rating", (0,), by="b", value=1.0),
        Judgement("rating", (0,), by="a", value=6.0),
        Judgement("rating", (0,), by="a", value=2.0),
        Judgement("rating", (1,), by="b", value=4.0),
        Judgement("rating", (1,), by="a", value=5.0),
        Judgement("comparison", (0, 1), by="a", value=1.0),
        Judgement("comparison", (0, 1), by="c", value=1.0),
    )
    both = asked_twice(Case(Feedback.of([Group("g", "q", (Response("x"), Response("y")), said)])))
    assert both is not None and both.first.tolist() == [6, 1] and both.second.tolist() == [5, 4]


def test_data_without_both_protocols_is_skipped() -> None:
    (found,) = RatingsRankings().run(crowd(good()))
    assert isinstance(found, Skipped)


# ── several tastes ──────────────────────────────────────────────────────────────────────────────────────────────────


def tasteful(apart: bool, n: int = 1200) -> Feedback:
    """Everybody likes `clear`; of two annotators one likes `long`, the other the same or its opposite."""
    rng = random.Random(1)
    groups = []
    for row in range(n):
        who = rng.choice(("ann", "bob", "cyd"))
        sides = [[rng.choice(("clear", "plain")), rng.choice(("grand", "modest"))] for _ in range(2)]
        texts = [" ".join([*words, *rng.sample(["some", "other", "words", "here", "too"], 3)]) for words in sides]
        sign = -1 if apart and who == "bob" else 1
        score = [(words[0] == "clear") + 1.5 * sign * (words[1] == "grand") for words in sides]
        value = float(rng.random() < 1 / (1 + np.exp(-4 * (score[0] - score[1]))))
        said = (Judgement("comparison", (0, 1), by=who, value=value),)
        groups.append(Group(f"g{row}", f"question {row}", tuple(Response(text) for text in texts), said))
    return Feedback.of(groups)


def test_an_annotator_with_another_taste_is_named() -> None:
    (found,) = Diversified().run(Case(tasteful(True)))
    assert isinstance(found, Finding) and "bob" in found.title
    place = found.table["annotators"].index("bob")
    assert float(found.table["accuracy_of_own"][place] or 0) > float(found.table["accuracy_of_all"][place] or 0) + 0.2
    (passed,) = Diversified().run(Case(tasteful(False)))
    assert isinstance(passed, Passed)
    (skipped,) = Diversified().run(Case(Feedback.of([])))
    assert isinstance(skipped, Skipped)


def test_every_order_of_the_rows_gives_the_same_items() -> None:
    case = crowd(good(), n=20)
    groups = list(case.feedback)
    for order in list(permutations(range(3)))[:3]:
        mixed = [groups[k] for k in (*order, *range(3, 20))]
        counts = votes_of(Case(Feedback.of(mixed))).counts()
        assert np.sort(counts, axis=0).tolist() == np.sort(votes_of(case).counts(), axis=0).tolist()


def test_a_crowd_of_which_some_are_noisy_is_not_taken_for_two_tastes() -> None:
    people = good(8, 0.03) | {f"noisy{k}": honest(0.45) for k in range(5)}
    (found,) = Tribes().run(crowd(people, n=600, each=6))
    assert isinstance(found, Passed) or (found.severity == "info" and "noisier" in found.title)  # type: ignore[union-attr]
    people = good(8, 0.03) | {"liar": SPAMMERS["liar"][0]}
    (found,) = Tribes().run(crowd(people, n=600, each=6))
    assert isinstance(found, Passed) and "stand alone" in found.title
