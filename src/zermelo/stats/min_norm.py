"""The shortest vector in the convex hull of several gradients: a direction in which none of several losses grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zermelo.errors import DataError, SettingError

__all__ = ["min_norm_weights"]


def min_norm_weights(gradients: ArrayLike) -> NDArray[np.float64]:
    """λ = argmin over the simplex of |Σ_k λ_k g_k|². [K]

    With u = Σ λ_k g_k every u·g_k ≥ |u|², with equality where λ_k > 0: a step along −u lowers all losses, those with
    weight equally fast. For two: λ_1 = clip((b − c)/(a + b − 2c), 0, 1) with a = |g_1|², b = |g_2|², c = g_1·g_2.
    Solved exactly as non-negative least squares: min |Gᵀμ|² + (Σμ − 1)², λ = μ / Σμ. Where several λ are best (equal
    gradients) one of them is returned.

    Args:
        gradients: One row each. [K, D]
    Raises:
        DataError: no gradients, or one that is not finite.
    Source: the multiple-gradient descent algorithm (Désidéri, 2012), used by "On Diversified Preferences of Large
        Language Model Alignment", 2024, arXiv 2312.07401.
    """
    g = np.asarray(gradients, np.float64)
    if g.ndim != 2:
        raise SettingError("bad-shape", f"gradients must be [K, D]. Got {g.shape}")
    if not len(g) or not np.isfinite(g).all():
        raise DataError("nothing-to-measure", "min_norm_weights takes one or more finite gradients")
    size = float(np.sqrt((g**2).sum(axis=1)).max())
    if size == 0:
        return np.full(len(g), 1 / len(g))
    # orthogonal columns can go: |Gᵀμ| needs only the K × K inner products
    products = g @ g.T / size**2
    values, vectors = np.linalg.eigh(products)
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    from scipy.optimize import nnls

    weights, _ = nnls(np.vstack([root, np.ones(len(g))]), np.r_[np.zeros(len(g)), 1.0])
    return np.asarray(weights / weights.sum())
