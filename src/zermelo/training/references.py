"""Log-probabilities under other policies: computed once for every sequence of the plan, before the first step.

The reference is the policy as loaded: its log-probabilities are taken while it still is what it was, and kept, so that
no second model stays in memory.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from zermelo.errors import SettingError
from zermelo.policies.engine import group_logprobs
from zermelo.policies.groups import TokenGroup, TokenGroups
from zermelo.policies.packing import pack
from zermelo.policies.reference import ReferenceCache, fingerprint, sequence_key
from zermelo.policies.want import Want
from zermelo.progress import Bar, silent

__all__ = ["AdapterOff", "Kept", "Reference"]


class Reference(Protocol):
    """Another policy, as a supplier sees it."""

    def logps(self, tokens: TokenGroups) -> Tensor:
        """log-probabilities of every response token, nat, in the order of `tokens`. [T]"""
        ...

    def prompt_logps(self, tokens: TokenGroups) -> Tensor:
        """log-probability of the prompt of every response, nat. [N]"""
        ...

    def model(self) -> nn.Module:
        """The model itself, for divergences over the whole vocabulary."""
        ...


class Kept:
    """A policy whose log-probabilities are kept; what is missing is computed while the model is as it was.

    Args:
        module: The policy. The same module that is trained, until `seal`; or another one.
        frozen: The module never changes, so that nothing has to be computed ahead.
        model: A frozen module for divergences; None = there is none.
        folder: Also kept on the disk, for a run that goes on or another one; None = in memory only.
        forgetful: After `seal`, what nobody knew before (fresh samples) is computed by `model` and not kept.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        frozen: bool,
        model: nn.Module | None = None,
        folder: Path | None = None,
        forgetful: bool = False,
    ) -> None:
        self._cache = None if folder is None else ReferenceCache(folder, fingerprint(module))
        self._module: nn.Module | None = module
        self._frozen = frozen
        self._forgetful, self._sealed = forgetful, False
        self._model = model if model is not None else module if frozen else None
        self._kept: dict[bytes, Tensor] = {}
        self._prompts: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def fill(
        self,
        tokens: Sequence[TokenGroup],
        *,
        budget: int,
        prompts: bool = False,
        share: tuple[int, int] = (0, 1),
        gather: Callable[[list[tuple[bytes, list[float]]]], list[tuple[bytes, list[float]]]] | None = None,
        bar: Bar = silent,
    ) -> None:
        """Compute and keep what is not known yet.

        Args:
            tokens: Groups of the whole plan.
            budget: Tokens of one forward pass.
            prompts: Also the log-probabilities of prompts.
            share: (rank, number of devices): which part is this device's.
            gather: Collects entries of all devices, where there are several.
            bar: Shows progress.
        """
        missing = list(self._missing(tokens, prompts))
        if not missing:
            return
        rows = pack([group.n_tokens for group in missing], budget)
        rank, world = share
        own = rows[rank::world]
        # sharded models run a forward pass together: every device takes part in as many
        own = [*own, *[rows[0]] * (-(-len(rows) // world) - len(own))]
        advance = bar("reference", sum(len(row) for row in own))
        before = set(self._kept)
        for row in own:
            with alone(None if self._cache is None or world > 1 else self._cache.folder):
                self._compute(TokenGroups(tuple(missing[i] for i in row)), prompts)
            advance(len(row))
        if gather is not None and world > 1:
            fresh = [(key, self._kept[key].tolist()) for key in self._kept if key not in before]
            for key, values in gather(fresh):
                self._kept.setdefault(key, torch.tensor(values))
            if prompts:
                for key, values in gather([(key, [value]) for key, value in self._prompts.items()]):
                    self._prompts.setdefault(key, values[0])

    def seal(self) -> None:
        """The module is about to change: nothing is computed with it any more."""
        self._sealed = True
        if not self._frozen:
            self._module = None

    def logps(self, tokens: TokenGroups) -> Tensor:
        """See `Reference`."""
        unknown = list(self._missing(tokens.groups, False))
        if unknown and self._forgetful and self._sealed:
            passing = self._passing(TokenGroups(tuple(unknown)))
            return torch.cat([self._kept[key] if key in self._kept else passing[key] for key in _keys(tokens.groups)])
        if unknown:
            self._compute(tokens, False)
        return torch.cat([self._kept[key] for key in _keys(tokens.groups)])

    def prompt_logps(self, tokens: TokenGroups) -> Tensor:
        """See `Reference`."""
        if any(True for _ in self._missing(tokens.groups, True)):
            self._compute(tokens, True)
        keys = [sequence_key(group.prompt, ()) for group in tokens.groups for _ in group.responses]
        return torch.tensor([self._prompts[key] for key in keys])

    def model(self) -> nn.Module:
        """See `Reference`."""
        if self._model is None:
            raise SettingError("not-supplied", "a divergence over the vocabulary needs the reference model in memory")
        return self._model

    def _missing(self, tokens: Iterable[TokenGroup], prompts: bool) -> Iterator[TokenGroup]:
        for group in tokens:
            unknown = any(sequence_key(group.prompt, response.ids) not in self._kept for response in group.responses)
            if unknown or (prompts and sequence_key(group.prompt, ()) not in self._prompts):
                yield group

    @torch.no_grad()
    def _passing(self, tokens: TokenGroups) -> dict[bytes, Tensor]:
        """Log-probabilities of sequences that will not come up again."""
        logps = known(group_logprobs(self.model(), tokens, grad=False).logps).cpu()
        lengths = [len(response.ids) for group in tokens.groups for response in group.responses]
        return dict(zip(_keys(tokens.groups), logps.split(lengths), strict=True))

    @torch.no_grad()
    def _compute(self, tokens: TokenGroups, prompts: bool) -> None:
        if self._module is None:
            raise RuntimeError("a reference log-probability is missing, and the policy has been trained since")
        training = self._module.training
        self._module.eval()
        try:
            if self._cache is not None:
                logps = self._cache.logps(self._module, tokens)
            else:
                logps = known(group_logprobs(self._module, tokens, grad=False).logps)
            if prompts:
                own = known(group_logprobs(self._module, tokens, want=Want(prompt=True), grad=False).prompt_logps)
                names = [sequence_key(group.prompt, ()) for group in tokens.groups for _ in group.responses]
                self._prompts.update(zip(names, own.tolist(), strict=True))
        finally:
            self._module.train(training)
        lengths = [len(response.ids) for group in tokens.groups for response in group.responses]
        for key, values in zip(_keys(tokens.groups), logps.cpu().split(lengths), strict=True):
            self._kept[key] = values.clone()


@contextmanager
def alone(folder: Path | None) -> Iterator[None]:
    """One process at a time: of several runs over one folder, the others wait, and then find what the first computed.

    Without a folder, and for the devices of one run (which share the work already), nothing is held.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class AdapterOff(nn.Module):
    """A PEFT model with its adapters switched off: the base, without a copy of it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *args: object, **kwargs: object) -> object:
        """The base's output."""
        with self.model.disable_adapter():  # type: ignore[operator]
            return self.model(*args, **kwargs)


def _keys(tokens: Iterable[TokenGroup]) -> list[bytes]:
    return [sequence_key(group.prompt, response.ids) for group in tokens for response in group.responses]


def known(tensor: Tensor | None) -> Tensor:
    """What was asked for is there."""
    assert tensor is not None
    return tensor
