"""`Policy`: a causal language model, its tokenizer, its name and its template, kept together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from zermelo.policies.template import Template

__all__ = ["Policy"]


@dataclass(frozen=True)
class Policy:
    """A language model that is sampled from, trained or asked for log-probabilities.

    Args:
        model: Any Transformers causal language model, wrapped by PEFT or not.
        tokenizer: Its tokenizer.
        name: Stands as `source` on what it samples, and in reports.
        template: How prompts and responses become ids (`policies/template.py`).
    """

    model: nn.Module
    tokenizer: Any
    name: str
    template: Template

    @property
    def device(self) -> torch.device:
        """Where the model's first parameter is."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the model's first floating-point parameter."""
        import torch

        return next((p.dtype for p in self.model.parameters() if p.is_floating_point()), torch.float32)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Ids that end a response when sampled; the first is the tokenizer's own end token."""
        return self.template.end_ids

    @property
    def max_length(self) -> int | None:
        """The context in tokens, prompt and response together; None where neither model nor tokenizer says."""
        config: Any = getattr(self.model, "config", None)
        inner = config.get_text_config() if hasattr(config, "get_text_config") else config
        for name in ("max_position_embeddings", "n_positions", "max_sequence_length", "n_ctx"):
            found = getattr(inner, name, None)
            if isinstance(found, int) and found > 0:
                return found
        limit = getattr(self.tokenizer, "model_max_length", None)
        return int(limit) if isinstance(limit, int | float) and limit < 1e9 else None  # HF's "unknown" is 1e30
