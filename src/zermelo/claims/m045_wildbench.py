"""M045 · WildBench: the reward correlates with the arena.

The paper: Pearson with the arena's Elo on hard English prompts 0.984 for WB-Reward (mixed) and 0.955 for WB-Score among
top models; over all models 0.940 for WB-Score; AlpacaEval 2 0.865.

Here, on the published boards: Pearson of WB-Reward (mean over three references, margin 500) with the arena's Elo over
the models of the development part, with a bootstrap interval over models. Rule, written before the run: reproduced
where the interval's lower end is above 0.85 and WB-Reward does not fall below AlpacaEval 2's raw win rate on the
models that both rated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]


def run(seed: int) -> Mapping[str, float]:
    """Correlations with the arena's Elo."""
    import pandas as pd

    from zermelo.claims.runner import shared_data

    board = pd.read_csv(shared_data("wildbench") / "external_board.csv")
    rated = board.dropna(subset=["arena_elo_hard_en", "wb_reward_mix_k500"])
    elo, reward = rated.arena_elo_hard_en.to_numpy(), rated.wb_reward_mix_k500.to_numpy()
    rng = np.random.default_rng(seed)
    draws: list[float] = []
    while len(draws) < 2000:
        pick = rng.integers(0, len(elo), len(elo))
        if len(np.unique(pick)) > 2:
            draws.append(np.corrcoef(elo[pick], reward[pick])[0, 1])
    low, high = np.percentile(draws, [2.5, 97.5])
    score = rated.dropna(subset=["wb_score"])
    both = rated.dropna(subset=["alpaca_eval2"])
    return {
        "pearson": float(np.corrcoef(elo, reward)[0, 1]),
        "ci_low": float(low),
        "ci_high": float(high),
        "models": float(len(elo)),
        "pearson_wb_score": float(np.corrcoef(score.arena_elo_hard_en, score.wb_score)[0, 1]),
        "pearson_reward_shared": float(np.corrcoef(both.arena_elo_hard_en, both.wb_reward_mix_k500)[0, 1]),
        "pearson_alpaca_eval2_shared": float(np.corrcoef(both.arena_elo_hard_en, both.alpaca_eval2)[0, 1]),
        "models_shared": float(len(both)),
    }


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    ahead = summary.mean["pearson_reward_shared"] >= summary.mean["pearson_alpaca_eval2_shared"]
    if summary.low["pearson"] > 0.85 and ahead:
        return "reproduced"
    return "partly" if summary.low["pearson"] > 0.85 or ahead else "not reproduced"


CLAIM = Claim(
    id="M045",
    paper="Pearson with arena Elo: WB-Reward 0.984 (top models), WB-Score 0.940 (all), AlpacaEval 2 0.865",
    measures="Pearson of WB-Reward with arena Elo over the models at hand",
    headline="pearson",
    run=run,
    verdict=verdict,
    rule="the interval's lower end is above 0.85 and WB-Reward does not fall below AlpacaEval 2 on shared models",
    exact=True,
    data="wildbench",
    notes="interval by bootstrap over models; few models are shared with AlpacaEval 2",
)
