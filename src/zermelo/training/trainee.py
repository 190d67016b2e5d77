"""What is trained: a model on its devices, with its optimiser. Everything that Accelerate is asked for stands here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zermelo.errors import MissingError, SettingError
from zermelo.objectives.batch import RaggedBatch
from zermelo.objectives.protocol import Losses
from zermelo.training.optimiser import make_optimiser, quiet
from zermelo.training.settings import OfflineSettings
from zermelo.training.totals import share_of, shares_of

__all__ = ["Gradient", "Trainee", "accelerator_for"]


def accelerator_for(settings: OfflineSettings, trackers: Sequence[str] = (), folder: Path | None = None) -> Any:
    """Accelerate, as its own launcher configured it (devices, FSDP2, DeepSpeed), with the precision of the settings."""
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise MissingError("missing-extra", "training needs accelerate", hint="pip install 'zermelo[train]'") from error
    if trackers:
        from accelerate.tracking import get_available_trackers

        known = [str(name) for name in get_available_trackers()]
        for name in trackers:
            if name not in known:
                here = ", ".join(known) or "none"
                raise MissingError("no-tracker", f"tracker {name!r} is not installed; installed: {here}")
    precision = "bf16" if settings.precision == "bfloat16" else "no"
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # an earlier run of this process had another precision
    return Accelerator(mixed_precision=precision, log_with=list(trackers) or None, project_dir=folder)


class Trainee:
    """A model and its optimiser on their devices.

    Args:
        model: Trained in place; its trainable parameters are put in float32.
        settings: Learning rate, precision, clipping, dropout.
        accelerator: From `accelerator_for`.
        heads: Trained beside the model, or None.
    Attributes:
        model: The bare model.
        module: The model as it is called: wrapped for several devices or for a lower precision.
    """

    def __init__(
        self, model: nn.Module, settings: OfflineSettings, accelerator: Any, heads: nn.ModuleDict | None = None
    ) -> None:
        self.model = model
        self.heads = heads
        self.clip = settings.clip
        self.accelerator = accelerator
        for parameter in model.parameters():
            if parameter.requires_grad and parameter.dtype in (torch.float16, torch.bfloat16):
                # in bfloat16 an update smaller than 1/256 of a weight is no update at all
                parameter.data = parameter.data.float()
        if not settings.dropout:
            quiet(model)
        model.train()
        model.to(accelerator.device)  # before the optimiser, which must see the parameters that it will step
        if heads is not None:
            heads.to(accelerator.device)
        self.optimiser = make_optimiser([model] if heads is None else [model, heads], settings)
        self.module, self._stepper = accelerator.prepare(model, self.optimiser)
        if heads is not None and self.sharded:
            raise SettingError("not-supplied", "an objective with a head cannot be trained with sharded weights")

    @property
    def device(self) -> torch.device:
        """Where batches go."""
        return torch.device(self.accelerator.device)

    @property
    def world(self) -> int:
        """Number of devices."""
        return int(self.accelerator.num_processes)

    @property
    def rank(self) -> int:
        """Which of them this is."""
        return int(self.accelerator.process_index)

    @property
    def main(self) -> bool:
        """Whether this process writes files."""
        return bool(self.accelerator.is_main_process)

    @property
    def sharded(self) -> bool:
        """Whether parameters are spread over devices (FSDP, DeepSpeed)."""
        return str(self.accelerator.distributed_type).split(".")[-1] in ("FSDP", "DEEPSPEED", "MEGATRON_LM")

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained, the heads last."""
        modules = [self.module] if self.heads is None else [self.module, self.heads]
        return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]

    def reduce(self, tensor: Tensor) -> Tensor:
        """Sum over devices."""
        if self.world == 1:
            return tensor
        return self.accelerator.reduce(tensor.to(self.device), "sum").to(tensor.device)

    def gather(self, items: list[Any]) -> list[Any]:
        """The lists of all devices, one after the other."""
        if self.world == 1:
            return items
        from accelerate.utils import gather_object

        return list(gather_object(items))

    def wait(self) -> None:
        """Until every device is here."""
        self.accelerator.wait_for_everyone()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Evaluation mode, and back."""
        self.module.eval()
        try:
            yield
        finally:
            self.module.train()

    @contextmanager
    def accumulating(self, *, last: bool) -> Iterator[None]:
        """Gradients are exchanged between devices in the last micro-batch of a step only."""
        if last or self.world == 1:
            yield
        else:
            with self.accelerator.no_sync(self.module):
                yield

    def step(self, lr: float) -> float:
        """Clip, update, forget the gradient; returns its norm before clipping."""
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        if self.heads is not None and self.world > 1:  # the model's wrapper exchanges its own gradients only
            for parameter in self.heads.parameters():
                if parameter.grad is not None:
                    parameter.grad = self.reduce(parameter.grad) / self.world
        limit = math.inf if self.clip is None else self.clip
        norm = self.accelerator.clip_grad_norm_(self.parameters, limit)
        value = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        if not math.isfinite(value):
            raise SettingError(
                "not-finite",
                f"the gradient is {value}: the run has diverged, or a log-probability is not finite",
                hint="lower lr, or start over from the last checkpoint with a smaller clip",
            )
        self._stepper.step()
        self._stepper.zero_grad()
        return value

    def state_dict(self) -> Mapping[str, Tensor] | None:
        """Whole weights of a sharded model (every device must ask); None where the bare model has them."""
        return self.accelerator.get_state_dict(self.module) if self.sharded else None


class Gradient:
    """How the gradient of a step comes about: the sum of its terms, or the objective's own rule over them.

    Args:
        trainee: Whose gradient.
        rule: `gradient_rule` of the objective, or None.
    """

    def __init__(self, trainee: Trainee, rule: Callable[..., Mapping[str, Tensor]] | None) -> None:
        self._trainee = trainee
        self._rule = rule
        self._parts: dict[str, dict[str, Tensor]] = {}
        if rule is not None and trainee.sharded:
            raise SettingError(
                "not-supplied", "an objective with a gradient rule cannot be trained with sharded weights"
            )
        self._named = {n: p for n, p in trainee.model.named_parameters() if p.requires_grad} if rule else {}

    def add(self, losses: Losses, batch: RaggedBatch, totals: Tensor, *, counts: bool) -> None:
        """Backward of one micro-batch."""
        factor = float(counts)
        if self._rule is None:
            # the exchange between devices averages; the totals are those of all devices
            share = share_of(losses, batch, totals) * (factor * self._trainee.world)
            self._trainee.accelerator.backward(share)
            return
        names = [item.name for item in losses]
        for name, share in zip(names, shares_of(losses, batch, totals), strict=True):
            found = torch.autograd.grad(
                share * factor, list(self._named.values()), retain_graph=True, allow_unused=True, materialize_grads=True
            )
            into = self._parts.setdefault(name, {})
            for key, value in zip(self._named, found, strict=True):
                into[key] = into[key] + value if key in into else value

    def finish(self) -> None:
        """Apply the rule, where there is one."""
        if self._rule is None:
            return
        reduced = {
            name: {key: self._trainee.reduce(value) for key, value in part.items()}
            for name, part in self._parts.items()
        }
        for key, value in self._rule(reduced).items():
            self._named[key].grad = value
