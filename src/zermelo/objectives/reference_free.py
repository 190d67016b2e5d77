"""Pairwise losses without a reference model: SimPO, CPO, SLiC, ORPO, TPO.

ā_i = log π(y_i|x)/|y_i| is the mean log-probability of a response, nat per token, end token included [N].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from zermelo.errors import SettingError, one_of, positive, unit_interval
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import log1mexp, softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term
from zermelo.objectives.supervised import KINDS, NLL, likelihood, selected

__all__ = ["CPO", "ORPO", "TPO", "SLiC", "SimPO"]


@dataclass(frozen=True)
class SimPO(Composable):
    """Simple preference optimisation: the mean log-probability is the reward, with a target margin γ.

        z_m = β (ā_win − ā_lose) − γ
        L_m = (1−ε) softplus(−z_m) + ε softplus(z_m)         `sigmoid`
              max(0, 1 − z_m)                                `hinge`                 [M], nat, one per pair

    γ is the margin itself; the authors set the ratio γ/β (0.25 by default). Repeating every token leaves the loss
    unchanged. Nothing holds the policy near its start: keep the learning rate small.

    Args:
        beta: Scale of the mean log-probability, > 0; published 2–10.
        gamma: Target margin γ, ≥ 0.
        epsilon: Label smoothing, in [0, ½); `sigmoid` only.
        loss: Form of the loss.
    Raises:
        SettingError: a setting is out of range.
    Source: "SimPO: Simple Preference Optimization with a Reference-Free Reward", 2024, arXiv 2405.14734.
    """

    needs: ClassVar[Needs] = Needs(pairs=True)
    beta: float = 2.0
    gamma: float = 0.5
    epsilon: float = 0.0
    loss: Literal["sigmoid", "hinge"] = "sigmoid"

    def __post_init__(self) -> None:
        positive(self, "beta")
        unit_interval(self, "epsilon", open_right=0.5)
        one_of(self, "loss", ("sigmoid", "hinge"))
        if not callable(self.gamma) and not self.gamma >= 0:
            raise SettingError("bad-setting", f"SimPO.gamma must be ≥ 0. Got {self.gamma!r}")
        if self.loss == "hinge" and self.epsilon:
            raise SettingError("bad-setting", "SimPO.epsilon has no meaning with loss='hinge'; leave it out")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.response_mean(batch.logps))  # [M], [M]
        z = win - lose - self.gamma
        if self.loss == "hinge":
            each = torch.relu(1.0 - z)
        else:
            each = (1 - self.epsilon) * softplus(-z) + self.epsilon * softplus(z)
        return term("simpo", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class CPO(Composable):
    """Contrastive preference optimisation: DPO under a uniform reference, plus the likelihood of the chosen.

        L_m = softplus(−β (log π_w − log π_l))                               [M], nat, one per pair
        + α · NLL of the chosen, a term of its own (normalised as `nll` says)

    Sums of log-probabilities favour short responses; the likelihood term is what keeps the policy together.

    Args:
        beta: Scale of the summed margin, > 0.
        alpha: Weight of the likelihood term, ≥ 0; 0 leaves it out.
        nll: Its normalisation; published code uses `token_mean`.
    Raises:
        SettingError: a setting is out of range.
    Source: "Contrastive Preference Optimization: Pushing the Boundaries of LLM Performance in Machine Translation",
        2024, arXiv 2401.08417.
    """

    needs: ClassVar[Needs] = Needs(pairs=True)
    beta: float = 0.1
    alpha: float = 1.0
    nll: NLL = "sequence_mean"

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "nll", KINDS)
        if not callable(self.alpha) and not self.alpha >= 0:
            raise SettingError("bad-setting", f"CPO.alpha must be ≥ 0. Got {self.alpha!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.response_sum(batch.logps))  # [M], [M]
        losses = term("cpo", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))
        return losses + chosen_nll("cpo_nll", batch, self.nll).scaled(self.alpha) if self.alpha else losses


@dataclass(frozen=True)
class SLiC(Composable):
    """Sequence likelihood calibration: hinge on the raw log-probabilities, plus the likelihood of the chosen.

        L_m = max(0, δ − log π_w + log π_l)                                   [M], nat, one per pair
        + λ · NLL of the chosen, a term of its own

    The β-scaled form `hinge_raw`, max(0, 1 − β(log π_w − log π_l)), is β times this with δ = 1/β.

    Args:
        delta: Margin δ at which a pair stops pulling, nat, > 0.
        lam: Weight λ of the likelihood term, ≥ 0; 0 leaves it out.
        nll: Its normalisation.
    Raises:
        SettingError: a setting is out of range.
    Source: "SLiC-HF: Sequence Likelihood Calibration with Human Feedback", 2023, arXiv 2305.10425.
    """

    needs: ClassVar[Needs] = Needs(pairs=True)
    delta: float = 10.0
    lam: float = 0.0
    nll: NLL = "sequence_mean"

    def __post_init__(self) -> None:
        positive(self, "delta")
        one_of(self, "nll", KINDS)
        if not callable(self.lam) and not self.lam >= 0:
            raise SettingError("bad-setting", f"SLiC.lam must be ≥ 0. Got {self.lam!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(batch.response_sum(batch.logps))  # [M], [M]
        each = torch.relu(self.delta - win + lose)
        losses = term("slic", over="pairs", each=each, metrics=reward_metrics(win, lose))
        return losses + chosen_nll("slic_nll", batch, self.nll).scaled(self.lam) if self.lam else losses


@dataclass(frozen=True)
class ORPO(Composable):
    """Odds-ratio preference optimisation: likelihood of the chosen plus a small push on the odds.

        log OR = (ā_w − ā_l) − [log(1 − e^{ā_w}) − log(1 − e^{ā_l})]
        L_m = λ softplus(−log OR)                                             [M], nat, one per pair
        + NLL of the chosen, a term of its own

    Means, not sums: with sums 1 − e^a is 1 to all digits. ā is kept below −10⁻⁶ (a probability of one has no odds).

    Args:
        lam: Weight λ of the odds term, > 0.
        nll: Normalisation of the likelihood; published code uses `token_mean`.
    Raises:
        SettingError: a setting is out of range.
    Source: "ORPO: Monolithic Preference Optimization without Reference Model", 2024, arXiv 2403.07691.
    """

    needs: ClassVar[Needs] = Needs(pairs=True)
    lam: float = 0.1
    nll: NLL = "sequence_mean"

    def __post_init__(self) -> None:
        positive(self, "lam")
        one_of(self, "nll", KINDS)

    def __call__(self, batch: RaggedBatch) -> Losses:
        mean = batch.response_mean(batch.logps)  # [N]
        win, lose = batch.sides(mean - log1mexp(mean))  # log odds [M], [M]
        metrics = reward_metrics(self.lam * win, self.lam * lose)
        odds = term("orpo", over="pairs", each=softplus(lose - win), metrics=metrics).scaled(self.lam)
        return odds + chosen_nll("orpo_nll", batch, self.nll)


@dataclass(frozen=True)
class TPO(Composable):
    """Triple preference optimisation: contrast second best and worst, imitate the best.

        L_m = softplus(−β (log π_w − log π_l))                 `sum`  (TPO)
              softplus(−(β (ā_w − ā_l) − γ))                   `mean` (TPO-L)        [M], nat, one per pair
        + α · NLL of the gold response, a term of its own

    The gold response of a group is its highest-scored one; where scores are missing it is the chosen one, and TPO is
    CPO. Pair the second best with the worst: a gold response that is also the chosen one counts twice.

    Args:
        beta: Scale of the margin, > 0; sums of long responses need about 0.01.
        alpha: Weight of the likelihood term, > 0.
        gamma: Target margin γ, ≥ 0; `mean` only.
        pool: `sum` or `mean` over the tokens of a response.
        nll: Normalisation of the likelihood; published code pools the tokens.
    Raises:
        SettingError: a setting is out of range.
    Source: "Triple Preference Optimization: Achieving Better Alignment using a Single Step Optimization", 2024,
        arXiv 2405.16681.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, scores=True)
    beta: float = 0.1
    alpha: float = 1.0
    gamma: float = 0.0
    pool: Literal["sum", "mean"] = "sum"
    nll: NLL = "token_mean"

    def __post_init__(self) -> None:
        positive(self, "beta", "alpha")
        one_of(self, "pool", ("sum", "mean"))
        one_of(self, "nll", KINDS)
        if self.pool == "sum" and self.gamma:
            raise SettingError("bad-setting", "TPO.gamma has no meaning with pool='sum'; leave it out")

    def __call__(self, batch: RaggedBatch) -> Losses:
        pool = batch.response_mean if self.pool == "mean" else batch.response_sum
        win, lose = batch.sides(self.beta * pool(batch.logps))  # [M], [M]
        each = softplus(-(win - lose - self.gamma))
        losses = term("tpo", over="pairs", each=each, metrics=reward_metrics(win, lose))
        scored = batch.group_sum(torch.isfinite(batch.scores).to(batch.weight.dtype)) > 0  # [G]
        chosen = selected(batch, "chosen")
        gold = torch.cat([selected(batch, "best"), chosen[~scored[batch.response_group[chosen]]]]).sort().values
        return losses + likelihood("tpo_nll", batch, gold, self.nll).scaled(self.alpha)


def chosen_nll(name: str, batch: RaggedBatch, nll: NLL) -> Losses:
    """−log π of the chosen side: per pair (so that pair weights count), or pooled over the tokens of the chosen."""
    if nll == "token_mean":
        return likelihood(name, batch, batch.pairs[:, 0].unique(), nll)
    pool = batch.response_mean if nll == "sequence_mean" else batch.response_sum
    each = -pool(batch.logps)[batch.pairs[:, 0]]
    return term(name, over="pairs", each=each, metrics={"nll": each})
