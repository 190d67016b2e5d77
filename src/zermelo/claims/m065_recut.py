"""ReCUT (M065): two specialists from stepwise trials, one for accuracy and one for length, merged, cut reasoning by
30–50 % at equal or better accuracy.

In miniature (`chain_world`): a tiny language model of 4,000 worked sums, terse and verbose, with slips; prompts ask for
long, short or free work. `stepwise_trials` on 300 prompts of its own samples (long and short mode), `length_pair` and
`accuracy_pair` of each, two DPO models (β = 0.1, 60 steps of 32, as free work, Adam at the best of 5e-5, 1e-4 …
1e-3 on seeds 1 and 2), and their TIES merge (weights ½, density 1). Figures: accuracy and mean length of 2,000 samples
of free work.

Reproduced where the merged length is at most 0.7 of the base's and its accuracy less the base's above −0.01, with their
intervals; partly where the length is at most 0.85 and the accuracy above −0.03.
"""

from __future__ import annotations

from collections.abc import Mapping

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

PROBLEMS, STEPS, LR = 300, 60, 5e-5


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import copy
    import random

    import torch

    from zermelo.claims.chain_world import Chains, fitted
    from zermelo.claims.sequence_bench import WindowLM, frozen, sample, texts_of, train
    from zermelo.claims.topic_world import drawer
    from zermelo.objectives import DPO
    from zermelo.policies.merging import linear_merge, ties_merge
    from zermelo.synthesis.stepwise_trials import Mode, accuracy_pair, length_pair, stepwise_trials

    torch.set_num_threads(1)
    rng, world, draws = random.Random(seed), Chains(), torch.Generator().manual_seed(seed)
    base = fitted(world, rng, seed=seed)
    ref = frozen(base)

    sides: dict[str, tuple[list[list[int]], list[list[int]]]] = {"accuracy": ([], []), "length": ([], [])}
    for _ in range(PROBLEMS):
        ask = world.prompt(rng)

        def continued(accepted: str, mode: Mode, ask: list[int] = ask) -> str:
            begun = torch.tensor([[*world.asked(ask, mode), *world.tokens(accepted)]])
            left = world.room - len(begun[0]) + world.prompt_length
            return world.text(sample(base, begun, room=max(left, 1), rng=draws).responses[0].tolist())

        def good(text: str, ask: list[int] = ask) -> bool:
            return world.right(ask, world.tokens(text))

        trials = stepwise_trials(continued, good)
        for name, pair in {"accuracy": accuracy_pair(trials, rng), "length": length_pair(trials, rng)}.items():
            if pair:
                sides[name][0].extend([ask, ask])
                sides[name][1].extend(world.tokens(text) for text in pair)

    asks = torch.tensor([world.prompt(rng) for _ in range(2000)])
    figures: dict[str, float] = {}

    def seen(name: str, policy: WindowLM) -> None:
        right, length = world.score(sample(policy, asks, room=world.room, rng=torch.Generator().manual_seed(seed)))
        figures[f"{name}_right"], figures[f"{name}_length"] = float(right.mean()), float(length.mean())

    seen("base", base)
    weights = []
    for name, (prompts, responses) in sides.items():
        texts = texts_of(prompts, responses, room=world.room + 10)
        figures[f"{name}_pairs"] = len(texts) / 2
        policy = copy.deepcopy(base)
        train(policy, DPO(beta=0.1), drawer(texts, 32, ref=ref, each=2), steps=STEPS, lr=LR, seed=seed)
        seen(name, policy)
        weights.append(policy.state_dict())
    merged = copy.deepcopy(base)
    merged.load_state_dict(ties_merge(base.state_dict(), weights, weights=[0.5, 0.5], seed=seed))
    seen("merged", merged)
    merged.load_state_dict(linear_merge(weights[0], weights[1], share=0.5))
    seen("linear", merged)
    figures["length_ratio"] = figures["merged_length"] / figures["base_length"]
    figures["gain"] = figures["merged_right"] - figures["base_right"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    length, gain = summary.high["length_ratio"], summary.low["gain"]
    if length <= 0.7 and gain > -0.01:
        return "reproduced"
    return "partly" if length <= 0.85 and gain > -0.03 else "not reproduced"


CLAIM = Claim(
    id="M065",
    paper="reasoning 30–50 % shorter at equal or better accuracy",
    measures="length of the merged model's work over that of the base (ratio)",
    headline="length_ratio",
    run=run,
    verdict=verdict,
    rule="reproduced: length ≤ 0.7 and accuracy − base's > −0.01 with their intervals; partly: ≤ 0.85 and > −0.03",
    notes="here steps are needed: whoever leaves them out errs, so that shortening further costs accuracy",
)
