"""Scorers by name, for recipes and the command line: a catalogue name, a saved folder, an import path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zermelo.catalogue import names, resolve
from zermelo.errors import SettingError, nearest
from zermelo.scorers.card import CARD, find_card, read_card

__all__ = ["load_scorer"]


def load_scorer(
    what: str,
    settings: Mapping[str, Any] | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
) -> Any:
    """A `Scorer` or `Comparer`.

    Args:
        what: A folder that holds a saved reward model (or a run's folder), a name of the catalogue (`numeric`, `exact`,
            `regex`, `predicate`, …), or `package.module:attribute` for one's own.
        settings: Of a named scorer, as keyword arguments.
        cache: Folder for embeddings.
    Raises:
        SettingError: no such name, or wrong settings.
        MissingError: the folder holds no reward model.
    """
    settings = dict(settings or {})
    if find_card(what) is not None:
        if settings:
            raise SettingError("bad-setting", f"{what}: a saved reward model takes no settings. Got {sorted(settings)}")
        kind = read_card(what)["kind"]
        if kind == "embedding":
            from zermelo.scorers.embedding_reward import EmbeddingRewardModel

            return EmbeddingRewardModel.load(what, cache=cache)
        from zermelo.scorers.lm_reward import LMReward

        return LMReward.load(what)
    known = {name: target for name, target in names().items() if target.startswith("scorers.")}
    if what in known or ":" in what:
        found = resolve(what, kind="scorers." if what in known else None)
        if isinstance(found, type) or (callable(found) and not hasattr(found, "score")):
            try:
                return found(**settings)
            except TypeError as error:
                raise SettingError("bad-setting", f"{what}: {error}") from error
        return found
    if Path(what).is_dir():
        if (Path(what) / "config.json").is_file():  # a sequence classifier that somebody else trained
            from zermelo.scorers.lm_reward import LMReward

            return LMReward.load(what)
        read_card(what)
    guess = nearest(what, list(known))
    hint = f"did you mean `{guess}`?" if guess else f"a folder with {CARD}, or one of: {', '.join(sorted(known))}"
    raise SettingError("unknown-name", f"no scorer {what!r}", hint=hint)
