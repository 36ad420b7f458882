"""Several senders, one commit: what waits at the gate goes into the log together and is judged in the same transaction.

A commit costs a wait for the disk, whatever it holds. So the thread whose turn it is takes along what the others have
brought meanwhile; each of them is answered once that commit has returned.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from haitang.monitoring import counts, engine, intake
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

Tally = Counter[tuple[str, str]]


@dataclass(eq=False)
class _Arrival:
    """What one sender brought: readings for the log, and numbers of what was refused."""

    groups: Sequence[intake.Group]
    tally: Tally
    over: bool = False
    error: BaseException | None = None

    @property
    def rows(self) -> int:
        return sum(len(group.series_ids) for group in self.groups)


@dataclass
class _Gate:
    """Who waits at the gate of one space."""

    waiting: list[_Arrival] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def join(self, arrival: _Arrival) -> None:
        with self.guard:
            self.waiting.append(arrival)

    def next(self) -> list[_Arrival]:
        """The first in the queue, as many as one transaction judges."""
        with self.guard:
            rows, number = 0, 0
            while number < len(self.waiting) and rows < engine.MAX_ROWS:
                rows += self.waiting[number].rows
                number += 1
            taken, self.waiting = self.waiting[:number], self.waiting[number:]
            return taken


_gates: dict[int, _Gate] = {}
_gates_guard = threading.Lock()


def enter(space: Space, groups: Sequence[intake.Group], tally: Tally) -> None:
    """Make readings and counts durable and judge them; when it returns, they are durable.

    Inside a caller's transaction they are written at once and become durable with it.
    """
    mine = _Arrival(groups, tally)
    if connection.in_atomic_block:
        _write(space, [mine])
        return
    with _gates_guard:
        gate = _gates.setdefault(space.pk, _Gate())
    gate.join(mine)
    with engine.turn(space.pk):
        engine.recall(space)
        while not mine.over:
            together = gate.next()
            try:
                more = _write(space, together)
            except BaseException as error:
                for each in together:
                    each.error = error
                if not isinstance(error, Exception):
                    raise
                more = False
            finally:
                for each in together:
                    each.over = True
            if more:
                judge(space)
    if mine.error is not None:
        raise mine.error


def _write(space: Space, arrivals: Sequence[_Arrival]) -> bool:
    """One transaction for all; returns whether the log holds more than could be judged in it."""
    tally: Tally = Counter()
    for each in arrivals:
        tally.update(each.tally)
    groups = [group for each in arrivals for group in each.groups]
    with intake.in_order(space.pk):
        intake.append(space.pk, groups)
        counts.add(space, tally)
        return bool(groups) and judge(space)


def judge(space: Space) -> bool:
    """Judge what is in the log. A failure is logged and not passed on: the log keeps it, and the next step tries again."""
    try:
        with transaction.atomic():
            return engine.step(space)
    except Exception:
        logger.exception("evaluation of %s failed; the log keeps what it could not judge", space.slug)
        return False
