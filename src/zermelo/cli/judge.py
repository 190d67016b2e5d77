"""`zermelo judge`: append what a scorer says to the groups it judges."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, SKIP_HELP, parse_columns, quiet_libraries, refuse_same_file
from zermelo.errors import SettingError

if TYPE_CHECKING:
    from zermelo.feedback.records import Group

__all__ = ["judge", "judge_files", "parse_settings"]

AT_ONCE = 512  # groups handed to a scorer together; a file larger than memory streams through


def judge(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Groups, in any format; - is stdin."),
    scorer: str = typer.Option(
        ..., "--scorer", "-s", help="numeric, exact, regex, predicate, …; a reward model's folder; module:object."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="The same groups with the judgements appended."),
    settings: list[str] = typer.Option([], "--set", metavar="KEY=VALUE", help="Setting of the scorer; repeatable."),
    pairs: bool = typer.Option(False, "--pairs", help="Compare responses two by two instead of scoring each."),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    skip_bad: bool = typer.Option(False, "--skip-bad", help=SKIP_HELP + " They go to OUT.rejects.jsonl."),
) -> None:
    """Judge responses: right or wrong by a verifier, or a score by a reward model.

    zermelo judge groups.parquet --scorer numeric --set gold=answer -o judged.parquet
    zermelo judge groups.parquet --scorer runs/reward -o judged.parquet
    """
    judge_files(files, scorer, out, parse_settings(settings), pairs, form, columns, skip_bad)


def judge_files(
    files: list[str],
    scorer: str,
    out: Path,
    settings: dict[str, Any],
    pairs: bool,
    form: str | None,
    columns: str | None,
    skip_bad: bool,
) -> None:
    """Read, judge and write, streaming; one line on stderr."""
    from zermelo.feedback.files import expand
    from zermelo.feedback.reading import ReadReport, read_groups
    from zermelo.feedback.rejects import Rejects, rejects_path
    from zermelo.feedback.visible import visible
    from zermelo.feedback.writing import write_groups
    from zermelo.progress import track
    from zermelo.scorers.card import find_card
    from zermelo.scorers.load import load_scorer

    inputs = expand(files)
    refuse_same_file(str(out), inputs)
    if find_card(scorer) is not None or Path(scorer).is_dir():
        quiet_libraries()
    judge = load_scorer(scorer, settings)
    said: Counter[str] = Counter()
    report = ReadReport()
    with Rejects(rejects_path(str(out)) if skip_bad else None) as rejects:
        groups = read_groups(
            inputs, format=form, columns=parse_columns(columns), skip_bad=skip_bad, rejects=rejects, report=report
        )
        written = write_groups(_judged(track(groups, "judging"), judge, pairs, said), out)
    aside = f", {report.n_bad:,} bad rows set aside" if report.n_bad else ""
    shown = ", ".join(f"{count:,} {kind}s" for kind, count in said.items() if kind != "right") or "nothing said"
    right = f" ({said['right'] / said['label']:.1%} right)" if said["label"] else ""
    line = f"{out}: {written.groups:,} groups, {shown} by {judge.name}{right}{aside}"
    print(visible(line), file=sys.stderr)


def _judged(groups: Iterator[Group], judge: Any, pairs: bool, said: Counter[str]) -> Iterator[Group]:
    method = "compare" if pairs or not hasattr(judge, "score") else "score"
    if not hasattr(judge, method):
        raise SettingError("not-pairwise", f"{judge.name} scores responses one by one", hint="leave --pairs out")
    while some := list(itertools.islice(groups, AT_ONCE)):
        found: Sequence[Any] = getattr(judge, method)(some)
        for group, judgements in zip(some, found, strict=True):
            for judgement in judgements:
                said[judgement.kind] += 1
                said["right"] += judgement.kind == "label" and judgement.value == 1
            yield group.with_judgements(judgements)


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """`key=value` with YAML values."""
    import yaml

    found: dict[str, Any] = {}
    for item in pairs:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise SettingError("usage", f"--set {item!r}: expected KEY=VALUE, such as gold=answer")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            found[key] = value  # a regular expression need be no YAML
    return found
