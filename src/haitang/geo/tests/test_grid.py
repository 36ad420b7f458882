"""Grid cells count every point once and cover shapes. Issue 2 section 2."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from haitang.geo.coordinates import CoordinateError, from_gauss_kruger
from haitang.geo.grid import Grid, parse_name

points = st.lists(st.tuples(st.floats(121.0, 122.0), st.floats(31.2, 31.9)), min_size=1, max_size=40)


@given(points, st.sampled_from([100.0, 500.0, 1000.0]))
def test_every_point_is_counted_once(where: list[tuple[float, float]], size_m: float) -> None:
    lon, lat = np.array(where).T
    cells, counts = Grid.around(121.4, size_m).counts(lon, lat)
    assert counts.sum() == len(where)
    assert len(np.unique(cells, axis=0)) == len(cells)


@given(points)
def test_a_point_lies_in_the_outline_of_its_cell(where: list[tuple[float, float]]) -> None:
    grid = Grid(40, 1000)
    lon, lat = np.array(where).T
    outlines = grid.outlines(grid.cells(lon, lat))
    # A hair wider: a point on a grid line may be off by the rounding of the projection.
    assert shapely.covers(shapely.buffer(outlines, 1e-8), shapely.points(lon, lat)).all()


def test_a_square_kilometre_is_covered_by_its_own_cells() -> None:
    lon, lat = from_gauss_kruger(
        [40_600_001, 40_601_999, 40_601_999, 40_600_001], [3_500_001, 3_500_001, 3_500_999, 3_500_999]
    )
    cells = Grid(40, 1000).covering(shapely.Polygon(np.column_stack((lon, lat))))
    assert cells.tolist() == [[600, 3500], [601, 3500]]


def test_weights_are_summed() -> None:
    _cells, sums = Grid(40, 1000).counts([121.4, 121.4], [31.6, 31.6], [2.0, 3.5])
    assert sums.tolist() == [5.5]


def test_a_name_tells_the_cell() -> None:
    grid = Grid(40, 1000)
    assert parse_name(grid.name((632, 3498))) == (grid, (632, 3498))
    with pytest.raises(CoordinateError, match="looks like"):
        parse_name("here")


def test_a_cover_that_is_too_fine_is_refused() -> None:
    with pytest.raises(ValueError, match="choose larger cells"):
        Grid(40, 1).covering(shapely.box(121, 31, 122, 32))
