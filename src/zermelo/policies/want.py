"""What one asks of the group engine, and what it gives back. No model here.

Positions. Token t of a response is predicted at position t − 1: its log-probability, entropy, KL, hidden state and
head value are read there (for the first token that is the last prompt position, which all responses share). Pooled
features read the finished text: positions of the response's own tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from torch import Tensor

from zermelo.errors import SettingError, one_of

__all__ = ["Backend", "Direction", "GroupLogprobs", "Want"]

Backend: TypeAlias = Literal["auto", "split", "flex", "dense", "sequences", "plain"]
Direction: TypeAlias = Literal["forward", "reverse"]


@dataclass(frozen=True)
class Want:
    """What `group_logprobs` should compute; nothing else is.

    Args:
        logps: Log-probabilities of the response tokens. False skips the output layer (reward models).
        entropy: Full-vocabulary entropy where each token is predicted, nat.
        kl: name → direction, per token over the full vocabulary, nat, against the policy of that name in `others`:
            `reverse` is KL(policy ‖ other), `forward` is KL(other ‖ policy). No gradient reaches the other.
        hidden: Final hidden states (the output layer's input) that predict each token.
        pooled: Final hidden states of the response's own tokens: the `last` one, or their `mean`.
        heads: Names of modules in `heads` (D → 1), applied to `hidden`.
        prompt: Log-probability of the prompt given its first token, summed.
    """

    logps: bool = True
    entropy: bool = False
    kl: Mapping[str, Direction] = field(default_factory=dict)
    hidden: bool = False
    pooled: Literal["last", "mean"] | None = None
    heads: tuple[str, ...] = ()
    prompt: bool = False

    def __post_init__(self) -> None:
        one_of(self, "pooled", (None, "last", "mean"))  # type: ignore[arg-type]
        for name, direction in self.kl.items():
            if direction not in ("forward", "reverse"):
                raise SettingError(
                    "bad-setting", f"Want.kl[{name!r}] must be 'forward' or 'reverse'. Got {direction!r}"
                )

    @property
    def vocabulary(self) -> bool:
        """Whether the output layer is needed at all."""
        return self.logps or self.entropy or bool(self.kl) or self.prompt


@dataclass(frozen=True)
class GroupLogprobs:
    """Results in the order of `TokenGroups`: group, response, token. float32, or float64 for a float64 model.

    Args:
        logps: log π(y_t | x, y_<t), nat. [T]
        entropy: Entropy of π(· | x, y_<t), nat. [T]
        kl: name → KL per token, nat. [T]
        hidden: Hidden states that predict each token, the model's dtype. [T, D]
        pooled: One feature vector per response, the model's dtype. [N, D]
        heads: name → head value where each token is predicted. [T]
        prompt_logps: log π(x_2 … x_P | x_1), the same for the responses of a group. [N]
        backend: The backend that computed it.
    """

    logps: Tensor | None = None
    entropy: Tensor | None = None
    kl: Mapping[str, Tensor] = field(default_factory=dict)
    hidden: Tensor | None = None
    pooled: Tensor | None = None
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    prompt_logps: Tensor | None = None
    backend: str = ""
