"""The tree of places. Issue 2 section 2: place and scope."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shapely
from django.core.exceptions import ValidationError
from django.utils import translation

from haitang.geo.models import Level, Place, PlaceShape
from haitang.geo.shapes import area_km2

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def tree() -> dict[str, Place]:
    district = Place.objects.create(code="900000", name_zh="试验区", name_en="Test District", level=Level.DISTRICT)
    east = Place.objects.create(code="900001", name_zh="东镇", name_en="East", level=Level.TOWNSHIP, parent=district)
    west = Place.objects.create(code="900002", name_zh="西镇", level=Level.TOWNSHIP, parent=district)
    village = Place.objects.create(code="900001001", name_zh="一村", level=Level.VILLAGE, parent=east)
    return {"district": district, "east": east, "west": west, "village": village}


def test_the_path_tells_the_way_from_the_root(tree: dict[str, Place]) -> None:
    assert tree["village"].path == "900000/900001/900001001/"
    assert tree["village"].depth == 3
    assert [place.code for place in tree["village"].ancestors()] == ["900000", "900001"]


def test_a_place_contains_itself_and_what_lies_below(tree: dict[str, Place]) -> None:
    assert tree["district"].contains(tree["village"])
    assert tree["east"].contains(tree["east"])
    assert not tree["west"].contains(tree["village"])
    assert {place.code for place in tree["east"].subtree()} == {"900001", "900001001"}
    assert Place.objects.under(tree["district"]).count() == 4


def test_a_longer_code_with_the_same_beginning_is_another_place(tree: dict[str, Place]) -> None:
    other = Place.objects.create(code="9000011", name_zh="东东镇", level=Level.TOWNSHIP, parent=tree["district"])
    assert not tree["east"].contains(other)


def test_moving_a_place_moves_its_subtree(tree: dict[str, Place]) -> None:
    tree["east"].parent = tree["west"]
    tree["east"].save()
    tree["village"].refresh_from_db()
    assert tree["village"].path == "900000/900002/900001/900001001/"


def test_a_place_cannot_stand_under_itself(tree: dict[str, Place]) -> None:
    tree["district"].parent = tree["village"]
    with pytest.raises(ValidationError, match="under itself"):
        tree["district"].save()


def test_a_code_has_no_slash() -> None:
    with pytest.raises(ValidationError, match="slash"):
        Place.objects.create(code="1/2", name_zh="x", level=Level.DISTRICT)


def test_the_name_is_in_the_readers_language(tree: dict[str, Place]) -> None:
    with translation.override("en"):
        assert (tree["east"].name, tree["west"].name) == ("East", "西镇")
    with translation.override("zh-hans"):
        assert str(tree["east"]) == "东镇"


def test_places_that_hold_a_point_are_found_from_the_top(tree: dict[str, Place]) -> None:
    PlaceShape.objects.create(place=tree["east"], level=Level.TOWNSHIP, geometry=shapely.box(121, 31, 122, 32))
    PlaceShape.objects.create(place=tree["district"], level=Level.DISTRICT, geometry=shapely.box(120, 31, 122, 32))
    assert [place.code for place in Place.objects.holding(121.5, 31.5)] == ["900000", "900001"]
    assert [place.code for place in Place.objects.holding(120.5, 31.5)] == ["900000"]
    assert area_km2(Place.objects.get(code="900001").geometry or shapely.Point()) > 9_000
    assert tree["west"].geometry is None
