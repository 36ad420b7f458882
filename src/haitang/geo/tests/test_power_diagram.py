"""Townships without an official boundary get their published areas around their seats. Issue 2 section 3."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.geo.power_diagram import PowerDiagramError, fit, power_diagram

SQUARE = shapely.box(0, 0, 10_000, 10_000)


def test_two_seats_share_a_square_as_geometry_says() -> None:
    """Seats on a horizontal line divide by a vertical: 30 of 100 km² to the west is a cut at 3 km."""
    west, east = power_diagram(np.array([(2_000, 5_000), (8_000, 5_000)]), np.array([30.0, 70.0]), SQUARE)
    assert west.bounds == pytest.approx((0, 0, 3_000, 10_000), abs=1)
    assert east.bounds == pytest.approx((3_000, 0, 10_000, 10_000), abs=1)


def test_equal_areas_and_a_regular_grid_give_the_voronoi_diagram() -> None:
    seats = np.array([(x, y) for x in (2_500, 7_500) for y in (2_500, 7_500)])
    result = fit(seats, np.ones(4), SQUARE)
    assert result.iterations == 0
    assert result.areas_km2 == pytest.approx(25.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 14), st.integers(0, 10_000))
def test_areas_match_and_fill_an_outline_with_bays_and_a_hole(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radius = 20_000 * (1 + 0.25 * np.sin(3 * angle + seed) + 0.05 * np.sin(11 * angle))
    coast = shapely.Polygon(np.column_stack((radius * np.cos(angle), 0.5 * radius * np.sin(angle))))
    outline = coast.difference(shapely.Point(3_000, 1_000).buffer(1_500))
    seats = rng.uniform((-14_000, -7_000), (14_000, 7_000), (count, 2))
    result = fit(seats, rng.uniform(10, 100, count), outline)
    assert result.residual < 1e-3
    assert sum(cell.area for cell in result.cells) == pytest.approx(outline.area, rel=1e-9)
    # No overlap: the union is as large as the sum. (GEOS may get the intersection of two cells along an edge wrong.)
    assert shapely.union_all(result.cells).area == pytest.approx(outline.area, rel=1e-9)


def test_published_areas_are_scaled_to_the_outline_and_say_so() -> None:
    result = fit(np.array([(2_000, 5_000), (8_000, 5_000)]), np.array([40.0, 40.0]), SQUARE)
    assert result.scale == pytest.approx(1.25)
    assert result.targets_km2 == pytest.approx([50, 50])


def test_a_seat_outside_the_outline_still_gets_its_area() -> None:
    result = fit(np.array([(5_000, 5_000), (2_000, 5_000), (-2_500, 5_000)]), np.array([40.0, 40.0, 20.0]), SQUARE)
    assert result.residual < 1e-3


def test_one_seat_gets_everything() -> None:
    assert power_diagram(np.array([(1.0, 1.0)]), np.array([5.0]), SQUARE)[0].equals(SQUARE)


@pytest.mark.parametrize(
    ("seats", "areas", "message"),
    [
        ([(1, 1), (1, 1)], [1, 1], "same point"),
        ([(1, 1), (2, 2)], [1, 0], "greater than nought"),
        ([(1, 1), (2, 2)], [1], "n areas"),
        ([(1, np.nan), (2, 2)], [1, 1], "finite"),
    ],
)
def test_what_cannot_be_divided_is_refused(seats: list[tuple[float, float]], areas: list[float], message: str) -> None:
    with pytest.raises(PowerDiagramError, match=message):
        fit(np.array(seats), np.array(areas), SQUARE)
