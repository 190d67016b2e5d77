"""A leaderboard: what `zermelo rank` prints and writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zermelo.errors import SettingError
from zermelo.ranking.result import ELO, Ratings

__all__ = ["Board"]

SCHEMA = "zermelo.board/1"
SUFFIXES = (".json", ".csv", ".md", ".html")


@dataclass(frozen=True)
class Board:
    """A fitted leaderboard with its scale.

    Args:
        ratings: The fit.
        model: Name of the model, as given on the command line.
        level: Of the intervals.
        scale: Points per logit: 173.7178 for Elo points, 1 for logits.
        anchor: Rating of the average player.
    """

    ratings: Ratings
    model: str = "bradley-terry"
    level: float = 0.95
    scale: float = ELO
    anchor: float = 1000.0

    def rows(self) -> list[dict[str, Any]]:
        """Players, best first; figures that do not apply are None."""
        rows = self.ratings.rows(level=self.level, scale=self.scale, anchor=self.anchor)
        return [{**row, "win_rate_length_controlled": None} for row in rows]

    def to_json(self) -> dict[str, Any]:
        """The whole board as plain data."""
        fit = self.ratings.fit
        extra = {name: {"value": value, "error": error} for name, (value, error) in self.ratings.extra.items()}
        return {
            "schema": SCHEMA,
            "model": self.model,
            "players": self.rows(),
            "fit": {
                "method": fit.method,
                "battles": fit.n_battles,
                "iterations": fit.iterations,
                "gradient": fit.gradient_norm,
                "log_likelihood": fit.log_likelihood,
                "errors": fit.errors,
                "level": self.level,
                "scale": self.scale,
                "anchor": self.anchor,
                "parameters": extra,
            },
            "warnings": list(fit.warnings),
        }

    def text(self) -> str:
        """The board as plain text, columns aligned; control codes of names are shown, not sent."""
        rows = [_cells(row) for row in self.rows()]
        return _aligned([HEAD, *rows])

    def markdown(self) -> str:
        """The board as a Markdown table."""
        rows = [HEAD, ["---:"] * len(HEAD), *(_cells(row) for row in self.rows())]
        rows[1][1] = "---"
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"

    def csv(self) -> str:
        """The board as CSV with full digits."""
        import csv
        import io

        rows = self.rows()
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()

    def html(self) -> str:
        """The board as a page in one file: table, intervals, parameters."""
        from zermelo.report.page import Column, Page
        from zermelo.report.plots import interval_plot
        from zermelo.stats.estimate import Estimate

        fit = self.ratings.fit
        page = Page(
            "Leaderboard", f"{fit.n_battles:,} comparisons of {len(self.ratings.players):,} players; {fit.method}."
        )
        page.section("Ratings")
        for line in fit.warnings:
            page.note(line, warning=True)
        rows: list[dict[str, Any]] = []
        for row in self.rows():
            known = row["rating"] is not None and row["ci_low"] is not None
            estimate = Estimate(row["rating"], row["ci_low"], row["ci_high"], self.level) if known else None
            spread = (
                f"{row['rank_low']}–{row['rank_high']}" if row["rank_low"] != row["rank_high"] else str(row["rank_low"])
            )
            rows.append({**row, "rating": estimate, "ranks": spread})
        columns = [
            Column("rank", "rank"),
            Column("name", "player"),
            Column("rating", "rating", digits=0),
            Column("ranks", "rank range"),
            Column("games", "games", digits=0),
            Column("win_rate", "win rate", percent=True),
        ]
        page.table(rows, columns)
        shown = [(row["name"], row["rating"]) for row in rows if row["rating"] is not None][:60]
        page.plot(interval_plot(shown, title="Ratings with intervals", x_label="rating", reference=self.anchor))
        if self.ratings.extra:
            page.section("Parameters")
            told: list[dict[str, Any]] = [
                {"parameter": n, "value": v, "standard error": e} for n, (v, e) in self.ratings.extra.items()
            ]
            page.table(told)
        page.section("How it was fitted")
        page.table([{"figure": name, "value": str(value)} for name, value in self.to_json()["fit"].items()])
        return page.html()

    def write(self, path: str | Path) -> Path:
        """Write beside and rename; the suffix chooses the form.

        Raises:
            SettingError: another suffix than .json, .csv, .md, .html.
        """
        from zermelo.report.svg import write_text

        target = Path(path)
        forms = {".json": lambda: json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n", ".csv": self.csv}
        forms |= {".md": self.markdown, ".html": self.html}
        if target.suffix not in forms:
            known = ", ".join(SUFFIXES)
            raise SettingError("unknown-suffix", f"{path}: a board is written as {known}. Got {target.suffix!r}")
        return write_text(target, forms[target.suffix]())


HEAD = ["rank", "player", "rating", "95 % interval", "ranks", "games", "win rate"]


def _cells(row: dict[str, Any]) -> list[str]:
    from zermelo.feedback.visible import visible

    rating = "–" if row["rating"] is None else f"{row['rating']:.0f}"
    known = row["ci_low"] is not None and row["ci_high"] is not None
    interval = f"{row['ci_low']:.0f} … {row['ci_high']:.0f}" if known else "no finite rating"
    ranks = str(row["rank_low"]) if row["rank_low"] == row["rank_high"] else f"{row['rank_low']}–{row['rank_high']}"
    return [
        str(row["rank"]),
        visible(row["name"], lines=False),
        rating,
        interval,
        ranks,
        f"{row['games']:,.0f}",
        f"{row['win_rate']:.1%}",
    ]


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
