"""A run without processes: the exercise's clock is stepped from event to event, and everything that would happen happens.

    outcome = headless.run("bebinca", by=user)

The same seed on the same pack gives the same story.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from haitang.accounts.actors import SYSTEM, Actor
from haitang.accounts.models import Organisation
from haitang.replay import services
from haitang.replay.doors import InsideDoor
from haitang.replay.models import Run, RunState
from haitang.replay.player import Player
from haitang.spaces import services as spaces
from haitang.spaces.models import Space

Progress = Callable[[datetime, float], None]


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
    player = Player.of(found, InsideDoor(found))
    last = min(found.end, until) if until else found.end
    moment, steps = found.begin, 0
    while True:
        spaces.step_to(found.space, moment)
        player.play(moment)
        steps += 1
        if progress is not None:
            progress(moment, found.share(moment))
        if moment >= last:
            break
        moment = player.next_after(moment, last)
    found.refresh_from_db()
    if moment >= found.end and found.state == RunState.RUNNING:
        services.end(found, by=SYSTEM)
    return Outcome(found, steps, player.readings)
