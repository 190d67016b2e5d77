"""Which visible attributes of an answer go with being preferred, all else equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.rewarded.features import attributed

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Attributes"]

MODEST = 0.05  # how far from ½ a chance must be to be told first


@dataclass(frozen=True)
class Attributes:
    """The weight of each attribute in the choices, by Bayesian logistic regression (`evaluation.Dissection`).

    Source: "Dissecting Human and LLM Preferences", 2024, arXiv 2402.11296.
    """

    id: ClassVar[str] = "rewarded.attributes"
    asks: ClassVar[str] = "which visible attributes of an answer are preferred?"

    def run(self, case: Case) -> Sequence[Result]:
        found = attributed(case)
        if isinstance(found, str):
            return [Skipped(self.id, found)]
        from zermelo.evaluation.dissection import Dissection

        effects = Dissection(seed=case.seed, draws=250).fit_attributes(
            found.signs, np.ones(len(found.signs)), names=found.names
        )
        chance = dict(zip(effects.names, effects.preferred, strict=True))
        told = [name for name in chance if chance[name].excludes(0.5) and abs(chance[name].value - 0.5) >= MODEST]
        told.sort(key=lambda name: -abs(chance[name].value - 0.5))
        details: dict[str, float | str] = {
            "accuracy of the attributes together, held out": effects.accuracy,
            "pairs looked at": len(found.signs),
            "pairs": found.of,
        }
        if not told:
            return [Passed(self.id, "no visible attribute is preferred or avoided by itself", None, details)]
        said = ", ".join(
            f"{'more' if p > 0.5 else 'less'} of '{name}' ({max(p, 1 - p):.0%})"
            for name in told[:3]
            for p in (chance[name].value,)
        )
        order = sorted(chance, key=lambda name: -abs(chance[name].value - 0.5))
        return [
            Finding(
                self.id,
                "info",
                f"what is preferred, all else equal: {said}",
                chance[told[0]],
                effect="A policy trained on these choices moves towards these attributes first: easy to learn.",
                source="Dissecting Human and LLM Preferences, 2024",
                remedy="if it is not what you want to teach, balance it as `balance-length` does, or judge by criteria",
                table={
                    "attribute": order,
                    "chance to be preferred": [chance[name].value for name in order],
                    "low": [chance[name].low for name in order],
                    "high": [chance[name].high for name in order],
                },
                details=details,
                plots=(effects.plot,),
            )
        ]
