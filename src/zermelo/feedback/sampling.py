"""Which of many named things come first? By a hash of name and seed: no order of rows, no generator, no state."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["positions_of", "smallest"]


def positions_of(names: Sequence[str], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each name, uniform over names, the same for the same name and seed. [N]"""
    salt = f"{seed}\0".encode()
    digests = b"".join(
        hashlib.blake2b(salt + name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.float64) * 2.0**-64


def smallest(names: Sequence[str], n: int, seed: int) -> NDArray[np.int64]:
    """Places of the `n` names with the smallest hash, ascending. [min(n, N)]"""
    order = np.argsort(positions_of(names, seed), kind="stable")
    return np.sort(order[:n]).astype(np.int64)
