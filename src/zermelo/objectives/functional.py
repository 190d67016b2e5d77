"""A function of about ten lines becomes an objective, usable in Python and, by its import path, in YAML."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import field, make_dataclass
from typing import Any, overload

from torch import Tensor

from zermelo.errors import SettingError
from zermelo.objectives.batch import Axis, RaggedBatch
from zermelo.objectives.protocol import Composable, Losses, Needs, term

__all__ = ["objective"]

Function = Callable[..., Tensor | Losses]


@overload
def objective(function: Function, /) -> type[Any]: ...
@overload
def objective(*, needs: Needs = ..., over: Axis = ...) -> Callable[[Function], type[Any]]: ...
def objective(
    function: Function | None = None,
    /,
    *,
    needs: Needs = Needs(pairs=True, policies=("ref",)),
    over: Axis = "pairs",
) -> type[Any] | Callable[[Function], type[Any]]:
    """Turn `function(batch, *, settings…)` into an objective class whose fields are the keyword-only settings.

        @objective
        def cautious(batch, *, beta: float = 0.1, cap: float = 5.0):
            win, lose = batch.sides(beta * batch.log_ratio("ref"))
            return softplus(-(win - lose).clamp_max(cap))

        cautious(beta=0.2) + 0.1 * SFT()            # YAML: {"my_package.losses:cautious": {beta: 0.2}}

    Args:
        function: Returns one loss per item of `over`, or `Losses` of several terms.
        needs: What the batch must hold. Default: pairs and the reference.
        over: Axis of a returned tensor.
    Raises:
        SettingError: the function takes anything but one positional batch and keyword-only settings.
    """
    if function is None:
        return lambda found: _make(found, needs, over)
    return _make(function, needs, over)


def _make(function: Function, needs: Needs, over: Axis) -> type[Any]:
    name = function.__name__
    parameters = list(inspect.signature(function).parameters.values())
    settings = [item for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY]
    if len(parameters) != len(settings) + 1:
        raise SettingError(
            "bad-objective",
            f"{name}: an objective takes the batch, and settings as keyword-only arguments",
            hint=f"def {name}(batch, *, beta: float = 0.1): ...",
        )
    fields: list[Any] = [
        (item.name, item.annotation if item.annotation is not inspect.Parameter.empty else float)
        if item.default is inspect.Parameter.empty
        else (item.name, item.annotation, field(default=item.default))
        for item in settings
    ]

    def call(self: Any, batch: RaggedBatch) -> Losses:
        found = function(batch, **{item.name: getattr(self, item.name) for item in settings})
        return found if isinstance(found, Losses) else term(name, over=over, each=found)

    made = make_dataclass(
        name,
        fields,
        bases=(Composable,),
        namespace={"needs": needs, "__call__": call, "__doc__": function.__doc__},
        frozen=True,
    )
    made.__module__ = function.__module__
    made.__qualname__ = function.__qualname__
    return made
