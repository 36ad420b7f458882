"""Water on the ground and in the canals by linear reservoirs: what rain leaves behind.

Pure: NumPy arrays in and out, no Django. Rain in mm/h, times in s, levels and depths in m.

A linear reservoir empties at a rate that is its storage over a time constant (Chow, Maidment, Mays 1988, Applied
Hydrology, 8.5); between two samples its equation is solved exactly, so the step does not matter. No routing along the
canals, no sluice operation, no sea level behind the gates: the level answers the rain of the place, delayed and damped.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def reservoir_mm(inflow_mm_h: ArrayLike, step_s: float, empties_s: float, *, start_mm: float = 0.0) -> Floats:
    """Storage, mm, at the end of each step of even inflow: dS/dt = I - S/k, exact for inflow constant within a step."""
    if not (step_s > 0 and empties_s > 0):
        raise ValueError(f"step_s and empties_s must be above 0, got {step_s} and {empties_s}")
    inflow = np.asarray(inflow_mm_h, dtype=np.float64)
    keep = math.exp(-step_s / empties_s)
    gain = inflow * (empties_s / 3600.0) * (1.0 - keep)
    from scipy.signal import lfilter  # a second of loading that only a replay needs

    stored, _ = lfilter([1.0], [1.0, -keep], gain, zi=np.array([start_mm * keep]))
    return np.asarray(stored, dtype=np.float64)


def canal_level_m(
    rain_mm_h: ArrayLike, step_s: float, *, base_m: float, empties_h: float, runoff: float, catchment_ratio: float
) -> Floats:
    """Level of a canal: its normal level and the storage of its catchment, gathered on 1 / `catchment_ratio` of the land."""
    inflow = runoff * np.asarray(rain_mm_h, dtype=np.float64)
    return base_m + catchment_ratio * reservoir_mm(inflow, step_s, empties_h * 3600.0) / 1000.0


def ponding_m(
    rain_mm_h: ArrayLike, step_s: float, *, drain_mm_h: float, empties_h: float, runoff: float, gather: float
) -> Floats:
    """Depth on the lowest ground: rain beyond what the drains take stands there, gathered `gather` times, and runs off."""
    beyond = np.maximum(runoff * np.asarray(rain_mm_h, dtype=np.float64) - drain_mm_h, 0.0)
    return gather * reservoir_mm(beyond, step_s, empties_h * 3600.0) / 1000.0
