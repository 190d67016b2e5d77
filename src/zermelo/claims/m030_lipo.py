"""LiPO (M030): LiPO-λ beats DPO on best–worst pairs and on all pairs of a list, and gains with the length of the list
(TL;DR and Anthropic-HH win rates).

In miniature: prompts of 8 responses with 6 features and a non-linear reward; the label ψ of a response is its share of
wins against the list under a Bradley–Terry judge of slope 2, times 4 (gains 2^ψ). A policy linear in the features, so
that it cannot fit everything, starts uniform and takes 150 full-batch Adam steps (0.05) of each objective at β = 1 on
60 prompts. On 500 fresh prompts: NDCG at 8 of its implicit reward and the true reward of its top response. Objectives:
DPO on the best and the worst, all ordered pairs, ListMLE, softmax cross-entropy, LiPO-λ; λ besides on lists of 2 (the
first two responses).

Reproduced where the NDCG of λ is above that of best–worst and of all pairs, and lists of 8 above lists of 2, all with
their intervals; partly where λ is above best–worst and 8 above 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

TRAIN, FRESH, K, FEATURES, HIDDEN, SLOPE, STEPS, LR = 60, 500, 8, 6, 6, 2.0, 150, 0.05


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import torch
    from sklearn.metrics import ndcg_score

    from zermelo.claims.benches import list_batch, mean_loss, pair_batch
    from zermelo.objectives import DPO, LambdaLoss, ListMLE, ListwiseLogistic, SoftmaxRank

    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(seed)
    mix, out = torch.randn(FEATURES, HIDDEN, generator=rng), torch.randn(HIDDEN, generator=rng)
    phi = torch.randn(TRAIN + FRESH, K, FEATURES, generator=rng)
    reward = torch.tanh(phi @ mix) @ out
    reward = (reward - reward.mean()) / reward.std()
    label = 4 * torch.sigmoid(SLOPE * (reward.unsqueeze(-1) - reward.unsqueeze(-2))).mean(-1)  # [X, K], in [0, 4]

    def trained(objective: Any, size: int = K, *, ends: bool = False) -> torch.Tensor:
        x, psi = phi[:TRAIN, :size], label[:TRAIN, :size]
        sides = torch.stack([psi.argmax(1), psi.argmin(1)], 1)
        flat = torch.full((TRAIN, size), 1 / size).log()
        theta = torch.zeros(FEATURES, requires_grad=True)
        optimiser = torch.optim.Adam([theta], lr=LR)
        for _ in range(STEPS):
            log_p = (x @ theta).log_softmax(-1)
            batch = pair_batch(log_p.gather(1, sides), flat[:, :2]) if ends else list_batch(log_p, flat, psi)
            optimiser.zero_grad()
            mean_loss(objective(batch), batch).backward()
            optimiser.step()
        return theta.detach()

    arms = {
        "best_worst": trained(DPO(beta=1.0), ends=True),
        "all_pairs": trained(ListwiseLogistic(beta=1.0)),
        "list_mle": trained(ListMLE(beta=1.0)),
        "softmax": trained(SoftmaxRank(beta=1.0)),
        "lipo": trained(LambdaLoss(beta=1.0)),
        "lipo_2": trained(LambdaLoss(beta=1.0), 2),
    }
    figures: dict[str, float] = {}
    gain = torch.exp2(label[TRAIN:]) - 1
    for name, theta in arms.items():
        score = phi[TRAIN:] @ theta
        figures[f"{name}_ndcg"] = float(ndcg_score(gain.numpy(), score.numpy()))
        figures[f"{name}_top"] = float(reward[TRAIN:].gather(1, score.argmax(1, keepdim=True)).mean())
    figures["over_best_worst"] = figures["lipo_ndcg"] - figures["best_worst_ndcg"]
    figures["over_all_pairs"] = figures["lipo_ndcg"] - figures["all_pairs_ndcg"]
    figures["over_lists_of_2"] = figures["lipo_ndcg"] - figures["lipo_2_ndcg"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low = summary.low
    if min(low["over_best_worst"], low["over_lists_of_2"]) <= 0:
        return "not reproduced"
    return "reproduced" if low["over_all_pairs"] > 0 else "partly"


CLAIM = Claim(
    id="M030",
    paper="LiPO-λ above DPO (best–worst and all pairs) and SLiC on TL;DR and Anthropic-HH; more with longer lists",
    measures="NDCG at 8 of the implicit reward on fresh lists, LiPO-λ less DPO on all ordered pairs",
    headline="over_all_pairs",
    run=run,
    verdict=verdict,
    rule="reproduced: λ above best–worst, all pairs and lists of 2, with intervals; partly: all but all pairs",
    seeds=tuple(range(101, 121)),
    notes="a linear policy over features and a reward that is not linear; labels are exact win shares",
)
