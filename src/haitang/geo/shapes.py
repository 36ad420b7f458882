"""Reading, checking and measuring shapes: shapely geometry in WGS-84 degrees, distances in metres. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from shapely.geometry import shape as from_mapping
from shapely.geometry.base import BaseGeometry

GEOD = Geod(ellps="WGS84")
# A hostile or careless import must not fill the memory: the coast of China at 1:250,000 has fewer points.
MAX_POINTS = 500_000
_METRES_PER_DEGREE = 111_195.0


class GeometryError(ValueError):
    """A shape that cannot be used; the message names the value, the rule and how to mend it.

    `template` and `params` stay apart, so that a page can say it in the reader's language.
    """

    def __init__(self, template: str, **params: object) -> None:
        self.template, self.params = template, params
        super().__init__(template % params)


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogue; this module knows no Django."""
    return text


def check(shape: BaseGeometry, kinds: Iterable[str] = ()) -> BaseGeometry:
    """The shape in two dimensions, once it is known to be valid, not empty, in range, and one of `kinds` (if any).

    Raises GeometryError.
    """
    if shape.is_empty:
        raise GeometryError(gettext_noop("The geometry is empty: give at least one point, or leave the field blank."))
    allowed = tuple(kinds)
    if allowed and shape.geom_type not in allowed:
        raise GeometryError(
            gettext_noop(
                "The geometry is a %(kind)s, but only %(allowed)s is taken here: draw or export that kind of shape."
            ),
            kind=shape.geom_type,
            allowed=", ".join(allowed),
        )
    points = int(shapely.get_num_coordinates(shape))
    if points > MAX_POINTS:
        raise GeometryError(
            gettext_noop("The geometry has %(points)s points, at most %(most)s are taken: simplify it first."),
            points=points,
            most=MAX_POINTS,
        )
    west, south, east, north = shape.bounds
    if not all(map(math.isfinite, (west, south, east, north))):
        raise GeometryError(gettext_noop("A coordinate is not a finite number: remove it or give degrees."))
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise GeometryError(
            gettext_noop(
                "The geometry reaches from %(from)s to %(to)s, but longitude is -180 to 180 and latitude -90 to 90: "
                "convert projected coordinates to WGS-84 degrees and write longitude before latitude."
            ),
            **{"from": f"{west:.6g}, {south:.6g}", "to": f"{east:.6g}, {north:.6g}"},
        )
    if not shape.is_valid:
        raise GeometryError(
            gettext_noop(
                "The geometry is not valid (%(reason)s): mend the ring there, for example with 'Fix geometries' in QGIS."
            ),
            reason=shapely.is_valid_reason(shape),
        )
    return shapely.force_2d(shape)


def parse(value: object, kinds: Iterable[str] = ()) -> BaseGeometry:
    """A checked shape from shapely, WKB bytes, GeoJSON (mapping or text), WKT or EWKT text, or "lon,lat" text.

    Raises GeometryError.
    """
    return check(_read(value), kinds)


def _read(value: object) -> BaseGeometry:
    if isinstance(value, BaseGeometry):
        return value
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            return shapely.from_wkb(bytes(value))
        if isinstance(value, Mapping):
            return _read_mapping(value)
        if isinstance(value, str):
            return _read_text(value.strip())
    except GeometryError:
        raise
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise GeometryError(
            gettext_noop(
                "The geometry %(value)s cannot be read (%(error)s): give GeoJSON, WKT, WKB or 'longitude,latitude'."
            ),
            value=_short(value),
            error=error,
        ) from error
    raise GeometryError(
        gettext_noop("A %(kind)s is not a geometry: give GeoJSON, WKT, WKB or 'longitude,latitude'."),
        kind=type(value).__name__,
    )


def _read_mapping(value: Mapping[str, Any]) -> BaseGeometry:
    if value.get("type") == "Feature":
        value = value["geometry"]
    elif value.get("type") == "FeatureCollection":
        features = value["features"]
        if len(features) != 1:
            raise GeometryError(
                gettext_noop("The FeatureCollection has %(count)s features: give exactly one."), count=len(features)
            )
        value = features[0]["geometry"]
    return from_mapping(dict(value))


def _read_text(text: str) -> BaseGeometry:
    if text.startswith("{"):
        loaded = json.loads(text)
        return _read_mapping(loaded)
    if text.upper().startswith("SRID="):
        srid, _, text = text.partition(";")
        if srid.upper() not in {"SRID=4326", "SRID=4490"}:
            raise GeometryError(
                gettext_noop("The geometry is in %(srid)s: convert it to WGS-84 degrees (SRID=4326)."), srid=srid
            )
    parts = text.replace("，", ",").split(",")
    if len(parts) == 2:
        try:
            return shapely.Point(float(parts[0]), float(parts[1]))
        except ValueError:
            pass
    return shapely.from_wkt(text)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@lru_cache(maxsize=256)
def _local(lon: float, lat: float) -> Transformer:
    return Transformer.from_crs(
        "EPSG:4326", f"+proj=aeqd +lat_0={lat!r} +lon_0={lon!r} +datum=WGS84 +units=m", always_xy=True
    )


def to_metres(shapes: Any, lon: float, lat: float) -> Any:
    """Shape or array of shapes, projected to metres around (lon, lat); distances from that point are true (aeqd)."""
    project = _local(lon, lat).transform
    return shapely.transform(shapes, lambda xy: np.column_stack(project(xy[:, 0], xy[:, 1])))


def to_degrees(shapes: Any, lon: float, lat: float) -> Any:
    """The inverse of `to_metres` for the same centre."""
    project = _local(lon, lat).transform
    return shapely.transform(shapes, lambda xy: np.column_stack(project(xy[:, 0], xy[:, 1], direction="INVERSE")))


def distances_m(shapes: NDArray[np.object_], lon: float, lat: float) -> NDArray[np.float64]:
    """Metres from (lon, lat) to each shape; nought inside a polygon."""
    return np.asarray(shapely.distance(to_metres(shapes, lon, lat), shapely.Point(0.0, 0.0)), dtype=np.float64)


def buffer_m(shape: BaseGeometry, radius_m: float) -> BaseGeometry:
    """The shape widened by metres, in degrees again. Accurate for shapes of up to a few hundred kilometres."""
    centre = shape.centroid
    wide = to_metres(shape, centre.x, centre.y).buffer(radius_m)
    back: BaseGeometry = to_degrees(wide, centre.x, centre.y)
    return back


def area_km2(shape: BaseGeometry) -> float:
    """Geodesic area on the WGS-84 ellipsoid, square kilometres."""
    return abs(float(GEOD.geometry_area_perimeter(shape)[0])) / 1e6


def around(lon: float, lat: float, radius_m: float) -> tuple[float, float, float, float]:
    """West, south, east, north of a box in degrees that surely holds the circle of `radius_m` metres."""
    high = min(radius_m * 1.01 / _METRES_PER_DEGREE, 180.0)
    south, north = max(lat - high, -90.0), min(lat + high, 90.0)
    narrowest = math.cos(math.radians(max(abs(south), abs(north))))
    wide = high / narrowest if narrowest > 1e-6 else 360.0
    if lon - wide < -180 or lon + wide > 180:  # the circle crosses the date line: look all the way round
        return -180.0, south, 180.0, north
    return lon - wide, south, lon + wide, north
