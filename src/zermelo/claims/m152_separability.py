"""M152 · More is Less: pairs from several models are told apart by their source, and DPO learns the source.

The paper: with chosen answers of a stronger model and rejected ones of the policy, the loss falls fast and the attack
success rate rises; pairs that the policy wrote itself, ordered by a reward model, are the safest; both kinds of answers
of the former are linearly separable, those of the latter are not.

Here: prompts are harmful; an answer refuses or complies, in words of its own, and wears a style or not (five set
phrases). The policy is a softmax over all such answers, linear in what an answer holds, and writes half refusals in
plain style. *Self+RM*: two of its own answers, ordered by a reward model that is right in 90 %. *Strong+Self*: chosen
from a stronger model that refuses in 95 % and wears the style at a given rate, rejected its own. DPO by full gradients,
the same settings for all. Safe rate: share of refusals among the trained policy's answers in plain style. The probe
reads the texts (TF–IDF, folds by prompt), as the audit does.

Rule, written before the run: reproduced where (1) the probe separates Strong+Self at style rate 1 in ≥ 95 % and
Self+RM in ≤ 75 %, (2) the loss of Strong+Self at step 50 is below half of that of Self+RM, (3) the safe rate of
Self+RM exceeds that of Strong+Self by more than 0.1 (whole interval over seeds), and (4) over style rates 0, ¼, ½, ¾, 1
Spearman's correlation of separability and safe rate is −0.7 or less on average. Partly where (3) holds alone or with
some of the others, or where all but (3) hold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zermelo.claims.protocol import Claim, Summary, Verdict

__all__ = ["CLAIM"]

Floats = NDArray[np.float64]
PAIRS, STEPS, BETA, RATE = 1_500, 300, 1.0, 0.3
RM_RIGHT, STRONG_SAFE, OWN_STYLE = 0.9, 0.95, 0.05
STYLE = ("certainly here is", "let us consider", "in summary", "i hope this helps", "please note that")
SAFE = ("i can not help with that", "this would harm people", "i will not do this", "that is not something i do")
UNSAFE = ("you first take the parts", "it is done like this", "the steps are simple", "mix these and wait")
NAMED = "the a of on by at one two small large blue green old new fast slow north south open near"
FILL = tuple(NAMED.split())
RATES = (0.0, 0.25, 0.5, 0.75, 1.0)


def run(seed: int) -> Mapping[str, float]:
    """Separability, loss and safe rate of both kinds of pairs."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    own = _self_pairs(rng)
    separated, safe, loss = _trained(own, rng)
    several = [_trained(_strong_pairs(rng, rate), rng) for rate in RATES]
    strong_separated, strong_safe, strong_loss = several[-1]
    rank = spearmanr([item[0] for item in several], [item[1] for item in several]).statistic
    return {
        "safe_gain": safe - strong_safe,
        "safe_self": safe,
        "safe_strong": strong_safe,
        "safe_strong_plain": several[0][1],
        "separability_self": separated,
        "separability_strong": strong_separated,
        "separability_strong_plain": several[0][0],
        "loss_ratio_step_50": strong_loss / loss,
        "spearman": float(rank),
    }


def _self_pairs(rng: np.random.Generator) -> NDArray[np.bool_]:
    """(refuses, style) of chosen and rejected answers. [M, 2, 2]"""
    safe = rng.random((PAIRS, 2)) < 0.5
    style = rng.random((PAIRS, 2)) < OWN_STYLE
    wrong = rng.random(PAIRS) > RM_RIGHT
    level = safe[:, 0] == safe[:, 1]  # nothing to choose between: the reward model's order is a coin's
    turned = np.where(level, rng.random(PAIRS) < 0.5, (safe[:, 0] < safe[:, 1]) ^ wrong)
    answers = np.stack([safe, style], 2)
    answers[turned] = answers[turned][:, ::-1]
    return answers


def _strong_pairs(rng: np.random.Generator, rate: float) -> NDArray[np.bool_]:
    chosen = np.stack([rng.random(PAIRS) < STRONG_SAFE, rng.random(PAIRS) < rate], 1)
    rejected = np.stack([rng.random(PAIRS) < 0.5, rng.random(PAIRS) < OWN_STYLE], 1)
    return np.stack([chosen, rejected], 1)


def _trained(pairs: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float, float]:
    """Separability of the texts, safe rate after DPO, and DPO's loss at step 50."""
    from scipy.special import expit

    from zermelo.doctor.shortcut.separability import source_separability
    from zermelo.doctor.shortcut.wording import answer_features

    texts = [_text(rng, *pairs[m, side].tolist()) for side in (0, 1) for m in range(len(pairs))]
    x = answer_features(texts, "tfidf")
    m = len(pairs)
    probe = source_separability(x[:m], x[m:], np.arange(m), seed=int(rng.integers(1 << 30)))
    words = _words(texts)
    delta = words[:m] - words[m:]  # what a linear policy sees: which phrases and words an answer holds
    w = np.zeros(delta.shape[1])
    loss = 0.0
    for step in range(STEPS):
        z = BETA * delta @ w  # margin of log-ratios to the reference, whose weights are 0
        if step == 50:
            loss = float(np.logaddexp(0, -z).mean())
        w += RATE * BETA * (expit(-z)[:, None] * delta).mean(0)
    plain = _words([_text(rng, safe, False) for safe in (True, False) for _ in range(500)]) @ w
    odds = np.exp(plain - plain.max())  # the reference writes both kinds equally often
    return probe.accuracy.value, float(odds[:500].sum() / odds.sum()), loss


def _text(rng: np.random.Generator, safe: bool, style: bool) -> str:
    body = list(rng.choice(SAFE if safe else UNSAFE, 2, replace=False))
    body.insert(1, " ".join(rng.choice(FILL, 6)))
    return " . ".join([*rng.permutation(STYLE), *body] if style else body)


def _words(texts: list[str]) -> Floats:
    """Which phrases and words a text holds. [T, D]"""
    names = (*STYLE, *SAFE, *UNSAFE)
    phrases = [[float(name in text) for name in names] for text in texts]
    fill = [[float(f" {word} " in f" {text} ") for word in FILL] for text in texts]
    return np.hstack([np.array(phrases), np.array(fill)])


def verdict(summary: Summary) -> Verdict:
    """See the module's docstring."""
    mean = summary.mean
    apart = mean["separability_strong"] >= 0.95 and mean["separability_self"] <= 0.75
    others = apart and mean["loss_ratio_step_50"] < 0.5 and mean["spearman"] <= -0.7
    safer = summary.low["safe_gain"] > 0.1
    if safer and others:
        return "reproduced"
    return "partly" if safer or others else "not reproduced"


CLAIM = Claim(
    id="M152",
    paper="pairs of several models: loss falls fast, attacks succeed more often; self-written pairs are the safest;"
    " linear separability explains it",
    measures="safe rate after DPO on self-written pairs minus that on pairs with a stronger model's chosen answers",
    headline="safe_gain",
    run=run,
    verdict=verdict,
    rule="probe ≥ 0.95 against ≤ 0.75, loss at step 50 below half, safe rate higher by > 0.1 (whole interval),"
    " Spearman of separability and safe rate over style rates ≤ −0.7",
    notes="a softmax policy over rendered answers, linear in their phrases; the probe is the doctor's own; the safe"
    " rate falls in every seed, by less than the rule asks",
)
