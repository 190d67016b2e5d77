"""Rated candidates as calibration sets: diversity, margin, surprise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.stats.intervals import mean_interval

if TYPE_CHECKING:
    from zermelo.doctor.case import Case
    from zermelo.feedback.records import Group
    from zermelo.policies.policy import Policy
    from zermelo.synthesis.subsets import Candidates

__all__ = ["CalibrationSet"]

LEAST, MOST = 20, 300  # groups looked at
WITH_A_POLICY = 60  # of them, where a policy reads the answers


@dataclass(frozen=True)
class CalibrationSet:
    """What characterises groups of three or more rated answers as sets to calibrate on.

    Margin: mean gap of neighbours by mean rating, as a share of the scale in the data; diversity: 1 − self-BLEU;
    surprise: −Spearman of rating and log-probability per token under the policy, where one is named. Above 0 the
    policy has the order upside down more often than not.

    Source: "What are the Desired Characteristics of Calibration Sets? Identifying Correlates on Long Form Scientific
        Summarization", 2023, arXiv 2305.07615.
    """

    id: ClassVar[str] = "trainability.calibration_set"
    asks: ClassVar[str] = "how wide, diverse and surprising are sets of rated answers?"

    def run(self, case: Case) -> Sequence[Result]:
        rows = _rated_rows(case)
        if len(rows) < LEAST:
            return [Skipped(self.id, f"{len(rows)} rows hold three or more rated answers; needs {LEAST}")]
        from zermelo.synthesis.subsets import set_statistics

        most = MOST if case.policy is None else WITH_A_POLICY
        if len(rows) > most:
            rows = np.sort(np.random.default_rng((case.seed, 27)).choice(rows, most, replace=False))
        policy = None
        if case.policy is not None:
            from zermelo.policies.load import load

            policy = load(case.policy)
        found = case.feedback.at(rows.tolist())
        seen = []
        for row in rows.tolist():
            made = _candidates(found[row], case.criterion, policy)
            if made is not None:
                seen.append(set_statistics(made, range(len(made.metric))))
        if len(seen) < LEAST:
            return [Skipped(self.id, f"{len(seen)} rows hold three or more rated texts; needs {LEAST}")]
        values = {
            name: np.array([getattr(item, name) for item in seen]) for name in ("margin", "diversity", "surprise")
        }
        spread = float(np.quantile([item.margin for item in seen], 0.99)) or 1.0
        margin = mean_interval(values["margin"] / spread)
        details: dict[str, float | str] = {
            "sets looked at": len(seen),
            "mean margin": float(values["margin"].mean()),
            "mean diversity": float(values["diversity"].mean()),
        }
        title = (
            f"sets of rated answers: diversity {values['diversity'].mean():.2f}, mean gap of neighbours "
            f"{values['margin'].mean():.2g} on the ratings' scale"
        )
        surprise = values["surprise"][np.isfinite(values["surprise"])]
        if len(surprise):
            known = mean_interval(surprise)
            details["mean surprise"] = known.value
            title += f", surprise {known.value:+.2f}"
            if known.low > 0:
                return [
                    Finding(
                        self.id,
                        "low",
                        f"{title}: the policy has the order upside down more often than not",
                        known,
                        effect="Sets whose order surprises the model taught it least.",
                        source="What are the Desired Characteristics of Calibration Sets?, 2023",
                        remedy="calibrate on `synthesis.SubsetSelector('min_surprise')` or on the widest margins",
                        details=details,
                    )
                ]
        return [Passed(self.id, title, margin, details)]


def _rated_rows(case: Case) -> NDArray[np.int64]:
    """Rows with three or more rated answers."""
    table = case.ratings
    if not table.num_rows:
        return np.zeros(0, np.int64)
    places = np.unique(
        np.stack([table["row"].to_numpy().astype(np.int64), table["response"].to_numpy().astype(np.int64)], 1), axis=0
    )
    rows, counts = np.unique(places[:, 0], return_counts=True)
    return rows[counts >= 3]


def _candidates(group: Group, criterion: str | None, policy: Policy | None) -> Candidates | None:
    """The group's rated answers; None where fewer than three have a text."""
    from zermelo.feedback.curricula import mean_ratings
    from zermelo.synthesis.subsets import Candidates

    rated = mean_ratings(group, criterion=criterion)
    kept = [at for at, value in enumerate(rated) if value is not None and group.responses[at].content.strip()]
    if len(kept) < 3:
        return None
    texts = [group.responses[at].content for at in kept]
    loglik = None
    if policy is not None:
        loglik = _likelihoods(
            replace(group, responses=tuple(group.responses[at] for at in kept), judgements=()), policy
        )
        if loglik is None:
            return None
    return Candidates(np.array([float(rated[at] or 0.0) for at in kept]), loglik=loglik, texts=texts)


def _likelihoods(group: Group, policy: Policy) -> NDArray[np.float64] | None:
    """Mean log-probability per token of each answer; None where one does not fit."""
    import torch

    from zermelo.policies.engine import group_logprobs
    from zermelo.policies.tokens import tokenise

    tokenised = tokenise([group], policy)
    if len(tokenised.index) != 1 or len(tokenised.index[0].responses) != len(group.responses):
        return None
    lengths = torch.tensor([len(item.ids) for item in tokenised.tokens.groups[0].responses])
    logps = group_logprobs(policy, tokenised.tokens, grad=False).logps
    assert logps is not None
    return np.array([float(part.double().mean()) for part in logps.cpu().split(lengths.tolist())])
