"""The tabular world: softmax policies over K responses to each of X prompts. Every optimum has a closed form.

An oracle for objectives: what a loss should converge to is known here to the last digit, without a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import DataError, SettingError

__all__ = ["Tabular", "kl", "log_softmax", "nash", "win_rate"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tabular:
    """A finite world: who is asked what, a reference policy, and what is liked.

    Args:
        reference: log π_ref(y|x) [X, K]; rows sum to one in probability.
        reward: r(x, y) [X, K], in nats; preferences are Bradley–Terry in it where `preference` is not given.
        preference: P(y ≻ y′ | x) [X, K, K], with P + Pᵀ = 1; may be intransitive.
        prompts: Weight of each prompt [X], sums to one; uniform by default.
    Raises:
        DataError: shapes that do not fit, or rows that are no distribution.
    """

    reference: Array
    reward: Array
    preference: Array | None = None
    prompts: Array | None = None

    def __post_init__(self) -> None:
        shape = self.reference.shape
        if len(shape) != 2 or self.reward.shape != shape:
            raise DataError("bad-shape", f"reference {shape} and reward {self.reward.shape}; expected both [X, K]")
        if not np.allclose(np.exp(self.reference).sum(-1), 1, atol=1e-9):
            raise DataError("bad-shape", "reference: rows of exp(log π) do not sum to 1")
        if self.preference is not None:
            if self.preference.shape != (*shape, shape[1]):
                raise DataError("bad-shape", f"preference {self.preference.shape}; expected {(*shape, shape[1])}")
            if not np.allclose(self.preference + np.swapaxes(self.preference, 1, 2), 1, atol=1e-9):
                raise DataError("bad-shape", "preference: P(a ≻ b) + P(b ≻ a) is not 1")

    @staticmethod
    def random(n_prompts: int, n_responses: int, *, seed: int, scale: float = 1.0) -> Tabular:
        """A world with Gaussian rewards and reference logits of that scale."""
        rng = np.random.default_rng(seed)
        logits = rng.normal(size=(n_prompts, n_responses)) * scale
        return Tabular(log_softmax(logits), rng.normal(size=(n_prompts, n_responses)) * scale)

    @property
    def weights(self) -> Array:
        """Weight of each prompt [X]."""
        n_prompts = self.reference.shape[0]
        return np.full(n_prompts, 1 / n_prompts) if self.prompts is None else self.prompts

    @property
    def preferences(self) -> Array:
        """P(y ≻ y′ | x) [X, K, K]; Bradley–Terry in the reward where none was given."""
        if self.preference is not None:
            return self.preference
        gap = self.reward[:, :, None] - self.reward[:, None, :]
        return 0.5 * (1 + np.tanh(gap / 2))  # σ without overflow

    def optimum(self, beta: float) -> Array:
        """log π* of max E r − β KL(π ‖ π_ref): π* ∝ π_ref exp(r/β) [X, K].

        Also the population optimum of DPO, and of every Ψ-PO loss whose pairs are Bradley–Terry in r, whatever the
        pairs' sampling, as long as it connects all responses.
        """
        return log_softmax(self.reference + self.reward / _positive("beta", beta))

    def value(self, log_policy: Array, beta: float = 0.0) -> float:
        """E_x E_π r − β KL(π ‖ π_ref), in nats."""
        expected = (np.exp(log_policy) * self.reward).sum(-1) - beta * kl(log_policy, self.reference)
        return float(self.weights @ expected)

    def optimal_value(self, beta: float) -> float:
        """E_x β log Σ_y π_ref exp(r/β): the value of `optimum`."""
        logits = self.reference + self.reward / _positive("beta", beta)
        return float(beta * (self.weights @ np.logaddexp.reduce(logits, axis=-1)))

    def implied_reward(self, log_policy: Array, beta: float) -> Array:
        """β log π/π_ref, centred per prompt on its mean [X, K]: what DPO calls the reward of a policy."""
        implied = beta * (log_policy - self.reference)
        return implied - implied.mean(-1, keepdims=True)

    def dpo_optimum(self, beta: float, *, sampling: Array | None = None, steps: int = 100) -> Array:
        """log π of DPO's population optimum, also where the preferences are not Bradley–Terry [X, K].

        The policy whose implied reward is the Bradley–Terry fit to P under the sampling of pairs, by Newton steps.

        Args:
            beta: DPO's β.
            sampling: Weight of each pair [X, K, K], symmetric use; by default pairs of two draws from π_ref.
            steps: Most Newton steps.
        """
        odds = self.preferences
        if sampling is None:
            reference = np.exp(self.reference)
            sampling = reference[:, :, None] * reference[:, None, :]
        fitted = np.stack([_bradley_terry(p, w + w.T, steps) for p, w in zip(odds, sampling, strict=True)])
        return log_softmax(self.reference + fitted / _positive("beta", beta))

    def dpo_loss(self, log_policy: Array, beta: float, *, sampling: Array | None = None) -> float:
        """E over pairs of −P log σ(βΔ) − (1 − P) log σ(−βΔ), in nats: DPO's population loss.

        Args:
            log_policy: log π [X, K].
            beta: DPO's β.
            sampling: As in `dpo_optimum`; normalised per prompt, a response is never compared with itself.
        """
        reference = np.exp(self.reference)
        pairs = reference[:, :, None] * reference[:, None, :] if sampling is None else sampling
        pairs = pairs * (1 - np.eye(self.reward.shape[1]))
        pairs = pairs / pairs.sum((1, 2), keepdims=True)
        ratio = beta * (log_policy - self.reference)
        gap = ratio[:, :, None] - ratio[:, None, :]
        each = self.preferences * np.logaddexp(0, -gap) + (1 - self.preferences) * np.logaddexp(0, gap)
        return float(self.weights @ (pairs * each).sum((1, 2)))

    def ipo_optimum(self, tau: float, *, against: Array | None = None) -> Array:
        """log π of IPO's optimum, max E P(y ≻ μ) − τ KL(π ‖ π_ref): π* ∝ π_ref exp(P(y ≻ μ)/τ) [X, K].

        Args:
            tau: IPO's τ.
            against: log μ [X, K]; π_ref by default.
        """
        mu = np.exp(self.reference if against is None else against)
        wins = np.einsum("xij,xj->xi", self.preferences, mu)
        return log_softmax(self.reference + wins / _positive("tau", tau))

    def nash_optimum(self, tau: float = 0.0, *, tolerance: float = 1e-12, most: int = 200_000) -> Array:
        """log π of the Nash policy of the preference game, regularised towards π_ref by τ [X, K].

            τ > 0: the fixed point π ∝ π_ref exp(P(y ≻ π)/τ);  τ = 0: a maximin mixture (linear programme)

        Args:
            tau: Weight of KL to the reference, for both players; nats.
            tolerance: Largest change of a log-probability at which the fixed point is accepted.
            most: Most iterations.
        Raises:
            SettingError: tau is negative, or so small that the fixed point is not reached.
        """
        if tau == 0:
            with np.errstate(divide="ignore"):
                return np.log(np.stack([nash(table) for table in self.preferences]))
        policy = self.reference.copy()
        # mirror descent on a skew-symmetric game contracts for steps up to τ²/(τ² + L²), with L = ½ for probabilities
        step = _positive("tau", tau) ** 2 / (tau**2 + 0.25)
        for _ in range(most):
            new = log_softmax((1 - step) * policy + step * self.ipo_optimum(tau, against=policy))
            if np.abs(new - policy).max() < tolerance * step:
                return new
            policy = new
        raise SettingError("not-converged", f"the Nash policy at tau={tau:g} was not reached in {most:,} steps")

    def win_rate(self, log_policy: Array, log_other: Array) -> float:
        """P(π ≻ π′) over prompts and independent draws."""
        return float(self.weights @ win_rate(self.preferences, log_policy, log_other))

    def kl(self, log_policy: Array) -> float:
        """Mean KL(π ‖ π_ref) over prompts, in nats."""
        return float(self.weights @ kl(log_policy, self.reference))

    def best_of(self, n: int) -> Array:
        """log π of best-of-n from the reference by the reward, exactly [X, K]; ties go to the lower index.

        P(y) = F(y)ⁿ − F(y⁻)ⁿ, with F the reference's distribution function in order of the reward.
        """
        if n < 1:
            raise SettingError("bad-setting", f"n must be at least 1. Got {n!r}")
        # from worst to best; of equal rewards the lower index counts as the better
        order = np.stack([np.lexsort((-np.arange(row.size), row)) for row in self.reward])
        mass = np.take_along_axis(np.exp(self.reference), order, -1)
        above = np.minimum(np.cumsum(mass, -1), 1.0)
        chance = above**n - (above - mass).clip(min=0) ** n
        out = np.empty_like(chance)
        np.put_along_axis(out, order, chance, -1)
        with np.errstate(divide="ignore"):
            return np.log(out)

    def sample(self, log_policy: Array, n: int, *, seed: int) -> NDArray[np.int64]:
        """`n` draws per prompt [X, n]."""
        rng = np.random.default_rng(seed)
        return (log_policy[:, None, :] + rng.gumbel(size=(log_policy.shape[0], n, log_policy.shape[1]))).argmax(-1)


def log_softmax(logits: Array) -> Array:
    """Rows of logits as log-probabilities [X, K]."""
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def kl(log_p: Array, log_q: Array) -> Array:
    """KL(p ‖ q) of each row, in nats [X]; 0 log 0 is 0."""
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        return np.where(p > 0, p * (log_p - log_q), 0.0).sum(-1)


def win_rate(preference: Array, log_p: Array, log_q: Array) -> Array:
    """P(y ≻ y′) for y ~ p, y′ ~ q, of each row [X]."""
    found: Array = np.einsum("xi,xij,xj->x", np.exp(log_p), preference, np.exp(log_q))
    return found


def nash(preference: Array) -> Array:
    """A maximin mixture of the symmetric game P − ½ [K]: no response beats it more than half the time."""
    from scipy.optimize import linprog

    size = preference.shape[0]
    # maximise v: Σ_i π_i P[i, j] ≥ v for every j, Σ π = 1
    found = linprog(
        np.r_[np.zeros(size), -1.0],
        A_ub=np.c_[-preference.T, np.ones(size)],
        b_ub=np.zeros(size),
        A_eq=np.r_[np.ones(size), 0.0][None],
        b_eq=[1.0],
        bounds=[(0, 1)] * size + [(None, None)],
    )
    mixture = np.clip(found.x[:size], 0, None)
    return np.asarray(mixture / mixture.sum(), dtype=np.float64)


def _bradley_terry(wins: Array, weight: Array, steps: int) -> Array:
    """Bradley–Terry ratings, centred, that fit P(i ≻ j) under symmetric pair weights [K]; Newton, damped."""
    size = wins.shape[0]
    weight = weight * (1 - np.eye(size))
    rating = np.zeros(size)

    def loss(candidate: Array) -> float:
        gap = candidate[:, None] - candidate[None, :]
        return float((weight * wins * np.logaddexp(0, -gap)).sum())

    for _ in range(steps):
        chance = 0.5 * (1 + np.tanh((rating[:, None] - rating[None, :]) / 2))
        gradient = (weight * (chance - wins)).sum(1)
        curvature = weight * chance * (1 - chance)
        hessian = np.diag(curvature.sum(1)) - curvature
        move = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        scale = 1.0
        while scale > 1e-10 and loss(rating - scale * move) > loss(rating):
            scale /= 2
        rating = rating - scale * move
        rating = rating - rating.mean()
        if np.abs(scale * move).max() < 1e-13:
            break
    return rating


def _positive(name: str, value: float) -> float:
    if not (value > 0 and np.isfinite(value)):
        raise SettingError("bad-setting", f"{name} must be a positive number. Got {value!r}")
    return value
