"""A small district that issues warnings: three townships with people, a policy, kinds and words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import shapely

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.alerting import services
from haitang.alerting.models import EventKind, Policy, Warning, WarningTemplate
from haitang.delivery import services as delivery
from haitang.geo.models import Level, Place, PlaceShape
from haitang.obligations import services as obligations
from haitang.spaces import services as spaces
from haitang.spaces.models import ClockMode, Space, SpaceKind

T0 = datetime(2024, 9, 15, tzinfo=UTC)
LADDER = [
    {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"]},
    {"after_s": 300, "to": "responsible", "channels": ["voice"]},
    {"after_s": 600, "to": "deputy", "channels": ["inapp", "sms"]},
    {"after_s": 0, "from": "due", "to": "superior", "channels": ["inapp"]},
]
MINUTES = {"red": 10, "orange": 15, "yellow": 30, "blue": 60}
WORDS = {
    "headline_zh": "{sender}发布{kind}{colour}预警[{level}]",
    "headline_en": "{sender} issues a {colour} {kind} warning",
    "description_zh": "{cause}。{sender}{time}发布{kind}{colour}预警，范围：{area}，有效至{until}。",
    "description_en": "{cause} {sender} issued a {colour} {kind} warning for {area}.",
    "instruction_zh": "1. 减少外出。\n2. 转移低洼处人员。",
    "instruction_en": "1. Stay indoors.\n2. Move away from low ground.",
}


def place(code: str, name: str, parent: Place | None = None, box: Sequence[float] = ()) -> Place:
    level = Level.DISTRICT if parent is None else Level.TOWNSHIP
    made = Place.objects.create(code=code, name_zh=name, name_en=f"{name} EN", level=level, parent=parent)
    if box:
        PlaceShape.objects.create(place=made, level=level, geometry=shapely.box(*box))
    return made


def body(code: str, name: str, where: Place, kind: str, parent: Organisation | None = None) -> Organisation:
    made: Organisation = Organisation.objects.create(
        code=code, name_zh=name, name_en=code, kind=kind, place=where, parent=parent
    )
    return made


def person(name: str, role: str, organisation: Organisation | None, rank: int = 1) -> User:
    phone = f"1390000{User.objects.count():04d}"
    return User.objects.create(
        username=name, name_zh=f"{name}同志", name_en=name, email=f"{name}@example.org", role=role, organisation=organisation,
        rank=rank, phone=phone,
    )  # fmt: skip


def exercise(start: datetime = T0, slug: str = "exercise") -> Space:
    """An exercise whose clock stands at `start` until it is moved."""
    return Space.objects.create(
        slug=f"{slug}-{Space.objects.count()}", name_zh="演练", name_en="Exercise", kind=SpaceKind.EXERCISE, clock_mode=ClockMode.STEPPED,
        clock_base=start, clock_anchor=start,
    )  # fmt: skip


def pass_time(space: Space, minutes: float) -> None:
    """Let the exercise's clock move on, and do what came due meanwhile, step by step."""
    end = space.clock_base + timedelta(minutes=minutes)
    step = timedelta(minutes=max(0.5, minutes / 60))
    while space.clock_base < end:
        spaces.step_to(space, min(end, space.clock_base + step))
        obligations.run_due(space)
        delivery.pump(space)
        services.expire_due(space)


def district() -> SimpleNamespace:
    """The district with everything a warning needs."""
    root = place("990000", "示范区", box=(121.0, 31.0, 121.9, 31.6))
    east = place("990001", "东镇", root, (121.6, 31.0, 121.9, 31.6))
    west = place("990002", "西镇", root, (121.0, 31.0, 121.3, 31.6))
    middle = place("990003", "中镇", root, (121.3, 31.0, 121.6, 31.6))
    centre = body("C", "应急指挥中心", root, OrganisationKind.COMMAND)
    water = body("WATER", "水务局", root, OrganisationKind.DEPARTMENT, centre)
    bodies = {
        "east": body("E", "东镇政府", east, OrganisationKind.TOWNSHIP, centre),
        "west": body("W", "西镇政府", west, OrganisationKind.TOWNSHIP, centre),
        "middle": body("M", "中镇政府", middle, OrganisationKind.TOWNSHIP, centre),
    }
    people = {
        "chief": person("chief", Role.COMMANDER, centre),
        "second": person("second", Role.COMMANDER, centre, 2),
        "duty": person("duty", Role.DUTY_OFFICER, centre, 3),
        "admin": person("admin", Role.ADMIN, centre, 9),
        "officer": person("officer", Role.DEPARTMENT, water),
        "resident": person("resident", Role.RESIDENT, None),
    }
    for name, organisation in bodies.items():
        people[name] = person(name, Role.TOWNSHIP, organisation)
        people[f"{name}2"] = person(f"{name}2", Role.TOWNSHIP, organisation, 2)
    Policy.objects.create(
        sender="99000060000000", sender_name_zh="示范区应急指挥中心", sender_name_en="Model District Command Centre",
        answer_minutes=MINUTES, ladder=LADDER, contact="021-1",
    )  # fmt: skip
    typhoon = EventKind.objects.create(
        code="11B01", hazard="typhoon", name_zh="台风", name_en="typhoon", categories=["Met"], response_types=["Prepare"],
        quantities=["wind_gust"],
    )  # fmt: skip
    typhoon.departments.add(water)
    surge = EventKind.objects.create(
        code="11E02",
        hazard="surge",
        name_zh="风暴潮",
        name_en="storm surge",
        categories=["Met"],
        quantities=["tide_level"],
    )
    WarningTemplate.objects.bulk_create(
        WarningTemplate(kind=kind, colour=colour, valid_hours=12, **WORDS)
        for kind in (typhoon, surge)
        for colour in MINUTES
    )
    return SimpleNamespace(
        root=root, east=east, west=west, middle=middle, centre=centre, water=water, typhoon=typhoon, surge=surge, bodies=bodies,
        people=people, **{name: people[name] for name in ("chief", "second", "duty", "admin", "officer", "resident")},
    )  # fmt: skip


def draft(house: SimpleNamespace, space: Space, **fields: Any) -> Warning:
    """A draft of the duty officer, for the east, orange."""
    given = {"kind": house.typhoon, "colour": "orange", "places": [house.east], "by": house.duty, **fields}
    return services.draft(space=space, **given)


def approved(house: SimpleNamespace, space: Space, **fields: Any) -> Warning:
    """A warning that another person has approved."""
    warning = draft(house, space, **fields)
    services.submit(warning, by=house.duty)
    return services.approve(warning, by=house.chief)


def published(house: SimpleNamespace, space: Space, **fields: Any) -> Warning:
    """A warning in force."""
    return services.publish(approved(house, space, **fields), by=house.duty)


def follow(house: SimpleNamespace, follower: Warning) -> Warning:
    """Take an update or a cancellation to its publication."""
    if follower.state == "draft":
        services.submit(follower, by=house.duty)
    services.approve(follower, by=house.chief)
    return services.publish(follower, by=house.duty)
