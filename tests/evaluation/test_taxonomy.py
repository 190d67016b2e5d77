"""Feedbacker: trees, scores by node, reports, and PC2's pointwise scores; all worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from zermelo.errors import DataError
from zermelo.evaluation.pc2 import PC2, pairwise_accuracy, read_criteria, read_weighted_score
from zermelo.evaluation.taxonomy import Taxonomy, insert, prune_layers, refine


def test_an_only_child_gives_way_to_its_children() -> None:
    assert prune_layers({"A": {"B": {"x": {}, "y": {}}}}) == {"A": {"x": {}, "y": {}}}
    assert prune_layers({"A": {"B": {"C": {"x": {}, "y": {}}}}}) == {"A": {"x": {}, "y": {}}}
    untouched = {"A": {"x": {}, "y": {}}, "B": {}}
    assert prune_layers(untouched) == untouched


def test_deep_children_stay_only_in_company() -> None:
    few, many = {str(i): {} for i in range(4)}, {str(i): {} for i in range(5)}
    tree = {"a": {"few": few, "many": many}, "b": {}}
    assert prune_layers(tree, max_depth=2) == {"a": {"few": {}, "many": many}, "b": {}}
    assert prune_layers(tree, max_depth=3) == tree


def test_a_tag_is_inserted_where_the_answers_lead() -> None:
    tree = {"maths": {"algebra": {}, "geometry": {}}, "code": {}}
    asked = []

    def down(path, children):
        asked.append((path, children))
        return "maths" if not path else "ADD"

    assert insert(tree, "topology", down) == {"maths": {"algebra": {}, "geometry": {}, "topology": {}}, "code": {}}
    assert asked == [((), ("maths", "code")), (("maths",), ("algebra", "geometry"))]
    assert insert(tree, "sums", lambda path, children: "EXIST") == tree
    assert insert(tree, "sums", lambda path, children: "nonsense") == tree
    assert insert(tree, "loops", lambda path, children: "code") == {**tree, "code": {"loops": {}}}
    assert tree == {"maths": {"algebra": {}, "geometry": {}}, "code": {}}


def test_a_level_is_refined_as_the_plan_says_and_left_alone_if_it_does_not_fit() -> None:
    level = {"a": {"x": {"p": {}}}, "b": {"x": {"q": {}}, "y": {}}, "c": {}, "d": {}, "e": {}}
    plan = {"keep": ["d"], "merge": [("ab", ["a", "b"])], "split": [("c", ["c1", "c2"])], "reparent": [("up", ["e"])]}
    assert refine(level, plan) == {
        "d": {},
        "ab": {"x": {"p": {}, "q": {}}, "y": {}},  # equal names below are united, not overwritten
        "up": {"e": {}},
        "c1": {},
        "c2": {},
    }
    for bad in ({"keep": ["a"]}, {"keep": [*level, "z"]}, {"keep": list("abde"), "split": [("c", ["a"])]}):
        assert refine(level, bad) == level
    assert refine(level, {"keep": list("bcde"), "split": [("a", ["a1"])]}) == level  # only leaves are split


def scores_by_hand():
    paths = [[("maths", "algebra")], [("maths", "geometry")], [("code",)], [("maths", "algebra"), ("code",)]]
    return Taxonomy().measure([[4, 2, 1, 3], [1, 2, 5, 5]], models=("one", "two"), paths=paths)


def test_scores_and_ranks_of_every_node_are_those_computed_by_hand() -> None:
    found = scores_by_hand()
    at = {node: k for k, node in enumerate(found.nodes)}
    assert found.score[:, at[()]].tolist() == [2.5, 3.25]
    assert found.score[:, at["maths",]].tolist() == [3.0, pytest.approx(8 / 3)]
    assert found.score[:, at["maths", "algebra"]].tolist() == [3.5, 3.0]
    assert found.score[:, at["code",]].tolist() == [2.0, 5.0]
    assert found.rank[:, at[()]].tolist() == [2, 1]
    assert found.rank[:, at["maths", "geometry"]].tolist() == [1, 1]  # equal scores share the better rank
    assert found.n_queries.tolist() == [4, 2, 3, 2, 1]
    assert found.table()[0] == {"node": "all", "queries": 4, "one": 2.5, "two": 3.25}
    assert "algebra" in found.to_html()


def test_a_node_is_the_mean_of_its_leaves_weighted_by_their_queries() -> None:
    rng = np.random.default_rng(0)
    paths = [[("a", str(rng.integers(3)))] for _ in range(30)]
    found = Taxonomy().measure(rng.random((4, 30)), models=list("wxyz"), paths=paths)
    leaves = [k for k, node in enumerate(found.nodes) if len(node) == 2]
    weighted = found.score[:, leaves] @ found.n_queries[leaves] / found.n_queries[leaves].sum()
    np.testing.assert_allclose(found.score[:, 0], weighted)


def test_weak_nodes_are_those_more_than_five_places_off() -> None:
    overall = np.arange(17, 0, -1.0)  # model 0 is best
    maths = overall.copy()
    maths[8] = overall[13] - 0.5  # rank 9 overall, 14 on maths: five places off, and the threshold is strict
    maths[3] = 0.5  # rank 4 overall, last on maths
    table = np.concatenate([np.tile(overall[:, None], 50), maths[:, None]], axis=1)
    paths = [[("other",)]] * 50 + [[("maths",)]]
    found = Taxonomy().measure(table, models=[str(i) for i in range(17)], paths=paths)
    at = {node: k for k, node in enumerate(found.nodes)}
    assert found.rank[8, at["maths",]] - found.rank[8, 0] in (4.0, 5.0)
    assert found.weakness("8") == {"worse": [], "better": []}
    assert found.weakness("3")["worse"] == [(("maths",), 13.0)]
    assert found.difference(["2", "3"])[0][0] == ("maths",)


def test_failure_modes_look_at_the_spread_below_a_node() -> None:
    paths = [[(top, str(i))] for top in ("even", "uneven") for i in range(5)]
    mine = [1.0] * 5 + [1, 3, 1, 3, 1]
    found = Taxonomy().measure([mine, [2.0] * 10], models=("mine", "other"), paths=paths)
    assert found.failure_modes("mine") == {"systematic": [("even",)], "occasional": [("uneven",)]}
    assert found.failure_modes("mine", children=6) == {"systematic": [], "occasional": []}


def test_pc2_scores_are_weighted_sums() -> None:
    judge = PC2(("right", "clear", "short"), (50, 30, 20))
    np.testing.assert_array_equal(judge.score([[2, 3, 1], [2, 2, 2], [1, 1, 1], [3, 3, 3]]), [210, 200, 100, 300])
    assert np.isnan(judge.score([[2, np.nan, 1]])[0])


def test_criteria_and_scores_are_read_from_texts() -> None:
    judge = read_criteria("Primary:\n1. names the year | 60\n 2) is polite | 40 %\nThat is all.")
    assert judge == PC2(("names the year", "is polite"), (60, 40))
    assert read_weighted_score("Weighted Score: 210\n… so the final Weighted Score = 215.5") == 215.5
    assert np.isnan(read_weighted_score("no verdict"))


def test_pairwise_accuracy_counts_equal_scores_one_half() -> None:
    found = pairwise_accuracy([3, 1, 2, 5, np.nan], [1, 3, 2, 1, 1], [1, 1, 0, 0.5, 1])
    assert found.value == pytest.approx((1 + 0 + 0.5) / 3)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="sum to 100"):
        read_criteria("1. a | 60\n2. b | 30")
    with pytest.raises(DataError, match="no criterion"):
        read_criteria("nothing")
    with pytest.raises(DataError, match="a grade is"):
        PC2(("a",), (100,)).score([[4]])
    with pytest.raises(DataError, match="one a criterion"):
        PC2(("a",), (100,)).score([[1, 2]])
    with pytest.raises(DataError, match="no pair"):
        pairwise_accuracy([1.0], [2.0], [0.5])
    with pytest.raises(DataError, match="scores must be"):
        Taxonomy().measure([[1.0]], models=("a", "b"), paths=[[("x",)]])
    with pytest.raises(DataError, match="no model"):
        scores_by_hand().weakness("three")
