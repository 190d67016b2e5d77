"""Pairwise losses that look at each side by itself, not only at the margin: EXO, NCA, BCO, APO.

r̂_i = β (log π(y_i|x) − log π_ref(y_i|x)), the implicit reward [N]; softplus(−z) = −log σ(z).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from zermelo.errors import SettingError, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["APODown", "APOZero", "BCOPair", "EXOPair", "NCAPair"]

PAIRS_AND_REFERENCE = Needs(pairs=True, policies=("ref",))


@dataclass(frozen=True)
class EXOPair(Composable):
    """Efficient exact optimisation on pairs: the *reverse* KL from policy to label (DPO's is the forward one).

        q_w = σ(r̂_w − r̂_l),  q_l = 1 − q_w
        L_m = q_w (log q_w − log(1 − ε)) + q_l (log q_l − log ε)  =  KL(q ‖ (1−ε, ε)) ≥ 0      [M], nat

    Zero exactly where σ(βh) = 1 − ε, so the margin has a finite target.

    Args:
        beta: Pull towards the reference, > 0.
        epsilon: Smoothing of the label, in (0, ½): log ε must be finite.
    Raises:
        SettingError: beta is not positive, or epsilon is outside (0, ½).
    Source: "Towards Efficient Exact Optimization of Language Model Alignment", 2024, arXiv 2402.00856.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        positive(self, "beta", "epsilon")
        if not callable(self.epsilon) and self.epsilon >= 0.5:
            raise SettingError("bad-setting", f"EXOPair.epsilon must be below ½. Got {self.epsilon!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        log_qw, log_ql = -softplus(lose - win), -softplus(win - lose)
        each = log_qw.exp() * (log_qw - math.log1p(-self.epsilon)) + log_ql.exp() * (log_ql - math.log(self.epsilon))
        return term("exo_pair", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class NCAPair(Composable):
    """Noise contrastive alignment on pairs: raises the chosen likelihood itself, not only the margin.

        L_m = softplus(−r̂_w) + ½ softplus(r̂_w) + ½ softplus(r̂_l)                              [M], nat

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Noise Contrastive Alignment of Language Models with Explicit Rewards", 2024, arXiv 2402.05369.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        each = softplus(-win) + 0.5 * softplus(win) + 0.5 * softplus(lose)
        return term("nca_pair", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class BCOPair(Composable):
    """Binary classifier on pairs: chosen against δ, rejected against δ, with a fixed shift δ.

        L_m = softplus(−(r̂_w − δ)) + softplus(r̂_l − δ)                                         [M], nat

    `BCO` is the unpaired form, which estimates δ.

    Args:
        beta: Pull towards the reference, > 0.
        shift: δ, the reward at which the classifier is undecided.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Binary Classifier Optimization for Large Language Model Alignment", 2024, arXiv 2404.04656.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1
    shift: float = 0.0

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        each = softplus(self.shift - win) + softplus(lose - self.shift)
        return term("bco_pair", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class APOZero(Composable):
    """Anchored preference optimisation, *zero*: chosen up, rejected down, both anchored at the reference.

        L_m = 1 − σ(r̂_w) + σ(r̂_l)                                                              [M]

    For data whose chosen responses are better than the policy's own. Gradients vanish far from the reference.

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Anchored Preference Optimization and Contrastive Revisions: Addressing Underspecification in Alignment",
        2024, arXiv 2408.06266.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        each = torch.sigmoid(-win) + torch.sigmoid(lose)
        return term("apo_zero", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class APODown(Composable):
    """Anchored preference optimisation, *down*: both sides down, the rejected one faster.

        L_m = σ(r̂_w) + 1 − σ(r̂_w − r̂_l)                                                        [M]

    For data whose chosen responses are worse than the policy's own.

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Anchored Preference Optimization and Contrastive Revisions: Addressing Underspecification in Alignment",
        2024, arXiv 2408.06266.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        each = torch.sigmoid(win) + torch.sigmoid(lose - win)
        return term("apo_down", over="pairs", each=each, metrics=reward_metrics(win, lose))
