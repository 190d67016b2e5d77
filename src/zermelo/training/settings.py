"""`OfflineSettings`: what an offline run may be told. Checked when made; part of the run's identity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zermelo.errors import SettingError, one_of, positive, unit_interval
from zermelo.feedback.preferences import Derive

__all__ = ["OfflineSettings", "Precision", "ScheduleName"]

Overlong: TypeAlias = Literal["drop", "cut", "error"]
Precision: TypeAlias = Literal["float32", "bfloat16"]
ScheduleName: TypeAlias = Literal["constant", "linear", "cosine", "inverse_sqrt"]


@dataclass(frozen=True)
class OfflineSettings:
    """How to train on groups that are already there.

    Args:
        lr: Peak learning rate. About 1e-6 for a full model of billions of parameters, 1e-4 for a new adapter.
        epochs: Passes over the data; may be a fraction.
        max_steps: Ends the run earlier; the schedule ends there too.
        groups_per_step: Groups of one optimiser step, over all devices.
        pairs_per_step: The step holds so many pairs instead (whole groups; the last group may go over).
        tokens: Most tokens in one micro-batch and device, prompts counted once; a longer group goes alone.
        schedule: Of the learning rate after warm-up (Transformers').
        warmup: Share of the steps in which the learning rate rises from 0.
        weight_decay: Decoupled; on matrices only, not on biases and norms.
        betas: Of AdamW.
        epsilon: Of AdamW.
        clip: Largest norm of the whole gradient; None = not clipped.
        precision: `bfloat16` computes in it and keeps weights and optimiser in float32.
        checkpointing: Recompute layers in the backward pass: less memory, a third more time.
        dropout: Train with the model's own dropout. Off by default: the margin then starts at exactly 0.
        seed: Order of the data, dropout.
        overlong: What happens to a response or prompt that is too long: `drop` (with its pairs), `cut`, `error`.
        max_tokens: Longest response, the end token included; None = only the context limits.
        derive: Pairs from `stated` comparisons only, or also from ratings and rankings: `all` pairs, `best_worst`,
            `adjacent`.
        criterion: Only judgements with this criterion count (`helpfulness`); None = all.
        keep_suspicious: Train on suspicious groups too (identical sides, empty responses, duplicate rows).
        validation_share: Share of the groups kept for validation, by prompt: a prompt is never on both sides.
        validate_every: Steps between validations; None = ten times in the run. Always at the end.
        patience: Stop after so many validations without improvement; None = never.
        best: Metric by which the best model is chosen; the larger the better for accuracies and margins.
        keep_best: End with the best model of all validations instead of the last.
        save_every: Steps between checkpoints; None = only when interrupted and at the end.
        save_total_limit: Checkpoints kept, the newest (and the best) first; None = all.
        log_every: Steps between rows of `metrics.jsonl`.
        entropy: Log the entropy of the policy at the response tokens; costs about a tenth of the time.
        checks: Check on the first batch that the numbers can be trusted (docs/training.md); fatal when they fail.
    """

    lr: float = 1e-6
    epochs: float = 1.0
    max_steps: int | None = None
    groups_per_step: int = 32
    pairs_per_step: int | None = None
    tokens: int = 16384
    schedule: ScheduleName = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    clip: float | None = 1.0
    precision: Precision = "float32"
    checkpointing: bool = False
    dropout: bool = False
    seed: int = 0
    overlong: Overlong = "drop"
    max_tokens: int | None = None
    derive: Derive = "stated"
    criterion: str | None = None
    keep_suspicious: bool = False
    validation_share: float = 0.0
    validate_every: int | None = None
    patience: int | None = None
    best: str = "eval/loss"
    keep_best: bool = False
    save_every: int | None = 100
    save_total_limit: int | None = 1
    log_every: int = 1
    entropy: bool = False
    checks: bool = True

    def __post_init__(self) -> None:
        positive(self, "lr", "epochs", "groups_per_step", "tokens", "epsilon", "log_every")
        for name in ("max_steps", "pairs_per_step", "clip", "max_tokens", "validate_every", "patience", "save_every"):
            if getattr(self, name) is not None:
                positive(self, name)
        if self.save_total_limit is not None:
            positive(self, "save_total_limit")
        unit_interval(self, "warmup")
        unit_interval(self, "validation_share", open_right=1.0)
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise SettingError(
                "bad-setting", f"OfflineSettings.weight_decay must be at least 0. Got {self.weight_decay!r}"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise SettingError("bad-setting", f"OfflineSettings.seed must be an integer, at least 0. Got {self.seed!r}")
        one_of(self, "schedule", ("constant", "linear", "cosine", "inverse_sqrt"))
        one_of(self, "precision", ("float32", "bfloat16"))
        one_of(self, "overlong", ("drop", "cut", "error"))
        one_of(self, "derive", ("stated", "all", "best_worst", "adjacent"))
