"""What a conversion leaves behind, counted in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from zermelo.feedback.protocol import explicit_id
from zermelo.feedback.records import Group

__all__ = ["count_lost", "other_columns"]

PLURALS = {"steps": "step labels", "critique": "critiques"}


def count_lost(
    group: Group,
    lost: Counter[str],
    *,
    kinds: Collection[str],
    written: Collection[int] | None = None,
    sources: bool = False,
    annotators: bool = False,
    identity: bool = True,
    turns: bool = False,
) -> None:
    """Count what a writer has no place for.

    Args:
        group: The group being written.
        lost: Counts, by what was lost.
        kinds: Judgement kinds that the writer keeps.
        written: Indices of the responses it wrote; None for all.
        sources: It keeps who wrote a response.
        annotators: It keeps who judged.
        identity: It keeps the group's id.
        turns: It keeps the turns of an answer that has several.
    """
    for judgement in group.judgements:
        if judgement.kind not in kinds:
            lost[PLURALS.get(judgement.kind, judgement.kind + "s")] += 1
        elif not annotators and judgement.by is not None:
            lost["annotators of judgements"] += 1
    for index, response in enumerate(group.responses):
        if written is not None and index not in written:
            lost["responses in no judgement kept"] += 1
            continue
        if not sources and response.source is not None:
            lost["sources of responses"] += 1
        if not turns and response.messages is not None and len(response.messages) > 1:
            lost["answers of several turns (joined into one text)"] += 1
        if response.prompt is not None:
            lost["prompts of single responses"] += 1
        if response.token_ids is not None or response.logprobs is not None:
            lost["sampled token ids and log-probabilities"] += 1
    if not identity and explicit_id(group) is not None:
        lost["ids"] += 1
    if group.user is not None or group.session is not None:
        lost["users and sessions"] += 1


def other_columns(group: Group, *taken: str) -> dict[str, object]:
    """The group's meta as columns, without those the writer fills and without reading marks."""
    return {name: value for name, value in group.meta.items() if name not in taken and name != "suspicious"}
