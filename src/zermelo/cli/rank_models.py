"""Boards of `zermelo rank` that need more than counts: style, categories, clusters, order, rankings, length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zermelo.errors import SettingError, warn
from zermelo.ranking.board import Board
from zermelo.ranking.records import Records, read_records
from zermelo.ranking.result import FitInfo, Ratings

if TYPE_CHECKING:
    from zermelo.ranking.counts import Counts

__all__ = ["board_of_records", "length_controlled_board", "with_bootstrap"]

FEW_CLUSTERS = 30  # below, errors by clusters come out some percent too short
SHUFFLES = 100_000  # games up to which Elo's dependence on their order is measured


def board_of_records(
    files: Sequence[str],
    columns: Mapping[str, str] | None,
    skip_bad: bool,
    model: str,
    position: bool,
    prior: float,
    control: Sequence[str],
    by: str | None,
    cluster: str | None,
    bootstrap: int,
    seed: int,
    level: float,
    points: tuple[float, float],
) -> Board:
    """Board of battles one by one."""
    if model == "plackett-luce":
        _refuse(model, control=control, by=by, cluster=cluster, bootstrap=bootstrap, position=position)
        return Board(
            _rankings(files, columns, skip_bad, prior), model=model, level=level, scale=points[0], anchor=points[1]
        )
    records = read_records(files, columns=columns, skip_bad=skip_bad, control=control, by=by, cluster=cluster)
    for reason, number in (records.dropped or {}).items():
        warn("left-out", f"{number:,} comparisons left out: {reason}")
    if model in ("elo", "glicko", "glicko2", "trueskill"):
        _refuse(model, control=control, by=by, cluster=cluster, bootstrap=bootstrap, position=position, prior=prior)
        return Board(
            _in_order(records, model, seed),
            model=model,
            level=level,
            scale=points[0],
            anchor=points[1],
            counts=_counts_of(records),
        )
    if model == "thurstone":
        _refuse(model, control=control, by=by, cluster=cluster)
    from zermelo.ranking.covariates import ControlledBradleyTerry

    ties: Any = {"bradley-terry": "half"}.get(model, model)
    fitted = ControlledBradleyTerry(ties=ties, position=position, prior=prior).fit(
        records.first,
        records.second,
        records.score,
        players=records.players,
        covariates=records.covariates,
        names=records.names,
        tie=records.tie,
        weight=records.weight,
        cluster=records.cluster,
    )
    notes = []
    if records.n_self:
        notes.append(f"{records.n_self} comparisons left out: a player against itself")
    if records.cluster is not None and (many := len(np.unique(records.cluster))) < FEW_CLUSTERS:
        notes.append(f"only {many} clusters: their errors are themselves uncertain, and on the short side")
    if bootstrap:
        if control:
            raise SettingError("bad-setting", "--bootstrap has no fit with --control; the errors are sandwiches, "
                               "clustered with --cluster")  # fmt: skip
        counts = _counts_of(records)
        fitted = with_bootstrap(counts, records if cluster else None, fitted, model, bootstrap, seed, prior, position)
    categories: dict[str, Ratings] = {}
    if by is not None and records.category is not None:
        categories, told = _by_category(records, fitted, ties)
        notes += told
    return Board(
        fitted,
        model=model,
        level=level,
        categories=categories,
        notes=tuple(notes),
        scale=points[0],
        anchor=points[1],
        counts=_counts_of(records),
    )


def _counts_of(records: Records) -> Counts:
    from zermelo.ranking.counts import count

    return count(
        records.first, records.second, records.score, players=records.players, tie=records.tie, weight=records.weight
    )


def with_bootstrap(
    counts: Any,
    records: Records | None,
    fitted: Ratings,
    model: str,
    n: int,
    seed: int,
    prior: float,
    position: bool,
) -> Ratings:
    """The same ratings with the covariance of bootstrap replicates: over clusters where there are any."""
    if model != "bradley-terry" or prior or position:
        raise SettingError(
            "bad-setting", "--bootstrap refits plain Bradley–Terry: no --prior, --position or model of ties"
        )
    from zermelo.ranking.bootstrap import bootstrap, cluster_bootstrap

    keep = np.flatnonzero(np.isfinite(fitted.rating))
    if len(keep) < len(fitted.players):
        raise SettingError(
            "bootstrap-cells",
            "some players have no finite rating",
            hint="the sandwich (no --bootstrap) rates the others",
        )
    if records is not None:
        found = cluster_bootstrap(records, fitted, seed=seed, n_resamples=n)
    else:
        found = bootstrap(counts, fitted, seed=seed, n_resamples=n)
    if 2 * found.n_failed > n:  # what is left would be the lucky ones
        raise SettingError(
            "bootstrap-cells",
            f"in {found.n_failed} of {n} replicates a player lost or won everything: too few battles to resample",
            hint="the sandwich (no --bootstrap) has intervals for them",
        )
    warnings = list(fitted.fit.warnings)
    if found.n_failed:
        warnings.append(f"{found.n_failed} of {n} replicates left out: a player lost everything in them")
    over = "clusters" if records is not None else "comparisons"
    fit = replace(fitted.fit, errors=f"bootstrap over {over}, {n} replicates, seed {seed}", warnings=tuple(warnings))
    return replace(fitted, covariance=found.covariance(), fit=fit)


def _by_category(records: Records, fitted: Ratings, ties: str) -> tuple[dict[str, Ratings], list[str]]:
    """Ratings in each category, partially pooled; what style explains is held at its overall effect."""
    from zermelo.ranking.contextual import ContextualBradleyTerry

    notes = []
    offset = None
    if records.names:
        offset = records.covariates @ np.array([fitted.extra[name][0] for name in records.names])
    if "home" in fitted.extra:
        offset = (0 if offset is None else offset) + fitted.extra["home"][0] * np.ones(len(records.score))
    found = ContextualBradleyTerry().fit(
        records.first,
        records.second,
        records.score,
        np.asarray(records.category),
        players=records.players,
        categories=records.categories,
        weight=records.weight,
        offset=offset,
    )
    if ties != "half":
        notes.append("boards by category count a tie as half a win for each; their scale is that of Bradley–Terry")
    notes.append(
        f"boards by category are partially pooled: a rating varies between them with a standard deviation "
        f"of {173.7178 * found.spread:.0f} Elo points"
    )
    return found.categories, notes


def _in_order(records: Records, model: str, seed: int) -> Ratings:
    """Elo, Glicko or TrueSkill of the games in file order."""
    from zermelo.ranking.counts import count
    from zermelo.ranking.online import Elo, Glicko, TrueSkill, as_ratings

    size = len(records.players)
    games = (records.first, records.second, records.score)
    counts = count(*games, players=records.players, tie=records.tie)
    if model == "glicko":
        points, deviation = Glicko().fit(*games, size=size)
        return as_ratings(points, deviation, counts, method="Glicko-1, one period", centre=1500.0,
                          errors="rating deviation", warnings=())  # fmt: skip
    if model == "glicko2":
        from zermelo.ranking.glicko2 import Glicko2

        now = Glicko2().fit(*games, size=size)
        return as_ratings(now.rating, now.deviation, counts, method="Glicko-2, one period, τ = 0.5", centre=1500.0,
                          errors="rating deviation", warnings=())  # fmt: skip
    if model == "trueskill":
        if not np.isin(records.score, (0, 0.5, 1)).all():
            raise SettingError("soft-outcomes", "TrueSkill needs wins, losses and draws, not probabilities")
        mean, spread = TrueSkill().fit(*games, size=size)
        skill = TrueSkill()
        # skill points to Elo points where a difference wins with the same probability: Φ(d/(√2 β)) ≈ σ(1.702 d/(√2 β))
        to_elo = 1.702 / (np.sqrt(2) * skill.performance) * 400 / np.log(10)
        return as_ratings(1000 + to_elo * (mean - 25), to_elo * spread, counts, method="TrueSkill, one against one",
                          centre=1000.0, errors="skill deviation", warnings=())  # fmt: skip
    elo = Elo()
    rating = elo.fit(*games, size=size)
    if len(records.score) > SHUFFLES:
        deviation, warning = np.full(size, np.nan), f"more than {SHUFFLES:,} games: no intervals over their order"
    else:
        shuffles = elo.shuffled(*games, size=size, seed=seed)
        deviation = (shuffles.high - shuffles.low) / 3.92
        warning = "Elo depends on the order of the games; intervals are those of 128 random orders"
    return as_ratings(rating, deviation, counts, method=f"Elo, K = {elo.k:g}, file order", centre=elo.start,
                      errors="order of the games", warnings=(warning,))  # fmt: skip


def _rankings(files: Sequence[str], columns: Mapping[str, str] | None, skip_bad: bool, prior: float) -> Ratings:
    """Plackett–Luce of rankings: a long table (list, item, place), or the rankings of groups."""
    from zermelo.ranking.lists import read_rankings
    from zermelo.ranking.plackett_luce import PlackettLuce

    found = read_rankings(files, columns=columns, skip_bad=skip_bad)
    fitted = PlackettLuce(prior=prior).fit(found.rankings, players=found.items)
    if not found.n_tied:
        return fitted
    note = f"{found.n_tied} rankings with ties left out: Plackett–Luce has none"
    return replace(fitted, fit=replace(fitted.fit, warnings=(*fitted.fit.warnings, note)))


def length_controlled_board(
    files: Sequence[str],
    baseline: str | None,
    resamples: int,
    seed: int,
    skip_bad: bool,
    level: float,
    points: tuple[float, float],
    prior: str | None = None,
) -> Board:
    """Win rates against a baseline at equal length; the rating is the odds of that win rate."""
    from zermelo.evaluation.annotations import constant_outputs, read_annotations
    from zermelo.evaluation.length_glm import LengthControl

    data = read_annotations(files, baseline=baseline, skip_bad=skip_bad)
    published = None
    notes = []
    if prior is not None:
        from zermelo.evaluation.length_prior import read_coefficients

        table = read_coefficients(prior)
        published = {name: table[name] for name in data.models if name in table}
        if not published:
            raise SettingError(
                "unknown-player",
                f"--prior {prior}: none of its {len(table)} models is among the {len(data.models)} here",
            )
        notes.append(
            f"difficulties rest on the published coefficients of {len(published)} of {len(data.models)} models"
        )
    found = LengthControl().fit(
        data.preference,
        data.length,
        data.baseline_length,
        models=data.models,
        published=published,
        n_resamples=resamples,
        seed=seed,
    )
    notes += found.warnings
    if data.n_self:
        notes.append(f"{data.n_self} rows left out: {data.baseline} against itself")
    if data.n_unparsed:
        notes.append(f"{data.n_unparsed} rows have no preference")
    for name, outputs in zip(data.models, data.outputs, strict=True):
        why = constant_outputs(outputs)
        if why is not None:
            notes.append(f"{name}: constant answers: {why}; its win rate says nothing about its answers")
    p = np.append(found.length_controlled, 0.5)
    error = np.append(found.error, 0.0) / (p * (1 - p))
    seen = np.append((~np.isnan(data.preference)).sum(axis=1), 0).astype(float)
    info = FitInfo(
        method=f"length-controlled win rates against {data.baseline}, "
        + ("published coefficients as a prior" if published else "difficulties estimated from these rows"),
        n_battles=int(seen.sum()),
        iterations=found.iterations,
        gradient_norm=float("nan"),
        log_likelihood=float("nan"),
        seconds=found.seconds,
        errors=f"bootstrap over instructions, {resamples} replicates, seed {seed}",
        warnings=tuple(notes),
    )
    names = (*data.models, data.baseline)
    ratings = Ratings(
        players=names,
        rating=np.log(p / (1 - p)),
        covariance=np.diag(error**2),
        fit=info,
        games=seen,
        win_rate=np.append(found.win_rate, 0.5),
        piece=np.zeros(len(names), dtype=np.int64),
    )
    controlled = dict(zip(names, p.tolist(), strict=True))
    return Board(
        ratings, model="length-controlled", level=level, controlled=controlled, scale=points[0], anchor=points[1]
    )


def _refuse(model: str, **given: Any) -> None:
    for name, value in given.items():
        if value:
            raise SettingError("bad-setting", f"--{name} has no effect on --model {model}; leave it out")
