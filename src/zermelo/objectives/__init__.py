"""Losses, advantages, reward shaping and diagnostics as pure functions of tensors. PyTorch only; imports no room.

batch.py       RaggedBatch: what an objective sees
protocol.py    Objective, Needs, Losses, Term, Step; composition by + and *
numerics.py    delicate numbers
pairwise.py    DPO and its kin
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.objectives.batch import RaggedBatch
    from zermelo.objectives.pairwise import DPO
    from zermelo.objectives.protocol import Composable, Losses, Needs, Objective, Step, Sum, Term, Weighted, term

__all__ = [
    "DPO",
    "Composable",
    "Losses",
    "Needs",
    "Objective",
    "RaggedBatch",
    "Step",
    "Sum",
    "Term",
    "Weighted",
    "term",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "DPO": "pairwise",
        "RaggedBatch": "batch",
        **dict.fromkeys(
            ["Composable", "Losses", "Needs", "Objective", "Step", "Sum", "Term", "Weighted", "term"], "protocol"
        ),
    },
)
