"""Methods that are no scalar loss: they choose which gradients act. `gradient_rule(parts)` sees them term by term."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from zermelo.errors import SettingError, one_of, positive
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.metrics import reward_metrics
from zermelo.objectives.numerics import softplus
from zermelo.objectives.protocol import Composable, Gradients, Losses, Needs, term
from zermelo.objectives.supervised import WHICH, Which, likelihood, needs_of, selected

__all__ = ["MEET", "IRepair", "NormalisedDPO", "block_norms", "concentration"]

BLOCKS = r"\.(?:layers|h|blocks|block)\.(\d+)\."


def block_norms(gradients: Gradients, *, pattern: str = BLOCKS, norm: Literal["l2", "rms"] = "l2") -> dict[int, float]:
    """Gradient norm of each block of a network, from gradients by parameter name.

    Args:
        gradients: Parameter name → gradient.
        pattern: Its first group is the block's number; parameters without a match (embeddings, head) have no block.
        norm: `l2`: ‖g‖ of all parameters of the block together; `rms`: that over √(number of them).
    """
    squares: dict[int, float] = {}
    counts: dict[int, int] = {}
    for name, gradient in gradients.items():
        found = re.search(pattern, f".{name}")
        if found:
            block = int(found.group(1))
            squares[block] = squares.get(block, 0.0) + float(gradient.detach().double().pow(2).sum())
            counts[block] = counts.get(block, 0) + gradient.numel()
    return {b: (squares[b] / (counts[b] if norm == "rms" else 1)) ** 0.5 for b in sorted(squares)}


def concentration(norms: Mapping[int, float], top: float = 0.2) -> float:
    """How much more error density the top blocks hold: mean of the top share over mean of the rest, minus 1."""
    ordered = sorted(norms.values(), reverse=True)
    cut = max(1, round(top * len(ordered)))
    rest = ordered[cut:]
    if not rest or sum(rest) == 0:
        return float("nan")
    return (sum(ordered[:cut]) / cut) / (sum(rest) / len(rest)) - 1.0


@dataclass(frozen=True)
class IRepair(Composable):
    """Repair by dynamic slicing: at each step only the blocks most sensitive to the repair loss move.

        irepair     −log π of the desired responses (`part` = 1), per token
        irepair_kl  λ KL(π_ref ‖ π) on general text (`part` = 0), per token
        step        both gradients, on the k blocks with the largest ‖∇ irepair‖ alone

    Other parameters keep their value and their optimiser state; embeddings and head are never chosen.

    Args:
        lam: Weight λ of the KL, ≥ 0.
        k: Blocks that move in a step, ≥ 1; all of them is ordinary fine-tuning.
        norm: How blocks are compared; `l2` favours large ones.
        pattern: Finds the block's number in a parameter's name.
    Raises:
        SettingError: a setting is out of range.
    Source: "IRepair: An Intent-Aware Approach to Repair Data-Driven Errors in Large Language Models", 2025,
        arXiv 2502.07072.
    """

    needs: ClassVar[Needs] = Needs(policies=("ref",), extra=("part", "kl:ref:forward"))
    lam: float = 1.0
    k: int = 1
    norm: Literal["l2", "rms"] = "l2"
    pattern: str = BLOCKS

    def __post_init__(self) -> None:
        one_of(self, "norm", ("l2", "rms"))
        if self.k < 1:
            raise SettingError("bad-setting", f"IRepair.k must be at least 1. Got {self.k!r}")
        if not callable(self.lam) and not self.lam >= 0:
            raise SettingError("bad-setting", f"IRepair.lam must be ≥ 0. Got {self.lam!r}")

    def __call__(self, batch: RaggedBatch) -> Losses:
        repair = batch.extra_of("part") > 0  # [N]
        losses = likelihood("irepair", batch, repair.nonzero().squeeze(1), "token_mean")
        tokens = (~repair)[batch.token_response].nonzero().squeeze(1)
        kl = batch.extra_of("kl:ref:forward")[tokens]
        return losses + term("irepair_kl", over="tokens", each=kl, metrics={"kl": kl}, index=tokens).scaled(self.lam)

    def gradient_rule(self, parts: Mapping[str, Gradients]) -> dict[str, Tensor]:
        """Both gradients of the chosen blocks; nothing for the rest."""
        norms = block_norms(parts["irepair"], pattern=self.pattern, norm=self.norm)
        chosen = set(sorted(norms, key=lambda block: (-norms[block], block))[: self.k])
        kept: dict[str, Tensor] = {}
        for part in parts.values():
            for name, gradient in part.items():
                found = re.search(self.pattern, f".{name}")
                if found and int(found.group(1)) in chosen:
                    kept[name] = kept[name] + gradient if name in kept else gradient
        return kept


@dataclass(frozen=True)
class NormalisedDPO(Composable):
    """DPO with the gradients of the two sides brought to one length: the remedy for gradient entanglement.

        chosen    −d log π(y_w);  rejected  +d log π(y_l),   d = βσ(−βh), no gradient        [M], one per pair
        step      ½(‖G_w‖ + ‖G_l‖) · (G_w/‖G_w‖ + G_l/‖G_l‖),  G = gradients of the two terms

    To first order log π(y_w) changes by ∝ 1 − cos ≥ 0 and log π(y_l) by ∝ −(1 − cos) ≤ 0: the chosen side cannot fall
    and the rejected one cannot rise, which a plain margin loss does not promise. The promise is for one pair a step;
    in a batch it holds for the sums. The factor in front keeps DPO's step size.

    Args:
        beta: Pull towards the reference, > 0.
    Raises:
        SettingError: beta is not a positive finite number.
    Source: "A Common Pitfall of Margin-based Language Model Alignment: Gradient Entanglement", 2024, arXiv 2410.13828.
    """

    needs: ClassVar[Needs] = Needs(pairs=True, policies=("ref",))
    beta: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "beta")

    def __call__(self, batch: RaggedBatch) -> Losses:
        reward_w, reward_l = batch.sides(self.beta * batch.log_ratio("ref"))  # [M], [M]
        d = self.beta * torch.sigmoid(reward_l - reward_w).detach()
        win, lose = batch.sides(batch.response_sum(batch.logps))
        metrics = {**reward_metrics(reward_w, reward_l), "dpo": softplus(reward_l - reward_w)}
        chosen = term("normalised_chosen", over="pairs", each=-d * win, metrics=metrics)
        return chosen + term("normalised_rejected", over="pairs", each=d * lose)

    def gradient_rule(self, parts: Mapping[str, Gradients]) -> dict[str, Tensor]:
        """Unit gradients of both sides, added, at their mean length."""
        win, lose = parts["normalised_chosen"], parts["normalised_rejected"]
        length_w, length_l = _length(win), _length(lose)
        scale = 0.5 * (length_w + length_l)
        up, down = scale / max(length_w, 1e-30), scale / max(length_l, 1e-30)
        return {name: up * win[name] + down * lose[name] for name in win if name in lose}


@dataclass(frozen=True)
class MEET(Composable):
    """Control tokens in two stages: first the control modules alone learn the preference, then everything does.

        meet   −log π_{θ, P_c}(y|x), per token, where P_c is the control module of the response's label
        step   `control`: the gradients of control modules only, the model stays bit-identical;  `both`: all

    The module of each label is chosen where the model runs; here only the loss and what moves. Without control
    modules the second stage is plain fine-tuning on good and bad responses together.

    Args:
        stage: Which stage.
        pattern: Finds the control modules' parameters by name.
        of: Which responses (`all` labels by default).
    Raises:
        SettingError: a setting is none of its choices.
    Source: "Parameter-Efficient Tuning Helps Language Model Alignment", 2023, arXiv 2310.00819.
    """

    stage: Literal["control", "both"] = "control"
    pattern: str = r"control|prompt_encoder|lora_"
    of: Which = "all"

    def __post_init__(self) -> None:
        one_of(self, "stage", ("control", "both"))
        one_of(self, "of", WHICH)

    @property
    def needs(self) -> Needs:
        """What selects the responses."""
        return needs_of(self.of)

    def __call__(self, batch: RaggedBatch) -> Losses:
        return likelihood("meet", batch, selected(batch, self.of), "token_mean")

    def gradient_rule(self, parts: Mapping[str, Gradients]) -> dict[str, Tensor]:
        """The gradients of the stage's parameters."""
        return {
            name: gradient
            for name, gradient in parts["meet"].items()
            if self.stage == "both" or re.search(self.pattern, name)
        }


def _length(gradients: Gradients) -> float:
    return float(sum(float(gradient.detach().double().pow(2).sum()) for gradient in gradients.values()) ** 0.5)
