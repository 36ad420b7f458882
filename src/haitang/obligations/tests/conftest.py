"""A district with two townships, its people, and kinds of obligations under test."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from haitang.accounts.models import OrganisationKind
from haitang.accounts.roles import Role
from haitang.obligations.kinds import KINDS, Kind, add_kind
from haitang.obligations.tests import factories as make


@pytest.fixture(autouse=True)
def _kinds_and_files(settings: Any, tmp_path: Any) -> Iterator[None]:
    # A cache of this test's own: another process's tests may empty the one on disk at any moment.
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(tmp_path)}
    }
    settings.MEDIA_ROOT = tmp_path
    kinds = [
        Kind(
            id="test.answer", label="Answer", one_press=True, done_label="Acknowledge", may_refuse=False, link_hours=2
        ),
        Kind(id="test.check", label="Check", confirm_roles={Role.DUTY_OFFICER, Role.COMMANDER}, photo_wanted=True),
    ]
    for kind in kinds:
        add_kind(kind)
    yield
    for kind in kinds:
        del KINDS[kind.id]


@pytest.fixture
def house(db: None) -> SimpleNamespace:
    """District bureau above an east and a west township; a village under the east; people of every role."""
    district = make.place("900000")
    east_place, west_place = make.place("900001", district), make.place("900002", district)
    bureau = make.organisation(district, code="B", kind=OrganisationKind.GOVERNMENT, phone="021-1")
    centre = make.organisation(district, bureau, code="C", kind=OrganisationKind.COMMAND)
    water = make.organisation(district, bureau, code="D", kind=OrganisationKind.DEPARTMENT)
    east = make.organisation(east_place, bureau, code="E", name_zh="东港镇", name_en="Donggang", phone="021-2")
    west = make.organisation(west_place, bureau, code="W", name_zh="西港镇", name_en="Xigang")
    village = make.organisation(make.place("900001001", east_place), east, code="V", kind=OrganisationKind.VILLAGE)
    works = make.organisation(east_place, None, code="F", kind=OrganisationKind.ENTERPRISE)
    return SimpleNamespace(
        bureau=bureau, centre=centre, water=water, east=east, west=west, village=village, works=works, east_place=east_place,
        space=make.exercise(),
        head=make.user(bureau, Role.DEPARTMENT, username="head"),
        duty=make.user(centre, Role.DUTY_OFFICER, username="duty"), commander=make.user(centre, Role.COMMANDER, username="commander"),
        officer=make.user(water, Role.DEPARTMENT, username="officer"),
        mayor=make.user(east, username="mayor"), deputy=make.user(east, username="deputy", rank=2), grid=make.user(east, Role.GRID, username="grid", rank=3),
        western=make.user(west, username="western"), villager=make.user(village, Role.GRID, username="villager"),
        safety=make.user(works, Role.ENTERPRISE, username="safety"), resident=make.user(None, Role.RESIDENT, username="resident"),
        admin=make.user(bureau, Role.ADMIN, username="admin", rank=9),
    )  # fmt: skip


@pytest.fixture
def signed_in(client: Any, house: SimpleNamespace, settings: Any) -> Any:
    """Sign in as one of the house, by name, with the house's exercise in view."""
    settings.DEMO = True

    def sign_in(name: str) -> Any:
        who = getattr(house, name)
        who.is_demo = True
        who.save()
        client.force_login(who)
        session = client.session
        session["space"] = house.space.pk
        session.save()
        return client

    return sign_in
