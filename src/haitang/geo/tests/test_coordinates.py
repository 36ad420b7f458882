"""Coordinates of China convert by the published series and come back. Issue 2 section 2; requirement 2.1 (one map)."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from haitang.geo import coordinates as c

# lat, lon in WGS-84, lat, lon in GCJ-02: the test vectors of eviltransform.
GCJ = [
    (31.1774276, 121.5272106, 31.17530398364597, 121.531541859215),
    (22.543847, 113.912316, 22.540796131694766, 113.9171764808363),
    (39.911954, 116.377817, 39.91334545536069, 116.38404722455657),
]
# The example values of wandergis/coordtransform: GCJ-02 to BD-09 at one point, and the one-step inverse at the same.
# (eviltransform's own Baidu vectors come from a wrong constant, pi for 3000 pi / 180, and are 40 m off.)
AT = (116.404, 39.915)
TO_BD = (116.41036949371029, 39.92133699351021)
FROM_BD = (116.39762729119315, 39.90865673957631)
in_china = st.tuples(st.floats(74, 134), st.floats(4, 53))


@pytest.mark.parametrize(("lat", "lon", "gcj_lat", "gcj_lon"), GCJ)
def test_gcj02_agrees_with_the_published_vectors(lat: float, lon: float, gcj_lat: float, gcj_lon: float) -> None:
    assert c.wgs84_to_gcj02(lon, lat) == pytest.approx((gcj_lon, gcj_lat), abs=1e-9)


def test_bd09_agrees_with_the_published_example() -> None:
    assert c.gcj02_to_bd09(*AT) == pytest.approx(TO_BD, abs=1e-9)


def test_bd09_inverse_is_the_published_one_within_its_own_error() -> None:
    """The published inverse takes the offset at the shifted point; ours iterates. They differ by centimetres."""
    assert c.bd09_to_gcj02(*AT) == pytest.approx(FROM_BD, abs=2e-6)


@given(in_china)
def test_gcj02_comes_back_to_a_tenth_of_a_millimetre(point: tuple[float, float]) -> None:
    back = c.gcj02_to_wgs84(*c.wgs84_to_gcj02(*point))
    assert back == pytest.approx(point, abs=1e-9)


@given(in_china)
def test_bd09_comes_back_to_a_tenth_of_a_millimetre(point: tuple[float, float]) -> None:
    assert c.bd09_to_wgs84(*c.wgs84_to_bd09(*point)) == pytest.approx(point, abs=1e-9)


@given(in_china)
def test_the_shift_is_never_more_than_some_hundred_metres(point: tuple[float, float]) -> None:
    moved = c.wgs84_to_gcj02(*point)
    metres = Geod(ellps="WGS84").inv(*point, float(moved[0]), float(moved[1]))[2]
    assert 0 < metres < 1500


@pytest.mark.parametrize("point", [(2.35, 48.85), (153.0251, -27.4698), (-104.9903, 39.7392), (0.0, 0.0)])
def test_points_outside_china_stay(point: tuple[float, float]) -> None:
    assert tuple(map(float, c.wgs84_to_gcj02(*point))) == point
    assert tuple(map(float, c.gcj02_to_wgs84(*point))) == point


def test_arrays_and_single_values_give_the_same() -> None:
    lon, lat = np.array([121.4, 121.8]), np.array([31.6, 31.4])
    together = c.wgs84_to_gcj02(lon, lat)
    assert together[0][1] == c.wgs84_to_gcj02(121.8, 31.4)[0]
    assert together[1].shape == (2,)


@pytest.mark.parametrize(("lon", "zone"), [(121.4, 40), (121.49, 40), (121.51, 41), (75.0, 25), (135.0, 45)])
def test_the_zone_is_the_one_with_the_nearest_meridian(lon: float, zone: int) -> None:
    assert c.zone_of(lon) == zone


def test_northing_on_the_meridian_is_the_length_of_the_meridian() -> None:
    """An oracle that knows no Gauss-Krüger: the geodesic from the equator on GRS 80."""
    east, north = c.to_gauss_kruger(120.0, 31.6)
    assert east == pytest.approx(40_500_000.0, abs=1e-6)
    assert north == pytest.approx(Geod(ellps="GRS80").inv(120, 0, 120, 31.6)[2], abs=1e-3)


@given(st.floats(119, 123), st.floats(20, 45))
def test_gauss_kruger_comes_back_to_a_millimetre(lon: float, lat: float) -> None:
    east, north = c.to_gauss_kruger(lon, lat, 40)
    assert c.from_gauss_kruger(east, north) == pytest.approx((lon, lat), abs=1e-8)
    assert c.from_gauss_kruger(east - 40e6, north, 40) == pytest.approx((lon, lat), abs=1e-8)


def test_a_district_across_two_zones_stays_in_one_system() -> None:
    east, _north = c.to_gauss_kruger([121.2, 121.6], [31.6, 31.6])
    assert set(np.floor(east / 1e6)) == {40.0}


def test_an_easting_without_zone_is_refused_with_the_remedy() -> None:
    with pytest.raises(c.CoordinateError, match="give the zone"):
        c.from_gauss_kruger(632_867.5, 3_498_349.8)


def test_eastings_of_two_zones_are_refused() -> None:
    with pytest.raises(c.CoordinateError, match="40, 41"):
        c.from_gauss_kruger([40_632_867.5, 41_372_000.0], [3_498_349.8, 3_498_000.0])


def test_a_longitude_outside_china_has_no_zone() -> None:
    with pytest.raises(c.CoordinateError, match=r"31\.6"):
        c.zone_of(31.6)


def test_shapes_convert_with_all_their_points() -> None:
    square = shapely.box(121.0, 31.0, 121.1, 31.1)
    moved = c.convert_shapes(square, "wgs84", "gcj02")
    assert not moved.equals(square)
    assert c.convert_shapes(moved, "gcj02", "wgs84").equals_exact(square, 1e-9)


def test_an_unknown_system_is_named() -> None:
    with pytest.raises(c.CoordinateError, match="'wgs-84'"):
        c.convert(121.0, 31.0, "wgs-84", "gcj02")
