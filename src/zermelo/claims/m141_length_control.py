"""M141 · Length-controlled AlpacaEval: less to gain by verbosity, closer to true quality.

The paper: the spread of win rates between verbose, normal and concise answers of a model falls from about 25 % to about
10 % (normalised), and Spearman's correlation with the arena rises from 0.94 to 0.98.

Here: twelve models of known quality answer 300 instructions in three forms (normal, 60 % longer, 40 % shorter); a judge
likes length, logit = quality + difficulty + 0.9 tanh(Δ/sd). Rule, written before the run: reproduced where the standard
deviation of a model's win rate over its three forms falls by 60 % or more under length control (whole interval over
seeds) and Spearman's correlation with quality over all 36 runs rises by 0.05 or more on average; partly where one of
the two holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

MODELS, INSTRUCTIONS, FORMS = 12, 300, (1.0, 1.6, 0.6)


def run(seed: int) -> Mapping[str, float]:
    """Spread over forms and rank correlation with quality, raw and controlled."""
    from scipy.stats import spearmanr

    from zermelo.evaluation.length_glm import LengthControl

    rng = np.random.default_rng(seed)
    quality = rng.normal(-0.3, 0.5, MODELS)
    difficulty = rng.normal(0, 1, INSTRUCTIONS)
    base = rng.lognormal(6.8, 0.5, INSTRUCTIONS)
    preference, length, of = [], [], []
    for model in range(MODELS):
        usual = base * rng.lognormal(0, 0.35, INSTRUCTIONS)
        for form in FORMS:
            own = usual * form
            delta = own - base
            logit = quality[model] + difficulty + 0.9 * np.tanh(delta / delta.std(ddof=1))
            preference.append((rng.random(INSTRUCTIONS) < 1 / (1 + np.exp(-logit))).astype(float))
            length.append(own)
            of.append(model)
    found = LengthControl().fit(
        np.array(preference), np.array(length), base, models=[f"run {i}" for i in range(len(of))]
    )
    raw, fair = found.win_rate.reshape(MODELS, 3), found.length_controlled.reshape(MODELS, 3)
    truth = quality[of]
    spread_raw, spread = float(raw.std(axis=1).mean()), float(fair.std(axis=1).mean())
    return {
        "reduction": 1 - spread / spread_raw,
        "spread_raw": spread_raw,
        "spread_controlled": spread,
        "spearman_raw": float(spearmanr(found.win_rate, truth).statistic),
        "spearman_controlled": float(spearmanr(found.length_controlled, truth).statistic),
        "spearman_gain": float(
            spearmanr(found.length_controlled, truth).statistic - spearmanr(found.win_rate, truth).statistic
        ),
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    steadier, closer = summary.low["reduction"] >= 0.6, summary.mean["spearman_gain"] >= 0.05
    if steadier and closer:
        return "reproduced"
    return "partly" if steadier or closer else "not reproduced"


CLAIM = Claim(
    id="M141",
    paper="spread between verbose and concise answers ≈ 25 % → ≈ 10 %; Spearman with the arena 0.94 → 0.98",
    measures="fall of the spread of win rates over forms of length, as a share",
    headline="reduction",
    run=run,
    verdict=verdict,
    rule="the spread falls by ≥ 60 % (whole interval) and Spearman with quality rises by ≥ 0.05",
    notes="simulated judge that likes length; the published board is checked in tests/ranking/test_figures.py",
)
