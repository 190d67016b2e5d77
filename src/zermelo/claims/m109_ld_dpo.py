"""LD-DPO (M109): counting the excess of the longer side less makes answers "10–40 % shorter than DPO" with better
scores; the best α depends on the model.

In miniature: the filler world, texts of 4–27 tokens; the preferred side is right in 90 % of 1,500 pairs and longer in
75 %. A tiny policy imitates both sides; then 100 Adam steps (1e-3, 32 pairs, β = 0.1) of DPO, and of LD-DPO at
α = 0.5, 0.05 (found on seeds 1–3, as the paper tunes it) and 0, end tokens counted as excess. Figures: mean sampled
length (2,000 texts) and the exact probability of the right answer, the mean over prompts.

Reproduced where, with their intervals, α = 0.05 is at least 10 % shorter than DPO and its accuracy not lower, and the
mean lengths fall with α throughout; partly where α = 0.5 is shorter with its interval and its accuracy not lower.
"""

from __future__ import annotations

from collections.abc import Mapping

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

LONGEST, PAIRS, STEPS, LR, BETA = 25, 1500, 100, 1e-3, 0.1
ALPHAS = {"ld_050": 0.5, "ld_005": 0.05, "ld_000": 0.0}


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import torch

    from zermelo.claims.benches import TinyPolicy, accuracy, filler_pairs, fit, imitate
    from zermelo.objectives import DPO, LDDPO

    torch.set_num_threads(1)
    pairs = filler_pairs(PAIRS, seed=10 * seed, longest=LONGEST)
    start = imitate(TinyPolicy(16, 10, 3 * LONGEST, seed=seed), pairs, steps=400, lr=1e-2, seed=seed)
    arms: dict[str, DPO | LDDPO | None] = {"start": None, "dpo": DPO(beta=BETA)}
    arms |= {name: LDDPO(DPO(beta=BETA), alpha=alpha) for name, alpha in ALPHAS.items()}
    figures: dict[str, float] = {}
    for name, objective in arms.items():
        policy = start if objective is None else fit(start, objective, pairs, steps=STEPS, lr=LR, size=32, seed=seed)
        figures[f"{name}_length"] = float(
            policy.sample(torch.arange(10).repeat(200), seed=seed).lengths.double().mean()
        )
        figures[f"{name}_accuracy"] = accuracy(policy)
    for name in ALPHAS:
        figures[f"{name}_shorter"] = 1 - figures[f"{name}_length"] / figures["dpo_length"]
        figures[f"{name}_better"] = figures[f"{name}_accuracy"] - figures["dpo_accuracy"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low, mean = summary.low, summary.mean
    order = mean["ld_000_length"] < mean["ld_005_length"] < mean["ld_050_length"] < mean["dpo_length"]
    if order and low["ld_005_shorter"] >= 0.1 and low["ld_005_better"] >= 0:
        return "reproduced"
    return "partly" if low["ld_050_shorter"] > 0 and low["ld_050_better"] >= 0 else "not reproduced"


CLAIM = Claim(
    id="M109",
    paper="10–40 % shorter than DPO with higher MT-Bench and AlpacaEval 2 scores (Llama2-13B, Llama3-8B, Qwen2-7B)",
    measures="share by which texts sampled after LD-DPO at α = 0.05 are shorter than after DPO",
    headline="ld_005_shorter",
    run=run,
    verdict=verdict,
    rule="reproduced: ≥ 10 % shorter at no lower accuracy, with intervals, lengths falling with α; partly: α = 0.5 "
    "shorter at no lower accuracy",
    seeds=(101, 102, 103, 104, 105, 106, 107, 108),
    notes="here length is what 75 % of the pairs prefer, and hardly anything but the end token decides it: α has to be "
    "small to act, and at 0 texts are shorter than before training",
)
