"""A forecast on a grid, as CSV or GeoJSON, and where it exceeds which colour's threshold. Pure.

CSV: columns lat, lon, value (any order, any further columns), one row a point, points on a regular grid. GeoJSON: points
with a number in the property `value` (or the only number there is), or polygons with it.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape as geometry_of
from shapely.geometry.base import BaseGeometry

from haitang.alerting.colours import Colour

MOST_CELLS: Final = 200_000
_LAT: Final = ("lat", "latitude", "纬度", "y")
_LON: Final = ("lon", "lng", "longitude", "经度", "x")
_VALUE: Final = ("value", "val", "数值", "值")


class GridError(ValueError):
    """A grid that cannot be read; `row` counts from 1, 0 for the whole."""

    def __init__(self, rule: str, row: int = 0, value: object = None) -> None:
        self.row, self.rule, self.value = row, rule, value
        where = f"row {row}: " if row else ""
        super().__init__(f"{where}{rule}" + (f" ({value!r})" if value is not None else ""))


@dataclass(frozen=True)
class Grid:
    """Cells with a value each."""

    cells: NDArray[np.object_]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)


def read(data: bytes) -> Grid:
    """Read a grid. Raises GridError naming row, value and rule."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GridError("the file is not UTF-8") from error
    return _geojson(text) if text.lstrip()[:1] == "{" else _csv(text)


def _number(text: Any, row: int, low: float = -math.inf, high: float = math.inf) -> float:
    try:
        found = float(text)
    except (TypeError, ValueError):
        raise GridError("is no number", row, text) from None
    if not math.isfinite(found) or not low <= found <= high:
        raise GridError(f"lies outside {low:g} to {high:g}", row, text)
    return found


def _csv(text: str) -> Grid:
    rows = csv.reader(io.StringIO(text))
    head = [name.strip().lower() for name in next(rows, [])]
    columns = []
    for names in (_LAT, _LON, _VALUE):
        found = next((head.index(name) for name in names if name in head), None)
        if found is None:
            raise GridError(f"needs a column {names[0]}; found {', '.join(head)[:100] or 'none'}")
        columns.append(found)
    points: list[tuple[float, float, float]] = []
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(columns):
            raise GridError("has too few columns", number)
        if len(points) >= MOST_CELLS:
            raise GridError(f"has more than {MOST_CELLS} points")
        lat, lon, value = (row[column].strip() for column in columns)
        if value:  # an empty value is a hole in the forecast
            points.append((_number(lat, number, -89, 89), _number(lon, number, -180, 180), _number(value, number)))
    return _cells(points)


def _cells(points: Sequence[tuple[float, float, float]]) -> Grid:
    """A cell around each point of a regular grid, as wide and high as the least step between points."""
    if not points:
        raise GridError("holds no value")
    made = np.asarray(points)
    dy, dx = _step(made[:, 0]), _step(made[:, 1])
    if dy is None and dx is None:
        raise GridError("a single point is no grid")
    dy, dx = dy or dx or 0.0, dx or dy or 0.0
    lat, lon = made[:, 0], made[:, 1]
    boxes = shapely.box(lon - dx / 2, lat - dy / 2, lon + dx / 2, lat + dy / 2)
    return Grid(boxes, made[:, 2])


def _step(axis: NDArray[np.float64]) -> float | None:
    steps = np.diff(np.unique(np.round(axis, 6)))
    return float(steps.min()) if len(steps) else None


def _geojson(text: str) -> Grid:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GridError(f"is no JSON: {error}"[:200]) from error
    features = found.get("features") if isinstance(found, dict) else None
    if not isinstance(features, list) or not features:
        raise GridError("holds no features")
    if len(features) > MOST_CELLS:
        raise GridError(f"has more than {MOST_CELLS} features")
    points, cells, values = [], [], []
    for number, feature in enumerate(features, 1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        value = _number(_value(properties or {}), number)
        try:
            shape: Any = geometry_of(feature["geometry"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, shapely.errors.ShapelyError) as error:
            raise GridError("has no geometry that can be read", number) from error
        if shape.geom_type == "Point" and not shape.is_empty:
            points.append((_number(shape.y, number, -89, 89), _number(shape.x, number, -180, 180), value))
        elif shape.geom_type in ("Polygon", "MultiPolygon") and not shape.is_empty:
            cells.append(shape if shape.is_valid else shape.buffer(0))
            values.append(value)
        else:
            raise GridError("is neither a point nor a polygon", number, shape.geom_type)
    if points and cells:
        raise GridError("mixes points and polygons")
    return _cells(points) if points else Grid(np.asarray(cells, dtype=object), np.asarray(values))


def _value(properties: Mapping[str, Any]) -> Any:
    for name in _VALUE:
        if name in properties:
            return properties[name]
    numbers = [v for v in properties.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    return numbers[0] if len(numbers) == 1 else None


def areas(grid: Grid, thresholds: Mapping[Colour, float], *, below: bool = False) -> dict[Colour, BaseGeometry]:
    """For each colour the area at or above its threshold (`below`: at or below), less what is graver; empty ones left out."""
    made: dict[Colour, BaseGeometry] = {}
    taken = np.zeros(len(grid), dtype=bool)
    for colour in sorted(thresholds, key=lambda one: -one.rank):
        limit = thresholds[colour]
        over = (grid.values <= limit if below else grid.values >= limit) & ~taken
        taken |= over
        if over.any():
            made[colour] = shapely.union_all(grid.cells[over])
    return made


def colour_places(
    found: Mapping[Colour, BaseGeometry], places: Mapping[str, BaseGeometry], *, share: float = 0.05
) -> dict[str, Colour]:
    """The gravest colour that covers at least `share` of a place's ground, for each place that has one."""
    made: dict[str, Colour] = {}
    for code, outline in places.items():
        above = 0.0
        for colour in sorted(found, key=lambda one: -one.rank):
            # What is graver covers a lesser colour's threshold, too.
            above += found[colour].intersection(outline).area
            if outline.area and above / outline.area >= share:
                made[code] = colour
                break
    return made
