"""Each sample's own stream of random numbers: a function of seed, group and number alone. NumPy only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["stream_seeds", "uniform"]


def stream_seeds(seed: int, ids: Sequence[str], numbers: Sequence[int]) -> NDArray[np.uint64]:
    """One 64-bit seed for each sample, from the run's seed, the group's id and the sample's number. [B]"""
    made = [
        hashlib.blake2b(f"{seed}\0{number}\0{group}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for group, number in zip(ids, numbers, strict=True)
    ]
    return np.frombuffer(b"".join(made), dtype=np.uint64)


def uniform(seeds: NDArray[np.uint64], step: int) -> NDArray[np.float64]:
    """The number of each stream at `step`, in (0, 1): splitmix64 of seed + step · golden ratio. [B]

    A function of stream and step alone, so neither batch nor order changes it.
    Source: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        z = seeds + np.uint64(0x9E3779B97F4A7C15) * np.uint64(step + 1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
