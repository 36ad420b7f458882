"""Geometry on any store: what goes in comes out, the envelope follows, the verbs are exact. Issue 2 section 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from django.core.exceptions import ValidationError
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pyproj import Geod

from haitang.geo.models import Feature, FeatureKind

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


BAY = shapely.Polygon([(121.0, 31.0), (122.0, 31.0), (122.0, 32.0), (121.5, 31.2), (121.0, 32.0)])


def feature(code: str, geometry: Any = None) -> Feature:
    return Feature.objects.create(code=code, kind=FeatureKind.OTHER, name_zh=code, geometry=geometry)


def codes(rows: Any) -> list[str]:
    return sorted(row.code for row in rows)


def test_a_shape_comes_back_as_it_went_in() -> None:
    feature("bay", BAY)
    stored = Feature.objects.get(code="bay")
    assert stored.geometry.equals_exact(BAY, 0)
    assert (stored.west, stored.south, stored.east, stored.north) == BAY.bounds


def test_text_and_geojson_are_taken_and_nothing_stays_nothing() -> None:
    assert feature("a", "121.4,31.6").geometry.wkt == "POINT (121.4 31.6)"
    assert feature("b", {"type": "Point", "coordinates": [121, 31]}).west == 121
    assert Feature.objects.get(pk=feature("c").pk).geometry is None
    assert Feature.objects.get(code="c").west is None


def test_a_bad_shape_is_refused_when_it_is_assigned() -> None:
    with pytest.raises(ValidationError, match="convert projected coordinates"):
        Feature(code="x", geometry="POINT (500000 3500000)")


def test_the_envelope_follows_whatever_way_is_taken() -> None:
    row = feature("a", "121,31")
    row.geometry = BAY
    row.save(update_fields=["geometry"])
    assert Feature.objects.get().north == 32.0
    Feature.objects.update(geometry=shapely.Point(120, 30))
    assert Feature.objects.get().west == 120.0
    row.geometry = "POINT (119 29)"
    Feature.objects.bulk_update([row], ["geometry"])
    assert Feature.objects.get().south == 29.0
    Feature.objects.bulk_create([Feature(code="b", kind="other", name_zh="b", geometry=BAY)])
    assert Feature.objects.get(code="b").east == 122.0
    row.geometry = None
    row.save()
    assert Feature.objects.get(code="a").west is None


def test_a_deferred_shape_is_fetched_when_it_is_looked_at(django_assert_num_queries: Any) -> None:
    feature("bay", BAY)
    with django_assert_num_queries(1):
        row = Feature.objects.defer("geometry").get()
    with django_assert_num_queries(1):
        assert row.geometry.equals(BAY)


def test_within_and_intersecting_ask_the_shape_and_not_its_box() -> None:
    feature("in", "121.1,31.2")
    feature("gap", "121.5,31.8")  # in the box, between the arms of the bay
    feature("edge", "121.5,31.0")
    feature("out", "123,31")
    feature("across", "LINESTRING (121.1 31.1, 121.1 33)")
    feature("nowhere")
    assert codes(Feature.objects.within(BAY)) == ["edge", "in"]
    assert codes(Feature.objects.intersecting(BAY)) == ["across", "edge", "in"]


def test_a_box_is_decided_in_sql_where_it_can_be(django_assert_num_queries: Any) -> None:
    box = shapely.box(121, 31, 122, 32)
    feature("in", "121.1,31.2")
    feature("corner", "POLYGON ((122.1 30, 123 30, 123 33, 120 33, 122.1 32.9, 122.1 30))")  # box meets, shape does not
    feature("across", "LINESTRING (120 31.5, 123 31.5)")
    with django_assert_num_queries(1):
        assert codes(Feature.objects.within(box)) == ["in"]
    assert codes(Feature.objects.intersecting(box)) == ["across", "in"]


def test_the_verbs_join_with_other_conditions() -> None:
    feature("a", "121.1,31.2")
    feature("b", "121.2,31.2")
    assert codes(Feature.objects.filter(code="a").within(BAY)) == ["a"]
    assert codes(Feature.objects.within(BAY).exclude(code="a")) == ["b"]
    assert Feature.objects.within(BAY).count() == 2


def test_containing_finds_the_areas_around_a_point() -> None:
    feature("bay", BAY)
    assert codes(Feature.objects.containing(121.1, 31.2)) == ["bay"]
    assert codes(Feature.objects.containing(121.5, 31.8)) == []


def test_nearest_gives_metres_in_order_and_none_beyond_the_limit() -> None:
    feature("far", "122,31.6")
    feature("near", "121.41,31.6")
    feature("middle", "121.5,31.6")
    found = Feature.objects.nearest(121.4, 31.6, k=2)
    assert codes(found) == ["middle", "near"]
    assert [row.code for row in found] == ["near", "middle"]
    assert found[0].distance_m == pytest.approx(Geod(ellps="WGS84").inv(121.4, 31.6, 121.41, 31.6)[2], abs=0.01)
    assert codes(Feature.objects.nearest(121.4, 31.6, k=5, max_m=2_000)) == ["near"]
    assert Feature.objects.nearest(0, 0, k=5, max_m=1_000) == []


def test_nearest_inside_an_area_is_nought_metres() -> None:
    feature("bay", BAY)
    assert Feature.objects.nearest(121.1, 31.2)[0].distance_m == 0


def test_forty_thousand_keys_pass_as_one_parameter() -> None:
    """SQLite refuses a statement with more than 32,766 parameters."""
    assert codes(Feature.objects.filter(pk__among=[feature("a").pk, *range(10**6, 10**6 + 40_000)])) == ["a"]
    assert Feature.objects.filter(pk__among=[]).count() == 0


class NearestIsExact(TestCase):
    """P1: the indexed search agrees with looking at every row."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.integers(0, 10_000), st.integers(1, 8))
    def test_nearest_agrees_with_looking_at_every_row(self, seed: int, k: int) -> None:
        rng = np.random.default_rng(seed)
        spread = 10.0 ** rng.uniform(-3, 1)
        lon, lat = 121.5 + rng.normal(0, spread, 30), np.clip(31.5 + rng.normal(0, spread, 30), -80, 80)
        Feature.objects.bulk_create(
            Feature(code=str(i), kind="other", name_zh="x", geometry=shapely.Point(x, y))
            for i, (x, y) in enumerate(zip(lon, lat, strict=True))
        )
        metres = np.array(Geod(ellps="WGS84").inv(np.full(30, 121.4), np.full(30, 31.6), lon, lat)[2])
        found = Feature.objects.nearest(121.4, 31.6, k=k)
        assert [row.distance_m for row in found] == pytest.approx(np.sort(metres)[:k].tolist(), rel=1e-6, abs=1e-3)
