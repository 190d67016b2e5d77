"""Single responses with a yes/no label, or a rating above or below the middle, and a probe's margins for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from zermelo.doctor.noise.features import response_features
from zermelo.doctor.noise.probe import LEAST_PAIRS, LEAST_PROMPTS, folds_of, groups_of, ridge

if TYPE_CHECKING:
    from zermelo.doctor.case import Case

__all__ = ["LabelledItems", "labelled_items"]

N_FOLDS = 5


@dataclass(frozen=True)
class LabelledItems:
    """Labels of single responses.

    Args:
        row: Group. [N]
        positive: Labelled 1, or rated above the middle. [N]
        margin: Out-of-fold, > 0 where the probe says positive. [N]
        text: The response's beginning. [N]
        of: How many there are in all.
        middle: The rating that parts them, NaN for labels.
    """

    row: NDArray[np.int64]
    positive: NDArray[np.bool_]
    margin: NDArray[np.float64]
    text: list[str]
    of: int
    middle: float


def labelled_items(case: Case, kind: Literal["label", "rating"]) -> LabelledItems | str:
    """A probe's margins for labels or ratings of single responses; a string says why there are none.

    Args:
        case: The data.
        kind: `label`: value above ½ is positive; `rating`: above the median, those on it are left out.
    """
    import pyarrow as pa

    if kind == "label":
        table = case.feedback.labels().arrow()
        table = table.filter(pa.compute.is_valid(table["response"]))
    else:
        table = case.ratings
        if case.criterion is not None:
            table = table.filter(pa.compute.equal(table["criterion"].cast("string"), case.criterion))
    if not table.num_rows:
        return f"the data holds no {kind}s of single responses"
    value = table["value"].to_numpy().astype(np.float64)
    middle = 0.5 if kind == "label" else float(np.nanmedian(value))
    kept = np.flatnonzero(~np.isnan(value) & (value != middle))
    positive = value[kept] > middle
    if not len(kept) or positive.all() or not positive.any():
        return f"all {kind}s are of one class"
    if len(kept) < LEAST_PAIRS:
        return f"{len(kept)} {kind}s; a probe needs {LEAST_PAIRS} or more"
    total = len(kept)
    if total > case.n_pairs:
        chosen = np.sort(np.random.default_rng((case.seed, 1931)).choice(total, case.n_pairs, replace=False))
        kept, positive = kept[chosen], positive[chosen]
    row = table["row"].to_numpy().astype(np.int64)[kept]
    prompts, texts = _texts(case, row, table["response"].to_numpy().astype(np.int64)[kept])
    group = groups_of([prompt or int(at) for prompt, at in zip(prompts, row, strict=True)])
    if group.max() + 1 < LEAST_PROMPTS:
        return f"{group.max() + 1} different prompts; a cross-validated probe needs {LEAST_PROMPTS} or more"
    margin = _margins(case, prompts, texts, positive, group)
    return LabelledItems(row, positive, margin, [t[:200] for t in texts], total, middle if kind == "rating" else np.nan)


def _margins(
    case: Case, prompts: list[str], texts: list[str], positive: NDArray[np.bool_], group: NDArray[np.int64]
) -> NDArray[np.float64]:
    from scipy import sparse

    x = response_features(prompts, texts, encoder=case.encoder)
    ones = np.ones((len(texts), 1), np.float32)
    x = np.hstack([x, ones]) if isinstance(x, np.ndarray) else sparse.hstack([x, ones], format="csr")
    y = np.where(positive, 1.0, -1.0)
    fold = folds_of(group, N_FOLDS, seed=case.seed)
    margin = np.zeros(len(y))
    for k in range(N_FOLDS):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if len(outside):
            margin[outside] = x[outside] @ ridge(x[inside], y[inside])
    return margin


def _texts(case: Case, row: NDArray[np.int64], response: NDArray[np.int64]) -> tuple[list[str], list[str]]:
    from zermelo.feedback.view import flat_prompt

    prompts, texts = [""] * len(row), [""] * len(row)
    for start in range(0, len(row), 2_048):
        places = range(start, min(start + 2_048, len(row)))
        found = case.feedback.at(row[start : start + 2_048].tolist())
        for place in places:
            group = found[int(row[place])]
            prompts[place] = flat_prompt(group) or ""
            texts[place] = group.responses[response[place]].content
    return prompts, texts
