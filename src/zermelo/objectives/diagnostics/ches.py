"""CHES: how alike the hidden states of the two sides of a pair are; the measured cause of likelihood displacement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zermelo.errors import SettingError

__all__ = ["Ches", "ches_scores", "keep_lowest"]


@dataclass(frozen=True)
class Ches:
    """Scores of pairs; the higher, the more the pair pushes its chosen side down.

    Args:
        ches: ⟨S⁺, S⁻⟩ − ‖S⁺‖². [M]
        ln_ches: The same on means; use it to filter (the raw score grows with the length of the rejected side). [M]
    """

    ches: Tensor
    ln_ches: Tensor


def ches_scores(hidden: Tensor, *, token_response: Tensor, pairs: Tensor) -> Ches:
    """Centred hidden embedding similarity of pairs.

        S_i = Σ_{t in y_i} h_t                                  h_t: the state that predicts token t
        CHES = ⟨S_w, S_l⟩ − ‖S_w‖²
        ln-CHES = ⟨S_w, S_l⟩/(|y_w||y_l|) − ‖S_w‖²/|y_w|²

    Use the template that training will use. Rotation leaves it unchanged; states scaled by c give c².

    Args:
        hidden: Last-layer states (after the final norm, what multiplies the unembedding) at the positions that
            predict each response token: the last prompt token first, the last response token not. [T, D]
        token_response: Response of each token. [T]
        pairs: (chosen, rejected). [M, 2]
    Source: "Unintentional Unalignment: Likelihood Displacement in Direct Preference Optimization", 2024,
        arXiv 2410.08847.
    """
    n = max(int(token_response.max()) + 1 if len(token_response) else 0, int(pairs.max()) + 1 if len(pairs) else 0)
    states = hidden if hidden.dtype == torch.float64 else hidden.float()  # sums of bfloat16 would lose their digits
    total = torch.zeros(n, states.shape[1], dtype=states.dtype, device=states.device)
    total = total.index_add(0, token_response, states)
    length = torch.bincount(token_response, minlength=n).to(states.dtype).clamp_min(1.0)
    win, lose = pairs.unbind(1)
    inner = (total[win] * total[lose]).sum(1)
    square = (total[win] ** 2).sum(1)
    return Ches(inner - square, inner / (length[win] * length[lose]) - square / length[win] ** 2)


def keep_lowest(scores: Tensor, fraction: float) -> Tensor:
    """Indices of the lowest share of the scores, ascending; at least one. The paper keeps 5 %, up to 15 % works.

    Raises:
        SettingError: fraction is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise SettingError("bad-setting", f"fraction must be in (0, 1]. Got {fraction!r}")
    if len(scores) == 0:
        return torch.zeros(0, dtype=torch.long, device=scores.device)
    count = max(1, round(fraction * len(scores)))
    return scores.argsort(stable=True)[:count].sort().values
