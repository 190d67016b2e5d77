"""DPO with something that holds it: the likelihood of the chosen, of a calibration sample, or a KL on fresh samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from zermelo.errors import SettingError, one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term
from zermelo.objectives.reference_free import chosen_nll
from zermelo.objectives.supervised import KINDS, NLL

__all__ = ["DPONLL", "VPO", "HyPO"]


@dataclass(frozen=True)
class DPONLL(Composable):
    """DPO plus the likelihood of the chosen response (iterative RPO; the medical recipe's `rpo`).

        L_m = softplus(−βh_m)                                                [M], nat, one per pair
        + α · NLL of the chosen, a term of its own

    The usual remedy when both likelihoods fall. A small DPO share works too: `0.1 * DPO() + SFT()`.

    Args:
        beta: Pull towards the reference, > 0.
        alpha: Weight of the likelihood term, > 0.
        nll: Its normalisation: `sequence_mean` (−log π/|y|), `token_mean` or `sum`.
    Raises:
        SettingError: a setting is out of range.
    Source: "Iterative Reasoning Preference Optimization", 2024, arXiv 2404.19733; "Stabilizing Reasoning in Medical
        LLMs with Continued Pretraining and Reasoning Preference Optimization", 2025, arXiv 2504.18080.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, policies=("ref",))
    beta: float = 0.1
    alpha: float = 1.0
    nll: NLL = "sequence_mean"

    def __post_init__(self) -> None:
        positive(self, "beta", "alpha")
        one_of(self, "nll", KINDS)

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        losses = term("dpo_nll", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))
        return losses + chosen_nll("dpo_nll_nll", batch, self.nll).scaled(self.alpha)


@dataclass(frozen=True)
class VPO(Composable):
    """Value-incentivised preference optimisation: DPO plus optimism (online) or pessimism (offline).

        L_m = softplus(−βh_m)                                                [M], nat, one per pair
        ± αβ Δ_i  for the calibration responses i: + online, − offline       [n], nat, a term of its own

    The second term is the optimal value of the implied reward, centred under the calibration distribution:
    J*(r) = −β E_cal[log π_r − log π_ref]. Online it pushes away from the calibration sample and has no lower bound:
    Δ is kept above `floor`. Offline with the chosen responses it is a likelihood term of weight αβ.

    Args:
        beta: Pull towards the reference, > 0.
        alpha: Weight, ≥ 0; 0 is DPO. About 0.1 online, 1 offline.
        mode: `offline` (pessimism) or `online` (optimism).
        calibration: `chosen` responses of the data, or groups whose origin is `calibration` (fresh samples of the
            reference or of the last policy).
        floor: Smallest Δ that still pulls when online, nat.
    Raises:
        SettingError: a setting is out of range.
    Source: "Value-Incentivized Preference Optimization: A Unified Approach to Online and Offline RLHF", 2024,
        arXiv 2405.19320.
    """

    beta: float = 0.1
    alpha: float = 1.0
    mode: Literal["offline", "online"] = "offline"
    calibration: Literal["chosen", "calibration"] = "chosen"
    floor: float = -50.0

    def __post_init__(self) -> None:
        positive(self, "beta")
        one_of(self, "mode", ("offline", "online"))
        one_of(self, "calibration", ("chosen", "calibration"))
        if not callable(self.alpha) and not self.alpha >= 0:
            raise SettingError("bad-setting", f"VPO.alpha must be ≥ 0. Got {self.alpha!r}")

    @property
    def needs(self) -> Needs:
        """Pairs and the reference; the origin of each response where calibration groups are used."""
        extra = ("origin",) if self.calibration == "calibration" else ()
        return Needs(pairs=True, policies=("ref",), extra=extra)

    def __call__(self, batch: RaggedBatch) -> Losses:
        delta = batch.log_ratio("ref")  # [N]
        win, lose = batch.sides(self.beta * delta)
        losses = term("vpo", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))
        if not self.alpha:
            return losses
        weight = self.alpha * self.beta
        if self.calibration == "chosen":
            ratio = delta[batch.pairs[:, 0]]
            each = ratio.clamp_min(self.floor) if self.mode == "online" else -ratio
            return losses + term("vpo_value", over="pairs", each=each, metrics={"log_ratio": ratio}).scaled(weight)
        index = (batch.extra_of("origin") == 2).nonzero().squeeze(1)
        ratio = delta[index]
        each = ratio.clamp_min(self.floor) if self.mode == "online" else -ratio
        value = term("vpo_value", over="responses", each=each, metrics={"log_ratio": ratio}, index=index)
        return losses + value.scaled(weight)


@dataclass(frozen=True)
class HyPO(Composable):
    """Hybrid preference optimisation: DPO on offline pairs, reverse KL on fresh samples of the policy.

        L_m = softplus(−βh_m)                                                [M], nat, over the pairs
        c_j = log π(y_j|x) − log π_ref(y_j|x), no gradient;  b_j = mean of c over the *other* samples of the group
        L_j = λ (c_j − b_j) log π(y_j|x)                                     [n], over samples of online groups

    The gradient of the second term is an unbiased estimate of ∇ KL(π ‖ π_ref), if samples are drawn at temperature 1
    without truncation and there are at least two for each prompt. Samples are not judged.

    Args:
        beta: Pull towards the reference on the pairs, > 0.
        lam: Weight λ of the KL term, ≥ 0; 0 is DPO. The published 1e-4 (recalled) is for long responses.
    Raises:
        SettingError: a setting is out of range.
    Source: "The Importance of Online Data: Understanding Preference Fine-tuning via Coverage", 2024, arXiv 2406.01462.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, policies=("ref",), extra=("origin",))
    beta: float = 0.05
    lam: float = 1e-4

    def __post_init__(self) -> None:
        positive(self, "beta")
        if not callable(self.lam) and not self.lam >= 0:
            raise SettingError("bad-setting", f"HyPO.lam must be ≥ 0. Got {self.lam!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        delta = batch.log_ratio("ref")  # [N]
        win, lose = batch.sides(self.beta * delta)
        losses = term("hypo", over="pairs", each=softplus(lose - win), metrics=reward_metrics(win, lose))
        if not self.lam:
            return losses
        online = (batch.extra_of("origin") == 1).to(delta.dtype)  # [N]
        count = batch.group_sum(online)[batch.response_group]
        index = ((online > 0) & (count >= 2)).nonzero().squeeze(1)
        cost = delta.detach() * online
        others = (batch.group_sum(cost)[batch.response_group] - cost) / (count - 1).clamp_min(1.0)
        each = ((cost - others) * batch.response_sum(batch.logps))[index]
        kl = term("hypo_kl", over="responses", each=each, metrics={"kl": cost[index]}, index=index)
        return losses + kl.scaled(self.lam)
