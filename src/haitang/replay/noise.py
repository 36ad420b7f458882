"""Seeded noise that makes a smooth model look like an instrument: the same seed and name give the same noise, always.

Pure: NumPy only. Every series draws from its own generator, so that adding a station changes no other station.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def generator(seed: int, *names: object) -> np.random.Generator:
    """The generator of a seed and a name; independent of all others and of the order in which they are made."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


def red_noise(steps: int, step_s: float, memory_s: float, rng: np.random.Generator) -> Floats:
    """A stationary first-order autoregressive series (steps,) of mean 0 and variance 1, forgetting over `memory_s`."""
    keep = math.exp(-step_s / memory_s) if memory_s > 0 else 0.0
    drawn = rng.standard_normal(steps)
    drive = drawn * math.sqrt(1.0 - keep**2)
    drive[:1] = drawn[:1]
    from scipy.signal import lfilter  # a second of loading that only a replay needs

    return np.asarray(lfilter([1.0], [1.0, -keep], drive), dtype=np.float64)
