"""The evaluation of judged groups as tables, for the page, the terminal and Markdown alike."""

from __future__ import annotations

from dataclasses import dataclass

from zermelo.evaluation.judged_result import JudgedGroupsResult, Win
from zermelo.report.page import Cell, Column, Figure, Page
from zermelo.report.plots import Line, interval_plot, line_plot
from zermelo.report.svg import Svg

__all__ = ["Part", "page_of", "parts_of"]


@dataclass(frozen=True)
class Part:
    """One table with its heading.

    Args:
        title: Heading.
        text: What it means, in a sentence or two.
        rows: Dictionaries.
        columns: Of the table.
    """

    title: str
    text: str
    rows: list[dict[str, Cell]]
    columns: list[Column | str]


def parts_of(result: JudgedGroupsResult) -> list[Part]:
    """The tables that have rows."""
    makers = (_accuracy, _ratings, _wins, _pass_at_k, _best_of_n, _scorers, _calibration, _diversity)
    return [part for part in (make(result) for make in makers) if part.rows]


def page_of(result: JudgedGroupsResult, title: str) -> Page:
    """The whole evaluation as a page."""
    page = Page(
        title, f"{result.n_groups:,} groups, {result.n_responses:,} responses, {result.n_judgements:,} judgements."
    )
    page.section("At a glance").figures(_glance(result))
    for note in result.notes:
        page.note(note)
    for part in parts_of(result):
        page.section(part.title, part.text)
        _pictures(page, part.title, result)
        page.table(part.rows, part.columns)
    return page


def _glance(result: JudgedGroupsResult) -> list[Figure]:
    figures = [Figure("prompts", result.n_prompts), Figure("responses", result.n_responses)]
    labelled = [score for score in result.scores if score.kind == "label"]
    figures += [Figure(f"accuracy, {s.source}", s.mean, percent=True, note=s.by) for s in labelled[:3]]
    if result.longer is not None:
        figures.append(Figure("longer response preferred", result.longer, percent=True, note="of decided comparisons"))
    return figures


def _pictures(page: Page, title: str, result: JudgedGroupsResult) -> None:
    if title == ACCURACY:
        rows = [(f"{s.source}", s.mean) for s in result.scores if s.kind == "label"][:20]
        page.plot(interval_plot(rows, title="Accuracy", percent_x=True))
    elif title == WINS:
        shown = [(_versus(w, result), w) for w in result.wins][:20]
        raw = [(name, w.raw.win_rate) for name, w in shown]
        pictures = [interval_plot(raw, title="Win rate, raw", percent_x=True, reference=0.5)]
        controlled = [(name, w.controlled.controlled) for name, w in shown if w.controlled]
        if controlled:
            pictures.append(interval_plot(controlled, title="At equal lengths", percent_x=True, reference=0.5))
        page.plot(*pictures)
    elif title == PASS:
        page.plot(_pass_plot(result))
    elif title == BEST:
        page.plot(*(picture for r in result.best_of_n.values() for picture in r.plots()))
    elif title == SCORERS:
        page.plot(*(r.plot() for r in list(result.scorers.values())[:4]), notes=list(result.scorers))
    elif title == CALIBRATION:
        page.plot(*(r.plot() for r in list(result.calibration.values())[:4]), notes=list(result.calibration))


def _versus(win: Win, result: JudgedGroupsResult) -> str:
    """The name of a win rate: the other side is left out where it is the baseline, the basis where there is one."""
    name = win.first if result.baseline else f"{win.first} – {win.second}"
    return f"{name} ({win.basis})" if len({w.basis for w in result.wins}) > 1 else name


def _pass_plot(result: JudgedGroupsResult) -> Svg:
    """pass@k of up to six systems in one picture; the annotator is named where there are several."""
    several = len({by for by, _ in result.pass_at_k}) > 1
    lines = []
    for (by, source), found in list(result.pass_at_k.items())[:6]:
        columns = [[getattr(e, part) for e in found.share] for part in ("value", "low", "high")]
        lines.append(Line(f"{source} ({by})" if several else source, found.k, *columns))
    return line_plot(lines, title="pass@k", x_label="k", y_label="share solved", log_x=True, y_percent=True)


ACCURACY, RATINGS, WINS, PASS = "Accuracy", "Ratings", "Win rates", "pass@k"
BEST, SCORERS, CALIBRATION, DIVERSITY = "Best of n", "Scorers on stated pairs", "Calibration of judges", "Diversity"


def _accuracy(result: JudgedGroupsResult) -> Part:
    rows: list[dict[str, Cell]] = [
        {
            "source": s.source,
            "by": s.by,
            "accuracy": s.mean,
            "gain": s.gain,
            "p": s.test.test.p_value if s.test else None,
            "characters": s.length,
            "prompts": s.n_prompts,
            "responses": s.n_responses,
        }
        for s in result.scores
        if s.kind == "label"
    ]
    columns: list[Column | str] = ["source", "by", Column("accuracy", percent=True)]
    if result.baseline:
        columns += [Column("gain", f"gain over {result.baseline}", percent=True, signed=True), "p"]
    columns += [Column("characters", digits=0), "prompts", "responses"]
    return Part(ACCURACY, "Share of responses labelled right, mean over prompts.", rows, columns)


def _ratings(result: JudgedGroupsResult) -> Part:
    rows: list[dict[str, Cell]] = [
        {"source": s.source, "by": s.by, "mean": s.mean, "gain": s.gain, "characters": s.length, "prompts": s.n_prompts}
        for s in result.scores
        if s.kind == "rating"
    ]
    columns: list[Column | str] = ["source", "by", "mean"]
    if result.baseline:
        columns.append(Column("gain", f"against {result.baseline}", signed=True))
    return Part(
        RATINGS,
        "Mean rating, on the annotator's own scale.",
        rows,
        [*columns, Column("characters", digits=0), "prompts"],
    )


def _wins(result: JudgedGroupsResult) -> Part:
    rows: list[dict[str, Cell]] = [
        {
            "system": w.first,
            "against": w.second,
            "win rate": w.raw.win_rate,
            "equal lengths": w.controlled.controlled if w.controlled else None,
            "effect of length": w.controlled.slope.value if w.controlled else None,
            "wins": w.raw.wins,
            "ties": w.raw.ties,
            "losses": w.raw.losses,
            "prompts": w.raw.n_prompts,
            "basis": w.basis,
        }
        for w in result.wins
    ]
    text = (
        "Ties count one half. At equal lengths: a logistic model of the preference with the difference of lengths, "
        "read at zero; its slope is the effect of length in logits, above 0 where longer answers win."
    )
    columns: list[Column | str] = [
        "system",
        "against",
        Column("win rate", percent=True),
        Column("equal lengths", percent=True),
        Column("effect of length", signed=True, digits=2),
        "wins",
        "ties",
        "losses",
        "prompts",
        "basis",
    ]
    return Part(WINS, text, rows, columns)


def _pass_at_k(result: JudgedGroupsResult) -> Part:
    sizes = sorted({k for r in result.pass_at_k.values() for k in r.k})
    rows: list[dict[str, Cell]] = []
    for (by, source), found in result.pass_at_k.items():
        of_k: dict[str, Cell] = {f"k = {k}": share for k, share in zip(found.k, found.share, strict=True)}
        rows.append({"source": source, "by": by, **of_k, "prompts": found.n_prompts})
    columns: list[Column | str] = ["source", "by", *(Column(f"k = {k}", percent=True) for k in sizes), "prompts"]
    return Part(PASS, "Chance that at least one of k samples is right; unbiased, over all subsets.", rows, columns)


def _best_of_n(result: JudgedGroupsResult) -> Part:
    rows = [row for r in result.best_of_n.values() for row in r.table()]
    falls = [
        f"Chosen by {proxy}, read by {truth}: "
        + (
            f"still rising at n = {r.n[-1]}."
            if r.best == r.n[-1]
            else f"best at n = {r.best}; from there to n = {r.n[-1]} it changes by {r.fall.format(signed=True)}."
        )
        for (proxy, truth), r in result.best_of_n.items()
    ]
    text = "The response with the highest proxy score among n, and what the truth says of it. " + " ".join(falls)
    return Part(BEST, text, rows, ["n", "KL bound, nat", "proxy", "true", "oracle"])


def _scorers(result: JudgedGroupsResult) -> Part:
    rows: list[dict[str, Cell]] = [
        {
            "scorer": name,
            "pair accuracy": r.accuracy,
            "length alone": r.length_accuracy,
            "log-loss": r.calibration.log_loss,
            "calibration error": r.calibration.error,
            "pairs": r.n_pairs,
        }
        for name, r in result.scorers.items()
    ]
    text = "How often the preferred response has the higher score, beside the longer one; P = σ(difference of scores)."
    columns: list[Column | str] = [
        "scorer",
        Column("pair accuracy", percent=True),
        Column("length alone", percent=True),
        "log-loss",
        "calibration error",
        "pairs",
    ]
    return Part(SCORERS, text, rows, columns)


def _calibration(result: JudgedGroupsResult) -> Part:
    rows: list[dict[str, Cell]] = [
        {
            "judge": name,
            "calibration error": r.error,
            "Brier": r.brier,
            "log-loss": r.log_loss,
            "accuracy": r.accuracy,
            "pairs": r.n,
        }
        for name, r in result.calibration.items()
    ]
    text = "Stated probabilities of a judge against the outcomes that others declared on the same pairs."
    columns: list[Column | str] = [
        "judge",
        "calibration error",
        "Brier",
        "log-loss",
        Column("accuracy", percent=True),
        "pairs",
    ]
    return Part(CALIBRATION, text, rows, columns)


def _diversity(result: JudgedGroupsResult) -> Part:
    rows: list[dict[str, Cell]] = [
        {
            "source": name,
            "unique": r.unique,
            "distinct-2": r.distinct_2,
            "word-set distance": r.jaccard,
            "self-BLEU": r.self_bleu,
            "prompts": r.n_prompts,
        }
        for name, r in result.diversity.items()
    ]
    text = "Among the samples of one prompt (at most 8, first 300 prompts). Low self-BLEU is diverse."
    columns: list[Column | str] = [
        "source",
        Column("unique", percent=True),
        "distinct-2",
        "word-set distance",
        "self-BLEU",
        "prompts",
    ]
    return Part(DIVERSITY, text, rows, columns)
