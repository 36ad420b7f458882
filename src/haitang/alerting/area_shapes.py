"""Shapes of warning areas: into CAP polygons, back, and simplified outwards for channels that take few points.

Shapes are shapely geometries in WGS 84 degrees, x = longitude; CAP writes latitude first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from shapely import affinity
from shapely.geometry import LinearRing, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from haitang.alerting.cap_model import Area
from haitang.alerting.cap_values import Point as LatLon
from haitang.alerting.cap_values import circle, polygon, polygon_text

M_PER_DEGREE = 111_320.0
# Five decimals round by half a metre; the border is moved out by more than that before it is written.
ROUNDING_M = 2.0


@dataclass(frozen=True, slots=True)
class Simplified:
    """An outward simplification: it covers the whole original and `over` times the original's area besides."""

    shape: Polygon
    over: float


def crosses_itself(points: list[LatLon]) -> bool:
    """True where a closed ring of (lat, lon) crosses or touches itself. O(n log n), so 41,000 points are no burden."""
    distinct = [points[0], *(after for before, after in pairwise(points) if after != before)]
    if len(distinct) < 4:
        return True
    return not LinearRing([(lon, lat) for lat, lon in distinct]).is_simple


def polygons_of(shape: BaseGeometry) -> list[Polygon]:
    """The polygons of a polygon, multi-polygon or collection; holes are filled, since CAP has none."""
    parts = shape.geoms if hasattr(shape, "geoms") else [shape]
    return [Polygon(part.exterior) for part in parts if isinstance(part, Polygon) and not part.is_empty]


def to_cap(shape: BaseGeometry, max_points: int = 100) -> tuple[str, ...]:
    """A shape as CAP polygons of at most `max_points` points each, closed; a long border is simplified outwards."""
    texts = []
    for part in polygons_of(shape):
        outline = part if len(part.exterior.coords) <= max_points else simplify_outward(part, max_points).shape
        texts.append(polygon_text(_closed([(lat, lon) for lon, lat, *_ in outline.exterior.coords])))
    return tuple(texts)


def _closed(points: list[LatLon]) -> list[LatLon]:
    return points if points[0] == points[-1] else [*points, points[0]]


def from_cap(area: Area) -> BaseGeometry | None:
    """The union of an area's readable polygons and circles; None where there is nothing readable."""
    shapes: list[BaseGeometry] = []
    for text in area.polygons:
        points = polygon(text)
        if points and len(points) >= 4:
            shape = Polygon([(lon, lat) for lat, lon in points])
            shapes.append(shape if shape.is_valid else shape.buffer(0))
    for text in area.circles:
        found = circle(text)
        if found and found.radius_km > 0 and abs(found.lat) < 89:
            shapes.append(_disc(found.lat, found.lon, found.radius_km * 1000))
    union = unary_union(shapes) if shapes else None
    return union if union is not None and not union.is_empty else None


def _disc(lat: float, lon: float, radius_m: float) -> BaseGeometry:
    dy = radius_m / M_PER_DEGREE
    return affinity.scale(Point(lon, lat).buffer(1.0, quad_segs=16), dy / math.cos(math.radians(lat)), dy)


def simplify_outward(shape: Polygon, max_points: int = 100) -> Simplified:
    """Cover a polygon by one of at most `max_points` points (closing point counted), never cutting anything off.

    Works in metres on a local plane, which is an affine map, so covering there is covering on the ground. Douglas-Peucker
    with tolerance t moves the border by at most t; growing by t afterwards restores what it cut. t grows until few enough
    points are left; the bounding box ends the search.
    """
    if max_points < 5:
        raise ValueError(f"an outward simplification needs at least 5 points (a closed box), got {max_points}")
    west, south, east, north = shape.bounds
    lat0 = (south + north) / 2
    kx, ky = M_PER_DEGREE * math.cos(math.radians(lat0)), M_PER_DEGREE
    plane = Polygon(affinity.affine_transform(shape, [kx, 0, 0, ky, 0, 0]).exterior)
    tolerance = 5.0
    limit = max((east - west) * kx, (north - south) * ky)
    found: Polygon | None = None
    while tolerance < limit and found is None:
        grown = plane.simplify(tolerance).buffer(tolerance + ROUNDING_M, join_style="mitre", mitre_limit=4.0)
        candidate = grown.simplify(tolerance / 4).buffer(tolerance / 4, join_style="mitre", mitre_limit=4.0)
        for outline in (grown, candidate):
            parts = polygons_of(outline)
            if len(parts) == 1 and len(parts[0].exterior.coords) <= max_points and parts[0].covers(plane):
                found = parts[0]
                break
        tolerance *= 1.5
    if found is None:
        hull = plane.envelope.buffer(ROUNDING_M, join_style="mitre")
        found = hull if isinstance(hull, Polygon) else Polygon(hull.convex_hull)
    back = affinity.affine_transform(found, [1 / kx, 0, 0, 1 / ky, 0, 0])
    return Simplified(back, found.area / plane.area - 1 if plane.area else 0.0)


def as_multi(shape: BaseGeometry) -> MultiPolygon:
    """All polygons of a shape as one multi-polygon."""
    return MultiPolygon(polygons_of(shape))
