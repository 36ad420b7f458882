"""The API of a register is made from its declaration: typed, scoped, bounded, journalled. P1."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from haitang.config.api import api as ninja
from haitang.geo.models import Feature
from haitang.journal.models import Entry
from haitang.registry.tests.conftest import Api
from haitang.registry.tests.factories import World, exercise, shelter, supply, team
from haitang.resources.models import HeadCount, Shelter, Team
from haitang.spaces.models import Space

BODY: dict[str, Any] = {
    "code": "A1",
    "name_zh": "新所",
    "kind": "school",
    "place": "900001",
    "owner": "EAST",
    "capacity": 80,
}


def test_a_row_is_created_read_changed_and_deleted(world: World, api: Api) -> None:
    created = api(
        "east", "post", "/registry/shelters", {**BODY, "geometry": {"type": "Point", "coordinates": [121.5, 31.5]}}
    )
    assert created.status_code == 201, created.json()
    assert created.json()["setting"] == "indoor" and created.json()["place"] == "900001"
    assert api("east", "get", "/registry/shelters/A1").json()["geometry"] == {
        "type": "Point",
        "coordinates": [121.5, 31.5],
    }
    changed = api("east", "patch", "/registry/shelters/A1", {"capacity": 90})
    assert changed.status_code == 200 and changed.json()["capacity"] == 90 and changed.json()["name_zh"] == "新所"
    replaced = api("east", "put", "/registry/shelters/A1", {**BODY, "name_zh": "改名"})
    assert replaced.status_code == 200 and replaced.json()["geometry"] is None and replaced.json()["capacity"] == 80
    assert api("east", "delete", "/registry/shelters/A1").status_code == 403
    assert api("admin", "delete", "/registry/shelters/A1").status_code == 204
    assert not Shelter.objects.exists()
    verbs = [verb.rsplit(".", 1)[1] for verb in Entry.objects.order_by("id").values_list("verb", flat=True)]
    assert verbs == ["create", "edit", "edit", "delete"]


def test_lists_are_filtered_sorted_and_paged(world: World, api: Api) -> None:
    for k in range(7):
        shelter(world, code=f"S{k}", kind="sports" if k % 2 else "school", capacity=100 - k)
    team(world, code="T1", skills=["flood"])
    page = api("duty", "get", "/registry/shelters?kind=school&sort=capacity&limit=2&offset=1").json()
    assert [row["code"] for row in page["items"]] == ["S4", "S2"] and page["count"] == 4 and page["more"] is False
    assert api("duty", "get", "/registry/shelters?q=S3").json()["count"] == 1
    assert api("duty", "get", "/registry/shelters?capacity_from=98").json()["count"] == 3
    assert api("duty", "get", "/registry/teams?skills=flood").json()["items"][0]["skills"] == ["flood"]
    for bad in ("limit=0", "limit=201", "offset=-1", "offset=99999999999999999999", "shown=maybe"):
        assert api("duty", "get", f"/registry/shelters?{bad}").status_code == 422, bad


def test_what_is_wrong_is_named_by_field(world: World, api: Api) -> None:
    shelter(world, code="A1")
    answer = api("east", "post", "/registry/shelters", {**BODY, "place": "900002"})
    assert answer.status_code == 422 and set(answer.json()["detail"]) == {"code", "place"}
    for bad in ({"kind": "castle"}, {"capacity": -1}, {"capacity": 10**12}, {"name_zh": "x" * 500}, {"place": None}, {"name_zh": "\ud800"},
                {"geometry": {"type": "Point", "coordinates": [500, 500]}}, {"geometry": {"type": "Polygon", "coordinates": []}}, {"code": "a/b"},
                {"name_zh": "a\x00b"}, {"geometry": {"type": "Point", "coordinates": [[[]]]}}):  # fmt: skip
        answer = api("east", "post", "/registry/shelters", {**BODY, "code": "B1", **bad})
        assert answer.status_code == 422, (bad, answer.status_code)
    assert Shelter.objects.count() == 1


def test_a_code_that_cannot_stand_in_an_address_is_refused_also_where_the_model_takes_it(
    world: World, api: Api
) -> None:
    for code in ("a/b", "..", "a\nb", "registry/run.html"):
        answer = api("admin", "post", "/registry/features", {"code": code, "kind": "river", "name_zh": "河"})
        assert answer.status_code == 422 and "code" in answer.json()["detail"], code
    Feature.objects.create(code="old/one", kind="river", name_zh="老河")
    assert api("admin", "patch", "/registry/features/old%2Fone", {"name_zh": "新河"}).status_code == 404
    assert api("admin", "get", "/registry/features").json()["count"] == 1


@pytest.mark.parametrize(("name", "status"), [("admin", 201), ("duty", 201), ("department", 201), ("east", 201), ("west", 422), ("commander", 403),
                                              ("grid", 403), ("enterprise", 403), ("social", 403), ("resident", 403), ("machine", 403)])  # fmt: skip
def test_each_role_creates_what_it_may(world: World, api: Api, name: str, status: int) -> None:
    assert api(name, "post", "/registry/shelters", BODY).status_code == status


def test_a_township_reaches_only_its_own(world: World, api: Api) -> None:
    shelter(world, "west", code="W1")
    shelter(world, code="E1")
    assert [row["code"] for row in api("east", "get", "/registry/shelters").json()["items"]] == ["E1"]
    for method, body in (("get", None), ("put", {**BODY, "code": "W1"}), ("patch", {"capacity": 1}), ("delete", None)):
        assert api("east", method, "/registry/shelters/W1", body).status_code in (403, 404)
    assert api("east", "patch", "/registry/shelters/E1", {"place": "900002", "owner": "WEST"}).status_code == 422


def test_a_token_needs_the_right_and_the_live_world(world: World, api: Api, client: Client) -> None:
    shelter(world, code="E1")
    assert api("duty", "get", "/registry/shelters", rights=()).status_code == 403
    assert api("duty", "post", "/registry/shelters", BODY, rights=("read",)).status_code == 403
    assert api("duty", "post", "/registry/shelters", BODY, space=exercise()).status_code == 409
    assert client.get("/api/v1/registry/shelters").status_code == 401
    assert Shelter.objects.count() == 1


def test_registers_are_listed_for_who_may_read_them(world: World, api: Api) -> None:
    mine = {row["slug"]: row for row in api("social", "get", "/registry/").json()}
    assert "shelters" in mine and "places" not in mine and mine["shelters"]["may_write"] is False
    assert {"places", "outlines", "features"} <= {row["slug"] for row in api("admin", "get", "/registry/").json()}


def test_the_document_is_typed(world: World) -> None:
    document = ninja.get_openapi_schema()
    body = document["components"]["schemas"]["ShelterIn"]
    assert set(body["required"]) >= {"code", "name_zh", "kind", "place", "owner", "capacity"}
    assert body["properties"]["kind"]["enum"][0] == "school" and body["properties"]["capacity"]["minimum"] == 0
    route = document["paths"]["/api/v1/registry/shelters/{code}"]
    assert set(route) >= {"get", "put", "patch", "delete"} and "404" in {
        str(code) for code in route["get"]["responses"]
    }


def test_resources_are_worked_through_the_api_in_the_tokens_world(world: World, api: Api) -> None:
    shelter(world, code="S1")
    team(world, code="T1")
    supply(world, code="P1")
    space = exercise()
    assert api("grid", "post", "/resources/shelters/S1/heads", {"people": 30}, space=space).json()["people"] == 30
    assert api("grid", "post", "/resources/shelters/S1/heads", {"people": -1}, space=space).status_code == 422
    assert api("grid", "post", "/resources/shelters/S1/heads", {"people": 3}, rights=("read",)).status_code == 403
    assert HeadCount.objects.get().space == space
    assert api("duty", "get", "/resources/shelters?only_open=true", space=space).json()[0]["people"] == 30
    assert api("duty", "get", "/resources/shelters?only_open=true").json() == []
    assert (
        api("east", "post", "/resources/teams/T1/status", {"status": "assigned", "task": "转移"}, space=space).json()[
            "status"
        ]
        == "assigned"
    )
    assert api("east", "post", "/resources/teams/T1/status", {"status": "on_scene"}, space=space).status_code == 409
    assert api("west", "post", "/resources/teams/T1/status", {"status": "en_route"}, space=space).status_code == 404
    assert api("duty", "get", "/resources/teams?status=assigned", space=space).json()[0]["task"] == "转移"
    assert api("east", "post", "/resources/supplies/P1/take", {"quantity": 600}, space=space).json()["balance"] == 400
    assert api("east", "post", "/resources/supplies/P1/return", {"quantity": 601}, space=space).status_code == 409
    assert [row["code"] for row in api("duty", "get", "/resources/supplies?only_short=true", space=space).json()] == [
        "P1"
    ]
    assert api("duty", "get", "/resources/supplies?only_short=true", space=Space.live()).json() == []
    assert Team.objects.count() == 1
