"""The `evaluate` step: every policy answers the held-out prompts; each is compared with the start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.evaluation.accuracy import PairedAccuracy
from zermelo.evaluation.divergence import Divergence
from zermelo.evaluation.length_control import LengthControlledWinRate
from zermelo.evaluation.reward_model import RewardModelAccuracy
from zermelo.evaluation.win_rate import WinRate, wins_by_score
from zermelo.feedback.preferences import preferences
from zermelo.feedback.records import Group
from zermelo.recipes.run import Context
from zermelo.recipes.steps.answers import best_and_worst
from zermelo.recipes.steps.tools import judge_of, load_groups, load_policy, reward_model, sample, save_groups
from zermelo.recipes.steps.training import model_folder
from zermelo.search.groups import score_table
from zermelo.stats.paired import paired_bootstrap
from zermelo.training.alarms import Alarm

if TYPE_CHECKING:
    from zermelo.policies.policy import Policy

__all__ = ["START", "Answered", "answered", "evaluate"]

START = "start"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """One policy on the held-out prompts.

    Args:
        groups: Its answers, judged.
        lengths: Tokens of each answer. [G, N]
        scores: What the judge (else the reward model) says of each; None without either. [G, N]
        kl: Divergence from the start, where answers were sampled at temperature 1.
    """

    groups: list[Group]
    lengths: Floats
    scores: Floats | None
    kl: dict[str, Any] | None


def answered(context: Context, name: str, policy: Policy, start: Policy) -> Answered:
    """Sample a policy's answers to the held-out prompts and judge them; they are written to `NAME.parquet`.

    Args:
        context: Of the step.
        name: Of the policy; the draws follow from it and the seed.
        policy: Who answers.
        start: Against which the KL is measured; the policy itself has none.
    """
    settings, recipe = context.recipe.evaluate, context.recipe
    assert settings is not None
    prompts = load_groups(context.file("data", "test.parquet"))
    judge, proxy = judge_of(recipe), reward_model(context)
    groups = sample(
        context, policy, prompts, n=settings.samples, purpose=f"evaluate {name}", temperature=settings.temperature
    )
    kl = divergence(start, groups) if policy is not start and settings.temperature == 1.0 else None
    for scorer in (judge, proxy):
        if scorer is not None:
            said = scorer.score(groups)
            groups = [group.with_judgements(own) for group, own in zip(groups, said, strict=True)]
    save_groups(groups, context.out / f"{name}.parquet")
    lengths = np.array([[len(r.token_ids or ()) for r in group.responses] for group in groups], dtype=float)
    by = judge or proxy
    return Answered(groups, lengths, None if by is None else score_table(groups, by=by.name), kl)


def evaluate(context: Context) -> dict[str, Any]:
    """Accuracy, win rates, KL and lengths of every policy; accuracy and calibration of the reward model."""
    settings, recipe = context.recipe.evaluate, context.recipe
    assert settings is not None
    judge, proxy = judge_of(recipe), reward_model(context)
    start = load_policy(recipe)
    found: dict[str, Answered] = {}
    for name in (START, *recipe.policies):
        policy = start if name == START else load_policy(recipe, model_folder(context, name))
        found[name] = answered(context, name, policy, start)
    scores = {name: own.scores for name, own in found.items() if own.scores is not None}
    lengths = {name: own.lengths for name, own in found.items()}
    figures: dict[str, Any] = {"objectives": {}, "judge": getattr(judge or proxy, "name", None)}
    for name in recipe.policies:
        figures["objectives"][name] = compared(scores, lengths, name, verified=judge is not None, seed=recipe.seed)
        kl = found[name].kl
        figures["objectives"][name] |= {"kl": (kl or {}).get("k1"), "kl_interval": kl}
        if judge is not None and proxy is not None:
            own, old = (by_prompt(score_table(found[n].groups, by=proxy.name)) for n in (name, START))
            figures["objectives"][name]["proxy_gain"] = paired_bootstrap(own, old, seed=recipe.seed).to_json()
        figures["objectives"][name]["alarms"] = [
            alarm.to_json() for alarm in alarms_of(figures["objectives"][name], lengths[name], lengths[START])
        ]
    figures["lengths"] = {name: _spread(table) for name, table in lengths.items()}
    if proxy is not None:
        figures["reward"] = reward_figures(context, proxy)
    figures["samples"] = side_by_side({name: own.groups for name, own in found.items()}, settings.shown)
    return figures


def by_prompt(table: Floats) -> Floats:
    """Mean over the answers to each prompt. [G, N] → [G]"""
    mean: Floats = np.nanmean(table, axis=1)
    return mean


def alarms_of(own: Mapping[str, Any], lengths: Floats, before: Floats) -> list[Alarm]:
    """What the answers of a policy say against it, beside its training.

    Args:
        own: Its figures: win rates, accuracy, what the reward model says.
        lengths: Tokens of its answers. [G, N]
        before: Of the start's. [G, N]
    """
    return [alarm for alarm in (_length(own, lengths, before), _overoptimised(own)) if alarm is not None]


def _length(own: Mapping[str, Any], lengths: Floats, before: Floats) -> Alarm | None:
    """Answers grew by a fifth, and half of the lead in win rate goes where length is held equal."""
    growth = float(np.nanmean(lengths) / np.nanmean(before))
    raw, controlled = own.get("win_rate"), own.get("win_rate_length_controlled")
    if raw is None or controlled is None or growth < 1.2 or raw < 0.55 or raw - controlled < (raw - 0.5) / 2:
        return None
    return Alarm(
        "length-exploitation",
        f"answers are {growth - 1:.0%} longer than the start's; the win rate of {raw:.1%} is {controlled:.1%} at equal "
        "length",
        growth,
        "Much of what is preferred in the answers is their length.",
        '"Length-Controlled AlpacaEval: A Simple Way to Debias Automatic Evaluators", 2024, arXiv 2404.04475',
        "a length-normalised objective (simpo, ln_dpo) or rdpo; pairs balanced by length",
    )


def _overoptimised(own: Mapping[str, Any]) -> Alarm | None:
    """The reward model's score rose and the verifier's fell, both with their intervals."""
    proxy, high = own.get("proxy_gain"), own.get("ci_high")
    if proxy is None or high is None or proxy["ci_low"] is None or proxy["ci_low"] <= 0 or high >= 0:
        return None
    return Alarm(
        "over-optimisation",
        f"the reward model's score rose by {proxy['value']:.2f} while accuracy fell by {-own['accuracy_gain']:.1%}",
        proxy["value"],
        "The policy has learnt the mistakes of the reward model.",
        '"Scaling Laws for Reward Model Overoptimization", 2022, arXiv 2210.10760',
        "a larger beta, fewer steps, a reward model trained on the policy's own answers",
    )


def compared(
    scores: Mapping[str, Floats], lengths: Mapping[str, Floats], name: str, *, verified: bool, seed: int
) -> dict[str, Any]:
    """One policy against the start: accuracy where answers are verified, win rates raw and length-controlled."""
    if name not in scores:
        return {}
    won = wins_by_score(scores[name], scores[START])
    raw = WinRate(seed=seed).measure(won)
    controlled = LengthControlledWinRate(seed=seed).measure(
        won, np.nanmean(lengths[name], axis=1), np.nanmean(lengths[START], axis=1)
    )
    found: dict[str, Any] = {
        "win_rate": raw.win_rate.value,
        "win_rate_interval": raw.win_rate.to_json(),
        "win_rate_length_controlled": controlled.controlled.value,
        "win_rate_length_controlled_interval": controlled.controlled.to_json(),
    }
    if verified:
        found |= PairedAccuracy(seed=seed).measure(scores[START], scores[name]).to_json()
    return found


def divergence(start: Policy, groups: Sequence[Group]) -> dict[str, Any]:
    """KL to the start from the sampled answers: their log-probabilities under the policy and under the start."""
    from zermelo.policies.engine import group_logprobs
    from zermelo.policies.tokens import tokenise

    tokenised = tokenise(groups, start)
    own: list[Floats] = []
    other: list[Floats] = []
    for first in range(0, len(tokenised.tokens.groups), 64):
        part = tokenised.tokens.subset(range(first, min(first + 64, len(tokenised.tokens.groups))))
        logps = group_logprobs(start, part, grad=False).logps
        assert logps is not None
        flat, at = logps.double().cpu().numpy(), 0
        for place in tokenised.index[first : first + 64]:
            for index in place.responses:
                response = groups[place.group].responses[index]
                size = len(response.token_ids or ())
                own.append(np.array(response.logprobs, dtype=np.float64))
                other.append(flat[at : at + size])
                at += size
    result = Divergence().measure(own, other)
    return {
        "k1": result.k1.value,
        "ci_low": result.k1.low,
        "ci_high": result.k1.high,
        "k3": result.k3.value,
    }


def reward_figures(context: Context, proxy: Any) -> dict[str, Any] | None:
    """The reward model on pairs of held-out prompts: those that were stated, else right against wrong samples."""
    stated = load_groups(context.file("data", "test.parquet"))
    scored = [(g, pair.win, pair.lose, pair.prob) for g, group in enumerate(stated) for pair in preferences(group)]
    groups: Sequence[Group] = stated
    if not scored and "select" in context.done:
        groups = load_groups(context.file("select", "groups.parquet"))
        for g, group in enumerate(groups):
            right, wrong = best_and_worst(group)
            scored += [(g, i, j, 1.0) for i in right for j in wrong]
    if not scored:
        return None
    if groups is stated:
        said = proxy.score(groups)
        groups = [replace(group, judgements=own) for group, own in zip(groups, said, strict=True)]
    table = score_table(groups, by=proxy.name)
    length = [[len(response.content) for response in group.responses] for group in groups]
    result = RewardModelAccuracy(seed=context.recipe.seed).measure(
        [table[g, i] - table[g, j] for g, i, j, _ in scored],
        [prob for *_, prob in scored],
        prompt=[g for g, *_ in scored],
        length_margin=[length[g][i] - length[g][j] for g, i, j, _ in scored],
    )
    return result.to_json()


def side_by_side(answers: Mapping[str, Sequence[Group]], shown: int) -> list[dict[str, Any]]:
    """The first answers of every policy to some prompts, spread over the set."""
    size = len(answers[START])
    rows = np.unique(np.linspace(0, size - 1, min(shown, size)).astype(int)).tolist()
    found = []
    for row in rows:
        prompt = answers[START][row].prompt
        text = prompt if isinstance(prompt, str) else "\n\n".join(message.content for message in prompt or ())
        told = []
        for name, groups in answers.items():
            group = groups[row]
            right, wrong = best_and_worst(group)
            verdict = True if 0 in right else False if 0 in wrong else None
            told.append({"name": name, "text": group.responses[0].content, "right": verdict})
        found.append({"prompt": text, "answers": told})
    return found


def _spread(table: Floats) -> dict[str, float]:
    flat = table[~np.isnan(table)]
    low, median, high = (float(x) for x in np.percentile(flat, [5, 50, 95]))
    return {
        "mean": float(flat.mean()),
        "p5": low,
        "median": median,
        "p95": high,
        "sd": float(flat.std()) if len(flat) > 1 else math.nan,
    }
