"""One run moved on from moment to moment: readings, silences, the cast, and what the platform does by itself.

Both drivers use it, the one that steps an exercise's clock and the one that paces it. Everything here can be done again:
the door knows a reading by series and time, a storm's position is known by its moment, and what the cast does is decided
by what is stored.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import shapely
from django.db.models import F, Min

from haitang.alerting import services as alerting
from haitang.alerting.models import State as WarningState
from haitang.alerting.models import Warning
from haitang.delivery import services as delivery
from haitang.delivery.models import Delivery
from haitang.monitoring import due, engine
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.replay import doors, library
from haitang.replay.cast.play import Company
from haitang.replay.models import Run, StormFix
from haitang.replay.simulate import Simulation
from haitang.replay.track import KM_PER_DEGREE
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

LEAST = timedelta(seconds=20)
"""Moments are not nearer to each other: what is due within one is done in one."""
SILENCE = timedelta(minutes=2)
FIX_S = 3600
RING_POINTS = 48
ENOUGH = 500


@dataclass
class Player:
    """What a process keeps of a run that it moves on: the simulation, the door, the cast's plans. May be made anew at any time."""

    run: Run
    door: doors.Door
    simulation: Simulation
    company: Company = field(init=False)
    readings: int = 0
    _ticked: datetime | None = None
    _coming: datetime | None = None

    def __post_init__(self) -> None:
        self.company = Company(self.run, self.simulation.scenario)

    @classmethod
    def of(cls, run: Run, door: doors.Door) -> Player:
        """A player for a run; computes its storm. Raises Refused where the scenario cannot be run any more."""
        return cls(run, door, library.simulation(run.scenario, pack=run.pack, seed=run.seed, change=run.what_if))

    def play(self, moment: datetime) -> None:
        """Let everything happen that happens at a moment; the space's clock stands there already."""
        self.readings += self._send(moment)
        if self._ticked is None or moment - self._ticked >= SILENCE:
            engine.let_time_pass(self.run.space)
            due.attend(self.run.space)
            self._ticked = moment
        coming = self.company.act(moment)
        background(self.run.space, moment)
        # What ladders and receipts changed may call for somebody at once.
        self._coming = min(coming, self.company.act(moment))

    def next_after(self, moment: datetime, last: datetime) -> datetime:
        """The next moment at which something happens, at most `last`."""
        ladder = Obligation.objects.filter(space=self.run.space, next_at__isnull=False).aggregate(at=Min("next_at"))[
            "at"
        ]
        reading_s = self.simulation.next_after(moment.timestamp())
        reading = datetime.fromtimestamp(reading_s, UTC) if reading_s is not None else None
        coming = min(each for each in (reading, self._coming, ladder, last) if each is not None)
        return min(last, max(moment + LEAST, coming))

    def _send(self, upto: datetime) -> int:
        """Send what is reported up to a moment; the position moves once the door has taken it."""
        run = self.run
        if upto <= run.position:
            return 0
        self._follow_storm(upto)
        readings = self.simulation.between(run.position.timestamp(), upto.timestamp())
        if not len(readings) and upto < run.end:
            return 0
        try:
            taken = self.door.send(readings)
        except doors.DoorShut as error:
            # The web process may be away for a moment: nothing is lost, they go in where the door leads to.
            logger.warning("replay %s goes in directly: %s: %s", run.pk, self.door.name, error)
            taken = doors.InsideDoor(run).send(readings)
        Run.objects.filter(pk=run.pk, position__lt=upto).update(position=upto, sent=F("sent") + taken)
        run.position, run.sent = upto, run.sent + taken
        return taken

    def _follow_storm(self, upto: datetime) -> None:
        """Note where the storm stands, once an hour."""
        first = math.ceil(self.run.position.timestamp() / FIX_S) * FIX_S
        for at_s in range(first, int(upto.timestamp()) + 1, FIX_S):
            found = self.simulation.storm_at(float(at_s))
            if found is None:
                continue
            at, storm = datetime.fromtimestamp(at_s, UTC), found.storm
            lon, lat, outer_km = float(storm.lon[0]), float(storm.lat[0]), float(found.outer_km[0])
            StormFix.objects.get_or_create(
                space=self.run.space, at=at,
                defaults={
                    "until": at + timedelta(seconds=FIX_S), "lon": lon, "lat": lat, "name_zh": self.run.name_zh,
                    "name_en": self.run.name_en, "central_hpa": round(float(storm.central_hpa[0]), 1),
                    "wind_ms": round(float(storm.max_wind_ms[0]), 1), "outer_km": round(outer_km),
                    "geometry": ring(lon, lat, outer_km),
                },
            )  # fmt: skip


def background(space: Space, moment: datetime) -> None:
    """What the workers of the running product do by themselves, until nothing is due any more at this moment."""
    for _round in range(ENOUGH):
        done = 0
        if Obligation.objects.filter(space=space, next_at__lte=moment).exists():
            done += obligations.run_due(space)
        if Delivery.objects.filter(space=space, next_at__lte=moment).exists():
            done += delivery.pump(space)
        if Warning.objects.filter(space=space, state=WarningState.PUBLISHED, expires__lte=moment).exists():
            done += alerting.expire_due(space)
        if not done:
            return


def ring(lon: float, lat: float, radius_km: float) -> shapely.Polygon:
    """A circle on the ground as a polygon in degrees; good enough below 45 degrees of latitude and 500 km."""
    tall = radius_km / KM_PER_DEGREE
    wide = tall / math.cos(math.radians(lat))
    turns = [2 * math.pi * n / RING_POINTS for n in range(RING_POINTS)]
    return shapely.Polygon([(lon + wide * math.cos(t), lat + tall * math.sin(t)) for t in turns])
