"""MEET (M154): control modules trained first with the model frozen, then together with it, control quality better than
a special token trained with the model at once, or hand-written controls (HH-RLHF, summaries).

In miniature (`topic_world`): a tiny language model of 4,000 texts, 30 % on topic; 250 prompts with a good response (80
% on topic) and a bad one (10 %). A control is four tokens before the prompt for each label (`ControlEmbedding`). MEET:
100 steps of 32 on the controls alone, then 100 on everything; against a single special token trained with everything
for 200, four tokens so trained (`once`), and four controls alone for 200. Adam; rates are the best of 1e-2, 3e-2, 1e-1,
3e-1 for controls alone and 3e-4, 1e-3, 3e-3, 1e-2 with the model on seeds 1 and 2, each arm's own. Figure: worth of
1,000 samples asked for good ones, less that asked for bad ones.

Reproduced where MEET's gap is at least 0.05 above that of the single token and above controls alone, with the
intervals of the differences; partly where it is above the single token's with its interval.
"""

from __future__ import annotations

from collections.abc import Mapping

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

LENGTH = 4
FIRST, TOGETHER, ALONE, AT_ONCE = 1e-1, 1e-2, 3e-1, 1e-2


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import copy
    import random

    import torch
    from torch import Tensor

    from zermelo.claims.sequence_bench import PAD, Texts, WindowLM, sample, texts_of, train
    from zermelo.claims.topic_world import Topics, drawer
    from zermelo.objectives import MEET, SFT
    from zermelo.policies.control import ControlEmbedding

    torch.set_num_threads(1)
    rng, world = random.Random(seed), Topics()

    def behind(texts: Texts, lead: list[int] | None = None) -> Texts:
        """The texts behind a lead of four tokens, padding where there is none."""
        first = torch.tensor([lead or [PAD] * LENGTH] * len(texts))
        return Texts(torch.cat([first, texts.tokens], 1), LENGTH + texts.prompt)

    base = WindowLM(world.vocab, window=6, pinned=LENGTH + 3, hidden=64, seed=seed)
    corpus = behind(world.corpus(4000, 0.3, rng))
    train(base, SFT(of="all"), drawer(corpus, 64), steps=500, lr=3e-3, seed=seed)
    asks = [world.prompt(rng) for _ in range(250)]
    sides = {label: [world.written(ask, share, rng) for ask in asks] for label, share in (("good", 0.8), ("bad", 0.1))}
    tests = world.corpus(1000, 0.0, rng).tokens[:, :3]
    rows = torch.randint(2, world.vocab, (2 * LENGTH,), generator=torch.Generator().manual_seed(seed))

    def lead(label: str, single: bool) -> list[int]:
        start = world.vocab + LENGTH * (label == "bad")
        return [start, *[PAD] * (LENGTH - 1)] if single else list(range(start, start + LENGTH))

    def gap(stages: list[tuple[str, int, float]], single: bool) -> tuple[float, float]:
        policy = copy.deepcopy(base)
        policy.embed = ControlEmbedding(base.embed, world.vocab, base.embed.weight[rows])  # type: ignore[assignment]
        policy = copy.deepcopy(policy)
        told = [behind(texts_of(asks, sides[label], room=world.room), lead(label, single)) for label in sides]
        data = Texts(torch.cat([texts.tokens for texts in told]), told[0].prompt)
        for stage, steps, lr in stages:
            objective = MEET(stage="control" if stage == "control" else "both")
            train(policy, objective, drawer(data, 32), steps=steps, lr=lr, seed=seed)

        def worth(label: str) -> float:
            asked: Tensor = torch.cat([torch.tensor([lead(label, single)] * len(tests)), tests], 1)
            drawn = sample(policy, asked, room=world.room, rng=torch.Generator().manual_seed(seed))
            return float(world.worth(Texts(drawn.tokens[:, LENGTH:], 3)).mean())

        good = worth("good")
        return good - worth("bad"), good

    arms = {
        "meet": gap([("control", 100, FIRST), ("both", 100, TOGETHER)], False),
        "alone": gap([("control", 200, ALONE)], False),
        "once": gap([("both", 200, AT_ONCE)], False),
        "token": gap([("both", 200, AT_ONCE)], True),
    }
    figures: dict[str, float] = {}
    for name, (difference, good) in arms.items():
        figures |= {f"{name}_gap": difference, f"{name}_good": good}
    figures["over_token"] = figures["meet_gap"] - figures["token_gap"]
    figures["over_alone"] = figures["meet_gap"] - figures["alone_gap"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    if summary.low["over_token"] >= 0.05 and summary.low["over_alone"] > 0:
        return "reproduced"
    return "partly" if summary.low["over_token"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M154",
    paper="control better than by special tokens, written controls and DPO on HH-RLHF and summaries",
    measures="worth asked for good less that asked for bad, MEET less a single special token (share of words on topic)",
    headline="over_token",
    run=run,
    verdict=verdict,
    rule="reproduced: MEET − token ≥ 0.05 and MEET − controls alone > 0 with their intervals; partly: MEET − token > 0",
    notes="`once` has MEET's four tokens without its first stage: what the two stages add",
)
