"""What a reward head on frozen MiniLM embeddings reaches on real human preferences. Not a race: figures, told plainly.

Reads the public extracts of HH-RLHF (harmless) and PandaLM in $ZERMELO_SHARED_DATA, or in `shared/data` beside the
checkout; writes `benchmarks/reward_minilm.json` and its section of `docs/benchmarks.md`.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
RESULT = HERE / "reward_minilm.json"
MARKERS = ("<!-- reward_minilm: made by benchmarks/reward_minilm.py -->", "<!-- /reward_minilm -->")
ENCODERS = ("minilm", "tfidf")
HOW = """\
`zermelo reward train --encoder minilm` on real human preferences, {}. 5-fold cross-validation by prompt (near-duplicate
prompts together), the ridge chosen within the training folds, 95 % bootstrap intervals over prompts. PandaLM's three
annotators are averaged; ties are left out."""
NAMES = {"hh_harmless": "HH-RLHF, harmless", "pandalm": "PandaLM"}


def shared_data() -> Path | None:
    """The folder of public data, or None."""
    named = os.environ.get("ZERMELO_SHARED_DATA")
    places = [Path(named)] if named else [HERE.parent.parent / "shared" / "data", HERE.parent / "shared" / "data"]
    return next((place for place in places if place.is_dir()), None)


def hh_harmless(data: Path) -> list[Any]:
    """1,600 pairs of replies; a crowd worker chose the less harmful one."""
    from zermelo.feedback import read_groups

    return list(read_groups(str(data / "hh_harmless/test_dev.parquet"), quiet=True))


def pandalm(data: Path) -> list[Any]:
    """722 pairs of answers, each judged by three people: first, second or alike."""
    import pyarrow.parquet as pq

    from zermelo.feedback import Group, Judgement, Response

    votes = {0: (0.5, "tie"), 1: (1.0, "first"), 2: (0.0, "second")}
    groups = []
    for row in pq.read_table(data / "pandalm/items.parquet").to_pylist():
        said = tuple(
            Judgement("comparison", (0, 1), by=f"annotator {k}", value=votes[row[f"annotator{k}"]][0])
            for k in (1, 2, 3)
        )
        sides = tuple(Response(row[f"response{k}"], source=row[f"model_{k}"]) for k in (1, 2))
        prompt = row["instruction"] + (f"\n\n{row['input']}" if row["input"] else "")
        groups.append(Group(str(row["item"]), prompt, sides, said))
    return groups


def measure(data: Path) -> dict[str, Any]:
    """Figures of every data set and encoder."""
    from zermelo.scorers.embedding_reward import EmbeddingReward

    found: dict[str, Any] = {}
    for name, read in (("hh_harmless", hh_harmless), ("pandalm", pandalm)):
        groups = read(data)
        found[name] = {
            one: EmbeddingReward(one).cross_validate(groups, cache=os.environ.get("ZERMELO_EMBEDDINGS")).to_json()
            for one in ENCODERS
        }
    known = {name: version(name) for name in ("sentence-transformers", "scikit-learn", "torch")}
    return {"date": date.today().isoformat(), "versions": known, "figures": found}


def section(result: dict[str, Any]) -> str:
    """The section of the page."""
    lines = [
        "## A reward head on frozen embeddings",
        "",
        HOW.format(result["date"]),
        "",
        "| data | predictor | accuracy | log-loss, nat | calibration error |",
        "|---|---|---:|---:|---:|",
    ]
    for name, by_encoder in result["figures"].items():
        first = by_encoder["minilm"]
        what = f"{NAMES[name]}: {first['reward']['pairs']:,} pairs, {first['reward']['prompts']:,} prompts"
        rows = [("MiniLM head", first["reward"]), ("tf-idf head", by_encoder["tfidf"]["reward"])]
        rows += [("length only", first["length"]), ("majority side", first["majority"])]
        for at, (label, one) in enumerate(rows):
            cells = [
                shown(one[key], percent=key == "accuracy") for key in ("accuracy", "log_loss", "calibration_error")
            ]
            lines.append(f"| {what if at == 0 else ''} | {label} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", plainly(result["figures"])])


def shown(estimate: dict[str, Any], *, percent: bool) -> str:
    """`62.3 % [59.9, 64.7]`."""
    factor, digits, unit = (100, 1, " %") if percent else (1, 3, "")
    value, low, high = (factor * estimate[key] for key in ("value", "ci_low", "ci_high"))
    return f"{value:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"


def plainly(figures: dict[str, Any]) -> str:
    """What the figures say, in sentences that follow from them."""
    said = []
    for name, by_encoder in figures.items():
        one = by_encoder["minilm"]["gain"]
        gap, low, high = (100 * one[key] for key in ("value", "ci_low", "ci_high"))
        if low > 0:
            verdict = "more than length explains"
        elif high < 0:
            verdict = "worse than length alone"
        else:
            verdict = "no difference that these pairs could show"
        said.append(f"{NAMES[name]}: {gap:+.1f} [{low:+.1f}, {high:+.1f}] points against length alone, {verdict}.")
    return (
        "Plainly: a frozen small encoder is a weak judge. "
        + " ".join(said)
        + " Reward models of billions of parameters are commonly reported near 70 % on HH-RLHF. Use the head as a "
        "baseline and a quick check of data, not as a reward to optimise against."
    )


def write(result: dict[str, Any]) -> None:
    """Keep the figures and put the section between its markers."""
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else "# Benchmarks\n"
    body = f"{MARKERS[0]}\n\n{section(result)}\n\n{MARKERS[1]}"
    start, end = text.find(MARKERS[0]), text.find(MARKERS[1])
    text = f"{text.rstrip()}\n\n{body}\n" if start < 0 else text[:start] + body + text[end + len(MARKERS[1]) :]
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    if "--render" in sys.argv:
        write(json.loads(RESULT.read_text(encoding="utf-8")))
        return
    data = shared_data()
    if data is None:
        print("reward_minilm: the public data is not here; set ZERMELO_SHARED_DATA", file=sys.stderr)
        return
    write(measure(data))


if __name__ == "__main__":
    main()
