"""Do raters agree, and do grades and choices? Every pair of raters, all of them, and the items they part on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError
from zermelo.evaluation.present import check_settings, one_page, plain
from zermelo.report.page import Cell, Page
from zermelo.stats.agreement import cohen_kappa, krippendorff_alpha
from zermelo.stats.bootstrap import bootstrap_mean, bootstrap_of
from zermelo.stats.estimate import Estimate

__all__ = ["ProtocolAgreement", "RaterAgreement", "RaterAgreementResult", "absolute_vs_relative"]


@dataclass(frozen=True)
class RaterAgreementResult:
    """Agreement of raters on the same items.

    Args:
        raters: Names. [R]
        kappa: (rater, rater) → Cohen's κ on the items both rated.
        percent: (rater, rater) → share of these on which they say the same.
        alpha: Krippendorff's α of all, nominal.
        majority: Label that most raters gave an item; None where there is no single one. [N]
        disputed: Items on which not all say the same: to look at, for they may be errors in the data.
        n: Items.
    """

    raters: tuple[str, ...]
    kappa: dict[tuple[str, str], Estimate]
    percent: dict[tuple[str, str], float]
    alpha: float
    majority: tuple[Any, ...]
    disputed: tuple[int, ...]
    n: int

    def table(self) -> list[dict[str, Cell]]:
        """One row a pair of raters."""
        return [{"rater": a, "other": b, "κ": self.kappa[a, b], "agree": self.percent[a, b]} for a, b in self.kappa]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        rows = [
            {"raters": list(pair), "kappa": plain(k), "percent": plain(self.percent[pair])}
            for pair, k in self.kappa.items()
        ]
        return {"pairs": rows, "alpha": plain(self.alpha), "disputed": list(self.disputed), "n": self.n}

    def show(self, page: Page) -> Page:
        """The table on a page."""
        return page.table(self.table())

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "Agreement of raters")


@dataclass(frozen=True)
class RaterAgreement:
    """κ of every pair of raters, people or judges, α of all of them, and the items they part on.

        κ = (p_o − p_e) / (1 − p_e)

    Args:
        level: Coverage.
        resamples: Of the bootstrap over items (or clusters).
        seed: Of the resamples.
    Source: "Long-Span Question-Answering: Automatic Question Generation and QA-System Ranking via Side-by-Side
        Evaluation", 2024, arXiv 2406.00179.
    """

    level: float = 0.95
    resamples: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def measure(
        self, labels: Sequence[Sequence[Any]], *, raters: Sequence[str], cluster: Sequence[Any] | None = None
    ) -> RaterAgreementResult:
        """Compare.

        Args:
            labels: One row an item, one column a rater; None or NaN = not rated. [N, R]
            raters: Names. [R]
            cluster: Independent unit of each item (its question). [N]
        Raises:
            DataError: fewer than two raters, rows of other lengths, no item.
        """
        rows = [list(row) for row in labels]
        if len(raters) < 2 or not rows or any(len(row) != len(raters) for row in rows):
            raise DataError(
                "bad-shape", f"labels must be [N, R] of R ≥ 2 raters. Got {len(rows)} rows, {len(raters)} raters"
            )
        cells: list[list[str | None]] = [[None if v is None or v != v else _text(v) for v in row] for row in rows]
        values = sorted({v for row in cells for v in row if v is not None})
        code = {v: float(i) for i, v in enumerate(values)}
        table = np.array([[np.nan if v is None else code[v] for v in row] for row in cells])
        kappa, percent = {}, {}
        units = (
            np.arange(len(table)) if cluster is None else np.unique([str(c) for c in cluster], return_inverse=True)[1]
        )
        for i in range(len(raters)):
            for j in range(i + 1, len(raters)):
                both = ~np.isnan(table[:, i] + table[:, j])
                if not both.any():
                    continue
                one, two, pair = table[both, i], table[both, j], (raters[i], raters[j])
                percent[pair] = float((one == two).mean())
                boot = bootstrap_of(
                    cohen_kappa,
                    one,
                    two,
                    cluster=units[both],
                    level=self.level,
                    resamples=self.resamples,
                    seed=self.seed,
                )
                kappa[pair] = boot.estimate()
        majority = tuple(_majority(row) for row in cells)
        disputed = tuple(n for n, row in enumerate(cells) if len({v for v in row if v is not None}) > 1)
        return RaterAgreementResult(
            tuple(raters), kappa, percent, krippendorff_alpha(table), majority, disputed, len(table)
        )


def _text(value: Any) -> str:
    """One spelling of a label: 1 and 1.0 are the same."""
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def _majority(row: list[str | None]) -> str | None:
    given: NDArray[Any] = np.array([v for v in row if v is not None])
    if not len(given):
        return None
    values, counts = np.unique(given, return_counts=True)
    top = values[counts == counts.max()]
    return str(top[0]) if len(top) == 1 else None


@dataclass(frozen=True)
class ProtocolAgreement:
    """Grades against choices of the same two answers.

    Args:
        agree: Share of pairs where the higher grade is the choice (equal grades: a tie).
        by_grade: P(a ≻ b) by grades, ties ½.
        by_choice: P(a ≻ b) by choices, ties ½.
        table: Pairs by grades (rows a, tie, b) and choices (columns a, tie, b). [3, 3]
    """

    agree: Estimate
    by_grade: Estimate
    by_choice: Estimate
    table: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        named = {"agree": self.agree, "by_grade": self.by_grade, "by_choice": self.by_choice}
        return {name: plain(value) for name, value in named.items()} | {"table": self.table.tolist()}


def absolute_vs_relative(
    grade_a: ArrayLike, grade_b: ArrayLike, chosen: ArrayLike, *, cluster: ArrayLike | None = None, seed: int = 0
) -> ProtocolAgreement:
    """Do grades and choices of the same pairs say the same?

    Args:
        grade_a: Grade of one answer. [M]
        grade_b: Grade of the other. [M]
        chosen: P(a ≻ b) when the two are compared: 1, 0, ½ for a tie. Rows with NaN anywhere are left out. [M]
        cluster: Independent unit of each pair. [M]
        seed: Of the bootstrap.
    Source: "Long-Span Question-Answering: Automatic Question Generation and QA-System Ranking via Side-by-Side
        Evaluation", 2024, arXiv 2406.00179.
    """
    a, b, c = (np.asarray(column, dtype=np.float64) for column in (grade_a, grade_b, chosen))
    if not a.shape == b.shape == c.shape:
        raise DataError("bad-shape", f"grades and choices differ in number: {a.shape}, {b.shape}, {c.shape}")
    known = ~np.isnan(a + b + c)
    graded, said = np.sign(a - b)[known], np.sign(c - 0.5)[known]
    columns = np.stack([graded == said, 0.5 + graded / 2, 0.5 + said / 2], axis=1).astype(np.float64)
    boot = bootstrap_mean(columns, cluster=None if cluster is None else np.asarray(cluster)[known], seed=seed)
    table = np.zeros((3, 3), dtype=np.int64)
    np.add.at(table, (1 - graded.astype(int), 1 - said.astype(int)), 1)
    return ProtocolAgreement(boot.estimate(0), boot.estimate(1), boot.estimate(2), table)
