"""Published figures of public data, computed again: one table in `docs/benchmarks.md` between markers of its own.

    python -m benchmarks.ranking_figures        # makes the table; needs the public data (docs/benchmarks.md)

Every row has our figure, the published one and how far they may differ; tests/ranking/test_figures.py holds them.
"""

# ruff: noqa: E501  (rows of a table)

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
MARKERS = ("<!-- figures: made by `python -m benchmarks.ranking_figures` -->", "<!-- /figures -->")


@dataclass(frozen=True)
class Row:
    """A figure: ours, what it should be, and the largest difference that passes (None: reported only)."""

    data: str
    what: str
    ours: float | str
    published: float | str | None = None
    within: float | None = None

    @property
    def good(self) -> bool:
        if self.within is None:
            return True
        if isinstance(self.ours, str) or isinstance(self.published, str):
            return self.ours == self.published
        return abs(self.ours - (self.published or 0.0)) <= self.within


def alpaca_eval(data: Path) -> Iterator[Row]:
    import pandas as pd

    from zermelo.evaluation.annotations import constant_outputs
    from zermelo.evaluation.length_glm import LengthControl

    folder = data / "alpaca_eval"
    rows = pd.read_parquet(folder / "annotations_dev.parquet")
    base = pd.read_parquet(folder / "baseline.parquet").set_index("instruction_id").sort_index()
    board = pd.read_csv(folder / "leaderboard_dev.csv").set_index("model")
    rows["length"] = rows.output.str.len()
    table = rows.pivot(index="model", columns="instruction_id", values="preference").reindex(columns=base.index)
    length = rows.pivot(index="model", columns="instruction_id", values="length").reindex(columns=base.index)
    models = tuple(table.index)
    on_board = [m for m in models if m in board.index]
    raw = 100 * table.mean(axis=1)
    worst = max(abs(raw[m] - board.win_rate[m]) for m in on_board)
    yield Row(
        "alpaca_eval", f"raw win rates of {len(on_board)} models: largest difference, points", float(worst), 0.0, 1e-6
    )
    found = LengthControl().fit(
        table.to_numpy(), length.to_numpy(dtype=float), base.output_1.str.len().to_numpy(dtype=float), models=models
    )
    ours = dict(zip(models, 100 * found.length_controlled, strict=True))
    full = [m for m in on_board if table.loc[m].notna().all()]
    lost = [m for m in on_board if m not in full]
    off = {m: abs(ours[m] - board.length_controlled_winrate[m]) for m in on_board}
    mean = float(np.mean([off[m] for m in full]))
    yield Row(
        "alpaca_eval",
        f"length-controlled, {len(full)} models with all rows: mean absolute error, points",
        mean,
        0.0,
        1.3,
    )
    top = sorted(full, key=lambda m: -off[m])[:3]
    yield Row("alpaca_eval", "… largest errors: " + ", ".join(f"{m} {off[m]:.2f}" for m in top), off[top[0]])
    naive = float(np.mean([abs(raw[m] - board.length_controlled_winrate[m]) for m in full]))
    yield Row("alpaca_eval", "… mean absolute error of raw win rates", naive)
    told = ", ".join(f"{m} {off[m]:.2f}" for m in sorted(lost, key=lambda m: -off[m])[:4])
    what = f"{len(lost)} models that lost rows (official difficulties joined by position): {told}"
    yield Row("alpaca_eval", what, float(np.mean([off[m] for m in lost])) if lost else 0.0)
    texts = {m: part.output.tolist() for m, part in rows.groupby("model")}
    flagged = ", ".join(m for m in sorted(texts) if constant_outputs(texts[m]) is not None)
    yield Row("alpaca_eval", "constant answers flagged", flagged, "NullModel", 0.0)


def llmfao(data: Path) -> Iterator[Row]:
    import pandas as pd

    from zermelo.ranking.bradley_terry import BradleyTerry
    from zermelo.ranking.counts import count
    from zermelo.ranking.covariates import ControlledBradleyTerry
    from zermelo.ranking.online import Elo
    from zermelo.ranking.tables import average_win_rate, eigenvector, pagerank
    from zermelo.stats.agreement import krippendorff_alpha

    votes = pd.read_parquet(data / "llmfao" / "human_votes.parquet")
    reference = pd.read_csv(data / "llmfao" / "reference_scores.csv")
    names = sorted({*votes.left, *votes.right})
    place = {name: i for i, name in enumerate(names)}
    first, second = votes.left.map(place).to_numpy(), votes.right.map(place).to_numpy()
    score = votes.winner.map({"left": 1.0, "right": 0.0, "tie": 0.5}).to_numpy()
    counts = count(first, second, score, players=names)
    wins, ties = counts.matrices()
    half = wins + ties / 2
    fitted = BradleyTerry().fit(counts)
    worth = np.exp(fitted.rating)
    ours: dict[str, np.ndarray[Any, Any]] = {
        "counting": half.sum(axis=1),
        "average_win_rate": average_win_rate(wins, ties),
        "bradley_terry": worth / worth.sum(),
        "newman": np.exp(BradleyTerry(ties="davidson").fit(counts).rating),
        "elo": Elo(k=4.0).fit(first, second, score, size=len(names)),
        "eigen": eigenvector(half.T),
        "pagerank": pagerank(wins, ties),
    }
    for name, values in ours.items():
        known = reference[reference.algorithm == name].set_index("item").score.reindex(names).to_numpy()
        difference = _scaled_difference(values, known)
        told = {"newman": " (with ties it is Davidson's model)", "eigen": " (of the transposed table: losers on top)"}
        name += told.get(name, "")
        yield Row("llmfao", f"{name} scores: largest relative difference from the reference", difference, 0.0, 1e-5)
    for ties_model in ("davidson", "rao-kupper"):
        yield Row(
            "llmfao",
            f"held-out log-likelihood per vote, {ties_model}",
            _ties_held_out(first, second, score, names, ties_model),
        )
    table = votes.pivot_table(index="pair_id", columns="worker", values="winner", aggfunc="first")
    agree = total = 0
    for _, part in votes.groupby("pair_id"):
        share = part.winner.value_counts().to_numpy()
        n = share.sum()
        agree, total = agree + (share * (share - 1)).sum() / 2, total + n * (n - 1) / 2
    yield Row("llmfao", "two workers on a pair agree, percent", 100 * agree / total, 53.2, 0.05)
    coded = table.apply(lambda column: column.map({"left": 0.0, "right": 1.0, "tie": 2.0})).to_numpy(dtype=float)
    yield Row("llmfao", "Krippendorff's α, nominal", float(krippendorff_alpha(coded)), 0.2906, 5e-5)
    for chosen in (True, False):
        values = [_replay(first, second, score, len(names), seed=seed, chosen=chosen) for seed in range(5)]
        arm = "chosen by information" if chosen else "taken at random"
        what = f"replay of 1,500 of the votes, {arm}: Kendall's τ with the whole board, mean of 5 seeds"
        yield Row("llmfao", what, float(np.mean(values)))
    for what, cluster in (("votes", None), ("prompt", votes.prompt_id), ("worker", votes.worker)):
        again = ControlledBradleyTerry().fit(
            first, second, score, players=names, cluster=None if cluster is None else cluster.to_numpy()
        )
        width = 2 * 1.96 * 173.7178 * float(np.median(again.standard_error()))
        yield Row("llmfao", f"median width of a 95 % interval by {what}, Elo points", width)


def _replay(
    first: Any, second: Any, score: Any, size: int, *, seed: int, chosen: bool, batch: int = 100, n: int = 1500
) -> float:
    """Kendall's τ of a board of 1,500 replayed votes with that of all: pairs chosen by information, or votes at random."""
    from zermelo.ranking.bradley_terry import BradleyTerry
    from zermelo.ranking.counts import count
    from zermelo.stats.correlation import kendall_tau

    names = [str(i) for i in range(size)]
    whole = BradleyTerry(prior=0.5).fit(count(first, second, score, players=names)).rating
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(score))
    seen = np.zeros(len(score), dtype=bool)
    seen[order[:300]] = True
    model = BradleyTerry(prior=0.5, errors="model")
    while seen.sum() < n:
        left = order[~seen[order]]
        if chosen:
            now = model.fit(count(first[seen], second[seen], score[seen], players=names))
            sigma = now.covariance.copy()
            for _ in range(batch):
                left = left[~seen[left]]
                a, b = first[left], second[left]
                p = 1 / (1 + np.exp(now.rating[b] - now.rating[a]))
                spread = sigma[a, a] + sigma[b, b] - 2 * sigma[a, b]
                best = int(np.argmax(p * (1 - p) * spread))
                seen[left[best]] = True
                column = sigma[:, a[best]] - sigma[:, b[best]]
                v = p[best] * (1 - p[best])
                sigma -= np.outer(column, column) * (v / (1 + v * spread[best]))
        else:
            seen[left[:batch]] = True
    found = model.fit(count(first[seen], second[seen], score[seen], players=names)).rating
    return float(kendall_tau(found, whole).value)


def rankings(data: Path) -> Iterator[Row]:
    import pandas as pd

    from zermelo.ranking.bradley_terry import BradleyTerry
    from zermelo.ranking.counts import of_outcomes
    from zermelo.ranking.plackett_luce import PlackettLuce

    races = pd.read_csv(data / "rankings" / "nascar_2002.csv")
    drivers = sorted(set(races.driver))
    index = {name: i for i, name in enumerate(drivers)}
    lists = [[index[d] for d in part.sort_values("place").driver] for _, part in races.groupby("race")]
    whole = PlackettLuce().fit(lists, players=drivers)
    last = ", ".join(sorted(d for d, r in zip(drivers, whole.rating, strict=True) if not np.isfinite(r)))
    yield Row(
        "rankings",
        "NASCAR: drivers without a maximum",
        last,
        "Andy Hillenburg, Gary Bradberry, Jason Hedlesky, Randy Renfrow",
        0.0,
    )
    yield Row("rankings", "NASCAR: log-likelihood of the others", whole.fit.log_likelihood, -4191.0973, 5e-4)
    worth = dict(zip(drivers, whole.rating - whole.rating[index["Austin Cameron"]], strict=True))
    for name, value in (("PJ Jones", 4.15), ("Scott Pruett", 3.62), ("Mark Martin", 2.08), ("Joe Varde", -0.15)):
        yield Row("rankings", f"NASCAR: log worth of {name}", worth[name], value, 0.005)
    prior = PlackettLuce(prior=0.1).fit(lists, players=drivers)
    yield Row(
        "rankings",
        "NASCAR with prior 0.1: drivers with a finite rating",
        float(np.isfinite(prior.rating).sum()),
        87.0,
        0.0,
    )
    pudding = pd.read_csv(data / "rankings" / "pudding.csv")
    cells = [pudding[c].to_numpy(dtype=float) for c in ("wins_i", "ties", "wins_j")]
    brands = [str(i) for i in range(1, 7)]
    fitted = BradleyTerry(ties="davidson").fit(
        of_outcomes(pudding.brand_i.to_numpy() - 1, pudding.brand_j.to_numpy() - 1, *cells, players=brands)
    )
    p = np.exp(fitted.rating) / np.exp(fitted.rating).sum()
    known = (0.1388034, 0.1730015, 0.1617474, 0.1653730, 0.1586854, 0.2023893)
    yield Row(
        "rankings", "pudding: largest difference of a worth (Davidson)", float(np.abs(p - known).max()), 0.0, 1e-6
    )
    yield Row("rankings", "pudding: tie parameter", fitted.extra["tie"][0], 0.746823, 1e-5)
    salad = pd.read_csv(data / "rankings" / "salad.csv")
    orders = [np.argsort(row).tolist() for row in salad[list("ABCD")].to_numpy()]
    found = np.exp(PlackettLuce().fit(orders, players=list("ABCD")).rating)
    known = (0.041859, 0.641759, 0.199504, 0.116878)
    yield Row(
        "rankings", "salad: largest difference of a worth", float(np.abs(found / found.sum() - known).max()), 0.0, 1e-5
    )
    yield from _beans(pd.read_csv(data / "rankings" / "beans.csv"))


def _beans(beans: Any) -> Iterator[Row]:
    from zermelo.ranking.plackett_luce import PlackettLuce

    names = [*sorted({*beans.variety_a, *beans.variety_b, *beans.variety_c}), "local"]
    index = {name: i for i, name in enumerate(names)}
    triples: list[list[int]] = []
    pairs: list[list[int]] = []
    for row in beans.itertuples():
        side = {"A": index[row.variety_a], "B": index[row.variety_b], "C": index[row.variety_c]}
        middle = ({"A", "B", "C"} - {row.best, row.worst}).pop()
        triples.append([side[row.best], side[middle], side[row.worst]])
        for letter in "ABC":
            said = getattr(row, f"var_{letter.lower()}")
            if said in ("Better", "Worse"):
                pair = [side[letter], index["local"]]
                pairs.append(pair if said == "Better" else pair[::-1])
    alone = PlackettLuce().fit(triples, players=names[:-1])
    both = PlackettLuce().fit(triples + pairs, players=names)
    order = sorted(names, key=lambda name: -both.rating[index[name]])
    yield Row("rankings", "beans, 842 triples: log-likelihood", alone.fit.log_likelihood)
    yield Row(
        "rankings",
        f"beans with the local variety as eleventh item: its place (best: {order[0]})",
        float(order.index("local") + 1),
    )
    hot = (beans.maxTN > beans.maxTN.median()).to_numpy()
    parts = [[t for t, h in zip(triples, hot, strict=True) if h == value] for value in (True, False)]
    split = sum(PlackettLuce().fit(part, players=names[:-1]).fit.log_likelihood for part in parts)
    ratio = 2 * (split - alone.fit.log_likelihood)
    yield Row("rankings", "beans: likelihood ratio of ratings by warm and cool nights, 9 degrees (16.9 at 5 %)", ratio)


def raters(data: Path) -> Iterator[Row]:
    import pandas as pd

    from zermelo.ranking.dawid_skene import DawidSkene

    rows = pd.read_csv(data / "raters" / "anesthesia.csv")
    found = DawidSkene().fit(rows.item.tolist(), rows.rater.tolist(), rows.rating.tolist())
    for k, share in enumerate((0.4000, 0.4216, 0.1118, 0.0667)):
        yield Row("raters", f"anaesthetists: share of class {k + 1}", float(found.share[k]), share, 5e-5)
    yield Row("raters", "anaesthetists: log-likelihood", found.log_likelihood, -190.731, 5e-4)
    sizes = "/".join(str(found.label().count(k)) for k in (1, 2, 3, 4))
    yield Row("raters", "anaesthetists: items by most likely class", sizes, "18/19/5/3", 0.0)
    teeth = pd.read_csv(data / "raters" / "caries.csv")
    item, rater, label, weight = [], [], [], []
    for i, row in enumerate(teeth.itertuples()):
        for r in range(1, 6):
            item.append(i), rater.append(r), label.append(getattr(row, f"rater_{r}")), weight.append(row.n)
    caries = DawidSkene().fit(item, rater, label, weight=weight)
    yield Row("raters", "caries: share of sound teeth", float(caries.share[0]), 0.8003, 5e-5)
    for r, (sensitivity, specificity) in enumerate(
        zip((0.404, 0.706, 0.591, 0.485, 0.913), (0.994, 0.898, 0.987, 0.969, 0.696), strict=True)
    ):
        yield Row(
            "raters", f"caries: sensitivity of dentist {r + 1}", float(caries.confusion[r, 1, 1]), sensitivity, 6e-4
        )
        yield Row(
            "raters", f"caries: specificity of dentist {r + 1}", float(caries.confusion[r, 0, 0]), specificity, 6e-4
        )


def wildbench(data: Path) -> Iterator[Row]:
    import pandas as pd

    from zermelo.evaluation.wildbench import macro_score, wb_score
    from zermelo.stats.correlation import pearson

    folder = data / "wildbench"
    items = pd.read_parquet(folder / "item_scores.parquet")
    board = pd.read_csv(folder / "score_board.csv").set_index("model")
    own = items[(items.version == "v2.0625") & (items.judge == "gpt-4o-2024-05-13")].groupby("model").score
    means = own.mean()
    both = [m for m in means.index if m in board.index]
    worst = max(abs(round(float(means[m]), 4) - board.score[m]) for m in both)
    yield Row("wildbench", f"board scores of {len(both)} models: largest difference", float(worst), 0.0, 1.1e-4)
    adjusted = max(abs(wb_score(own.get_group(m).to_numpy()) - board.adjusted_score[m]) for m in both)
    yield Row("wildbench", "adjusted scores: largest difference", float(adjusted), 0.0, 2e-3)
    categories = [
        "Coding & Debugging",
        "Creative Tasks",
        "Information/Advice seeking",
        "Math & Data Analysis",
        "Planning & Reasoning",
    ]
    macro = max(abs(macro_score(dict(row[categories])) - row.task_macro_score) for _, row in board.iterrows())
    yield Row("wildbench", f"task macro scores of {len(board)} models: largest difference", float(macro), 0.0, 1e-6)
    pairs = pd.read_csv(folder / "pairwise_board.csv")
    whole = pairs[pairs.category == "all"]
    reward = (whole.win_much + whole.win / 2 - whole.lose / 2 - whole.lose_much) / whole.total
    yield Row(
        "wildbench",
        f"WB-Reward of {len(whole)} rows: largest difference",
        float((reward - whole.reward).abs().max()),
        0.0,
        1e-6,
    )
    outside = pd.read_csv(folder / "external_board.csv")
    for name, column, known in (("WB-Reward", "wb_reward_mix_k500", 0.953), ("WB-Score", "wb_score", 0.935)):
        part = outside.dropna(subset=["arena_elo_hard_en", column])
        r = pearson(part.arena_elo_hard_en.to_numpy(), part[column].to_numpy())
        what = f"Pearson of {name} with arena Elo, {len(part)} models, [{r.low:.3f}, {r.high:.3f}]"
        yield Row("wildbench", what, r.value, known, 6e-4)


def rewardmath(data: Path) -> Iterator[Row]:
    import pandas as pd

    rows = pd.read_parquet(data / "rewardmath" / "scores.parquet")
    published = {"internlm2": (37.27, 55.17), "grm_llama3": (24.43, 45.80), "gpt4": (22.47, 44.70), "ArmoRM": (20.50, 42.18),
                 "Eurus-RM": (16.98, 38.30), "beaver": (7.25, 26.59), "oasst-rm": (7.04, 27.03), "grm_gemma": (4.97, 24.10)}  # fmt: skip
    for scorer, (accuracy, mrr) in published.items():
        part = (
            rows[rows.scorer == scorer]
            .pivot_table(index=["problem_id", "run"], columns="position", values="score")
            .to_numpy()
        )
        above = part[:, :1] > part[:, 1:]
        yield Row("rewardmath", f"{scorer}: accuracy, percent", 100 * float(above.all(axis=1).mean()), accuracy, 0.006)
        rank = 1 + (part[:, 1:] >= part[:, :1]).sum(axis=1)
        yield Row("rewardmath", f"{scorer}: mean reciprocal rank, percent", 100 * float((1 / rank).mean()), mrr, 0.006)
    for scorer, loose in (("sonnet-3-5", 73.5), ("llama3_70B", 65.4)):
        part = (
            rows[rows.scorer == scorer]
            .pivot_table(index=["problem_id", "run"], columns="position", values="score")
            .to_numpy()
        )
        share = 100 * float((part[:, :1] >= part[:, 1:]).all(axis=1).mean())
        yield Row("rewardmath", f"{scorer}: accuracy where ties count as right, percent", share, loose, 0.06)


def llmbar(data: Path) -> Iterator[Row]:
    import pandas as pd

    keys = ["subset", "judge", "strategy"]
    items = pd.read_parquet(data / "llmbar" / "items.parquet")[["subset", "item", "label"]]
    verdicts = pd.read_parquet(data / "llmbar" / "verdicts.parquet")
    final = verdicts[verdicts.stage == "final"].merge(items, on=["subset", "item"])
    place = [*keys, "item"]
    plain = final[~final.swapped].set_index(place)
    turned = final[final.swapped].set_index(place).winner.rename("turned")
    wide = plain[["winner", "label"]].join(turned, how="outer")
    wide["right_0"], wide["right_1"] = wide.winner == wide.label, wide.turned == wide.label
    wide["both"] = wide.right_0 & wide.right_1
    wide["agree"] = (wide.winner == wide.turned) | (wide.winner.isna() & wide.turned.isna())
    known = pd.read_csv(data / "llmbar" / "published_statistics.csv").set_index(keys)
    ours = wide.groupby(keys)[["right_0", "right_1", "both", "agree"]].sum().reindex(known.index)
    wrong = 0
    for mine, theirs in (
        ("right_0", "correct_unswapped"),
        ("right_1", "correct_swapped"),
        ("both", "correct_both"),
        ("agree", "agree"),
    ):
        wrong += int((ours[mine] != known[theirs]).sum())
    yield Row(
        "llmbar",
        f"four counts of {len(known)} judges × strategies × subsets: cells that differ",
        float(wrong),
        0.0,
        0.0,
    )


def outcomes(data: Path) -> Iterator[Row]:
    import pandas as pd

    from zermelo.ranking.irt import IRT

    rows = pd.read_parquet(data / "rl_checkpoints" / "outcomes.parquet")
    rows["subject"] = rows.run + "@" + rows.step.astype(str)
    rows["problem"] = rows.dataset + rows.item.astype(str)
    yield from _irt(
        "rl_checkpoints",
        rows.pivot_table(index="subject", columns="problem", values="correct").to_numpy(dtype=float),
        IRT,
    )
    gsm = pd.read_parquet(data / "gsm8k" / "model_solutions.parquet")
    yield from _irt(
        "gsm8k", gsm.pivot_table(index="model", columns="id", values="is_correct").to_numpy(dtype=float), IRT
    )
    mine = rows[(rows.dataset == "MATH500") & (rows.run == "math_correctness")].groupby("step").correct.mean()
    yield Row("rl_checkpoints", "MATH500 accuracy, math_correctness at step 100", float(mine[100]), 0.746, 5e-4)


def _irt(name: str, table: Any, model: Any) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    hidden = rng.random(table.shape) < 0.1
    train = np.where(hidden, np.nan, table)
    easy = np.nan_to_num(np.nanmean(train, axis=0), nan=0.5)
    n = np.maximum((~np.isnan(train)).sum(axis=0), 1)
    flat = (easy * n + 0.5) / (n + 1)  # the item's mean, shrunk
    y = table[hidden]

    def score(p: Any) -> float:
        q = np.clip(p[hidden], 1e-6, 1 - 1e-6)
        return float((y * np.log(q) + (1 - y) * np.log1p(-q)).mean())

    yield Row(name, "held-out log-likelihood per answer: item means", score(np.broadcast_to(flat, table.shape)))
    for kind in ("rasch", "2pl"):
        bank = model(model=kind).fit(train)
        yield Row(name, f"held-out log-likelihood per answer: {kind}", score(bank.probability()))


def _scaled_difference(values: Any, known: Any) -> float:
    """Largest relative difference after both are scaled to the same sum where the sums differ."""
    if not np.isclose(values.sum(), known.sum(), rtol=1e-9):
        values = values * (known.sum() / values.sum())
    return float(np.abs(values / known - 1).max())


def _ties_held_out(first: Any, second: Any, score: Any, names: list[str], ties: str) -> float:
    """Five-fold log-likelihood per vote of win, tie and loss."""
    from zermelo.ranking.bradley_terry import BradleyTerry
    from zermelo.ranking.counts import count
    from zermelo.ranking.covariates import records_as_cells
    from zermelo.ranking.likelihood import LIKELIHOODS

    part = np.random.default_rng(0).permutation(len(score)) % 5
    total = 0.0
    for fold in range(5):
        train, test = part != fold, part == fold
        fitted = BradleyTerry(ties=ties, prior=0.1).fit(count(first[train], second[train], score[train], players=names))  # type: ignore[arg-type]
        tie = fitted.extra["tie"][0]
        eta = np.log(tie) if ties == "davidson" else np.log(tie - 1)
        u = fitted.rating[first[test]] - fitted.rating[second[test]]
        cells = records_as_cells(first[test], second[test], score[test])
        total += float(LIKELIHOODS[ties](cells, u, float(eta)).value.sum())
    return total / len(score)


SETS: dict[str, Callable[[Path], Iterator[Row]]] = {
    f.__name__: f for f in (alpaca_eval, llmfao, rankings, raters, wildbench, rewardmath, llmbar, outcomes)
}


def table(rows: list[Row]) -> str:
    """Markdown."""

    def cell(value: float | str | None) -> str:
        if value is None:
            return ""
        return value if isinstance(value, str) else f"{value:.6g}"

    lines = ["| data | figure | ours | published | within |", "|---|---|---:|---:|---:|"]
    for row in rows:
        within = "" if row.within is None else ("exactly" if row.within == 0 else f"{row.within:g}")
        mark = "" if row.good else " **differs**"
        lines.append(f"| {row.data} | {row.what} | {cell(row.ours)} | {cell(row.published)} | {within}{mark} |")
    return "\n".join(lines)


def main() -> None:
    from zermelo.claims.runner import shared_data
    from zermelo.errors import ZermeloError

    try:
        data = shared_data("llmfao").parent
    except ZermeloError as error:
        print(f"skipped: {error.message}")
        return
    rows = [row for make in SETS.values() for row in make(data)]
    start, end = MARKERS
    text = PAGE.read_text() if PAGE.exists() else "# Benchmarks\n"
    if start not in text:
        text = text.rstrip() + f"\n\n## Published figures of public data\n\n{start}\n{end}\n"
    before, rest = text.split(start, 1)
    PAGE.write_text(f"{before}{start}\n\n{table(rows)}\n\n{end}{rest.split(end, 1)[1]}")
    bad = [row for row in rows if not row.good]
    print(f"{len(rows)} figures, {len(bad)} differ", *bad, sep="\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
