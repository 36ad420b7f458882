"""Rain of a cyclone by distance from its centre: the R-CLIPER climatology.

Pure: NumPy arrays in and out. Distances in km, winds in m/s, rain in mm/h.

R-CLIPER (Tuleya, DeMaria, Kuligowski 2007, Wea. Forecasting 22, 56-70; coefficients of the TRMM version of Lonfat et
al., bias adjusted) gives the mean rain rate around a storm of given strength: linear from the centre to the radius of
heaviest rain, exponential beyond. It knows no rain bands, no front, no land and no asymmetry, and underestimates the
extremes that those make; `showers` puts back the patchiness that gauges see, not the extremes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from haitang.replay.noise import red_noise

Floats = NDArray[np.float64]

MINUTE_OVER_TEN_MINUTES: Final = 1.0 / 0.93
"""R-CLIPER was fitted to 1-minute winds; ratio to the 10-minute mean at sea after Harper et al. (2010), WMO/TD-No. 1555."""
INCH_PER_DAY_MM_H: Final = 25.4 / 24.0


def r_cliper_mm_h(distance_km: ArrayLike, max_wind_ms: ArrayLike) -> Floats:
    """Rain rate at a distance from a storm whose greatest 10-minute wind is `max_wind_ms`; the two broadcast."""
    radius = np.asarray(distance_km, dtype=np.float64)
    knots = np.asarray(max_wind_ms, dtype=np.float64) * MINUTE_OVER_TEN_MINUTES * 3600.0 / 1852.0
    strength = 1.0 + (knots - 35.0) / 33.0
    centre = np.maximum(-1.10 + 3.96 * strength, 0.0)
    heaviest = np.maximum(-1.60 + 4.80 * strength, 0.0)
    radius_heaviest = np.maximum(64.5 - 13.0 * strength, 10.0)
    decay = np.maximum(150.0 - 16.0 * strength, 30.0)
    inside = centre + (heaviest - centre) * radius / radius_heaviest
    outside = heaviest * np.exp(-(radius - radius_heaviest) / decay)
    return np.where(radius < radius_heaviest, inside, outside) * INCH_PER_DAY_MM_H


def showers(
    steps: int, step_s: float, rng: np.random.Generator, *, spread: float = 0.9, memory_s: float = 1800.0
) -> Floats:
    """Factors (steps,) of mean 1 that make a smooth rain patchy: log-normal, correlated over about `memory_s` seconds."""
    return np.exp(spread * red_noise(steps, step_s, memory_s, rng) - spread**2 / 2.0)


def disaggregate(hourly_mm: ArrayLike, per_hour: int, rng: np.random.Generator) -> Floats:
    """Hourly sums as sums of `per_hour` equal parts, patchy within the hour; each hour adds up to what was observed."""
    hours = np.asarray(hourly_mm, dtype=np.float64)
    shares = showers(len(hours) * per_hour, 3600.0 / per_hour, rng).reshape(len(hours), per_hour)
    return (hours[:, None] * shares / shares.sum(axis=1, keepdims=True)).ravel()
