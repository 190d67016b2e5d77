"""UltraFeedback-shaped Parquet: a view of ratings and ids, and every text decoded once, against `datasets` and a loop.

The file: four completions of about 190 words a row, four aspect ratings and an overall score each, rationales and
critiques; texts differ within every 40,000 rows. 10⁵ rows, `FULL=1` for 10⁶. The peer loads with `load_dataset` (its
first load, which writes its cache) and loops over the rows; ours opens the file and streams. Both make Python strings.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import keep, race, rows, run_function

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
MODELS = ("gpt-4", "alpaca-7b", "llama-2-13b", "falcon-40b", "ultralm-13b", "vicuna-33b", "starchat", "bard")
BATCH = 5000
DISTINCT = 8  # batches of different texts


def make(path: str, n: int) -> None:
    """Write the file; deterministic."""
    import numpy as np
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, (20_000, 9), dtype=np.uint8)
    lengths = rng.integers(2, 9, 20_000)
    words = np.array([bytes(letters[i, : lengths[i]]).decode() for i in range(20_000)])
    import pyarrow as pa

    held: list[Any] = []
    writer = None
    for start in range(0, n, BATCH):
        if len(held) < DISTINCT:
            held.append(_batch(rng, words, BATCH))
        table = held[start // BATCH % DISTINCT].slice(0, min(BATCH, n - start))
        prompts = [f"{start + i} {text}" for i, text in enumerate(table.column("instruction").to_pylist())]
        table = table.set_column(1, "instruction", pa.array(prompts))
        writer = writer or pq.ParquetWriter(path, table.schema, compression="snappy")
        writer.write_table(table, row_group_size=BATCH)
    if writer:
        writer.close()


def _batch(rng: Any, words: Any, n: int) -> Any:
    import numpy as np
    import pyarrow as pa

    # one long stream of Zipf-distributed words, cut into texts: no two are alike
    drawn = words[np.minimum(rng.zipf(1.2, n * 4 * 60), len(words)) - 1]
    parts = np.array([" ".join(piece) for piece in np.array_split(drawn, n * 4)], dtype=object)
    other = parts[rng.permutation(len(parts))]
    third = parts[rng.permutation(len(parts))]
    texts = [f"{a} {i} {b} {c}" for i, (a, b, c) in enumerate(zip(parts, other, third, strict=True))]
    ratings = rng.integers(1, 6, (n * 4, len(ASPECTS)))
    missing = rng.random(ratings.shape) < 0.01
    said = np.where(missing, "N/A", ratings.astype(str))
    rationales = [text[:160] for text in texts]
    annotations = pa.StructArray.from_arrays(
        [
            pa.StructArray.from_arrays([pa.array(said[:, i]), pa.array(rationales)], ["Rating", "Rationale"])
            for i in range(len(ASPECTS))
        ],
        ASPECTS,
    )
    completions = pa.StructArray.from_arrays(
        [
            annotations,
            pa.array([text[:200] for text in other]),
            pa.array(np.array(MODELS)[rng.integers(0, len(MODELS), n * 4)]),
            pa.array(ratings.sum(1) / 2),
            pa.array(texts),
        ],
        ["annotations", "critique", "model", "overall_score", "response"],
    )
    lists = pa.ListArray.from_arrays(pa.array(np.arange(0, n * 4 + 1, 4, dtype=np.int32)), completions)
    prompts = [text[:200] for text in parts[::4]]
    return pa.table({"source": ["evol_instruct"] * n, "instruction": prompts, "completions": lists})


def our_view(path: str, cache: str = "") -> dict[str, Any]:
    """Ids of all groups, number and sum of the ratings of every model and criterion; no text is read."""
    from zermelo.feedback import Feedback

    feedback = Feedback.read(path)
    query = "SELECT source, criterion, count(*) AS n, sum(value) AS total FROM view GROUP BY ALL"
    sums = feedback.ratings().sql(query).to_pylist()
    found = {f"{row['source']}/{row['criterion']}": [row["n"], row["total"]] for row in sums}
    return {"result": [len(feedback.ids()), found]}


def our_table(path: str) -> dict[str, Any]:
    """The same view as an Arrow table of row, id, response, source, criterion and value: every rating held at once."""
    from zermelo.feedback import Feedback

    view = Feedback.read(path).ratings().select("row", "id", "response", "source", "criterion", "value")
    return {"rows": view.arrow().num_rows}


def our_texts(path: str, cache: str = "") -> dict[str, Any]:
    """Every response as a Python string, once; their number and characters."""
    from zermelo.feedback import Feedback

    count = characters = 0
    for batch in Feedback.read(path).texts():
        texts = batch.column("text").to_numpy(zero_copy_only=False)
        count += len(texts)
        characters += sum(map(len, texts))
    return {"result": [count, characters]}


def _loaded(path: str, cache: str) -> Any:
    os.environ["HF_DATASETS_OFFLINE"] = "1"
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        return datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=folder)


def their_view(path: str, cache: str) -> dict[str, Any]:
    """The peer's loop: the same ids and sums."""
    found: dict[str, list[Any]] = {}
    ids = []
    for i, row in enumerate(_loaded(path, cache)):
        ids.append(f"{Path(path).name}:{i + 1}")
        for item in row["completions"]:
            said = [(aspect, item["annotations"][aspect]["Rating"]) for aspect in ASPECTS]
            for criterion, value in [*said, ("overall", item["overall_score"])]:
                if value in ("N/A", None):
                    continue
                total = found.setdefault(f"{item['model']}/{criterion}", [0, 0.0])
                total[0] += 1
                total[1] += float(value)
    return {"result": [len(ids), found]}


def their_texts(path: str, cache: str) -> dict[str, Any]:
    """The peer's loop: every response, once."""
    count = characters = 0
    for row in _loaded(path, cache):
        for item in row["completions"]:
            count += 1
            characters += len(item["response"])
    return {"result": [count, characters]}


def main() -> None:
    n = rows()
    with tempfile.TemporaryDirectory(prefix="zermelo-bench-") as folder:
        path = str(Path(folder) / "ultrafeedback.parquet")
        run_function(make, {"path": path, "n": n})
        size = os.path.getsize(path) / 1e6
        about = f"{n:,} UltraFeedback-shaped rows, 4 completions of 190 words, Parquet of {size:,.0f} MB"
        args = {"path": path, "cache": folder}
        repeat = 1 if n > 10**5 else 3
        race(
            "feedback_views: ratings and ids",
            peer="datasets",
            ours=our_view,
            theirs=their_view,
            conditions=f"{about}; 5 criteria by model and criterion; peer: first load and loop",
            args=args,
            repeat=repeat,
        )
        race(
            "feedback_views: every text once",
            peer="datasets",
            ours=our_texts,
            theirs=their_texts,
            conditions=f"{about}; as Python strings; peer: first load and loop",
            args=args,
            repeat=repeat,
        )
        held = run_function(our_table, {"path": path})
        keep(
            "feedback_views: ratings as one table",
            peer=None,
            ours=held.seconds,
            theirs=None,
            ours_mb=held.peak_mb,
            conditions=f"{about}; {held.returned['rows']:,} ratings with ids held at once",
        )


if __name__ == "__main__":
    main()
