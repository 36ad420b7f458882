"""The plans' small district, able to issue warnings and to respond to them, in an exercise whose clock is moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import shapely

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.accounts.roles import Role
from haitang.alerting import services as alerting
from haitang.alerting.models import EventKind, Policy, Warning
from haitang.delivery import services as delivery
from haitang.geo.models import Place, PlaceShape
from haitang.incidents import services
from haitang.incidents.models import Incident, ResponseProposal
from haitang.incidents.services import Statement, rules
from haitang.incidents.services.tasks import tasks_of
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.plans.tests.factories import World
from haitang.spaces import services as spaces
from haitang.spaces.models import ClockMode, Space, SpaceKind

T0 = datetime(2024, 9, 15, tzinfo=UTC)
_numbers = itertools.count(1)
SAYS = Statement(matter_zh="应对台风", measures_zh="加强值守", term_hours=24)


class Loop(World):
    """The district with warnings, rules for reports, and an exercise that began at T0."""

    def __init__(self) -> None:
        super().__init__()
        self.second = self.person(Role.COMMANDER, self.command, rank=3)
        self.grid = self.person(Role.GRID, self.towns[0], rank=3)
        for n, place in enumerate([self.district, *self.townships]):
            box = (121, 31, 121.9, 31.6) if n == 0 else (120.7 + n * 0.3, 31, 121 + n * 0.3, 31.6)
            PlaceShape.objects.create(place=place, level=place.level, geometry=shapely.box(*box))
        Policy.objects.create(
            sender="90000060000000", sender_name_zh="试验区应急局", sender_name_en="Test Bureau", ladder=[],
            answer_minutes={"red": 10, "orange": 15, "yellow": 30, "blue": 60},
        )  # fmt: skip
        self.kinds = {
            hazard: EventKind.objects.create(code=code, hazard=hazard, name_zh=zh, name_en=en, categories=["Met"], response_types=["Prepare"])
            for code, hazard, zh, en in [("11B01", "typhoon", "台风", "typhoon"), ("11B03", "rainstorm", "暴雨", "rainstorm")]
        }  # fmt: skip
        rules.keep(rules.own(), by=SYSTEM)
        self.space = self.exercise()

    def exercise(self, start: datetime = T0) -> Space:
        return Space.objects.create(
            slug=f"drill-{next(_numbers)}", name_zh="演练世界", name_en="Drill", kind=SpaceKind.EXERCISE, clock_mode=ClockMode.STEPPED,
            clock_base=start, clock_anchor=start,
        )  # fmt: skip

    def step(self, minutes: float = 0, *, run: bool = False) -> datetime:
        """Let time pass in the exercise; `run` what became due (escalation and messages, which cost most)."""
        spaces.step_to(self.space, self.space.clock_base + timedelta(minutes=minutes))
        if run:
            obligations.run_due(self.space)
            delivery.pump(self.space)
        return self.space.clock_base

    def draft(
        self, colour: str = "orange", places: Sequence[Place] = (), hazard: str = "typhoon", **fields: Any
    ) -> Warning:
        return alerting.draft(
            space=fields.pop("space", self.space),
            kind=self.kinds[hazard],
            colour=colour,
            places=places or [self.district],
            by=self.duty,
            **fields,
        )

    def out(self, warning: Warning) -> Warning:
        """Submit, approve, publish."""
        if warning.state == "draft":
            alerting.submit(warning, by=self.duty)
        alerting.approve(warning, by=self.second)
        alerting.publish(warning, by=self.duty)
        warning.refresh_from_db()
        return warning

    def publish(
        self, colour: str = "orange", places: Sequence[Place] = (), hazard: str = "typhoon", **fields: Any
    ) -> Warning:
        return self.out(self.draft(colour, places, hazard, **fields))

    def update(self, warning: Warning, colour: str) -> Warning:
        return self.out(alerting.update(warning, colour=colour, by=self.duty))

    def cancel(self, warning: Warning) -> Warning:
        return self.out(alerting.cancel(warning, by=self.duty))

    def proposal(self, **fields: Any) -> ResponseProposal:
        return ResponseProposal.objects.get(**{"space": self.space, "state": "open", **fields})

    def start(self, level: int = 2, **fields: Any) -> Incident:
        """A response of the flood plan, by decision."""
        from haitang.plans.models import Plan

        plan = fields.pop("plan", None) or Plan.objects.get(code="T-FLOOD")
        return services.start(
            space=fields.pop("space", self.space),
            plan=plan,
            level=level,
            by=fields.pop("by", self.commander),
            statement=fields.pop("statement", SAYS),
            **fields,
        )

    def task(self, incident: Incident, code: str, owner: str) -> Obligation:
        return next(
            t for t in tasks_of(incident) if t.data["code"] == code and t.owner.code == owner and t.state != "withdrawn"
        )

    def head(self, owner: str) -> User:
        return User.objects.filter(organisation__code=owner, is_active=True).order_by("rank", "pk")[0]

    def done(self, incident: Incident, code: str, owner: str) -> Obligation:
        return obligations.complete(self.task(incident, code, owner), by=self.head(owner))


def told(incident: Incident, *, withdrawn: bool = False) -> list[tuple[str, str]]:
    """The tasks as (action, organisation), in order."""
    return sorted((t.data["code"], t.owner.code) for t in tasks_of(incident) if (t.state == "withdrawn") is withdrawn)
