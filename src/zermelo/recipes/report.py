"""`report.html`: what a run did and what came of it, with intervals and pictures, in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from zermelo.recipes.run import Done
from zermelo.recipes.schema import Recipe
from zermelo.recipes.steps.training import alarms
from zermelo.report.page import Answer, Cell, Column, Figure, Page, Sample
from zermelo.report.plots import Line, bar_plot, interval_plot, line_plot, reliability_plot
from zermelo.report.svg import Svg
from zermelo.stats.calibration import Reliability
from zermelo.stats.estimate import Estimate

__all__ = ["report"]


def report(recipe: Recipe, done: Mapping[str, Done], figures: Mapping[str, Any], out: Path) -> Path:
    """Write the report of a finished run; returns its path."""
    versions = ", ".join(f"{name} {number}" for name, number in figures["run"]["versions"].items())
    page = Page(
        f"Run {out.name}",
        _subtitle(recipe),
        footer=f"seed {recipe.seed} · {figures['run']['finished']} · {versions}",
    )
    measured = done["evaluate"].figures if "evaluate" in done else {"objectives": {}}
    if measured["objectives"]:
        _results(page, measured)
    if trained := {n: own for step in ("align", "rounds") if step in done for n, own in done[step].figures.items()}:
        _training(page, trained, measured["objectives"])
    if measured.get("reward"):
        _reward(page, measured["reward"])
    if "select" in done and "curve" in done["select"].figures:
        _best_of_n(page, done["select"].figures["curve"])
    if measured.get("samples"):
        _samples(page, measured)
    _data(page, done)
    _how(page, recipe, done, figures)
    return page.write(out / "report.html")


def _subtitle(recipe: Recipe) -> str:
    source = f"the world {recipe.data.world}" if recipe.data.world else ", ".join(recipe.data.files)
    return f"{recipe.model} on {source}: {', '.join(recipe.policies) or 'no alignment'}."


def _results(page: Page, measured: Mapping[str, Any]) -> None:
    """Accuracy before and after, win rates, KL, lengths."""
    runs: Mapping[str, Any] = {name: own for name, own in measured["objectives"].items() if own}
    verified = all("accuracy_gain" in own for own in runs.values())
    page.section(
        "Is it better?",
        "Every policy answered the same held-out prompts; each is compared with the start, paired by prompt. "
        "Intervals are 95 %.",
    )
    if verified:
        best = max(runs, key=lambda name: runs[name]["accuracy_gain"])
        page.figures(
            [
                Figure("accuracy of the start", _estimate(runs[best]["before"]), percent=True),
                *(
                    Figure(f"gain by {name}", _gain(own), percent=True, signed=True, tone=_tone(_gain(own)))
                    for name, own in runs.items()
                ),
            ]
        )
    rows = []
    for name, own in runs.items():
        row: dict[str, Cell] = {"objective": name}
        if verified:
            row |= {"before": _estimate(own["before"]), "after": _estimate(own["after"]), "gain": _gain(own)}
        row |= {
            "win rate": _estimate(own["win_rate_interval"]),
            "length-controlled": _estimate(own["win_rate_length_controlled_interval"]),
            "KL to the start (nat)": _kl(own),
        }
        rows.append(row)
    shares = ("before", "after", "win rate", "length-controlled")
    columns = [Column(key, percent=key in (*shares, "gain"), signed=key == "gain") for key in rows[0]]
    page.table(rows, columns, caption="Each alignment against the start")
    pictures: list[Svg] = []
    if verified:
        gains = [(name, _gain(own)) for name, own in runs.items()]
        pictures.append(interval_plot(gains, title="Gain in accuracy", percent_x=True, reference=0.0))
    rates = [(name, _estimate(own["win_rate_length_controlled_interval"])) for name, own in runs.items()]
    pictures.append(interval_plot(rates, title="Length-controlled win rate", percent_x=True, reference=0.5))
    kls = [(name, told) for name, own in runs.items() if (told := _kl(own)) is not None]
    if kls:
        pictures.append(interval_plot(kls, title="KL to the start", x_label="nat", reference=0.0))
    page.plot(*pictures)
    lengths = measured["lengths"]
    page.table(
        [{"policy": name, **spread} for name, spread in lengths.items()],
        ["policy", Column("mean", digits=1), *(Column(key, digits=0) for key in ("p5", "median", "p95"))],
        caption="Response length, tokens",
    )
    page.plot(
        bar_plot(
            list(lengths), {"mean": [own["mean"] for own in lengths.values()]}, title="Mean length", x_label="tokens"
        )
    )


def _training(page: Page, trained: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
    """Log-likelihoods, margins and losses over training; the alarms."""
    page.section(
        "What happened in training",
        "Likelihood displacement is visible where the preferred answers' log-probability falls while the loss falls.",
    )
    raised = alarms(trained) + alarms({name: own for name, own in measured.items() if "alarms" in own})
    for name, alarm in raised:
        page.note(
            f"{name}, {alarm['name']}: {alarm['figure']}. {alarm['meaning']} Remedy: {alarm['remedy']} "
            f"({alarm['source']})",
            warning=True,
        )
    if not raised:
        page.note(
            "No alarm: no displacement, entanglement, over-optimisation or length exploitation, few responses cut, few "
            "groups without signal."
        )
    pictures = []
    for name, run in trained.items():
        series = run["series"]
        if "logps/chosen" in series:
            sides = {"chosen": "logps/chosen", "rejected": "logps/rejected"}
            lines = [_line(label, series[key]) for label, key in sides.items() if key in series]
            title = f"{name}: log-probability of both sides"
            pictures.append(line_plot(lines, title=title, x_label="step", y_label="nat per response"))
    for figure, label in (("rewards/margins", "margin"), ("loss", "loss"), ("kl", "KL estimate on the data")):
        lines = [_line(name, run["series"][figure]) for name, run in trained.items() if figure in run["series"]]
        if lines:
            pictures.append(line_plot(lines, title=label, x_label="step", y_label="nat"))
    page.plot(*pictures)
    for name, run in trained.items():
        page.details(f"Self-checks of {name}", "\n".join(run["checks"]) or "none")


def _reward(page: Page, reward: Mapping[str, Any]) -> None:
    """The reward model on held-out pairs."""
    page.section("The reward model", "Pairs of held-out prompts; the baseline prefers the longer answer.")
    accuracy = Estimate(reward["reward_accuracy"], reward["ci_low"], reward["ci_high"], n=reward["n_pairs"])
    tiles = [Figure("pair accuracy", accuracy, percent=True, note=f"{reward['n_pairs']:,} pairs")]
    if reward["length_accuracy"]:
        tiles.append(Figure("the longer answer", _estimate(reward["length_accuracy"]), percent=True))
    tiles += [
        Figure("calibration error", reward["ece"]),
        Figure("log-loss", reward["log_loss"], note="guessing ½: 0.693"),
    ]
    page.figures(tiles)
    page.plot(reliability_plot(_reliability(reward["calibration"]["bins"]), title="Reliability on held-out pairs"))


def _best_of_n(page: Page, curve: Mapping[str, Any]) -> None:
    """Proxy and true reward against n."""
    page.section(
        "Selecting at test time",
        "Best-of-n by the reward model. The proxy keeps rising with n; where the true reward does not follow, the "
        "choice exploits the reward model's mistakes. The oracle is what the same samples hold.",
    )
    n = curve["n"]
    lines = [_band("true", n, curve["gold"]), _band("oracle", n, curve["oracle"])]
    picture = line_plot(lines, title="True reward of the chosen sample", x_label="n", y_percent=True, log_x=True)
    proxy = line_plot(
        [_band("proxy", n, curve["proxy"])], title="Proxy reward of the chosen sample", x_label="n", log_x=True
    )
    page.plot(picture, proxy)
    rows = [
        {"n": size, "KL bound (nat)": kl, "proxy": _estimate(p), "true": _estimate(g), "oracle": _estimate(o)}
        for size, kl, p, g, o in zip(n, curve["kl"], curve["proxy"], curve["gold"], curve["oracle"], strict=True)
    ]
    shares = [Column("true", percent=True), Column("oracle", percent=True)]
    page.table(rows, ["n", Column("KL bound (nat)", digits=2), Column("proxy", digits=2), *shares])


def _samples(page: Page, measured: Mapping[str, Any]) -> None:
    page.section("Side by side", "Answers to the same prompts, spread over the held-out set.")
    page.samples(
        [
            Sample(item["prompt"], [Answer(a["name"], a["text"], a["right"]) for a in item["answers"]])
            for item in measured["samples"]
        ]
    )


def _data(page: Page, done: Mapping[str, Done]) -> None:
    page.section("The data")
    rows: list[dict[str, Cell]] = []
    for step in ("data", "sample", "judge", "inject", "pairs", "doctor"):
        if step in done:
            rows += [{"step": step, "figure": key, "value": _told(value)} for key, value in done[step].figures.items()]
    page.table(rows)


def _how(page: Page, recipe: Recipe, done: Mapping[str, Done], figures: Mapping[str, Any]) -> None:
    page.section("How it was made")
    rows: list[dict[str, Cell]] = [
        {"step": name, "seconds": step.seconds, "peak memory (MB)": step.memory_mb} for name, step in done.items()
    ]
    page.table(rows, ["step", Column("seconds", digits=1), Column("peak memory (MB)", digits=0)])
    page.details(
        "The resolved recipe", yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    )
    page.details("All figures (summary.json)", json.dumps(figures, ensure_ascii=False, indent=1))


def _reliability(bins: Sequence[Mapping[str, Any]]) -> Reliability:
    """The curve from its plain form."""
    observed = [_estimate(row["observed"]) for row in bins]
    return Reliability(
        stated=np.array([row["stated"] for row in bins]),
        observed=np.array([e.value for e in observed]),
        low=np.array([e.low for e in observed]),
        high=np.array([e.high for e in observed]),
        count=np.array([row["n"] for row in bins]),
        edges=np.linspace(0, 1, 11),
        binning="width",
    )


def _line(name: str, series: Sequence[Sequence[float]]) -> Line:
    return Line(name, [step for step, _ in series], [value for _, value in series])


def _band(name: str, n: Sequence[int], told: Sequence[Mapping[str, Any]]) -> Line:
    estimates = [_estimate(item) for item in told]
    return Line(name, list(n), [e.value for e in estimates], [e.low for e in estimates], [e.high for e in estimates])


def _estimate(told: Mapping[str, Any]) -> Estimate:
    """An estimate from its plain form."""
    low, high = told.get("ci_low"), told.get("ci_high")
    none = float("nan")
    return Estimate(told["value"], none if low is None else low, none if high is None else high, n=told.get("n", 0))


def _gain(own: Mapping[str, Any]) -> Estimate:
    return Estimate(own["accuracy_gain"], own["ci_low"], own["ci_high"], n=own["n_prompts"])


def _kl(own: Mapping[str, Any]) -> Estimate | None:
    told = own.get("kl_interval")
    return Estimate(told["k1"], told["ci_low"], told["ci_high"]) if told else None


def _tone(gain: Estimate) -> Any:
    return "plain" if not gain.excludes(0) else "good" if gain.value > 0 else "bad"


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
