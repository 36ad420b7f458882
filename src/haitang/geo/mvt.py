"""Mapbox vector tiles from arrays: choose, clip, simplify, encode. Pure.

Nothing is cut off by a limit. Where more rows fall on a pixel than anybody can see, the one with the smallest rank stands
for them and carries `point_count`, how many it stands for; the counts of a tile's features add up to its rows.

Encoded here and not with mapbox-vector-tile, because a tile of 5,000 points takes that library 93 ms, most of it per-feature
Python; here the numbers of a layer are turned to bytes in one sweep. The library reads the tiles in the tests.
Source: Mapbox Vector Tile Specification 2.1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EXTENT = 4096
# How far a tile reaches over its edge, so that outlines and symbols are not cut: 1/64 of its side, 8 px.
BUFFER = 64
# Points in one square of this side stand for one another: 1/64 of a tile, 8 px of a tile shown at 512, a symbol's width.
POINT_CELL = 64
# Lines and areas that fit into a square of this side do: 2 px.
SHAPE_CELL = 16
# Half a pixel of a tile shown at 512.
HALF_PIXEL = 4
MAX_ZOOM = 22
MAX_LATITUDE = 85.051_128_779_806_6


class TileError(ValueError):
    """A tile that does not exist."""


@dataclass(frozen=True)
class Tile:
    """A tile of the Web-Mercator pyramid."""

    z: int
    x: int
    y: int

    def __post_init__(self) -> None:
        if not 0 <= self.z <= MAX_ZOOM:
            raise TileError(f"Zoom {self.z} is not 0 to {MAX_ZOOM}.")
        side = 1 << self.z
        if not (0 <= self.x < side and 0 <= self.y < side):
            raise TileError(f"Tile {self.x}, {self.y} does not exist at zoom {self.z}: both are 0 to {side - 1}.")

    def bounds(self, buffer: float = BUFFER / EXTENT) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees, widened by `buffer` sides."""
        side = 1 << self.z
        west, east = ((self.x + d) / side * 360 - 180 for d in (-buffer, 1 + buffer))
        north, south = (_latitude((self.y + d) / side) for d in (-buffer, 1 + buffer))
        return max(west, -180.0), south, min(east, 180.0), north

    def units(self, lon: ArrayLike, lat: ArrayLike) -> Floats:
        """Tile units (n, 2), x to the east and y to the south, 0 to 4096 inside the tile."""
        side = 1 << self.z
        radians = np.radians(np.clip(np.asarray(lat, dtype=np.float64), -MAX_LATITUDE, MAX_LATITUDE))
        x = (np.asarray(lon, dtype=np.float64) + 180) / 360
        y = (1 - np.arcsinh(np.tan(radians)) / math.pi) / 2
        return np.column_stack(((x * side - self.x) * EXTENT, (y * side - self.y) * EXTENT))


def _latitude(share: float) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * min(max(share, 0.0), 1.0)))))


@dataclass(frozen=True)
class Chosen:
    """Which rows a tile shows: their indices, and how many rows each stands for."""

    rows: Integers
    counts: Integers


def choose(tile: Tile, west: ArrayLike, south: ArrayLike, east: ArrayLike, north: ArrayLike, rank: ArrayLike) -> Chosen:
    """Thin rows given by their envelopes (degrees): of those that fall into one cell the one of least rank is kept.

    A line or area larger than a cell is always kept. Costs one sort.
    """
    low, high = tile.units(west, north), tile.units(east, south)
    size = (high - low).max(axis=1, initial=0.0)
    ranks = np.asarray(rank)
    parts = [(large := np.flatnonzero(size >= SHAPE_CELL), np.ones(len(large), dtype=np.int64))]
    for cell, rows in (
        (POINT_CELL, np.flatnonzero(size == 0)),
        (SHAPE_CELL, np.flatnonzero((size > 0) & (size < SHAPE_CELL))),
    ):
        place = np.floor((low[rows] + high[rows]) / (2 * cell)).astype(np.int64)
        key = place[:, 0] * (1 << 20) + place[:, 1]
        order = np.lexsort((ranks[rows], key))
        first = np.ones(len(order), dtype=bool)
        first[1:] = key[order][1:] != key[order][:-1]
        starts = np.flatnonzero(first)
        parts.append((rows[order[starts]], np.diff(np.append(starts, len(order)))))
    return Chosen(np.concatenate([rows for rows, _n in parts]), np.concatenate([n for _rows, n in parts]))


def encode(
    tile: Tile, name: str, shapes: NDArray[np.object_], ids: Sequence[Any], properties: Mapping[str, Sequence[Any]]
) -> bytes:
    """One layer of a tile as bytes. `shapes` in degrees; a property's value may be text, number, truth or None (left out).

    Shapes are projected, clipped to the buffered tile, simplified to half a pixel and snapped to whole units. What lies
    outside is left out; what is smaller than half a pixel is drawn half a pixel large, so that nothing vanishes.
    """
    ready = _prepare(tile, shapes)
    kept = np.flatnonzero(~(shapely.is_empty(ready) | shapely.is_missing(ready)))
    geometry = _geometries(ready[kept])
    # Snapping may leave a ring without area: no geometry, no feature.
    features = [k for k, (kind, _words) in enumerate(geometry) if kind]
    keys, values, tags = _tags([int(kept[k]) for k in features], properties)
    if not features:
        return b""
    body = bytearray(_field(15, 0) + _varint(2) + _text(1, name))
    blobs = _varints([words for kind, words in (geometry[k] for k in features)])
    tag_blobs = _varints(tags)
    for k, geometry_blob, tag_blob in zip(features, blobs, tag_blobs, strict=True):
        number = ids[int(kept[k])]
        feature = _field(1, 0) + _varint(number) if isinstance(number, int) and number >= 0 else b""
        if tag_blob:
            feature += _bytes(2, tag_blob)
        feature += _field(3, 0) + bytes((geometry[k][0],)) + _bytes(4, geometry_blob)
        body += _bytes(2, feature)
    for key in keys:
        body += _text(3, key)
    for value in values:
        body += _bytes(4, value)
    body += _field(5, 0) + _varint(EXTENT)
    return _bytes(3, bytes(body))


def _prepare(tile: Tile, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Projected, clipped, simplified, snapped to whole units."""
    projected: NDArray[np.object_] = shapely.transform(shapes, lambda xy: tile.units(xy[:, 0], xy[:, 1]))
    if len(projected) and (shapely.get_type_id(projected) == 0).all():
        inside = (shapely.get_x(projected) >= -BUFFER) & (shapely.get_x(projected) <= EXTENT + BUFFER)
        inside &= (shapely.get_y(projected) >= -BUFFER) & (shapely.get_y(projected) <= EXTENT + BUFFER)
        projected[~inside] = shapely.Point()
        return projected
    rough = shapely.simplify(_visible(projected), HALF_PIXEL, preserve_topology=True)
    clipped = shapely.clip_by_rect(rough, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    broken = ~shapely.is_valid(clipped)
    if broken.any():
        clipped[broken] = shapely.make_valid(clipped[broken])
    return np.asarray(shapely.set_precision(clipped, 1.0))


def _visible(projected: NDArray[np.object_]) -> NDArray[np.object_]:
    """Lines and areas smaller than half a pixel become a line or square of that size."""
    bounds = shapely.bounds(projected)
    tiny = (bounds[:, 2:] - bounds[:, :2] < HALF_PIXEL).all(axis=1) & (shapely.get_dimensions(projected) > 0)
    if not tiny.any():
        return projected
    west, north = np.floor(bounds[tiny, 0]), np.floor(bounds[tiny, 1])
    squares = shapely.box(west, north, west + HALF_PIXEL, north + HALF_PIXEL)
    sides = np.stack((np.column_stack((west, north)), np.column_stack((west + HALF_PIXEL, north + HALF_PIXEL))), axis=1)
    lines = np.asarray(shapely.linestrings(sides), dtype=object)
    projected = projected.copy()
    projected[tiny] = np.where(shapely.get_dimensions(projected[tiny]) == 2, np.asarray(squares), lines)
    return projected


def _geometries(shapes: NDArray[np.object_]) -> list[tuple[int, list[int]]]:
    """Type (1 points, 2 lines, 3 areas; 0 nothing) and the command words of each shape."""
    if len(shapes) and (shapely.get_type_id(shapes) == 0).all():
        xy = _zigzag(np.rint(shapely.get_coordinates(shapes)).astype(np.int64))
        return [(1, [9, x, y]) for x, y in xy.tolist()]
    return [_geometry(shape) for shape in shapes]


def _geometry(shape: Any) -> tuple[int, list[int]]:
    parts = shapely.get_parts(shape)
    dimensions = [int(d) for d in shapely.get_dimensions(parts)]
    # A clip may leave points and lines beside areas; a feature has one kind, the highest.
    if not dimensions or (highest := max(dimensions)) < 0:
        return 0, []
    chosen = [part for part, d in zip(parts, dimensions, strict=True) if d == highest]
    cursor = np.zeros(2, dtype=np.int64)
    words: list[int] = []
    if highest == 0:
        points = np.concatenate([shapely.get_coordinates(part) for part in chosen])
        xy = np.rint(points).astype(np.int64)
        return 1, [(len(xy) << 3) | 1, *_zigzag(np.diff(xy, axis=0, prepend=[[0, 0]])).ravel().tolist()]
    for part in chosen:
        if highest == 1:
            cursor = _path(words, np.rint(shapely.get_coordinates(part)).astype(np.int64), cursor, closed=False)
            continue
        for k, ring in enumerate(shapely.get_rings(part)):
            xy = np.rint(shapely.get_coordinates(ring)).astype(np.int64)[:-1]
            area = _twice_area(xy)
            if area == 0:
                if k == 0:
                    break
                continue
            # An outer ring has positive area in units (y to the south), a hole negative.
            if (area > 0) != (k == 0):
                xy = xy[::-1]
            cursor = _path(words, xy, cursor, closed=True)
    return (highest + 1, words) if words else (0, [])


def _path(words: list[int], xy: Integers, cursor: Integers, *, closed: bool) -> Integers:
    moved = np.ones(len(xy), dtype=bool)
    moved[1:] = (np.diff(xy, axis=0) != 0).any(axis=1)
    xy = xy[moved]
    if len(xy) < (3 if closed else 2):
        return cursor
    steps = _zigzag(np.diff(xy, axis=0, prepend=cursor[None])).tolist()
    words += [9, *steps[0], ((len(xy) - 1) << 3) | 2]
    for x, y in steps[1:]:
        words += (x, y)
    if closed:
        words.append(15)
    return np.asarray(xy[-1])


def _twice_area(xy: Integers) -> int:
    after = np.roll(xy, -1, axis=0)
    return int(np.sum(xy[:, 0] * after[:, 1] - after[:, 0] * xy[:, 1]))


def _zigzag(numbers: Integers) -> Integers:
    return (numbers << 1) ^ (numbers >> 63)


def _tags(rows: list[int], properties: Mapping[str, Sequence[Any]]) -> tuple[list[str], list[bytes], list[list[int]]]:
    """The layer's keys, its encoded values, and each feature's tags."""
    keys = list(properties)
    index: dict[tuple[type, Any], int] = {}
    values: list[bytes] = []
    tags: list[list[int]] = [[] for _row in rows]
    for number, key in enumerate(keys):
        column = properties[key]
        for tag, row in zip(tags, rows, strict=True):
            value = column[row]
            if value is None:
                continue
            # The type belongs to the identity: 1, 1.0 and True are equal, and are three values.
            identity = (type(value), value)
            known = index.get(identity)
            if known is None:
                known = index[identity] = len(values)
                values.append(_value(value))
            tag.extend((number, known))
    return keys, values, tags


def _value(value: Any) -> bytes:
    if isinstance(value, bool | np.bool_):
        return _field(7, 0) + _varint(int(value))
    if isinstance(value, int | np.integer):
        number = int(value)
        if number < 0:
            return _field(6, 0) + _varint((-number << 1) - 1)
        return _field(5, 0) + _varint(number)
    if isinstance(value, float | np.floating):
        return _field(3, 1) + struct.pack("<d", float(value))
    return _text(1, str(value))


def _varints(lists: Sequence[Sequence[int]]) -> list[bytes]:
    """Each list of words (not negative) as packed varints, all lists in one sweep."""
    lengths = np.array([len(words) for words in lists], dtype=np.int64)
    flat = np.fromiter((word for words in lists for word in words), dtype=np.uint64, count=int(lengths.sum()))
    if not len(flat):
        return [b""] * len(lists)
    groups = np.stack([(flat >> np.uint64(7 * k)) for k in range(10)], axis=1)
    present = groups > 0
    present[:, 0] = True
    more = np.zeros_like(present)
    more[:, :-1] = present[:, 1:]
    encoded = ((groups & np.uint64(0x7F)) | (more.astype(np.uint64) << np.uint64(7))).astype(np.uint8)
    sizes = present.sum(axis=1)
    data = encoded[present].tobytes()
    ends = np.concatenate(([0], np.cumsum(sizes)))[np.cumsum(lengths)].tolist()
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, wire: int) -> bytes:
    return _varint((number << 3) | wire)


def _bytes(number: int, content: bytes) -> bytes:
    return _field(number, 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())
