"""The comparison graph: its pieces, and who can have a finite maximum-likelihood rating (Ford's condition)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["pieces", "reach", "strong_components", "strongly_connected"]

Ints = NDArray[np.int64]
LARGE = 5000  # from so many players on SciPy's graph routines are worth their import


def pieces(first: Ints, second: Ints, size: int) -> Ints:
    """Connected pieces of an undirected graph, numbered by their smallest member. [P]"""
    label = np.arange(size)
    while True:
        low = np.minimum(label[first], label[second])
        new = label.copy()
        np.minimum.at(new, first, low)
        np.minimum.at(new, second, low)
        new = new[new]  # pointer jumping: a chain of P players takes log P rounds, not P
        if np.array_equal(new, label):
            return np.unique(label, return_inverse=True)[1].astype(np.int64)
        label = new


def reach(start: NDArray[np.bool_], source: Ints, target: Ints) -> NDArray[np.bool_]:
    """Nodes that can be reached from `start` along edges source → target. [P]"""
    if len(start) > LARGE:
        return _reach_large(start, source, target)
    found = start.copy()
    while True:
        new = found.copy()
        new[target[found[source]]] = True
        if np.array_equal(new, found):
            return found
        found = new


def strongly_connected(source: Ints, target: Ints, piece: Ints) -> bool:
    """Whether every piece is strongly connected: one member of each reaches all of it, forwards and backwards."""
    start = np.zeros(len(piece), dtype=bool)
    start[np.unique(piece, return_index=True)[1]] = True
    return bool(reach(start, source, target).all() and reach(start, target, source).all())


def strong_components(source: Ints, target: Ints, size: int) -> Ints:
    """Strongly connected components of a directed graph (Tarjan, without recursion). [P]

    With an edge i → j for every pair in which i beat j, ratings are finite exactly within a component (Ford, 1957).
    """
    if size > LARGE:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        edges = coo_matrix((np.ones(len(source), dtype=np.int8), (source, target)), shape=(size, size))
        return np.asarray(connected_components(edges, directed=True, connection="strong")[1], dtype=np.int64)
    order = np.argsort(source, kind="stable")
    ends = target[order].tolist()
    start = np.searchsorted(source[order], np.arange(size + 1)).tolist()
    number, low, component = [-1] * size, [0] * size, [-1] * size
    open_, stack = [False] * size, []
    clock = n_components = 0
    for root in range(size):
        if number[root] >= 0:
            continue
        path = [(root, start[root])]
        number[root] = low[root] = clock
        clock += 1
        stack.append(root)
        open_[root] = True
        while path:
            node, edge = path[-1]
            if edge < start[node + 1]:
                path[-1] = (node, edge + 1)
                other = ends[edge]
                if number[other] < 0:
                    number[other] = low[other] = clock
                    clock += 1
                    stack.append(other)
                    open_[other] = True
                    path.append((other, start[other]))
                elif open_[other]:
                    low[node] = min(low[node], number[other])
                continue
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[node])
            if low[node] == number[node]:
                while True:
                    member = stack.pop()
                    open_[member] = False
                    component[member] = n_components
                    if member == node:
                        break
                n_components += 1
    return np.asarray(component, dtype=np.int64)


def _reach_large(start: NDArray[np.bool_], source: Ints, target: Ints) -> NDArray[np.bool_]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order

    size = len(start)
    begin = np.flatnonzero(start)  # one more node leads to all starts
    rows, columns = np.concatenate([source, np.full(len(begin), size)]), np.concatenate([target, begin])
    edges = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size + 1, size + 1)).tocsr()
    found = np.zeros(size + 1, dtype=bool)
    found[breadth_first_order(edges, size, return_predecessors=False)] = True
    return found[:size]
