"""Alarms: what looks wrong in a run, with its figure, what it means, where that is known from, and a remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

__all__ = ["Alarm", "alarms_of"]


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    Args:
        name: Stable name.
        figure: The figures that raised it, in words.
        value: The main figure.
        meaning: What it says about the run.
        source: Where the effect is described.
        remedy: What to try.
    """

    name: str
    figure: str
    value: float
    meaning: str
    source: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def line(self) -> str:
        """One line for the terminal."""
        return f"{self.name}: {self.figure}. {self.meaning} Try: {self.remedy}"


def alarms_of(history: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> tuple[Alarm, ...]:
    """The alarms of a run.

    Args:
        history: Rows of the journal.
        counts: Of `make_examples`.
    """
    found = [
        displacement(history),
        memorised(history),
        growing(history),
        longer(counts),
        truncated(counts),
        no_signal(counts),
        idle_terms(counts),
    ]
    return tuple(alarm for alarm in found if alarm is not None)


def displacement(history: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """The preferred responses became less likely while the loss fell: by 1 nat and by 2 % or more."""
    start, end = ends(history, "logps/chosen")
    loss_start, loss_end = ends(history, "loss")
    if start is None or end is None or loss_start is None or loss_end is None:
        return None
    fall = start - end
    if fall < 1.0 or fall < 0.02 * abs(start) or loss_end >= loss_start:
        return None
    rejected_start, rejected_end = ends(history, "logps/rejected")
    both = ""
    if rejected_start is not None and rejected_end is not None:
        both = f", that of the others from {rejected_start:.1f} to {rejected_end:.1f}"
    return Alarm(
        "likelihood-displacement",
        f"log-probability of preferred responses fell from {start:.1f} to {end:.1f} nat{both}, while the loss fell "
        f"from {loss_start:.3f} to {loss_end:.3f}",
        fall,
        "The margin grows because both sides are unlearnt; probability goes to responses nobody has seen.",
        '"Unintentional Unalignment: Likelihood Displacement in DPO", 2024, arXiv 2410.08847',
        "add a likelihood term ([{dpo: {}}, {sft: {}, weight: 1}]), a smaller lr, or dpop",
    )


def memorised(history: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """Accuracy far higher in training than in validation: by 0.2 or more."""
    _, train = ends(history, "rewards/accuracies")
    _, held = ends(history, "eval/rewards/accuracies")
    if train is None or held is None or train - held < 0.2:
        return None
    return Alarm(
        "memorised",
        f"accuracy {train:.2f} in training, {held:.2f} on held-out groups",
        train - held,
        "The pairs are learnt by heart.",
        '"Scaling Laws for Reward Model Overoptimization in Direct Alignment Algorithms", 2024, arXiv 2406.02900',
        "fewer epochs, `patience` with `keep_best`, a smaller lr, more data",
    )


def growing(history: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """Samples of the policy grew longer by a quarter or more."""
    lengths = [float(row["samples/length"]) for row in history if "samples/length" in row]
    if len(lengths) < 2 or lengths[-1] < 1.25 * lengths[0]:
        return None
    return Alarm(
        "growing-samples",
        f"samples had {lengths[0]:.0f} tokens before training and have {lengths[-1]:.0f} now",
        lengths[-1] / max(1.0, lengths[0]),
        "The policy learns to write more, which judges and reward models often like for its own sake.",
        '"A Long Way to Go: Investigating Length Correlations in RLHF", 2023, arXiv 2310.03716',
        "a length-normalised objective (simpo, ln_dpo), data balanced by length; compare win rates with length control",
    )


def longer(counts: Mapping[str, int]) -> Alarm | None:
    """Preferred responses longer than the others by a fifth or more: length is the easiest thing to learn."""
    chosen, rejected = counts.get("length/chosen", 0), counts.get("length/rejected", 0)
    pairs = counts.get("pairs", 0)
    if not pairs or not rejected or chosen < 1.2 * rejected:
        return None
    return Alarm(
        "length",
        f"preferred responses have {chosen / pairs:.0f} tokens on average, the others {rejected / pairs:.0f}",
        chosen / rejected,
        "Length alone tells many pairs apart; the policy may learn to write more.",
        '"Disentangling Length from Quality in Direct Preference Optimization", 2024, arXiv 2403.19159',
        "simpo or ln_dpo (length-normalised), or balance the data by length; compare win rates with length control",
    )


def truncated(counts: Mapping[str, int]) -> Alarm | None:
    """Responses that never show their end token: 5 % or more."""
    responses, unfinished = counts.get("responses", 0), counts.get("unfinished", 0)
    if not responses or unfinished < 0.05 * responses:
        return None
    return Alarm(
        "truncated",
        f"{unfinished:,} of {responses:,} responses ({unfinished / responses:.1%}) are cut",
        unfinished / responses,
        "A policy that sees few endings learns not to end.",
        '"DAPO: An Open-Source LLM Reinforcement Learning System at Scale", 2025, arXiv 2503.14476 (overlong samples)',
        "a larger max_tokens, or overlong: drop",
    )


def no_signal(counts: Mapping[str, int]) -> Alarm | None:
    """Groups from which the objective learns nothing: 10 % or more of those read."""
    read = counts.get("groups_read", 0)
    idle = sum(counts.get(name, 0) for name in ("no_signal", "no_pairs", "no_scores", "no_labels"))
    if not read or idle < 0.1 * read:
        return None
    return Alarm(
        "no-signal",
        f"{idle:,} of {read:,} groups ({idle / read:.1%}) have nothing that the objective reads",
        idle / read,
        "The run is smaller than the data suggests.",
        "counted while the examples were made",
        "derive pairs from ratings (derive: all), or an objective that reads what the data has",
    )


def idle_terms(counts: Mapping[str, int]) -> Alarm | None:
    """A term of the objective has no item in the whole data: the run is one of the other terms alone."""
    idle = [name.removeprefix("idle/") for name, count in counts.items() if name.startswith("idle/") and count]
    if not idle:
        return None
    return Alarm(
        "idle-term",
        f"no response or pair of the data belongs to the term {' or '.join(idle)}",
        len(idle),
        "That part of the objective does nothing, whatever its weight.",
        "counted while the examples were made",
        "online=Online(n=2) (--online 2, fresh: {n: 2}) for terms on fresh samples; the marks or origins it reads, in "
        "the data; or leave the term out",
    )


def ends(history: Sequence[Mapping[str, Any]], name: str) -> tuple[float | None, float | None]:
    """Means of the first and of the last tenth of a figure (at least one row, at most ten)."""
    values = [float(row[name]) for row in history if name in row]
    if not values:
        return None, None
    n = max(1, min(10, len(values) // 10))
    return fmean(values[:n]), fmean(values[-n:])
