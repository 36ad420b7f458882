"""Warning areas become CAP polygons that cover what was meant, and come back. 3.4.2."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from haitang.alerting import area_shapes
from haitang.alerting.cap_model import Area


def _star(radii: list[float]) -> Polygon:
    step = 2 * math.pi / len(radii)
    return Polygon([(121.5 + r * math.cos(n * step), 31.6 + r * math.sin(n * step)) for n, r in enumerate(radii)])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.02, 0.3), min_size=101, max_size=400), st.integers(8, 100))
def test_an_outward_simplification_cuts_nothing_off_and_has_few_points(radii: list[float], limit: int) -> None:
    shape = _star(radii)
    simple = area_shapes.simplify_outward(shape, limit)
    assert len(simple.shape.exterior.coords) <= limit
    assert simple.shape.buffer(1e-9).covers(shape)
    assert simple.over >= 0
    written = area_shapes.from_cap(Area("", area_shapes.to_cap(shape, limit)))
    assert (written is not None and written.covers(shape.simplify(0))) or written.buffer(1e-5).covers(shape)


def test_a_nearly_round_border_is_not_blown_up() -> None:
    disc = Point(121.5, 31.6).buffer(0.2, quad_segs=250)
    simple = area_shapes.simplify_outward(disc, 100)
    assert len(simple.shape.exterior.coords) <= 100
    assert simple.over < 0.02


def test_a_short_border_is_written_as_it_is() -> None:
    (text,) = area_shapes.to_cap(box(121.4, 31.5, 121.5, 31.6))
    assert text.split()[0] == text.split()[-1]
    assert len(text.split()) == 5
    assert area_shapes.from_cap(Area("", (text,))).equals(box(121.4, 31.5, 121.5, 31.6))


def test_holes_are_filled_and_parts_kept_apart() -> None:
    ring = Polygon(box(0, 0, 3, 3).exterior.coords, [box(1, 1, 2, 2).exterior.coords])
    texts = area_shapes.to_cap(MultiPolygon([ring, box(5, 5, 6, 6)]))
    assert len(texts) == 2
    assert area_shapes.from_cap(Area("", texts)).area == 10


def test_a_circle_has_its_radius_on_the_ground() -> None:
    disc = area_shapes.from_cap(Area("", circles=("60,10 111.32",)))
    west, south, east, north = disc.bounds
    assert math.isclose(north - south, 2, rel_tol=1e-6)
    assert math.isclose(east - west, 4, rel_tol=1e-6)


def test_unreadable_shapes_are_left_out() -> None:
    assert area_shapes.from_cap(Area("", ("hello",), ("31,121 0",))) is None


def test_a_ring_of_forty_thousand_points_is_judged() -> None:
    points = [(31 + math.cos(n / 20000 * math.pi), 121 + math.sin(n / 20000 * math.pi)) for n in range(40_000)]
    assert not area_shapes.crosses_itself([*points, points[0]])
