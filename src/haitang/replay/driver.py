"""Moving a run on: readings up to a moment, the storm's position, the cast. And who drives: one process at a time.

Everything here can be done again: the door knows a reading by series and time, a position by its moment, and what the
cast does is decided by what is stored. A process that is killed leaves a run that another takes up where it stood; the
exercise's time stands still for as long as nobody drove.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import shapely
from django.db import OperationalError
from django.db.models import F, Max, Q
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Refused
from haitang.journal.models import Entry
from haitang.replay import doors, library, services
from haitang.replay.cast import play
from haitang.replay.models import Driver, Run, RunState, StormFix
from haitang.replay.simulate import Simulation
from haitang.spaces.clock import now
from haitang.spaces.models import ClockMode

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=8)
"""A process that was not seen for so long has been killed."""
GAP_S = 3.0
"""So much time without a driver (of life) is not made up for: the exercise's clock goes back to where it was."""
FIX_S = 3600
PATIENCE = 5
RING_POINTS = 48


@dataclass
class Seat:
    """What a driving process keeps for one run: the simulation, the door, the cast's plans."""

    simulation: Simulation
    door: doors.Door
    company: play.Company
    failures: int = 0


def name_of_process() -> str:
    """A name for this process that no other has had."""
    return f"{socket.gethostname()[:12]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass
class Chauffeur:
    """One process that drives scaled runs; `attend` does one round for one run."""

    name: str = field(default_factory=name_of_process)
    seats: dict[int, Seat] = field(default_factory=dict)

    def attend(self, run: Run) -> bool:
        """Move a run on to the present of its clock, if it is this process's to drive; whether it was."""
        if not self._take(run):
            self.seats.pop(run.pk, None)
            return False
        try:
            seat = self._seat(run)
            moment = now(run.space)
            advance(run, seat, min(moment, run.end))
            seat.company.act(moment)
            self._seen(run)
            if moment >= run.end:
                services.end(run, by=SYSTEM)
                self._leave(run)
            seat.failures = 0
        except OperationalError:
            raise  # the store is away: the worker waits and tries again
        except Exception as error:
            logger.exception("replay %s stumbled", run.pk)
            self._stumble(run, error)
        return True

    def _take(self, run: Run) -> bool:
        real = timezone.now()
        free = Q(driver="") | Q(driver=self.name) | Q(seen_wall__lt=real - LEASE) | Q(seen_wall=None)
        mine = Run.objects.filter(free, pk=run.pk, state=RunState.RUNNING, kind=Driver.SCALED)
        return bool(mine.update(driver=self.name, seen_wall=real))

    def _seat(self, run: Run) -> Seat:
        seat = self.seats.get(run.pk)
        if seat is None:
            take_up(run)
            simulation = library.simulation(run.scenario, pack=run.pack, seed=run.seed)
            seat = Seat(simulation, open_door(run), play.Company(run, simulation.scenario))
            self.seats[run.pk] = seat
        return seat

    def _seen(self, run: Run) -> None:
        Run.objects.filter(pk=run.pk, driver=self.name).update(seen_wall=timezone.now(), seen_at=now(run.space))

    def _leave(self, run: Run) -> None:
        self.seats.pop(run.pk, None)
        doors.revoke(run)

    def _stumble(self, run: Run, error: Exception) -> None:
        seat = self.seats.get(run.pk)
        failures = (seat.failures if seat else PATIENCE) + 1
        if seat is not None:
            seat.failures = failures
        if failures > PATIENCE or isinstance(error, Refused):
            services.fail(run, trouble=f"{type(error).__name__}: {error}", by=SYSTEM)
            self.seats.pop(run.pk, None)


def open_door(run: Run) -> doors.Door:
    """The door that the run asks for; without a wish HTTP, for that is how a sensor comes."""
    try:
        found: doors.Door = doors.DOORS[run.door or "http"](run)
    except doors.DoorShut as error:
        logger.warning("replay %s goes in directly: %s", run.pk, error)
        return doors.InsideDoor(run)
    return found


def take_up(run: Run) -> None:
    """Set the clock back to where the last driver left it, unless people have worked on meanwhile."""
    space = run.space
    space.refresh_from_db()
    if run.seen_at is None or space.clock_mode != ClockMode.SCALED:
        return
    moment = now(space)
    if (moment - run.seen_at).total_seconds() <= GAP_S * max(space.clock_speed, 1.0):
        return
    newest = Entry.objects.filter(space=space).aggregate(newest=Max("at"))["newest"]
    back = max(run.seen_at, newest or run.seen_at)
    if back < moment:
        services.set_clock(run, back)


def advance(run: Run, seat: Seat, upto: datetime) -> int:
    """Send what is reported up to a moment; the position moves once the door has taken it. Returns how many readings."""
    if upto <= run.position:
        return 0
    readings = seat.simulation.between(run.position.timestamp(), upto.timestamp())
    taken = _send(run, seat, readings) if len(readings) else 0
    _follow_storm(run, seat.simulation, upto)
    Run.objects.filter(pk=run.pk, position__lt=upto).update(position=upto, sent=F("sent") + taken)
    run.position, run.sent = upto, run.sent + taken
    return taken


def _send(run: Run, seat: Seat, readings: object) -> int:
    try:
        return seat.door.send(readings)  # type: ignore[arg-type]
    except doors.DoorShut as error:
        # The web process may be away for a moment: nothing is lost, the readings go in behind the same door.
        logger.warning(
            "replay %s: %s did not take the readings (%s); they go in directly", run.pk, seat.door.name, error
        )
        return doors.InsideDoor(run).send(readings)  # type: ignore[arg-type]


def _follow_storm(run: Run, simulation: Simulation, upto: datetime) -> None:
    """Note where the storm stands, once an hour."""
    if simulation.scenario.track is None:
        return
    first = math.ceil(run.position.timestamp() / FIX_S) * FIX_S
    for at_s in range(first, int(upto.timestamp()) + 1, FIX_S):
        found = simulation.storm_at(float(at_s))
        if found is None:
            continue
        at, storm = datetime.fromtimestamp(at_s, UTC), found.storm
        lon, lat, outer_km = float(storm.lon[0]), float(storm.lat[0]), float(found.outer_km[0])
        StormFix.objects.get_or_create(
            space=run.space, at=at,
            defaults={
                "until": at + timedelta(seconds=FIX_S), "lon": lon, "lat": lat, "name_zh": run.name_zh, "name_en": run.name_en,
                "central_hpa": round(float(storm.central_hpa[0]), 1), "wind_ms": round(float(storm.max_wind_ms[0]), 1),
                "outer_km": round(outer_km), "geometry": ring(lon, lat, outer_km),
            },
        )  # fmt: skip


def ring(lon: float, lat: float, radius_km: float) -> shapely.Polygon:
    """A circle on the ground as a polygon in degrees; good enough below 45 degrees of latitude and 500 km."""
    from haitang.replay.track import KM_PER_DEGREE

    tall = radius_km / KM_PER_DEGREE
    wide = tall / math.cos(math.radians(lat))
    turns = [2 * math.pi * n / RING_POINTS for n in range(RING_POINTS)]
    return shapely.Polygon([(lon + wide * math.cos(t), lat + tall * math.sin(t)) for t in turns])
