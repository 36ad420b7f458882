"""Evaluation: what became durable is stored and judged exactly once, by whichever process gets there first.

`advance` locks the space's `Evaluator` row, takes what the log holds after its cursor, stores the readings, runs the
kernel and writes alarms and cursor in one transaction. Every process keeps the state in memory; one that finds the
cursor moved by another replays the log between (the kernel is deterministic, so all arrive at the same state), and one
that starts anew begins at the snapshot. kill -9 anywhere leaves either the whole step or none of it.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from haitang.monitoring import alarms, counts, edition, flagging, intake, store
from haitang.monitoring.evaluate import evaluate, reset, tick
from haitang.monitoring.models import Evaluator, Intake
from haitang.monitoring.rules import (
    MICRO,
    NEVER,
    Bools,
    Floats,
    Ints,
    Outcome,
    RuleSet,
    State,
    carry,
    dump,
    fresh,
    grow,
    load,
    standing,
)
from haitang.spaces.clock import now
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

MAX_ROWS = 20_000
"""Readings per transaction: a long backlog is worked off in steps that each let other writers in."""
SNAPSHOT_ROWS = 5_000_000
"""Readings after which a snapshot is due even if no worker asks for one."""


@dataclass
class Brain:
    """Rules and state of one space as of one log position, in the memory of this process."""

    cursor: int
    edition: int
    rules: RuleSet
    state: State
    since_snapshot: int = 0
    quality: flagging.Desk | None = None


@dataclass
class _Shelf:
    """The brains of this process. A brain is taken down and put back under the lock of the space's evaluator row."""

    brains: dict[int, Brain] = field(default_factory=dict)
    locks: dict[int, threading.Lock] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def lock(self, space_id: int) -> threading.Lock:
        """The lock of one space."""
        with self.guard:
            return self.locks.setdefault(space_id, threading.Lock())

    @contextmanager
    def turn(self, space_id: int) -> Iterator[None]:
        """Threads of this process take turns, instead of asking the database again and again whether it is free.

        Only for order, not for safety: inside a caller's transaction nobody waits here, for that transaction may hold
        what the thread whose turn it is waits for.
        """
        if connection.in_atomic_block:
            yield
            return
        with self.lock(space_id):
            yield


_shelf = _Shelf()


def _put_back(space: Space, brain: Brain, *, whole: bool) -> None:
    """Put the brain back: at once, or, inside a caller's transaction, when that commits.

    At once means before the commit of the step. Should that commit fail, the brain's cursor is ahead of the row's, and
    `_present` does not take it.
    """
    shelf = _shelf
    if whole:
        shelf.brains[space.pk] = brain
    else:
        transaction.on_commit(lambda: shelf.brains.__setitem__(space.pk, brain))


def forget() -> None:
    """Drop what this process remembers; the next step begins at the snapshot."""
    _shelf.brains.clear()


def turn(space_id: int) -> AbstractContextManager[None]:
    """Wait for this thread's turn at a space (see `_Shelf.turn`)."""
    return _shelf.turn(space_id)


def advance(space: Space) -> int:
    """Store and judge what is in the log, in steps; returns how many readings this call took.

    When it returns, everything that was in the log at the call is judged, by this process or another.
    """
    taken = 0
    with turn(space.pk):
        while True:
            rows, more = _step(space)
            taken += rows
            if not more:
                return taken


def step(space: Space) -> bool:
    """One step, in a transaction of its own or the caller's; True when the log holds more than it took."""
    return _step(space)[1]


def let_time_pass(space: Space, resets: Sequence[int] = ()) -> int:
    """Raise silences, end durations and run compound rules up to the space's clock; returns how many colours changed.

    `resets` are latched rules that a person sets back at this moment.
    """
    whole = not connection.in_atomic_block
    with turn(space.pk), _near(space), intake.in_order(space.pk):
        moment = _ms(now(space))
        position = _locked(space)
        brain = _present(space, position, _take_down(space))
        before = brain.cursor
        brain, _rows = _take(space, brain, None)
        due = _pass_time(brain, moment, resets)
        # A moment at which nothing moved is not told to other processes: their state is the same without it.
        if due.moved:
            brain.cursor = intake.append_tick(space.pk, moment, timezone.now(), resets)
            alarms.apply(space, brain.rules, due, lambda _row: None)
        if brain.cursor != before or brain.edition != position.edition:
            _save(space, position, brain)
        _put_back(space, brain, whole=whole)
        return len(due.transitions)


def _pass_time(brain: Brain, moment: int, resets: Sequence[int]) -> Outcome:
    if resets:
        return reset(brain.state, brain.rules, moment, np.array(sorted(resets), np.int64), reuse=True)
    return tick(brain.state, brain.rules, moment, reuse=True)


def checkpoint(space: Space) -> None:
    """Write a snapshot and prune the log that it, and the snapshot before it, make unnecessary.

    The snapshot is of a position a little back, made before anything is locked: others go on judging meanwhile.
    """
    if connection.in_atomic_block:
        position = _locked(space)
        brain = _present(space, position, _take_down(space))
        if position.snapshot_cursor != brain.cursor:
            _snapshot(space, position, brain)
        _put_back(space, brain, whole=False)
        return
    with turn(space.pk), _near(space):
        near = _take_down(space)
        if near is None:
            return
        cursor, data = near.cursor, dump(near.rules, near.state)
        with transaction.atomic():
            position = _locked(space)
            if position.edition == near.edition and position.snapshot_cursor < cursor:
                _write_snapshot(space, position, cursor, data)
                near.since_snapshot = 0
        _shelf.brains.setdefault(space.pk, near)


def recall(space: Space) -> None:
    """Where this process remembers nothing (it has just started), take up the state before anything is locked."""
    if space.pk not in _shelf.brains:
        with _near(space):
            pass


@contextmanager
def _near(space: Space) -> Iterator[None]:
    """Bring this process's brain close to the evaluator's position without any lock, so that little is left to do under it.

    Only at this thread's turn and outside a transaction. Afterwards nothing is promised: whoever judges looks again.
    """
    rows = Evaluator.objects.filter(pk=space.pk)
    position = None if connection.in_atomic_block else rows.defer("snapshot").first()
    if position is not None and position.edition:
        known = _take_down(space)
        if known is None or _stale(known, position):
            known, position = None, rows.get()  # cursor and snapshot as of one moment
        start = position.snapshot_cursor if known is None else known.cursor
        brain = _present(space, position, known)
        # Another process may have pruned the log while it was being read here.
        if start >= rows.values_list("pruned_to", flat=True).get():
            _shelf.brains[space.pk] = brain
    yield


def backlog(space: Space) -> tuple[int, datetime | None]:
    """Readings in the log that nobody has judged yet, and since when the oldest waits."""
    waiting = list(
        Intake.objects.filter(space=space, id__gt=_cursor(space)).order_by("id").values_list("rows", "received_at")
    )
    return sum(rows for rows, _ in waiting), waiting[0][1] if waiting else None


def _cursor(space: Space) -> int:
    return Evaluator.objects.filter(pk=space.pk).values_list("cursor", flat=True).first() or 0


def _locked(space: Space) -> Evaluator:
    # Without the snapshot, which may have megabytes and is read only where it is needed.
    rows = Evaluator.objects.select_for_update().defer("snapshot")
    return rows.filter(pk=space.pk).first() or rows.get_or_create(space=space)[0]


def _step(space: Space) -> tuple[int, bool]:
    whole = not connection.in_atomic_block
    with transaction.atomic():
        position = _locked(space)
        brain = _present(space, position, _take_down(space))
        before = brain.cursor
        brain, rows = _take(space, brain, MAX_ROWS)
        if brain.cursor != before or brain.edition != position.edition:
            _save(space, position, brain)
        more = rows >= MAX_ROWS and Intake.objects.filter(space=space, id__gt=brain.cursor).exists()
        _put_back(space, brain, whole=whole)
    return rows, more


def _take_down(space: Space) -> Brain | None:
    """Take the brain off the shelf: what fails half-way leaves nothing there, and the next step begins at the snapshot."""
    return _shelf.brains.pop(space.pk, None)


def _present(space: Space, position: Evaluator, brain: Brain | None) -> Brain:
    """The brain at the evaluator's position: the given one, brought forward, or else the snapshot, brought forward."""
    if brain is None or _stale(brain, position):
        if position.snapshot is None:
            rules = edition.network().rules
            primed = _primed(space, rules, fresh(rules), np.zeros(rules.n_series, np.int64))
            # Nothing was ever judged here: what is stored is in the primed state, and edition 0 asks for a snapshot.
            return Brain(position.cursor, 0, rules, primed)
        rules, state = load(bytes(position.snapshot))
        brain = Brain(position.snapshot_cursor, position.edition, rules, state)
    if brain.cursor < position.cursor:
        groups = Intake.objects.filter(space=space, id__gt=brain.cursor, id__lte=position.cursor).order_by("id")
        for part in _parts(groups):
            if part.tick_ms is not None:
                _pass_time(brain, part.tick_ms, part.resets)
            else:
                _judge(space, brain, part, again=True)
        brain.cursor = position.cursor
    return brain


def _stale(brain: Brain, position: Evaluator) -> bool:
    """Whether a brain cannot be brought forward to a position: another edition, ahead of it, or its log is pruned."""
    return brain.edition != position.edition or brain.cursor > position.cursor or brain.cursor < position.pruned_to


@dataclass
class _Part:
    """A run of log groups that can be judged at once, or one tick."""

    last: int = 0
    tick_ms: int | None = None
    resets: tuple[int, ...] = ()
    groups: list[Intake] = field(default_factory=list)
    rows: int = 0

    def columns(self) -> tuple[Ints, Ints, Floats, Ints]:
        """Series ids, times, values and the number of the group of each row."""
        parts = [intake.unpack(bytes(group.payload), group.rows) for group in self.groups]
        number = np.repeat(np.arange(len(parts)), [group.rows for group in self.groups])
        return (
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]),
            np.concatenate([part[2] for part in parts]),
            number,
        )


def _parts(groups: Iterable[Intake], limit: int | None = None) -> list[_Part]:
    parts: list[_Part] = []
    rows = 0
    for group in groups:
        if group.kind == Intake.Kind.TICK:
            parts.append(_Part(group.pk, *intake.unpack_tick(bytes(group.payload))))
            continue
        if not parts or parts[-1].tick_ms is not None or parts[-1].rows >= MAX_ROWS:
            parts.append(_Part())
        parts[-1].groups.append(group)
        parts[-1].last = group.pk
        parts[-1].rows += group.rows
        rows += group.rows
        if limit is not None and rows >= limit:
            break
    return parts


@dataclass
class _Judged:
    """One part, judged: `known` marks the rows that the rules saw; outcome rows count only those."""

    outcome: Outcome
    known: Bools
    marks: flagging.Marks | None
    series: Ints
    time: Ints
    value: Floats
    number: Ints


def _judge(space: Space, brain: Brain, part: _Part, *, again: bool = False) -> _Judged:
    """Judge a part: for the first time, with its quality, or `again` to come to the state that it led to."""
    series, time, value, number = columns = part.columns()
    at = brain.rules.locate(series)
    marks = None
    if again:
        muted = flagging.follow(space, brain.quality, columns)
    else:
        brain.quality, marks = flagging.look(space, brain.quality, brain.edition, columns, part.groups)
        muted = marks.muted
    known = (at >= 0) & ~muted
    outcome = evaluate(brain.state, brain.rules, at[known], time[known], value[known], reuse=True)
    brain.state = outcome.state
    return _Judged(outcome, known, marks, series, time, value, number)


def _take(space: Space, brain: Brain, limit: int | None) -> tuple[Brain, int]:
    """Bring the brain to the present edition and judge what is waiting, up to about `limit` readings."""
    network = edition.network()
    if brain.edition != network.number:
        brain = _rebase(space, brain, network)
    waiting = Intake.objects.filter(space=space, id__gt=brain.cursor).order_by("id")
    tally: Counter[tuple[str, str]] = Counter()
    rows = 0
    for part in _parts(waiting[:2000] if limit else waiting, limit):
        judged = _judge(space, brain, part)
        maybe = np.ones(len(judged.series), np.bool_)
        maybe[judged.known] = judged.outcome.late
        new = store.append(space.pk, judged.series, judged.time, judged.value, maybe)
        if judged.marks is not None:
            flagging.keep(space, judged.series, judged.time, judged.value, judged.marks, new)
        numbers = judged.number[judged.known]
        alarms.apply(space, brain.rules, judged.outcome, partial(_received, part, numbers))
        _tally(tally, part, judged, new)
        brain.cursor = part.last
        rows += part.rows
    counts.add(space, tally)
    brain.since_snapshot += rows
    return brain, rows


def _received(part: _Part, numbers: Ints, row: int) -> datetime:
    """When the reading of a row of the outcome reached the door."""
    return part.groups[int(numbers[row])].received_at


def _tally(tally: Counter[tuple[str, str]], part: _Part, judged: _Judged, new: Bools) -> None:
    late = np.zeros(len(new), np.bool_)
    late[judged.known] = judged.outcome.late
    groups = len(part.groups)
    kept = np.bincount(judged.number[new], minlength=groups).tolist()
    kept_late = np.bincount(judged.number[new & late], minlength=groups).tolist()
    for group, accepted, behind in zip(part.groups, kept, kept_late, strict=True):
        tally[group.source, "accepted"] += accepted
        tally[group.source, "late"] += behind
        tally[group.source, "duplicate"] += group.rows - accepted


def _save(space: Space, position: Evaluator, brain: Brain) -> None:
    position.cursor, position.advanced_at = brain.cursor, timezone.now()
    fields = ["cursor", "advanced_at"]
    if position.edition != brain.edition or brain.since_snapshot >= SNAPSHOT_ROWS:
        position.save(update_fields=fields)
        _snapshot(space, position, brain)
    else:
        position.save(update_fields=fields)


def _snapshot(space: Space, position: Evaluator, brain: Brain) -> None:
    position.edition = brain.edition
    _write_snapshot(space, position, brain.cursor, dump(brain.rules, brain.state))
    brain.since_snapshot = 0


def _write_snapshot(space: Space, position: Evaluator, cursor: int, data: bytes) -> None:
    # The log back to the previous snapshot stays, for processes whose memory is a little behind.
    prune = position.snapshot_cursor
    position.snapshot, position.snapshot_cursor, position.pruned_to = data, cursor, prune
    position.save(update_fields=["snapshot", "snapshot_cursor", "pruned_to", "edition"])
    Intake.objects.filter(space=space, id__lte=prune).delete()


def _rebase(space: Space, brain: Brain, network: edition.Network) -> Brain:
    """Take the state over to a changed network; alarms of rules that changed are cleared and judged anew."""
    old, new = brain.rules, network.rules
    state = carry(brain.state, old, new)
    was = old.locate(new.series_ids)
    reach = np.zeros(new.n_series, np.int64)
    ringed = was >= 0
    ringed[ringed] = old.slot[was[ringed]] >= 0
    reach[ringed] = old.keep_ms[old.slot[was[ringed]]]
    state = _primed(space, new, state, reach)
    alarms.clear_without_rule(space, set(new.id[standing(state, new) > 0].tolist()))
    return Brain(brain.cursor, network.number, new, state, brain.since_snapshot, brain.quality)


def _primed(space: Space, rules: RuleSet, state: State, reach: Ints) -> State:
    """Give the state what is stored of series it does not know, and of windows that `reach` [S] ms did not cover."""
    # Numbers below zero are differences: not stored, made on the way in.
    unknown = np.flatnonzero((state.last_ms == NEVER) & (rules.series_ids > 0))
    found = store.latest(space.pk, rules.series_ids[unknown].tolist())
    for at in unknown.tolist():
        last = found.get(int(rules.series_ids[at]))
        if last is not None:
            state.last_ms[at], state.last_value[at] = last
    wider = (rules.slot >= 0) & (state.last_ms != NEVER)
    wider[wider] = rules.keep_ms[rules.slot[wider]] > reach[wider]
    rows = np.flatnonzero(wider)
    begin = state.last_ms[rows] - rules.keep_ms[rules.slot[rows]] + 1
    day = begin // store.DAY_MS
    for each in np.unique(day).tolist():
        # Many at once, of about one time: neighbours share chunks, and each is unpacked once.
        for some in store.batches(np.flatnonzero(day == each).tolist(), 512):
            ids, newest = rules.series_ids[rows[some]], state.last_ms[rows[some]]
            series, time, value = store.read_many(space.pk, ids, int(begin[some].min()), int(newest.max()) + 1)
            for k, of, last in zip(some, ids.tolist(), newest.tolist(), strict=True):
                a, b = np.searchsorted(series, (of, of + 1)).tolist()
                a, b = (a + np.searchsorted(time[a:b], (int(begin[k]), last + 1))).tolist()
                ring = int(rules.slot[rows[k]])
                grow(state, b - a)
                state.ring_ms[ring, : b - a] = time[a:b]
                state.ring_micro[ring, : b - a] = np.rint(value[a:b] * MICRO).astype(np.int64)
                state.ring_n[ring] = b - a
    return state


def _ms(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * 1000)
