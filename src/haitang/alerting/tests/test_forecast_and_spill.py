"""3.4.2: from a gridded forecast to coloured townships; and what few points or whole townships cost in people."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from haitang.alerting.colours import Colour
from haitang.alerting.forecast_grid import GridError, areas, colour_places, read
from haitang.alerting.spill import Home, compare, people_in, points, simplified

CSV = "lat,lon,value\n" + "\n".join(
    f"{31 + y / 10:.1f},{121 + x / 10:.1f},{x * 10}" for y in range(5) for x in range(9)
)
STEPS = {Colour.RED: 70.0, Colour.ORANGE: 50.0, Colour.YELLOW: 30.0}


def test_a_csv_grid_becomes_areas_by_colour_that_do_not_overlap():
    found = areas(read(CSV.encode()), STEPS)
    assert list(found) == [Colour.RED, Colour.ORANGE, Colour.YELLOW]
    assert found[Colour.RED].bounds == pytest.approx((121.65, 30.95, 121.85, 31.45))
    assert found[Colour.RED].intersection(found[Colour.ORANGE]).area == pytest.approx(0)


def test_columns_may_stand_in_any_order_and_holes_are_left_out():
    text = "站名,数值,经度,纬度\n甲,5,121.0,31.0\n乙,,121.1,31.0\n丙,9,121.2,31.0\n"
    grid = read(("\ufeff" + text).encode())
    assert sorted(grid.values) == [5, 9]


def test_geojson_points_and_cells_say_the_same():
    cells = [(x, y, x * 10) for y in range(5) for x in range(9)]
    as_points = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"rain_mm": v}, "geometry": {"type": "Point", "coordinates": [121 + x / 10, 31 + y / 10]}}
        for x, y, v in cells]}  # fmt: skip
    as_cells = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"value": v, "other": 1}, "geometry": json.loads(shapely.to_geojson(shapely.box(120.95 + x / 10, 30.95 + y / 10, 121.05 + x / 10, 31.05 + y / 10)))}
        for x, y, v in cells]}  # fmt: skip
    first, second = (areas(read(json.dumps(one).encode()), STEPS) for one in (as_points, as_cells))
    for colour in first:
        assert first[colour].symmetric_difference(second[colour]).area < 1e-6


def test_the_lower_the_graver_for_visibility():
    found = areas(read(CSV.encode()), {Colour.RED: 10, Colour.ORANGE: 30}, below=True)
    assert found[Colour.RED].bounds[2] < found[Colour.ORANGE].bounds[2]


def test_a_township_has_the_gravest_colour_that_covers_enough_of_it():
    east, west, far = (
        shapely.box(121.6, 31, 121.8, 31.4),
        shapely.box(121.2, 31, 121.56, 31.4),
        shapely.box(100, 20, 101, 21),
    )
    found = colour_places(areas(read(CSV.encode()), STEPS), {"e": east, "w": west, "f": far})
    assert found == {"e": Colour.RED, "w": Colour.ORANGE}
    assert colour_places(areas(read(CSV.encode()), STEPS), {"w": west}, share=0.6) == {"w": Colour.YELLOW}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "column lat"), (b"a,b\n1,2", "column lat"), (b"lat,lon,value\n", "no value"), (b"lat,lon,value\n31,121,5", "single point"),
        (b"lat,lon,value\n95,121,5\n", "row 2"), (b"lat,lon,value\n31,121,x\n", "row 2"), (b"lat,lon,value\n31\n", "row 2"),
        (b"lat,lon,value\n31,121,nan\n", "row 2"), (b"{", "JSON"), (b'{"features": []}', "no features"), (b'{"features": [1]}', "row 1"),
        (b'{"features": [{"properties": {"value": 1}, "geometry": null}]}', "row 1"),
        (b'{"features": [{"properties": {"value": 1}, "geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}]}', "row 1"),
        (b"\xff\xfe", "UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_grid_is_refused_with_row_and_rule(data, words):
    with pytest.raises(GridError, match=words):
        read(data)


_ring = st.lists(st.floats(0.2, 1), min_size=5, max_size=400)


@given(_ring)
def test_an_outward_simplification_misses_nobody(radii):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    shape = shapely.Polygon(
        [(121.5 + r * np.cos(a) / 5, 31.3 + r * np.sin(a) / 5) for r, a in zip(radii, angles, strict=True)]
    )
    told = simplified(shape.buffer(0))
    homes = [Home(shapely.box(121, 31, 121.5, 31.6), 10_000), Home(shapely.box(121.5, 31, 122, 31.6), 50_000)]
    found = compare(shape.buffer(0), told, homes)
    assert found.under == 0 and found.over >= 0
    assert points(told) <= 100 or len(shapely.get_parts(told)) > 1


def test_people_are_counted_by_share_of_ground():
    homes = [Home(shapely.box(0, 0, 1, 1), 1000), Home(shapely.box(1, 0, 2, 1), 200)]
    assert people_in(shapely.box(0.5, 0, 1.5, 1), homes) == 600
    found = compare(shapely.box(0, 0, 1, 1), shapely.box(0, 0, 2, 1), homes)
    assert (found.people, found.over, found.under) == (1000, 200, 0) and found.over_km2 > 10_000
