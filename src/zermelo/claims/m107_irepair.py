"""IRepair (M107): repairing only the block most sensitive to the error, chosen anew at each step, removes 43.6 % more
toxicity than DPO at 46 % less loss of general quality, and does better than a block chosen once.

In miniature: a language model of six residual blocks is fitted to 3,000 texts of 10 words from a random first-order
chain; after two of eight kinds of prompt, half of the texts hold one of three toxic words. Repair data: 300 clean
texts after such prompts, and the same texts with the toxic word as the rejected side for DPO (β = 0.1). Arms: IRepair
(k = 1, λ = 1), all blocks (k = 6: ordinary fine-tuning of the blocks with the same KL), the block chosen first and
kept, all with Adam 3e-3 on 32 repair and 32 general texts a step; and DPO on all weights, 32 pairs, 1e-4. Each trains
until at most 2 % of 400 sampled texts after toxic prompts hold a toxic word (looked at every 5 steps, 400 at most).
Figures: perplexity of 500 fresh texts after the other prompts, over that before, less one.

Reproduced where IRepair's increase is at most 0.8 of that of all blocks and not above DPO's, with the intervals of the
differences; partly where one of them holds. If IRepair does not get to 2 % on every seed it is not reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

KINDS, TOXIC_KINDS, WORDS, LENGTH, BLOCKS, GOAL, LR, STEPS, EVERY = 8, 2, 15, 10, 6, 0.02, 3e-3, 400, 5
FIRST_WORD = 2
TOXIC = FIRST_WORD + WORDS  # three toxic words
PROMPT = TOXIC + 3


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import copy

    import numpy as np
    import torch

    from zermelo.claims.sequence_bench import Texts, WindowLM, frozen, ragged, sample, texts_of, train
    from zermelo.objectives import DPO, SFT, IRepair, RaggedBatch
    from zermelo.objectives.gradient_rules import block_norms

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    chain = rng.dirichlet(np.full(WORDS, 0.3), size=(KINDS, WORDS))

    def clean(kind: int) -> list[int]:
        words = [int(rng.integers(WORDS))]
        while len(words) < LENGTH:
            words.append(int(rng.choice(WORDS, p=chain[kind, words[-1]])))
        return [FIRST_WORD + word for word in words]

    def spoilt(text: list[int]) -> list[int]:
        place = int(rng.integers(LENGTH))
        return [*text[:place], TOXIC + int(rng.integers(3)), *text[place + 1 :]]

    def corpus(n: int, kinds: range, share: float = 0.0) -> Texts:
        chosen = rng.integers(kinds.start, kinds.stop, size=n).tolist()
        sides = [clean(kind) for kind in chosen]
        sides = [
            spoilt(t) if k < TOXIC_KINDS and rng.random() < share else t for k, t in zip(chosen, sides, strict=True)
        ]
        return texts_of([[PROMPT + kind] for kind in chosen], sides, room=LENGTH + 1)

    base = WindowLM(PROMPT + KINDS, window=LENGTH + 1, blocks=BLOCKS, seed=seed)
    known = corpus(3000, range(KINDS), 0.5)

    def read(policy: WindowLM, draws: torch.Generator) -> RaggedBatch:
        return ragged(policy, known.take(torch.randint(len(known), (64,), generator=draws)))

    train(base, SFT(of="all"), read, steps=800, lr=3e-3, seed=seed)
    ref = frozen(base)
    general, fresh = corpus(600, range(TOXIC_KINDS, KINDS)), corpus(500, range(TOXIC_KINDS, KINDS))
    asks = rng.integers(TOXIC_KINDS, size=300).tolist()
    right = [clean(kind) for kind in asks]
    prompts = [[PROMPT + kind] for kind in asks]
    good, bad = (texts_of(prompts, side, room=LENGTH + 1) for side in (right, [spoilt(text) for text in right]))
    toxic_asks = torch.tensor([[PROMPT + n % TOXIC_KINDS] for n in range(400)])

    def repair(policy: WindowLM, draws: torch.Generator) -> RaggedBatch:
        one, two = (torch.randint(len(of), (32,), generator=draws) for of in (good, general))
        both = Texts(torch.cat([good.tokens[one], general.tokens[two]]), 1)
        part = torch.tensor([1.0] * 32 + [0.0] * 32)
        return ragged(policy, both, group=torch.arange(64), ref=ref, kl=True, flags={"part": part})

    def pairs(policy: WindowLM, draws: torch.Generator) -> RaggedBatch:
        pick = torch.randint(len(good), (32,), generator=draws)
        both = torch.stack([good.tokens[pick], bad.tokens[pick]], 1).flatten(0, 1)
        return ragged(policy, Texts(both, 1), ref=ref)

    @torch.no_grad()
    def loss_on(policy: WindowLM, texts: Texts) -> float:
        return float(-ragged(policy, texts).logps.mean())

    def errors(policy: WindowLM) -> float:
        texts = sample(policy, toxic_asks, room=LENGTH + 1, rng=torch.Generator().manual_seed(seed))
        return float(((texts.responses >= TOXIC) & (texts.responses < PROMPT)).any(1).float().mean())

    loss = SFT(of="all")(ragged(base, good)).terms[0].each.mean()
    names, weights = zip(*base.named_parameters(), strict=True)
    norms = block_norms(dict(zip(names, torch.autograd.grad(loss, weights), strict=True)))
    first = max(norms, key=lambda block: norms[block])
    arms = {
        "irepair": (IRepair(lam=1.0, k=1), repair, LR),
        "all_blocks": (IRepair(lam=1.0, k=BLOCKS), repair, LR),
        "kept": (IRepair(lam=1.0, k=1, pattern=rf"\.blocks\.({first})\."), repair, LR),
        "dpo": (DPO(beta=0.1), pairs, LR / 30),
    }
    figures: dict[str, float] = {"errors_before": errors(base)}
    for name, (objective, draw, lr) in arms.items():
        policy = copy.deepcopy(base)
        taken = train(
            policy, objective, draw, steps=STEPS, lr=lr, seed=seed, every=EVERY, until=lambda now: errors(now) <= GOAL
        )
        figures[f"{name}_errors"], figures[f"{name}_steps"] = errors(policy), float(taken)
        figures[f"{name}_increase"] = float(np.expm1(loss_on(policy, fresh) - loss_on(base, fresh)))
    figures["over_all"] = figures["irepair_increase"] - 0.8 * figures["all_blocks_increase"]
    figures["over_dpo"] = figures["irepair_increase"] - figures["dpo_increase"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    if max(figures["irepair_errors"] for figures in summary.per_seed.values()) > GOAL:
        return "not reproduced"
    all_blocks, dpo = summary.high["over_all"] < 0, summary.high["over_dpo"] < 0
    if all_blocks and dpo:
        return "reproduced"
    return "partly" if all_blocks or dpo else "not reproduced"


CLAIM = Claim(
    id="M107",
    paper="43.6 % more toxicity removed than by DPO at 46 % less loss of general quality",
    measures="rise of general perplexity when 2 % errors are left, IRepair less DPO (share)",
    headline="over_dpo",
    run=run,
    verdict=verdict,
    rule="reproduced: IRepair − 0.8 × all blocks < 0 and IRepair − DPO < 0 with their intervals; partly: one of them",
    notes="on one seed IRepair left 4 % after 400 steps, so the rule says no, though its loss is below DPO's on all; "
    "`kept` is the block chosen once, by the repair loss at the start",
)
