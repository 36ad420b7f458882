"""Features come within scope, in the reader's language, at a moment, within a box. Issue 2 sections 4 and 6."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from haitang.accounts.models import User
from haitang.geo.catalogue import LAYERS, Look, add_layer
from haitang.geo.models import Place

TOWNSHIPS = "/onemap/layers/geo.townships.geojson"
PEOPLE = "/onemap/layers/test.people.geojson"
pytestmark = pytest.mark.django_db


def names(answer: Any, key: str = "name") -> list[str]:
    assert answer.status_code == 200, answer.content
    return sorted(feature["properties"][key] for feature in answer.json()["features"])


def test_a_feature_has_shape_name_and_what_is_known(client: Any, places: dict[str, Place]) -> None:
    client.cookies["django_language"] = "en"
    found = client.get(TOWNSHIPS).json()["features"]
    east = next(feature for feature in found if feature["properties"]["code"] == "900001")
    assert east["id"] == places["east"].pk
    assert east["geometry"]["type"] == "Polygon"
    assert east["properties"]["name"] == "Donggang"
    assert "31,000" in east["properties"]["subtitle"]
    assert "approximate" in east["properties"]["text"]
    client.cookies["django_language"] = "zh-hans"
    assert names(client.get(TOWNSHIPS)) == ["东港镇", "西港镇"]


def test_the_box_limits(client: Any, places: dict[str, Place]) -> None:
    assert names(client.get(TOWNSHIPS, {"bbox": "121.6,31.1,121.7,31.2"}), "code") == ["900001"]
    assert names(client.get(TOWNSHIPS, {"bbox": "10,31,11,32"})) == []


@pytest.mark.parametrize("bbox", ["1,2,3", "a,b,c,d", "122,31,121,32", "1,2,3,400", "nan,1,2,3"])
def test_a_bad_box_is_refused(client: Any, bbox: str) -> None:
    answer = client.get(TOWNSHIPS, {"bbox": bbox})
    assert answer.status_code == 400
    assert bbox[:20] in answer.json()["detail"]


@pytest.mark.parametrize(
    "at", ["yesterday", "2024-13-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
def test_a_bad_time_is_refused(client: Any, at: str) -> None:
    assert client.get(TOWNSHIPS, {"at": at}).status_code == 400


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("bureau", ["bureau", "east", "west", "works"]),
        ("east", ["east", "works"]),
        ("west", ["west"]),
        ("works", ["works"]),
    ],
)
def test_everybody_sees_the_rows_of_his_scope(
    signed_in: Any, people: dict[str, User], people_layer: str, places: dict[str, Place], who: str, seen: list[str]
) -> None:
    Place.objects.filter(pk=places["district"].pk).update(lon=121.4, lat=31.6)
    assert names(signed_in(who).get(PEOPLE), "login") == seen


def test_a_visitor_sees_no_people(client: Any, people: dict[str, User], people_layer: str) -> None:
    assert names(client.get(PEOPLE), "login") == []


def test_a_layer_that_is_not_public_is_unknown_to_visitors(client: Any, people: dict[str, User]) -> None:
    assert client.get("/onemap/layers/geo.grid.geojson").status_code == 404
    assert client.get("/onemap/layers/no.such.geojson").status_code == 404


def test_a_layer_with_roles_is_unknown_to_others(signed_in: Any, people_layer: str) -> None:
    LAYERS[people_layer] = replace(LAYERS[people_layer], roles={"department"})
    assert signed_in("east").get(PEOPLE).status_code == 404
    assert signed_in("bureau").get(PEOPLE).status_code == 200


def test_a_layer_with_a_time_shows_the_state_at_the_moment(signed_in: Any, people_layer: str) -> None:
    LAYERS[people_layer] = replace(LAYERS[people_layer], time=("date_joined", "last_login"))
    User.objects.update(date_joined=timezone.now() - timedelta(hours=2), last_login=timezone.now() - timedelta(hours=1))
    client = signed_in("east")  # signing in sets last_login: the officer's own row has just ended, the other's long ago
    between = (timezone.now() - timedelta(minutes=90)).isoformat()
    before = (timezone.now() - timedelta(hours=3)).isoformat()
    assert names(client.get(PEOPLE, {"at": between}), "login") == ["east", "works"]
    assert names(client.get(PEOPLE, {"at": before}), "login") == []


def test_extra_properties_are_asked_once_for_all_rows(client: Any, places: dict[str, Place]) -> None:
    asked: list[list[int]] = []

    def extra(look: Look, ids: Any) -> dict[int, dict[str, Any]]:
        asked.append(list(ids))
        return {pk: {"value": pk * 2} for pk in ids}

    add_layer(replace(LAYERS["geo.townships"], id="test.extra", extra=extra))
    try:
        found = client.get("/onemap/layers/test.extra.geojson").json()["features"]
    finally:
        del LAYERS["test.extra"]
    assert [feature["properties"]["value"] for feature in found] == [feature["id"] * 2 for feature in found]
    assert len(asked) == 1


def test_a_list_of_many_costs_as_few_queries_as_one_of_two(
    client: Any, places: dict[str, Place], django_assert_max_num_queries: Any
) -> None:
    Place.objects.bulk_create(
        Place(code=f"v{i}", name_zh=f"村{i}", level="village", parent=places["east"], path=f"900000/900001/v{i}/",
              lon=121.6 + i / 10_000, lat=31.5)
        for i in range(500)
    )  # fmt: skip
    client.get(TOWNSHIPS)  # makes the live space
    with django_assert_max_num_queries(3):
        assert len(client.get("/onemap/layers/geo.villages.geojson").json()["features"]) == 500


def test_only_reading_is_allowed(client: Any, places: dict[str, Place]) -> None:
    assert client.post(TOWNSHIPS).status_code == 405


def test_answers_are_never_kept_by_a_shared_cache(client: Any, places: dict[str, Place]) -> None:
    assert "private" in client.get(TOWNSHIPS)["Cache-Control"]
