"""Medical RPO (M097): continued pretraining, then preferences over reasoning paths, keeps accuracy when an explanation
is asked for (IgakuQA .868 direct and explained; the base model loses up to 11.5 points, continued pretraining 3.8).

In miniature: a disease is an organ and a finding (144 in all), shows one of eight signs by a random table, and each
sign is treated by one of four drugs. Prompts ask for the drug directly, for sign and drug (an explanation), or for the
sign (a textbook). A tiny language model is fitted to 6,000 texts with 10 % wrong direct answers and 30 % explanations
with a wrong sign, whose drug follows from it; continued pretraining is 300 steps on 1,500 right textbook lines and as
many texts of the first kind. Then 300 questions on 100 diseases: a reference explanation and three samples,
`answer_levels`, `hierarchy_pairs`, and DPO with likelihood (β = 0.1, α = 1; 100 steps of 32, Adam at the best of 1e-4,
3e-4, 1e-3, 3e-3 on seeds 1 and 2). Figures: accuracy of one sample, direct and explained, of 4,000 questions on the
other 44 diseases, and their difference (`drop`).

Reproduced where the base's drop is at least 0.08 and RPO's at most 0.02, with their intervals, and RPO's direct
accuracy is not more than 0.02 below that after continued pretraining on average; partly where RPO's drop is below that
after continued pretraining with the interval of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

SIDE, SIGNS, DRUGS, SEEN = 12, 8, 4, 100
SIGN, DRUG = 2, 2 + SIGNS
BECAUSE, ORGAN = DRUG + DRUGS, DRUG + DRUGS + 1
DIRECT, EXPLAIN, TEXTBOOK = range(ORGAN + 2 * SIDE, ORGAN + 2 * SIDE + 3)
LR = 3e-4


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import copy
    import random

    import torch

    from zermelo.claims.sequence_bench import Texts, WindowLM, frozen, sample, texts_of, train
    from zermelo.claims.topic_world import drawer
    from zermelo.feedback.records import Group, Response
    from zermelo.objectives import DPO, DPONLL, SFT
    from zermelo.synthesis.hierarchy import answer_levels, explanation_stability, hierarchy_pairs

    torch.set_num_threads(1)
    rng = random.Random(seed)
    diseases = [(organ, finding) for organ in range(SIDE) for finding in range(SIDE)]
    rng.shuffle(diseases)
    sign = {disease: rng.randrange(SIGNS) for disease in diseases}
    drug = [*range(DRUGS), *range(DRUGS)]
    rng.shuffle(drug)

    def asked(disease: tuple[int, int], mode: int) -> list[int]:
        return [ORGAN + disease[0], ORGAN + SIDE + disease[1], mode]

    def explained(shown: int) -> list[int]:
        return [SIGN + shown, BECAUSE, DRUG + drug[shown]]

    def corpus(n: int, modes: tuple[int, ...], wrong: Mapping[int, float]) -> Texts:
        asks, sides = [], []
        for _ in range(n):
            disease, mode = rng.choice(diseases), rng.choice(modes)
            shown = rng.randrange(SIGNS) if rng.random() < wrong[mode] else sign[disease]
            said = {DIRECT: [DRUG + drug[shown]], EXPLAIN: explained(shown), TEXTBOOK: [SIGN + shown]}
            asks.append(asked(disease, mode))
            sides.append(said[mode])
        return texts_of(asks, sides, room=4)

    # a wrong sign is drawn from all eight: 10 % wrong drugs are 40/3 % draws, 30 % wrong signs 240/7 %
    noise = {DIRECT: 0.4 / 3, EXPLAIN: 2.4 / 7, TEXTBOOK: 0.0}
    base = WindowLM(TEXTBOOK + 1, window=3, pinned=3, hidden=96, seed=seed)
    train(base, SFT(of="all"), drawer(corpus(6000, (DIRECT, EXPLAIN), noise), 64), steps=1500, lr=3e-3, seed=seed)
    tuned = copy.deepcopy(base)
    lines, more = corpus(1500, (TEXTBOOK,), noise), corpus(1500, (DIRECT, EXPLAIN), noise)
    mixed = Texts(torch.cat([lines.tokens, more.tokens]), 3)
    train(tuned, SFT(of="all"), drawer(mixed, 64), steps=300, lr=1e-3, seed=seed)
    ref, draws = frozen(tuned), torch.Generator().manual_seed(seed)

    prompts: list[list[int]] = []
    sides: list[list[int]] = []
    for number in range(300):
        disease = rng.choice(diseases[:SEEN])
        ask, gold = asked(disease, EXPLAIN), str(drug[sign[disease]])
        own = sample(tuned, torch.tensor([ask] * 3), room=4, rng=draws).responses.tolist()
        candidates = [explained(sign[disease])] + [[token for token in row if token > 1] for row in own]
        last = [row[-1] - DRUG if row else -1 for row in candidates]
        answers = [str(token) if 0 <= token < DRUGS else None for token in last]
        levels = answer_levels(answers, gold, references=[True, False, False, False])
        told = tuple(Response(" ".join(map(str, row))) for row in candidates)
        for said in hierarchy_pairs(Group(f"q{number}", str(ask), told), levels).judgements:
            prompts += [ask, ask]
            sides += [candidates[place] for place in said.on]
    pairs = texts_of(prompts, sides, room=4)

    tests = [rng.choice(diseases[SEEN:]) for _ in range(4000)]

    def seen(policy: WindowLM, mode: int) -> list[float]:
        asks = torch.tensor([asked(disease, mode) for disease in tests])
        texts = sample(policy, asks, room=4, rng=torch.Generator().manual_seed(seed + mode))
        last = texts.responses.gather(1, (texts.lengths - 2).clamp_min(0)[:, None]).squeeze(1).tolist()
        return [float(token == DRUG + drug[sign[disease]]) for token, disease in zip(last, tests, strict=True)]

    figures: dict[str, float] = {"pairs": len(pairs) / 2}
    arms: dict[str, Any] = {"base": None, "cpt": None, "rpo": DPONLL(beta=0.1, alpha=1.0), "dpo": DPO(beta=0.1)}
    for name, objective in arms.items():
        policy = copy.deepcopy(base if name == "base" else tuned)
        if objective is not None:
            train(policy, objective, drawer(pairs, 32, ref=ref, each=2), steps=100, lr=LR, seed=seed)
        found = explanation_stability(seen(policy, DIRECT), seen(policy, EXPLAIN))
        figures |= {f"{name}_direct": found.direct, f"{name}_explained": found.explained, f"{name}_drop": found.drop}
    figures["saved"] = figures["cpt_drop"] - figures["rpo_drop"]
    figures["direct_change"] = figures["rpo_direct"] - figures["cpt_direct"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    closed = summary.low["base_drop"] >= 0.08 and summary.high["rpo_drop"] <= 0.02
    if closed and summary.mean["direct_change"] >= -0.02:
        return "reproduced"
    return "partly" if summary.low["saved"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M097",
    paper="IgakuQA .868 direct and explained; asked to explain, the base loses up to .115, continued pretraining .038",
    measures="accuracy lost when an explanation is asked for, after continued pretraining less after RPO (share)",
    headline="saved",
    run=run,
    verdict=verdict,
    rule="reproduced: base drop ≥ 0.08, RPO drop ≤ 0.02 with their intervals, direct accuracy kept; partly: saved > 0",
    notes="`dpo` is the same without the likelihood of the chosen, at the same rate",
)
