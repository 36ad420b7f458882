"""A district with two townships and a village, and one person of every role."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.geo.models import Level, Place


@dataclass(frozen=True)
class World:
    places: dict[str, Place]
    bodies: dict[str, Organisation]
    people: dict[str, User]


def body(code: str, kind: OrganisationKind, parent: Organisation | None, place: Place | None) -> Organisation:
    made: Organisation = Organisation.objects.create(code=code, name_zh=code, kind=kind, parent=parent, place=place)
    return made


def person(name: str, role: Role, organisation: Organisation | None, **more: object) -> User:
    return User.objects.create_user(name, name_zh=f"{name}同志", role=role, organisation=organisation, **more)


@pytest.fixture
def world(db: None) -> World:
    district = Place.objects.create(code="D", name_zh="试验区", level=Level.DISTRICT)
    east = Place.objects.create(code="E", name_zh="东镇", level=Level.TOWNSHIP, parent=district)
    west = Place.objects.create(code="W", name_zh="西镇", level=Level.TOWNSHIP, parent=district)
    village = Place.objects.create(code="V", name_zh="东村", level=Level.VILLAGE, parent=east)
    places = {"district": district, "east": east, "west": west, "village": village}
    kinds = OrganisationKind
    government = body("GOV", kinds.GOVERNMENT, None, district)
    command = body("EOC", kinds.COMMAND, government, district)
    water = body("WATER", kinds.DEPARTMENT, government, district)
    eastern, western = body("TE", kinds.TOWNSHIP, government, east), body("TW", kinds.TOWNSHIP, government, west)
    committee = body("TV", kinds.VILLAGE, eastern, village)
    works = body("WORKS", kinds.ENTERPRISE, eastern, east)
    rescue = body("RESCUE", kinds.SOCIAL, None, district)
    city = body("CITY", kinds.PLATFORM, None, district)
    bodies = {
        each.code: each for each in (government, command, water, eastern, western, committee, works, rescue, city)
    }
    people = {
        "admin": person("admin", Role.ADMIN, command),
        "duty": person("duty", Role.DUTY_OFFICER, command),
        "commander": person("commander", Role.COMMANDER, command),
        "water": person("water", Role.DEPARTMENT, water),
        "east": person("east", Role.TOWNSHIP, eastern),
        "west": person("west", Role.TOWNSHIP, western),
        "grid": person("grid", Role.GRID, committee),
        "works": person("works", Role.ENTERPRISE, works),
        "rescue": person("rescue", Role.SOCIAL, rescue),
        "city": person("city", Role.MACHINE, city),
        "resident": person("resident", Role.RESIDENT, None),
    }
    return World(places, bodies, people)
