"""The smallest valid things of monitoring."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

from shapely import Point

from haitang.accounts.models import ApiToken, Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.accounts.tokens import digest, new_secret
from haitang.geo.models import Level, Place
from haitang.monitoring import door
from haitang.monitoring.models import Rule, Series, Station
from haitang.spaces.models import ClockMode, Space, SpaceKind

_numbers = itertools.count(1)
T0 = datetime(2024, 9, 15, tzinfo=UTC)
T0_S = int(T0.timestamp())


def place(code: str = "", parent: Place | None = None, **fields: Any) -> Place:
    code = code or f"P{next(_numbers)}"
    level = Level.TOWNSHIP if parent else Level.DISTRICT
    return Place.objects.create(**{"code": code, "name_zh": f"{code}地", "level": level, "parent": parent, **fields})


def organisation(where: Place | None = None, **fields: Any) -> Organisation:
    code = fields.pop("code", f"O{next(_numbers)}")
    kind = fields.pop("kind", OrganisationKind.TOWNSHIP)
    return Organisation.objects.create(code=code, name_zh=f"{code}办", kind=kind, place=where, **fields)


def user(role: Role = Role.DUTY_OFFICER, organisation: Organisation | None = None, **fields: Any) -> User:
    name = f"u{next(_numbers)}"
    return User.objects.create(
        **{
            "username": name,
            "name_zh": name,
            "role": role,
            "organisation": organisation,
            "email": f"{name}@x.cn",
            **fields,
        }
    )


def station(where: Place | None = None, **fields: Any) -> Station:
    code = fields.pop("code", f"S{next(_numbers)}")
    given = {"name_zh": f"{code}站", "name_en": f"{code} station", "kind": "tide", "geometry": Point(121.4, 31.6)}
    return Station.objects.create(code=code, place=where, **{**given, **fields})


def series(at: Station | None = None, **fields: Any) -> Series:
    at = at or station()
    code = fields.pop("code", f"{at.code}-{fields.get('quantity', 'tide_level')}")
    return Series.objects.create(code=code, station=at, **{"quantity": "tide_level", **fields})


def rule(of: Series | None = None, **fields: Any) -> Rule:
    of = of or series()
    given = {} if "silence_s" in fields else {"blue": 4.0, "yellow": 5.0, "orange": 6.0, "red": 7.0}
    code = fields.pop("code", f"{of.code}-R{next(_numbers)}")
    return Rule.objects.create(code=code, series=of, **{**given, **fields})


def exercise(start: datetime = T0) -> Space:
    """An exercise whose clock stands at `start` until it is moved."""
    number = next(_numbers)
    return Space.objects.create(
        slug=f"exercise-{number}", name_zh=f"演练{number}", kind=SpaceKind.EXERCISE, clock_mode=ClockMode.STEPPED,
        clock_base=start, clock_anchor=start,
    )  # fmt: skip


def step(space: Space, minute: float) -> None:
    """Set the exercise's clock to so many minutes after T0."""
    space.clock_base = datetime.fromtimestamp(T0_S + minute * 60, UTC)
    space.save()


def send(space: Space, of: Series | str, *readings: tuple[float, float], source: str = "test") -> door.Receipt:
    """Send readings (minute after T0, value) through the door; the exercise's clock follows the newest."""
    if readings:
        newest = max(minute for minute, _ in readings)
        if datetime.fromtimestamp(T0_S + newest * 60, UTC) > (space.clock_base or T0):
            step(space, newest)
    return door.receive(space, door.Parcel(json.dumps(body(of, *readings)).encode(), source))


def token(
    space: Space, *, rights: tuple[str, ...] = ("readings:write",), **fields: Any
) -> tuple[ApiToken, dict[str, str]]:
    """An access token of a machine, and the header with which its requests come."""
    secret = new_secret()
    given = {"name": f"gateway-{next(_numbers)}", "space": space, "rights": list(rights), "digest": digest(secret)}
    given["user"] = fields.pop("user", None) or user(Role.MACHINE)
    made = ApiToken.objects.create(**{**given, **fields})
    return made, {"Authorization": f"Bearer {secret}"}


def body(of: Series | str, *readings: tuple[float, float]) -> dict[str, list[Any]]:
    """Readings (minute after T0, value) in the columnar form of the wire."""
    code = of if isinstance(of, str) else of.code
    return {
        "series": [code] * len(readings),
        "time": [T0_S + minute * 60 for minute, _ in readings],
        "value": [value for _, value in readings],
    }
