"""A run without processes: the exercise's clock is stepped from event to event, and everything that would happen happens.

    outcome = headless.run("bebinca", by=user)

What the platform's workers do by themselves in the running product is done here after every step: judge readings, raise
silences, climb ladders, send and receive messages, end warnings. The same seed on the same pack gives the same story.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Min

from haitang.accounts.actors import SYSTEM, Actor
from haitang.accounts.models import Organisation
from haitang.alerting import services as alerting
from haitang.delivery import services as delivery
from haitang.monitoring import engine
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.replay import driver, library, services
from haitang.replay.cast.play import Company
from haitang.replay.doors import InsideDoor
from haitang.replay.models import Run, RunState
from haitang.spaces import services as spaces
from haitang.spaces.models import Space

Progress = Callable[[datetime, float], None]
LEAST = timedelta(seconds=20)
"""Steps are not shorter: what is due within one is done in one."""
SILENCE_S = 60.0
ENOUGH = 500


@dataclass
class Outcome:
    """What a headless run leaves: the run, and how many steps and readings it took."""

    run: Run
    steps: int
    readings: int

    @property
    def space(self) -> Space:
        """The exercise space, with everything that happened in it."""
        return self.run.space


def run(
    scenario: str,
    *,
    by: Actor = SYSTEM,
    parts: Collection[str] | None = None,
    spared: Collection[Organisation] = (),
    seed: int | None = None,
    pack: str = "",
    until: datetime | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run a whole scenario (or `until` a moment) in a new exercise space, as fast as it goes.

    `progress` is called with the moment and the share done. Raises Refused for a scenario that cannot be run.
    """
    found = services.start(scenario, by=by, parts=parts, spared=spared, seed=seed, pack=pack, stepped=True, speed=1.0)
    simulation = library.simulation(scenario, pack=found.pack, seed=found.seed)
    seat = driver.Seat(simulation, InsideDoor(found), Company(found, simulation.scenario))
    last = min(found.end, until) if until else found.end
    outcome = Outcome(found, 0, 0)
    moment, ticked = found.begin, found.begin
    while True:
        spaces.step_to(found.space, moment)
        outcome.readings += driver.advance(found, seat, moment)
        if (moment - ticked).total_seconds() >= SILENCE_S:
            engine.let_time_pass(found.space)
            ticked = moment
        coming = seat.company.act(moment)
        background(found.space)
        # What ladders and receipts changed may call for somebody at once.
        coming = min(coming, seat.company.act(moment))
        outcome.steps += 1
        if progress is not None:
            progress(moment, found.share(moment))
        if moment >= last:
            break
        moment = min(last, max(moment + LEAST, _next(found, simulation.next_after(moment.timestamp()), coming, last)))
    found.refresh_from_db()
    if moment >= found.end and found.state == RunState.RUNNING:
        services.end(found, by=SYSTEM)
    return outcome


def background(space: Space) -> None:
    """What the workers of the running product do by themselves, until nothing is due any more."""
    for _round in range(ENOUGH):
        done = obligations.run_due(space) + delivery.pump(space) + alerting.expire_due(space)
        if not done:
            return


def _next(found: Run, reading_s: float | None, coming: datetime, last: datetime) -> datetime:
    """The moment at which something happens next."""
    ladder = Obligation.objects.filter(space=found.space, next_at__isnull=False).aggregate(at=Min("next_at"))["at"]
    reading = datetime.fromtimestamp(reading_s, UTC) if reading_s is not None else last
    return min(each for each in (reading, coming, ladder, last) if each is not None)
