"""Scorers: anything that maps (prompt, response) to a score or (prompt, a, b) to P(a ≻ b), as judgements.

protocol.py           Scorer, Comparer: the contracts                load.py     load_scorer: by name or folder
verifiers.py          NumericAnswer, ExactMatch, RegexMatch, Predicate   answers.py, arithmetic.py   equal answers
embedding_reward.py   EmbeddingReward: a head on frozen embeddings (encoders.py, heads.py, pairs.py, assess.py)
lm_reward.py          LMReward: a head on a language model            combine.py  WeightedMean, Minimum
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.scorers.answers import final_answer, same_answer
    from zermelo.scorers.assess import Assessment, assess
    from zermelo.scorers.combine import Minimum, WeightedMean
    from zermelo.scorers.embedding_reward import CrossValidated, EmbeddingReward, EmbeddingRewardModel
    from zermelo.scorers.lm_reward import LMReward
    from zermelo.scorers.load import load_scorer
    from zermelo.scorers.protocol import Comparer, Scorer
    from zermelo.scorers.verifiers import ExactMatch, NumericAnswer, Predicate, RegexMatch

__all__ = [
    "Assessment",
    "Comparer",
    "CrossValidated",
    "EmbeddingReward",
    "EmbeddingRewardModel",
    "ExactMatch",
    "LMReward",
    "Minimum",
    "NumericAnswer",
    "Predicate",
    "RegexMatch",
    "Scorer",
    "WeightedMean",
    "assess",
    "final_answer",
    "load_scorer",
    "same_answer",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        **dict.fromkeys(["final_answer", "same_answer"], "answers"),
        **dict.fromkeys(["Assessment", "assess"], "assess"),
        **dict.fromkeys(["Minimum", "WeightedMean"], "combine"),
        **dict.fromkeys(["CrossValidated", "EmbeddingReward", "EmbeddingRewardModel"], "embedding_reward"),
        **dict.fromkeys(["Comparer", "Scorer"], "protocol"),
        **dict.fromkeys(["ExactMatch", "NumericAnswer", "Predicate", "RegexMatch"], "verifiers"),
        "LMReward": "lm_reward",
        "load_scorer": "load",
    },
)
