"""One next token: from logits [B, V] and one uniform number per row."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zermelo.policies.sampling.protocol import Sampling

__all__ = ["draw", "filtered"]


def filtered(logps: Tensor, sampling: Sampling) -> Tensor:
    """Log-probabilities of the distribution that is drawn from; −inf = cut away. [B, V] → [B, V]"""
    if sampling.plain:
        return logps
    scores = logps / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scores.shape[-1]:
        least = scores.topk(sampling.top_k, dim=-1).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if sampling.top_p < 1.0:
        ordered, place = scores.sort(dim=-1, descending=True)
        p = ordered.softmax(-1)
        out = p.cumsum(-1) - p >= sampling.top_p  # the token that crosses top_p stays
        scores = scores.masked_fill(out.gather(-1, place.argsort(-1)), -torch.inf)
    if sampling.min_p > 0.0:
        p = scores.softmax(-1)
        scores = scores.masked_fill(p < sampling.min_p * p.amax(-1, keepdim=True), -torch.inf)
    return scores.log_softmax(-1)


def draw(logits: Tensor, u: NDArray[np.float64], sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens by inverting the cumulative distribution at `u`.

    Args:
        logits: The model's output. [B, V]
        u: One number in (0, 1) per row. [B]
        sampling: Settings.
    Returns:
        tokens [B], their log-probability under the policy itself [B], and under the distribution drawn from [B], nat.
    """
    logps = logits.float().log_softmax(-1)  # [B, V]
    if sampling.temperature == 0.0:
        tokens = logps.argmax(-1)
        return tokens, _at(logps, tokens), torch.zeros_like(logps[:, 0])
    drawn = filtered(logps, sampling)
    cumulative = drawn.double().exp().cumsum(-1)  # float64: 128k float32 summands lose the tail
    level = torch.as_tensor(u, device=logits.device)[:, None] * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, level, right=True)[:, 0].clamp_(max=logps.shape[-1] - 1)
    return tokens, _at(logps, tokens), _at(drawn, tokens)


def _at(values: Tensor, tokens: Tensor) -> Tensor:
    return values.gather(-1, tokens[:, None])[:, 0]
