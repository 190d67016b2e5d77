"""Embedded tasks with exact ground truth, and tiny policies for them. NumPy only; weights in `data/`.

protocol.py    World, Edited, ErrorKind; folder(name): the tiny policy's model folder
arithmetic.py  expressions and word problems with worked steps (chains, word_problems, writers, slips)
style.py       templated notes whose attributes are exactly measurable (rewards, annotators)
tabular.py     policies over finite response sets: every optimum in closed form
tokenizer.py   one token per character, for all tiny policies
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.worlds.arithmetic import Arithmetic
    from zermelo.worlds.protocol import Edited, ErrorKind, World, folder, world

__all__ = ["Arithmetic", "Edited", "ErrorKind", "World", "folder", "world"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Arithmetic": "arithmetic",
        **dict.fromkeys(["Edited", "ErrorKind", "World", "folder", "world"], "protocol"),
    },
)
