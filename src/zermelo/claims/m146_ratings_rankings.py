"""Peering through preferences (M146): "the preferences inferred from ratings and rankings significantly disagree 60 %
for both human and AI annotators"; models trained on rankings are preferred under rankings only: "the choice of
feedback protocol has a significant effect on the evaluation of aligned LLMs".

Here: a response has a quality q and a density d (standard normal, independent). A rating is round(4 + 0.8 q + 0.3 d +
noise), kept in 1…7; a choice looks at 0.8 Δq − 0.3 Δd + noise, and is `equal` within 0.3: raters like dense answers,
choosers lean ones. Noise has standard deviation 0.8 everywhere. Both protocols see the same 2,000 pairs; each trains a
linear reward on (q, d) by its own loss (squared error; Bradley–Terry without ties), each reward picks the best of 64,
and 1,000 prompts compare both policies and a reference (one random answer of mean quality + 1) under both protocols.
Beside it, the published sample: consistency, and the win rate of one policy under both protocols (real data).

Rule, written before the run: reproduced where ratings and choices disagree on at least 40 % of the pairs, each policy
beats the other's win rate against the reference under its own protocol, all with their intervals, and in the published
sample the intervals of the win rates by ratings and by choices part; partly where the first two hold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict
from zermelo.stats.protocols import protocol_win_rate, rating_ranking_table

__all__ = ["CLAIM"]

PAIRS, PROMPTS, BEST_OF, NOISE, TIE, TASTE = 2000, 1000, 64, 0.8, 0.3, 0.3
Floats = NDArray[np.float64]


def rate(x: Floats, rng: np.random.Generator) -> Floats:
    """Ratings 1…7 of responses. x: [..., 2] quality and density"""
    score = 4 + 0.8 * x[..., 0] + TASTE * x[..., 1] + NOISE * rng.normal(size=x.shape[:-1])
    return np.asarray(np.clip(np.rint(score), 1, 7))


def choose(a: Floats, b: Floats, rng: np.random.Generator) -> Floats:
    """1 the first, −1 the second, 0 equal."""
    gap = 0.8 * (a - b)[..., 0] - TASTE * (a - b)[..., 1] + NOISE * rng.normal(size=a.shape[:-1])
    return np.where(np.abs(gap) < TIE, 0.0, np.sign(gap))


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed, and those of the published sample."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, PAIRS, 2))
    first, second, choice = rate(a, rng), rate(b, rng), choose(a, b, rng)
    table = rating_ranking_table(first, second, choice)
    x, y = np.concatenate([a, b]), np.concatenate([first, second])
    by_rating = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0][:2]
    by_choice = _bradley_terry((a - b)[choice != 0] * choice[choice != 0][:, None])
    pool = rng.normal(size=(PROMPTS, BEST_OF, 2))
    reference = rng.normal(size=(PROMPTS, 2)) + np.array([1.0, 0.0])
    picked = [pool[np.arange(PROMPTS), (pool @ w).argmax(axis=1)] for w in (by_rating, by_choice)]
    rated = rate(reference, rng)
    under_ratings = [protocol_win_rate(rate(item, rng) - rated).value for item in picked]
    under_choices = [protocol_win_rate(choose(item, reference, rng)).value for item in picked]
    return {
        "disagreement": 1 - table.consistency.value,
        "decisive_disagreement": 1 - table.decisive.value,
        "rating_policy_under_ratings": under_ratings[0] - under_ratings[1],
        "choice_policy_under_choices": under_choices[1] - under_choices[0],
        **_published(),
    }


def _bradley_terry(d: Floats) -> Floats:
    from scipy.optimize import minimize

    return np.asarray(minimize(lambda w: np.logaddexp(0, -d @ w).mean() + 1e-3 * w @ w, np.zeros(2)).x)


def _published() -> dict[str, float]:
    """The sample of the paper's repository."""
    import pandas as pd

    from zermelo.claims.runner import shared_data

    folder = shared_data("sparse_feedback")
    value = (
        pd.read_parquet(folder / "ratings_dev.parquet")
        .drop_duplicates(["prompt_id", "response"])
        .set_index(["prompt_id", "response"])["rating"]
    )
    ranked = pd.read_parquet(folder / "rankings_dev.parquet")
    sides = [
        value.reindex(pd.MultiIndex.from_frame(ranked[["prompt_id", name]])).to_numpy(float)
        for name in ("response_a", "response_b")
    ]
    code = {"(a)": 1, "(b)": -1, "equal": 0}
    table = rating_ranking_table(sides[0], sides[1], ranked["choice"].map(code))
    systems = pd.read_parquet(folder / "policy_ratings.parquet").drop_duplicates(["system", "instruction"])
    wide = systems.pivot(index="instruction", columns="system", values="rating").dropna()
    ratings = protocol_win_rate(wide["alpaca7b_best_of_64_rating_rm"] - wide["text-davinci-003"])
    choices = protocol_win_rate(-pd.read_parquet(folder / "policy_rankings.parquet")["choice"].map(code))
    error = ((ratings.high - ratings.low) ** 2 + (choices.high - choices.low) ** 2) ** 0.5 / 2
    return {
        "published_gap_low": ratings.value - choices.value - error,
        "published_disagreement": 1 - table.consistency.value,
        "published_by_ratings": ratings.value,
        "published_by_choices": choices.value,
        "published_gap": ratings.value - choices.value,
        "published_parted": float(ratings.low > choices.high),
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    low = summary.low
    differs = low["disagreement"] >= 0.4
    turns = low["rating_policy_under_ratings"] > 0 and low["choice_policy_under_choices"] > 0
    if differs and turns and summary.mean["published_parted"] == 1:
        return "reproduced"
    return "partly" if differs and turns else "not reproduced"


CLAIM = Claim(
    id="M146",
    paper="ratings and rankings disagree on 60 % of the pairs, for people and for AI annotators; models win under the "
    "protocol that they were trained on",
    measures="share of pairs on which ratings and choices imply different things (fraction)",
    headline="disagreement",
    run=run,
    verdict=verdict,
    rule="disagreement ≥ 0.4 and each policy ahead under its own protocol (intervals); in the published sample the "
    "intervals of both win rates part",
    data="sparse_feedback",
    notes="raters' and choosers' different taste for density is planted; what it does to policies is measured. Ties "
    "make most of the disagreement: see decisive_disagreement",
)
