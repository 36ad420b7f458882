"""Rows are put on record, changed, archived and deleted through verbs that journal before and after. P1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import VERBS, Forbidden, Refused
from haitang.journal.models import Entry
from haitang.journal.services import verify
from haitang.registry import services
from haitang.registry.tests.factories import World, exercise, shelter
from haitang.resources.models import HeadCount, Shelter
from haitang.resources.registers import SHELTERS
from haitang.spaces.models import Space

SignIn = Callable[[str], Client]


def filled(**changes: Any) -> dict[str, Any]:
    given = {"code": "SH-NEW", "name_zh": "新避难所", "name_en": "", "kind": "school", "setting": "indoor", "term": "short",
             "place": "900001", "owner": "EAST", "address": "", "address_en": "", "area_m2": "", "capacity": "120", "manager": "",
             "phone": "", "note": "", "source": "", "geometry": "121.4, 31.6"}  # fmt: skip
    return {**given, **changes}


def test_a_new_row_is_journalled_with_what_it_holds(world: World, sign_in: SignIn) -> None:
    response = sign_in("east").post("/registers/shelters/new", filled())
    assert response.status_code == 302, response.content.decode()
    row = Shelter.objects.get(code="SH-NEW")
    assert (row.capacity, row.place.code, row.west) == (120, "900001", 121.4)
    entry = Entry.objects.get(verb="registry.resources.shelter.create")
    assert entry.after["capacity"] == 120 and entry.before is None and entry.after["place"] == "900001"
    assert (
        "新避难所" in entry.text_zh and entry.place_path == row.place.path and entry.organisation_path == row.owner.path
    )
    assert entry.url == row.get_absolute_url() == "/registers/shelters/row/SH-NEW"
    assert verify(Space.live()) == []


def test_a_change_is_journalled_with_only_what_changed(world: World, sign_in: SignIn) -> None:
    row = shelter(world, code="SH-1", capacity=200)
    page = sign_in("east").get("/registers/shelters/row/SH-1/edit")
    seen = services.fingerprint(SHELTERS, row)
    assert seen in page.content.decode()
    form = filled(code="SH-1", name_zh=row.name_zh, capacity="260", seen=seen)
    assert sign_in("east").post("/registers/shelters/row/SH-1/edit", form).status_code == 302
    entry = Entry.objects.get(verb="registry.resources.shelter.edit")
    assert (entry.before, entry.after) == ({"capacity": 200}, {"capacity": 260})
    assert "可容纳人数" in entry.text_zh
    assert "Capacity" in entry.text_en


def test_saving_without_a_change_writes_nothing(world: World, sign_in: SignIn) -> None:
    row = shelter(world, code="SH-1", capacity=120, name_zh="新避难所")
    sign_in("east").post("/registers/shelters/row/SH-1/edit", filled(code="SH-1"))
    assert not Entry.objects.filter(verb__startswith="registry.").exists()
    assert services.save(SHELTERS, row, by=SYSTEM) is False


def test_two_people_who_change_one_row_do_not_undo_each_other(world: World, sign_in: SignIn) -> None:
    row = shelter(world, code="SH-1")
    seen = services.fingerprint(SHELTERS, row)
    row.capacity = 999
    services.save(SHELTERS, row, by=world["duty"])
    response = sign_in("east").post("/registers/shelters/row/SH-1/edit", filled(code="SH-1", capacity="1", seen=seen))
    assert response.status_code == 422
    assert Shelter.objects.get(code="SH-1").capacity == 999


def test_what_the_model_refuses_is_said_at_the_field(world: World, sign_in: SignIn) -> None:
    shelter(world, code="SH-1")
    response = sign_in("east").post(
        "/registers/shelters/new", filled(code="SH-1", capacity="-3", kind="castle", geometry="1,2,3")
    )
    page = response.content.decode()
    assert response.status_code == 422 and page.count("errorlist") >= 4
    assert Shelter.objects.count() == 1
    with pytest.raises(ValidationError):
        services.save(SHELTERS, Shelter(code="a b", name_zh="x", kind="school", place=world.places["east"],
                                        owner=world.bodies["east"], capacity=1), by=SYSTEM)  # fmt: skip


def test_an_exercise_cannot_change_the_registers(world: World) -> None:
    row = shelter(world)
    space = exercise()
    row.capacity = 1
    for act in (
        lambda: services.save(SHELTERS, row, by=world["duty"], space=space),
        lambda: services.archive(SHELTERS, [row], by=world["duty"], space=space),
        lambda: services.delete(SHELTERS, row, by=world["admin"], space=space),
    ):
        with pytest.raises(Refused):
            act()
    row.refresh_from_db()
    assert row.capacity == 200 and row.archived_at is None and not Entry.objects.exists()


def test_archived_rows_can_be_fetched_back(world: World, sign_in: SignIn) -> None:
    row = shelter(world, code="SH-1")
    client = sign_in("east")
    client.post("/registers/shelters/row/SH-1/archive", {"reason": "拆除"})
    row.refresh_from_db()
    assert row.archived_at is not None
    entry = Entry.objects.get(verb="registry.resources.shelter.archive")
    assert entry.after == {"archived": True, "reason": "拆除"}
    client.post("/registers/shelters/row/SH-1/archive", {"restore": "1"})
    row.refresh_from_db()
    assert row.archived_at is None
    assert services.restore(SHELTERS, [row], by=world["east"]) == 0


def test_only_what_nothing_refers_to_is_deleted(world: World, sign_in: SignIn) -> None:
    row, used = shelter(world, code="SH-1"), shelter(world, code="SH-2")
    HeadCount.objects.create(space=Space.live(), shelter=used, at="2024-09-15T00:00:00Z", people=3)
    client = sign_in("admin")
    client.post("/registers/shelters/row/SH-1/delete")
    response = client.post("/registers/shelters/row/SH-2/delete", follow=True)
    assert [each.code for each in Shelter.objects.all()] == ["SH-2"]
    entry = Entry.objects.get(verb="registry.resources.shelter.delete")
    assert entry.before["code"] == "SH-1" and entry.after is None and entry.subject_id == str(row.pk)
    assert "1" in "".join(str(message) for message in response.context["messages"])
    with pytest.raises(Refused):
        services.delete(SHELTERS, used, by=world["admin"])


def test_every_register_verb_is_listed_with_its_roles(world: World) -> None:
    assert VERBS["registry.resources.shelter.edit"].roles == frozenset(SHELTERS.editors)
    with pytest.raises(Forbidden):
        services.delete(SHELTERS, shelter(world), by=world["east"])


def test_the_page_of_a_row_shows_record_map_and_what_happened(world: World, sign_in: SignIn) -> None:
    row = shelter(world, code="SH-1", name_zh="东港中学", is_demo=True, address="学府路 8 号")
    row.capacity = 321
    services.save(SHELTERS, row, by=world["east"])
    page = sign_in("duty").get("/registers/shelters/row/SH-1").content.decode()
    assert "学府路 8 号" in page and "321" in page and "data-map" in page and "mark-simulated" in page
    assert Entry.objects.get(verb="registry.resources.shelter.edit").text_zh in page
