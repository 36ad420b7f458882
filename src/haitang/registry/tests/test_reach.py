"""Nobody creates, changes or moves a row outside his reach, whatever the door: page, service, import, API. P1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from haitang.accounts.verbs import Forbidden
from haitang.registry import services
from haitang.registry.tests.factories import World, shelter
from haitang.registry.tests.test_change import filled
from haitang.resources.models import Shelter
from haitang.resources.registers import SHELTERS

SignIn = Callable[[str], Client]

# Who sees and who changes a shelter of the township in the east.
SEES = {
    "admin": 1,
    "duty": 1,
    "commander": 1,
    "department": 1,
    "east": 1,
    "west": 0,
    "grid": 1,
    "enterprise": 0,
    "social": 0,
    "resident": 0,
}
CHANGES = {"admin", "duty", "department", "east"}


@pytest.mark.parametrize("name", SEES)
def test_each_role_sees_and_changes_what_its_scope_allows(world: World, sign_in: SignIn, name: str) -> None:
    row = shelter(world, code="SH-E", name_zh="东港中学", capacity=200)
    client = sign_in(name)
    listed = client.get("/registers/shelters/")
    assert (listed.status_code == 200 and "东港中学" in listed.content.decode()) == bool(SEES[name])
    assert (client.get("/registers/shelters/row/SH-E").status_code == 200) == bool(SEES[name])
    changed = client.post("/registers/shelters/row/SH-E/edit", filled(code="SH-E", capacity="5"))
    row.refresh_from_db()
    assert (row.capacity == 5) == (name in CHANGES)
    assert changed.status_code == (302 if name in CHANGES else 403 if SEES[name] else changed.status_code)
    assert changed.status_code in (302, 403, 404)


def test_a_township_officer_can_neither_plant_nor_move_a_row_elsewhere(world: World, sign_in: SignIn) -> None:
    row = shelter(world, code="SH-E")
    client = sign_in("east")
    planted = client.post("/registers/shelters/new", filled(place="900002", owner="WEST"))
    moved = client.post("/registers/shelters/row/SH-E/edit", filled(code="SH-E", place="900002", owner="WEST"))
    assert planted.status_code == moved.status_code == 422
    row.refresh_from_db()
    assert row.place.code == "900001" and Shelter.objects.count() == 1
    # Past the form, the verb holds.
    row.place, row.owner = world.places["west"], world.bodies["west"]
    with pytest.raises(Forbidden):
        services.save(SHELTERS, row, by=world["east"])
    with pytest.raises(Forbidden):
        services.save(SHELTERS, Shelter(code="X", name_zh="x", kind="school", capacity=1, place=world.places["west"],
                                        owner=world.bodies["west"]), by=world["east"])  # fmt: skip
    row.refresh_from_db()
    assert row.place.code == "900001" and Shelter.objects.count() == 1


def test_a_row_elsewhere_can_be_neither_taken_nor_archived(world: World, sign_in: SignIn) -> None:
    row = shelter(world, "west", code="SH-W")
    row.place, row.owner = world.places["east"], world.bodies["east"]
    with pytest.raises(Forbidden):
        services.save(SHELTERS, row, by=world["east"])
    with pytest.raises(Forbidden):
        services.archive(SHELTERS, [Shelter.objects.get(code="SH-W")], by=world["east"])
    assert sign_in("east").post("/registers/shelters/row/SH-W/archive").status_code == 404
    assert Shelter.objects.get(code="SH-W").place.code == "900002"


def test_only_places_and_bodies_within_reach_can_be_chosen(world: World, sign_in: SignIn) -> None:
    page = sign_in("east").get("/registers/shelters/new").content.decode()
    assert "东一村" in page and "东港镇应急办" in page
    assert "西港镇" not in page and "西港镇应急办" not in page
    district = sign_in("duty").get("/registers/shelters/new").content.decode()
    assert "西港镇应急办" in district and "蓝天救援队" in district


def test_many_rows_fail_together_if_one_is_out_of_reach(world: World) -> None:
    mine, other = shelter(world), shelter(world, "west")
    mine.capacity = other.capacity = 7
    with pytest.raises(Forbidden):
        services.put(SHELTERS, [mine, other], by=world["east"])
    assert not Shelter.objects.filter(capacity=7).exists()


def test_exports_hold_only_rows_in_reach(world: World, sign_in: SignIn) -> None:
    shelter(world, name_zh="东港中学")
    shelter(world, "west", name_zh="西港中学")

    def body(response: Any) -> str:
        return b"".join(response.streaming_content).decode()

    for kind in ("csv", "geojson"):
        text = body(sign_in("west").get(f"/registers/shelters/export.{kind}"))
        assert "西港中学" in text and "东港中学" not in text
    picked = sign_in("west").post("/registers/shelters/export.csv", {"pick": [row.pk for row in Shelter.objects.all()]})
    assert "东港中学" not in body(picked)
