"""CheXalign (M102): a metric against reference reports as judge of a model's own samples raises GREEN by up to 57.4 %
over SFT without human feedback, while reports grow up to 3.2 times as long.

In miniature: an image is six cells, each empty or holding one of four shapes (40 %); a report names cell and shape of
each finding. A tiny language model is fitted to 4,000 careless reports (30 % of findings left out, 10 % with a wrong
shape, 15 % of empty cells reported). Of four samples for each of 400 images `judged_by_reference` takes best and worst,
by GREEN (exact on parsed findings) or by the share of reference findings that are named (`recall`), which rewards
listing everything. DPO (β = 0.1) on either, and R-DPO (α = 0.05) on recall's pairs; 150 steps of 32, Adam, the rate
the best of 1e-5, 3e-5, 1e-4, 3e-4, 1e-3 for GREEN of the first arm on seeds 1 and 2. Figures: GREEN of 1,000 reports of
fresh images, less that before; their mean length over that before.

Reproduced where DPO on GREEN raises GREEN by at least 0.05, DPO on recall makes reports at least 1.5 times as long and
R-DPO at most 1.1 times, with their intervals; partly where GREEN rises so and R-DPO's reports are shorter than DPO's
on recall, with its interval.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

CELLS, SHAPES, IMAGES = 6, 4, 400
SHAPE, CELL = 2, 2 + SHAPES
EMPTY = CELL + CELLS
ROOM = 2 * CELLS + 7
STEPS, LR = 150, 3e-5


def findings(report: Sequence[int]) -> list[tuple[int, int]]:
    """(cell, shape) pairs of a report, in order; anything else is skipped."""
    found = []
    for one, two in itertools.pairwise(report):
        if CELL <= one < EMPTY and SHAPE <= two < CELL:
            found.append((one - CELL, two - SHAPE))
    return found


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import copy
    import random

    import torch

    from zermelo.claims.sequence_bench import Texts, WindowLM, frozen, sample, texts_of, train
    from zermelo.claims.topic_world import drawer
    from zermelo.feedback.records import Group, Response
    from zermelo.objectives import DPO, RDPO, SFT
    from zermelo.synthesis.reference_judge import green, judged_by_reference

    torch.set_num_threads(1)
    rng, draws = random.Random(seed), torch.Generator().manual_seed(seed)

    def image() -> list[int]:
        return [SHAPE + rng.randrange(SHAPES) if rng.random() < 0.4 else EMPTY for _ in range(CELLS)]

    def careless(cells: list[int]) -> list[int]:
        report = []
        for place, seen in enumerate(cells):
            if rng.random() < (0.15 if seen == EMPTY else 0.7):
                wrong = seen == EMPTY or rng.random() < 0.1
                report += [CELL + place, SHAPE + rng.randrange(SHAPES) if wrong else seen]
        return report

    def truth(cells: Sequence[int]) -> set[tuple[int, int]]:
        return {(place, seen - SHAPE) for place, seen in enumerate(cells) if seen != EMPTY}

    def scored(row: list[int], judge: str) -> float:
        told, wanted = findings(row[CELLS:]), truth(row[:CELLS])
        matched = len(wanted & set(told))
        if judge == "recall":
            return matched / len(wanted) if wanted else 0.0
        return green(matched, len(told) - matched + len(wanted) - matched)  # false, doubled and missing findings

    images = [image() for _ in range(4000)]
    corpus = texts_of(images, [careless(cells) for cells in images], room=ROOM)
    base = WindowLM(EMPTY + 1, window=4, pinned=CELLS, hidden=64, seed=seed)
    train(base, SFT(of="all"), drawer(corpus, 64), steps=1000, lr=3e-3, seed=seed)
    ref = frozen(base)

    asks = torch.tensor([image() for _ in range(IMAGES)])
    drawn = sample(base, asks.repeat_interleave(4, 0), room=ROOM, rng=draws)
    table = drawn.tokens.tolist()
    groups = [Group(str(n), str(n), tuple(Response(str(table[4 * n + k])) for k in range(4))) for n in range(IMAGES)]

    def pairs(judge: str) -> Texts:
        scores = [[scored(row, judge) for row in table[4 * n : 4 * n + 4]] for n in range(IMAGES)]
        kept, _ = judged_by_reference(groups, scores)
        rows = [4 * int(group.id) + place for group in kept for place in group.judgements[-1].on]
        return drawn.take(torch.tensor(rows))

    tests = torch.tensor([image() for _ in range(1000)])

    def seen(policy: WindowLM) -> tuple[float, float]:
        texts = sample(policy, tests, room=ROOM, rng=torch.Generator().manual_seed(seed))
        marks = [scored(row, "green") for row in texts.tokens.tolist() if truth(row[:CELLS])]
        return sum(marks) / len(marks), float((texts.lengths - 1).float().mean())

    figures: dict[str, float] = {"reference_length": 2 * float((tests != EMPTY).sum(1).float().mean())}
    figures["base_green"], figures["base_length"] = seen(base)
    arms: dict[str, tuple[Any, str]] = {
        "green": (DPO(beta=0.1), "green"),
        "recall": (DPO(beta=0.1), "recall"),
        "rdpo": (RDPO(beta=0.1, alpha=0.05), "recall"),
    }
    for name, (objective, judge) in arms.items():
        policy = copy.deepcopy(base)
        train(policy, objective, drawer(pairs(judge), 32, ref=ref, each=2), steps=STEPS, lr=LR, seed=seed)
        mark, length = seen(policy)
        figures |= {f"{name}_gain": mark - figures["base_green"], f"{name}_longer": length / figures["base_length"]}
    figures["shorter"] = figures["recall_longer"] - figures["rdpo_longer"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low, high = summary.low, summary.high
    if low["green_gain"] < 0.05:
        return "not reproduced"
    if low["recall_longer"] >= 1.5 and high["rdpo_longer"] <= 1.1:
        return "reproduced"
    return "partly" if low["shorter"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M102",
    paper="up to +57.4 % GREEN over SFT; +9.2 % over six metrics; reports up to 3.2 times as long",
    measures="rise of GREEN by DPO on pairs that GREEN judged (points of GREEN, 0 to 1)",
    headline="green_gain",
    run=run,
    verdict=verdict,
    rule="reproduced: GREEN ≥ +0.05, DPO on recall ≥ 1.5, R-DPO ≤ 1.1 times as long; partly: the first, R-DPO shorter",
    notes="at ten times the rate reports are half as long again under GREEN too, and GREEN falls",
)
