"""`zermelo reward train --model`: a language model with a scalar head. `cli/reward.py` calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zermelo.cli.training import lora_of, say, settings_of, tell

__all__ = ["train_language_model"]


def train_language_model(
    groups: list[Any],
    model: str,
    out: Path,
    *,
    objective: Any = "bradley_terry_reward",
    lora: int | None = None,
    validation_share: float = 0.1,
    fresh: bool = False,
    as_json: bool = False,
    **settings: Any,
) -> None:
    """Train a reward model on groups and tell how it went.

    Args:
        groups: Read already.
        model: A folder or hub name to start from.
        out: Folder of the run; `model/` in it loads as `zermelo.scorers.LMReward`.
        objective: Plain form of `bradley_terry_reward` or `reward_regression`.
        lora: Rank of a new adapter; None = all weights.
        validation_share: Share of the prompts held out; the accuracy reported is theirs.
        fresh: Start over.
        as_json: One JSON document on stdout.
        settings: Fields of `OfflineSettings`; those that are None keep their defaults.
    """
    from zermelo.progress import bars
    from zermelo.training.reward import train_reward

    given = {"lr": 1e-5, "validation_share": validation_share, **settings}
    with bars() as bar:
        result = train_reward(
            model,
            groups,
            objective,
            settings=settings_of(given),
            out=out,
            lora=lora_of(lora),
            fresh=fresh,
            bar=bar,
            say=say,
        )
    tell(result, as_json=as_json)
