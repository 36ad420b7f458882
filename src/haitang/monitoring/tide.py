"""Astronomical tide from harmonic constants, with nodal corrections.

Pure: plain values and NumPy arrays, no Django, no clock. Level = sum of f A cos(V + u - g), with V the equilibrium
argument at Greenwich, f and u the nodal factor and angle, A the amplitude (m) and g the Greenwich phase lag (degrees).
Constituents are named as in TICON-4 (GESLA). Mean longitudes after Meeus (1998), linear in time: good to 0.01 degree
between 1900 and 2100. Nodal factors after Schureman (1958) in the series form the IHO publishes. Levels are relative to
the mean level the constants were derived from; a datum is added by the caller. No surge, no river discharge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EPOCH: Final = datetime(2000, 1, 1, 12, tzinfo=UTC)

# Solar constituents with an odd count of tau carry 180 degrees: Schureman counts the sun's hour angle from noon.
# Doodson-style multipliers of (tau, s, h, p, p1), a constant in degrees, and the family whose f and u apply.
_BASE: Final[dict[str, tuple[tuple[int, int, int, int, int], float, str]]] = {
    "M2": ((2, 0, 0, 0, 0), 0, "M2"),
    "N2": ((2, -1, 0, 1, 0), 0, "M2"),
    "S2": ((2, 2, -2, 0, 0), 0, ""),
    "K2": ((2, 2, 0, 0, 0), 0, "K2"),
    "2N2": ((2, -2, 0, 2, 0), 0, "M2"),
    "3N2": ((2, -3, 0, 3, 0), 0, "M2"),
    "MU2": ((2, -2, 2, 0, 0), 0, "M2"),
    "NU2": ((2, -1, 2, -1, 0), 0, "M2"),
    "EP2": ((2, -3, 2, 1, 0), 0, "M2"),
    "LAMBDA2": ((2, 1, -2, 1, 0), 180, "M2"),
    "L2": ((2, 1, 0, -1, 0), 180, "L2"),
    "MA2": ((2, 0, -1, 0, 0), 0, "M2"),
    "MB2": ((2, 0, 1, 0, 0), 0, "M2"),
    "T2": ((2, 2, -3, 0, 1), 0, ""),
    "R2": ((2, 2, -1, 0, -1), 180, ""),
    "K1": ((1, 1, 0, 0, 0), 90, "K1"),
    "P1": ((1, 1, -2, 0, 0), -90, ""),
    "O1": ((1, -1, 0, 0, 0), -90, "O1"),
    "Q1": ((1, -2, 0, 1, 0), -90, "O1"),
    "2Q1": ((1, -3, 0, 2, 0), -90, "O1"),
    "RHO1": ((1, -2, 2, -1, 0), -90, "O1"),
    "SGM": ((1, -3, 2, 0, 0), -90, "O1"),
    "J1": ((1, 2, 0, -1, 0), 90, "J1"),
    "OO1": ((1, 3, 0, 0, 0), 90, "OO1"),
    "M1": ((1, 0, 0, 0, 0), 90, "M1"),
    "S1": ((1, 1, -1, 0, 0), 180, ""),
    "M3": ((3, 0, 0, 0, 0), 0, "M3"),
    "S3": ((3, 3, -3, 0, 0), 180, ""),
    "T3": ((3, 3, -4, 0, 0), 180, ""),
    "R3": ((3, 3, -2, 0, 0), 180, ""),
    "MM": ((0, 1, 0, -1, 0), 0, "MM"),
    "MF": ((0, 2, 0, 0, 0), 0, "MF"),
    "MSF": ((0, 2, -2, 0, 0), 0, "M2-"),
    "MTM": ((0, 3, 0, -1, 0), 0, "MF"),
    "MSQM": ((0, 4, -2, 0, 0), 0, "MF"),
    "SA": ((0, 0, 1, 0, 0), 0, ""),
    "SSA": ((0, 0, 2, 0, 0), 0, ""),
}

# Shallow-water constituents: arguments add, nodal factors multiply.
_COMPOUND: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "M4": (("M2", 2),),
    "M6": (("M2", 3),),
    "M8": (("M2", 4),),
    "N4": (("N2", 2),),
    "S4": (("S2", 2),),
    "MN4": (("M2", 1), ("N2", 1)),
    "MS4": (("M2", 1), ("S2", 1)),
    "MKS2": (("M2", 1), ("K2", 1), ("S2", -1)),
    "2SM2": (("S2", 2), ("M2", -1)),
    "2MS6": (("M2", 2), ("S2", 1)),
    "2MK5": (("M2", 2), ("K1", 1)),
    "2MO5": (("M2", 2), ("O1", 1)),
}

CONSTITUENTS: Final = frozenset(_BASE) | frozenset(_COMPOUND)


@dataclass(frozen=True, slots=True)
class Constituent:
    """One harmonic constant: amplitude in metres, Greenwich phase lag in degrees."""

    name: str
    amplitude_m: float
    phase_deg: float

    def __post_init__(self) -> None:
        if self.name not in CONSTITUENTS:
            raise ValueError(f"constituent: {self.name!r} is unknown; use one of {', '.join(sorted(CONSTITUENTS))}")
        if not self.amplitude_m >= 0:
            raise ValueError(f"constituent {self.name}: amplitude {self.amplitude_m} must be 0 m or more")


def predict(constituents: Sequence[Constituent], times: Sequence[datetime]) -> Floats:
    """Tide in metres above the constants' mean level at each aware datetime; shape (len(times),)."""
    hours, centuries = _hours_and_centuries(times)
    astro = _astronomy(centuries, hours)
    nodal = _nodal(astro)
    level = np.zeros(len(times))
    for constant in constituents:
        argument, factor = _argument(constant.name, astro, nodal)
        level += constant.amplitude_m * factor * np.cos(np.radians(argument - constant.phase_deg))
    return level


def speed_deg_h(name: str) -> float:
    """Angular speed of a constituent, degrees per hour, without nodal drift."""
    if name in _COMPOUND:
        return sum(count * speed_deg_h(part) for part, count in _COMPOUND[name])
    multipliers = _BASE[name][0]
    hours_per_century = 876600.0
    s, h, p, p1 = (rate / hours_per_century for rate in (481267.88123421, 36000.76982779, 4069.0137287, 1.71953))
    return float(np.dot(multipliers, (15.0 + h - s, s, h, p, p1)))


def _hours_and_centuries(times: Sequence[datetime]) -> tuple[Floats, Floats]:
    if any(moment.tzinfo is None for moment in times):
        raise ValueError("times: every datetime must carry its time zone")
    days = np.array([(moment - _EPOCH).total_seconds() / 86400.0 for moment in times], dtype=np.float64)
    return ((days + 0.5) % 1.0) * 24.0, days / 36525.0


def _astronomy(centuries: Floats, hours: Floats) -> dict[str, Floats]:
    s = 218.3164477 + 481267.88123421 * centuries
    h = 280.4664567 + 36000.76982779 * centuries
    p = 83.3532465 + 4069.0137287 * centuries
    node = 125.0445479 - 1934.1362891 * centuries
    p1 = 282.93735 + 1.71953 * centuries
    return {"tau": 15.0 * hours + h - s, "s": s, "h": h, "p": p, "p1": p1, "node": node}


def _nodal(astro: Mapping[str, Floats]) -> dict[str, tuple[Floats, Floats]]:
    """Nodal factor f and angle u (degrees) of each family."""
    n, p = np.radians(astro["node"]), np.radians(astro["p"])

    def cosines(*terms: float) -> Floats:
        return np.asarray(sum(term * np.cos(order * n) for order, term in enumerate(terms)))

    def sines(*terms: float) -> Floats:
        return np.asarray(sum(term * np.sin((order + 1) * n) for order, term in enumerate(terms)))

    def polar(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        return np.hypot(x, y), np.degrees(np.arctan2(y, x))

    m2 = (cosines(1.0004, -0.0373, 0.0002), sines(-2.14))
    return {
        "": (np.ones_like(n), np.zeros_like(n)),
        "M2": m2,
        "M2-": (m2[0], -m2[1]),
        "M3": (m2[0] ** 1.5, 1.5 * m2[1]),
        "K2": (cosines(1.0241, 0.2863, 0.0083, -0.0015), sines(-17.74, 0.68, -0.04)),
        "K1": (cosines(1.0060, 0.1150, -0.0088, 0.0006), sines(-8.86, 0.68, -0.07)),
        "O1": (cosines(1.0089, 0.1871, -0.0147, 0.0014), sines(10.80, -1.34, 0.19)),
        "J1": (cosines(1.0129, 0.1676, -0.0170, 0.0016), sines(-12.94, 1.34, -0.19)),
        "OO1": (cosines(1.1027, 0.6504, 0.0317, -0.0014), sines(-36.68, 4.02, -0.57)),
        "MM": (cosines(1.0, -0.1300, 0.0013), np.zeros_like(n)),
        "MF": (cosines(1.0429, 0.4135, -0.0040), sines(-23.74, 2.68, -0.38)),
        "L2": polar(
            1.0
            - 0.2505 * np.cos(2 * p)
            - 0.1102 * np.cos(2 * p - n)
            - 0.0156 * np.cos(2 * p - 2 * n)
            - 0.0370 * np.cos(n),
            -0.2505 * np.sin(2 * p) - 0.1102 * np.sin(2 * p - n) - 0.0156 * np.sin(2 * p - 2 * n) - 0.0370 * np.sin(n),
        ),
        "M1": polar(2.0 * np.cos(p) + 0.4 * np.cos(p - n), np.sin(p) + 0.2 * np.sin(p - n)),
    }


def _argument(
    name: str, astro: Mapping[str, Floats], nodal: Mapping[str, tuple[Floats, Floats]]
) -> tuple[Floats, Floats]:
    """V + u in degrees and f of one constituent."""
    if name in _COMPOUND:
        total = np.zeros_like(astro["s"])
        factor = np.ones_like(astro["s"])
        for part, count in _COMPOUND[name]:
            argument, part_factor = _argument(part, astro, nodal)
            total = total + count * argument
            factor = factor * part_factor ** abs(count)
        return total, factor
    multipliers, constant, family = _BASE[name]
    factor, angle = nodal[family]
    angles = (astro[key] for key in ("tau", "s", "h", "p", "p1"))
    total = sum((count * part for count, part in zip(multipliers, angles, strict=True)), np.zeros_like(astro["s"]))
    return total + constant + angle, factor
