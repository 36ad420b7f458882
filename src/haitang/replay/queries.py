"""How runs stand: for the page, the desk and the run's own page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from haitang.accounts.models import Organisation, User
from haitang.accounts.verbs import may
from haitang.incidents.models import Incident
from haitang.replay import history, library
from haitang.replay.cast.parts import EVERYBODY, Part
from haitang.replay.models import UNDER_WAY, Driver, Run, RunState, StormFix
from haitang.replay.scenario import History, Scenario
from haitang.replay.services import SPEEDS
from haitang.spaces.clock import now

PAST = 10


@dataclass(frozen=True)
class Standing:
    """A run as it stands now."""

    run: Run
    at: datetime
    percent: int
    incident: Incident | None

    @property
    def is_running(self) -> bool:
        """Whether its time passes."""
        return self.run.state == RunState.RUNNING

    @property
    def can_be_steered(self) -> bool:
        """Whether it can be paused and run at another speed here."""
        return self.run.is_under_way and self.run.kind == Driver.SCALED

    @property
    def faster(self) -> float | None:
        """The next speed up."""
        return next((speed for speed in SPEEDS if speed > self.run.speed), None)

    @property
    def slower(self) -> float | None:
        """The next speed down."""
        return next((speed for speed in reversed(SPEEDS) if speed < self.run.speed), None)

    @property
    def can_be_closed(self) -> bool:
        """Whether its exercise is still open."""
        return bool(self.run.space.is_open) and self.run.state != RunState.STOPPED


@dataclass(frozen=True)
class Beside:
    """What really happened, and when it happened in the exercise."""

    row: History
    here: datetime | None


def standing(run: Run) -> Standing:
    """One run. Two queries."""
    at = now(run.space)
    incident = Incident.objects.filter(space=run.space, parent=None).order_by("level", "pk").first()
    return Standing(run, at, round(100 * run.share(at)), incident)


def runs(user: User | AnonymousUser) -> QuerySet[Run]:
    """The runs this user sees, newest first."""
    rows: QuerySet[Run] = Run.objects.visible_to(user).select_related("space", "started_by")
    return rows.order_by("-pk")


def under_way(user: User | AnonymousUser) -> list[Standing]:
    """The runs that go on or can go on."""
    return [standing(run) for run in runs(user).filter(state__in=UNDER_WAY)]


def past(user: User | AnonymousUser) -> list[Standing]:
    """The newest runs that are over."""
    return [standing(run) for run in runs(user).exclude(state__in=UNDER_WAY)[:PAST]]


def beside(run: Run) -> list[Beside]:
    """History beside a run; nothing beside a storm that never came so."""
    scenario = None if run.change else scenario_of(run)
    return [Beside(row, history.here(run, row.key)) for row in scenario.history] if scenario else []


def bounds(run: Run) -> str:
    """The box of the storm's way so far and of the district, as a map takes it. Two queries."""
    points = list(StormFix.objects.filter(space=run.space).values_list("lon", "lat"))
    points += [(site.lon, site.lat) for site in library.sites()]
    if not points:
        return ""
    lons, lats = zip(*points, strict=True)
    return f"{min(lons) - 0.3:.2f},{min(lats) - 0.3:.2f},{max(lons) + 0.3:.2f},{max(lats) + 0.3:.2f}"


def scenario_of(run: Run) -> Scenario | None:
    """A run's scenario, None where its file is not there any more."""
    return next((each.scenario for each in library.scenarios(run.pack) if each.key == run.scenario), None)


def cast_of(run: Run) -> str:
    """Whom the script plays, in words."""
    names = {
        Part.DUTY: _("duty room"),
        Part.COMMAND: _("command"),
        Part.DEPARTMENTS: _("departments"),
        Part.TOWNSHIPS: _("townships"),
    }
    played = [Part(each) for each in run.parts]
    if not played:
        return _("nobody")
    text = _("everybody") if set(played) == EVERYBODY else _(", ").join(names[part] for part in Part if part in played)
    if run.spared:
        bodies: Sequence[Any] = Organisation.objects.filter(code__in=run.spared).order_by("path")
        text = _("%(played)s, but not %(spared)s") % {
            "played": text,
            "spared": _(", ").join(body.name for body in bodies),
        }
    return text


def rights(user: User | AnonymousUser) -> dict[str, bool]:
    """What this user may do with replays."""
    return {name: may(user, f"replay.{name}") for name in ("start", "pause", "stop")}
