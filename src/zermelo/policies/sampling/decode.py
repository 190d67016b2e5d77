"""Batched decoding of one chunk of prompts: each prompt is computed once, finished rows are taken out.

Works on the caches that Transformers models keep (attention, sliding windows, recurrent states); a model whose cache
does not give the numbers of a plain forward is decoded without one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zermelo.policies.sampling.draw import draw
from zermelo.policies.sampling.protocol import Sampling
from zermelo.policies.sampling.streams import uniform

__all__ = ["Decoded", "Decoder", "decoder_for"]

COMPACT_BELOW = 0.8  # rows are taken out when fewer than this share are still open: copying costs about one step


@dataclass(frozen=True, slots=True)
class Decoded:
    """One response: ids, log-probabilities under the policy and under the distribution drawn from, why it ended."""

    ids: tuple[int, ...]
    logps: tuple[float, ...]
    drawn: tuple[float, ...]
    finish: str


@dataclass(frozen=True)
class Decoder:
    """How a model is decoded.

    Args:
        model: The model.
        cached: Whether its cache is used.
        padding: Whether prompts of unequal length may share a chunk (left padding); recurrent states may not be padded.
        cache_name: The forward's argument that takes the cache.
    """

    model: nn.Module
    cached: bool
    padding: bool
    cache_name: str | None

    def decode(
        self,
        prompts: Sequence[tuple[int, ...]],
        n: int,
        seeds: NDArray[np.uint64],
        sampling: Sampling,
        *,
        end_ids: Sequence[int],
        context: int | None,
        text_of: Callable[[Sequence[int]], str],
    ) -> list[Decoded]:
        """`n` responses to each prompt, in order: prompt 0's first.

        Args:
            prompts: Ids; of one length unless `padding`.
            n: Samples of each.
            seeds: One stream per row. [prompts · n]
            sampling: Settings.
            end_ids: Ids that end a response.
            context: Longest prompt + response.
            text_of: Ids → text, for stop texts.
        """
        rows = len(prompts) * n
        state = _State(self, prompts, n)
        ends = torch.tensor(sorted(end_ids), device=state.device)
        limit = np.full(rows, sampling.max_tokens)
        if context is not None:
            limit = np.minimum(limit, context - np.repeat([len(ids) for ids in prompts], n))
        record = _Record(rows, int(limit.max()))
        open_rows = np.arange(rows)
        step = 0
        while True:
            tokens, logps, drawn = draw(state.logits, uniform(seeds[open_rows], step), sampling)
            ended = torch.isin(tokens, ends).cpu().numpy()
            record.write(open_rows, step, tokens, logps, drawn)
            step += 1
            if sampling.stop:
                ended |= record.stopped(open_rows, sampling.stop, text_of)
            over = ended | (step >= limit[open_rows])
            record.ended[open_rows[ended]] = True
            record.closed[open_rows[over]] = True
            still = ~record.closed[open_rows]
            if not still.any():
                return record.results()
            if still.mean() < COMPACT_BELOW:
                keep = torch.as_tensor(np.flatnonzero(still), device=state.device)
                state.keep(keep)
                open_rows, tokens = open_rows[still], tokens[keep]
            state.advance(tokens)


class _Record:
    """What was drawn so far. Rows that are closed but not yet taken out are not written to."""

    def __init__(self, rows: int, steps: int) -> None:
        self.ids = np.zeros((rows, steps), dtype=np.int64)
        self.logps = np.zeros((rows, steps), dtype=np.float32)
        self.drawn = np.zeros((rows, steps), dtype=np.float32)
        self.length = np.zeros(rows, dtype=np.int64)
        self.ended = np.zeros(rows, dtype=bool)
        self.closed = np.zeros(rows, dtype=bool)

    def write(self, rows: NDArray[np.int64], step: int, tokens: Tensor, logps: Tensor, drawn: Tensor) -> None:
        is_open = ~self.closed[rows]
        rows = rows[is_open]
        self.ids[rows, step] = tokens.cpu().numpy()[is_open]
        self.logps[rows, step] = logps.float().cpu().numpy()[is_open]
        self.drawn[rows, step] = drawn.float().cpu().numpy()[is_open]
        self.length[rows] = step + 1

    def stopped(
        self, rows: NDArray[np.int64], stop: Sequence[str], text_of: Callable[[Sequence[int]], str]
    ) -> NDArray[np.bool_]:
        """Whether a stop text stands at the end of each row's text."""
        longest = max(map(len, stop))
        found = np.zeros(len(rows), dtype=bool)
        for at, row in enumerate(rows):
            length = self.length[row]
            tail = text_of(self.ids[row, max(0, length - longest - 8) : length].tolist())
            found[at] = any(text in tail for text in stop)
        return found

    def results(self) -> list[Decoded]:
        return [
            Decoded(
                tuple(self.ids[row, :length].tolist()),
                tuple(self.logps[row, :length].tolist()),
                tuple(self.drawn[row, :length].tolist()),
                "stopped" if self.ended[row] else "cut",
            )
            for row, length in enumerate(self.length)
        ]


class _State:
    """The model's side of a chunk: cache, padding mask, positions, and the logits that predict the next token."""

    def __init__(self, decoder: Decoder, prompts: Sequence[tuple[int, ...]], n: int) -> None:
        self.decoder = decoder
        self.device = next(decoder.model.parameters()).device
        lengths = torch.tensor([len(ids) for ids in prompts])
        width = int(lengths.max())
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
        self.padded = bool((lengths < width).any())
        self.mask = (torch.arange(width) >= width - lengths[:, None]).long().to(self.device)  # [B, width]
        self.position = lengths.to(self.device)  # position of the next token [B]
        self.ids = ids.to(self.device)
        self.cache = new_cache(decoder.model) if decoder.cached else None
        self.accepted = set(inspect.signature(_innermost(decoder.model).forward).parameters)
        self.logits = self._forward(self.ids, (self.mask.cumsum(-1) - 1).clamp(min=0))
        if n > 1:
            self.keep(torch.arange(len(prompts), device=self.device).repeat_interleave(n))

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows (a row may be repeated)."""
        self.mask, self.position, self.logits = self.mask[rows], self.position[rows], self.logits[rows]
        if self.cache is None:
            self.ids = self.ids[rows]
        else:
            for layer in self.cache.layers:
                layer.reorder_cache(rows)

    def advance(self, tokens: Tensor) -> None:
        """Read one more token per row."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], 1)
        if self.cache is None:
            self.ids = torch.cat([self.ids, tokens[:, None]], 1)
            self.logits = self._forward(self.ids, (self.mask.cumsum(-1) - 1).clamp(min=0))
        else:
            self.logits = self._forward(tokens[:, None], self.position[:, None])
        self.position = self.position + 1

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        decoder = self.decoder
        known: dict[str, Any] = {"use_cache": decoder.cached}
        if self.padded:
            known["attention_mask"] = self.mask
        if "position_ids" in self.accepted:
            known["position_ids"] = positions
        if "logits_to_keep" in self.accepted:
            known["logits_to_keep"] = 1
        if self.cache is not None and decoder.cache_name is not None:
            known[decoder.cache_name] = self.cache
        logits: Tensor = decoder.model(input_ids=ids, **known).logits[:, -1]
        return logits


def _innermost(model: nn.Module) -> Any:
    """The Transformers model inside PEFT and parallel wrappers."""
    while True:
        inner: Any = (
            getattr(model, "base_model", None) if hasattr(model, "peft_config") else getattr(model, "module", None)
        )
        if inner is None or inner is model:
            return model
        model = getattr(inner, "model", inner) if hasattr(inner, "peft_config") else inner


def new_cache(model: nn.Module) -> Any:
    """An empty cache for the model; full-attention layers write into room kept ahead instead of copying all."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    cache = DynamicCache(config=_innermost(model).config)
    cache.layers = [_growing_layer()() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def _growing_layer() -> Any:
    """A `DynamicLayer` that keeps room ahead: appending a token copies that token, not the whole cache."""
    global _GROWING
    if _GROWING is None:
        from transformers.cache_utils import DynamicLayer

        class Growing(DynamicLayer):
            length = 0

            def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> Any:
                if not self.is_initialized:
                    self.lazy_initialization(key_states, value_states)
                    self.room_keys, self.room_values = _room(key_states, 64), _room(value_states, 64)
                start, self.length = self.length, self.length + key_states.shape[-2]
                if self.length > self.room_keys.shape[-2]:
                    self.room_keys = _grown(self.room_keys, start, self.length)
                    self.room_values = _grown(self.room_values, start, self.length)
                self.room_keys[:, :, start : self.length] = key_states
                self.room_values[:, :, start : self.length] = value_states
                self.keys = self.room_keys[:, :, : self.length]
                self.values = self.room_values[:, :, : self.length]
                return self.keys, self.values

            def get_seq_length(self) -> int:
                return self.length

            def reorder_cache(self, rows: Tensor) -> None:
                self.room_keys = _taken(self.room_keys, rows, self.length)
                self.room_values = _taken(self.room_values, rows, self.length)

        _GROWING = Growing
    return _GROWING


_GROWING: Any = None  # made on first use, because its base class lives in Transformers


def _room(like: Tensor, ahead: int) -> Tensor:
    b, h, t, d = like.shape
    return like.new_empty(b, h, t + ahead, d)


def _grown(old: Tensor, used: int, needed: int) -> Tensor:
    b, h, room, d = old.shape
    new = old.new_empty(b, h, max(needed, 2 * room), d)
    new[:, :, :used] = old[:, :, :used]
    return new


def _taken(old: Tensor, rows: Tensor, used: int) -> Tensor:
    new = old.new_empty(len(rows), *old.shape[1:])
    new[:, :, :used] = old[:, :, :used].index_select(0, rows)
    return new


@torch.no_grad()
def decoder_for(model: nn.Module, prompts: Sequence[tuple[int, ...]]) -> Decoder:
    """The fastest way of decoding that gives the plain forward's numbers on these prompts.

    Tried in turn: the model's cache with padding, the cache with prompts of one length, no cache.

    Args:
        model: The model, in evaluation mode.
        prompts: One or two real prompts to try on.
    """
    accepted = inspect.signature(_innermost(model).forward).parameters
    name = next((known for known in ("past_key_values", "cache_params") if known in accepted), None)
    padding = name == "past_key_values" and not _recurrent(model)
    if name is not None:
        decoder = Decoder(model, cached=True, padding=padding, cache_name=name)
        if _agrees(decoder, prompts):
            return decoder
    return Decoder(model, cached=False, padding=False, cache_name=None)


def _recurrent(model: nn.Module) -> bool:
    from transformers.cache_utils import DynamicCache

    try:
        layers = DynamicCache(config=_innermost(model).config).layers
    except (AttributeError, KeyError, ValueError):
        return True
    return any(hasattr(layer, "conv_states") for layer in layers)


def _agrees(decoder: Decoder, prompts: Sequence[tuple[int, ...]]) -> bool:
    """Whether three greedy steps with the cache predict what plain forwards predict."""
    if not decoder.padding:
        prompts = prompts[:1]
    try:
        state = _State(decoder, prompts, 2)
        seen = [list(ids) for ids in prompts for _ in range(2)]
        for _ in range(3):
            tokens = state.logits.argmax(-1)
            for row, token in enumerate(tokens.tolist()):
                seen[row].append(token)
            state.advance(tokens)
    except (TypeError, ValueError, AttributeError, NotImplementedError, RuntimeError, IndexError):
        return False
    for row, ids in enumerate(seen):
        plain = decoder.model(input_ids=torch.tensor([ids], device=state.device), use_cache=False).logits[0, -1]
        # one part in a thousand of the spread in float32; half types differ in their last bits
        tolerance = 1e-3 if plain.dtype == torch.float32 else 0.1
        if (plain - state.logits[row]).float().abs().max() > tolerance * (1 + plain.float().std()):
            return False
    return True
