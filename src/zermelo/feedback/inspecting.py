"""What is in a stream of groups: counts, lengths, sources, annotators, criteria, agreement. One pass."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from zermelo.feedback.preferences import derived
from zermelo.feedback.reading import ReadReport
from zermelo.feedback.records import Group, Judgement, prompt_key

__all__ = ["Agreement", "Criterion", "Lengths", "Summary", "summarise"]

SCHEMA = "zermelo.inspect/1"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
AGREEMENT_ITEMS = 200_000  # items held to compare annotators; the first ones where there are more
REPEATING_IDS = ("pair_id", "prompt_id", "question_id", "instruction_id", "post_id", "item", "group")
FLIPPED = {"first": "second", "second": "first"}
NAMED = 40  # names listed in the summary of a table with many


@dataclass(frozen=True)
class Lengths:
    """Lengths of a set of texts, in words (split at white space) or characters."""

    mean: float
    min: int
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float
    max: int


@dataclass(frozen=True)
class Criterion:
    """Ratings on one criterion: how many, their mean, and the stated scale (None where none is stated)."""

    n: int
    mean: float
    least: float
    most: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """How often two annotators who judged the same pair say the same.

    Args:
        pairs: Pairs with at least two annotators.
        comparisons: Pairs of annotators on those.
        share: Share of `comparisons` with the same outcome (first, second, tie).
        alpha: Krippendorff's α, nominal: 1 perfect, 0 chance.
    """

    pairs: int
    comparisons: int
    share: float
    alpha: float


@dataclass(frozen=True)
class Summary:
    """What a file holds. Shares are fractions.

    Args:
        format: Name of the format, or `mixed`.
        formats: Format → files.
        groups: Groups.
        prompts: Different prompts (`key`); 0 where no prompt is known.
        responses: Responses.
        judgements: Judgements.
        pairs: Stated comparisons, ties included.
        ties: Comparisons declared a tie or both bad.
        derivable_pairs: Further pairs that ratings and rankings imply, ties left out.
        kinds: Kind of judgement → count.
        rejects: Bad rows set aside.
        bad: Error code → bad rows.
        suspicious: Kind → groups.
        missing: Field → values that the format marks as missing.
        sources: Source → responses, most frequent first.
        annotators: Annotator → judgements.
        criteria: Criterion (`''` for none) → ratings on it.
        lengths: `prompt` and `response` → `words` and `chars`; absent where there are no texts.
        agreement: Between annotators on the same pair; None where no pair has two.
        examples: The first groups.
    """

    format: str
    formats: Mapping[str, int]
    files: tuple[str, ...]
    rows: int
    groups: int
    prompts: int
    responses: int
    judgements: int
    pairs: int
    ties: int
    derivable_pairs: int
    kinds: Mapping[str, int]
    rejects: int
    bad: Mapping[str, int]
    suspicious: Mapping[str, int]
    missing: Mapping[str, int]
    sources: Mapping[str, int]
    annotators: Mapping[str, int]
    criteria: Mapping[str, Criterion]
    lengths: Mapping[str, Mapping[str, Lengths]]
    agreement: Agreement | None
    users: int
    sessions: int
    examples: tuple[Group, ...] = field(repr=False, default=())

    def to_json(self) -> dict[str, Any]:
        """Plain data with `schema` first; without the examples."""
        plain = asdict(
            Summary(**{name: getattr(self, name) for name in self.__dataclass_fields__ if name != "examples"})
        )
        plain.pop("examples")
        return {"schema": SCHEMA, **{name: _plain(value) for name, value in plain.items()}}


def summarise(groups: Iterable[Group], report: ReadReport, *, examples: int = 3) -> Summary:
    """Draw all groups and say what is in them.

    Args:
        groups: Groups, such as `read_groups(…, report=report)` yields.
        report: The report that the reading fills.
        examples: How many of the first groups to keep.
    """
    count = _Counts()
    kept: list[Group] = []
    for group in groups:
        if len(kept) < examples:
            kept.append(group)
        count.add(group)
    names = list(report.formats)
    return Summary(
        format=names[0] if len(names) == 1 else "mixed",
        formats=dict(report.formats),
        files=tuple(report.files),
        rows=report.rows,
        groups=count.groups,
        prompts=len(count.prompts),
        responses=count.responses,
        judgements=sum(count.kinds.values()),
        pairs=count.kinds["comparison"],
        ties=count.ties,
        derivable_pairs=count.derivable,
        kinds=dict(count.kinds.most_common()),
        rejects=report.n_bad,
        bad=dict(report.bad),
        suspicious=dict(report.suspicious),
        missing=dict(report.missing),
        sources=dict(count.sources.most_common()),
        annotators=dict(count.annotators.most_common()),
        criteria={name: _criterion(*found) for name, found in count.criteria.items()},
        lengths={
            name: {unit: _lengths(values) for unit, values in units.items()}
            for name, units in count.lengths.items()
            if len(units["chars"])
        },
        agreement=_agreement(count.votes),
        users=len(count.users),
        sessions=len(count.sessions),
        examples=tuple(kept),
    )


class _Counts:
    """Sums over groups."""

    def __init__(self) -> None:
        self.groups = self.responses = self.ties = self.derivable = 0
        self.prompts: set[str] = set()
        self.users: set[str] = set()
        self.sessions: set[str] = set()
        self.kinds: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.annotators: Counter[str] = Counter()
        self.criteria: dict[str, tuple[array[float], set[tuple[float | None, float | None]]]] = {}
        self.lengths = {name: {"words": array("q"), "chars": array("q")} for name in ("prompt", "response")}
        self.votes: dict[tuple[Any, ...], dict[str, str]] = {}

    def add(self, group: Group) -> None:
        self.groups += 1
        self.responses += len(group.responses)
        key = group.key if group.prompt is not None else ""
        if group.prompt is not None:
            self.prompts.add(key)
            prompt = group.prompt
            self.measure("prompt", prompt if isinstance(prompt, str) else "\n\n".join(m.content for m in prompt))
        if group.user is not None:
            self.users.add(group.user)
        if group.session is not None:
            self.sessions.add(group.session)
        for response in group.responses:
            if response.source is not None:
                self.sources[response.source] += 1
            if response.text is not None or response.messages is not None:
                self.measure("response", response.content)
        for judgement in group.judgements:
            self.judgement(judgement)
            if judgement.kind == "comparison" and judgement.by is not None:
                self.vote(group, key, judgement)
        if any(judgement.kind in ("rating", "ranking") for judgement in group.judgements):
            self.derivable += sum(not pair.tie for pair in derived(group))

    def measure(self, name: str, text: str) -> None:
        self.lengths[name]["words"].append(len(text.split()))
        self.lengths[name]["chars"].append(len(text))

    def judgement(self, judgement: Judgement) -> None:
        self.kinds[judgement.kind] += 1
        if judgement.by is not None:
            self.annotators[judgement.by] += 1
        if judgement.outcome in ("tie", "both_bad"):
            self.ties += 1
        if judgement.kind == "rating" and judgement.value is not None:
            values, scales = self.criteria.setdefault(judgement.criterion or "", (array("d"), set()))
            values.append(judgement.value)
            scales.add((judgement.low, judgement.high))

    def vote(self, group: Group, key: str, judgement: Judgement) -> None:
        """Note who said what about which two answers, whichever stood first."""
        ids = tuple(str(group.meta[name]) for name in REPEATING_IDS if name in group.meta)
        first, second = (_identity(group, index) for index in judgement.on)
        said = judgement.outcome or _likelier(judgement.value)
        item, flipped = (key, ids, first, second), (key, ids, second, first)
        if item not in self.votes and flipped in self.votes:
            item, said = flipped, FLIPPED.get(said, said)
        if item in self.votes or len(self.votes) < AGREEMENT_ITEMS:
            self.votes.setdefault(item, {})[judgement.by or ""] = "tie" if said == "both_bad" else said


def _identity(group: Group, index: int) -> tuple[str, str]:
    response = group.responses[index]
    text = response.content
    return (response.source or "", prompt_key(text) if text else "")


def _likelier(value: float | None) -> str:
    return "tie" if value is None or value == 0.5 else "first" if value > 0.5 else "second"


def _agreement(votes: dict[tuple[Any, ...], dict[str, str]]) -> Agreement | None:
    from zermelo.stats.agreement import krippendorff_alpha, percent_agreement

    several = [list(said.values()) for said in votes.values() if len(said) > 1]
    if not several:
        return None
    codes = {"first": 0.0, "second": 1.0, "tie": 2.0}
    table = np.full((len(several), max(map(len, several))), np.nan)  # [items, annotators], order does not matter
    for place, said in enumerate(several):
        table[place, : len(said)] = [codes[word] for word in said]
    compared = sum(len(said) * (len(said) - 1) // 2 for said in several)
    alpha = krippendorff_alpha(table)
    return Agreement(len(several), compared, percent_agreement(table), alpha)


def _criterion(values: array[float], scales: set[tuple[float | None, float | None]]) -> Criterion:
    found = np.frombuffer(values)
    low, high = next(iter(scales)) if len(scales) == 1 else (None, None)
    return Criterion(len(found), float(found.mean()), float(found.min()), float(found.max()), low, high)


def _lengths(values: array[int]) -> Lengths:
    found = np.frombuffer(values, dtype=np.int64)
    p05, p25, p50, p75, p95 = (float(value) for value in np.quantile(found, QUANTILES))
    return Lengths(float(found.mean()), int(found.min()), p05, p25, p50, p75, p95, int(found.max()))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def first_lines(group: Group) -> Iterator[tuple[str, str]]:
    """A group as (label, text) lines for the terminal: prompt, responses, judgements."""
    if group.prompt is not None:
        turns = group.prompt if isinstance(group.prompt, str) else None
        if turns is not None:
            yield "prompt", turns
        else:
            yield (
                "prompt",
                " ".join(f"[{turn.role}] {turn.content}" for turn in group.prompt if not isinstance(turn, str)),
            )
    for index, response in enumerate(group.responses):
        source = f" · {response.source}" if response.source else ""
        known = response.text is not None or response.messages is not None
        yield f"{index}{source}", response.content if known else "(no text)"
    for judgement in group.judgements[:8]:
        yield judgement.kind, _said(judgement)


def _said(judgement: Judgement) -> str:
    on = " ".join(map(str, judgement.on))
    parts = [f"on {on}" if on else "on the group"]
    if judgement.outcome is not None:
        parts.append(judgement.outcome)
    elif judgement.value is not None:
        parts.append(f"{judgement.value:g}")
    if judgement.values is not None:
        parts.append(" ".join(f"{value:g}" for value in judgement.values))
    parts += [f"{name} {found}" for name, found in (("", judgement.criterion), ("by", judgement.by)) if found]
    if judgement.text:
        parts.append(judgement.text)
    return ", ".join(part.strip() for part in parts)
