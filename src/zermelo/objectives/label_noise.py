"""Pairs whose labels may be wrong: smoothing, debiasing, stated probabilities, and EM over label correctness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from zermelo.errors import SettingError, one_of, positive, unit_interval
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.pairwise import DPO
from zermelo.objectives.protocol import Composable, Losses, Needs, Stats, refuse_rules, term

__all__ = ["CDPO", "LCPO", "RobustDPO", "SoftDPO", "label_posterior"]

PAIRS_AND_REFERENCE = Needs(pairs=True, policies=("ref",))


@dataclass(frozen=True)
class CDPO(Composable):
    """Conservative DPO: label smoothing, as if a share ε of the labels were wrong.

        L_m = (1−ε) softplus(−βh_m) + ε softplus(βh_m)                  [M], nat, one per pair

    The margin has a finite target, βh = log((1−ε)/ε).

    Args:
        beta: Pull towards the reference, > 0.
        epsilon: Smoothing, in [0, ½).
    Raises:
        SettingError: beta is not positive, or epsilon is outside [0, ½).
    Source: "A note on DPO with noisy preferences & relationship to IPO", 2023, Eric Mitchell.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")
        unit_interval(self, "epsilon", open_right=0.5)

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        each = (1 - self.epsilon) * softplus(lose - win) + self.epsilon * softplus(win - lose)
        return term("cdpo", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class SoftDPO(Composable):
    """DPO on stated probabilities: cross-entropy with p = P(first ≻ second), as a judge or a vote gave it.

        L_m = p_m softplus(−βh_m) + (1 − p_m) softplus(βh_m)            [M], nat, one per pair

    Minimal at βh = logit p. With p = 1 it is DPO.

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023, arXiv 2305.18290
        (its objective before the label is sampled).
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        each = batch.prob * softplus(lose - win) + (1 - batch.prob) * softplus(win - lose)
        return term("soft_dpo", over="pairs", each=each, metrics=reward_metrics(win, lose))


@dataclass(frozen=True)
class RobustDPO(Composable):
    """DPO that is unbiased when a known share ε of the labels is flipped.

        L_m = [ (1−ε) softplus(−βh_m) − ε softplus(βh_m) ] / (1 − 2ε)   [M], nat, one per pair

    Averaged over flips it equals the DPO of clean labels exactly. Single values may be negative, without bound.

    Args:
        beta: Pull towards the reference, > 0.
        epsilon: Share of flipped labels, in [0, ½).
    Raises:
        SettingError: beta is not positive, or epsilon is outside [0, ½).
    Source: "Provably Robust DPO: Aligning Language Models with Noisy Feedback", 2024, arXiv 2403.00409.
    """

    needs: ClassVar[Needs] = PAIRS_AND_REFERENCE
    beta: float = 0.1
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")
        unit_interval(self, "epsilon", open_right=0.5)

    def __call__(self, batch: RaggedBatch) -> Losses:
        win, lose = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        clean = (1 - self.epsilon) * softplus(lose - win) - self.epsilon * softplus(win - lose)
        return term("robust_dpo", over="pairs", each=clean / (1 - 2 * self.epsilon), metrics=reward_metrics(win, lose))


def label_posterior(p: Tensor, eta: Tensor | float) -> Tensor:
    """P(the label is right | the model prefers its side with p, its annotator is right with η), elementwise.

        w = p η / (p η + (1 − p)(1 − η))

    Source: "Latent Collective Preference Optimization", 2025, arXiv 2509.24159.
    """
    right, wrong = p * eta, (1 - p) * (1 - eta)
    return right / (right + wrong).clamp_min(torch.finfo(right.dtype).tiny)


@dataclass(frozen=True)
class LCPO(Composable):
    """EM over label correctness, around any pairwise objective (published as LCPO, later as RE-PO).

        p_m = σ( ℓ(l ≻ w) − ℓ(w ≻ l) )         Gibbs probability of the label under the base loss ℓ, both orders
        w_m = p η_k / (p η_k + (1−p)(1−η_k))   no gradient; k = annotator of the pair
        L_m = −w log p − (1−w) log(1−p)        `gibbs`;   w ℓ(w ≻ l) + (1−w) ℓ(l ≻ w)   `loss`      [M], nat
        η_k ← (1−α) η_k + α · mean of w over the step's pairs of annotator k

    For DPO p is σ(βh) and both forms are equal; for IPO p = σ(2h/τ). A base with several terms gives p by its first;
    its other terms over pairs (CPO's likelihood of the chosen) are kept and weighted by w. At the start p = ½ and
    w = η: plain smoothing. η below ½ would flip every label, so it is kept at or above `lowest` (our addition).

    Args:
        base: Any objective whose first term is over pairs.
        eta: First reliability of every annotator η₀, in (½, 1].
        alpha: Step of the moving average, in (0, 1].
        n_annotators: 1 = all labels share one virtual annotator; else annotators 0…n−1, unknown ones the mean.
        form: Which loss.
        lowest: Lower bound of η.
    Raises:
        SettingError: a setting is out of range, or the base's first term is not over pairs.
    Source: "Latent Collective Preference Optimization: A General Framework for Robust LLM Alignment", 2025,
        arXiv 2509.24159.
    """

    base: Any = field(default_factory=DPO)
    eta: float = 0.9
    alpha: float = 0.1
    n_annotators: int = 1
    form: Literal["gibbs", "loss"] = "gibbs"
    lowest: float = 0.5

    def __post_init__(self) -> None:
        refuse_rules("wrapped", self.base)
        unit_interval(self, "eta", "alpha", "lowest")
        one_of(self, "form", ("gibbs", "loss"))
        if self.n_annotators < 1:
            raise SettingError("bad-setting", f"LCPO.n_annotators must be at least 1. Got {self.n_annotators!r}")

    @property
    def needs(self) -> Needs:
        """Those of the base."""
        return self.base.needs

    def __call__(self, batch: RaggedBatch) -> Losses:
        base_state = batch.state.get("base", {})
        inner = batch.with_(state=base_state)
        right, wrong = self.base(inner), self.base(inner.with_(pairs=batch.pairs.flip(1), prob=1 - batch.prob))
        first, other = right.terms[0], wrong.terms[0]
        if first.over != "pairs" or first.index is not None:
            raise SettingError("bad-setting", "LCPO.base must have a first term over all pairs")
        log_odds = other.each - first.each  # [M]
        eta = self._eta(batch)
        w = label_posterior(torch.sigmoid(log_odds.detach()), eta)
        if self.form == "gibbs":
            each = w * softplus(-log_odds) + (1 - w) * softplus(log_odds)
        else:
            each = w * first.each + (1 - w) * other.each
        metrics = {**first.metrics, "label_correct": w}
        for k in range(self.n_annotators):
            mine = torch.ones_like(w) if self.n_annotators == 1 else (batch.annotator == k).to(w.dtype)
            metrics |= {f"correct_{k}": w * mine, f"share_{k}": mine}
        lead = term("lcpo", over="pairs", each=each, metrics=metrics).scaled(first.scale)
        rest = [
            replace(item, each=item.each * (w if item.index is None else w[item.index]))
            if item.over == "pairs"
            else item
            for item in right.terms[1:]
        ]
        return lead + Losses(tuple(rest))

    def _eta(self, batch: RaggedBatch) -> Tensor:
        """η of each pair's annotator. [M]"""
        known: Any = batch.state.get("eta", [self.eta] * self.n_annotators)
        eta = torch.as_tensor(known, dtype=batch.weight.dtype, device=batch.weight.device)
        if self.n_annotators == 1:
            return eta.expand(batch.n_pairs)
        given = (batch.annotator >= 0) & (batch.annotator < self.n_annotators)
        return torch.where(given, eta[batch.annotator.clamp(0, self.n_annotators - 1)], eta.mean())

    def init_state(self) -> Stats:
        """η₀ of every annotator, and the base's state."""
        return {"eta": [float(self.eta)] * self.n_annotators, "base": self.base.init_state()}

    def update(self, state: Stats, sums: Mapping[str, float]) -> Stats:
        """η after one moving-average step; an annotator without pairs in the step keeps his."""
        eta = []
        for k, old in enumerate(state["eta"]):
            share = sums.get(f"lcpo/share_{k}", 0.0)
            new = sums[f"lcpo/correct_{k}"] / share if share > 0 else old
            eta.append(min(max((1 - self.alpha) * old + self.alpha * new, self.lowest), 1 - 1e-4))
        return {"eta": eta, "base": self.base.update(state.get("base", {}), sums)}
