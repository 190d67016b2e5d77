"""For reward models that must hold on new data: contrast of hidden states, and a step that looks ahead to a shift.

Pure functions of tensors; `meta_step` moves the parameters it is given, as an optimiser does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from zermelo.errors import SettingError

__all__ = ["difference_of_rewards", "meta_step", "simcse_loss", "sinkhorn", "swav_loss"]


def simcse_loss(h: Tensor, again: Tensor, *, tau: float = 0.05) -> Tensor:
    """Two passes with dropout over the same text shall be nearer to each other than to other texts. [N], nat

        L_i = −log( exp(cos(h_i, h⁺_i)/τ) / Σ_j exp(cos(h_i, h⁺_j)/τ) )

    Args:
        h: Hidden states of one pass (of chosen, of rejected, or chosen − rejected). [N, D]
        again: Of another. [N, D]
        tau: Temperature, > 0.
    Source: "Secrets of RLHF in Large Language Models Part II: Reward Modeling", 2024, arXiv 2401.06080.
    """
    if not tau > 0 or h.shape != again.shape or h.dim() != 2:
        raise SettingError("bad-setting", f"simcse_loss: tau > 0 and equal [N, D]. Got {tau!r}, {tuple(h.shape)}")
    near = torch.nn.functional.normalize(h.float(), dim=1) @ torch.nn.functional.normalize(again.float(), dim=1).T
    return -(near / tau).log_softmax(dim=1).diagonal()


def sinkhorn(scores: Tensor, *, epsilon: float = 0.05, rounds: int = 3) -> Tensor:
    """Soft assignment of N states to K prototypes that uses all prototypes alike: rows sum to 1. [N, K]

    Args:
        scores: Similarities. [N, K]
        epsilon: Entropy, > 0.
        rounds: Of normalising columns to 1/K and rows to 1/N.
    """
    with torch.no_grad():
        n, k = scores.shape
        log_q = scores.float() / epsilon
        for _ in range(rounds):  # in logs: exp of similarity / 0.05 overflows half precision
            log_q = log_q - log_q.logsumexp(dim=0, keepdim=True) - torch.log(torch.tensor(float(k)))
            log_q = log_q - log_q.logsumexp(dim=1, keepdim=True) - torch.log(torch.tensor(float(n)))
        return log_q.exp() * n


def swav_loss(h: Tensor, again: Tensor, prototypes: Tensor, *, tau: float = 0.1, epsilon: float = 0.05) -> Tensor:
    """Each pass shall predict which prototypes the other is assigned to. [N], nat

        L = −Σ_k q_k(h⁺) log p_k(h) − Σ_k q_k(h) log p_k(h⁺),   p = softmax(cos(h, C)/τ), q by Sinkhorn

    Args:
        h: Hidden states of one pass. [N, D]
        again: Of another. [N, D]
        prototypes: C. [K, D]
        tau: Temperature of p.
        epsilon: Of the assignment.
    Source: "Secrets of RLHF in Large Language Models Part II: Reward Modeling", 2024, arXiv 2401.06080.
    """
    unit = torch.nn.functional.normalize
    c = unit(prototypes.float(), dim=1)
    one, two = unit(h.float(), dim=1) @ c.T, unit(again.float(), dim=1) @ c.T  # [N, K]
    first = -(sinkhorn(two, epsilon=epsilon) * (one / tau).log_softmax(dim=1)).sum(dim=1)
    return first - (sinkhorn(one, epsilon=epsilon) * (two / tau).log_softmax(dim=1)).sum(dim=1)


def difference_of_rewards(rewards: Tensor) -> Tensor:
    """How far a reward model tells the answers to a prompt apart. [G]

        J = 2/k² Σ_{i<j} σ(|r_i − r_j|)        (k − 1)/(2k) where all rewards are equal

    Args:
        rewards: Of k answers to each prompt, without labels. [G, k]
    Source: "Secrets of RLHF in Large Language Models Part II: Reward Modeling", 2024, arXiv 2401.06080.
    """
    k = rewards.shape[1]
    gap = (rewards[:, :, None] - rewards[:, None, :]).abs()
    above = torch.triu(torch.ones(k, k, dtype=torch.bool, device=rewards.device), diagonal=1)
    return torch.where(above, torch.sigmoid(gap), torch.zeros_like(gap)).sum(dim=(1, 2)) * 2 / k**2


def meta_step(
    parameters: Iterable[Tensor],
    difference: Callable[[], Tensor],
    loss: Callable[[], Tensor],
    optimiser: torch.optim.Optimizer,
    *,
    eta: float = 0.01,
) -> tuple[float, float]:
    """One step of MetaRM: descend the loss as it would be after a step that tells shifted answers better apart.

        θ' = θ + η ∇J_θ(S);   θ ← θ − α ∇_{θ'} L_{θ'}(X)        first order: the gradient at θ' is applied at θ

    Args:
        parameters: θ, leaf tensors that the optimiser holds.
        difference: J on answers of the shifted policy, computed afresh when called.
        loss: L on labelled pairs, computed afresh when called.
        optimiser: Takes the step; its rate is α.
        eta: η; 0 is a plain step.
    Returns:
        J at θ and L at θ'.
    Source: "Secrets of RLHF in Large Language Models Part II: Reward Modeling", 2024, arXiv 2401.06080.
    """
    theta = [item for item in parameters if item.requires_grad]
    before = difference()
    uphill = torch.autograd.grad(before, theta, allow_unused=True)
    kept = [item.detach().clone() for item in theta]
    with torch.no_grad():
        for item, slope in zip(theta, uphill, strict=True):
            if slope is not None:
                item.add_(slope, alpha=eta)
    optimiser.zero_grad(set_to_none=True)
    after = loss()
    after.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for item, old in zip(theta, kept, strict=True):  # as it was, to the last bit
            item.copy_(old)
    optimiser.step()
    return float(before.detach()), float(after.detach())
