"""M105 · Quantifying variance in evaluation benchmarks: continuous metrics are steadier than discrete ones.

The paper: over ten seeds of one pre-training run, continuous metrics have a higher ratio of signal to noise and grow
more monotonically than accuracy; item analysis and item response theory barely help, and small selected subsets raise
the seed variance.

Here: eight seeds (initialisation and data order) of a small network that learns to add two numbers below 25 from half
of the pairs, twelve checkpoints, 200 four-choice items of unseen pairs with near misses as distractors. Accuracy
against the probability of the right choice renormalised over the choices: signal to noise over seeds (mean over the
second half of the checkpoints) and Kendall's τ with time; then 30 items with the highest discrimination (chosen on four
seeds, measured on the others) and 30 random ones against all 200. Beside it real data: MATH500 outcomes of five
reinforcement learning runs, items chosen by discrimination on the other four runs: jitter between neighbouring
checkpoints of a subset of 100 items, chosen over random.

Rule, written before the verdict's seeds: reproduced where SNR(probability) is at least 1.5 × SNR(accuracy) and
τ(probability) at least τ(accuracy) + 0.1 (interval ends), and the chosen 30 items have at least 1.3 × the seed spread
of all items; partly where SNR and τ are both higher with their whole intervals; else not reproduced. What choosing does
against random subsets (30 items; real data) is reported beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zermelo.claims.protocol import Claim, Summary, Verdict
from zermelo.claims.runner import shared_data
from zermelo.evaluation.variance import item_analysis, monotonicity, seed_report

__all__ = ["CLAIM"]

TOP, HIDDEN, SEEDS, CHECKPOINTS, STEPS = 25, 48, 8, 12, 150


def network(rng: np.random.Generator, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Log-probabilities of all sums for the test pairs, at every checkpoint of every seed. [S, C, I, 2·TOP − 1]"""
    classes = 2 * TOP - 1
    shapes = ((2 * TOP, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, classes))
    weights = [rng.normal(0, 1 / np.sqrt(shape[0]), (SEEDS, *shape)) for shape in shapes]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    label = train.sum(axis=1)
    found = []
    for step in range(1, CHECKPOINTS * STEPS + 1):
        rows = rng.integers(0, len(train), (SEEDS, 32))  # each seed its own order
        hidden, logits = _forward(weights, train[rows])
        p = np.exp(logits - logits.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        d = p - np.eye(classes)[label[rows]]
        back = [hidden[1].transpose(0, 2, 1) @ d]
        d = (d @ weights[2].transpose(0, 2, 1)) * (hidden[1] > 0)
        back.append(hidden[0].transpose(0, 2, 1) @ d)
        d = (d @ weights[1].transpose(0, 2, 1)) * (hidden[0] > 0)
        back.append(_inputs(train[rows]).transpose(0, 2, 1) @ d)
        for k, g in enumerate(reversed(back)):
            g = g / 32
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.99 * second[k] + 0.01 * g * g
            scale = np.sqrt(second[k] / (1 - 0.99**step)) + 1e-8
            weights[k] = weights[k] - 2e-3 * first[k] / (1 - 0.9**step) / scale
        if step % STEPS == 0:
            _, logits = _forward(weights, np.broadcast_to(test, (SEEDS, *test.shape)))
            top = logits.max(-1, keepdims=True)
            found.append(logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True)))
    return np.stack(found, axis=1)


def _forward(weights: list[np.ndarray], pairs: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Both hidden layers and the logits of pairs [S, B, 2]."""
    one = np.maximum(_inputs(pairs) @ weights[0], 0)
    two = np.maximum(one @ weights[1], 0)
    return (one, two), two @ weights[2]


def _inputs(pairs: np.ndarray) -> np.ndarray:
    """Thermometer code of both numbers, so that unseen pairs can be got right. [..., 2] → [..., 2·TOP]"""
    return (pairs[..., None] > np.arange(TOP)).reshape(*pairs.shape[:-1], 2 * TOP).astype(float)


def trained(seed: int) -> Mapping[str, float]:
    """Figures of the small networks."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(np.stack(np.divmod(np.arange(TOP * TOP), TOP), axis=1))
    train, test = pairs[: len(pairs) // 2], pairs[-200:]
    log_p = network(rng, train, test)
    right = test.sum(axis=1)
    near = rng.permuted(np.tile([-3, -2, -1, 1, 2, 3], (200, 1)), axis=1)[:, :3]
    choices = np.concatenate([right[:, None], (right[:, None] + near) % (2 * TOP - 1)], axis=1)
    own = np.take_along_axis(log_p, np.broadcast_to(choices, (*log_p.shape[:2], *choices.shape)), axis=-1)
    correct = (own.argmax(axis=-1) == 0).astype(float)  # [S, C, I]
    p = np.exp(own[..., 0] - own.max(-1)) / np.exp(own - own.max(-1, keepdims=True)).sum(-1)
    half = range(CHECKPOINTS // 2, CHECKPOINTS)

    def snr(scores: np.ndarray) -> float:
        return float(np.mean([seed_report(scores[:, c]).snr for c in half]))

    accuracy, probability = correct.mean(-1), p.mean(-1)
    spread = []
    for chosen_on, measured_on in ((slice(0, 4), slice(4, 8)), (slice(4, 8), slice(0, 4))):
        good = np.nan_to_num(item_analysis(correct[chosen_on].reshape(-1, 200)).discrimination_rest, nan=-1.0)
        sets = {"all": np.arange(200), "chosen": np.argsort(-good)[:30]}
        parts = {name: _sd(correct[measured_on][..., items], half) for name, items in sets.items()}
        drawn_sd = [_sd(correct[measured_on][..., rng.permutation(200)[:30]], half) for _ in range(20)]
        parts["random"] = float(np.mean(drawn_sd))
        spread.append([parts["chosen"] / parts["all"], parts["random"] / parts["all"]])
    chosen, drawn = np.mean(spread, axis=0)
    return {
        "snr_accuracy": snr(accuracy),
        "snr_probability": snr(probability),
        "snr_ratio": snr(probability) / snr(accuracy),
        "tau_accuracy": float(np.mean([monotonicity(row) for row in accuracy])),
        "tau_probability": float(np.mean([monotonicity(row) for row in probability])),
        "accuracy_at_the_end": float(accuracy[:, -1].mean()),
        "spread_chosen_30": float(chosen),
        "spread_random_30": float(drawn),
        "spread_chosen_over_random": float(chosen / drawn),
    }


def _sd(correct: np.ndarray, checkpoints: range) -> float:
    """Seed standard deviation of the mean score, mean over checkpoints."""
    return float(np.mean([seed_report(correct[:, c].mean(-1)).sd for c in checkpoints]))


def real(seed: int) -> Mapping[str, float]:
    """MATH500 along reinforcement learning: jitter of checkpoints from step 20 on, 100 items chosen against random."""
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data("rl_checkpoints") / "outcomes.parquet").to_pandas()
    table = table[table.dataset == "MATH500"].pivot_table(index=["run", "step"], columns="item", values="correct")
    runs = {name: part.droplevel(0).sort_index().to_numpy(dtype=float) for name, part in table.groupby(level="run")}
    rng = np.random.default_rng(seed)
    ratio, chosen_tau, drawn_tau = [], [], []
    for name, y in runs.items():
        others = np.concatenate([other for key, other in runs.items() if key != name])
        good = np.nan_to_num(item_analysis(others).discrimination_rest, nan=-1.0)
        top = np.argsort(-good)[:100]
        drawn = [rng.permutation(y.shape[1])[:100] for _ in range(50)]
        ratio.append(_jitter(y[:, top]) / np.mean([_jitter(y[:, items]) for items in drawn]))
        chosen_tau.append(monotonicity(y[:, top].mean(axis=1)))
        drawn_tau.append(np.mean([monotonicity(y[:, items].mean(axis=1)) for items in drawn]))
    return {
        "math500_jitter_chosen_over_random": float(np.mean(ratio)),
        "math500_tau_chosen": float(np.mean(chosen_tau)),
        "math500_tau_random": float(np.mean(drawn_tau)),
    }


def _jitter(y: np.ndarray) -> float:
    """Standard deviation of the change between neighbouring checkpoints from the fifth on, over √2."""
    return float(np.diff(y[4:].mean(axis=1)).std(ddof=1) / np.sqrt(2))


def run(seed: int) -> Mapping[str, float]:
    """Networks and real data."""
    found = dict(trained(seed))
    found["tau_gain"] = found["tau_probability"] - found["tau_accuracy"]
    return {**found, **real(seed)}


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    low = summary.low
    if low["snr_ratio"] >= 1.5 and low["tau_gain"] >= 0.1 and summary.mean["spread_chosen_30"] >= 1.3:
        return "reproduced"
    return "partly" if low["snr_ratio"] > 1 and low["tau_gain"] > 0 else "not reproduced"


CLAIM = Claim(
    id="M105",
    paper="continuous metrics have higher signal to noise and grow more monotonically; chosen items barely help",
    measures="signal to noise over seeds, probability of the right choice / accuracy",
    headline="snr_ratio",
    run=run,
    verdict=verdict,
    rule="SNR ratio ≥ 1.5 and τ higher by ≥ 0.1 (interval ends), 30 chosen items with ≥ 1.3 × the seed spread",
    data="rl_checkpoints",
)
