"""Suboptimal, on-policy data (M115): on-policy sampling and negative gradients matter where the reward's peak is
unlikely under the reference, and hardly where it is not (paper: bandits and language models, in curves).

In miniature: the geometry bandit, 100 actions, 25 shared features, reference around 20, peaks at 20, 45 and 70 (width
10); 400 Adam updates at 0.05 on batches of 20 samples, β = 0.1 (REINFORCE without pull: 0.001). Offline: 200 reference
samples. Figures: exact expected reward at the end of Pref-FT and DPO offline, and of best-of-5 likelihood, REINFORCE
and DPO on-policy.

Reproduced where, with 95 % intervals over seeds, (1) peak 20: every method has at least 0.7; (2) peak 45: offline DPO
exceeds Pref-FT by more than 0.2 (the negative gradient), and the worst on-policy method exceeds offline DPO by more
than 0.2; (3) peak 70: offline methods stay below 0.1, on-policy ones above 0.9. Partly where (1) and (3) hold and both
differences of (2) are above zero.
"""

from __future__ import annotations

from collections.abc import Mapping

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

PEAKS = (20, 45, 70)


def run(seed: int) -> Mapping[str, float]:
    """Figures of one seed."""
    import torch

    from zermelo.evaluation.method_study import MethodStudy
    from zermelo.worlds.bandits import GeometryBandit

    torch.set_num_threads(1)
    studies = {
        "pref_ft_offline": MethodStudy("pref_ft"),
        "dpo_offline": MethodStudy("dpo"),
        "best_of_n": MethodStudy("best_of_n", on_policy=True),
        "reinforce": MethodStudy("reinforce", on_policy=True, beta=0.001),
        "dpo_on_policy": MethodStudy("dpo", on_policy=True),
    }
    figures: dict[str, float] = {}
    for peak in PEAKS:
        bandit = GeometryBandit(peak=peak)
        for name, study in studies.items():
            figures[f"{name}_{peak}"] = float(study.run(bandit, seed=seed).reward[-1])
        offline = [figures[f"{name}_{peak}"] for name in ("pref_ft_offline", "dpo_offline")]
        online = [figures[f"{name}_{peak}"] for name in ("best_of_n", "reinforce", "dpo_on_policy")]
        figures[f"worst_{peak}"] = min(offline + online)
        figures[f"best_offline_{peak}"] = max(offline)
        figures[f"worst_on_policy_{peak}"] = min(online)
    figures["negative_gradient"] = figures["dpo_offline_45"] - figures["pref_ft_offline_45"]
    figures["on_policy"] = figures["worst_on_policy_45"] - figures["dpo_offline_45"]
    return figures


def verdict(summary: Summary) -> Verdict:
    """The rule of the module's docstring."""
    low, high = summary.low, summary.high
    ends = low["worst_20"] >= 0.7 and high["best_offline_70"] < 0.1 and low["worst_on_policy_70"] > 0.9
    if ends and low["negative_gradient"] > 0.2 and low["on_policy"] > 0.2:
        return "reproduced"
    return "partly" if ends and low["negative_gradient"] > 0 and low["on_policy"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M115",
    paper="on-policy samples and negative gradients help where the peak of the reward is unlikely under the reference",
    measures="expected reward at peak 45, the worst on-policy method less offline DPO",
    headline="on_policy",
    run=run,
    verdict=verdict,
    rule="reproduced: both differences at peak 45 > 0.2, all ≥ 0.7 at 20, offline < 0.1 and on-policy > 0.9 at 70",
    seeds=(101, 102, 103, 104, 105, 106, 107, 108),
    notes="equal numbers of updates; on-policy methods draw 8,000 samples, offline ones reuse 200",
)
