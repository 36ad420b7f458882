"""A district with two townships, an officer of each and one of the district."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.geo.models import Level, Place
from haitang.spaces.models import Space


@dataclass(frozen=True)
class World:
    space: Space
    district: Place
    east: Place
    west: Place
    duty: User
    easterner: User
    westerner: User
    enterprise: User


def make_world() -> World:
    district = Place.objects.create(code="900000", name_zh="试验区", level=Level.DISTRICT)
    east = Place.objects.create(code="900001", name_zh="东镇", level=Level.TOWNSHIP, parent=district)
    west = Place.objects.create(code="900002", name_zh="西镇", level=Level.TOWNSHIP, parent=district)

    def person(name: str, role: Role, kind: OrganisationKind, place: Place) -> User:
        body = Organisation.objects.create(code=name.upper(), name_zh=name, kind=kind, place=place)
        return User.objects.create_user(name, name_zh=name, role=role, organisation=body)

    return World(
        Space.live(), district, east, west,
        duty=person("duty", Role.DUTY_OFFICER, OrganisationKind.COMMAND, district),
        easterner=person("easterner", Role.TOWNSHIP, OrganisationKind.TOWNSHIP, east),
        westerner=person("westerner", Role.TOWNSHIP, OrganisationKind.TOWNSHIP, west),
        enterprise=person("works", Role.ENTERPRISE, OrganisationKind.ENTERPRISE, east),
    )  # fmt: skip


@pytest.fixture
def world(db: None) -> World:
    return make_world()
