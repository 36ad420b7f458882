"""The smallest district that has everything the kit is about: two townships, people of every role, rows in both."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shapely import Point

from haitang.accounts.models import ApiToken, Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.accounts.tokens import digest, new_secret
from haitang.geo.models import Level, Place
from haitang.resources.models import Shelter, Supply, Team
from haitang.spaces.models import ClockMode, Space, SpaceKind

_numbers = itertools.count(1)
T0 = datetime(2024, 9, 15, tzinfo=UTC)


@dataclass
class World:
    """Places, bodies and people by name; `people` has one person for each role, townships by side."""

    places: dict[str, Place]
    bodies: dict[str, Organisation]
    people: dict[str, User]

    def __getitem__(self, name: str) -> User:
        return self.people[name]


def world() -> World:
    district = Place.objects.create(code="900000", name_zh="试验区", name_en="Test District", level=Level.DISTRICT)
    east = Place.objects.create(
        code="900001", name_zh="东港镇", name_en="Donggang", level=Level.TOWNSHIP, parent=district
    )
    west = Place.objects.create(
        code="900002", name_zh="西港镇", name_en="Xigang", level=Level.TOWNSHIP, parent=district
    )
    village = Place.objects.create(code="900001201", name_zh="东一村", level=Level.VILLAGE, parent=east)
    bureau = _body("BUREAU", "应急局", OrganisationKind.DEPARTMENT, district)
    east_office = _body("EAST", "东港镇应急办", OrganisationKind.TOWNSHIP, east, bureau)
    west_office = _body("WEST", "西港镇应急办", OrganisationKind.TOWNSHIP, west, bureau)
    works = _body("WORKS", "东港化工", OrganisationKind.ENTERPRISE, east)
    rescue = _body("RESCUE", "蓝天救援队", OrganisationKind.SOCIAL, district)
    people = {
        "admin": user(Role.ADMIN, bureau),
        "duty": user(Role.DUTY_OFFICER, bureau),
        "commander": user(Role.COMMANDER, bureau),
        "department": user(Role.DEPARTMENT, bureau),
        "east": user(Role.TOWNSHIP, east_office),
        "west": user(Role.TOWNSHIP, west_office),
        "grid": user(Role.GRID, east_office),
        "enterprise": user(Role.ENTERPRISE, works),
        "social": user(Role.SOCIAL, rescue),
        "resident": user(Role.RESIDENT, None),
        "machine": user(Role.MACHINE, bureau),
    }
    return World(
        {"district": district, "east": east, "west": west, "village": village},
        {"bureau": bureau, "east": east_office, "west": west_office, "works": works, "rescue": rescue},
        people,
    )


def _body(code: str, name: str, kind: str, place: Place, parent: Organisation | None = None) -> Organisation:
    return Organisation.objects.create(code=code, name_zh=name, kind=kind, place=place, parent=parent)


def user(role: Role, body: Organisation | None) -> User:
    name = f"p{next(_numbers)}"
    return User.objects.create(
        username=name, email=f"{name}@example.org", name_zh=f"{role}同志", role=role, organisation=body, is_demo=True
    )


def shelter(of: World, side: str = "east", **fields: Any) -> Shelter:
    code = fields.pop("code", f"SH-{next(_numbers):04}")
    given = {"name_zh": f"{code}避难所", "kind": "school", "place": of.places[side], "owner": of.bodies[side if side in of.bodies else "bureau"],
             "capacity": 200, "geometry": Point(121.4, 31.6)}  # fmt: skip
    return Shelter.objects.create(code=code, **{**given, **fields})


def team(of: World, side: str = "east", **fields: Any) -> Team:
    code = fields.pop("code", f"TM-{next(_numbers):04}")
    given = {
        "name_zh": f"{code}救援队",
        "kind": "grassroots",
        "place": of.places[side],
        "owner": of.bodies[side],
        "members": 20,
    }
    return Team.objects.create(code=code, **{**given, **fields})


def supply(of: World, side: str = "east", **fields: Any) -> Supply:
    code = fields.pop("code", f"SP-{next(_numbers):04}")
    given = {"name_zh": f"{code}编织袋", "kind": "flood", "place": of.places[side], "owner": of.bodies[side], "unit": "条",
             "stock": Decimal(1000), "minimum": Decimal(500)}  # fmt: skip
    return Supply.objects.create(code=code, **{**given, **fields})


def exercise(start: datetime = T0) -> Space:
    """An exercise whose clock stands at `start` until it is moved."""
    number = next(_numbers)
    return Space.objects.create(slug=f"exercise-{number}", name_zh=f"演练{number}", kind=SpaceKind.EXERCISE,
                                clock_mode=ClockMode.STEPPED, clock_base=start, clock_anchor=start)  # fmt: skip


def token(of: User, *rights: str, space: Space | None = None) -> str:
    """A token's secret."""
    secret = new_secret()
    ApiToken.objects.create(
        name="test", digest=digest(secret), user=of, space=space or Space.live(), rights=list(rights)
    )
    return secret
