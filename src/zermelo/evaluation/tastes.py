"""Whose taste is whose? What several judges, people or models, prefer in the same pairs, on equal terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError
from zermelo.evaluation.dissection import AttributeEffects, Dissection, preference_similarity
from zermelo.evaluation.present import one_page, plain
from zermelo.feedback.view import View
from zermelo.report.page import Cell, Page

__all__ = ["Tastes", "compare_tastes"]


@dataclass(frozen=True)
class Tastes:
    """What several judges prefer.

    Args:
        effects: Judge → weights of the attributes.
        similarity: Pearson's correlation of the judges' weights. [J, J]
        n_pairs: Pairs that every judge's weights rest on.
    """

    effects: Mapping[str, AttributeEffects]
    similarity: NDArray[np.float64]
    n_pairs: int

    def table(self) -> list[dict[str, Cell]]:
        """One row an attribute, one column a judge: chance of preferring the answer that has more of it."""
        judges = list(self.effects)
        names = self.effects[judges[0]].names
        rows = []
        for d, name in enumerate(names):
            row: dict[str, Cell] = {"attribute": name}
            rows.append(row | {judge: self.effects[judge].preferred[d] for judge in judges})
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "judges": {judge: found.to_json() for judge, found in self.effects.items()},
            "similarity": plain(self.similarity),
            "n_pairs": self.n_pairs,
        }

    def show(self, page: Page) -> Page:
        """Both tables on a page."""
        judges = list(self.effects)
        alike = []
        for i, judge in enumerate(judges):
            row: dict[str, Cell] = {"judge": judge}
            alike.append(row | {other: float(self.similarity[i, j]) for j, other in enumerate(judges)})
        return page.table(self.table()).table(alike)

    def to_html(self) -> str:
        """A page of its own."""
        return one_page(self, "What judges prefer")


def compare_tastes(pairs: View, judges: Sequence[str] = (), *, settings: Dissection | None = None) -> Tastes:
    """Weights of attributes in several annotators' choices, each fitted to as many pairs.

    The prior shrinks weights the more the fewer the pairs, so every judge gets the number that the one with the fewest
    has (or `settings.max_pairs`, where that is smaller), drawn at random.

    Args:
        pairs: `feedback.pairs()` of groups with texts.
        judges: Annotators; default: all in the view, in the order of their names.
        settings: Of the fits.
    Raises:
        DataError: fewer than two judges, or one without a pair.
    Source: "Dissecting Human and LLM Preferences", 2024, arXiv 2402.11296.
    """
    said = pairs.select("by").arrow()["by"].to_pylist()
    wanted = list(judges) or sorted({name for name in said if name is not None})
    counts = {name: said.count(name) for name in wanted}
    if len(wanted) < 2 or not all(counts.values()):
        raise DataError("unknown-annotator", f"need two judges with pairs. Got {counts}")
    how = settings or Dissection()
    how = replace(how, max_pairs=min(how.max_pairs, *counts.values()))
    effects = {name: how.fit(pairs, by=name) for name in wanted}
    alike = preference_similarity({name: [w.value for w in found.weights] for name, found in effects.items()})
    return Tastes(effects, alike["pearson"], min(found.n_pairs for found in effects.values()))
