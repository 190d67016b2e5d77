"""The contract of everything that writes responses: prompts in, groups out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from zermelo.errors import DataError, SettingError, unit_interval
from zermelo.feedback.journal import Journal
from zermelo.feedback.records import Group, Prompt, prompt_key
from zermelo.progress import Bar, silent

__all__ = ["Sampler", "Sampling", "as_groups"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn, and when a response ends.

    Log-probabilities are divided by `temperature`, then cut to the `top_k` likeliest, to the smallest set of
    probability `top_p`, to those with at least `min_p` of the likeliest one's probability, and renormalised.

    Args:
        temperature: 0 = greedy.
        top_p: 1 = all.
        top_k: None = all.
        min_p: 0 = all.
        max_tokens: Longest response, the end token included; a longer one is cut (`finish="cut"`).
        stop: Texts that end a response beside the end token; they stay in its text, as its ids do.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unit_interval(self, "top_p", "min_p")
        if not (
            isinstance(self.temperature, int | float) and math.isfinite(self.temperature) and self.temperature >= 0
        ):
            raise SettingError("bad-setting", f"Sampling.temperature must be ≥ 0. Got {self.temperature!r}")
        if self.top_p == 0:
            raise SettingError("bad-setting", "Sampling.top_p must be above 0; temperature 0 is greedy")
        for name in ("top_k", "max_tokens"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise SettingError("bad-setting", f"Sampling.{name} must be a whole number ≥ 1. Got {value!r}")
        if isinstance(self.stop, str) or not all(self.stop):
            raise SettingError("bad-setting", f"Sampling.stop is a tuple of texts, none empty. Got {self.stop!r}")

    @property
    def plain(self) -> bool:
        """Whether tokens are drawn from the policy's own distribution, unchanged."""
        return self.temperature == 1.0 and self.top_p == 1.0 and self.top_k is None and self.min_p == 0.0

    def as_dict(self) -> dict[str, Any]:
        """The settings that differ from nothing at all, as JSON values, for `Response.sampling`."""
        found = {**asdict(self), "stop": list(self.stop)}
        return {name: value for name, value in found.items() if value not in (None, [])}


@runtime_checkable
class Sampler(Protocol):
    """Writes `n` responses to each prompt.

    Returns one group per prompt, in order, with the sampled responses alone (`origin="online"`): the id, user, session
    and meta of a group that was given, or else the prompt's key as id. What was said about earlier responses is not
    copied. A response that failed has `finish="error"`, no ids, and the reason in `meta["error"]`.

    The same prompts, `n` and `seed` give the same responses; each sample has its own stream, derived from the seed, the
    group's id and its number. With a journal a run that was interrupted goes on, and ends with the same responses to
    the last digit.
    """

    @property
    def name(self) -> str: ...

    def sample(
        self,
        prompts: Sequence[Group | Prompt],
        *,
        n: int = 1,
        seed: int = 0,
        sampling: Sampling | None = None,
        journal: Journal | None = None,
        bar: Bar = silent,
    ) -> list[Group]: ...


def as_groups(prompts: Sequence[Group | Prompt], n: int) -> list[Group]:
    """Prompts as empty groups to be filled; checks what every sampler needs.

    Raises:
        SettingError: n < 1.
        DataError: a group without prompt.
    """
    if n < 1:
        raise SettingError("bad-setting", f"n must be at least 1. Got {n}")
    found = []
    for item in prompts:
        if not isinstance(item, Group):
            text: Prompt = item if isinstance(item, str) else tuple(item)
            found.append(Group(prompt_key(text), text, origin="online"))
            continue
        if item.prompt is None or (isinstance(item.prompt, tuple) and not item.prompt):
            raise DataError("no-prompt", f"group {item.id}: no prompt to answer")
        found.append(Group(item.id, item.prompt, origin="online", user=item.user, session=item.session, meta=item.meta))
    return found
