"""The `data` step: prompts of a world, or the user's files, parted into a training and a test side by prompt."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zermelo.errors import DataError
from zermelo.feedback.dataset import Feedback
from zermelo.feedback.preferences import preferences
from zermelo.feedback.reading import ReadReport, read_groups
from zermelo.feedback.records import Group
from zermelo.feedback.rejects import Rejects
from zermelo.feedback.suspicions import suspicions
from zermelo.recipes.run import Context
from zermelo.recipes.steps.tools import save_groups, seed_of
from zermelo.worlds.protocol import world

__all__ = ["data"]


def data(context: Context) -> dict[str, Any]:
    """Write `train.parquet` and `test.parquet`; a prompt is never in both."""
    settings, seed = context.recipe.data, context.recipe.seed
    if settings.world is not None:
        place = world(settings.world)
        train = list(place.prompts(settings.prompts, seed=seed_of(seed, "train"), split="train"))
        test = list(place.prompts(settings.test_prompts, seed=seed_of(seed, "test"), split="test"))
        report = None
    else:
        report = ReadReport()
        groups = _read(context, settings.files, report)
        if settings.test:
            test = _read(context, settings.test, ReadReport())
            held = {group.key for group in test}
            train = [group for group in groups if group.key not in held]
        else:
            shares = {"train": 1 - settings.test_share, "test": settings.test_share}
            parts = Feedback.of(groups).split(shares, seed=seed)
            train, test = list(parts["train"]), list(parts["test"])
        if not train or not test:
            raise DataError("too-few-groups", f"{len(groups)} groups cannot be parted into training and test")
    save_groups(train, context.out / "train.parquet")
    save_groups(test, context.out / "test.parquet")
    figures: dict[str, Any] = {"train_groups": len(train), "test_groups": len(test)}
    if report is not None:
        figures |= {
            "pairs": sum(1 for group in train for _ in preferences(group, derive="all")),
            "rejects": report.bad,
            "suspicious": dict(report.suspicious),
        }
    return figures


def _read(context: Context, files: Sequence[str], report: ReadReport) -> list[Group]:
    settings = context.recipe.data
    paths = [path for name in files for path in (sorted(glob.glob(name)) or [name])]
    with Rejects(Path(context.out) / "data.rejects.jsonl") as rejects:
        groups = list(
            read_groups(
                paths,
                format=settings.format,
                skip_bad=settings.skip_bad,
                rejects=rejects if settings.skip_bad else None,
                columns=settings.columns,
                report=report,
            )
        )
    return [group for group in groups if not suspicions(group)]
