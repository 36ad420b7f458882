"""Driving runs whose time passes by itself, faster than life: one process at a time, and another when it was killed.

The driver moves the exercise's clock: it walks from event to event as fast as the speed allows, and sets the clock to
each. Where the machine is slower than the speed asked for, time passes more slowly and nothing is skipped. While nobody
drives, the exercise's time stands still, and whoever takes the run up goes on from there.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Refused
from haitang.replay import doors, services
from haitang.replay.models import Driver, Run, RunState
from haitang.replay.player import Player
from haitang.spaces.clock import now
from haitang.spaces.services import step_to

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
"""A process that was not seen for so long has been killed, or its machine; on the same machine that is seen at once."""
MOST_S = 2.0
"""So much time of life is made up for at once; more than that (a machine that sleeps) is let go."""
ROUND_S = 1.0
PATIENCE = 5


@dataclass
class Seat:
    """Where a driving process is with one run: the moment it has played, and when that was by its own watch."""

    player: Player
    moment: datetime
    watch: float
    failures: int = 0


def name_of_process() -> str:
    """A name for this process that no other has had."""
    return f"{socket.gethostname()[:12]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def is_dead(name: str) -> bool:
    """Whether the process of this name ran on this machine and is gone. False where that cannot be known."""
    host, _colon, rest = name.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname()[:12] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@dataclass
class Chauffeur:
    """One process that drives scaled runs; `attend` does one round for one run."""

    name: str = field(default_factory=name_of_process)
    watch: Callable[[], float] = time.monotonic
    seats: dict[int, Seat] = field(default_factory=dict)

    def attend(self, run: Run) -> bool:
        """Move a run on towards the present, for a second at most, if it is this process's to drive; whether it was."""
        if not self._take(run):
            self.seats.pop(run.pk, None)
            return False
        try:
            self._drive(run)
        except OperationalError:
            raise  # the store is away: the worker waits and tries again
        except Exception as error:
            logger.exception("replay %s stumbled", run.pk)
            self._stumble(run, error)
        return True

    def _drive(self, run: Run) -> None:
        seat = self._seat(run)
        began = self.watch()
        target = min(run.end, seat.moment + timedelta(seconds=run.speed * min(began - seat.watch, MOST_S)))
        while seat.moment < target and self.watch() - began < ROUND_S:
            seat.moment = seat.player.next_after(seat.moment, target)
            step_to(run.space, seat.moment)
            seat.player.play(seat.moment)
            if not self._seen(run):
                return  # paused, stopped, or taken by another
        # What could not be done in this round is not made up for in the next.
        seat.watch = began if seat.moment >= target else self.watch()
        seat.failures = 0
        if seat.moment >= run.end:
            services.end(run, by=SYSTEM)
            self.seats.pop(run.pk, None)
            doors.revoke(run)

    def _take(self, run: Run) -> bool:
        real = timezone.now()
        free = Q(driver="") | Q(driver=self.name) | Q(seen_wall__lt=real - LEASE) | Q(seen_wall=None)
        if run.driver and is_dead(run.driver):
            free |= Q(driver=run.driver)
        mine = Run.objects.filter(free, pk=run.pk, state=RunState.RUNNING, kind=Driver.SCALED)
        return bool(mine.update(driver=self.name, seen_wall=real))

    def _seat(self, run: Run) -> Seat:
        seat = self.seats.get(run.pk)
        if seat is None:
            player = Player.of(run, open_door(run))
            # What the killed one had not finished at its last moment is done now.
            seat = Seat(player, now(run.space) - timedelta(seconds=1), self.watch() - 1.0 / run.speed)
            self.seats[run.pk] = seat
        seat.player.run = seat.player.company.run = run
        return seat

    def _seen(self, run: Run) -> bool:
        mine = Run.objects.filter(pk=run.pk, driver=self.name, state=RunState.RUNNING)
        return bool(mine.update(seen_wall=timezone.now()))

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
