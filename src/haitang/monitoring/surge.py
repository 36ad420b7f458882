"""Storm surge at a coastal gauge by two static balances: inverse barometer and wind set-up.

Pure: NumPy arrays in and out, no Django, no clock. Metres, hPa, m/s; directions in degrees the wind comes from.

Limits, stated because they matter: each moment is its own equilibrium. There is no propagation, no resonance, no Coriolis
set-up, no wave set-up, no river discharge and no interaction of tide with surge, so timing can be off by an hour or two and
a fast storm is overestimated. Good enough to drive an exercise and to say which tide a storm meets; not a forecast.

Sources: inverse barometer, Gill (1982) Atmosphere-Ocean Dynamics, 9.9; set-up of a closed basin, Dean and Dalrymple (1991)
Water Wave Mechanics, 5.7 (with bottom-stress factor n = 1.15 to 1.30); drag coefficient, Wu (1982) J. Geophys. Res. 87,
9704-9706, capped after Powell, Vickery, Reinhold (2003) Nature 422, 279-283.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SEA_WATER_KG_M3: Final = 1025.0
GRAVITY_M_S2: Final = 9.80665
AIR_KG_M3: Final = 1.2
BOTTOM_STRESS_FACTOR: Final = 1.2
DRAG_CAP: Final = 2.5e-3
"""Greatest drag coefficient: above about 33 m/s the sea no longer gets rougher (Powell et al. 2003)."""


def inverse_barometer_m(pressure_hpa: ArrayLike, ambient_hpa: ArrayLike = 1013.25) -> Floats:
    """Rise of the sea, m, under a pressure below ambient: (p_n - p) / (rho g), 0.995 cm per hPa."""
    deficit_pa = 100.0 * (np.asarray(ambient_hpa, dtype=np.float64) - np.asarray(pressure_hpa, dtype=np.float64))
    return deficit_pa / (SEA_WATER_KG_M3 * GRAVITY_M_S2)


def drag_coefficient(wind_ms: ArrayLike) -> Floats:
    """Surface drag coefficient (0.8 + 0.065 U) 1e-3 of Wu (1982) for the 10 m wind, capped at 2.5e-3."""
    return np.minimum((0.8 + 0.065 * np.abs(np.asarray(wind_ms, dtype=np.float64))) * 1e-3, DRAG_CAP)


def wind_setup_m(
    wind_ms: ArrayLike,
    wind_from_deg: ArrayLike,
    *,
    onshore_from_deg: float,
    fetch_km: float,
    depth_m: float,
) -> Floats:
    """Set-up, m, at the lee end of a fetch of even depth: sqrt(h^2 + 2 n tau F / (rho g)) - h.

    `onshore_from_deg` is the direction from which wind drives water towards the gauge. Wind off the shore gives a
    set-down, never below dry bed. Raises ValueError for a fetch or depth that is not positive.
    """
    if not (fetch_km > 0 and depth_m > 0):
        raise ValueError(f"fetch_km and depth_m must be above 0, got {fetch_km} and {depth_m}")
    speed = np.asarray(wind_ms, dtype=np.float64)
    along = np.cos(np.radians(np.asarray(wind_from_deg, dtype=np.float64) - onshore_from_deg))
    stress_pa = AIR_KG_M3 * drag_coefficient(speed) * speed**2 * along
    head = 2.0 * BOTTOM_STRESS_FACTOR * stress_pa * fetch_km * 1000.0 / (SEA_WATER_KG_M3 * GRAVITY_M_S2)
    return np.sqrt(np.maximum(depth_m**2 + head, 0.0)) - depth_m


def surge_m(
    pressure_hpa: ArrayLike,
    wind_ms: ArrayLike,
    wind_from_deg: ArrayLike,
    *,
    ambient_hpa: ArrayLike = 1013.25,
    onshore_from_deg: float,
    fetch_km: float,
    depth_m: float,
) -> Floats:
    """Inverse barometer at the gauge plus wind set-up over its fetch, m."""
    setup = wind_setup_m(wind_ms, wind_from_deg, onshore_from_deg=onshore_from_deg, fetch_km=fetch_km, depth_m=depth_m)
    return inverse_barometer_m(pressure_hpa, ambient_hpa) + setup
