"""What is logged: every figure with its meaning, unit and what a bad value looks like. The docs are made from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zermelo.training.totals import SCALED, loss_of

__all__ = ["METRICS", "Metric", "markdown", "row_of"]


@dataclass(frozen=True)
class Metric:
    """One figure of `metrics.jsonl`.

    Args:
        name: As logged; validation rows have the same names after `eval/`.
        meaning: One sentence.
        unit: Of the figure.
        bad: What a bad value looks like, and what it means.
    """

    name: str
    meaning: str
    unit: str
    bad: str


METRICS: tuple[Metric, ...] = (
    Metric(
        "loss",
        "The objective: over its terms, the sum of scale times the weighted mean over the whole optimiser step.",
        "nat (log-losses)",
        "rising, or NaN: the learning rate is too high",
    ),
    Metric("TERM/loss", "One term of the objective, unscaled.", "nat (log-losses)", "one term drowning another"),
    Metric(
        "rewards/chosen",
        "Mean implicit reward of the preferred side, as the objective defines it (DPO: β times its log-ratio).",
        "nat",
        "falling while margins rise: the model learns to dislike both sides (likelihood displacement)",
    ),
    Metric(
        "rewards/rejected",
        "Mean implicit reward of the other side.",
        "nat",
        "below −10: the policy is far from its reference",
    ),
    Metric(
        "rewards/margins",
        "Mean of rewards/chosen minus rewards/rejected.",
        "nat",
        "not rising: nothing is learnt; beyond 10: the pairs are memorised",
    ),
    Metric(
        "rewards/accuracies",
        "Share of pairs whose preferred side has the higher reward; a tie counts as wrong, so it starts at 0 where "
        "policy and reference are equal.",
        "fraction",
        "1.0 in training and far less in validation: memorised",
    ),
    Metric(
        "logps/chosen",
        "Mean log-probability of a preferred response, summed over its tokens.",
        "nat per response",
        "falling by more than a few nats: likelihood displacement",
    ),
    Metric(
        "logps/rejected",
        "Mean log-probability of the other response, summed over its tokens.",
        "nat per response",
        "falling without end",
    ),
    Metric(
        "logps/all",
        "Mean log-probability of a response, where the objective reads no pairs.",
        "nat per response",
        "falling under a likelihood objective",
    ),
    Metric(
        "kl",
        "Mean over response tokens of eᵈ − 1 − d with d = log π − log π_ref: the divergence of the policy from the "
        "reference, exact in expectation on responses that the reference sampled.",
        "nat per token",
        "above 1: the policy has left its reference",
    ),
    Metric(
        "entropy",
        "Mean entropy of the policy's next-token distribution at the response tokens.",
        "nat per token",
        "near 0: the policy has collapsed to one answer",
    ),
    Metric(
        "grad_norm",
        "Euclidean norm of the whole gradient before clipping.",
        "1",
        "jumps by a factor of ten: a bad batch; always above `clip`: lr is what clipping makes of it",
    ),
    Metric("lr", "Learning rate of the step.", "1", "not what you planned: see `warmup` and `schedule`"),
    Metric("epoch", "Passes over the data so far.", "passes", "above 3 with preference pairs: memorised"),
    Metric("groups", "Groups taken so far, over all epochs: the position in the data.", "groups", "none"),
    Metric(
        "samples/length",
        "Mean length of what the policy writes to the fixed prompts of `Samples`, sampled during training.",
        "tokens",
        "rising by a quarter or more: length exploitation",
    ),
    Metric(
        "samples/finished",
        "Share of those samples that ended by themselves.",
        "fraction",
        "falling: the policy forgets to end",
    ),
    Metric(
        "fresh/length",
        "Mean length of the responses that the policy wrote in this step (`online`), trained tokens.",
        "tokens",
        "rising by a quarter or more: length exploitation",
    ),
    Metric(
        "fresh/kl",
        "Mean log π − log π_ref of those responses, an unbiased estimate of KL(π ‖ π_ref).",
        "nat per response",
        "rising without end: the policy leaves its reference where the data has nothing",
    ),
    Metric(
        "fresh/no_signal",
        "Share of the step's prompts whose judged responses all have the same score.",
        "fraction",
        "above ½: most of what is sampled teaches nothing",
    ),
    Metric(
        "entanglement/cosine",
        "Mean cosine between the gradients of the two sides of a pair (`Entangled`; output layer).",
        "1",
        "near 1: a step on one side is a step on the other",
    ),
    Metric(
        "entanglement/together",
        "Share of pairs whose two sides a step moves the same way, to first order.",
        "fraction",
        "above ½: the margin is bought with both likelihoods",
    ),
    Metric(
        "entanglement/both_down",
        "Share of pairs of which a step lowers both sides, to first order.",
        "fraction",
        "above ¼: likelihood displacement is coming",
    ),
    Metric(
        "sampler/gap",
        "Mean absolute difference between the sampler's and the trainer's log-probabilities of those responses.",
        "nat per token",
        "above 0.02 in float32: another model is sampled than trained (the run stops)",
    ),
    Metric(
        "sampler/largest",
        "Largest such difference in a micro-batch, averaged over the micro-batches of the step.",
        "nat per token",
        "far above `sampler/gap`: single tokens are computed otherwise",
    ),
    Metric(
        "reward/mean",
        "Of reward models: mean reward of a response; only differences are learnt, so its level is arbitrary.",
        "logits",
        "drifting without end: `bradley_terry_reward: {centre: 0.01}` holds it",
    ),
    Metric(
        "run.tokens_per_s",
        "Tokens of the step, prompts counted once, over its wall time, on all devices.",
        "tokens per second",
        "falling during the run: something else uses the machine",
    ),
    Metric("run.seconds", "Wall time of the step.", "s", "much longer on single steps: one very long group"),
)
# metrics of pairwise objectives that are known under one name everywhere
SHARED = {name: f"rewards/{name}" for name in ("chosen", "rejected", "margins", "accuracies")}


def row_of(means: Mapping[str, float]) -> dict[str, float]:
    """The names people know for the figures of a step: `loss`, `rewards/…`, `TERM/…`.

    Where several terms have such a metric, the first in order of name owns `rewards/…`; the others keep `TERM/…`.
    """
    row = {"loss": loss_of(means)}
    terms = [name for name in means if name.endswith("/loss")]
    for name, value in means.items():
        term, _, metric = name.rpartition("/")
        if name.startswith(SCALED) or (metric == "loss" and len(terms) == 1):
            continue
        shared = SHARED.get(metric) if f"{term}/loss" in means else None
        row[shared if shared is not None and shared not in row else name] = value
    return row


def markdown() -> str:
    """The table of metrics for the docs."""
    lines = ["| name | what it is | unit | a bad value |", "|---|---|---|---|"]
    lines += [f"| `{m.name}` | {m.meaning} | {m.unit} | {m.bad} |" for m in METRICS]
    return "\n".join(lines)
