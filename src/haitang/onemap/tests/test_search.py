"""One search finds everything by its name, within scope. Issue 2 section 4 (onemap)."""

from __future__ import annotations

from typing import Any

import pytest

from haitang.accounts.models import User
from haitang.geo.models import Feature, Place

SEARCH = "/onemap/search"
pytestmark = pytest.mark.django_db


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [hit["title"] for hit in answer.json()["hits"]]


@pytest.mark.parametrize(
    ("words", "found"), [("东港", ["东港镇"]), ("港镇", ["东港镇", "西港镇"]), ("港", ["东港镇", "西港镇"])]
)
def test_two_chinese_characters_and_even_one_are_enough(
    client: Any, places: dict[str, Place], words: str, found: list[str]
) -> None:
    """A trigram index silently finds nothing for words of two characters."""
    assert titles(client.get(SEARCH, {"q": words})) == found


def test_latin_letters_and_codes_find_too(client: Any, places: dict[str, Place]) -> None:
    assert titles(client.get(SEARCH, {"q": "donggang"})) == ["东港镇"]
    assert titles(client.get(SEARCH, {"q": "900002"})) == ["西港镇"]


def test_an_exact_name_comes_before_one_that_begins_so_and_one_that_contains_it(
    client: Any, places: dict[str, Place]
) -> None:
    for code, name in (("a", "新东港镇"), ("b", "东港镇渔村"), ("c", "东港镇")):
        Feature.objects.create(code=code, kind="other", name_zh=name, geometry="121.5,31.5")
    assert titles(client.get(SEARCH, {"q": "东港镇"})) == ["东港镇", "东港镇", "东港镇渔村", "新东港镇"]


def test_a_hit_says_where_and_what(client: Any, places: dict[str, Place]) -> None:
    hit = client.get(SEARCH, {"q": "东港"}).json()["hits"][0]
    assert (hit["lon"], hit["lat"]) == (121.6, 31.5)
    assert hit["bounds"] == [121.5, 31, 122, 32]
    assert "试验区" in hit["subtitle"]


def test_people_are_found_within_scope_only(
    client: Any, signed_in: Any, people: dict[str, User], people_layer: str
) -> None:
    assert titles(client.get(SEARCH, {"q": "同志"})) == []
    assert titles(signed_in("west").get(SEARCH, {"q": "同志"})) == ["west"]
    assert sorted(titles(signed_in("bureau").get(SEARCH, {"q": "同志"}))) == ["bureau", "east", "west", "works"]


def test_a_typed_position_is_a_hit(client: Any, db: None) -> None:
    hit = client.get(SEARCH, {"q": "121.4, 31.6"}).json()["hits"][0]
    assert (hit["lon"], hit["lat"]) == (121.4, 31.6)


@pytest.mark.parametrize("words", ["", "   ", "%", "_", "'; DROP TABLE geo_place;--", "\x00"])
def test_odd_words_find_nothing_and_break_nothing(client: Any, places: dict[str, Place], words: str) -> None:
    assert titles(client.get(SEARCH, {"q": words})) == []


def test_a_very_long_search_is_refused(client: Any, db: None) -> None:
    assert client.get(SEARCH, {"q": "东" * 101}).status_code == 400


def test_many_hits_are_limited_to_the_best(client: Any, places: dict[str, Place]) -> None:
    Place.objects.bulk_create(
        Place(code=f"v{i}", name_zh=f"港村{i}", level="village", parent=places["east"], path=f"900000/900001/v{i}/")
        for i in range(50)
    )
    found = titles(client.get(SEARCH, {"q": "港村"}))
    assert len(found) == 20
