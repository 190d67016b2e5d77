"""The data doctor: all audits without a model over 10⁵ pairs, and cleanlab's Datalab on its share of the work.

The share: label issues, near-duplicates, outliers, order, weak groups, empty rows and imbalance of 10⁵ rows with 64
features and probabilities of two classes, both sides from the same arrays. Label issues must agree (Jaccard ≥ 0.95).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import full, race, run_command, run_function

ROWS, WIDTH = 100_000, 64
WORDS = 230  # of an answer: about 300 tokens
PAIRS = 1_000_000 if full() else 100_000


def arrays(path: str) -> None:
    """Features in clusters, labels of which 8 % are wrong, probabilities of a fair classifier, 500 near copies."""
    import numpy as np

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, WIDTH))
    x = (centres[rng.integers(40, size=ROWS)] + rng.normal(size=(ROWS, WIDTH))).astype(np.float32)
    copies = rng.choice(ROWS, 500, replace=False)
    x[copies] = x[(copies + 1) % ROWS] + 1e-4 * rng.normal(size=(500, WIDTH))
    truth = rng.integers(2, size=ROWS)
    logit = (2 * truth - 1) * rng.gamma(2.0, 1.0, ROWS) + rng.normal(size=ROWS)
    p = 1 / (1 + np.exp(-logit))
    given = np.where(rng.random(ROWS) < 0.08, 1 - truth, truth)
    np.savez(path, x=x, given=given, p=np.stack([1 - p, p], axis=1))


def ours(path: str) -> dict[str, Any]:
    """Our share of it, from arrays."""
    import time

    import numpy as np

    from zermelo.doctor.geometry.groups import weak_groups
    from zermelo.stats.confident_learning import ConfidentLearning
    from zermelo.stats.neighbours import nearest_neighbours, order_dependence, outlier_scores

    with np.load(path) as held:
        x, given, p = held["x"], held["given"], held["p"]
    begin = time.perf_counter()
    issues = ConfidentLearning().find(given, p)
    near = nearest_neighbours(x, k=10)
    copies = near.distance[:, 0] < 1e-4
    far = outlier_scores(near) > 3
    order = order_dependence(near, permutations=99)
    weak = weak_groups(near.cell, p.argmax(axis=1) == given)
    empty = ~np.isfinite(x).all(axis=1)
    balance = np.bincount(given) / len(given)
    seconds = time.perf_counter() - begin
    told = [int(copies.sum()), int(far.sum()), order.p, len(weak), int(empty.sum()), balance.tolist()]
    return {"seconds": seconds, "issues": np.flatnonzero(issues.issue).tolist(), "told": told}


def theirs(path: str) -> dict[str, Any]:
    """Datalab with the same issue types."""
    import time

    import numpy as np
    from cleanlab import Datalab

    with np.load(path) as held:
        x, given, p = held["x"], held["given"], held["p"]
    kinds = (
        "label", "near_duplicate", "outlier", "non_iid", "underperforming_group", "null", "class_imbalance",
    )  # fmt: skip
    begin = time.perf_counter()
    lab = Datalab(data={"given": given.tolist()}, label_name="given", verbosity=0)
    lab.find_issues(pred_probs=p, features=x, issue_types={kind: {} for kind in kinds})
    seconds = time.perf_counter() - begin
    found = np.flatnonzero(lab.get_issues("label")["is_label_issue"].to_numpy())
    return {"seconds": seconds, "issues": found.tolist()}


def pairs(path: str, n: int) -> None:
    """Pairs with words by Zipf's law, sources, annotators; a style that wins, labels of which some are wrong."""
    import numpy as np

    from zermelo.feedback import Feedback
    from zermelo.feedback.records import Group, Judgement, Response

    rng = np.random.default_rng(1)
    words = np.array([f"{'aeiou'[i % 5]}{i:x}{'nrstl'[i % 5]}" for i in range(20_000)])
    share = 1 / np.arange(1, len(words) + 1)
    table = rng.choice(len(words), 4_000_000, p=share / share.sum())

    def text(length: int) -> str:
        start = int(rng.integers(len(table) - length))
        said = " ".join(words[table[start : start + length]].tolist())
        return said[0].upper() + said[1:] + "."

    def groups() -> Any:
        for i in range(n):
            lengths = np.maximum(20, rng.normal(WORDS, 60, 2)).astype(int)
            one, two = text(int(lengths[0])), text(int(lengths[1])) + " thanks"
            first = rng.random() < 0.3
            sides = (Response(one, source="a"), Response(two, source="b"))
            yield Group(
                id=str(i),
                prompt=text(40) + f" {i}",
                responses=sides,
                judgements=(Judgement(kind="comparison", on=(0, 1), value=float(first), by=f"r{i % 20}"),),
            )

    Feedback.of(groups()).write(path)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = str(Path(folder) / "arrays.npz")
        run_function(arrays, {"path": made})
        found = [set(run_function(side, {"path": made}).returned["issues"]) for side in (ours, theirs)]
        jaccard = len(found[0] & found[1]) / len(found[0] | found[1])
        if jaccard < 0.95:
            raise SystemExit(f"label issues differ: Jaccard {jaccard:.3f}")
        race(
            "doctor-datalab",
            peer="cleanlab",
            ours=ours_timed,
            theirs=theirs_timed,
            args={"path": made},
            repeat=1,
            conditions=f"{ROWS:,} rows, {WIDTH} features, two classes: label issues (Jaccard {jaccard:.3f}), "
            "near-duplicates, outliers, order, weak groups, empty, imbalance; arrays in memory",
        )
        data = str(Path(folder) / "pairs.parquet")
        run_function(pairs, {"path": data, "n": PAIRS})
        import sys

        command = [str(Path(sys.executable).parent / "zermelo"), "doctor", data, "--json"]
        run_command([*command, "--only", "structure.empty"])  # the file into memory
        race(
            "doctor-whole",
            peer=None,
            ours=command,
            theirs=None,
            repeat=2,
            conditions=f"`zermelo doctor` on {PAIRS:,} pairs of about 300 tokens an answer, native Parquet, all "
            "audits that need no model, whole process",
        )


def ours_timed(path: str) -> dict[str, Any]:
    return {"seconds": ours(path)["seconds"]}


def theirs_timed(path: str) -> dict[str, Any]:
    return {"seconds": theirs(path)["seconds"]}


if __name__ == "__main__":
    main()
