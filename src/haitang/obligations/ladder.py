"""The escalation ladder: which step comes next, and when. Pure; times are aware, spans in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

FROM = ("issued", "due")
TO = ("responsible", "deputy", "all", "superior", "duty", "issuer", "workers")
UNTIL = ("done", "received")
MOST_STEPS = 20
MOST_SECONDS = 90 * 86_400


class LadderError(ValueError):
    """A ladder that cannot be climbed: the message names step, field, value and rule."""


@dataclass(frozen=True, order=True)
class Step:
    """One rung: so many seconds after the issue or the due time, tell `to` by `channels`, unless it is done by then.

    `until="received"` passes the rung over once the obligation is received; `in_order` tries one channel after another.
    """

    after_s: float
    origin: str = "issued"
    to: str = "responsible"
    channels: tuple[str, ...] = ("inapp",)
    until: str = "done"
    in_order: bool = False

    def plain(self) -> dict[str, Any]:
        """The step as it is stored, in the words of `parse`."""
        row = asdict(self)
        return {**{k: v for k, v in row.items() if k != "origin"}, "from": self.origin, "channels": list(self.channels)}

    def at(self, opened: datetime, due: datetime | None) -> datetime | None:
        """When the step comes; None for a step after a due time that there is not."""
        start = opened if self.origin == "issued" else due
        return None if start is None else start + timedelta(seconds=self.after_s)


@dataclass(frozen=True)
class Next:
    """What the loop does next: the rung `index`, or the mark of being overdue (index None)."""

    at: datetime
    index: int | None


def parse(rows: Iterable[Mapping[str, Any] | Step]) -> tuple[Step, ...]:
    """Steps from plain data; LadderError names what is wrong."""
    steps = tuple(row if isinstance(row, Step) else _step(row, number) for number, row in enumerate(rows, start=1))
    if len(steps) > MOST_STEPS:
        raise LadderError(f"a ladder has at most {MOST_STEPS} steps, this one {len(steps)}")
    return steps


def _step(row: Mapping[str, Any], number: int) -> Step:
    def wrong(field: str, rule: str) -> LadderError:
        return LadderError(f"ladder step {number}, {field}={row.get(field)!r}: {rule}")

    unknown = sorted(set(row) - {"after_s", "from", "to", "channels", "until", "in_order"})
    if unknown:
        raise wrong(unknown[0], "there is no such field; use after_s, from, to, channels, until, in_order")
    after = row.get("after_s", 0)
    if isinstance(after, bool) or not isinstance(after, int | float) or not -MOST_SECONDS <= after <= MOST_SECONDS:
        raise wrong("after_s", f"must be seconds, at most {MOST_SECONDS}")
    origin = row.get("from", "issued")
    if origin not in FROM:
        raise wrong("from", f"must be one of {', '.join(FROM)}")
    if origin == "issued" and after < 0:
        raise wrong("after_s", "cannot lie before the issue")
    if row.get("to", "responsible") not in TO:
        raise wrong("to", f"must be one of {', '.join(TO)}")
    channels = row.get("channels", ("inapp",))
    if isinstance(channels, str) or not channels or not all(isinstance(name, str) and name for name in channels):
        raise wrong("channels", "must be a list of at least one channel")
    if row.get("until", "done") not in UNTIL:
        raise wrong("until", f"must be one of {', '.join(UNTIL)}")
    return Step(float(after), origin, row.get("to", "responsible"), tuple(channels), row.get("until", "done"),
                bool(row.get("in_order", False)))  # fmt: skip


def in_time(steps: Sequence[Step], opened: datetime, due: datetime | None) -> tuple[Step, ...]:
    """The steps that have a time, in the order in which they come; a step before the issue comes with the issue."""
    timed = [(max(at, opened), number, step) for number, step in enumerate(steps) if (at := step.at(opened, due))]
    return tuple(step for _at, _number, step in sorted(timed, key=lambda each: each[:2]))


def hurried(steps: Sequence[Step], index: int, opened: datetime, at: datetime) -> tuple[Step, ...]:
    """The steps after those asked have said no: the next group is asked at once, and its timer starts now.

    Steps that count from the issue move forward together, from rung `index` on, so that the first of them comes at `at`;
    one that is due already stays. Steps that count from the due time stay where they are.
    """
    coming = [step for step in steps[index:] if step.origin == "issued"]
    if not coming:
        return tuple(steps)
    gain = coming[0].after_s - (at - opened).total_seconds()
    if gain <= 0:
        return tuple(steps)
    return tuple(
        replace(step, after_s=step.after_s - gain) if number >= index and step.origin == "issued" else step
        for number, step in enumerate(steps)
    )


def upcoming(
    steps: Sequence[Step], index: int, *, opened: datetime, due: datetime | None, received: bool, overdue: bool
) -> Next | None:
    """What comes next, from rung `index` on: a rung, or the overdue mark if it is not `overdue` yet. None: nothing more.

    Steps must be in the order of `in_time`. The mark goes before a rung of the same moment.
    """
    rung: Next | None = None
    for number in range(index, len(steps)):
        at = steps[number].at(opened, due)
        if at is not None and not (received and steps[number].until == "received"):
            rung = Next(max(at, opened), number)
            break
    mark = Next(due, None) if due is not None and not overdue else None
    if rung and mark:
        return mark if mark.at <= rung.at else rung
    return mark or rung
