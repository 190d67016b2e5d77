"""Ranking accuracy (M026): tuned models rank "< 60 %" of preferences rightly where a perfect optimum of their objective
would reach 97–99 %; at the best validation loss "less than 10 %" of the pairs that the reference has the wrong way
round have flipped, while the implicit reward looks accurate; difficulty is the reference's own gap.

In miniature: the filler world with 200 prompts and texts of 4–27 tokens; the preferred side always has the right
answer and is the longer one in half of the pairs, so that the reference, which imitated both sides, ranks by length.
DPO (β = 0.1, 1,500 pairs, five epochs of Adam 1e-3, 32 pairs a step) ends at the best loss on 500 validation pairs,
looked at every 5 steps. On 1,500 fresh pairs: accuracy of the policy, of its implicit reward and of the idealised
optimum, the share of wrongly ranked pairs that flipped, and how well the difficulty c = log π_ref(y_l) − log π_ref(y_w)
tells the pairs that stay wrong from those that flip (area under the ROC curve).

Reproduced where all hold with their intervals: at most 0.15 of the wrong pairs flip; the idealised accuracy is 0.15
above the policy's; the implicit reward's accuracy is 0.05 above the policy's; the area is above 0.8. Partly where the
first two hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

BETA, RIGHT, PROMPTS, LONGEST, TRAIN, VALID, TEST, STEPS, EVERY = 0.1, 1.0, 200, 25, 1500, 500, 1500, 235, 5


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import numpy as np
    import torch
    from sklearn.metrics import roc_auc_score

    from zermelo.claims.benches import TinyPolicy, filler_pairs, fit, imitate, mean_loss, sequence_batch
    from zermelo.objectives import DPO
    from zermelo.objectives.diagnostics import difficulty, idealised_margin, ranking_accuracy

    torch.set_num_threads(1)
    train, valid, test = (
        filler_pairs(n, seed=10 * seed + part, right=RIGHT, longer=0.5, prompts=PROMPTS, longest=LONGEST)
        for part, n in enumerate((TRAIN, VALID, TEST))
    )
    start = imitate(TinyPolicy(16, PROMPTS, LONGEST + 2, seed=seed), train, steps=400, lr=1e-2, seed=seed)
    objective = DPO(beta=BETA)
    with torch.no_grad():
        ref_valid = start.logps(valid)
    best: list[object] = [float("inf"), start, 0]

    def watch(step: int, policy: TinyPolicy) -> bool:
        if step % EVERY == 0:
            with torch.no_grad():
                batch = sequence_batch(policy, valid, ref_valid)
                loss = float(mean_loss(objective(batch), batch))
            if loss < best[0]:  # type: ignore[operator]
                best[:] = [loss, policy.copy(), step]
        return True

    fit(start, objective, train, steps=STEPS, lr=1e-3, size=32, seed=seed, watch=watch)
    policy = best[1]
    assert isinstance(policy, TinyPolicy)
    with torch.no_grad():
        win, lose = policy.sums(test).double().reshape(-1, 2).unbind(1)
        ref_win, ref_lose = start.sums(test).double().reshape(-1, 2).unbind(1)
    length_win, length_lose = test.lengths.reshape(-1, 2).unbind(1)
    found = ranking_accuracy(
        win, lose, ref_win, ref_lose, length_chosen=length_win, length_rejected=length_lose, beta=BETA, votes=RIGHT
    )
    ideals = [
        float((idealised_margin(ref_win, ref_lose, votes=RIGHT, beta=beta) > 0).double().mean())
        for beta in (0.01, 0.1, 1, 5, 10)
    ]
    wrong = ref_win < ref_lose
    stays = (win < lose)[wrong].numpy()
    hard = difficulty(ref_win, ref_lose)[wrong].numpy()
    return {
        "policy": found.policy,
        "normalised": found.normalised,
        "reference": found.reference,
        "reward": found.reward,
        "idealised": found.idealised,
        "idealised_median": float(np.median(ideals)),
        "gap": found.gap,
        "reward_lead": found.reward - found.policy,
        "flipped": found.flipped,
        "area": float(roc_auc_score(stays, hard)) if 0 < stays.sum() < len(stays) else 0.5,
        "stopped_at": float(best[2]),  # type: ignore[arg-type]
    }


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low, high = summary.low, summary.high
    if high["flipped"] > 0.15 or low["gap"] <= 0.15:
        return "not reproduced"
    return "reproduced" if low["reward_lead"] > 0.05 and low["area"] > 0.8 else "partly"


CLAIM = Claim(
    id="M026",
    paper="Zephyr-7B-DPO 42 %, Tulu-2-DPO-7B 42 %, idealised 97–99 %; < 10 % of wrong pairs flip",
    measures="share of the pairs which the reference ranks wrongly that DPO has flipped at the best validation loss",
    headline="flipped",
    run=run,
    verdict=verdict,
    rule="reproduced: flips ≤ 0.15, gap > 0.15, reward accuracy 0.05 above the policy's, area > 0.8, each with its "
    "interval; partly: flips and gap",
    notes="a next-token model of one hidden layer; a matter of how long one trains, not of the loss: after 2.5 times "
    "the steps 0.2 of the wrong pairs had flipped, after 12 times nearly all (seeds 1, 2), as the pairs bear no noise",
)
