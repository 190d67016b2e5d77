"""Losses, advantages, reward shaping and diagnostics as pure functions of tensors. PyTorch only; imports no room.

batch.py, protocol.py, numerics.py       what an objective sees, what it returns, delicate numbers
functional.py, config.py, schedules.py   one's own objective; objectives as plain data; settings that change
pairwise.py … nash.py                    the losses, one family per file
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.objectives.accelerated import AcceleratedPO
    from zermelo.objectives.anchored import DPONLL, VPO, HyPO
    from zermelo.objectives.batch import RaggedBatch
    from zermelo.objectives.calibration import MarginRank, pairwise_infonce
    from zermelo.objectives.confidence import DCO, coverage_factor, coverage_loss
    from zermelo.objectives.config import from_config, to_config
    from zermelo.objectives.contrastive import APODown, APOZero, BCOPair, EXOPair, NCAPair
    from zermelo.objectives.degree import DegreeLoss
    from zermelo.objectives.distribution import BRAIn
    from zermelo.objectives.divergence_sft import FSFT, utility
    from zermelo.objectives.functional import objective
    from zermelo.objectives.gradient_rules import MEET, IRepair, NormalisedDPO, block_norms, concentration
    from zermelo.objectives.images import MaPO, win_score
    from zermelo.objectives.joint import DOVE
    from zermelo.objectives.label_noise import CDPO, LCPO, RobustDPO, SoftDPO
    from zermelo.objectives.length import LDDPO, RDPO, unshared
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
    from zermelo.objectives.mixture import BVPO, Mixing, mixing_of_traces, optimal_mixing
    from zermelo.objectives.nash import DNO, INPO, SPPO
    from zermelo.objectives.offline_rl import OREO
    from zermelo.objectives.pairwise import DPO, DPOP, FDPO, IPO, LNDPO, DiscoPOP, DPOGamma, HingeDPO
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
    from zermelo.objectives.token_level import FAIT, RRPO, SparseDPO
    from zermelo.objectives.unpaired import BCO, KTO, APOZeroUnpaired

__all__ = [
    "BCO",
    "BVPO",
    "CDPO",
    "CPO",
    "DCO",
    "DNO",
    "DOVE",
    "DPO",
    "DPONLL",
    "DPOP",
    "EXO",
    "FAIT",
    "FDPO",
    "FSFT",
    "INPO",
    "IPO",
    "KTO",
    "LCPO",
    "LDDPO",
    "LNDPO",
    "MEET",
    "NCA",
    "OREO",
    "ORPO",
    "RDPO",
    "RRPO",
    "RWR",
    "SFT",
    "SPPO",
    "TPO",
    "VPO",
    "APODown",
    "APOZero",
    "APOZeroUnpaired",
    "AcceleratedPO",
    "BCOPair",
    "BRAIn",
    "BradleyTerryReward",
    "Composable",
    "Cosine",
    "DPOGamma",
    "DegreeLoss",
    "DiscoPOP",
    "EXOPair",
    "Exponential",
    "HingeDPO",
    "HyPO",
    "IRepair",
    "InfoNCA",
    "LambdaLoss",
    "Linear",
    "ListMLE",
    "ListwiseHinge",
    "ListwiseLogistic",
    "Losses",
    "MaPO",
    "MarginRank",
    "Mixing",
    "NCAPair",
    "Needs",
    "NormalisedDPO",
    "Objective",
    "PointwiseRank",
    "RaggedBatch",
    "RewardRegression",
    "RobustDPO",
    "SLiC",
    "SimPO",
    "SoftDPO",
    "SoftmaxRank",
    "SparseDPO",
    "Step",
    "Steps",
    "Sum",
    "Term",
    "Weighted",
    "block_norms",
    "concentration",
    "coverage_factor",
    "coverage_loss",
    "from_config",
    "has_gradient_rule",
    "mixing_of_traces",
    "objective",
    "optimal_mixing",
    "pairwise_infonce",
    "prepares",
    "term",
    "to_config",
    "unshared",
    "utility",
    "weights_of",
    "win_score",
]

_WHERE = {
    "accelerated": ["AcceleratedPO"],
    "anchored": ["DPONLL", "HyPO", "VPO"],
    "batch": ["RaggedBatch"],
    "confidence": ["DCO", "coverage_factor", "coverage_loss"],
    "calibration": ["MarginRank", "pairwise_infonce"],
    "config": ["from_config", "to_config"],
    "contrastive": ["APODown", "APOZero", "BCOPair", "EXOPair", "NCAPair"],
    "degree": ["DegreeLoss"],
    "distribution": ["BRAIn"],
    "divergence_sft": ["FSFT", "utility"],
    "functional": ["objective"],
    "gradient_rules": ["IRepair", "MEET", "NormalisedDPO", "block_norms", "concentration"],
    "images": ["MaPO", "win_score"],
    "joint": ["DOVE"],
    "label_noise": ["CDPO", "LCPO", "RobustDPO", "SoftDPO"],
    "length": ["LDDPO", "RDPO", "unshared"],
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
    "mixture": ["BVPO", "Mixing", "mixing_of_traces", "optimal_mixing"],
    "nash": ["DNO", "INPO", "SPPO"],
    "offline_rl": ["OREO"],
    "pairwise": ["DPO", "DPOGamma", "DPOP", "DiscoPOP", "FDPO", "HingeDPO", "IPO", "LNDPO"],
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
    "token_level": ["FAIT", "RRPO", "SparseDPO"],
    "unpaired": ["APOZeroUnpaired", "BCO", "KTO"],
}

__getattr__, __dir__ = attach(__name__, {name: module for module, found in _WHERE.items() for name in found})
