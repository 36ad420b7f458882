"""Coordinates of China, vectorised: WGS-84, GCJ-02 (map services), BD-09 (Baidu), CGCS2000 (surveys). Pure.

Everything is stored in WGS-84; these functions stand at the doors. Longitude comes before latitude, degrees, numbers or
arrays alike. CGCS2000 and WGS-84 differ by a few centimetres; degrees are taken as equal (as EPSG does).

Source of the GCJ-02 series: the public implementation "eviltransform" (github.com/googollee/eviltransform), whose check
values stand in the tests. The official algorithm is not published; agreement with map services is within a metre or two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

Floats = NDArray[np.float64]
System = Literal["wgs84", "gcj02", "bd09", "cgcs2000"]

# Krasovsky 1940, on which the GCJ-02 series is built.
_A_M = 6_378_245.0
_E2 = 0.006_693_421_622_965_943
_BD_PI = np.pi * 3000.0 / 180.0
# West, east, south, north of the box in which map services shift.
CHINA = (72.004, 137.8347, 0.8293, 55.8271)


class CoordinateError(ValueError):
    """Coordinates that do not belong to the system they are said to be in."""


def in_china(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Where GCJ-02 shifts: the usual box, which is generous."""
    x, y = _arrays(lon, lat)
    west, east, south, north = CHINA
    return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """Shift to GCJ-02; points outside China stay."""
    x, y = _arrays(lon, lat)
    dx, dy = _shift(x, y)
    inside = in_china(x, y)
    return np.where(inside, x + dx, x), np.where(inside, y + dy, y)


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """Undo the shift by fixed-point iteration; the round trip closes below a tenth of a millimetre."""
    gx, gy = _arrays(lon, lat)
    x, y = gx.copy(), gy.copy()
    # The shift changes by less than 1 % of the way, so every turn gains two digits.
    for _turn in range(12):
        dx, dy = _shift(x, y)
        nx, ny = gx - dx, gy - dy
        done = max(np.max(np.abs(nx - x), initial=0.0), np.max(np.abs(ny - y), initial=0.0)) < 1e-12
        x, y = nx, ny
        if done:
            break
    inside = in_china(gx, gy)
    return np.where(inside, x, gx), np.where(inside, y, gy)


def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """GCJ-02 to Baidu's BD-09."""
    x, y = _arrays(lon, lat)
    radius = np.hypot(x, y) + 0.000_02 * np.sin(y * _BD_PI)
    angle = np.arctan2(y, x) + 0.000_003 * np.cos(x * _BD_PI)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """Baidu's BD-09 to GCJ-02, by iteration over the forward formula."""
    bx, by = _arrays(lon, lat)
    x, y = bx - 0.0065, by - 0.006
    for _turn in range(12):
        fx, fy = gcj02_to_bd09(x, y)
        x, y = x + (bx - fx), y + (by - fy)
    return x, y


def wgs84_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """WGS-84 to BD-09."""
    return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def bd09_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """BD-09 to WGS-84."""
    return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))


def zone_of(lon: ArrayLike) -> NDArray[np.int64]:
    """The 3-degree Gauss-Krüger zone, 25 (75° E) to 45 (135° E), whose meridian is nearest to the longitude."""
    zones = np.floor(np.asarray(lon, dtype=np.float64) / 3.0 + 0.5).astype(np.int64)
    if np.any((zones < 25) | (zones > 45)):
        bad = np.asarray(lon)[(zones < 25) | (zones > 45)] if np.ndim(lon) else lon
        raise CoordinateError(
            f"Longitude {np.ravel(bad)[0]} lies in no 3-degree zone of China (73.5 to 136.5): check the order of the coordinates."
        )
    return zones


def to_gauss_kruger(lon: ArrayLike, lat: ArrayLike, zone: int | None = None) -> tuple[Floats, Floats]:
    """CGCS2000 3-degree Gauss-Krüger easting (with the zone in front: 40632867.5) and northing, metres.

    One zone for all points: the given one, else the zone of their mean longitude, so that a district stays in one system.
    """
    x, y = _arrays(lon, lat)
    east, north = _gauss_kruger(int(zone_of(np.mean(x))) if zone is None else zone).transform(x, y)
    return np.asarray(east), np.asarray(north)


def from_gauss_kruger(easting: ArrayLike, northing: ArrayLike, zone: int | None = None) -> tuple[Floats, Floats]:
    """Degrees from CGCS2000 3-degree Gauss-Krüger metres; the zone is read from the easting when it stands in front.

    Raises CoordinateError when there is no zone, or points of several zones.
    """
    east, north = _arrays(easting, northing)
    if east.size and np.min(east) >= 1e6:
        found = np.unique(np.floor(east / 1e6).astype(np.int64))
        if len(found) > 1 or (zone is not None and found[0] != zone):
            raise CoordinateError(
                f"Eastings begin with zones {', '.join(map(str, found))}: convert each zone by itself, with its own number."
            )
        zone = int(found[0])
    elif zone is None:
        raise CoordinateError(
            f"Easting {np.ravel(east)[0]:.3f} has no zone in front: give the zone (25 to 45) or the central meridian / 3."
        )
    else:
        east = east + zone * 1e6
    lon, lat = _gauss_kruger(zone).transform(east, north, direction="INVERSE")
    return np.asarray(lon), np.asarray(lat)


Step = Callable[[ArrayLike, ArrayLike], tuple[Floats, Floats]]
_TO_WGS84: dict[str, Step] = {"gcj02": gcj02_to_wgs84, "bd09": bd09_to_wgs84}
_FROM_WGS84: dict[str, Step] = {"gcj02": wgs84_to_gcj02, "bd09": wgs84_to_bd09}
SYSTEMS = ("wgs84", "gcj02", "bd09", "cgcs2000")


def convert(lon: ArrayLike, lat: ArrayLike, source: str, target: str) -> tuple[Floats, Floats]:
    """Degrees from one system to another."""
    for name in (source, target):
        if name not in SYSTEMS:
            raise CoordinateError(f"The coordinate system {name!r} is not known: use one of {', '.join(SYSTEMS)}.")
    x, y = _arrays(lon, lat)
    if source in _TO_WGS84:
        x, y = _TO_WGS84[source](x, y)
    if target in _FROM_WGS84:
        x, y = _FROM_WGS84[target](x, y)
    return x, y


def convert_shapes(shapes: Any, source: str, target: str) -> Any:
    """A shapely geometry or array of them, from one system of degrees to another."""
    return shapely.transform(shapes, lambda xy: np.column_stack(convert(xy[:, 0], xy[:, 1], source, target)))


def _arrays(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _shift(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The GCJ-02 offset in degrees at a WGS-84 point."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    wave = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    radians = np.radians(lat)
    magic = 1.0 - _E2 * np.sin(radians) ** 2
    north = north * 180.0 / ((_A_M * (1.0 - _E2)) / (magic * np.sqrt(magic)) * np.pi)
    east = east * 180.0 / (_A_M / np.sqrt(magic) * np.cos(radians) * np.pi)
    return east, north


@lru_cache(maxsize=32)
def _gauss_kruger(zone: int) -> Transformer:
    if not 25 <= zone <= 45:
        raise CoordinateError(f"Zone {zone} is not a 3-degree zone of China: give 25 to 45.")
    # EPSG:4513 is zone 25, and so on; the easting carries the zone in front.
    return Transformer.from_crs("EPSG:4490", f"EPSG:{4513 + zone - 25}", always_xy=True)
