"""Stanford Human Preferences: two comments on a post, with their votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from zermelo.feedback.formats.ultrafeedback import instruction_text
from zermelo.feedback.formats.winners import outcome_judgement
from zermelo.feedback.losses import count_lost, other_columns
from zermelo.feedback.protocol import Row, Sample
from zermelo.feedback.records import Group, Judgement, Response

__all__ = ["SHP"]

VOTES = "upvotes"


@dataclass(frozen=True)
class SHP:
    """`history`, `human_ref_A`, `human_ref_B`, `labels` (1: A preferred, 0: B), `score_A`, `score_B` (votes).

    Votes are ratings on the criterion `upvotes`, without a scale. `post_id` repeats by nature and stays in `meta`.
    """

    name: ClassVar[str] = "shp"
    title: ClassVar[str] = "SHP"
    shape: ClassVar[str] = "an SHP row has history, human_ref_A, human_ref_B and labels"
    per_response: ClassVar[bool] = False

    def matches(self, sample: Sample) -> float:
        return 0.95 if sample.has("history", "human_ref_A", "human_ref_B", "labels") else 0.0

    def read(self, row: Row) -> Group:
        responses, ratings, used = [], [], ["history", "labels"]
        for index, side in enumerate("AB"):
            named = {"id": f"c_root_id_{side}", "created_at_utc": f"created_at_utc_{side}"}
            meta = {name: row.fields[column] for name, column in named.items() if row.has(column)}
            responses.append(Response(text=row.text(f"human_ref_{side}"), meta=meta))
            used += [f"human_ref_{side}", f"score_{side}", *named.values()]
            if f"score_{side}" in row.fields:
                votes = row.rating(f"score_{side}", row.fields[f"score_{side}"])
                if votes is not None:
                    ratings.append(Judgement("rating", on=(index,), value=votes, criterion=VOTES))
        choice = outcome_judgement("first" if row.flag("labels") else "second")
        return Group(row.place, row.text("history"), tuple(responses), (choice, *ratings), meta=row.rest(*used))

    def write(self, group: Group, lost: Counter[str]) -> Iterator[dict[str, Any]]:
        used: set[int] = set()
        for item in group.judgements:
            if item.kind != "comparison":
                continue
            if item.value is None or item.value == 0.5:
                lost["ties"] += 1
                continue
            fields: dict[str, Any] = {"history": instruction_text(group.prompt, lost)}
            for side, index in zip("AB", item.on, strict=True):
                response = group.responses[index]
                fields[f"human_ref_{side}"] = response.content
                votes = [r.value for r in group.judgements if r.on == (index,) and r.criterion == VOTES]
                fields |= {f"score_{side}": int(votes[0] or 0)} if votes else {}
                fields |= {f"c_root_id_{side}": response.meta["id"]} if "id" in response.meta else {}
                if "created_at_utc" in response.meta:
                    fields[f"created_at_utc_{side}"] = response.meta["created_at_utc"]
            used |= set(item.on)
            yield {**other_columns(group, *fields), **fields, "labels": int(item.value > 0.5)}
        count_lost(group, lost, kinds=("comparison", "rating"), written=used, identity=False)
