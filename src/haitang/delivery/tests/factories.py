"""The smallest valid things of delivery."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.delivery import services
from haitang.delivery.models import Message
from haitang.geo.models import Level, Place
from haitang.spaces.models import ClockMode, Space, SpaceKind

_numbers = itertools.count(1)
T0 = datetime(2024, 9, 15, tzinfo=UTC)


def place(code: str = "", parent: Place | None = None) -> Place:
    code = code or f"P{next(_numbers)}"
    level = Level.TOWNSHIP if parent else Level.DISTRICT
    return Place.objects.create(code=code, name_zh=f"{code}地", level=level, parent=parent)


def organisation(where: Place | None = None, **fields: Any) -> Organisation:
    code = fields.pop("code", f"O{next(_numbers)}")
    kind = fields.pop("kind", OrganisationKind.TOWNSHIP)
    return Organisation.objects.create(code=code, name_zh=f"{code}办", kind=kind, place=where, **fields)


def user(role: Role = Role.TOWNSHIP, organisation: Organisation | None = None, **fields: Any) -> User:
    number = next(_numbers)
    given = {
        "phone": f"138{number:08d}",
        "email": f"u{number}@example.org",
        "wecom_id": f"w{number}",
        "name_zh": f"人{number}",
    }
    return User.objects.create(username=f"u{number}", role=role, organisation=organisation, **{**given, **fields})


def exercise(start: datetime = T0) -> Space:
    """An exercise whose clock stands at `start` until it is moved."""
    return Space.objects.create(
        slug=f"exercise-{next(_numbers)}", name_zh="演练", kind=SpaceKind.EXERCISE, clock_mode=ClockMode.STEPPED,
        clock_base=start, clock_anchor=start,
    )  # fmt: skip


def step(space: Space, seconds: float) -> None:
    """Set the exercise's clock to so many seconds after T0."""
    space.clock_base = T0 + timedelta(seconds=seconds)
    space.save()


def message(space: Space, *to: Any, channels: Any = ("inapp",), **fields: Any) -> Message:
    given = {"key": f"m{next(_numbers)}", "title_zh": "台风黄色预警", "title_en": "Typhoon warning, yellow", "body_zh": "请做好防御准备。",
             "body_en": "Prepare.", "about": space, "by": SYSTEM, "url": "/somewhere/"}  # fmt: skip
    with transaction.atomic():
        return services.send(space=space, to=to, channels=channels, **{**given, **fields})
