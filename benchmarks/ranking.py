"""Ratings from a million battles, against arena-rank, evalica, choix; style control; length control; item response.

Sides run in turn in processes of their own; reading the data and importing are left out of the times of functions, and
part of those of commands. `ONE=name` runs one race. On a busy machine the ratio is what counts.
"""

# ruff: noqa: E501  (rows of a table)

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# tables of 200 players: one thread of linear algebra is the best setting of both sides
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from benchmarks.harness import race, rows

PLAYERS = 200


def make_league(path: Path, n: int, seed: int = 0) -> None:
    """Battles of 200 players by name, a tenth of them ties, as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    skill = rng.normal(0, 1, PLAYERS)
    a = rng.integers(0, PLAYERS, n)
    b = (a + rng.integers(1, PLAYERS, n)) % PLAYERS
    win = rng.random(n) < 1 / (1 + np.exp(skill[b] - skill[a]))
    said = np.where(rng.random(n) < 0.1, 2, np.where(win, 0, 1))
    names = pa.array([f"model-{i:03d}" for i in range(PLAYERS)])
    words = pa.array(["model_a", "model_b", "tie"])
    columns = {
        "model_a": names.take(pa.array(a)),
        "model_b": names.take(pa.array(b)),
        "winner": words.take(pa.array(said)),
    }
    pq.write_table(pa.table(columns), path)


def _timed(work: Any, repeat: int = 5) -> float:
    work()  # compilation and caches of either side are not timed
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def ours_fit(path: str) -> dict[str, Any]:
    import pandas as pd

    from zermelo.ranking.bradley_terry import BradleyTerry

    frame = pd.read_parquet(path)
    return {"seconds": _timed(lambda: BradleyTerry().fit(frame).interval())}


def ours_counts(path: str) -> dict[str, Any]:
    import pandas as pd

    from zermelo.ranking.bradley_terry import BradleyTerry
    from zermelo.ranking.reading import as_counts

    counts = as_counts(pd.read_parquet(path))
    return {"seconds": _timed(lambda: BradleyTerry().fit(counts).interval(), 15)}


def arena_fit(path: str) -> dict[str, Any]:
    import pandas as pd
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    frame = pd.read_parquet(path)

    def work() -> Any:
        data = PairDataset.from_pandas(frame)
        return BradleyTerry(n_competitors=len(data.competitors)).compute_ratings_and_cis(data)

    return {"seconds": _timed(work, 3)}


def evalica_fit(path: str) -> dict[str, Any]:
    import evalica
    import pandas as pd

    frame = pd.read_parquet(path)
    words = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}

    def work() -> Any:
        return evalica.bradley_terry(frame.model_a.tolist(), frame.model_b.tolist(), frame.winner.map(words).tolist())

    return {"seconds": _timed(work, 3)}


def choix_fit(path: str) -> dict[str, Any]:
    import choix
    import pandas as pd

    frame = pd.read_parquet(path)

    def work() -> Any:
        names = {name: i for i, name in enumerate(sorted({*frame.model_a, *frame.model_b}))}
        a, b = frame.model_a.map(names).to_numpy(), frame.model_b.map(names).to_numpy()
        wins = np.zeros((len(names), len(names)))
        np.add.at(wins, (a, b), frame.winner.map({"model_a": 1.0, "model_b": 0.0, "tie": 0.5}).to_numpy())
        np.add.at(wins, (b, a), frame.winner.map({"model_a": 0.0, "model_b": 1.0, "tie": 0.5}).to_numpy())
        return choix.ilsr_pairwise_dense(wins)

    return {"seconds": _timed(work, 3)}


def ours_bootstrap(path: str) -> dict[str, Any]:
    import pandas as pd

    from zermelo.ranking.bootstrap import bootstrap
    from zermelo.ranking.bradley_terry import BradleyTerry
    from zermelo.ranking.reading import as_counts

    frame = pd.read_parquet(path)

    def work() -> Any:
        counts = as_counts(frame)
        return bootstrap(counts, BradleyTerry().fit(counts), seed=0, n_resamples=100).interval()

    return {"seconds": _timed(work, 3)}


def evalica_bootstrap(path: str) -> dict[str, Any]:
    """Three replicates, times 100/3: a hundred take minutes."""
    import evalica
    import pandas as pd

    frame = pd.read_parquet(path)
    words = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    frame["said"] = frame.winner.map(words)
    start = time.perf_counter()
    for seed in range(3):
        again = frame.sample(frac=1.0, replace=True, random_state=seed)
        evalica.bradley_terry(again.model_a.tolist(), again.model_b.tolist(), again.said.tolist())
    return {"seconds": (time.perf_counter() - start) * 100 / 3}


def ours_style() -> dict[str, Any]:
    from zermelo.ranking.covariates import ControlledBradleyTerry

    a, b, score, z, truth = style_world()
    names, labels = [f"p{i}" for i in range(PLAYERS)], [f"z{i}" for i in range(8)]
    model = ControlledBradleyTerry()
    found = model.fit(a, b, score, players=names, covariates=z, names=labels)
    off = max(abs(found.extra[name][0] - value) for name, value in zip(labels, truth, strict=True))
    seconds = _timed(lambda: model.fit(a, b, score, players=names, covariates=z, names=labels), 3)
    return {"seconds": seconds, "largest error of a coefficient": off}


def style_world(n: int = 10**6) -> tuple[Any, ...]:
    """Battles with eight covariates of known effect."""
    rng = np.random.default_rng(1)
    skill, truth = rng.normal(0, 1, PLAYERS), np.linspace(-0.4, 0.4, 8)
    a = rng.integers(0, PLAYERS, n)
    b = (a + rng.integers(1, PLAYERS, n)) % PLAYERS
    z = rng.normal(size=(n, 8))
    score = (rng.random(n) < 1 / (1 + np.exp(-(skill[a] - skill[b] + z @ truth)))).astype(float)
    return a, b, score, z, truth


def ours_irt() -> dict[str, Any]:
    from zermelo.ranking.irt import IRT

    answers, ability = irt_world()
    found = IRT().fit(answers)
    r = float(np.corrcoef(found.ability, ability)[0, 1])
    return {"seconds": _timed(lambda: IRT().fit(answers), 3), "correlation": r}


def girth_irt() -> dict[str, Any]:
    import girth

    answers, _ = irt_world()
    start = time.perf_counter()
    girth.twopl_jml(answers.T.astype(int))
    return {"seconds": time.perf_counter() - start}


def irt_world(takers: int = 200, items: int = 10**4) -> tuple[Any, Any]:
    """Answers of a two-parameter world."""
    rng = np.random.default_rng(0)
    ability = rng.normal(size=takers)
    logit = ability[:, None] * np.exp(rng.normal(0, 0.4, items)) + rng.normal(0, 1.5, items)
    return (rng.random(logit.shape) < 1 / (1 + np.exp(-logit))).astype(float), ability


def ours_length() -> dict[str, Any]:
    from zermelo.evaluation.length_glm import LengthControl

    rng = np.random.default_rng(0)
    base = rng.lognormal(7, 0.5, 805)
    length = base * rng.lognormal(0, 0.4, (39, 805))
    preference = rng.random((39, 805))
    names = [f"m{i}" for i in range(39)]
    return {"seconds": _timed(lambda: LengthControl().fit(preference, length, base, models=names), 3)}


def main() -> None:
    n = rows(10**6, 10**6)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "battles.parquet"
        make_league(path, n)
        args = {"path": str(path)}
        frame = f"{n:.0e} battles, {PLAYERS} players, from a frame of names"
        races: dict[str, Any] = {
            "ranking-fit": ("arena-rank", ours_fit, arena_fit, f"{frame}; both with sandwich intervals", args),
            "ranking-fit-evalica": ("evalica", ours_fit, evalica_fit, f"{frame}; ours with intervals, theirs without", args),
            "ranking-fit-choix": ("choix", ours_fit, choix_fit, f"{frame}; ours with intervals, theirs without", args),
            "ranking-counts": (None, ours_counts, None, "the fit alone, from counts", args),
            "ranking-bootstrap": ("evalica", ours_bootstrap, evalica_bootstrap, f"{frame}; 100 replicates (theirs: 3, scaled)", args),
            "ranking-style": (None, ours_style, None, "10⁶ battles, 8 covariates, sandwich", {}),
            "ranking-irt": ("girth", ours_irt, girth_irt, "2PL, 200 × 10⁴, ours with standard errors; girth JML", {}),
            "ranking-length": (None, ours_length, None, "39 models × 805, joint fit with difficulties", {}),
        }  # fmt: skip
        only = os.environ.get("ONE", "")
        for name, (peer, ours, theirs, conditions, given) in races.items():
            if name.startswith(only):
                race(name, peer=peer, ours=ours, theirs=theirs, conditions=conditions, args=given, repeat=1)
        if "ranking-command".startswith(only):
            big = Path(folder) / "big.parquet"
            make_league(big, 10**7)
            command = [sys.executable, "-m", "zermelo", "rank", str(big)]
            told = "`zermelo rank` on 10⁷ battles in Parquet, whole process"
            race("ranking-command", peer=None, ours=command, theirs=None, conditions=told)


if __name__ == "__main__":
    main()
