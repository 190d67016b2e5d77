"""`TokenGroups`: prompts and responses as ids, the input of the group engine. No padding, no model.

Ids are made in one place (`policies/tokens.py`), or kept as sampled; they are never made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["TokenGroup", "TokenGroups", "TokenResponse"]


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """One response as ids.

    Args:
        ids: Response ids, the end token included where `finished`; at least one.
        weight: Per id: 0 = read but not trained (tool output). None = all 1.
        step: Per id: index of its step within the response, −1 = none. None = no steps.
        finished: Whether the last id is the end token.
    """

    ids: tuple[int, ...]
    weight: tuple[float, ...] | None = None
    step: tuple[int, ...] | None = None
    finished: bool = True


@dataclass(frozen=True, slots=True)
class TokenGroup:
    """One prompt and its responses; the engine computes the prompt once.

    Args:
        id: The group's id.
        prompt: Prompt ids, at least one.
        responses: At least one.
    """

    id: str
    prompt: tuple[int, ...]
    responses: tuple[TokenResponse, ...]

    @property
    def n_tokens(self) -> int:
        """Cost in tokens with a shared prompt: P + Σ R."""
        return len(self.prompt) + sum(len(response.ids) for response in self.responses)


@dataclass(frozen=True, slots=True)
class TokenGroups:
    """Several groups. Flat per-token outputs follow their order: group, response, token."""

    groups: tuple[TokenGroup, ...]

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def n_responses(self) -> int:
        """N."""
        return sum(len(group.responses) for group in self.groups)

    @property
    def n_response_tokens(self) -> int:
        """T."""
        return sum(len(response.ids) for group in self.groups for response in group.responses)

    def subset(self, index: Sequence[int]) -> TokenGroups:
        """The groups at `index`, in that order."""
        return TokenGroups(tuple(self.groups[i] for i in index))
