"""Shapes are read from every usual text, and a bad one is refused with a remedy. Issue 2 sections 2 and 6."""

from __future__ import annotations

import json

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from haitang.geo.shapes import GeometryError, area_km2, around, buffer_m, distances_m, parse, to_degrees, to_metres

POINT = shapely.Point(121.4, 31.6)
degrees = st.tuples(st.floats(-170, 170), st.floats(-80, 80))


@pytest.mark.parametrize(
    "value",
    [
        POINT,
        POINT.wkb,
        "POINT (121.4 31.6)",
        "SRID=4326;POINT (121.4 31.6)",
        "121.4, 31.6",
        "121.4，31.6",
        '{"type": "Point", "coordinates": [121.4, 31.6]}',
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [121.4, 31.6]}},
        "POINT Z (121.4 31.6 4.2)",
    ],
)
def test_every_usual_form_is_read(value: object) -> None:
    assert parse(value).equals_exact(POINT, 0)
    assert not parse(value).has_z


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("POINT (632867 3498349)", "convert projected coordinates"),
        ("31.6, 121.4", "longitude before latitude"),
        ("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))", "Self-intersection.*Fix geometries"),
        ("POLYGON EMPTY", "empty"),
        ("nowhere", "give GeoJSON, WKT"),
        (b"\x00\x01", "give GeoJSON, WKT"),
        ("{}", "give GeoJSON, WKT"),
        ('{"type": "Point", "coordinates": ["a", 1]}', "give GeoJSON, WKT"),
        ('{"type": "FeatureCollection", "features": []}', "exactly one"),
        ("SRID=3857;POINT (1 1)", "SRID=3857"),
        ("LINESTRING (1 1, inf 2)", "finite"),
        (7, "int is not a geometry"),
    ],
)
def test_a_bad_shape_is_refused_with_the_remedy(value: object, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        parse(value)


def test_a_shape_of_another_kind_is_refused() -> None:
    with pytest.raises(GeometryError, match="only Polygon, MultiPolygon is taken"):
        parse(POINT, kinds=("Polygon", "MultiPolygon"))


def test_a_shape_with_absurdly_many_points_is_refused() -> None:
    with pytest.raises(GeometryError, match="simplify"):
        parse(shapely.LineString([(k % 100, (k // 100) % 80) for k in range(500_001)]))


@given(degrees, degrees)
def test_distances_are_those_of_the_ellipsoid(here: tuple[float, float], there: tuple[float, float]) -> None:
    expected = Geod(ellps="WGS84").inv(*here, *there)[2]
    if expected < 10_000_000:  # the projection is told to be exact from its centre; beyond half the globe nobody asks
        assert distances_m(shapely.points([there]), *here)[0] == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(st.floats(-179, 179), st.floats(-88, 88), st.floats(1, 500_000), st.floats(0, 360))
def test_the_box_around_holds_the_circle(lon: float, lat: float, radius_m: float, azimuth: float) -> None:
    west, south, east, north = around(lon, lat, radius_m)
    x, y, _back = Geod(ellps="WGS84").fwd(lon, lat, azimuth, radius_m)
    assert south <= y <= north
    assert west <= x <= east


def test_a_buffer_is_metres_wide() -> None:
    assert area_km2(buffer_m(POINT, 1000)) == pytest.approx(3.1365, rel=1e-3)  # a 64-gon of radius 1 km


def test_metres_and_back() -> None:
    square = shapely.box(121.0, 31.0, 121.5, 31.5)
    assert to_degrees(to_metres(square, 121.2, 31.2), 121.2, 31.2).equals_exact(square, 1e-9)


def test_area_is_that_of_the_ellipsoid() -> None:
    """One degree square at the equator, from the ellipsoid's own formula: 12,308.8 km²."""
    assert area_km2(shapely.box(0, 0, 1, 1)) == pytest.approx(12_308.778, abs=0.01)


def test_geojson_text_with_one_feature_is_read() -> None:
    text = json.dumps(
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(POINT)}],
        }
    )
    assert parse(text).equals(POINT)
