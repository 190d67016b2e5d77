"""A leaderboard: what `zermelo rank` prints and writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zermelo.errors import SettingError
from zermelo.ranking.result import ELO, Ratings

if TYPE_CHECKING:
    from zermelo.ranking.counts import Counts
    from zermelo.report.page import Page
    from zermelo.report.svg import Svg

__all__ = ["SUFFIXES", "Board"]

SCHEMA = "zermelo.board/1"
SUFFIXES = (".json", ".csv", ".md", ".html", ".parquet")
SHOWN = 60  # players in the plot of a page
PICTURED = 500  # players up to which ranks are drawn and predictions checked
FEW = 50  # battles below which a picture of calibration would be noise


@dataclass(frozen=True)
class Board:
    """A fitted leaderboard with its scale.

    Args:
        ratings: The fit.
        model: Name of the model, as given on the command line.
        level: Of the intervals.
        scale: Points per logit: 173.7178 for Elo points, 1 for logits.
        anchor: Rating of the average player.
        categories: Name → ratings in that category.
        controlled: Player → length-controlled win rate.
        notes: Further warnings, shown with those of the fit.
        counts: What was fitted, for the pictures of a page.
    """

    ratings: Ratings
    model: str = "bradley-terry"
    level: float = 0.95
    scale: float = ELO
    anchor: float = 1000.0
    categories: Mapping[str, Ratings] = field(default_factory=dict)
    controlled: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    counts: Counts | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Players, best first; figures that do not apply are None."""
        rows = self.ratings.rows(level=self.level, scale=self.scale, anchor=self.anchor)
        return [{**row, "win_rate_length_controlled": self.controlled.get(row["name"])} for row in rows]

    @property
    def warnings(self) -> list[str]:
        """Of the fit and further ones."""
        return [*self.ratings.fit.warnings, *self.notes]

    def to_json(self) -> dict[str, Any]:
        """The whole board as plain data."""
        fit = self.ratings.fit
        extra = {name: {"value": value, "error": error} for name, (value, error) in self.ratings.extra.items()}
        board = {
            "schema": SCHEMA,
            "model": self.model,
            "players": self.rows(),
            "fit": {
                "method": fit.method,
                "battles": fit.n_battles,
                "iterations": fit.iterations,
                "gradient": _plain(fit.gradient_norm),
                "log_likelihood": _plain(fit.log_likelihood),
                "errors": fit.errors,
                "level": self.level,
                "scale": self.scale,
                "anchor": self.anchor,
                "parameters": extra,
            },
            "warnings": self.warnings,
        }
        if self.categories:
            board["categories"] = {
                name: {"battles": ratings.fit.n_battles, "players": self._of(ratings).rows()}
                for name, ratings in self.categories.items()
            }
        return board

    def text(self) -> str:
        """The board as plain text, columns aligned; control codes of names are shown, not sent."""
        return "\n".join(self._sections(_aligned, lambda name, n: f"\n{name}: {n:,} battles"))

    def markdown(self) -> str:
        """The board as Markdown tables."""
        return "\n".join(self._sections(_pipes, lambda name, n: f"\n## {_plain_text(name)} ({n:,} battles)\n")) + "\n"

    def csv(self) -> str:
        """The board as CSV with full digits; with categories one more column says which."""
        import csv
        import io

        rows = self._all_rows()
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()

    def plot(self) -> Svg:
        """Ratings with intervals, best first."""
        from zermelo.report.plots import interval_plot
        from zermelo.stats.estimate import Estimate

        shown = [
            (row["name"], Estimate(row["rating"], row["ci_low"], row["ci_high"], self.level))
            for row in self.rows()
            if row["rating"] is not None and row["ci_low"] is not None
        ]
        title = "Ratings with intervals" + (f", the first {SHOWN}" if len(shown) > SHOWN else "")
        return interval_plot(shown[:SHOWN], title=title, x_label="rating", reference=self.anchor)

    def html(self) -> str:
        """The board as a page in one file: table, intervals, categories, parameters."""
        from zermelo.report.page import Page

        fit = self.ratings.fit
        page = Page(
            "Leaderboard", f"{fit.n_battles:,} comparisons of {len(self.ratings.players):,} players; {fit.method}."
        )
        page.section("Ratings")
        for line in self.warnings:
            page.note(line, warning=True)
        _table(page, self)
        if any(row["ci_low"] is not None for row in self.rows()):
            page.plot(self.plot())
        self._pictures(page)
        for name, ratings in self.categories.items():
            page.section(name, f"{ratings.fit.n_battles:,} battles; ratings partially pooled over categories.")
            _table(page, self._of(ratings))
        if self.ratings.extra:
            page.section("Parameters")
            told: list[dict[str, Any]] = [
                {"parameter": n, "value": v, "standard error": e} for n, (v, e) in self.ratings.extra.items()
            ]
            page.table(told)
        page.section("How it was fitted")
        told = [{"figure": name, "value": str(value)} for name, value in self.to_json()["fit"].items()]
        page.table([row for row in told if row["figure"] != "parameters"])
        return page.html()

    def _pictures(self, page: Page) -> None:
        """Who beats whom, how firm the ranks are, whether held-out predictions come true."""
        from zermelo.ranking import pictures

        finite = np.isfinite(self.ratings.standard_error()) & np.isfinite(self.ratings.rating)
        if self.ratings.covariance.ndim == 2 and 2 <= finite.sum() <= PICTURED:
            page.section("How firm the ranks are", "Ratings drawn anew from their joint uncertainty.")
            page.plot(self.ratings.plot(kind="ranks"))
        if self.counts is None or len(self.counts.players) > PICTURED:
            return
        page.section("Who beats whom", "Results themselves, whatever the model says; empty: never met.")
        place = {name: i for i, name in enumerate(self.counts.players)}
        order = [place[row["name"]] for row in self.rows() if row["name"] in place]
        page.plot(pictures.win_matrix(self.counts, order=order))
        if not self.counts.soft and np.allclose(self.counts.n, self.counts.n2) and self.counts.n.sum() >= FEW:
            from zermelo.ranking.goodness import held_out_counts

            found = held_out_counts(self.counts)
            text = (
                f"Battles that the ratings have not seen, five folds, Bradley–Terry: {found.log_likelihood:.4f} nat a "
                f"battle (a coin: {found.baseline:.4f}), Brier score {found.brier:.4f}."
            )
            page.section("Do predictions come true?", text).plot(found.plot())

    def write(self, path: str | Path) -> Path:
        """Write beside and rename; the suffix chooses the form.

        Raises:
            SettingError: another suffix than .json, .csv, .md, .html, .parquet.
        """
        target = Path(path)
        if target.suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            beside = target.with_name(f".{target.name}.part")
            pq.write_table(pa.Table.from_pylist(self._all_rows()), beside)
            return beside.replace(target)
        forms = {".json": lambda: json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n", ".csv": self.csv}
        forms |= {".md": self.markdown, ".html": self.html}
        if target.suffix not in forms:
            known = ", ".join(SUFFIXES)
            raise SettingError("unknown-suffix", f"{path}: a board is written as {known}. Got {target.suffix!r}")
        from zermelo.report.svg import write_text

        return write_text(target, forms[target.suffix]())

    def _of(self, ratings: Ratings) -> Board:
        return replace(self, ratings=ratings, categories={}, controlled={}, notes=(), counts=None)

    def _all_rows(self) -> list[dict[str, Any]]:
        if not self.categories:
            return self.rows()
        rows = [{"category": None, **row} for row in self.rows()]
        for name, ratings in self.categories.items():
            rows += [{"category": name, **row} for row in self._of(ratings).rows()]
        return rows

    def _sections(self, form: Any, title: Any) -> list[str]:
        head = _head(self.level, bool(self.controlled))
        found = [form([head, *(_cells(row, self.scale, bool(self.controlled)) for row in self.rows())])]
        for name, ratings in self.categories.items():
            found.append(title(_visible(name), ratings.fit.n_battles))
            rows = self._of(ratings).rows()
            found.append(form([_head(self.level, False), *(_cells(row, self.scale, False) for row in rows)]))
        return found


def _table(page: Any, board: Board) -> None:
    from zermelo.report.page import Column
    from zermelo.stats.estimate import Estimate

    rows: list[dict[str, Any]] = []
    for row in board.rows():
        known = row["rating"] is not None and row["ci_low"] is not None
        estimate = Estimate(row["rating"], row["ci_low"], row["ci_high"], board.level) if known else row["rating"]
        rows.append({**row, "rating": estimate, "ranks": _ranks(row)})
    digits = 0 if board.scale > 10 else 2
    columns = [
        Column("rank", "rank"),
        Column("name", "player"),
        Column("rating", "rating", digits=digits),
        Column("ranks", "rank range"),
        Column("games", "games", digits=0),
        Column("win_rate", "win rate", percent=True),
    ]
    if board.controlled:
        columns.append(Column("win_rate_length_controlled", "length-controlled", percent=True))
    page.table(rows, columns)


def _head(level: float, controlled: bool) -> list[str]:
    head = ["rank", "player", "rating", f"{100 * level:g} % interval", "ranks", "games", "win rate"]
    return [*head, "length-controlled"] if controlled else head


def _cells(row: dict[str, Any], scale: float, controlled: bool) -> list[str]:
    digits = 0 if scale > 10 else 2
    rating = "–" if row["rating"] is None else f"{row['rating']:.{digits}f}"
    known = row["ci_low"] is not None and row["ci_high"] is not None
    if known:
        interval = f"{row['ci_low']:.{digits}f} … {row['ci_high']:.{digits}f}"
    else:
        interval = "no finite rating" if row["rating"] is None else "–"
    games = "–" if row["games"] is None else f"{row['games']:,.0f}"
    win_rate = "–" if row["win_rate"] is None else f"{row['win_rate']:.1%}"
    cells = [str(row["rank"]), _visible(row["name"]), rating, interval, _ranks(row), games, win_rate]
    if controlled:
        found = row["win_rate_length_controlled"]
        cells.append("–" if found is None else f"{found:.1%}")
    return cells


def _ranks(row: dict[str, Any]) -> str:
    return str(row["rank_low"]) if row["rank_low"] == row["rank_high"] else f"{row['rank_low']}–{row['rank_high']}"


def _visible(text: str) -> str:
    from zermelo.feedback.visible import visible

    return visible(text, lines=False)


def _plain(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None


def _plain_text(text: str) -> str:
    """Text that Markdown shows as it is: a player's name is no link, no HTML and no emphasis."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", text)


def _pipes(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    rule = ["---" if column == 1 else "---:" for column in range(len(head))]
    lines = [[_plain_text(cell) for cell in row] for row in rest]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *lines])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
