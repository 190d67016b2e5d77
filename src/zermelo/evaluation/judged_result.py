"""`JudgedGroupsResult`: what an evaluation of judged groups found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zermelo.evaluation.accuracy import PairedAccuracyResult
from zermelo.evaluation.calibration import CalibrationResult
from zermelo.evaluation.diversity import DiversityResult
from zermelo.evaluation.length_control import LengthControlledWinRateResult
from zermelo.evaluation.overoptimisation import OveroptimisationResult
from zermelo.evaluation.pass_at_k import PassAtKResult
from zermelo.evaluation.present import plain
from zermelo.evaluation.reward_model import RewardModelAccuracyResult
from zermelo.evaluation.win_rate import WinRateResult
from zermelo.stats.estimate import Estimate

__all__ = ["JudgedGroupsResult", "Score", "Win"]


@dataclass(frozen=True)
class Score:
    """What one annotator gave one system: accuracy (labels) or mean rating.

    Args:
        by: Annotator, and criterion.
        kind: `label` or `rating`.
        source: System.
        mean: Mean over prompts.
        gain: Against the baseline on the same prompts; None without baseline.
        length: Mean characters of the marked responses.
        n_prompts: Prompts.
        n_responses: Marked responses.
    """

    by: str
    kind: str
    source: str
    mean: Estimate
    gain: Estimate | None
    test: PairedAccuracyResult | None
    length: float
    n_prompts: int
    n_responses: int


@dataclass(frozen=True)
class Win:
    """Win rate of one system over another.

    Args:
        first: System.
        second: System.
        basis: `comparisons`, or the annotator whose marks it is derived from.
        raw: Win rate of the first.
        controlled: At equal lengths; None where lengths are not known.
    """

    first: str
    second: str
    basis: str
    raw: WinRateResult
    controlled: LengthControlledWinRateResult | None


@dataclass(frozen=True)
class JudgedGroupsResult:
    """What was found; parts that the data does not allow are empty and named in `notes`.

    Args:
        n_groups: Groups read.
        n_prompts: Different prompts.
        n_responses: Responses.
        n_judgements: Judgements.
        baseline: System that the others are compared with.
        scores: Accuracy and ratings by system.
        wins: Win rates.
        longer: Share of decided comparisons that the longer response won.
        pass_at_k: (annotator, system) → pass@k.
        best_of_n: (proxy, truth) → curves.
        scorers: (scorer, criterion) → accuracy on the stated comparisons.
        calibration: (judge) → its probabilities against what others declared.
        diversity: System → diversity of its samples.
        notes: What could not be measured, and why.
    """

    n_groups: int
    n_prompts: int
    n_responses: int
    n_judgements: int
    baseline: str | None
    scores: tuple[Score, ...]
    wins: tuple[Win, ...]
    longer: Estimate | None
    pass_at_k: dict[tuple[str, str], PassAtKResult]
    best_of_n: dict[tuple[str, str], OveroptimisationResult]
    scorers: dict[str, RewardModelAccuracyResult]
    calibration: dict[str, CalibrationResult]
    diversity: dict[str, DiversityResult]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """One object of plain numbers."""
        return {
            "schema": "zermelo.evaluate/1",
            "groups": self.n_groups,
            "prompts": self.n_prompts,
            "responses": self.n_responses,
            "judgements": self.n_judgements,
            "baseline": self.baseline,
            "scores": [
                {
                    "by": s.by,
                    "kind": s.kind,
                    "source": s.source,
                    "mean": plain(s.mean),
                    "gain": plain(s.gain),
                    "p_value": plain(s.test.test.p_value) if s.test else None,
                    "mean_length": plain(s.length),
                    "n_prompts": s.n_prompts,
                    "n_responses": s.n_responses,
                }
                for s in self.scores
            ],
            "win_rates": [
                {
                    "first": w.first,
                    "second": w.second,
                    "basis": w.basis,
                    **w.raw.to_json(),
                    "length_controlled": plain(w.controlled.controlled) if w.controlled else None,
                    "length_slope": plain(w.controlled.slope) if w.controlled else None,
                }
                for w in self.wins
            ],
            "longer_wins": plain(self.longer),
            "pass_at_k": [{"by": by, "source": who, **r.to_json()} for (by, who), r in self.pass_at_k.items()],
            "best_of_n": [{"proxy": p, "truth": t, **r.to_json()} for (p, t), r in self.best_of_n.items()],
            "scorers": [{"scorer": name, **r.to_json()} for name, r in self.scorers.items()],
            "calibration": [{"judge": name, **r.to_json()} for name, r in self.calibration.items()],
            "diversity": [{"source": name, **r.to_json()} for name, r in self.diversity.items()],
            "notes": list(self.notes),
        }

    def to_html(self, title: str = "Evaluation") -> str:
        """A page of its own."""
        from zermelo.evaluation.judged_page import page_of

        return page_of(self, title).html()
