"""Gradient entanglement: whether one step moves the two sides of a pair together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Entanglement", "entanglement", "head_products"]


@dataclass(frozen=True)
class Entanglement:
    """First-order prediction of what a margin loss does to each pair.

    Args:
        inner: ⟨g_w, g_l⟩. [M]
        cosine: Its cosine. [M]
        square_win: ‖g_w‖². [M]
        square_lose: ‖g_l‖². [M]
        ratio: ⟨g_w, g_l⟩ / min(‖g_w‖², ‖g_l‖²); below 1 both sides move as wanted (for equal weights). [M]
        change_win: d_w‖g_w‖² − d_l⟨g_w, g_l⟩, per unit of learning rate. [M]
        change_lose: d_w⟨g_w, g_l⟩ − d_l‖g_l‖². [M]
    """

    inner: Tensor
    cosine: Tensor
    square_win: Tensor
    square_lose: Tensor
    ratio: Tensor
    change_win: Tensor
    change_lose: Tensor

    @property
    def wanted(self) -> Tensor:
        """The chosen rises (or stays) and the rejected falls (or stays). [M]"""
        return (self.change_win >= 0) & (self.change_lose <= 0)

    @property
    def both_up(self) -> Tensor:
        """Both rise. [M]"""
        return (self.change_win > 0) & (self.change_lose > 0)

    @property
    def both_down(self) -> Tensor:
        """Both fall: the displacing regime. [M]"""
        return (self.change_win < 0) & (self.change_lose < 0)

    def shares(self) -> dict[str, float]:
        """Share of pairs in each regime, and the mean cosine and ratio."""
        return {
            "wanted": float(self.wanted.double().mean()),
            "both_up": float(self.both_up.double().mean()),
            "both_down": float(self.both_down.double().mean()),
            "cosine": float(self.cosine.double().mean()),
            "ratio": float(self.ratio.double().mean()),
        }


def entanglement(
    inner: Tensor,
    square_win: Tensor,
    square_lose: Tensor,
    *,
    weight_win: Tensor | float = 1.0,
    weight_lose: Tensor | float = 1.0,
) -> Entanglement:
    """Regimes of pairs from inner products of their gradients g = ∇ log π(y) (summed log-probabilities, no dropout).

        θ ← θ + η (d_w g_w − d_l g_l),   d_w = −∂L/∂log π_w ≥ 0,  d_l = ∂L/∂log π_l ≥ 0
        Δ log π_w = η (d_w‖g_w‖² − d_l⟨g_w, g_l⟩),   Δ log π_l = η (d_w⟨g_w, g_l⟩ − d_l‖g_l‖²)

    A prediction for plain SGD; momentum and Adam break it. `head_products` gives the inner products of the output
    layer alone where full gradients are too dear.

    Args:
        inner: ⟨g_w, g_l⟩. [M]
        square_win: ‖g_w‖². [M]
        square_lose: ‖g_l‖². [M]
        weight_win: d_w: βσ(−βh) for DPO, over |y_w| for SimPO, plus the weight of a likelihood term.
        weight_lose: d_l.
    Source: "A Common Pitfall of Margin-based Language Model Alignment: Gradient Entanglement", 2024, arXiv 2410.13828
        (the authors' script compares ‖g_w‖² with itself; here both norms are used).
    """
    tiny = torch.finfo(inner.dtype).tiny
    return Entanglement(
        inner=inner,
        cosine=inner / (square_win * square_lose).sqrt().clamp_min(tiny),
        square_win=square_win,
        square_lose=square_lose,
        ratio=inner / torch.minimum(square_win, square_lose).clamp_min(tiny),
        change_win=weight_win * square_win - weight_lose * inner,
        change_lose=weight_win * inner - weight_lose * square_lose,
    )


def head_products(
    hidden: Tensor, error: Tensor, *, token_response: Tensor, pairs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Inner products of the output layer's gradients: ∇_W log π(y) = Σ_t (e_{y_t} − p_t) h_tᵀ.

    Args:
        hidden: States that predict each token. [T, D]
        error: e_{y_t} − softmax(logits_t). [T, V]
        token_response: Response of each token. [T]
        pairs: (chosen, rejected). [M, 2]
    Returns:
        ⟨g_w, g_l⟩, ‖g_w‖², ‖g_l‖², as `entanglement` takes them. [M], [M], [M]
    """

    def product(a: Tensor, b: Tensor) -> Tensor:
        # ⟨Σ e_s h_sᵀ, Σ e_t h_tᵀ⟩ = Σ_st ⟨e_s, e_t⟩⟨h_s, h_t⟩: no [V, D] matrix is made
        return ((error[a] @ error[b].T) * (hidden[a] @ hidden[b].T)).sum()

    tokens = [(token_response == response).nonzero().squeeze(1) for response in range(int(pairs.max()) + 1)]
    rows = [
        torch.stack([product(tokens[w], tokens[l]), product(tokens[w], tokens[w]), product(tokens[l], tokens[l])])
        for w, l in pairs.tolist()
    ]
    inner, win, lose = torch.stack(rows).unbind(1)
    return inner, win, lose
