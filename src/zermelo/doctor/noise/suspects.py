"""Which preferences are probably labelled the wrong way round, and how many: for the audit and for the fixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.noise.probe import PairProbe, pair_probe
from zermelo.stats.confident_learning import ConfidentLearning, LabelIssues
from zermelo.stats.lapse import LapseRate, lapse_rate

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["Suspects", "confident_pairs", "label_suspects", "lapse_of_pairs"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Suspects:
    """What a probe makes of the labels of pairs.

    Args:
        probe: Its margins and the pairs.
        lapse: The share of flipped labels, told apart from a weak probe.
    """

    probe: PairProbe
    lapse: LapseRate

    @property
    def wrong(self) -> Floats:
        """P(the label of the pair is the wrong way round), NaN where the probe has no skill. [M]"""
        return self.lapse.wrong

    @property
    def order(self) -> NDArray[np.int64]:
        """Places of the pairs that are more likely wrong than right, the worst first."""
        found = np.flatnonzero(self.wrong > 0.5)
        return np.asarray(found[np.argsort(-self.wrong[found], kind="stable")])


_KNOWN: WeakKeyDictionary[Case, Suspects | str] = WeakKeyDictionary()


def label_suspects(case: Case) -> Suspects | str:
    """P(label wrong) of every pair of `case.sample`, made once; a string says why there is none.

    A fix that must reach every pair makes its case with `n_pairs` as large as the data.
    """
    if case not in _KNOWN:
        probe = pair_probe(case)
        _KNOWN[case] = probe if isinstance(probe, str) else Suspects(probe, lapse_of_pairs(probe.margin))
    return _KNOWN[case]


def lapse_of_pairs(margin: Floats) -> LapseRate:
    """The lapse model of pairs: class 0 is `as labelled`, its log-odds are the margin.

    Pairs have no classes of their own: the one pair is (first, second, first wins) and (second, first, second wins), so
    the noise is one number, and the preferred one is put first everywhere.
    """
    return lapse_rate(np.zeros(len(margin), np.int64), np.stack([np.zeros_like(margin), -margin], axis=1))


def confident_pairs(belief: Floats) -> tuple[LabelIssues, NDArray[np.bool_]]:
    """Confident learning on both orders of every pair, so that no class is preferred; and which pairs are suspects. [M]

    Args:
        belief: P(as labelled | probe) of each pair. [M]
    """
    n = len(belief)
    first = np.stack([belief, 1 - belief], axis=1)
    found = ConfidentLearning().find(np.repeat([0, 1], n), np.concatenate([first, first[:, ::-1]]))
    return found, found.issue[:n] | found.issue[n:]
