"""Who and what lies within reach of an alarm, at once and roughly: how far it reaches, and how many people that is. Pure.

The reach of a hazard is a radius around its station; the figures below are expert estimates for flat ground, to be
seen as "who should be thought of first", not as the extent of an event. A pack may give others (`chains.toml`, [reach]).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Quantity to hazard: alarms of one hazard in one township are one event.
HAZARDS: Mapping[str, str] = MappingProxyType(
    {
        "rain": "rain", "wind_speed": "wind", "wind_gust": "wind", "wind_direction": "wind", "pressure": "wind",
        "visibility": "fog", "air_temperature": "heat", "humidity": "heat", "snow_depth": "snow", "tide_level": "surge",
        "surge": "surge", "wave_height": "surge", "water_level": "flood", "flow": "flood", "gate_opening": "flood",
        "water_depth": "waterlogging", "chloride": "salinity", "pm25": "air", "gas_lel": "gas",
        "gas_oel": "gas", "oxygen": "gas", "tank_level": "tank", "tank_pressure": "tank", "tank_temperature": "tank",
        "smoke": "fire", "residual_current": "fire", "cable_temperature": "fire", "hydrant_pressure": "fire",
        "fire_danger": "wildfire", "pest_count": "pest", "pest_density": "pest", "infested": "pest", "degree_days": "pest", "displacement": "structure", "strain": "structure", "tilt": "structure",
        "crack_width": "structure", "vibration_velocity": "structure", "seepage_pressure": "structure", "subsidence": "ground",
        "settlement_rate": "ground", "groundwater_level": "ground", "pore_pressure": "ground", "soil_moisture": "drought",
        "acceleration": "earthquake", "intensity": "earthquake", "ground_velocity": "earthquake", "magnitude": "earthquake", "scour_depth": "structure",
        "soil_temperature": "drought", "pump_power": "flood", "pump_speed": "flood", "pumps_running": "flood",
        "supply_voltage": "power", "conductivity": "salinity", "turbidity": "salinity", "tank_flow": "tank", "water_temperature": "salinity",
    }
)  # fmt: skip
REACH_KM: Mapping[str, float] = MappingProxyType(
    {
        "rain": 5.0, "wind": 8.0, "fog": 10.0, "heat": 15.0, "snow": 15.0, "surge": 6.0, "flood": 3.0, "waterlogging": 1.0,
        "salinity": 10.0, "air": 10.0, "gas": 1.0, "tank": 1.5, "fire": 0.5, "wildfire": 5.0, "pest": 3.0, "structure": 1.0,
        "ground": 1.0, "drought": 10.0, "earthquake": 20.0, "silence": 5.0, "power": 3.0, "other": 2.0,
    }
)  # fmt: skip


def hazard_of(quantity: str) -> str:
    """The hazard that a quantity speaks of; "other" for one that none is known for."""
    return HAZARDS.get(quantity, "other")


def reach_km(hazard: str, given: Mapping[str, float] | None = None) -> float:
    """How far the hazard reaches around a station, in km."""
    return (given or {}).get(hazard) or REACH_KM.get(hazard, REACH_KM["other"])


def people_within(population: Floats, share: Floats) -> float:
    """People inside: each place's population by the share of it that lies inside (0 to 1). Unknown ones (nan) count as nobody."""
    return float(np.nansum(population * np.clip(share, 0.0, 1.0)))


def disc_share(distance_m: Floats, reach_m: float, place_km2: Floats) -> Floats:
    """Share of places known only by middle and area that lies within `reach_m`: the place taken for a disc of its area.

    Exact overlap of two discs (the lens), divided by the place's area. A place without an area is in or out by its middle.
    """
    r = np.sqrt(np.maximum(np.nan_to_num(place_km2), 0.0) / np.pi) * 1000
    share = np.where(distance_m <= reach_m, 1.0, 0.0)
    apart, inside = distance_m >= reach_m + r, distance_m <= np.abs(reach_m - r)
    lens = (r > 0) & ~apart & ~inside
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where((r > 0) & apart, 0.0, share)
        share = np.where((r > 0) & inside, np.where(r <= reach_m, 1.0, (reach_m / r) ** 2), share)
        d, big = np.where(lens, distance_m, 1.0), reach_m
        small = np.where(lens, r, 1.0)
        first = small**2 * np.arccos(np.clip((d**2 + small**2 - big**2) / (2 * d * small), -1, 1))
        second = big**2 * np.arccos(np.clip((d**2 + big**2 - small**2) / (2 * d * big), -1, 1))
        third = 0.5 * np.sqrt(
            np.maximum((-d + small + big) * (d + small - big) * (d - small + big) * (d + small + big), 0)
        )
        share = np.where(lens, (first + second - third) / (np.pi * small**2), share)
    return np.asarray(share, np.float64)
