"""Vector tiles lose nothing: every row is drawn or counted. Issue 2 sections 4 and 6; requirement 2.1 (one map)."""

from __future__ import annotations

import math
from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.geo.mvt import BUFFER, EXTENT, Tile, TileError, choose, encode


def tile_at(z: int, lon: float, lat: float) -> Tile:
    side = 1 << z
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return Tile(z, int((lon + 180) / 360 * side), int(y * side))


def decode(data: bytes) -> Any:
    return mapbox_vector_tile.decode(data, default_options={"y_coord_down": True})


def test_the_one_tile_of_zoom_nought_is_the_world() -> None:
    assert Tile(0, 0, 0).bounds(0) == pytest.approx((-180, -85.0511287798, 180, 85.0511287798))
    assert Tile(0, 0, 0).units([0.0, 180.0], [0.0, 0.0]).tolist() == [[2048, 2048], [4096, 2048]]


@pytest.mark.parametrize(("z", "x", "y"), [(-1, 0, 0), (23, 0, 0), (2, 4, 0), (2, 0, -1)])
def test_a_tile_that_does_not_exist_is_refused(z: int, x: int, y: int) -> None:
    with pytest.raises(TileError):
        Tile(z, x, y)


@given(st.integers(0, 18), st.floats(-179.9, 179.9), st.floats(-85, 85))
def test_a_point_lies_in_its_tile(z: int, lon: float, lat: float) -> None:
    tile = tile_at(z, lon, lat)
    west, south, east, north = tile.bounds(0)
    assert west - 1e-9 <= lon <= east + 1e-9
    assert south - 1e-9 <= lat <= north + 1e-9
    x, y = tile.units([lon], [lat])[0]
    assert -1e-3 <= x <= EXTENT + 1e-3
    assert -1e-3 <= y <= EXTENT + 1e-3


def test_an_independent_reader_finds_points_lines_areas_and_their_properties() -> None:
    tile = tile_at(12, 121.4, 31.6)
    west, south, east, north = tile.bounds(0)

    def at(x: float, y: float) -> tuple[float, float]:
        return west + x * (east - west), south + y * (north - south)

    shapes = np.array(
        [
            shapely.Point(at(0.5, 0.5)),
            shapely.LineString([at(0.1, 0.1), at(0.9, 0.9)]),
            shapely.box(*at(0.2, 0.2), *at(0.8, 0.8)).difference(shapely.box(*at(0.4, 0.4), *at(0.6, 0.6))),
        ]
    )
    properties: dict[str, list[Any]] = {
        "name": ["点", "线", "面"],
        "level": [1, -2, 3.5],
        "is_demo": [True, False, None],
    }
    layer = decode(encode(tile, "all", shapes, [7, 8, 9], properties))["all"]
    assert layer["extent"] == 4096
    point, line, area = layer["features"]
    assert (point["id"], point["geometry"]["type"]) == (7, "Point")
    assert point["properties"] == {"name": "点", "level": 1, "is_demo": True}
    assert point["geometry"]["coordinates"] == pytest.approx([2048, 2048], abs=1)
    assert line["geometry"]["type"] == "LineString"
    assert line["properties"] == {"name": "线", "level": -2, "is_demo": False}
    assert area["properties"] == {"name": "面", "level": 3.5}
    ring = shapely.Polygon(*[area["geometry"]["coordinates"][0], area["geometry"]["coordinates"][1:]])
    assert ring.area == pytest.approx(EXTENT**2 * (0.36 - 0.04), rel=0.01)


def test_outer_rings_turn_clockwise_on_the_screen_and_holes_the_other_way() -> None:
    """MVT 2.1 section 4.3.3.3: positive area by the surveyor's formula in tile units for an outer ring."""
    tile = Tile(0, 0, 0)
    ring = shapely.box(-90, -45, 90, 45).difference(shapely.box(-10, -10, 10, 10))
    for shape in (ring, ring.reverse()):
        outer, hole = decode(encode(tile, "a", np.array([shape]), [1], {}))["a"]["features"][0]["geometry"][
            "coordinates"
        ]
        assert shapely.LinearRing(outer).is_ccw  # y to the south turns the sense round
        assert not shapely.LinearRing(hole).is_ccw


def test_shapes_are_clipped_to_the_buffer() -> None:
    tile = tile_at(14, 121.4, 31.6)
    feature = decode(encode(tile, "a", np.array([shapely.box(121, 31, 122, 32)]), [1], {}))["a"]["features"][0]
    xy = np.array(feature["geometry"]["coordinates"][0])
    assert xy.min() == -BUFFER
    assert xy.max() == EXTENT + BUFFER


def test_what_is_too_small_to_see_is_still_drawn() -> None:
    tile = tile_at(6, 121.4, 31.6)
    shapes = np.array(
        [shapely.box(121.4, 31.6, 121.4001, 31.6001), shapely.LineString([(121.5, 31.5), (121.5001, 31.5)])]
    )
    kinds = [f["geometry"]["type"] for f in decode(encode(tile, "a", shapes, [1, 2], {}))["a"]["features"]]
    assert kinds == ["Polygon", "LineString"]


def test_an_empty_tile_has_no_bytes() -> None:
    assert encode(Tile(5, 0, 0), "a", np.array([shapely.Point(121, 31)]), [1], {"name": ["x"]}) == b""


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.integers(4, 14))
def test_every_row_is_drawn_or_counted(seed: int, z: int) -> None:
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(121.1, 122.0, 500), rng.uniform(31.2, 31.9, 500)
    size = rng.choice([0.0, 0.001, 0.05], 500)
    chosen = choose(tile_at(z, 121.5, 31.5), lon, lat, lon + size, lat + size, rng.permutation(500))
    assert chosen.counts.sum() == 500
    assert len(np.unique(chosen.rows)) == len(chosen.rows)


def test_the_smallest_rank_stands_for_its_neighbours() -> None:
    lon = np.array([121.4, 121.4, 121.4, 121.9])
    lat = np.full(4, 31.6)
    chosen = choose(tile_at(8, 121.4, 31.6), lon, lat, lon, lat, [5, 1, 3, 9])
    assert sorted(zip(chosen.rows.tolist(), chosen.counts.tolist(), strict=True)) == [(1, 3), (3, 1)]


def test_areas_are_thinned_only_where_they_are_a_pixel_or_two() -> None:
    tile = tile_at(12, 121.4, 31.6)
    west, south, east, north = tile.bounds(0)
    step = (east - west) / 4096
    lon = west + step * (1000 + 6 * np.arange(4))
    lat = np.full(4, (south + north) / 2)
    assert len(choose(tile, lon, lat, lon + 5 * step, lat, np.arange(4)).rows) < 4
    assert len(choose(tile, lon, lat, lon + 17 * step, lat, np.arange(4)).rows) == 4


def test_a_hundred_thousand_points_in_one_tile_leave_no_white_patch() -> None:
    """A limit in the order of the index once left the eastern half of a tile empty."""
    rng = np.random.default_rng(1)
    tile = tile_at(7, 121.5, 31.55)
    west, south, east, north = tile.bounds(0)
    lon, lat = rng.uniform(west, east, 100_000), rng.uniform(south, north, 100_000)
    chosen = choose(tile, lon, lat, lon, lat, np.arange(100_000))
    points = np.asarray(shapely.points(lon[chosen.rows], lat[chosen.rows]))
    features = decode(encode(tile, "a", points, chosen.rows.tolist(), {"point_count": chosen.counts.tolist()}))["a"][
        "features"
    ]
    assert sum(f["properties"]["point_count"] for f in features) == 100_000
    xy = np.array([f["geometry"]["coordinates"] for f in features])
    table = np.histogram2d(xy[:, 0], xy[:, 1], bins=32, range=[[0, EXTENT], [0, EXTENT]])[0]
    assert table.min() > 0
