"""The catalogue lists what a visitor may see, in his language. Issue 2 section 4 (onemap); requirement 2.1."""

from __future__ import annotations

from typing import Any

import pytest

from haitang.geo.models import Place

CATALOGUE = "/onemap/layers.json"
pytestmark = pytest.mark.django_db


def ids(answer: Any) -> list[str]:
    return [layer["id"] for layer in answer.json()["layers"]]


def test_the_ground_is_listed_first_and_open_to_visitors(client: Any, places: dict[str, Place]) -> None:
    answer = client.get(CATALOGUE)
    assert ids(answer)[:3] == ["geo.district", "geo.water", "geo.townships"]
    assert "geo.grid" not in ids(answer)


def test_staff_see_more_layers(signed_in: Any) -> None:
    assert "geo.grid" in ids(signed_in("east").get(CATALOGUE))


def test_the_map_opens_on_the_district_or_on_the_viewers_own_place(
    client: Any, signed_in: Any, places: dict[str, Place]
) -> None:
    assert client.get(CATALOGUE).json()["bounds"] == pytest.approx([121, 31, 122, 32], abs=0.03)
    assert signed_in("west").get(CATALOGUE).json()["bounds"] == pytest.approx([121, 31, 121.5, 32], abs=0.03)


def test_labels_follow_the_language(client: Any, places: dict[str, Place]) -> None:
    client.cookies["django_language"] = "en"
    layer = client.get(CATALOGUE).json()["layers"][0]
    assert (layer["label"], layer["group"]) == ("District", "Ground")
    client.cookies["django_language"] = "zh-hans"
    assert client.get(CATALOGUE).json()["layers"][0]["label"] == "区界"


def test_the_source_of_the_ground_is_credited(client: Any, places: dict[str, Place]) -> None:
    assert "Invented for tests" in client.get(CATALOGUE).json()["attribution"]


def test_tiles_of_large_layers_have_an_address_the_map_fills_in(signed_in: Any) -> None:
    layers = {layer["id"]: layer for layer in signed_in("east").get(CATALOGUE).json()["layers"]}
    assert layers["geo.grid"]["url"] == "/onemap/tiles/geo.grid/{z}/{x}/{y}.mvt"
    assert layers["geo.townships"]["url"] == "/onemap/layers/geo.townships.geojson"


def test_without_a_base_map_nothing_is_asked_from_outside(client: Any, places: dict[str, Place], settings: Any) -> None:
    settings.BASEMAP = {"url": "", "key": "", "crs": "wgs84"}
    assert client.get(CATALOGUE).json()["basemap"] is None
    settings.BASEMAP = {"url": "https://tiles.example/{z}/{x}/{y}?tk={key}", "key": "K", "crs": "gcj02"}
    assert client.get(CATALOGUE).json()["basemap"] == {"url": "https://tiles.example/{z}/{x}/{y}?tk=K", "crs": "gcj02"}
