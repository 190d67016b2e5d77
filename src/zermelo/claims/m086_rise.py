"""RISE (M086): "error-injected self-editing … improves by 3.0 % on GSM8K and 7.9 % on MATH" over the base model, and
beats pairs of sampled solutions alone.

In miniature: the arithmetic world and its tiny policy, which copied the habits of careless writers. From five samples
for each of 500 prompts we make (i) sampled pairs alone and (ii) sampled pairs and one self-edited step pair per prompt
(the world's own subtle slips, each verified to be wrong), and train DPO on either for the same number of steps and
pairs, the released 8 epochs of the larger set. On 600 held-out prompts, sampled at temperature 1: accuracy, and the
share of steps that slip.

Reproduced where the accuracy of (ii) less that of (i) has an interval above zero over seeds; partly where its mean is
above zero, or where the slips that (ii) avoids have an interval above zero.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zermelo.claims.protocol import Claim, Summary, Verdict
from zermelo.feedback.records import Group
from zermelo.worlds.arithmetic import Arithmetic

if TYPE_CHECKING:
    from zermelo.policies.policy import Policy

__all__ = ["CLAIM"]

N_TRAIN, N_SAMPLES, N_TEST, STEPS, PAIRS = 500, 5, 600, 160, 32
SLIPS = ("wrong_digit", "lost_carry", "dropped_sign", "swapped_operands", "wrong_operator")
BETA, LR = 0.4, 5e-5


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed: accuracies and slip rates, by training set."""
    import torch

    from zermelo.objectives.pairwise import DPO
    from zermelo.policies.load import load
    from zermelo.synthesis.self_edit import LINES, Edit, pairs_to_groups, self_edit_pairs
    from zermelo.training import OfflineSettings, align
    from zermelo.worlds import folder
    from zermelo.worlds.slips import slip_step

    torch.set_num_threads(1)
    world = Arithmetic()

    def wrong(group: Group, prefix: str, step: str) -> bool:
        return world.check(group, prefix + step).first_slip is not None

    def edit(request: Edit, rng: random.Random) -> str | None:
        return slip_step(request.span, rng, kind=request.operator)

    base = load(folder(world.name))
    sampled = _sampled(base, world.prompts(N_TRAIN, seed=seed), seed, n=N_SAMPLES)
    judged = [group.with_judgements(world.verify(group)) for group in sampled]
    figures = _measured(base, world, seed, "base")
    sides = {"sampled": 0, "rise": 1}
    for name, step_pairs in sides.items():
        pairs = self_edit_pairs(
            judged,
            seed=seed,
            editor=edit,
            operators=lambda span: SLIPS,
            marker=LINES,
            wrong=wrong,
            step_pairs=step_pairs,
        )
        settings = OfflineSettings(lr=LR, epochs=20, max_steps=STEPS, pairs_per_step=PAIRS, seed=seed, checks=False)
        trained = align(base, pairs_to_groups(pairs), DPO(beta=BETA), settings=settings)
        figures |= _measured(trained.policy, world, seed, name)
        figures[f"{name}_pairs"] = float(len(pairs))
    figures["gain_over_sampled"] = figures["rise_accuracy"] - figures["sampled_accuracy"]
    figures["gain_over_base"] = figures["rise_accuracy"] - figures["base_accuracy"]
    figures["fewer_slips"] = figures["sampled_slips"] - figures["rise_slips"]
    return figures


def _sampled(policy: Policy, prompts: Sequence[Group], seed: int, *, n: int) -> list[Group]:
    from zermelo.policies.sampling import Sampling, TransformersSampler

    return TransformersSampler(policy, Sampling(max_tokens=96)).sample(prompts, n=n, seed=seed)


def _measured(policy: Policy, world: Arithmetic, seed: int, name: str) -> dict[str, float]:
    """Accuracy and share of slipped steps on held-out prompts, the same for every policy of a seed."""
    groups = _sampled(policy, world.prompts(N_TEST, seed=seed, split="test"), seed, n=1)
    found = [world.check(group, group.responses[0].content) for group in groups]
    verdicts = [verdict for check in found for verdict in check.verdicts]
    return {
        f"{name}_accuracy": sum(check.right for check in found) / len(found),
        f"{name}_slips": verdicts.count("slip") / max(len(verdicts), 1),
    }


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    if summary.low["gain_over_sampled"] > 0:
        return "reproduced"
    if summary.mean["gain_over_sampled"] > 0 or summary.low["fewer_slips"] > 0:
        return "partly"
    return "not reproduced"


CLAIM = Claim(
    id="M086",
    paper="+3.0 % GSM8K and +7.9 % MATH over Qwen2-7B-Instruct; better than sampled-pair DPO and Step-DPO",
    measures="accuracy with self-edited pairs less accuracy with sampled pairs alone, at equal steps (fraction)",
    headline="gain_over_sampled",
    run=run,
    verdict=verdict,
    seeds=(101, 102, 103),
    rule="reproduced: interval of the gain over sampled pairs > 0; partly: its mean > 0, or slips fewer for sure",
    notes=f"a policy of 0.87 M parameters; β = {BETA} as released, lr {LR:g}, {STEPS} steps of {PAIRS} pairs, which is "
    "the released 8 epochs of the larger set; after a quarter of the steps the order was the reverse on the seed used "
    "for tuning (1), and so it was with generic edits instead of the world's slips: three configurations were tried "
    "there, so the result is weak",
)
