"""Judged answers of many models against one baseline, as tables models × instructions: what length control works on.

Rows are joined by instruction text (with the baseline's answer, where an instruction occurs twice), never by position:
a model that lost rows is not compared with other models' rows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError, nearest

__all__ = ["Annotations", "constant_outputs", "read_annotations"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Annotations:
    """Preferences of M models on X instructions against one baseline.

    Args:
        models: Names, sorted. [M]
        instructions: Texts. [X]
        baseline: Name.
        preference: P(model beats the baseline), NaN without a row. [M, X]
        length: Characters of the model's answer. [M, X]
        baseline_length: Characters of the baseline's answer on the same row. [M, X]
        outputs: The model's answers, '' without a row. [M][X]
        n_self: Rows of the baseline against itself, left out.
        n_unparsed: Rows without a preference.
    """

    models: tuple[str, ...]
    instructions: tuple[str, ...]
    baseline: str
    preference: Floats
    length: Floats
    baseline_length: Floats
    outputs: tuple[tuple[str, ...], ...]
    n_self: int
    n_unparsed: int


Row = tuple[
    str, str, str, str, str, float | None, str
]  # instruction, name 1, text 1, name 2, text 2, P(2 beats 1), place


def read_annotations(paths: Sequence[str], *, baseline: str | None = None, skip_bad: bool = False) -> Annotations:
    """Read annotations of one or many models.

    Args:
        paths: Folders (every `annotations.json` below is read), `.json` files, or files of judged groups of any format.
        baseline: The common opponent; by default the one that is in every row.
        skip_bad: Leave bad rows out (files of groups only).
    Raises:
        DataError: no annotations, a row without its fields, a preference off the scale.
        SettingError: no such baseline, or none that is in every row.
    """
    rows = list(_rows(paths, skip_bad))
    if not rows:
        raise DataError("no-rows", f"{', '.join(map(str, paths))}: no annotations.json and no judged pair below it")
    names = Counter(name for row in rows for name in {row[1], row[3]})
    if baseline is None:
        common = [name for name, n in names.items() if n == len(rows)]
        if len(common) != 1:
            raise SettingError("bad-setting", "--baseline NAME is wanted: no one name is in every row")
        baseline = common[0]
    if baseline not in names:
        guess = nearest(baseline, list(names))
        raise SettingError(
            "unknown-player",
            f"no answers of the baseline {baseline!r} among {len(names)} names",
            hint=f"did you mean {guess!r}?" if guess else None,
        )
    place: dict[tuple[str, str], int] = {}
    held: dict[str, dict[int, tuple[float, int, int, str]]] = {}
    n_self = n_unparsed = 0
    for instruction, name_1, text_1, name_2, text_2, prob, where in rows:
        if name_1 == name_2 == baseline:
            n_self += 1
            continue
        if name_1 == baseline:
            model, text, other, value = name_2, text_2, text_1, prob
        elif name_2 == baseline:
            model, text, other, value = name_1, text_1, text_2, None if prob is None else 1 - prob
        else:
            continue
        column = place.setdefault((instruction, other), len(place))
        if column in held.setdefault(model, {}):
            raise DataError(
                "duplicate-id", f"{model}: two rows with the same instruction and baseline answer", file=where
            )
        n_unparsed += value is None
        held[model][column] = (np.nan if value is None else value, len(text), len(other), text)
    if not held:
        raise DataError("no-battles", f"every row holds {baseline!r} against itself")
    models = sorted(held)
    shape = (len(models), len(place))
    preference, length, baseline_length = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    outputs = []
    for m, model in enumerate(models):
        texts = [""] * len(place)
        for x, (value, own, other_length, text) in held[model].items():
            preference[m, x], length[m, x], baseline_length[m, x], texts[x] = value, own, other_length, text
        outputs.append(tuple(texts))
    # an instruction without a row of some model still has the baseline's length
    common_length = np.nanmax(baseline_length, axis=0)
    baseline_length = np.where(np.isnan(baseline_length), common_length, baseline_length)
    return Annotations(
        models=tuple(models),
        instructions=tuple(instruction for instruction, _ in place),
        baseline=baseline,
        preference=preference,
        length=length,
        baseline_length=baseline_length,
        outputs=tuple(outputs),
        n_self=n_self,
        n_unparsed=n_unparsed,
    )


def constant_outputs(outputs: Sequence[str], *, share: float = 0.5, n_pairs: int = 200, seed: int = 0) -> str | None:
    """Why a model's answers look like a constant, or None.

    A model that answers different instructions with (nearly) the same text games its judge. Flagged are a single text
    in more than `share` of the rows, or answers to different instructions that share more than `share` of their
    character 8-grams (median Jaccard over random pairs).

    Args:
        outputs: Answers to different instructions; empty ones are left out.
        share: Threshold of both.
        n_pairs: Pairs looked at.
        seed: Of the pairs.
    Source: "Cheating Automatic LLM Benchmarks: Null Models Achieve High Win Rates", 2024, arXiv 2410.07137.
    """
    texts = [" ".join(text.split()) for text in outputs if text.strip()]
    if len(texts) < 10:
        return None
    most, times = Counter(texts).most_common(1)[0]
    if times > share * len(texts):
        return f"one text is {times} of {len(texts)} answers ({most[:40]!r} …)"
    rng = np.random.default_rng(seed)
    likeness = []
    for i, j in rng.integers(0, len(texts), (n_pairs, 2)).tolist():
        a, b = ({text[k : k + 8] for k in range(max(len(text) - 7, 1))} for text in (texts[i], texts[j]))
        if i != j:
            likeness.append(len(a & b) / len(a | b))
    middle = float(np.median(likeness))
    return f"answers to different instructions share {middle:.0%} of their text" if middle > share else None


def _rows(paths: Sequence[str], skip_bad: bool) -> Iterator[Row]:
    for item in paths:
        path = Path(item)
        if path.is_dir():
            for file in sorted(path.rglob("annotations.json")):
                yield from _of_json(file)
        elif path.suffix == ".json" and path.is_file():
            yield from _of_json(path)
        else:
            yield from _of_groups(item, skip_bad)


def _of_json(path: Path) -> Iterator[Row]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError("unreadable-file", f"not JSON; is it cut? ({error})", file=str(path)) from None
    if not isinstance(found, list):
        raise DataError("unknown-format", "expected a list of annotations", file=str(path))
    wanted = ("instruction", "generator_1", "output_1", "generator_2", "output_2")
    for number, row in enumerate(found, 1):
        missing = [name for name in wanted if not isinstance(row, dict) or not isinstance(row.get(name), str)]
        if missing:
            raise DataError(
                "missing-field", f"{missing[0]}: missing; an annotation has {', '.join(wanted)}, preference",
                file=str(path), row=number,
            )  # fmt: skip
        said = row.get("preference")
        if said is None or said != said:
            prob = None
        elif not isinstance(said, int | float) or not (said == 0 or 1 <= said <= 2):
            raise DataError(
                "off-scale", f"preference: {said!r}; expected 1 to 2, or 0 for a tie", file=str(path), row=number
            )
        else:
            prob = 0.5 if said == 0 else float(said) - 1
        yield (*(row[name] for name in wanted), prob, str(path))  # type: ignore[misc]


def _of_groups(path: str, skip_bad: bool) -> Iterable[Row]:
    from zermelo.feedback.dataset import Feedback
    from zermelo.feedback.view import flat_prompt

    for group in Feedback.read([path], skip_bad=skip_bad).groups():
        for judgement in group.judgements:
            if judgement.kind != "comparison" or len(judgement.on) != 2:
                continue
            one, two = (group.responses[i] for i in judgement.on)
            if one.source is None or two.source is None:
                continue
            prob = None if judgement.value is None else 1 - judgement.value
            yield flat_prompt(group) or "", one.source, one.content or "", two.source, two.content or "", prob, path
