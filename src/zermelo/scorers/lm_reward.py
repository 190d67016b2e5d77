"""`LMReward`: a language model with a scalar head, read at the last token of the finished response."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import SettingError, positive
from zermelo.feedback.records import Group, Judgement
from zermelo.progress import Bar, silent
from zermelo.scorers.card import find_card, read_card
from zermelo.scorers.judging import comparisons, ratings

if TYPE_CHECKING:
    import torch

    from zermelo.policies.load import DType
    from zermelo.policies.policy import Policy
    from zermelo.policies.template import Chat

__all__ = ["LMReward"]


@dataclass(frozen=True)
class LMReward:
    """A Bradley–Terry reward model on a language model's body.

        r(x, y) = w · h(x, y)_last        logits;   P(y ≻ y') = σ(r(x, y) − r(x, y'))

    The prompt of a group is computed once for all its responses. Any Transformers sequence classifier with one label
    and a linear head named `score` will do (`zermelo reward train --model` writes one).

    Args:
        policy: The classifier with its tokenizer and template.
        name: Stands as `by`.
        batch_tokens: Tokens computed at once.
        overlong: What happens to a response that does not fit the context: `cut` keeps its beginning, `drop` leaves it
            unjudged.
    Source: "Learning to summarize from human feedback", 2020, arXiv 2009.01325.
    """

    policy: Policy
    name: str = "lm-reward"
    batch_tokens: int = 16_384
    overlong: str = "cut"

    def __post_init__(self) -> None:
        positive(self, "batch_tokens")
        if self.overlong not in ("cut", "drop"):
            raise SettingError("bad-setting", f"LMReward.overlong must be 'cut' or 'drop'. Got {self.overlong!r}")
        head: Any = getattr(self.policy.model, "score", None)
        if head is None or getattr(head, "out_features", None) != 1:
            raise SettingError(
                "no-reward-head",
                f"{self.policy.name}: {type(self.policy.model).__name__} has no linear head `score` with one output",
                hint="a reward model is a sequence classifier with one label",
            )

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        dtype: DType = "float32",
        device: str | torch.device | None = None,
        trust_remote_code: bool = False,
        batch_tokens: int = 16_384,
    ) -> LMReward:
        """A reward model from its folder (or a run's), or any sequence classifier by hub name.

        Raises:
            MissingError: no such model, or no tokenizer with it.
            SettingError: it has no head with one output.
        """
        from zermelo.policies.load import load_classifier

        card = None if find_card(folder) is None else read_card(folder, "lm")
        at = find_card(folder)
        place = os.fspath(folder) if at is None else os.fspath(at.parent)
        chat: Chat = "auto" if card is None else card.get("chat", "auto")
        policy = load_classifier(place, dtype=dtype, device=device, chat=chat, trust_remote_code=trust_remote_code)
        name = Path(os.fspath(folder).rstrip("/")).name
        return cls(policy, name, batch_tokens)

    def rewards(self, groups: Sequence[Group], *, bar: Bar = silent) -> list[NDArray[np.float64]]:
        """r(x, y) of each response of each group, in logits; NaN where there is no text. [G] × [K]"""
        import torch

        from zermelo.policies.engine import group_logprobs
        from zermelo.policies.packing import microbatches
        from zermelo.policies.tokens import tokenise
        from zermelo.policies.want import Want

        model: Any = self.policy.model
        body = getattr(model, model.base_model_prefix)
        made = tokenise(groups, self.policy, overlong="cut" if self.overlong == "cut" else "drop")
        out = [np.full(len(group.responses), np.nan) for group in groups]
        advance = bar("score", total=len(made.tokens))
        for part in microbatches(made.tokens, self.batch_tokens):
            some = made.tokens.subset(part)
            with torch.no_grad():
                found = group_logprobs(body, some, want=Want(logps=False, pooled="last"), grad=False)
                assert found.pooled is not None
                values = model.score(found.pooled.to(model.score.weight.dtype)).reshape(-1).double().cpu().numpy()
            at = 0
            for number in part:
                place = made.index[number]
                for response in place.responses:
                    if not groups[place.group].responses[response].empty:
                        out[place.group][response] = values[at]
                    at += 1
            advance(len(part))
        return out

    def score(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """A rating for each response. See `Scorer`."""
        return [ratings(values, self.name) for values in self.rewards(groups)]

    def compare(self, groups: Sequence[Group]) -> list[tuple[Judgement, ...]]:
        """P(i ≻ j) = σ(r_i − r_j) for each pair. See `Comparer`."""
        return [comparisons(values, self.name) for values in self.rewards(groups)]
