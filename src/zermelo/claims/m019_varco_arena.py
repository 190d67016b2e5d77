"""M019 · Varco Arena: tournaments against the usual comparison with a reference answer.

The paper: pooled single-elimination cups correlate better with the full arena than comparing every model with one
reference output, at every benchmark size and with both judges (20 models, Arena-Hard prompts, median of 500 trials).

Here: 20 players with latent Elo from 1000 to 1290, matches drawn from it, a judge that turns a verdict with probability
1 − accuracy. Per seed, 40 trials in each of 6 cells (50, 100, 250 prompts; judge accuracy 1.0 and 0.8); Spearman with
the latent order, tournament minus the comparison with a mid-field reference. Figure: the smallest median gain of the
six cells. Rule, written before the run: reproduced where the interval of that smallest gain lies above 0, partly where
only its mean does.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, above
from zermelo.ranking.tournament import anchored_board, tournament_board

__all__ = ["CLAIM"]

ELO = np.linspace(1000, 1290, 20)
ANCHOR = 10
NAMES = [f"p{i}" for i in range(20)]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation, ties by average rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def gains(seed: int, n_prompts: int, accuracy: float, trials: int) -> float:
    """Median over trials of Spearman(tournament) − Spearman(reference)."""
    found = []
    for trial in range(trials):
        rng = np.random.default_rng([seed, n_prompts, round(accuracy * 100), trial])

        def match(a: int, b: int, prompt: int, rng: np.random.Generator = rng) -> float:
            won = rng.random() < 1 / (1 + 10 ** ((ELO[b] - ELO[a]) / 400))
            return float(won == (rng.random() < accuracy))

        board = tournament_board(NAMES, match, n_prompts=n_prompts, seed=int(rng.integers(1 << 31)))
        rates = anchored_board(20, match, anchor=ANCHOR, n_prompts=n_prompts)
        found.append(spearman(board.ratings.rating, ELO) - spearman(rates, ELO))
    return float(np.median(found))


def run(seed: int) -> Mapping[str, float]:
    """Gains of the six cells and the smallest of them."""
    cells = {f"gain_{n}_{acc}": gains(seed, n, acc, trials=40) for n in (50, 100, 250) for acc in (1.0, 0.8)}
    return {**cells, "smallest_gain": min(cells.values())}


CLAIM = Claim(
    id="M019",
    paper="tournaments correlate better with the arena than reference comparisons at every size and with both judges",
    measures="Spearman with the truth, tournament − reference, smallest of six cells",
    headline="smallest_gain",
    run=run,
    verdict=above("smallest_gain"),
    rule="the interval of the smallest gain lies above 0",
    seeds=(101, 102, 103),
)
