"""The smallest valid things of obligations."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.geo.models import Level, Place
from haitang.obligations import services
from haitang.obligations.models import Obligation
from haitang.spaces.models import ClockMode, Space, SpaceKind
from haitang.spaces.services import step_to

_numbers = itertools.count(1)
T0 = datetime(2024, 9, 15, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 60
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 60


def place(code: str = "", parent: Place | None = None) -> Place:
    code = code or f"P{next(_numbers)}"
    level = Level.TOWNSHIP if parent else Level.DISTRICT
    return Place.objects.create(code=code, name_zh=f"{code}地", name_en=f"{code} place", level=level, parent=parent)


def organisation(where: Place | None = None, parent: Organisation | None = None, **fields: Any) -> Organisation:
    code = fields.pop("code", f"O{next(_numbers)}")
    given = {
        "name_zh": f"{code}办",
        "name_en": f"{code} office",
        "kind": OrganisationKind.TOWNSHIP,
        "place": where,
        "parent": parent,
    }
    return Organisation.objects.create(code=code, **{**given, **fields})


def user(body: Organisation | None = None, role: Role = Role.TOWNSHIP, **fields: Any) -> User:
    name = fields.pop("username", f"u{next(_numbers)}")
    given = {"name_zh": f"{name}同志", "name_en": f"Comrade {name}", "phone": "13800000000"}
    return User.objects.create(username=name, role=role, organisation=body, **{**given, **fields})


def exercise(start: datetime = T0) -> Space:
    """An exercise whose clock stands at `start` until `step` moves it."""
    number = next(_numbers)
    return Space.objects.create(
        slug=f"exercise-{number}", name_zh=f"演练{number}", kind=SpaceKind.EXERCISE, clock_mode=ClockMode.STEPPED,
        clock_base=start, clock_anchor=start,
    )  # fmt: skip


def step(space: Space, minute: float) -> None:
    """Move the exercise's clock to so many minutes after T0."""
    step_to(space, at(minute))


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def issue(owner: Organisation, space: Space, *, due: float | None = 30, **fields: Any) -> Obligation:
    """An obligation of a made-up subject (the space itself), due so many minutes after T0."""
    given = {
        "kind": "obligations.task", "subject": space, "title_zh": "转移低洼地区群众", "title_en": "Move people out of low ground",
        "by": SYSTEM, "due_at": None if due is None else at(due), "ladder": (),
    }  # fmt: skip
    with transaction.atomic():
        return services.issue(space=space, owner=owner, **{**given, **fields})


def photo(name: str = "dyke.jpg", content: bytes = JPEG) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/jpeg")
