"""Training: loops that drive objectives over groups.

offline.py  align: a policy on groups that are already there       reward.py   train_reward: reward models
online.py   fresh samples of the policy in every step, the same loop
loop.py     the loop itself, a page                                  settings.py what a run may be told
examples, plan, supply, totals      from groups to a step: ids and judgements, order and cut, tensors, divisors
own_loop.py for a loop that is not ours: batch_of, mean_loss
heads.py    value, gate, reward and degree heads beside a policy      watch.py     entanglement on a few pairs
checks, alarms, metrics, callbacks  what is looked at                checkpoint, folder, execute  what is kept
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zermelo.lazy import attach

if TYPE_CHECKING:
    from zermelo.training.alarms import Alarm, alarms_of
    from zermelo.training.budget import Estimate, estimate
    from zermelo.training.callbacks import Callback
    from zermelo.training.metrics import METRICS, Metric
    from zermelo.training.offline import AlignResult, align
    from zermelo.training.online import Online
    from zermelo.training.own_loop import batch_of, mean_loss
    from zermelo.training.result import TrainResult
    from zermelo.training.reward import RewardResult, train_reward
    from zermelo.training.samples import Samples
    from zermelo.training.settings import OfflineSettings
    from zermelo.training.watch import Entangled

__all__ = [
    "METRICS",
    "Alarm",
    "AlignResult",
    "Callback",
    "Entangled",
    "Estimate",
    "Metric",
    "OfflineSettings",
    "Online",
    "RewardResult",
    "Samples",
    "TrainResult",
    "alarms_of",
    "align",
    "batch_of",
    "estimate",
    "mean_loss",
    "train_reward",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "METRICS": "metrics",
        "Alarm": "alarms",
        "AlignResult": "offline",
        "Callback": "callbacks",
        "Entangled": "watch",
        "Estimate": "budget",
        "Metric": "metrics",
        "Samples": "samples",
        "estimate": "budget",
        "OfflineSettings": "settings",
        "Online": "online",
        "RewardResult": "reward",
        "train_reward": "reward",
        "TrainResult": "result",
        "alarms_of": "alarms",
        "align": "offline",
        "batch_of": "own_loop",
        "mean_loss": "own_loop",
    },
)
