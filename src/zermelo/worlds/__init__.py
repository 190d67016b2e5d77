"""Embedded tasks with exact ground truth, and tiny policies for them. NumPy only; weights in `data/`.

protocol.py    World, Edited, ErrorKind; folder(name): the tiny policy's model folder
arithmetic.py  expressions and word problems with worked steps (chains, word_problems, writers, slips)
style.py       templated notes whose attributes are exactly measurable (notes)
annotators.py  people who compare: noisy, biased by length or position, of different tribes
replies.py     replies to the point or beside it: clean data, where no shortcut tells
judges.py      judges and raters made of numbers: planted tastes, biases and noise
tabular.py     policies over finite response sets: every optimum in closed form
tokenizer.py   one token per character, for all tiny policies
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.worlds.annotators import Annotator, judge, tribes
    from zermelo.worlds.arithmetic import Arithmetic
    from zermelo.worlds.judges import SimulatedJudge, SimulatedRater
    from zermelo.worlds.protocol import Edited, ErrorKind, World, folder, world
    from zermelo.worlds.style import Notes
    from zermelo.worlds.tabular import Tabular

__all__ = [
    "Annotator",
    "Arithmetic",
    "Edited",
    "ErrorKind",
    "Notes",
    "SimulatedJudge",
    "SimulatedRater",
    "Tabular",
    "World",
    "folder",
    "judge",
    "tribes",
    "world",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        **dict.fromkeys(["SimulatedJudge", "SimulatedRater"], "judges"),
        **dict.fromkeys(["Annotator", "judge", "tribes"], "annotators"),
        "Arithmetic": "arithmetic",
        "Notes": "style",
        "Tabular": "tabular",
        **dict.fromkeys(["Edited", "ErrorKind", "World", "folder", "world"], "protocol"),
    },
)
