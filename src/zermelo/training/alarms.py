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
        entangled(history),
        memorised(history),
        overoptimised(history),
        strayed(history),
        growing(history),
        longer(counts),
        truncated(counts),
        no_signal(counts),
        idle_terms(counts),
        same_scores(history),
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


def entangled(history: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """A step moves the two sides of half the pairs the same way, or lowers both of a quarter (`Entangled` logs it)."""
    rows = [row for row in history if "entanglement/together" in row]
    if not rows:
        return None
    worst = max(rows, key=lambda row: float(row["entanglement/together"]))
    together, down = float(worst["entanglement/together"]), float(worst["entanglement/both_down"])
    if together < 0.5 and down < 0.25:
        return None
    return Alarm(
        "entanglement",
        f"at step {worst['step']} {together:.0%} of pairs have both sides moved the same way ({down:.0%} both down), "
        f"mean cosine of their gradients {float(worst['entanglement/cosine']):.2f}",
        together,
        "The two sides are so alike that raising one raises the other: the margin is bought with both likelihoods.",
        '"A Common Pitfall of Margin-based Language Model Alignment: Gradient Entanglement", 2024, arXiv 2410.13828',
        "dpo_nll, normalised_dpo or sparse_dpo; or drop the most alike pairs (ches_scores, keep_lowest)",
    )


def overoptimised(history: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """Held-out accuracy fell by 0.05 from its best, or held-out loss rose by a tenth, while margins still grow."""
    start, end = ends(history, "rewards/margins")
    if start is None or end is None or end <= start:
        return None
    accuracy = [float(row["eval/rewards/accuracies"]) for row in history if "eval/rewards/accuracies" in row]
    loss = [float(row["eval/loss"]) for row in history if "eval/loss" in row]
    fall = max(accuracy) - accuracy[-1] if len(accuracy) > 2 else 0.0
    rise = loss[-1] / min(loss) - 1 if len(loss) > 2 and min(loss) > 0 else 0.0
    if fall < 0.05 and rise < 0.1:
        return None
    figures = [f"held-out accuracy fell from {max(accuracy):.2f} to {accuracy[-1]:.2f}"] if fall >= 0.05 else []
    figures += [f"held-out loss rose from {min(loss):.3f} to {loss[-1]:.3f}"] if rise >= 0.1 else []
    return Alarm(
        "over-optimisation",
        f"{' and '.join(figures)}, while the training margin grew from {start:.2f} to {end:.2f} nat",
        max(fall, rise),
        "The run has passed its best point: what still rises is the proxy, not the preference.",
        '"Scaling Laws for Reward Model Overoptimization in Direct Alignment Algorithms", 2024, arXiv 2406.02900',
        "`keep_best` with `patience`, fewer epochs, a larger beta",
    )


def strayed(history: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """The policy is more than 1 nat a token from its reference, on the data."""
    _, kl = ends(history, "kl")
    if kl is None or kl < 1.0:
        return None
    return Alarm(
        "far-from-reference",
        f"KL estimate on the data {kl:.2f} nat per token",
        kl,
        "The policy has little left of the model it started from; a proxy's gain this far out is seldom a real one.",
        '"Scaling Laws for Reward Model Overoptimization", 2022, arXiv 2210.10760',
        "a larger beta, a smaller lr, fewer epochs",
    )


def same_scores(history: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """Half of the prompts of the last tenth of the steps had fresh responses of one score only."""
    _, share = ends(history, "fresh/no_signal")
    if share is None or share < 0.5:
        return None
    return Alarm(
        "groups-without-signal",
        f"{share:.0%} of prompts have fresh responses that all score the same",
        share,
        "Where every sample is as good as every other, nothing is learnt: most of the sampling is for nothing.",
        '"DAPO: An Open-Source LLM Reinforcement Learning System at Scale", 2025, arXiv 2503.14476 (dynamic sampling)',
        "prompts of middling difficulty, more samples a prompt (n), a finer score",
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
    fresh = ends(history, "fresh/length")
    if not lengths and fresh[0] is not None and fresh[1] is not None:
        lengths = [fresh[0], fresh[1]]
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
