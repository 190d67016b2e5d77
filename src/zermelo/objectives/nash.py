"""Losses of preference games: SPPO, DNO and INPO. Rounds of sample → judge → align drive them.

`ref` is the policy that the round started from, π_t (the loop's default reference); INPO reads π_t as `prev` and keeps
`ref` for the first policy of all rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from zermelo.errors import SettingError, one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["DNO", "INPO", "SPPO"]


@dataclass(frozen=True)
class SPPO(Composable):
    """Self-play preference optimisation: regress each response's log-ratio onto its win rate.

        soft:  L_i = (Δ_i − η (P̂_i − ½))²                     [n], nat², per scored response; P̂ = score in [0, 1]
        hard:  L_m = (Δ_w − η/2)² + (Δ_l + η/2)²              [M], nat², one per pair

    Δ is against π_t, the policy of this round. η is 1/β; it is required because it scales with the length of
    responses (the paper's 1e3, recalled, is for long ones).

    Args:
        eta: Step of the multiplicative-weights update, > 0.
        wins: `hard` (won or lost) or `soft` (win rates against the policy's own samples, in `scores`).
    Raises:
        SettingError: eta is not positive.
    Source: "Self-Play Preference Optimization for Language Model Alignment", 2024, arXiv 2405.00675.
    """

    eta: float
    wins: Literal["hard", "soft"] = "hard"

    def __post_init__(self) -> None:
        positive(self, "eta")
        one_of(self, "wins", ("hard", "soft"))

    @property
    def needs(self) -> Needs:
        """Pairs (hard) or scores (soft), and π_t as `ref`."""
        return Needs(pairs=self.wins == "hard", scores=self.wins == "soft", policies=("ref",))

    def __call__(self, batch: RaggedBatch) -> Losses:
        delta = batch.log_ratio("ref")  # [N]
        if self.wins == "soft":
            index = torch.isfinite(batch.scores).nonzero().squeeze(1)
            error = delta[index] - self.eta * (batch.scores[index] - 0.5)
            return term("sppo", over="responses", each=error**2, metrics={"error": error.abs()}, index=index)
        win, lose = batch.sides(delta)
        each = (win - self.eta / 2) ** 2 + (lose + self.eta / 2) ** 2
        return term("sppo", over="pairs", each=each, metrics=reward_metrics(win / self.eta, lose / self.eta))


@dataclass(frozen=True)
class DNO(Composable):
    """Direct Nash optimisation, soft form: regress the internal reward's differences onto expected win rates.

        d_m = η (Δ_1 − Δ_2),  q_m = σ(r_1 − r_2),  r = win rate against π_t in `scores`
        L_m = q softplus(−d) + (1−q) softplus(d)              [M], nat, one per pair

    Minimal at d = r_1 − r_2, so the exact solution is π_t · e^{r/η}/Z. `pairs` only says which responses meet. With
    q ∈ {0, 1} it is DPO against π_t, which is also the practical recipe: large-margin pairs, then `DPO`.

    Args:
        eta: Scale of the log-ratios, > 0.
    Raises:
        SettingError: eta is not positive.
    Source: "Direct Nash Optimization: Teaching Language Models to Self-Improve with General Preferences", 2024,
        arXiv 2404.03715.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, scores=True, policies=("ref",))
    eta: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "eta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        one, two = batch.sides(self.eta * batch.log_ratio("ref"))  # [M], [M]
        r_one, r_two = batch.sides(batch.scores)
        index = torch.isfinite(r_one - r_two).nonzero().squeeze(1)
        d, q = (one - two)[index], torch.sigmoid(r_one - r_two)[index]
        each = q * softplus(-d) + (1 - q) * softplus(d)
        metrics = {name: value[index] for name, value in reward_metrics(one, two).items()}
        return term("dno", over="pairs", each=each, metrics=metrics, index=index)


@dataclass(frozen=True)
class INPO(Composable):
    """Iterative Nash policy optimisation: mirror descent on the KL-regularised preference game, by regression.

        h_m = log π(y_w)/π(y_l) − (τ/η) log π_ref(y_w)/π_ref(y_l) − ((η−τ)/η) log π_t(y_w)/π_t(y_l)
        L_m = (h_m − 1/(2η))²                                 [M], nat², one per pair

    τ → 0 is IPO against π_t, τ = η IPO against π_ref. The target 1/(2η) is large at the published η: clip gradients.

    Args:
        eta: Inverse step of mirror descent, > 0.
        tau: Weight of the KL to `ref` in the game, in [0, eta].
    Raises:
        SettingError: eta is not positive or tau lies outside [0, eta].
    Source: "Iterative Nash Policy Optimization: Aligning LLMs with General Preferences via No-Regret Learning", 2024,
        arXiv 2407.00617.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, policies=("ref", "prev"))
    eta: float = 0.0075
    tau: float = 0.0025

    def __post_init__(self) -> None:
        positive(self, "eta")
        if not callable(self.tau) and not callable(self.eta) and not 0 <= self.tau <= self.eta:
            raise SettingError("bad-setting", f"INPO.tau must be in [0, eta]. Got {self.tau!r} with eta {self.eta!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        share = self.tau / self.eta
        anchor = share * batch.logps_of["ref"] + (1 - share) * batch.logps_of["prev"]  # [T]
        win, lose = batch.sides(batch.response_sum(batch.logps - anchor))  # [M], [M]
        each = (win - lose - 1 / (2 * self.eta)) ** 2
        return term("inpo", over="pairs", each=each, metrics=reward_metrics(self.eta * win, self.eta * lose))
