"""Who is inside a warned area, exactly, at any size (issue 3, "Target")."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

from haitang.alerting import targeting
from haitang.alerting.targeting import Wave


def star(vertices: int, seed: int, x: float = 121.5, y: float = 31.5, radius: float = 0.3) -> Polygon:
    """A ragged area around a point."""
    draw = random.Random(seed)
    turn = sorted(draw.uniform(0, 2 * math.pi) for _ in range(vertices))
    far = [radius * draw.uniform(0.4, 1.0) for _ in turn]
    return Polygon([(x + r * math.cos(a), y + r * math.sin(a)) for a, r in zip(turn, far, strict=True)])


def points(number: int, seed: int):
    draw = np.random.default_rng(seed)
    return draw.uniform(121.1, 121.9, number), draw.uniform(31.1, 31.9, number)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 400), st.integers(0, 10_000), st.booleans())
def test_it_equals_the_exact_test_for_ragged_areas_with_holes_and_islands(vertices, seed, holed):
    """The raster may only save work, never decide otherwise than GEOS."""
    shape = star(vertices, seed)
    if holed:
        shape = shape.difference(star(9, seed + 1, radius=0.15)).union(box(121.15, 31.15, 121.2, 31.3))
    if not shape.is_valid or shape.is_empty:
        return
    lon, lat = points(targeting.FEW + 50, seed)
    ring = shapely.get_coordinates(shape)[:40]
    lon[: len(ring)], lat[: len(ring)] = ring[:, 0], ring[:, 1]  # points on the border
    assert (targeting.inside(shape, lon, lat) == shapely.intersects_xy(shape, lon, lat)).all()


@pytest.mark.parametrize("cell", [1, 7, 64])
def test_points_on_the_raster_s_own_lines(cell):
    shape = MultiPolygon([box(0, 0, 4, 4), box(5, 5, 6, 8)])
    grid = np.linspace(-1, 9, 200)
    lon, lat = (axis.ravel() for axis in np.meshgrid(grid, np.round(grid * cell) / cell))
    assert len(lon) >= targeting.FEW
    assert (targeting.inside(shape, lon, lat) == shapely.intersects_xy(shape, lon, lat)).all()


def test_a_huge_outline_of_forty_one_thousand_points():
    shape = star(41_000, 5)
    shape = shape if shape.is_valid else shape.buffer(0)
    lon, lat = points(30_000, 5)
    assert (targeting.inside(shape, lon, lat) == shapely.intersects_xy(shape, lon, lat)).all()


def test_nothing_is_inside_nothing_and_a_line_has_no_inside():
    lon, lat = points(targeting.FEW, 1)
    assert not targeting.inside(Polygon(), lon, lat).any()
    assert not targeting.inside(shapely.LineString([(0, 0), (1, 1)]), lon, lat).any()
    assert targeting.inside(star(9, 1), np.array([]), np.array([])).shape == (0,)
    with pytest.raises(ValueError, match="latitudes"):
        targeting.inside(star(9, 1), lon, lat[1:])


def test_when_the_last_letter_leaves_by_hand():
    """100 at 10/s take 10 s; the second wave starts after a minute, its 600 at 10/s take another minute."""
    waves = [Wave(0, "responsible", 100, {"sms": 100}, 0), Wave(1, "residents", 600, {"sms": 600, "email": 5}, 1)]
    assert targeting.finish_s(waves, {"sms": 10.0}) == 120.0
    assert targeting.finish_s(waves[:1], {"sms": 10.0}) == 10.0
    assert targeting.finish_s([], {}) == 0.0
