"""Tiles: within scope, nothing cut off, kept until the layer changes. Issue 2 sections 4 and 6."""

from __future__ import annotations

import gzip
import math
from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from django.db import transaction

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.geo.catalogue import LAYERS, NAME, Look, circle, layer
from haitang.geo.models import Feature, Place
from haitang.journal.services import record
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def address(name: str, z: int, lon: float, lat: float) -> str:
    side = 1 << z
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return f"/onemap/tiles/{name}/{z}/{int((lon + 180) / 360 * side)}/{int(y * side)}.mvt"


def features(answer: Any, name: str) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    content = gzip.decompress(answer.content) if answer.get("Content-Encoding") == "gzip" else answer.content
    if not content:
        return []
    found: list[dict[str, Any]] = mapbox_vector_tile.decode(content)[name]["features"]
    return found


PEOPLE = address("test.people", 8, 121.5, 31.5)


def test_a_tile_carries_shapes_and_properties(client: Any, places: dict[str, Place]) -> None:
    found = features(client.get(address("geo.townships", 9, 121.6, 31.5)), "geo.townships")
    east = next(feature for feature in found if feature["properties"]["code"] == "900001")
    assert east["geometry"]["type"] == "Polygon"
    assert east["properties"]["name"] == "东港镇"
    assert east["id"] == places["east"].pk


@pytest.mark.parametrize(("who", "seen"), [("east", 2), ("west", 1), ("works", 1)])
def test_a_tile_is_cut_within_scope_and_not_shared_across_it(
    client: Any, signed_in: Any, people: dict[str, User], people_layer: str, who: str, seen: int
) -> None:
    for other in ("bureau", "east", "west", "works"):  # whatever was kept for others before
        signed_in(other).get(PEOPLE)
    found = features(signed_in(who).get(PEOPLE), people_layer)
    assert sum(feature["properties"].get("point_count", 1) for feature in found) == seen
    client.logout()
    assert features(client.get(PEOPLE), people_layer) == []


def test_an_unchanged_tile_is_answered_without_bytes(signed_in: Any, people_layer: str) -> None:
    client = signed_in("east")
    first = client.get(PEOPLE)
    again = client.get(PEOPLE, headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(PEOPLE, headers={"if-none-match": f"W/{first['ETag']}"}).status_code == 304


def test_another_viewer_does_not_get_not_modified_for_my_tile(signed_in: Any, people_layer: str) -> None:
    mine = signed_in("east").get(PEOPLE)["ETag"]
    assert signed_in("west").get(PEOPLE, headers={"if-none-match": mine}).status_code == 200


def test_a_tile_is_cut_anew_after_a_journalled_change_of_its_layer(
    signed_in: Any, people: dict[str, User], people_layer: str
) -> None:
    client = signed_in("west")
    first = client.get(PEOPLE)
    User.objects.filter(pk=people["west"].pk).update(name_zh="新名")
    with transaction.atomic():
        record(space=Space.live(), verb="monitoring.other", by=SYSTEM, subject=people["west"])
    assert client.get(PEOPLE)["ETag"] == first["ETag"]
    with transaction.atomic():
        record(space=Space.live(), verb="accounts.rename", by=SYSTEM, subject=people["west"])
    second = client.get(PEOPLE)
    assert second["ETag"] != first["ETag"]
    assert features(second, people_layer)[0]["properties"]["name"] == "新名"


def test_a_kept_tile_costs_no_query_of_its_rows(
    signed_in: Any, people_layer: str, django_assert_max_num_queries: Any
) -> None:
    client = signed_in("east")
    client.get(PEOPLE)
    # Session, user with organisation and place, space, journal's head.
    with django_assert_max_num_queries(8) as queries:
        client.get(PEOPLE)
    assert not any("ST_" in q["sql"] or "date_joined" in q["sql"].split("WHERE")[-1] for q in queries.captured_queries)


def test_the_two_languages_are_kept_apart(client: Any, places: dict[str, Place]) -> None:
    where = address("geo.townships", 9, 121.6, 31.5)
    chinese = features(client.get(where), "geo.townships")
    client.cookies["django_language"] = "en"
    english = features(client.get(where), "geo.townships")
    assert {f["properties"]["name"] for f in chinese} == {"东港镇", "西港镇"}
    assert {f["properties"]["name"] for f in english} == {"Donggang", "Xigang"}


@pytest.mark.parametrize("where", ["0/1/0", "23/0/0", "8/256/0"])
def test_a_tile_that_does_not_exist_is_refused(client: Any, db: None, where: str) -> None:
    assert client.get(f"/onemap/tiles/geo.townships/{where}.mvt").status_code == 400


def test_a_tile_of_an_unknown_layer_is_not_found(client: Any, db: None) -> None:
    assert client.get("/onemap/tiles/no.such/0/0/0.mvt").status_code == 404
    assert client.get("/onemap/tiles/geo.grid/0/0/0.mvt").status_code == 404


def test_a_reader_without_gzip_is_served(client: Any, places: dict[str, Place]) -> None:
    where = address("geo.townships", 9, 121.6, 31.5)
    packed = client.get(where, headers={"accept-encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    plain = client.get(where, headers={"accept-encoding": "identity"})
    assert plain.content == gzip.decompress(packed.content)


def test_a_hundred_thousand_rows_are_all_drawn_or_counted_at_every_zoom(client: Any, db: None) -> None:
    """Issue 2 section 6: no tile is cut off by a limit."""
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(121.0, 122.0, 100_000), rng.uniform(31.0, 32.0, 100_000)
    points = np.asarray(shapely.points(lon, lat))
    Feature.objects.bulk_create(
        (Feature(code=f"f{i}", kind="other", name_zh=f"点{i}", geometry=point) for i, point in enumerate(points)),
        batch_size=5_000,
    )

    @layer("test.many", label="Many", properties={"name": NAME}, style=circle("#000"), kind="mvt", public=True)
    def rows(look: Look) -> Any:
        return Feature.objects.visible_to(look.user)

    try:
        for z in (5, 8, 11):
            where = address("test.many", z, 121.5, 31.5)
            found = features(client.get(where), "test.many")
            xy = np.array([feature["geometry"]["coordinates"] for feature in found])
            inside = np.flatnonzero(((xy >= 0) & (xy < 4096)).all(axis=1))
            counted = sum(found[k]["properties"].get("point_count", 1) for k in inside)
            # A point in the buffer may stand for one inside, and the other way about: only at the tile's edge.
            assert counted == pytest.approx(_in_tile(where, lon, lat), rel=0.03)
            assert len(found) <= 67 * 67
        everything = features(client.get("/onemap/tiles/test.many/0/0/0.mvt"), "test.many")
        assert sum(feature["properties"].get("point_count", 1) for feature in everything) == 100_000
        answer = client.get("/onemap/layers/test.many.geojson")
        assert answer.status_code == 413
        assert "bbox" in answer.json()["detail"]
        assert client.get("/onemap/layers/test.many.geojson?bbox=121,31,121.1,31.1").status_code == 200
    finally:
        del LAYERS["test.many"]


def _in_tile(where: str, lon: Any, lat: Any) -> int:
    z, x, y = (int(part) for part in where.removesuffix(".mvt").split("/")[-3:])
    column = (lon + 180) / 360 * (1 << z)
    row = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * (1 << z)
    return int(((column >= x) & (column < x + 1) & (row >= y) & (row < y + 1)).sum())
