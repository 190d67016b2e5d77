"""`Layout`: several groups laid out as one row of tokens, each a tree of depth one. Indices only; no model.

    ids        x1 x2 x3 | a1 a2 | b1 b2 b3 || u1 u2 | c1 …
    position    0  1  2 |  3  4 |  3  4  5 ||  0  1 |  2 …
    branch      0  0  0 |  1  1 |  2  2  2 ||  3  3 |  4 …

A token attends to the prompt of its own group and to the earlier tokens of its own branch. The last token of a
response predicts nothing, so it is laid out only where someone reads it (`whole`).
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zermelo.policies.groups import TokenGroup

__all__ = ["Layout", "Tree", "layout", "layout_of"]


@dataclass(frozen=True, slots=True)
class Tree:
    """Where one group lies in the row.

    Args:
        start: First token of the prompt.
        prompt: Prompt tokens.
        branches: (start, length) of each response in the row; a length may be 0.
    """

    start: int
    prompt: int
    branches: tuple[tuple[int, int], ...]

    @property
    def end(self) -> int:
        """One past the last token."""
        start, length = self.branches[-1]
        return start + length

    @property
    def longest(self) -> int:
        """Tokens on the longest way from the root to a leaf."""
        return self.prompt + max(length for _, length in self.branches)


@dataclass(eq=False)
class Layout:
    """One row.

    Args:
        ids: Token ids. [1, L]
        positions: Position of each token in its own sequence. [1, L]
        trees: Where each group lies.
        predict: Row index that predicts each response token, flat. [T]
        target: The response token's id. [T]
        own: Row index of each response token; empty unless `whole`. [T]
        response: Response of each token within the row. [T]
        prompt_predict: Row index that predicts each prompt token but the first. [Σ(P − 1)]
        prompt_target: That token's id. [Σ(P − 1)]
        number: Names this layout in a mask's shape; see `layout_of`.
    """

    ids: Tensor
    positions: Tensor
    trees: tuple[Tree, ...]
    predict: Tensor
    target: Tensor
    own: Tensor
    response: Tensor
    prompt_predict: Tensor
    prompt_target: Tensor
    backend: str = "plain"
    number: int = 0
    masks: dict[object, object] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """L."""
        return self.ids.shape[1]

    def mask(self) -> Tensor:
        """An empty mask [1, 1, number, 0] that names this layout.

        Models hand a four-dimensional mask to each attention layer untouched, also under activation checkpointing,
        in other threads and across wrappers that move or cast inputs; its shape survives all of that.
        """
        return torch.empty(1, 1, self.number, 0, dtype=torch.bool, device=self.ids.device)

    def branch_and_group(self) -> tuple[Tensor, Tensor, Tensor]:
        """(branch, group, is_prompt) of each token; branches are numbered over the row. [L] each"""
        if "branch" not in self.masks:
            branch, group, root = [], [], []
            number = itertools.count()
            for index, tree in enumerate(self.trees):
                for length, is_prompt in [(tree.prompt, True), *((n, False) for _, n in tree.branches)]:
                    branch += [next(number)] * length
                    group += [index] * length
                    root += [is_prompt] * length
            device = self.ids.device
            self.masks["branch"] = (
                torch.tensor(branch, device=device),
                torch.tensor(group, device=device),
                torch.tensor(root, device=device),
            )
        return self.masks["branch"]  # type: ignore[return-value]


_living: weakref.WeakValueDictionary[int, Layout] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)
_lock = threading.Lock()


def layout_of(mask: Tensor) -> Layout:
    """The layout that `mask` (from `Layout.mask`) names."""
    return _living[mask.shape[2]]


def layout(groups: Sequence[TokenGroup], *, whole: bool, prompt: bool, device: torch.device, backend: str) -> Layout:
    """Lay groups out as one row.

    Args:
        groups: At least one.
        whole: Lay out the last token of each response too (its hidden state is read).
        prompt: Fill `prompt_predict` and `prompt_target`.
        device: Where the tensors go.
        backend: How attention will branch.
    """
    ids: list[int] = []
    positions: list[int] = []
    predict: list[int] = []
    target: list[int] = []
    own: list[int] = []
    response: list[int] = []
    prompt_predict: list[int] = []
    prompt_target: list[int] = []
    trees: list[Tree] = []
    n = 0
    for group in groups:
        start, p = len(ids), len(group.prompt)
        ids += group.prompt
        positions += range(p)
        if prompt:
            prompt_predict += range(start, start + p - 1)
            prompt_target += group.prompt[1:]
        branches = []
        for answer in group.responses:
            at, r = len(ids), len(answer.ids)
            kept = r if whole else r - 1
            ids += answer.ids[:kept]
            positions += range(p, p + kept)
            predict += [start + p - 1, *range(at, at + r - 1)]
            target += answer.ids
            if whole:
                own += range(at, at + r)
            response += [n] * r
            branches.append((at, kept))
            n += 1
        trees.append(Tree(start, p, tuple(branches)))

    def tensor(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    with _lock:
        number = next(_numbers)
    row = Layout(
        ids=tensor(ids)[None],
        positions=tensor(positions)[None],
        trees=tuple(trees),
        predict=tensor(predict),
        target=tensor(target),
        own=tensor(own),
        response=tensor(response),
        prompt_predict=tensor(prompt_predict),
        prompt_target=tensor(prompt_target),
        backend=backend,
        number=number,
    )
    _living[number] = row
    return row
