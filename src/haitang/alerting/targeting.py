"""Who is inside a warned area: polygons of tens of thousands of vertices against millions of points. Pure, vectorised.

Longitudes and latitudes are arrays of degrees, WGS 84; a point on the border is inside. A raster over the area's box
sorts cells into inside, outside and border by the even-odd rule; only points in border cells are tested exactly (a
prepared GEOS geometry). The raster decides nothing by itself near the border, so the answer equals the exact test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
# Fewer points than this are tested exactly at once: a raster would cost more.
FEW: Final = 20_000
CHUNK: Final = 4_000_000
_OUT, _IN, _BORDER = 0, 1, 2


def inside(shape: BaseGeometry, lon: Floats, lat: Floats) -> Bools:
    """Which points lie in or on the polygons of a shape; both arrays have one length."""
    if len(lon) != len(lat):
        raise ValueError(f"{len(lon)} longitudes and {len(lat)} latitudes")
    if shape.is_empty:
        return np.zeros(len(lon), dtype=bool)
    return Area(shape, len(lon)).inside(lon, lat)


class Area:
    """An area made ready for many points; made for about so many."""

    def __init__(self, shape: BaseGeometry, points: int = 1_000_000) -> None:
        self.shape = shape
        shapely.prepare(shape)
        self._bounds = shape.bounds
        self._raster = _raster(shape, points) if points >= FEW else None

    def inside(self, lon: Floats, lat: Floats) -> Bools:
        """Which points lie in or on it."""
        found = np.zeros(len(lon), dtype=bool)
        for start in range(0, len(lon), CHUNK):
            part = slice(start, start + CHUNK)
            found[part] = self._part(lon[part], lat[part])
        return found

    def _part(self, lon: Floats, lat: Floats) -> Bools:
        west, south, east, north = self._bounds
        if self._raster is None:
            found: Bools = shapely.intersects_xy(self.shape, lon, lat)
            return found
        near = np.flatnonzero((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))
        found = np.zeros(len(lon), dtype=bool)
        if not len(near):
            return found
        kind = self._raster.at(lon[near], lat[near])
        found[near[kind == _IN]] = True
        unsure = near[kind == _BORDER]
        found[unsure] = shapely.intersects_xy(self.shape, lon[unsure], lat[unsure])
        return found


@dataclass(frozen=True)
class _Raster:
    cells: NDArray[np.uint8]
    west: float
    south: float
    per_lon: float
    per_lat: float

    def at(self, lon: Floats, lat: Floats) -> NDArray[np.uint8]:
        rows, columns = self.cells.shape
        x = np.clip(((lon - self.west) * self.per_lon).astype(np.int32), 0, columns - 1)
        y = np.clip(((lat - self.south) * self.per_lat).astype(np.int32), 0, rows - 1)
        found: NDArray[np.uint8] = self.cells.ravel()[y * columns + x]
        return found


def _raster(shape: BaseGeometry, points: int) -> _Raster | None:
    west, south, east, north = shape.bounds
    ends = list(_segments(shape))
    if not ends or east <= west or north <= south:
        return None
    a = np.concatenate([ring[:-1] for ring in ends])
    b = np.concatenate([ring[1:] for ring in ends])
    size = int(min(4096, max(256, math.sqrt(points))))
    # In cells, so that one cell is one unit.
    scale = np.array([size / (east - west), size / (north - south)])
    a, b = (a - (west, south)) * scale, (b - (west, south)) * scale
    cells = _filled(a, b, size).astype(np.uint8)
    cells[_border(a, b, size)] = _BORDER
    return _Raster(cells, west, south, float(scale[0]), float(scale[1]))


def _segments(shape: BaseGeometry) -> Iterator[Floats]:
    """The rings of all polygons, outer and inner."""
    for part in getattr(shape, "geoms", [shape]):
        if part.geom_type == "Polygon":
            for ring in (part.exterior, *part.interiors):
                yield shapely.get_coordinates(ring)
        elif hasattr(part, "geoms"):
            yield from _segments(part)


def _filled(a: Floats, b: Floats, size: int) -> Bools:
    """Which cells' centres lie inside by the even-odd rule: crossings of each row's middle line, summed from the left."""
    low, high = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
    # Middle lines row + 0.5 with low <= middle < high: each edge crosses these rows.
    first = np.ceil(low - 0.5).astype(np.int64)
    last = np.ceil(high - 0.5).astype(np.int64)
    number = last - first
    edge = np.repeat(np.arange(len(a)), number)
    row = np.repeat(first, number) + _within(number)
    share = (row + 0.5 - a[edge, 1]) / (b[edge, 1] - a[edge, 1])
    x = a[edge, 0] + share * (b[edge, 0] - a[edge, 0])
    # The first centre right of the crossing.
    column = np.clip(np.floor(x + 0.5).astype(np.int64), 0, size)
    good = (row >= 0) & (row < size)
    turns = np.bincount(row[good] * (size + 1) + column[good], minlength=size * (size + 1))
    inner: Bools = np.cumsum(turns.reshape(size, size + 1), axis=1)[:, :size] % 2 == 1
    return inner


def _border(a: Floats, b: Floats, size: int) -> Bools:
    """Which cells an edge may touch: those of samples half a cell apart, and their neighbours."""
    number = np.ceil(2.0 * np.abs(b - a).max(axis=1)).astype(np.int64) + 2
    edge = np.repeat(np.arange(len(a)), number)
    share = _within(number) / np.repeat(number - 1, number)
    at = np.clip((a[edge] + share[:, None] * (b[edge] - a[edge])).astype(np.int64), 0, size - 1)
    touched = np.zeros((size + 2, size + 2), dtype=bool)
    touched[at[:, 1] + 1, at[:, 0] + 1] = True
    wide = touched[:, :-2] | touched[:, 1:-1] | touched[:, 2:]
    found: Bools = wide[:-2] | wide[1:-1] | wide[2:]
    return found


def _within(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... for each group of so many."""
    ends = np.cumsum(number)
    found: NDArray[np.int64] = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - number, number)
    return found


@dataclass(frozen=True)
class Wave:
    """Some of the people told at one time: which audience, how many, on which channels, so many minutes after publication."""

    number: int
    audience: str
    people: int
    channels: Mapping[str, int]
    after_min: float


def finish_s(waves: Sequence[Wave], rates: Mapping[str, float]) -> float:
    """Seconds after publication until the last letter has left, each channel sending at its rate, waves in order."""
    free: dict[str, float] = {}
    for wave in sorted(waves, key=lambda each: each.number):
        for channel, number in wave.channels.items():
            start = max(free.get(channel, 0.0), 60.0 * wave.after_min)
            free[channel] = start + number / rates.get(channel, math.inf)
    return max(free.values(), default=0.0)
