"""Names and telephones are masked but for who may have to call; reading them leaves a trace; the journal never holds them. P1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from haitang.accounts.models import PersonalRead
from haitang.frame import Menu
from haitang.journal.models import Entry
from haitang.registry import services
from haitang.registry.declare import REGISTERS, Column, Register, register
from haitang.registry.models import ImportRun
from haitang.registry.tests.conftest import Api
from haitang.registry.tests.factories import World, shelter
from haitang.registry.values import mask
from haitang.resources.models import Shelter
from haitang.resources.registers import SHELTERS

SignIn = Callable[[str], Client]
PHONE = "13812345678"


def test_the_page_shows_them_to_callers_and_notes_it(world: World, sign_in: SignIn) -> None:
    shelter(world, code="SH-1", manager="张三丰", phone=PHONE)
    assert PHONE in sign_in("east").get("/registers/shelters/row/SH-1").content.decode()
    read = PersonalRead.objects.get()
    assert read.reader == world["east"] and read.subject_type == "resources.shelter"
    page = sign_in("grid").get("/registers/shelters/row/SH-1").content.decode()
    assert PHONE not in page and "138****5678" in page and "张**" in page
    assert PersonalRead.objects.count() == 1


def test_exports_mask_or_are_noted_with_their_number(world: World, sign_in: SignIn) -> None:
    for _ in range(3):
        shelter(world, phone=PHONE)

    def body(name: str, kind: str) -> str:
        pieces = sign_in(name).get(f"/registers/shelters/export.{kind}").streaming_content
        return b"".join(pieces).decode()

    for kind in ("csv", "geojson"):
        assert PHONE not in body("grid", kind) and "138****5678" in body("grid", kind)
    assert not PersonalRead.objects.exists()
    assert PHONE in body("duty", "csv")
    assert PersonalRead.objects.get().count == 3


def test_the_api_shows_them_only_when_asked_and_allowed(world: World, api: Api) -> None:
    shelter(world, code="SH-1", phone=PHONE)
    assert api("duty", "get", "/registry/shelters/SH-1").json()["phone"] == "138****5678"
    assert not PersonalRead.objects.exists()
    assert api("duty", "get", "/registry/shelters/SH-1?personal=true").json()["phone"] == PHONE
    assert api("duty", "get", "/registry/shelters?personal=true").json()["items"][0]["phone"] == PHONE
    assert PersonalRead.objects.count() == 2
    assert api("grid", "get", "/registry/shelters/SH-1?personal=true").json()["phone"] == "138****5678"
    assert PersonalRead.objects.count() == 2


def test_a_masked_value_that_comes_back_changes_nothing(world: World, sign_in: SignIn, api: Api) -> None:
    row = shelter(world, code="SH-1", phone=PHONE, manager="张三丰")
    body = {**api("duty", "get", "/registry/shelters/SH-1").json(), "note": "核对"}
    body.pop("archived")
    answer = api("duty", "put", "/registry/shelters/SH-1", body)
    assert answer.status_code == 200, answer.json()
    row.refresh_from_db()
    assert (row.phone, row.manager, row.note) == (PHONE, "张三丰", "核对")
    client = sign_in("duty")
    data = b"code,phone\nSH-1,138****5678\nSH-2,139****5678\n"
    client.post("/registers/shelters/import", {"file": SimpleUploadedFile("x.csv", data)})
    page = client.get(f"/registers/shelters/import/{ImportRun.objects.get().pk}")
    assert page.context["counts"]["same"] == 1 and page.context["counts"]["bad"] == 1


def test_who_does_not_see_them_does_not_change_them(world: World, sign_in: SignIn) -> None:
    shelter(world, code="SH-1", phone=PHONE)
    page = sign_in("grid").get("/registers/shelters/row/SH-1/edit")
    assert page.status_code == 403
    assert 'name="phone"' in sign_in("east").get("/registers/shelters/row/SH-1/edit").content.decode()


def test_the_journal_does_not_hold_them(world: World) -> None:
    row = shelter(world, phone="13800000000")
    row.phone = PHONE
    services.save(SHELTERS, row, by=world["east"])
    entry = Entry.objects.get()
    assert entry.before == {"phone": "138****0000"} and entry.after == {"phone": "138****5678"}
    row.phone = "13899995678"  # masked alike, and yet another
    assert services.save(SHELTERS, row, by=world["east"]) is True


def test_lists_neither_sort_nor_filter_by_them(world: World) -> None:
    common: dict[str, Any] = {"model": Shelter, "slug": "leaky", "columns": (Column("code"),), "form": ("code", "phone"), "menu": Menu.RESOURCES,
                              "personal": ("phone",)}  # fmt: skip
    for leak in ({"search": ("phone",)}, {"filters": ("phone",)}, {"sort": "phone"}):
        with pytest.raises(ImproperlyConfigured, match="personal"):
            register(Register(**common, **leak))
    assert "leaky" not in REGISTERS


@given(st.text(min_size=1, max_size=40))
def test_a_mask_hides_most_of_it(text: str) -> None:
    shown = mask(text)
    assert "*" in shown and shown != text
    assert sum(a == b for a, b in zip(text, shown, strict=False) if b != "*") <= 7
