"""How long each step of the loop took, from the first reading to the end of the response. Pure: times in, a table out.

The steps, in the order of the loop (P1: sense - warn - respond - recover - evaluate); a step that did not happen has no time.
Shares count everybody who was asked, so silence counts against them, and a task that is still open keeps "all done" open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

SHARES: Final = (0.5, 0.9, 0.95)
MOVED_SHARE: Final = 0.9
STEPS: Final = (
    "reading", "alarm", "warning", "answered_50", "answered_90", "answered_95", "proposed", "started", "first_task", "all_tasks",
    "moved_90", "ended",
)  # fmt: skip
# From which step a step's duration is counted; the loop's first step counts from nothing.
SINCE: Final[Mapping[str, str]] = {
    "alarm": "reading", "warning": "alarm", "answered_50": "warning", "answered_90": "warning", "answered_95": "warning",
    "proposed": "warning", "started": "proposed", "first_task": "started", "all_tasks": "started", "moved_90": "started",
    "ended": "started",
}  # fmt: skip


# Further moments that history can be set beside: the first warning of each colour, the first time at each level.
MARKS: Final = (
    *(f"warning_{colour}" for colour in ("blue", "yellow", "orange", "red")),
    *(f"level_{level}" for level in (1, 2, 3, 4)),
)


@dataclass(frozen=True, slots=True)
class Task:
    """One task: issued, due (None: no limit), done (None: not done)."""

    issued: datetime
    due: datetime | None
    done: datetime | None

    def verdict(self, now: datetime) -> str:
        """`on_time`, `late` (done after its time), `overdue` (not done, time over) or `open`."""
        if self.done is not None:
            return "late" if self.due is not None and self.done > self.due else "on_time"
        return "overdue" if self.due is not None and now > self.due else "open"


@dataclass(frozen=True, slots=True)
class Events:
    """What happened: single moments, when each of those asked answered (None: silent), tasks, the course of people moved."""

    reading: datetime | None = None
    alarm: datetime | None = None
    warning: datetime | None = None
    answers: Sequence[datetime | None] = ()
    proposed: datetime | None = None
    started: datetime | None = None
    tasks: Sequence[Task] = ()
    moved: Sequence[tuple[datetime, float]] = ()
    # How many were to be moved; None: the highest number moved counts as all.
    to_move: float | None = None
    ended: datetime | None = None
    # When each of `MARKS` was reached.
    marks: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table: when it happened, and how long after the step it is counted from and after the first."""

    name: str
    at: datetime | None
    since: str = ""
    took: timedelta | None = None
    total: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Tasks by verdict."""

    on_time: int = 0
    late: int = 0
    overdue: int = 0
    open: int = 0

    @property
    def all(self) -> int:
        """How many there were."""
        return self.on_time + self.late + self.overdue + self.open

    @property
    def done(self) -> int:
        """How many are done."""
        return self.on_time + self.late


def moment_of(share: float, moments: Sequence[datetime | None]) -> datetime | None:
    """When the first `share` of all had answered; None while they have not. `share` lies in (0, 1]."""
    if not 0 < share <= 1:
        raise ValueError(f"a share lies in (0, 1], got {share}")
    if not moments:
        return None
    known = sorted(moment for moment in moments if moment is not None)
    needed = math.ceil(share * len(moments) - 1e-9)
    return known[needed - 1] if needed <= len(known) else None


def moved(
    points: Sequence[tuple[datetime, float]], to_move: float | None, share: float = MOVED_SHARE
) -> datetime | None:
    """When `share` of those to be moved had been; None if they never were."""
    target = to_move if to_move else max((value for _at, value in points), default=0.0)
    if target <= 0:
        return None
    return next((at for at, value in points if value >= share * target - 1e-9), None)


def times(events: Events) -> dict[str, datetime | None]:
    """When each step happened."""
    done = [task.done for task in events.tasks]
    finished = [moment for moment in done if moment is not None]
    found: dict[str, datetime | None] = {
        "reading": events.reading, "alarm": events.alarm, "warning": events.warning,
        "proposed": events.proposed, "started": events.started,
        "first_task": min(finished, default=None),
        "all_tasks": max(finished) if finished and len(finished) == len(done) else None,
        "moved_90": moved(events.moved, events.to_move), "ended": events.ended,
    }  # fmt: skip
    found |= {name: events.marks.get(name) for name in MARKS}
    for share in SHARES:
        found[f"answered_{share * 100:.0f}"] = moment_of(share, events.answers)
    return found


def table(events: Events) -> list[Step]:
    """All steps in order, each with how long it took. A step before the one it is counted from took no time."""
    at = times(events)
    first = next((moment for name in STEPS if (moment := at[name]) is not None), None)
    rows = []
    for name in STEPS:
        moment = at[name]
        since = _since(name, at)
        start = at[since] if since else None
        took = max(moment - start, timedelta()) if moment is not None and start is not None else None
        total = moment - first if moment is not None and first is not None else None
        rows.append(Step(name, moment, since, took, total))
    return rows


def _since(name: str, at: Mapping[str, datetime | None]) -> str:
    """The step a step is counted from: its own, or the nearest before that one that happened."""
    since = SINCE.get(name, "")
    while since and at[since] is None:
        since = SINCE.get(since, "")
    return since


def tally(tasks: Sequence[Task], now: datetime) -> Tally:
    """Tasks by verdict, as things stand at `now`."""
    counted: dict[str, int] = {}
    for task in tasks:
        verdict = task.verdict(now)
        counted[verdict] = counted.get(verdict, 0) + 1
    return Tally(**counted)


@dataclass(frozen=True, slots=True)
class Beside:
    """A step of the exercise beside what history says of it."""

    step: str
    label_zh: str
    label_en: str
    at: datetime | None
    history: datetime | None
    value: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def earlier(self) -> timedelta | None:
        """How much earlier than in history (negative: later)."""
        return self.history - self.at if self.at is not None and self.history is not None else None


def beside(rows: Sequence[Mapping[str, object]], at: Mapping[str, datetime | None]) -> list[Beside]:
    """History's rows ({"step", "label_zh", "label_en", "at", "value", "here"}) beside the exercise's times, in history's order.

    A row with a step takes the time of that step, one without the time `here`, which whoever replays has found.
    """
    found = []
    for row in rows:
        step = str(row.get("step") or "")
        label_zh = str(row.get("label_zh") or row.get("label_en") or step)
        value = row.get("value")
        found.append(
            Beside(
                step,
                label_zh,
                str(row.get("label_en") or label_zh),
                at.get(step) if step else _moment(row.get("here")),
                _moment(row.get("at")),
                "" if value is None else str(value),
            )
        )
    return found


def _moment(when: object) -> datetime | None:
    if isinstance(when, str) and when:
        return datetime.fromisoformat(when)
    return when if isinstance(when, datetime) else None


def in_order(moments: Sequence[datetime | None]) -> bool:
    """Whether those of the moments that are known never go back."""
    known = [moment for moment in moments if moment is not None]
    return all(before <= after for before, after in pairwise(known))
