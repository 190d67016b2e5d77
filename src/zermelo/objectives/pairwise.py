"""Losses over pairs of responses to one prompt, measured against a reference: DPO and its kin.

Everywhere Δ_i = log π(y_i|x) − log π_ref(y_i|x), summed over the response's tokens, end token included [N], nat;
h = Δ_win − Δ_lose [M]; softplus(−z) = −log σ(z).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from zermelo.errors import SettingError, one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import capped_exp, softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["DPO", "DPOP", "FDPO", "IPO", "LNDPO", "DPOGamma", "DiscoPOP", "HingeDPO"]

PAIRS_AND_REFERENCE = Needs(pairs=True, policies=("ref",))


@dataclass(frozen=True)
class DPO(Composable):
    """Direct preference optimisation: logistic loss on the margin of log-ratios.

        Δ_i = log π(y_i|x) − log π_ref(y_i|x)                 [N], nat
        L_m = softplus(−β (Δ_win − Δ_lose))                   [M], nat, one per pair

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023, arXiv 2305.18290.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        return term("dpo", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class HingeDPO(Composable):
    """Hinge loss on the margin of log-ratios (the support-vector form of RSO, `hinge_norm`).

        L_m = max(0, 1 − β (Δ_win − Δ_lose))                  [M], one per pair

    Args:
        beta: 1/β is the margin at which a pair stops pulling, > 0. RSO's γ.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Statistical Rejection Sampling Improves Preference Optimization", 2023, arXiv 2309.06657.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        return term("hinge_norm", over="pairs", each=torch.relu(1.0 - (win - lose)), metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class IPO(Composable):
    """Identity preference optimisation: regress the margin of log-ratios onto 1/(2τ), so that it cannot run away.

        h_m = Δ_win − Δ_lose   (`sum`), or of Δ_i / |y_i|   (`mean`)
        L_m = (h_m − 1/(2τ))²                                 [M], nat², one per pair

    The paper's equation has sums; its authors ran, and TRL computes, means over tokens. The two differ by more than a
    factor: with sums τ must shrink as responses grow.

    Args:
        tau: Pull towards the reference, > 0; the target margin is 1/(2τ).
        log_ratios: `mean` over the tokens of a response, or `sum`.
    Raises:
        SettingError: tau is not a positive finite number, or log_ratios is neither.
    Source: "A General Theoretical Paradigm to Understand Learning from Human Preferences", 2023, arXiv 2310.12036.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    tau: float = 0.1
    log_ratios: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        positive(self, "tau")
        one_of(self, "log_ratios", ("mean", "sum"))

    def __call__(self, batch: RaggedBatch) -> Losses:
        pool = batch.response_mean if self.log_ratios == "mean" else batch.response_sum
        win, lose = batch.sides(pool(batch.logps - batch.logps_of["ref"]))  # [M], [M]
        each = (win - lose - 1.0 / (2.0 * self.tau)) ** 2
        return term("ipo", over="pairs", each=each, metrics=reward_metrics(self.tau * win, self.tau * lose))


@dataclass(frozen=True)
class LNDPO(Composable):
    """Length-normalised DPO: a margin of mean, not summed, log-ratios.

        r_i = (1/|y_i|) Σ_{t ∈ y_i} [log π(y_t) − log π_ref(y_t)]       [N], nat per token
        L_m = softplus(−β (r_win − r_lose))                             [M], nat, one per pair

    |y| counts the end token. β multiplies a mean, so it is 10–50 times DPO's; for equal lengths ℓ, LNDPO(β) is
    DPO(β/ℓ). A drift of every token's log-ratio by one constant leaves the loss unchanged.

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "The Hitchhiker's Guide to Human Alignment with *PO", 2024, arXiv 2407.15229.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 2.0

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        ratio = batch.response_mean(batch.logps - batch.logps_of["ref"])  # [N]
        win, lose = batch.sides(self.beta * ratio)  # [M], [M]
        return term("ln_dpo", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class DPOGamma(Composable):
    """DPO whose reference counts γ times: γ = 1 is DPO, γ = 0 has no reference.

        L_m = softplus(−β [ (log π_w − log π_l) − γ (log π_ref,w − log π_ref,l) ])       [M], nat, one per pair

    Args:
        beta: Scale of the margin, > 0.
        gamma: Weight of the reference, ≥ 0. Below 1 a pair that the reference ranks wrongly is easier to flip.
    Raises:
        SettingError: beta is not positive, or gamma is negative.
    Source: "Preference Learning Algorithms Do Not Learn Preference Rankings", 2024, arXiv 2405.19534.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1
    gamma: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "beta")
        if not callable(self.gamma) and not self.gamma >= 0:
            raise SettingError("bad-setting", f"DPOGamma.gamma must be ≥ 0. Got {self.gamma!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        score = batch.response_sum(batch.logps - self.gamma * batch.logps_of["ref"])  # [N]
        win, lose = batch.sides(self.beta * score)  # [M], [M]
        return term("dpo_gamma", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class DPOP(Composable):
    """DPO-positive (Smaug): a penalty inside the sigmoid whenever the chosen response falls below the reference.

        L_m = softplus(−β [ h_m − λ max(0, log π_ref,w − log π_w) ])                     [M], nat, one per pair

    Args:
        beta: Pull towards the reference, > 0.
        lam: Weight of the penalty λ, > 0; the paper's value is recalled as 50.
    Raises:
        SettingError: beta or lam is not a positive finite number.
    Source: "Smaug: Fixing Failure Modes of Preference Optimisation with DPO-Positive", 2024, arXiv 2402.13228.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1
    lam: float = 50.0

    def __post_init__(self) -> None:
        positive(self, "beta", "lam")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(batch.log_ratio("ref"))  # [M], [M]
        margin = win - lose - self.lam * torch.relu(-win)
        return term(
            "dpop",
            over="pairs",
            each=softplus(-self.beta * margin),
            metrics=reward_metrics(self.beta * win, self.beta * lose),
        )


@dataclass(frozen=True)
class FDPO(Composable):
    """DPO under another f-divergence: the log-ratio is replaced by f′(π/π_ref), up to a constant.

        s(Δ) = Δ                         `reverse_kl` (plain DPO)
               −e^{−Δ}                   `forward_kl`
               log σ(Δ)                  `jensen_shannon`
               e^{(α−1)Δ} / (α−1)        `alpha`, α ≠ 1; α → 1 is `reverse_kl`
        L_m = softplus(−β (s(Δ_win) − s(Δ_lose)))                       [M], nat, one per pair

    Exponentials go on along their tangent beyond e³⁰, so that a far-off response still has a finite gradient.

    Args:
        divergence: Which f.
        beta: Pull towards the reference, > 0.
        alpha: Order of the α-divergence; read by `alpha` only.
    Raises:
        SettingError: beta is not positive, the divergence is unknown, or alpha is 1.
    Source: "Beyond Reverse KL: Generalizing Direct Preference Optimization with Diverse Divergence Constraints", 2023,
        arXiv 2309.16240.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    divergence: Literal["reverse_kl", "forward_kl", "jensen_shannon", "alpha"] = "jensen_shannon"
    beta: float = 0.1
    alpha: float = 0.5

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "divergence", ("reverse_kl", "forward_kl", "jensen_shannon", "alpha"))
        if self.divergence == "alpha" and self.alpha == 1.0:
            raise SettingError("bad-setting", "FDPO.alpha must not be 1; α = 1 is divergence='reverse_kl'")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * self.score(batch.log_ratio("ref")))  # [M], [M]
        return term("fdpo", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))

    def score(self, delta: Tensor) -> Tensor:
        """s(Δ), elementwise."""
        if self.divergence == "forward_kl":
            return -capped_exp(-delta)
        if self.divergence == "jensen_shannon":
            return -softplus(-delta)
        if self.divergence == "alpha":
            return capped_exp((self.alpha - 1.0) * delta) / (self.alpha - 1.0)
        return delta


@dataclass(frozen=True)
class DiscoPOP(Composable):
    """The loss that a language model discovered: a logistic and an exponential one, blended by the margin.

        z = βh_m,  m = σ(z/τ)
        L_m = (1 − m) softplus(−z) + m e^{−z}                            [M], one per pair

    Not convex: near z = 0 on the right it rises before it falls, so that hesitant pairs are let go. The exponential
    goes on along its tangent beyond e³⁰.

    Args:
        beta: Pull towards the reference, > 0.
        tau: Width τ of the blend, in the unit of z, > 0.
    Raises:
        SettingError: beta or tau is not a positive finite number.
    Source: "Discovering Preference Optimization Algorithms with and for Large Language Models", 2024,
        arXiv 2406.08414.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1
    tau: float = 0.05

    def __post_init__(self) -> None:
        positive(self, "beta", "tau")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        z = win - lose
        blend = torch.sigmoid(z / self.tau)
        each = (1 - blend) * softplus(-z) + blend * capped_exp(-z)
        return term("discopop", over="pairs", each=each, metrics=reward_metrics(win, lose))
