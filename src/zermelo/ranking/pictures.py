"""Pictures of a board: who beats whom, how firm the ranks are, whether predictions come true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zermelo.ranking.counts import Counts

if TYPE_CHECKING:
    from zermelo.ranking.result import Ratings
    from zermelo.report.svg import Svg

__all__ = ["rank_draws", "rank_shares", "rank_stability", "win_matrix"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SHOWN = 30  # players of a table in a picture
CELL = 20.0


def win_matrix(counts: Counts, *, order: Sequence[int] | None = None, title: str = "Who beats whom") -> Svg:
    """Win rates of pairs, rows against columns, ties half; pairs that never met stay empty.

    Args:
        counts: Comparisons.
        order: Players, best first; default: by their share of points. The first 30 are shown.
        title: Accessible name.
    """
    from zermelo.ranking.tables import win_rates
    from zermelo.report.numbers import percent

    rank = np.argsort(-np.nan_to_num(counts.win_rate(), nan=-1), kind="stable") if order is None else np.asarray(order)
    some = counts.subset(rank[:SHOWN].tolist())
    wins, ties = some.matrices()
    rates = win_rates(wins, ties)
    games = wins + wins.T + ties
    classes = np.where(rates >= 0.5, "c1", "c2")
    strength = np.where(np.isnan(rates), 0.0, np.abs(np.nan_to_num(rates, nan=0.5) - 0.5) * 1.7 + 0.06)
    told = "; ".join(
        f"{some.players[i]} against {some.players[j]} {percent(float(rates[i, j]))} of {games[i, j]:.0f}"
        for i, j in zip(*np.triu_indices(len(some.players), 1), strict=True)
        if games[i, j] > 0
    )
    labels = [[f"{100 * v:.0f}" if v == v else "" for v in row] for row in rates]
    columns = [str(k + 1) for k in range(len(some.players))]
    names = [f"{k + 1} {name}" for k, name in enumerate(some.players)]
    foot = f"percent won by the row against the column{_cut(len(rank))}"
    return _heat(names, columns, classes, strength, labels, title, foot, f"Win rates. {told}.")


def rank_draws(fitted: Ratings, *, n: int = 2000, seed: int = 0) -> tuple[tuple[str, ...], Floats]:
    """Ratings drawn from their normal approximation, of the largest piece: names [P] and draws [n, P].

    Args:
        fitted: Ratings with a whole covariance.
        n: Draws.
        seed: Of the draws.
    """
    inside = np.isfinite(fitted.rating)
    if inside.any():
        inside &= fitted.piece == np.bincount(fitted.piece[inside]).argmax()
    keep = np.flatnonzero(inside & np.isfinite(fitted.standard_error()))
    value, vector = np.linalg.eigh(fitted.covariance[np.ix_(keep, keep)])
    noise = np.random.default_rng(seed).standard_normal((n, len(keep)))
    draws = fitted.rating[keep] + (noise * np.sqrt(np.maximum(value, 0))) @ vector.T
    return tuple(fitted.players[i] for i in keep.tolist()), draws


def rank_shares(draws: Floats) -> Floats:
    """How often each player takes each rank: shares[p, r] of rank r + 1. [R, P] → [P, P]"""
    size = draws.shape[1]
    place = np.argsort(np.argsort(-draws, axis=1, kind="stable"), axis=1)
    flat = np.bincount((np.arange(size) * size + place).ravel(), minlength=size * size)
    return np.asarray(flat.reshape(size, size) / len(draws))


def rank_stability(players: Sequence[str], draws: Floats, *, title: str = "How firm the ranks are") -> Svg:
    """Share of replicates in which a player takes a rank: a firm board is a diagonal, an open one a cloud.

    Args:
        players: Names. [P]
        draws: Ratings of replicates: `Bootstrap.ratings`, or `rank_draws`. [R, P]
        title: Accessible name.
    """
    from zermelo.report.numbers import percent

    shares = rank_shares(draws)
    order = np.argsort(shares @ np.arange(shares.shape[1]), kind="stable")[:SHOWN]
    table = shares[order][:, :SHOWN]
    names = [players[i] for i in order.tolist()]
    told = "; ".join(
        f"{name} rank {int(row.argmax()) + 1} in {percent(float(row.max()))}"
        for name, row in zip(names, shares[order], strict=True)
    )
    labels = [[f"{100 * v:.0f}" if v >= 0.095 else "" for v in row] for row in table]
    strength = np.where(table > 0, 0.08 + 0.87 * table, 0.0)
    columns = [str(k + 1) for k in range(table.shape[1])]
    foot = f"percent of {len(draws):,} replicates at each rank{_cut(len(players))}"
    return _heat(names, columns, np.full(table.shape, "c1"), strength, labels, title, foot, f"Ranks. {told}.")


def _cut(size: int) -> str:
    return f"; the first {SHOWN} of {size:,}" if size > SHOWN else ""


def _heat(
    rows: Sequence[str],
    columns: Sequence[str],
    classes: NDArray[np.str_],
    strength: Floats,
    labels: Sequence[Sequence[str]],
    title: str,
    foot: str,
    description: str,
) -> Svg:
    """Cells whose colour says the sign and whose depth the size."""
    from zermelo.report.svg import CHARACTER, Canvas, shorten_label

    names = [shorten_label(name, 28) for name in rows]
    left = min(16 + CHARACTER * max((len(name) for name in names), default=0), 200)
    wide = max(CELL, 24.0)
    width = left + max(wide * max(len(columns), 1), CHARACTER * len(foot)) + 14
    canvas = Canvas(width=width, height=24 + CELL * max(len(rows), 1) + 26, left=left, top=24)
    for c, name in enumerate(columns):
        canvas.mark("text", "tick mid", name, x=left + wide * (c + 0.5), y=canvas.top - 6)
    for r, name in enumerate(names):
        y = canvas.top + CELL * r
        canvas.mark("text", "tick end", name, x=left - 8, y=y + CELL / 2 + 4)
        for c in range(len(columns)):
            if strength[r, c] > 0:
                canvas.mark(
                    "rect", f"bar {classes[r, c]}", x=left + wide * c + 0.5, y=y + 0.5, width=wide - 1,
                    height=CELL - 1, fill_opacity=float(min(strength[r, c], 0.95)),
                )  # fmt: skip
            if labels[r][c]:
                canvas.mark("text", "value mid", labels[r][c], x=left + wide * (c + 0.5), y=y + CELL / 2 + 4)
    canvas.mark("text", "tick", foot, x=left, y=canvas.height - 8)
    return canvas.finish(title, description)
