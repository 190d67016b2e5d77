"""Items of benchmarks in the data."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zermelo.doctor.contamination.items import Item, read_items
from zermelo.doctor.contamination.ngrams import NGramIndex
from zermelo.doctor.contamination.retrieval import BM25Index, best_window
from zermelo.doctor.protocol import Example, Finding, Passed, Result, Skipped, severity_of_share
from zermelo.doctor.structure.rows import Texts, sampled_texts
from zermelo.errors import positive, unit_interval
from zermelo.stats.intervals import wilson

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zermelo.doctor.case import Case

__all__ = ["Overlap"]

SHOWN, EXCERPT = 10, 160
FUZZY_ITEMS, FUZZY_ROWS = 500, 2_000
CONTENT = 0.9  # cosine of embeddings
SOURCE = '"Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023, arXiv 2311.09783'


@dataclass(frozen=True)
class Overlap:
    """Rows that hold items of given benchmark files.

    A row holds an item where the share `least` of the item's runs of 13 words (8 in shorter items, the whole in the
    shortest) stands in one of its texts; or, on a sample of 2,000 rows and 500 items, where a window of a text that
    BM25 ranks high has ROUGE-L of `similar` or more with it; or, with a sentence encoder, where the cosine of item and
    prompt is 0.9 or more. The severity is that of the share of rows or of items, whichever is larger.

    Args:
        least: Share of an item's runs in one text, in [0, 1].
        similar: ROUGE-L, in [0, 1].
        n_documents: Rows looked at for each item in the fuzzy search.
    Raises:
        SettingError: a setting is out of range.
        DataError: a benchmark file cannot be read, or has no items.
    Source: "Investigating Data Contamination in Modern Benchmarks for Large Language Models", 2023, arXiv 2311.09783.
    """

    id: ClassVar[str] = "contamination.overlap"
    asks: ClassVar[str] = "are items of the given benchmarks in the data?"
    least: float = 0.5
    similar: float = 0.75
    n_documents: int = 5

    def __post_init__(self) -> None:
        unit_interval(self, "least", "similar")
        positive(self, "n_documents")

    def run(self, case: Case) -> Sequence[Result]:
        if not case.benchmarks:
            return [Skipped(self.id, "no benchmark file was given (`--benchmark FILE`)")]
        items = read_items(case.benchmarks)
        if not len(case.texts.row):
            return [Skipped(self.id, "the data holds no texts")]
        row, item, share, any_run = self._exact(case, items)
        how = ["exact"] * len(row)
        fuzzy = self._fuzzy(case, items)
        for name, found in (("window", fuzzy), ("embedding", self._near(case, items))):
            how += [name] * len(found[0])
            row, item, share = (np.concatenate(pair) for pair in zip((row, item, share), found, strict=True))
        best: dict[int, tuple[float, int, str]] = {}
        for at, which, score, name in zip(row.tolist(), item.tolist(), share.tolist(), how, strict=True):
            best[at] = max(best.get(at, (0.0, 0, "")), (float(score), which, name))
        return [self._result(case, items, best, np.unique(item), how, any_run)]

    def _result(
        self,
        case: Case,
        items: Sequence[Item],
        best: dict[int, tuple[float, int, str]],
        found: NDArray[np.int64],
        how: Sequence[str],
        any_run: int,
    ) -> Result:
        rows = wilson(len(best), case.n_rows)
        of_items = wilson(len(found), len(items))
        details: dict[str, float | str] = {
            "items": float(len(items)),
            "items_found": float(len(found)),
            "share_of_items": of_items.value,
            "items_with_any_run": float(any_run),
            **{f"matches_{name}": float(how.count(name)) for name in ("exact", "window", "embedding")},
        }
        if not best:
            return Passed(self.id, f"none of {len(items):,} benchmark items is in the data", rows, details)
        order = sorted(best, key=lambda at: (-best[at][0], at))
        shown = [Example(at, items[best[at][1]].text[:EXCERPT], f"{items[best[at][1]].name}, {best[at][2]} "
                         f"{best[at][0]:.2f}") for at in order[:SHOWN]]  # fmt: skip
        return Finding(
            audit=self.id,
            severity=severity_of_share(max(rows.value, of_items.value)),
            title=f"{len(best):,} of {case.n_rows:,} rows ({rows.value:.1%}) hold items of the benchmarks;"
            f" {len(found):,} of {len(items):,} items ({of_items.value:.1%}) are in the data",
            figure=rows,
            effect="A model trained on it has seen the questions: its score on these items says nothing about others.",
            source=SOURCE,
            remedy="drop the rows, and report the benchmark without the items found",
            fix="drop-contaminated",
            rows=np.array(order, np.int64),
            scores=np.array([best[at][0] for at in order]),
            examples=shown,
            table={
                "row": order[:200],
                "item": [items[best[at][1]].name for at in order[:200]],
                "found by": [best[at][2] for at in order[:200]],
                "share or similarity": [best[at][0] for at in order[:200]],
            },
            details=details,
        )

    def _exact(
        self, case: Case, items: Sequence[Item]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]:
        """Row, item and share of its runs, from the share `least`; and how many items share any run."""
        from zermelo.doctor.scan import text_batches
        from zermelo.feedback.texts import texts_of

        index = NGramIndex.of([item.text for item in items])

        def looked(
            positions: NDArray[np.int64], prompts: pa.Array, responses: pa.Array
        ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
            import pyarrow as pa

            answers = texts_of(positions, responses)
            text = pa.concat_arrays([prompts.cast(pa.string()), answers.column("text")]).fill_null("")
            of = np.concatenate([positions, answers.column("row").to_numpy()])
            place, item, count = index.shared(text)
            return of[place], item, count

        parts = [(np.zeros(0, np.int64),) * 3]
        with ThreadPoolExecutor(2) as pool:
            waiting = []
            for batch in text_batches(case.feedback):
                waiting.append(pool.submit(looked, *batch))
                if len(waiting) > 3:
                    parts.append(waiting.pop(0).result())
            parts += [future.result() for future in waiting]
        row, item, count = (np.concatenate([part[k] for part in parts]) for k in range(3))
        share = count / np.maximum(index.n_runs[item], 1) if len(item) else np.zeros(0)
        kept = share >= max(self.least, 1e-9)
        return row[kept], item[kept], share[kept], len(np.unique(item))

    def _fuzzy(
        self, case: Case, items: Sequence[Item]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Row, item and ROUGE-L of windows that are nearly an item, on samples of both."""
        sample = sampled_texts(case, FUZZY_ROWS)
        rng = np.random.default_rng((case.seed, 2311))
        some = np.sort(rng.choice(len(items), min(FUZZY_ITEMS, len(items)), replace=False))
        documents = _documents(sample)
        index = BM25Index.of(documents)
        found: list[tuple[int, int, float]] = []
        for number in some.tolist():
            for at in index.top(items[number].text, self.n_documents):
                score = best_window(items[number].text, documents[at], least=self.similar)
                if score > 0:
                    found.append((int(sample.row[at]), number, score))
        rows, numbers, scores = zip(*found, strict=True) if found else ((), (), ())
        return np.array(rows, np.int64), np.array(numbers, np.int64), np.array(scores, np.float64)

    def _near(
        self, case: Case, items: Sequence[Item]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Row, item and cosine of prompts that mean nearly what an item means, where an encoder is given."""
        if case.encoder == "tfidf":
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        from zermelo.doctor.noise.features import embeddings

        sample = sampled_texts(case, FUZZY_ROWS)
        asked = embeddings(list(sample.prompt), case.encoder)
        wanted = embeddings([item.text for item in items], case.encoder)
        cosine = wanted @ asked.T
        item, at = np.nonzero(cosine >= CONTENT)
        return sample.row[at], item.astype(np.int64), cosine[item, at].astype(np.float64)


def _documents(sample: Texts) -> list[str]:
    """Each row as one text."""
    return ["\n".join([prompt, *answers]) for prompt, answers in zip(sample.prompt, sample.answers, strict=True)]
