"""Groups as training examples: ids, and what the judgements say, derived once by what the objective needs.

What an objective asks in `Needs` decides what is derived; what cannot be used is left out and counted.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from zermelo.errors import DataError, warn
from zermelo.feedback.preferences import preferences
from zermelo.feedback.records import Group, Judgement
from zermelo.feedback.suspicions import suspicions
from zermelo.policies.groups import TokenGroup, TokenResponse
from zermelo.policies.tokens import Place, tokenise
from zermelo.training.settings import OfflineSettings

if TYPE_CHECKING:
    from zermelo.objectives.protocol import Needs
    from zermelo.policies.policy import Policy

__all__ = ["Example", "Examples", "Pair", "make_examples"]

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Pair:
    """Response `win` is preferred to response `lose`; indices into the example's responses."""

    win: int
    lose: int
    prob: float = 1.0
    margin: float = 0.0
    weight: float = 1.0
    annotator: int = -1


Sampled: TypeAlias = tuple[tuple[float, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One group, ready to train on.

    Args:
        id: The group's id.
        tokens: Its ids: one token group, or several where its responses have different prompts.
        pairs: Preferred pairs, ties left out.
        scores: A score of each response, NaN = missing.
        labels: 1 good, 0 bad, NaN = missing, of each response.
        weight: Data weight (`meta["weight"]`) of pairs and responses.
        origin: 0 offline, 1 online, 2 calibration.
        sampled: What the sampler said of each response's ids, where it did.
        sampled_by: `policy_version` of each response.
        meta: The group's meta, for suppliers of further data.
    """

    id: str
    tokens: tuple[TokenGroup, ...]
    pairs: tuple[Pair, ...] = ()
    scores: tuple[float, ...] = ()
    labels: tuple[float, ...] = ()
    weight: float = 1.0
    origin: int = 0
    sampled: Sampled = ()
    sampled_by: tuple[str | None, ...] = ()
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def responses(self) -> tuple[TokenResponse, ...]:
        """All responses, in the order that pairs, scores and labels refer to."""
        return tuple(response for group in self.tokens for response in group.responses)

    @property
    def n_tokens(self) -> int:
        """Cost in tokens, prompts counted once."""
        return sum(group.n_tokens for group in self.tokens)


@dataclass(frozen=True)
class Examples:
    """Examples in the order of the groups, and what was left out.

    Args:
        items: The examples.
        counts: Plain numbers, in words: groups, pairs, `suspicious/<kind>`, `overlong/chosen`, …
        annotators: Names behind `Pair.annotator`.
    """

    items: tuple[Example, ...]
    counts: Mapping[str, int]
    annotators: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)


def make_examples(groups: Iterable[Group], policy: Policy, needs: Needs, settings: OfflineSettings) -> Examples:
    """Tokenise groups and derive what the objective needs of them.

    Pairs: stated comparisons; with `settings.derive` also those that ratings and rankings imply; ties are left out.
    Scores: mean rating; where there are none minus the mean rank, the mean label, or the share of comparisons won.
    Labels: mean stated label; where there are none 1 for preferred and 0 for beaten responses (a response that is
    both gets none).

    Args:
        groups: Groups of one data set.
        policy: Its template makes the ids, its context is the limit.
        needs: What the objective reads.
        settings: See `OfflineSettings`: `overlong`, `max_tokens`, `derive`, `criterion`, `keep_suspicious`.
    Raises:
        DataError: nothing is left to train on (`nothing-to-train`); something is too long and `overlong="error"`.
    """
    counts: Counter[str] = Counter()
    kept: list[Group] = []
    for group in groups:
        counts["groups_read"] += 1
        kinds = () if settings.keep_suspicious else suspicions(group)
        if kinds:
            counts["suspicious"] += 1
            counts.update(f"suspicious/{kind}" for kind in kinds)
        else:
            kept.append(_of_criterion(group, settings.criterion))
            counts["responses_read"] += len(group.responses)
    made = tokenise(kept, policy, max_tokens=settings.max_tokens, overlong=settings.overlong)
    places: defaultdict[int, list[tuple[TokenGroup, Place]]] = defaultdict(list)
    for tokens, place in zip(made.tokens.groups, made.index, strict=True):
        places[place.group].append((tokens, place))
    annotators: dict[str, int] = {}
    items: list[Example] = []
    for number, group in enumerate(kept):
        found = _example(group, places.get(number, []), needs, settings, annotators, counts)
        if found is not None:
            items.append(found)
    for name in ("no_prompt", "no_text", "overlong_prompt", "overlong_response"):
        if made.counts.get(name):
            counts[name] = made.counts[name]
    counts["groups"] = len(items)
    counts["responses"] = sum(len(item.responses) for item in items)
    counts["pairs"] = sum(len(item.pairs) for item in items)
    counts["tokens"] = sum(item.n_tokens for item in items)
    counts["unfinished"] = sum(not response.finished for item in items for response in item.responses)
    counts["length/chosen"] = sum(len(item.responses[pair.win].ids) for item in items for pair in item.pairs)
    counts["length/rejected"] = sum(len(item.responses[pair.lose].ids) for item in items for pair in item.pairs)
    _tell(counts, settings)
    if not items:
        raise nothing(counts, needs)
    return Examples(tuple(items), dict(counts), tuple(annotators))


def nothing(counts: Mapping[str, int], needs: Needs) -> DataError:
    """The error for data of which nothing is left."""
    asked = [name for name in ("pairs", "scores", "labels") if getattr(needs, name)]
    reasons = [f"{counts[name]:,} {words}" for name, words in LEFT_OUT.items() if counts.get(name)]
    return DataError(
        "nothing-to-train",
        f"none of {counts.get('groups_read', 0):,} groups can be trained on"
        + (f" ({'; '.join(reasons)})" if reasons else "")
        + (f"; the objective reads {' and '.join(asked)}" if asked else ""),
        hint="`zermelo inspect FILE` says what the data holds; ratings become pairs with `--derive all`",
    )


LEFT_OUT = {
    "suspicious": "suspicious",
    "overlong_prompt": "with a prompt that is too long",
    "overlong_response": "responses too long",
    "no_prompt": "responses without a prompt",
    "no_text": "responses without text",
    "no_pairs": "without a pair that is left",
    "no_signal": "with nothing that the objective reads",
    "no_scores": "without a score",
    "no_labels": "without a label",
    "ties": "pairs tied",
}


def _example(
    group: Group,
    parts: Sequence[tuple[TokenGroup, Place]],
    needs: Needs,
    settings: OfflineSettings,
    annotators: dict[str, int],
    counts: Counter[str],
) -> Example | None:
    at = {old: new for new, old in enumerate(old for _, place in parts for old in place.responses)}
    pairs = _pairs(group, at, settings, annotators, counts) if needs.pairs or needs.labels or needs.scores else ()
    _count_overlong(group, parts, at, settings, counts)
    if not parts:
        return None
    # a group that nothing was compared in may still be imitated; one whose comparisons all fell away may not
    if needs.pairs and not pairs and any(judgement.kind == "comparison" for judgement in group.judgements):
        counts["no_pairs"] += 1
        return None
    order = sorted(at, key=lambda old: at[old])
    scores = _scores(group, pairs, order) if needs.scores else ()
    labels = _labels(group, pairs, order) if needs.labels else ()
    if needs.scores and not any(map(math.isfinite, scores)):
        counts["no_scores"] += 1
        return None
    if needs.labels and not any(map(math.isfinite, labels)):
        counts["no_labels"] += 1
        return None
    stated = group.meta.get("weight")
    weight = float(stated) if isinstance(stated, int | float) and math.isfinite(stated) and stated >= 0 else 1.0
    return Example(
        id=group.id,
        tokens=tuple(tokens for tokens, _ in parts),
        pairs=tuple(replace(pair, weight=weight) for pair in pairs) if weight != 1.0 else pairs,
        scores=scores,
        labels=labels,
        weight=weight,
        origin={"offline": 0, "online": 1, "calibration": 2}[group.origin],
        sampled=tuple(group.responses[old].logprobs for old in order),
        sampled_by=tuple(group.responses[old].policy_version for old in order),
        meta=group.meta,
    )


def _of_criterion(group: Group, criterion: str | None) -> Group:
    if criterion is None:
        return group
    return replace(group, judgements=tuple(j for j in group.judgements if j.criterion == criterion))


def _pairs(
    group: Group,
    at: Mapping[int, int],
    settings: OfflineSettings,
    annotators: dict[str, int],
    counts: Counter[str],
) -> tuple[Pair, ...]:
    pairs = []
    for found in preferences(group, derive=settings.derive):
        if found.tie:
            counts["ties"] += 1
        elif found.win not in at or found.lose not in at:
            counts["pairs_left_out"] += 1
        else:
            by = found.judgement.by
            number = -1 if by is None else annotators.setdefault(by, len(annotators))
            margin = found.judgement.strength
            pairs.append(
                Pair(at[found.win], at[found.lose], found.prob, 0.0 if margin is None else float(margin), 1.0, number)
            )
    return tuple(pairs)


def _count_overlong(
    group: Group,
    parts: Sequence[tuple[TokenGroup, Place]],
    at: Mapping[int, int],
    settings: OfflineSettings,
    counts: Counter[str],
) -> None:
    """Responses that were too long (dropped or cut), by the side that they take in stated comparisons."""
    flat = [response for tokens, _ in parts for response in tokens.responses]
    for old, response in enumerate(group.responses):
        known = response.text is not None or response.messages is not None or response.token_ids is not None
        if old in at:
            gone = not flat[at[old]].finished and response.finish not in ("cut", "error")
        else:
            gone = known and (group.prompt is not None or response.prompt is not None)
        if gone and (old not in at or settings.overlong == "cut"):
            counts[f"overlong/{_side(group, old)}"] += 1


def _side(group: Group, response: int) -> str:
    sides = set()
    for found in preferences(group):
        if not found.tie and response in (found.win, found.lose):
            sides.add("chosen" if response == found.win else "rejected")
    return sides.pop() if len(sides) == 1 else "other"


def _scores(group: Group, pairs: Sequence[Pair], order: Sequence[int]) -> tuple[float, ...]:
    ratings = _means(j for j in group.judgements if j.kind == "rating")
    if ratings:
        return tuple(ratings.get(old, NAN) for old in order)
    ranks: defaultdict[int, list[float]] = defaultdict(list)
    for judgement in group.judgements:
        if judgement.kind == "ranking" and judgement.values is not None:
            for item, rank in zip(judgement.on, judgement.values, strict=True):
                ranks[item].append(-rank)
    if ranks:
        return tuple(sum(ranks[old]) / len(ranks[old]) if old in ranks else NAN for old in order)
    labels = _means(j for j in group.judgements if j.kind == "label" and len(j.on) == 1)
    if labels:
        return tuple(labels.get(old, NAN) for old in order)
    return _won(pairs, len(order))


def _labels(group: Group, pairs: Sequence[Pair], order: Sequence[int]) -> tuple[float, ...]:
    stated = _means(j for j in group.judgements if j.kind == "label" and len(j.on) == 1)
    shares = tuple(stated.get(old, NAN) for old in order) if stated else _won(pairs, len(order))
    return tuple(NAN if math.isnan(share) or share == 0.5 else float(share > 0.5) for share in shares)


def _means(judgements: Iterable[Judgement]) -> dict[int, float]:
    values: defaultdict[int, list[float]] = defaultdict(list)
    for judgement in judgements:
        if judgement.value is not None and math.isfinite(judgement.value):
            values[judgement.on[0]].append(judgement.value)
    return {item: sum(found) / len(found) for item, found in values.items()}


def _won(pairs: Sequence[Pair], n: int) -> tuple[float, ...]:
    won, seen = [0] * n, [0] * n
    for pair in pairs:
        won[pair.win] += 1
        seen[pair.win] += 1
        seen[pair.lose] += 1
    return tuple(w / s if s else NAN for w, s in zip(won, seen, strict=True))


def _tell(counts: Mapping[str, int], settings: OfflineSettings) -> None:
    """One warning per kind of loss; nothing is left out in silence."""
    if counts.get("suspicious"):
        kinds = ", ".join(
            f"{name.removeprefix('suspicious/')} {count:,}"
            for name, count in counts.items()
            if name.startswith("suspicious/")
        )
        warn(
            "suspicious-left-out",
            f"{counts['suspicious']:,} of {counts['groups_read']:,} groups are suspicious and are left out: {kinds}",
        )
    sides = {name.removeprefix("overlong/"): count for name, count in counts.items() if name.startswith("overlong/")}
    if sides:
        total = counts["responses_read"]
        what = "their pairs are left out" if settings.overlong == "drop" else "they are cut and never show their end"
        limit = "the context" if settings.max_tokens is None else f"max_tokens={settings.max_tokens}"
        by_side = ", ".join(f"{count:,} {side}" for side, count in sides.items())
        share = sum(sides.values()) / max(1, total)
        warn(
            "overlong",
            f"{sum(sides.values()):,} of {total:,} responses ({share:.1%}: {by_side}) exceed {limit}; {what}",
        )
