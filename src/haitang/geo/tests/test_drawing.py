"""Outlines drawn from seats and areas: they fill the outline, share it fairly, and keep to their islands. Issue 2, section 3."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.geo.drawing import DIGITS, draw
from haitang.geo.power_diagram import PowerDiagramError
from haitang.geo.shapes import area_km2

MAIN = shapely.box(121.0, 31.0, 121.4, 31.2)
ISLE = shapely.box(121.5, 31.0, 121.6, 31.1)
ISLET = shapely.box(121.02, 31.21, 121.03, 31.22)


def test_each_island_is_divided_among_its_own_seats() -> None:
    cells = draw(MAIN.union(ISLE), np.array([(121.1, 31.1), (121.3, 31.1), (121.55, 31.05)]), np.array([1.0, 3.0, 1.0]))
    assert area_km2(cells[1]) == pytest.approx(3 * area_km2(cells[0]), rel=1e-3)
    assert cells[2].equals_exact(ISLE, 1e-4) or cells[2].symmetric_difference(ISLE).area < 1e-6
    assert shapely.union_all(cells).symmetric_difference(MAIN.union(ISLE)).area < 1e-4  # metres are not degrees


def test_an_islet_without_a_seat_goes_to_the_nearest_one() -> None:
    cells = draw(MAIN.union(ISLET), np.array([(121.1, 31.1), (121.3, 31.1)]), np.array([1.0, 1.0]))
    assert cells[0].covers(ISLET.centroid)
    assert cells[0].geom_type == "MultiPolygon"


def test_the_same_seats_give_the_same_drawing_to_the_last_digit() -> None:
    """Loading a pack again must not look like a change."""
    given_ = (MAIN, np.array([(121.1, 31.1), (121.2, 31.15), (121.3, 31.05)]), np.array([1.0, 2.0, 3.0]))
    first, second = draw(*given_), draw(*given_)
    assert first == second
    corners = shapely.get_coordinates(first)
    assert np.array_equal(corners, np.round(corners, DIGITS))


def test_two_seats_on_one_point_cannot_be_drawn() -> None:
    with pytest.raises(PowerDiagramError, match="same point"):
        draw(MAIN, np.array([(121.1, 31.1), (121.1, 31.1)]), np.array([1.0, 1.0]))


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(2, 38), st.integers(2, 18)), min_size=2, max_size=6, unique=True),
    st.lists(st.floats(0.5, 5.0), min_size=6, max_size=6),
)
def test_the_cells_share_the_outline_in_proportion_and_do_not_overlap(
    seats: list[tuple[int, int]], areas: list[float]
) -> None:
    points = np.array([(121.0 + x / 100, 31.0 + y / 100) for x, y in seats])
    wanted = np.array(areas[: len(seats)])
    cells = draw(MAIN, points, wanted)
    found = np.array([area_km2(cell) for cell in cells])
    assert found / found.sum() == pytest.approx(wanted / wanted.sum(), rel=5e-3)
    assert found.sum() == pytest.approx(area_km2(MAIN), rel=1e-3)
    assert all(cell.is_valid for cell in cells)
    for number, cell in enumerate(cells):
        for other in cells[number + 1 :]:
            assert cell.intersection(other).area < 1e-6
