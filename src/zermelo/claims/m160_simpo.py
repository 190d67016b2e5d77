"""SimPO (M160): the mean log-probability as reward beats DPO (AlpacaEval 2, length-controlled: up to +6.4 points)
"without substantially increasing response length".

In miniature: words are good or bad, the share of good ones is the quality, and length has nothing to do with it. A
tiny language model is first fitted to 2,000 texts of 4 to 12 words, half of them good. In 1,000 pairs the preferred
side has 70 % good words and the other 30 %, and the preferred side happens to be 1.5 times as long (9.5 words
against 6.5). DPO (β = 0.1), its form without a reference (CPO, α = 0) and SimPO (β = 2, γ = 0.5) train on them, 64
pairs a step, Adam 2e-4; every 8 steps 400 texts are sampled, until 75 % of their words are good. Figures: mean
length at that moment over the length before, less one; share of held-out pairs on which mean and summed
log-probability say what the pair says.

Reproduced where DPO's growth less SimPO's has an interval above zero and SimPO's growth is below 10 % on average;
partly where only the first holds. A policy that never gets to 75 % counts with its last length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

GOOD, BAD = (2, 3, 4), (5, 6, 7)
ROOM, WINDOW, GOAL, LR, STEPS, EVERY = 24, 16, 0.75, 2e-4, 400, 8


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import copy
    import random

    import torch

    from zermelo.claims.sequence_bench import Texts, WindowLM, frozen, ragged, sample, texts_of, train
    from zermelo.objectives import CPO, DPO, SFT, RaggedBatch, SimPO

    torch.set_num_threads(1)
    rng = random.Random(seed)

    def text(share: float, low: int, high: int) -> list[int]:
        return [rng.choice(GOOD if rng.random() < share else BAD) for _ in range(rng.randint(low, high))]

    def pairs(n: int) -> Texts:
        sides = [side for _ in range(n) for side in (text(0.7, 7, 12), text(0.3, 4, 9))]  # 9.5 and 6.5 words
        return texts_of([[8]] * len(sides), sides, room=ROOM)

    corpus = texts_of([[8]] * 2000, [text(0.5, 4, 12) for _ in range(2000)], room=ROOM)
    data, fresh = pairs(1000), pairs(500)
    base = WindowLM(9, window=WINDOW, seed=seed)

    def some(of: Texts, ref: WindowLM | None) -> Callable[[WindowLM, torch.Generator], RaggedBatch]:
        def draw(policy: WindowLM, rng: torch.Generator) -> RaggedBatch:
            pick = torch.randint(len(of) // 2, (64,), generator=rng)
            return ragged(policy, of.take((2 * pick[:, None] + torch.tensor([0, 1])).flatten()), ref=ref)

        return draw

    train(base, SFT(of="all"), some(corpus, None), steps=600, lr=3e-3, seed=seed)
    ref, ask = frozen(base), torch.full((400, 1), 8)

    def seen(policy: WindowLM) -> tuple[float, float]:
        texts = sample(policy, ask, room=2 * ROOM, rng=torch.Generator().manual_seed(seed))
        good, words = (texts.responses < 5) & (texts.responses > 1), texts.responses > 1
        return float(good.sum() / words.sum()), float(words.sum(1).float().mean())

    before = seen(base)[1]
    figures: dict[str, float] = {"length_before": before}
    objectives = {"dpo": DPO(beta=0.1), "no_reference": CPO(beta=0.1, alpha=0.0), "simpo": SimPO(beta=2.0, gamma=0.5)}
    for name, objective in objectives.items():
        policy = copy.deepcopy(base)
        path = [seen(policy)]

        def there(now: WindowLM, path: list[tuple[float, float]] = path) -> bool:
            path.append(seen(now))
            return path[-1][0] >= GOAL

        taken = train(policy, objective, some(data, ref), steps=STEPS, lr=LR, seed=seed, every=EVERY, until=there)
        (share, length), (last_share, last_length) = path[-1], path[-2]
        if share >= GOAL:
            length = last_length + (GOAL - last_share) / (share - last_share) * (length - last_length)
        figures[f"{name}_quality"], figures[f"{name}_growth"] = min(share, GOAL), length / before - 1
        figures[f"{name}_steps"] = float(taken)
        with torch.no_grad():
            batch = ragged(policy, fresh)
            for kind, pool in {"mean": batch.response_mean, "sum": batch.response_sum}.items():
                win, lose = batch.sides(pool(batch.logps))
                figures[f"{name}_{kind}_agrees"] = float((win > lose).float().mean())
    figures["saved"] = figures["dpo_growth"] - figures["simpo_growth"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    if summary.low["saved"] <= 0:
        return "not reproduced"
    return "reproduced" if summary.mean["simpo_growth"] < 0.1 else "partly"


CLAIM = Claim(
    id="M160",
    paper="AlpacaEval 2 (length-controlled) up to 6.4 points above DPO, responses no longer",
    measures="growth in length when 75 % of the words are good, DPO less SimPO (share of the length before)",
    headline="saved",
    run=run,
    verdict=verdict,
    rule="reproduced: saved > 0 with its interval and SimPO's growth < 10 % on average; partly: the first alone",
    notes="length is planted: preferred sides are 1.5 times as long. Every one of these losses can read that from the "
    "end token, whose log-probability counts in the mean as in the sum",
)
