"""FAIT (M135): fine-tuning with more weight on the tokens in which a similar faulty program differs gains 6.9 % of
pass@1 (relative, mean of seven models) in one epoch.

In miniature: a prompt names three operations (plus, minus, times, at least) and constants by synonyms; the program
applies them to a register, 20 tokens with a name and remarks that do nothing, and is run on inputs −3 to 6. A tiny
language model is first fitted to 1,500 programs in which half of the operations and constants are random, then for one
epoch (16 a step, Adam) on 1,000 right programs by SFT, or by FAIT (λ = 2) with a faulty twin of each: one operation or
constant changed so that some input shows it; marks from `id_marks`. The learning rate of each is the best of 1e-3,
2e-3, 4e-3, 8e-3, 1.6e-2 on seeds 1 and 2. Figures: share of 1,000 fresh prompts whose greedy program is right on every
input, and the mean probability of the faulty token at the place of the fault, on 500 fresh twins.

Reproduced where pass@1 rises by at least 0.03 and FAIT's fault probability is at most 0.8 of SFT's, both with their
intervals; partly where pass@1 rises with its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

OPERATIONS, CONSTANTS, LINES, ROOM, REMARKS = 4, 8, 3, 24, 16
FIRST_OPERATION, NOISE, KNOWN = 2, 0.5, 1500
FIRST_CONSTANT = FIRST_OPERATION + OPERATIONS
DEF, COLON, X, IS, NEXT, RETURN = range(FIRST_CONSTANT + CONSTANTS, FIRST_CONSTANT + CONSTANTS + 6)
FIRST_WORD, SYNONYMS = RETURN + 1, 10
FIRST_REMARK = FIRST_WORD + (OPERATIONS + CONSTANTS) * SYNONYMS
RATES = {"sft": 8e-3, "fait": 8e-3}
Steps = list[tuple[int, int]]


def program(steps: Steps, style: Sequence[int]) -> list[int]:
    """def f: x = x op k; # remark (three times) return x. Name and remarks are style: they do nothing."""
    lines = [
        [X, IS, FIRST_OPERATION + op, FIRST_CONSTANT + k, NEXT, FIRST_REMARK + remark]
        for (op, k), remark in zip(steps, style[1:], strict=True)
    ]
    return [DEF, FIRST_REMARK + style[0], COLON, *(token for line in lines for token in line), RETURN, X]


def outputs(tokens: list[int]) -> tuple[int, ...] | None:
    """What a program gives on −3 … 6; None where it is not one."""
    body = tokens[3:-2]
    steps = [(body[at + 2] - FIRST_OPERATION, body[at + 3] - FIRST_CONSTANT) for at in range(0, len(body) - 5, 6)]
    style = [token - FIRST_REMARK for token in (*tokens[1:2], *body[5::6])]
    sound = all(0 <= op < OPERATIONS and 0 <= k < CONSTANTS for op, k in steps) and len(style) == len(steps) + 1
    if not (sound and all(0 <= word < REMARKS for word in style) and program(steps, style) == tokens):
        return None
    found = []
    for x in range(-3, 7):
        for op, place in steps:
            k = place + 1  # never 0: after `times 0` no other fault would show
            x = (x + k, x - k, x * k, max(x, k))[op]
        found.append(x)
    return tuple(found)


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import copy
    import random

    import torch

    from zermelo.claims.sequence_bench import END, Texts, WindowLM, ragged, sample, texts_of, train
    from zermelo.objectives import FAIT, SFT, RaggedBatch
    from zermelo.synthesis.marks import id_marks

    torch.set_num_threads(1)
    rng = random.Random(seed)

    def task() -> Steps:
        return [(rng.randrange(OPERATIONS), rng.randrange(CONSTANTS)) for _ in range(LINES)]

    def asked(steps: Steps) -> list[int]:
        """A synonym of each line's operation and of its constant."""
        words = [value for op, place in steps for value in (op, OPERATIONS + place)]
        return [FIRST_WORD + word * SYNONYMS + rng.randrange(SYNONYMS) for word in words]

    def careless(steps: Steps) -> Steps:
        return [
            tuple(b if rng.random() < NOISE else a for a, b in zip(one, other, strict=True))  # type: ignore[misc]
            for one, other in zip(steps, task(), strict=True)
        ]

    def styled() -> list[int]:
        return [rng.randrange(REMARKS) for _ in range(LINES + 1)]

    def faulty(steps: Steps, style: list[int]) -> list[int]:
        while True:
            place, part = rng.randrange(LINES), rng.randrange(2)
            other = task()[0]
            line = (other[0], steps[place][1]) if part == 0 else (steps[place][0], other[1])
            found = program([*steps[:place], line, *steps[place + 1 :]], style)
            if outputs(found) != outputs(program(steps, style)):
                return found

    def twins(n: int) -> tuple[Texts, torch.Tensor]:
        tasks = [task() for _ in range(n)]
        styles = [styled() for _ in tasks]
        sides = [side for one in zip(tasks, styles, strict=True) for side in (program(*one), faulty(*one))]
        marks = [[*mark, 0] for at in range(0, len(sides), 2) for mark in id_marks(sides[at], sides[at + 1], fill=True)]
        asks = [ask for steps in tasks for ask in [asked(steps)] * 2]
        return texts_of(asks, sides, room=ROOM), torch.tensor(marks)

    base = WindowLM(FIRST_REMARK + REMARKS, window=LINES * 2 + ROOM, hidden=64, seed=seed)
    known = [task() for _ in range(KNOWN)]
    corpus = texts_of(
        [asked(steps) for steps in known], [program(careless(steps), styled()) for steps in known], room=ROOM
    )

    def read(policy: WindowLM, draws: torch.Generator) -> RaggedBatch:
        return ragged(policy, corpus.take(torch.randint(len(corpus), (64,), generator=draws)))

    train(base, SFT(of="all"), read, steps=400, lr=3e-3, seed=seed)
    (texts, marks), (fresh, places) = twins(1000), twins(500)
    tests = [task() for _ in range(1000)]
    test_asks = torch.tensor([asked(steps) for steps in tests])
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(seed)).split(16)

    style = [0] * (LINES + 1)

    def seen(policy: WindowLM) -> tuple[float, float]:
        drawn = sample(policy, test_asks, room=ROOM, rng=torch.Generator(), greedy=True).responses.tolist()
        right = [
            END in row and outputs(row[: row.index(END)]) == outputs(program(steps, style))
            for row, steps in zip(drawn, tests, strict=True)
        ]
        with torch.no_grad():
            batch = ragged(policy, fresh, marks={"fault": places})
            at_fault = batch.logps[(batch.extra_of("fault") > 0) & (batch.token_response % 2 == 1)]
        return sum(right) / len(right), float(at_fault.exp().mean())

    figures: dict[str, float] = {}
    figures["base_pass"], figures["base_fault"] = seen(base)
    objectives: dict[str, Any] = {"sft": SFT(nll="sequence_mean"), "fait": FAIT(lam=2.0, tau=1.0)}
    for name, objective in objectives.items():
        policy, turns = copy.deepcopy(base), iter(order)

        def draw(policy: WindowLM, _: torch.Generator, turns: Any = turns) -> RaggedBatch:
            pick = next(turns)
            rows = (2 * pick[:, None] + torch.tensor([0, 1])).flatten()
            return ragged(policy, texts.take(rows), marks={"fault": marks[rows]})

        train(policy, objective, draw, steps=len(order), lr=RATES[name], seed=seed)
        figures[f"{name}_pass"], figures[f"{name}_fault"] = seen(policy)
    figures["gain"] = figures["fait_pass"] - figures["sft_pass"]
    figures["fault_ratio"] = figures["fait_fault"] / figures["sft_fault"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    if summary.low["gain"] <= 0:
        return "not reproduced"
    return "reproduced" if summary.low["gain"] >= 0.03 and summary.high["fault_ratio"] <= 0.8 else "partly"


CLAIM = Claim(
    id="M135",
    paper="+6.9 % pass@1 (relative), mean of seven models after one epoch",
    measures="rise of pass@1, FAIT less SFT (share of programs right on every input)",
    headline="gain",
    run=run,
    verdict=verdict,
    rule="reproduced: gain ≥ 0.03 and fault ratio ≤ 0.8 with their intervals; partly: gain > 0 with its interval",
    notes="faults fall on any operation or constant with equal chance, and one epoch marks one in six of these; the "
    "formula of the dynamic weight is ours",
)
