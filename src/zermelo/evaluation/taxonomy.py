"""Where a model is weak: scores summed up over a tree of query types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError
from zermelo.evaluation.present import one_page, plain
from zermelo.report.page import Cell, Page

__all__ = ["Taxonomy", "TaxonomyScores", "Tree", "insert", "prune_layers", "refine"]

Floats = NDArray[np.float64]
Tree: TypeAlias = dict[str, Union["Tree", dict[str, Any]]]
Node: TypeAlias = tuple[str, ...]
ADD, EXIST = "ADD", "EXIST"


def insert(tree: Tree, tag: str, choose: Callable[[Node, Sequence[str]], str]) -> Tree:
    """A new tree with a tag at its place.

    Args:
        tree: Nested names; a leaf is {}.
        tag: The new one.
        choose: Asked at each level with the path so far and the children there; says one of them (go down), `ADD` (a
            new child here) or `EXIST` (the tag says what is there already). Anything else leaves the tree as it was.
            Where there are no children the tag is added without asking.
    """

    def place(here: Tree, path: Node) -> Tree:
        if tag in here:
            return here
        said = choose(path, tuple(here)) if here else ADD
        if said == ADD:
            return {**here, tag: {}}
        return {**here, said: place(here[said], (*path, said))} if said in here else here

    return place(tree, ())


def refine(children: Tree, plan: Mapping[str, Any]) -> Tree:
    """One level tidied up as a plan says; a plan that does not fit leaves it unchanged.

    Args:
        children: The level.
        plan: `keep` [names], `merge` [(new, [names])] (children united, level by level), `split` [(leaf, [new names])],
            `reparent` [(new parent, [names])]. Every name of the level must stand in it exactly once.
    """
    keep, merge = list(plan.get("keep", ())), list(plan.get("merge", ()))
    split, reparent = list(plan.get("split", ())), list(plan.get("reparent", ()))
    named = [*keep, *(n for _, names in (*merge, *reparent) for n in names), *(leaf for leaf, _ in split)]
    new = [*keep, *(name for name, _ in (*merge, *reparent)), *(n for _, names in split for n in names)]
    if sorted(named) != sorted(children) or len(set(new)) != len(new) or any(children[leaf] for leaf, _ in split):
        return children
    found: Tree = {name: children[name] for name in keep}
    for name, parts in merge:
        found[name] = {}
        for part in parts:
            found[name] = _united(found[name], children[part])
    found.update({name: {part: children[part] for part in parts} for name, parts in reparent})
    found.update({name: {} for _, names in split for name in names})
    return found


def _united(one: Tree, other: Tree) -> Tree:
    return {name: _united(one.get(name, {}), other.get(name, {})) for name in dict.fromkeys([*one, *other])}


def prune_layers(tree: Tree, *, max_depth: int = 4, siblings: int = 5) -> Tree:
    """A new tree without idle layers: an only child gives way to its own children, and children deeper than `max_depth`
    levels stay only where there are at least `siblings` of them."""

    def tidy(children: Tree, depth: int) -> Tree:
        while len(children) == 1 and depth > 1:
            children = next(iter(children.values()))
        if depth > max_depth and len(children) < siblings:
            return {}
        return {name: tidy(below, depth + 1) for name, below in children.items()}

    return tidy(tree, 1)


@dataclass(frozen=True)
class TaxonomyScores:
    """Mean score and rank of each model at each node; the root is ().

    Args:
        models: Names. [M]
        nodes: Paths from the root, the root first. [K]
        score: Mean over the node's queries that a model has. [M, K]
        rank: 1 = best; equal scores share the better rank; NaN where there is no score. [M, K]
        n_queries: Queries of each node. [K]
    """

    models: tuple[str, ...]
    nodes: tuple[Node, ...]
    score: Floats
    rank: Floats
    n_queries: NDArray[np.int64]

    def weakness(self, model: str, *, by: float = 5) -> dict[str, list[tuple[Node, float]]]:
        """Nodes where the rank is more than `by` places off the model's own overall rank: `worse`, `better`."""
        rank = self.rank[self._at(model)]
        off = rank - rank[0]
        return {
            "worse": [(self.nodes[k], float(off[k])) for k in np.argsort(-off, kind="stable") if off[k] > by],
            "better": [(self.nodes[k], float(off[k])) for k in np.argsort(off, kind="stable") if off[k] < -by],
        }

    def difference(self, models: Sequence[str] | None = None, *, top: float = 0.2) -> list[tuple[Node, float]]:
        """Nodes on which models differ most: standard deviation of their ranks, from the (1 − top) quantile up."""
        rows = self.rank if models is None else self.rank[[self._at(name) for name in models]]
        if len(rows) < 2:
            raise DataError("bad-shape", "differences need at least two models")
        spread = rows.std(axis=0, ddof=1)
        cut = np.nanquantile(spread, 1 - top)
        return [(self.nodes[k], float(spread[k])) for k in np.argsort(-spread, kind="stable") if spread[k] >= cut]

    def failure_modes(self, model: str, *, children: int = 5, share: float = 0.2) -> dict[str, list[Node]]:
        """Nodes with enough children: `systematic` where the children's ranks vary least, `occasional` where most."""
        rank = self.rank[self._at(model)]
        spread = {}
        for node in self.nodes:
            below = [
                k for k, other in enumerate(self.nodes) if len(other) == len(node) + 1 and other[: len(node)] == node
            ]
            if len(below) >= children:
                spread[node] = float(np.nanstd(rank[below], ddof=1))
        if not spread:
            return {"systematic": [], "occasional": []}
        low, high = np.quantile(list(spread.values()), [share, 1 - share])
        return {
            "systematic": [node for node, value in spread.items() if value <= low],
            "occasional": [node for node, value in spread.items() if value >= high],
        }

    def _at(self, model: str) -> int:
        if model not in self.models:
            raise DataError("unknown-player", f"no model {model!r} among {len(self.models)}")
        return self.models.index(model)

    def table(self) -> list[dict[str, Cell]]:
        """One row a node, one column a model."""
        rows = []
        for k, node in enumerate(self.nodes):
            row: dict[str, Cell] = {"node": " / ".join(node) or "all", "queries": int(self.n_queries[k])}
            rows.append(row | {model: float(self.score[m, k]) for m, model in enumerate(self.models)})
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        rows = [
            {
                "node": list(node),
                "n": int(self.n_queries[k]),
                "score": plain(self.score[:, k]),
                "rank": plain(self.rank[:, k]),
            }
            for k, node in enumerate(self.nodes)
        ]
        return {"models": list(self.models), "nodes": rows}

    def show(self, page: Page) -> Page:
        """The table on a page."""
        return page.table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Scores by type of query")


@dataclass(frozen=True)
class Taxonomy:
    """Scores of models at every node of a tree of query types.

        score(model, node) = mean over the queries whose paths go through the node

    A query with several paths counts once at each node. Ranks are taken among the models at each node.

    Args:
        least: Nodes with fewer queries are left out.
    Source: "From Rankings to Insights: Evaluation Should Shift Focus from Leaderboard to Feedback", 2025,
        arXiv 2505.06698.
    """

    least: int = 1

    def measure(
        self, scores: ArrayLike, *, models: Sequence[str], paths: Sequence[Sequence[Sequence[str]]]
    ) -> TaxonomyScores:
        """Sum up.

        Args:
            scores: NaN = no score. [M, Q]
            models: Names. [M]
            paths: Of each query its paths from the root to a leaf. [Q][…]
        Raises:
            DataError: shapes do not match.
        """
        from scipy.stats import rankdata

        table = np.asarray(scores, dtype=np.float64)
        if table.ndim != 2 or table.shape != (len(models), len(paths)) or not table.size:
            raise DataError("bad-shape", f"scores must be [{len(models)}, {len(paths)}]. Got {table.shape}")
        member: dict[Node, list[int]] = {}
        for query, ways in enumerate(paths):
            for node in {tuple(way[:depth]) for way in ways for depth in range(len(way) + 1)} | {()}:
                member.setdefault(node, []).append(query)
        nodes = tuple(
            sorted((node for node, held in member.items() if len(held) >= self.least), key=lambda n: (len(n), n))
        )
        total = np.full((len(models), len(nodes)), np.nan)
        for k, node in enumerate(nodes):
            part = table[:, member[node]]
            there = ~np.isnan(part)
            with np.errstate(invalid="ignore"):
                total[:, k] = np.where(there, part, 0.0).sum(axis=1) / there.sum(axis=1)
        rank = rankdata(-total, method="min", axis=0, nan_policy="omit").astype(np.float64)
        rank[np.isnan(total)] = np.nan
        return TaxonomyScores(tuple(models), nodes, total, rank, np.array([len(member[node]) for node in nodes]))
