"""Losses, advantages, reward shaping and diagnostics as pure functions of tensors. PyTorch only; imports no room.

batch.py, protocol.py, numerics.py       what an objective sees, what it returns, delicate numbers
functional.py, config.py, schedules.py   one's own objective; objectives as plain data; settings that change
pairwise.py … nash.py                    the losses, one family per file
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.objectives.anchored import DPONLL, VPO, HyPO
    from zermelo.objectives.batch import RaggedBatch
    from zermelo.objectives.config import from_config, to_config
    from zermelo.objectives.contrastive import APODown, APOZero, BCOPair, EXOPair, NCAPair
    from zermelo.objectives.functional import objective
    from zermelo.objectives.label_noise import CDPO, LCPO, RobustDPO, SoftDPO
    from zermelo.objectives.listwise import (
        EXO,
        NCA,
        InfoNCA,
        LambdaLoss,
        ListMLE,
        ListwiseHinge,
        ListwiseLogistic,
        PointwiseRank,
        SoftmaxRank,
    )
    from zermelo.objectives.nash import DNO, INPO, SPPO
    from zermelo.objectives.pairwise import DPO, DPOP, FDPO, IPO, LNDPO, DPOGamma, HingeDPO
    from zermelo.objectives.protocol import (
        Composable,
        Losses,
        Needs,
        Objective,
        Step,
        Sum,
        Term,
        Weighted,
        has_gradient_rule,
        prepares,
        term,
        weights_of,
    )
    from zermelo.objectives.reference_free import CPO, ORPO, TPO, SimPO, SLiC
    from zermelo.objectives.reward import BradleyTerryReward, RewardRegression
    from zermelo.objectives.schedules import Cosine, Exponential, Linear, Steps
    from zermelo.objectives.supervised import RWR, SFT
    from zermelo.objectives.unpaired import BCO, KTO

__all__ = [
    "BCO",
    "CDPO",
    "CPO",
    "DNO",
    "DPO",
    "DPONLL",
    "DPOP",
    "EXO",
    "FDPO",
    "INPO",
    "IPO",
    "KTO",
    "LCPO",
    "LNDPO",
    "NCA",
    "ORPO",
    "RWR",
    "SFT",
    "SPPO",
    "TPO",
    "VPO",
    "APODown",
    "APOZero",
    "BCOPair",
    "BradleyTerryReward",
    "Composable",
    "Cosine",
    "DPOGamma",
    "EXOPair",
    "Exponential",
    "HingeDPO",
    "HyPO",
    "InfoNCA",
    "LambdaLoss",
    "Linear",
    "ListMLE",
    "ListwiseHinge",
    "ListwiseLogistic",
    "Losses",
    "NCAPair",
    "Needs",
    "Objective",
    "PointwiseRank",
    "RaggedBatch",
    "RewardRegression",
    "RobustDPO",
    "SLiC",
    "SimPO",
    "SoftDPO",
    "SoftmaxRank",
    "Step",
    "Steps",
    "Sum",
    "Term",
    "Weighted",
    "from_config",
    "has_gradient_rule",
    "objective",
    "prepares",
    "term",
    "to_config",
    "weights_of",
]

_WHERE = {
    "anchored": ["DPONLL", "HyPO", "VPO"],
    "batch": ["RaggedBatch"],
    "config": ["from_config", "to_config"],
    "contrastive": ["APODown", "APOZero", "BCOPair", "EXOPair", "NCAPair"],
    "functional": ["objective"],
    "label_noise": ["CDPO", "LCPO", "RobustDPO", "SoftDPO"],
    "listwise": [
        "EXO",
        "InfoNCA",
        "LambdaLoss",
        "ListMLE",
        "ListwiseHinge",
        "ListwiseLogistic",
        "NCA",
        "PointwiseRank",
        "SoftmaxRank",
    ],
    "nash": ["DNO", "INPO", "SPPO"],
    "pairwise": ["DPO", "DPOGamma", "DPOP", "FDPO", "HingeDPO", "IPO", "LNDPO"],
    "protocol": [
        "Composable",
        "Losses",
        "Needs",
        "Objective",
        "Step",
        "Sum",
        "Term",
        "Weighted",
        "has_gradient_rule",
        "prepares",
        "term",
        "weights_of",
    ],
    "reference_free": ["CPO", "ORPO", "SLiC", "SimPO", "TPO"],
    "reward": ["BradleyTerryReward", "RewardRegression"],
    "schedules": ["Cosine", "Exponential", "Linear", "Steps"],
    "supervised": ["RWR", "SFT"],
    "unpaired": ["BCO", "KTO"],
}

__getattr__, __dir__ = attach(__name__, {name: module for module, found in _WHERE.items() for name in found})
