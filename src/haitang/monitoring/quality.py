"""Quality control of readings as they stream in: the QARTOD tests over many series at once, same flags however batched.

Pure: NumPy, no Django, no clock. `take` tests readings in order of arrival and carries a `Memory` between batches. The
memory is nothing but the newest readings of each series, so whoever has the readings can make it again (`recall`).

Tests and flag values: QARTOD manual for water level data, v2.1 (2021). Where `ioos_qc` 3.0 has the test, the flags are the
same on series without late readings: gross range, climatology, spike (average), rate of change, flat line (at the series'
own interval), attenuated signal (standard deviation), time gap, data reception. Neighbour and clock are our own:
the neighbour test compares with the mean of the newest readings of two or more near series of the same quantity.
A late reading (older than its series' newest) has the tests that need no order; others do not look at it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from haitang.monitoring import quality_loop

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Masks = NDArray[np.uint16]

NEVER = -(2**62)
MOST_POINTS = 128
"""Readings of a series that are remembered at most; a window that would need more looks at so many."""
NEIGHBOURS = 4


class Flag(IntEnum):
    """QARTOD's primary flags."""

    GOOD = 1
    UNKNOWN = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Test(IntEnum):
    """The tests, each with its bit in a mask."""

    __test__ = False  # for pytest

    RANGE = 0
    CLIMATOLOGY = 1
    SPIKE = 2
    RATE = 3
    FLAT = 4
    ATTENUATED = 5
    GAP = 6
    NEIGHBOUR = 7
    CLOCK = 8

    @property
    def bit(self) -> np.uint16:
        """Its bit in a mask of tests."""
        return np.uint16(1 << int(self))


@dataclass(frozen=True)
class Limits:
    """What is tested on a series; None switches a test off. Values in the quantity's unit, times in seconds.

    `rate_*` are per hour. `climatology` has twelve (low, high) pairs, January first. `flat_*_s`: so long within
    `flat_tolerance`. `attenuated_*`: standard deviation over `attenuated_s`. `near_*`: distance from the neighbours' mean.
    `interval_s` is how often the series reports.
    """

    interval_s: float = 300.0
    fail_low: float | None = None
    fail_high: float | None = None
    suspect_low: float | None = None
    suspect_high: float | None = None
    climatology: tuple[tuple[float, float], ...] = ()
    spike_suspect: float | None = None
    spike_fail: float | None = None
    rate_suspect: float | None = None
    rate_fail: float | None = None
    flat_suspect_s: float | None = None
    flat_fail_s: float | None = None
    flat_tolerance: float | None = None
    attenuated_s: float | None = None
    attenuated_suspect: float | None = None
    attenuated_fail: float | None = None
    gap_suspect_s: float | None = None
    gap_fail_s: float | None = None
    late_suspect_s: float | None = None
    late_fail_s: float | None = None
    ahead_suspect_s: float | None = None
    near_suspect: float | None = None
    near_fail: float | None = None
    near_age_s: float = 1800.0

    def check(self) -> None:
        """Raise LimitError for the first contradiction."""
        for low, high in (
            ("fail_low", "suspect_low"), ("suspect_low", "suspect_high"), ("suspect_high", "fail_high"),
            ("fail_low", "fail_high"), ("spike_suspect", "spike_fail"), ("rate_suspect", "rate_fail"),
            ("flat_suspect_s", "flat_fail_s"), ("attenuated_fail", "attenuated_suspect"),
            ("gap_suspect_s", "gap_fail_s"), ("late_suspect_s", "late_fail_s"), ("near_suspect", "near_fail"),
        ):  # fmt: skip
            a, b = getattr(self, low), getattr(self, high)
            if a is not None and b is not None and a > b:
                raise LimitError(low, f"{low} ({a:g}) must not be above {high} ({b:g})")
        flat = self.flat_suspect_s is not None or self.flat_fail_s is not None
        if flat and not (self.flat_tolerance or 0) > 0:
            raise LimitError("flat_tolerance", "flat_tolerance must be above 0 where a flat line is looked for")
        thin = self.attenuated_suspect is not None or self.attenuated_fail is not None
        if thin and not (self.attenuated_s or 0) > 0:
            raise LimitError("attenuated_s", "attenuated_s must be above 0 where attenuation is looked for")
        if self.climatology and len(self.climatology) != 12:
            raise LimitError("climatology", f"climatology needs 12 months, got {len(self.climatology)}")
        if any(low > high for low, high in self.climatology):
            raise LimitError("climatology", "climatology: the lowest value of a month must not be above its highest")

    @property
    def points(self) -> int:
        """How many readings the tests look back over, the newest included; 2 for those that need no window."""
        spans = [s for s in (self.flat_suspect_s, self.flat_fail_s, self.attenuated_s) if s is not None]
        return min(MOST_POINTS, max([2, *(int(span / self.interval_s) + 2 for span in spans)]))


class LimitError(ValueError):
    """Limits contradict each other; `name` is the field."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


_OFF = {"low": -np.inf, "high": np.inf}


class Plan:
    """The limits of all series as columns: `profile` [S] points into small tables, so that the tables stay in the cache."""

    def __init__(self, limits: Sequence[Limits], neighbours: Mapping[int, Sequence[int]] | None = None, *, zone_s: int = 0) -> None:  # fmt: skip
        distinct = {each: number for number, each in enumerate(dict.fromkeys(limits))}
        self.profile = np.array([distinct[each] for each in limits], np.int64)
        self.zone_ms = zone_s * 1000
        self.points = np.array([each.points for each in distinct] or [2], np.int64)
        rows = list(distinct)

        def column(name: str, off: float, scale: float = 1.0) -> Floats:
            found = [getattr(row, name) for row in rows] or [None]
            return np.array([off if value is None else value * scale for value in found], np.float64)

        inf = np.inf
        self.low = np.stack([column("suspect_low", -inf), column("fail_low", -inf)])
        self.high = np.stack([column("suspect_high", inf), column("fail_high", inf)])
        self.spike = np.stack([column("spike_suspect", inf), column("spike_fail", inf)])
        self.rate = np.stack([column("rate_suspect", inf, 1 / 3600), column("rate_fail", inf, 1 / 3600)])
        self.gap_ms = np.stack([column("gap_suspect_s", inf, 1000), column("gap_fail_s", inf, 1000)])
        self.late_ms = np.stack([column("late_suspect_s", inf, 1000), column("late_fail_s", inf, 1000)])
        self.ahead_ms = column("ahead_suspect_s", inf, 1000)
        self.near = np.stack([column("near_suspect", inf), column("near_fail", inf)])
        self.near_age_ms = column("near_age_s", 0, 1000)
        self.tolerance = column("flat_tolerance", 0)
        interval = column("interval_s", 300)
        spans = [column("flat_suspect_s", inf), column("flat_fail_s", inf)]
        # As ioos_qc counts: whole intervals in the span; the window has one reading more.
        self.flat = np.stack([np.where(np.isinf(s), 0, np.minimum(s, 1e9) // interval).astype(np.int64) for s in spans])
        self.flat = np.where(self.flat > 0, np.minimum(self.flat, MOST_POINTS - 1), MOST_POINTS * 4)
        self.thin_ms = column("attenuated_s", 0, 1000)
        self.thin = np.stack([column("attenuated_suspect", -inf), column("attenuated_fail", -inf)])
        n = np.clip(self.thin_ms / 1000 // interval, 2, MOST_POINTS - 1).astype(np.int64)
        self.thin_least = np.maximum(2, n * 3 // 4)
        self.months = np.array(
            [row.climatology or ((-inf, inf),) * 12 for row in rows] or [((-inf, inf),) * 12], np.float64
        )
        self.known = self._known(rows)
        self.uses = {test: bool((self.known & test.bit).any()) for test in Test}
        self.neighbours = np.full((len(limits), NEIGHBOURS), -1, np.int64)
        for series, near in (neighbours or {}).items():
            self.neighbours[series, : len(near[:NEIGHBOURS])] = near[:NEIGHBOURS]

    def thin_enough(self, width: int) -> Floats:
        """How far two readings of a window must be apart so that no others can bring the deviation below the limits."""
        return np.asarray(np.maximum(self.thin[0], self.thin[1]).clip(0) * np.sqrt(2.0 * width))

    @staticmethod
    def _known(rows: Sequence[Limits]) -> Masks:
        """Which tests a profile has switched on."""
        fields: dict[Test, tuple[str, ...]] = {
            Test.RANGE: ("suspect_low", "suspect_high", "fail_low", "fail_high"),
            Test.CLIMATOLOGY: ("climatology",),
            Test.SPIKE: ("spike_suspect", "spike_fail"),
            Test.RATE: ("rate_suspect", "rate_fail"),
            Test.FLAT: ("flat_suspect_s", "flat_fail_s"),
            Test.ATTENUATED: ("attenuated_suspect", "attenuated_fail"),
            Test.GAP: ("gap_suspect_s", "gap_fail_s"),
            Test.NEIGHBOUR: ("near_suspect", "near_fail"),
            Test.CLOCK: ("late_suspect_s", "late_fail_s", "ahead_suspect_s"),
        }
        on = np.zeros(max(1, len(rows)), np.uint16)
        for number, row in enumerate(rows):
            for test, names in fields.items():
                if any(getattr(row, name) not in (None, ()) for name in names):
                    on[number] |= test.bit
        return on


@dataclass
class Memory:
    """The newest readings of each series: the last two at hand, and rings for series whose tests have windows."""

    count: Ints
    time: Ints
    value: Floats
    time2: Ints
    value2: Floats
    slot: Ints
    ring_time: Ints = field(repr=False)
    ring_value: Floats = field(repr=False)
    row: Ints = field(repr=False)
    rows: int = 0

    @classmethod
    def fresh(cls, plan: Plan) -> Memory:
        """A memory of nothing."""
        n = len(plan.profile)
        points = plan.points[plan.profile] if n else np.zeros(0, np.int64)
        windowed = points > 2
        slot = np.where(windowed, np.cumsum(windowed) - 1, -1)
        width = int(points.max()) if windowed.any() else 2
        shape = (int(windowed.sum()), width)
        return cls(
            np.zeros(n, np.int64), np.full(n, NEVER, np.int64), np.full(n, np.nan),
            np.full(n, NEVER, np.int64), np.full(n, np.nan), slot, np.full(shape, NEVER, np.int64), np.full(shape, np.nan),
            np.full(n, -1, np.int64),
        )  # fmt: skip

    @property
    def width(self) -> int:
        """Readings a ring holds."""
        return int(self.ring_time.shape[1])

    def need(self, series: int) -> int:
        """How many of a series' newest readings it wants to know."""
        return self.width if self.slot[series] >= 0 else 2

    def recall(self, series: int, time: Ints, value: Floats) -> None:
        """Set a series' memory to its newest readings, oldest first."""
        n = len(time)
        self.count[series] = n
        if n:
            self.time[series], self.value[series] = time[-1], value[-1]
            self.time2[series], self.value2[series] = (time[-2], value[-2]) if n > 1 else (NEVER, np.nan)
        slot = int(self.slot[series])
        if slot >= 0:
            width = self.width
            kept_time, kept = time[-width:], value[-width:]
            self.count[series] = m = len(kept)
            self.ring_time[slot], self.ring_value[slot] = NEVER, np.nan
            self.ring_time[slot, :m], self.ring_value[slot, :m] = kept_time, kept
        else:
            self.count[series] = min(n, 2)

    def readings(self, series: int) -> tuple[Ints, Floats]:
        """The readings a ring holds, oldest first."""
        slot, n, width = int(self.slot[series]), int(self.count[series]), self.width
        at = np.arange(max(0, n - width), n) % width
        return self.ring_time[slot, at], self.ring_value[slot, at]

    def insert(self, series: int, time: int, value: float) -> None:
        """Take in a reading that lies before the newest; one whose time is known already changes nothing."""
        slot = int(self.slot[series])
        if slot < 0:
            if self.time2[series] < time < self.time[series]:
                self.time2[series], self.value2[series] = time, value
            return
        times, values = self.readings(series)
        at = int(np.searchsorted(times, time))
        if at < len(times) and times[at] == time:
            return
        if at == 0 and len(times) == self.width:
            return
        self.recall(series, np.insert(times, at, time), np.insert(values, at, value))


@dataclass(frozen=True)
class Result:
    """What a batch is flagged, row by row in the order given, and what it tells of readings before it.

    `revised_*`: earlier readings (series, time) whose spike test is decided only now.
    """

    suspect: Masks
    fail: Masks
    known: Masks
    missing: Bools
    revised_at: Ints
    revised_ms: Ints
    revised_suspect: Masks
    revised_fail: Masks

    @property
    def flags(self) -> NDArray[np.uint8]:
        """The aggregate flag of each row: the gravest of its tests."""
        return aggregate(self.suspect, self.fail, self.known, self.missing)

    def of(self, test: Test) -> NDArray[np.uint8]:
        """The flag of one test for each row."""
        bit = test.bit
        return aggregate(self.suspect & bit, self.fail & bit, self.known & bit, self.missing)


def aggregate(suspect: Masks, fail: Masks, known: Masks, missing: Bools | None = None) -> NDArray[np.uint8]:
    """Masks of tests as one flag: fail before suspect before good before not evaluated."""
    found = np.where(known != 0, np.uint8(Flag.GOOD), np.uint8(Flag.UNKNOWN))
    found[suspect != 0] = Flag.SUSPECT
    found[fail != 0] = Flag.FAIL
    if missing is not None:
        found[missing] = Flag.MISSING
    return found


def tests_in(mask: int) -> list[Test]:
    """The tests of a mask."""
    return [test for test in Test if mask & int(test.bit)]


class _Marks:
    """Masks being filled; rows in order of (series, arrival)."""

    def __init__(self, n: int) -> None:
        self.suspect, self.fail = np.zeros(n, np.uint16), np.zeros(n, np.uint16)

    def mark(self, test: Test, rows: Any, suspect: Bools, fail: Bools) -> None:
        bit = test.bit
        if isinstance(rows, slice):
            self.suspect |= suspect.astype(np.uint16) * bit
            self.fail |= fail.astype(np.uint16) * bit
        else:
            self.suspect[rows[suspect]] |= bit
            self.fail[rows[fail]] |= bit


def take(memory: Memory, plan: Plan, at: Ints, time_ms: Ints, value: Floats, arrived_ms: Ints | None = None) -> Result:
    """Test readings in order of arrival and remember them. `at` are positions of series in the plan.

    Give each (series, time) once. `arrived_ms` is when a reading reached the door (NEVER: not known, taken as in time).
    """
    loop = quality_loop.ready()
    if loop is not None:
        return _compiled(loop, memory, plan, at, time_ms, value, arrived_ms)
    return vectorised(memory, plan, at, time_ms, value, arrived_ms)


def warm() -> None:
    """Compile the loop, or take it from disk; from then on `take` uses it. A second or two; for a thread beside the work."""
    plan = Plan([Limits()])
    memory = Memory.fresh(plan)
    nothing = np.zeros(0, np.int64)
    quality_loop.warm(*_arguments(memory, plan, nothing, nothing, np.zeros(0), None)[0])


def _arguments(
    memory: Memory, plan: Plan, at: Ints, time_ms: Ints, value: Floats, arrived_ms: Ints | None
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The loop's arguments, and those among them that it fills."""
    n = len(at)
    month = np.zeros(n, np.int64)
    if plan.uses[Test.CLIMATOLOGY]:
        month = (time_ms + plan.zone_ms).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12
    filled = (
        np.zeros(n, np.uint16), np.zeros(n, np.uint16), np.zeros(n, np.uint16), np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.zeros(n, np.uint16), np.zeros(n, np.uint16),
    )  # fmt: skip
    return (
        at, time_ms, value, np.full(n, NEVER - 1, np.int64) if arrived_ms is None else arrived_ms, month,
        memory.count, memory.time, memory.value, memory.time2, memory.value2, memory.slot, memory.ring_time,
        memory.ring_value, memory.row, memory.rows, plan.profile, plan.known, plan.low, plan.high, plan.months,
        plan.spike, plan.rate, plan.gap_ms, plan.late_ms, plan.ahead_ms, plan.near, plan.near_age_ms, plan.neighbours,
        plan.tolerance, plan.flat, plan.thin_ms, plan.thin, plan.thin_least, plan.thin_enough(memory.width), *filled,
    ), filled  # fmt: skip


def _compiled(loop: Any, memory: Memory, plan: Plan, at: Ints, time_ms: Ints, value: Floats, arrived_ms: Ints | None) -> Result:  # fmt: skip
    given, filled = _arguments(memory, plan, at, time_ms, value, arrived_ms)
    told = loop(*given)
    memory.rows += len(at)
    suspect, fail, known, *parts = filled
    at_, ms, bad, worse = (part[:told] for part in parts)
    return Result(suspect, fail, known, np.isnan(value), at_, ms, bad, worse)


def vectorised(memory: Memory, plan: Plan, at: Ints, time_ms: Ints, value: Floats, arrived_ms: Ints | None = None) -> Result:  # fmt: skip
    """As `take`, without numba."""
    n = len(at)
    memory.rows += n
    order = _by_series(at, len(plan.profile))
    s, t, v = (at, time_ms, value) if order is None else (at[order], time_ms[order], value[order])
    profile = plan.profile[s]
    starts = np.ones(n, np.bool_)
    starts[1:] = s[1:] != s[:-1]
    marks = _Marks(n)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        on = _on_time(memory, s, t, starts)
        _pointwise(plan, marks, profile, t, v)
        if arrived_ms is not None and plan.uses[Test.CLOCK]:
            arrived = arrived_ms if order is None else arrived_ms[order]
            _clock(plan, marks, profile, t, arrived, on)
        if plan.uses[Test.NEIGHBOUR]:
            near_known = _neighbours(memory, plan, marks, s, t, v, profile, on, order)
        else:
            near_known = None
        revised: list[tuple[Ints, Ints, Masks, Masks]] = []
        decided = np.zeros(n, np.uint16)
        if on.all():
            decided, told = _sequence(memory, plan, marks, s, t, v, profile, starts)
            revised.append(told)
        else:
            _with_late(memory, plan, marks, s, t, v, profile, starts, on, decided, revised)
    known = plan.known[profile]
    if not on.all():
        known = np.where(on, known, known & (Test.RANGE.bit | Test.CLIMATOLOGY.bit))
    if arrived_ms is None:
        known = known & ~Test.CLOCK.bit
    waits = Test.SPIKE.bit | Test.ATTENUATED.bit | Test.NEIGHBOUR.bit
    known = (known & ~waits) | (known & decided)
    if near_known is not None:
        known = known | near_known
    missing = np.isnan(v)
    parts = [np.concatenate(part) for part in zip(*revised, strict=True)] if revised else _NOTHING_TOLD
    if order is not None:
        back = np.empty(n, np.int64)
        back[order] = np.arange(n)
        return Result(marks.suspect[back], marks.fail[back], known[back], missing[back], *parts)
    return Result(marks.suspect, marks.fail, known, missing, *parts)


_NOTHING_TOLD = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint16), np.zeros(0, np.uint16))


def _by_series(at: Ints, n_series: int) -> Ints | None:
    """The order by series, arrival kept within; None where that is the order given."""
    if len(at) < 2 or (at[1:] >= at[:-1]).all():
        return None
    # Sixteen bits are sorted by radix.
    return np.argsort(at.astype(np.uint16) if n_series <= 65_536 else at, kind="stable")


def _on_time(memory: Memory, s: Ints, t: Ints, starts: Bools) -> Bools:
    """Rows newer than everything of their series before them."""
    newest = memory.time[s]
    step = np.empty(len(t), np.bool_)
    step[1:] = (t[1:] > t[:-1]) | starts[1:]
    step[:1] = True
    if step.all() and (t > newest).all():
        return np.ones(len(t), np.bool_)
    base = int(t.min()) - 1
    span = int(t.max()) - base + 1
    group = np.cumsum(starts) - 1
    start = group * span + np.maximum(newest, base) - base
    reached = np.maximum.accumulate(np.maximum(group * span + t - base, start))
    before = np.empty_like(reached)
    before[1:] = reached[:-1]
    before[starts] = start[starts]
    return group * span + t - base > before


def _pointwise(plan: Plan, marks: _Marks, profile: Ints, t: Ints, v: Floats) -> None:
    if plan.uses[Test.RANGE]:
        low, high = plan.low[:, profile], plan.high[:, profile]
        out = (v < low) | (v > high)
        marks.mark(Test.RANGE, slice(None), out[0], out[1])
    if plan.uses[Test.CLIMATOLOGY]:
        rows = np.flatnonzero(plan.known[profile] & Test.CLIMATOLOGY.bit)
        month = (t[rows] + plan.zone_ms).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12
        spans = plan.months[profile[rows], month]
        out = (v[rows] < spans[:, 0]) | (v[rows] > spans[:, 1])
        marks.mark(Test.CLIMATOLOGY, rows, out, np.zeros(len(rows), np.bool_))


def _clock(plan: Plan, marks: _Marks, profile: Ints, t: Ints, arrived: Ints, on: Bools) -> None:
    age = np.where(arrived == NEVER, 0, arrived - t).astype(np.float64)
    late = (age > plan.late_ms[:, profile]) & on
    ahead = (-age > plan.ahead_ms[profile]) & on
    marks.mark(Test.CLOCK, slice(None), late[0] | ahead, late[1])


def _neighbours(memory: Memory, plan: Plan, marks: _Marks, s: Ints, t: Ints, v: Floats, profile: Ints, on: Bools, order: Ints | None) -> Masks:  # fmt: skip
    """Against the mean of what the neighbours had said when the reading arrived."""
    n = len(s)
    known = np.zeros(n, np.uint16)
    rows = np.flatnonzero(on & ((plan.known[profile] & Test.NEIGHBOUR.bit) != 0))
    if not len(rows):
        return known
    arrival = np.arange(n) if order is None else order
    usable = np.flatnonzero(on)
    key = s[usable] * n + arrival[usable]
    total, number = np.zeros(len(rows)), np.zeros(len(rows))
    for k in range(NEIGHBOURS):
        near = plan.neighbours[s[rows], k]
        there = near >= 0
        other = np.where(there, near, 0)
        # The neighbour's last reading of this batch that arrived before this row, or else what is remembered of it.
        place = np.searchsorted(key, other * n + arrival[rows]) - 1
        found = usable[np.maximum(place, 0)]
        inside = (place >= 0) & (s[found] == other)
        said = np.where(inside, v[found], memory.value[other])
        when = np.where(inside, t[found], memory.time[other])
        fresh = there & (np.abs(t[rows] - when) <= plan.near_age_ms[profile[rows]]) & ~np.isnan(said)
        total += np.where(fresh, said, 0.0)
        number += fresh
    enough = number >= 2
    distance = np.abs(v[rows] - total / np.maximum(number, 1))
    far = (distance > plan.near[:, profile[rows]]) & enough
    marks.mark(Test.NEIGHBOUR, rows, far[0], far[1])
    known[rows[enough]] = Test.NEIGHBOUR.bit
    return known


def _sequence(memory: Memory, plan: Plan, marks: _Marks, s: Ints, t: Ints, v: Floats, profile: Ints, starts: Bools) -> tuple[Masks, tuple[Ints, Ints, Masks, Masks]]:  # fmt: skip
    """The tests that look back, for rows that are all on time; then remember the rows.

    Returns which of the waiting tests each row has decided, and what is told of readings before the batch.
    """
    n = len(s)
    first = np.flatnonzero(starts)
    which = np.cumsum(starts) - 1
    k = np.arange(n) - first[which]
    series = s[first]
    decided = np.zeros(n, np.uint16)
    value1, time1 = np.empty(n), np.empty(n, np.int64)
    value1[1:], time1[1:] = v[:-1], t[:-1]
    value1[first], time1[first] = memory.value[series], memory.time[series]
    told = _NOTHING_TOLD
    if plan.uses[Test.RATE] or plan.uses[Test.GAP]:
        since = t - time1
    if plan.uses[Test.RATE]:
        rate = np.abs((v - value1) / (since // 1000))
        fast = rate > plan.rate[:, profile]
        marks.mark(Test.RATE, slice(None), fast[0], fast[1])
    if plan.uses[Test.GAP]:
        gap = np.where(time1 == NEVER, 0, since)
        wide = gap > plan.gap_ms[:, profile]
        marks.mark(Test.GAP, slice(None), wide[0], wide[1])
    if plan.uses[Test.SPIKE]:
        told = _spike(memory, plan, marks, s, t, v, profile, first, value1, decided)
    if plan.uses[Test.FLAT]:
        _flat(memory, plan, marks, s, v, profile, k, value1)
    if plan.uses[Test.ATTENUATED]:
        _attenuated(memory, plan, marks, s, t, v, profile, k, decided)
    _remember(memory, s, t, v, k, first, value1)
    return decided, told


def _spike(memory: Memory, plan: Plan, marks: _Marks, s: Ints, t: Ints, v: Floats, profile: Ints, first: Ints, value1: Floats, decided: Masks) -> tuple[Ints, Ints, Masks, Masks]:  # fmt: skip
    """Each row decides about the one before it: its distance from the mean of its two neighbours in time."""
    n, bit = len(s), Test.SPIKE.bit
    value2 = np.empty(n)
    value2[1:] = value1[:-1]
    value2[first] = memory.value2[s[first]]
    diff = np.abs(value1 - (value2 + v) / 2)
    out = diff > plan.spike[:, profile]
    said = ~np.isnan(diff)
    inner = np.ones(n, np.bool_)
    inner[first] = False
    rows = np.flatnonzero(inner)
    marks.suspect[rows - 1] |= out[0, rows].astype(np.uint16) * bit
    marks.fail[rows - 1] |= out[1, rows].astype(np.uint16) * bit
    decided[rows - 1] |= said[rows].astype(np.uint16) * bit
    head = first[out[0, first] | out[1, first]]
    return (
        s[head], memory.time[s[head]], out[0, head].astype(np.uint16) * bit, out[1, head].astype(np.uint16) * bit,
    )  # fmt: skip


def _back(memory: Memory, s: Ints, k: Ints, rows: Ints, lag: Ints, batch: Any, ring: Any) -> Any:
    """What `batch` (a column of the rows) or the ring held `lag` readings before each of the rows; shapes broadcast."""
    inside = lag <= k[rows]
    from_batch = batch[np.where(inside, rows - lag, 0)]
    series = s[rows]
    place = (memory.count[series] + k[rows] - lag) % memory.width
    return np.where(inside, from_batch, ring[memory.slot[series], place])


def _flat(
    memory: Memory, plan: Plan, marks: _Marks, s: Ints, v: Floats, profile: Ints, k: Ints, value1: Floats
) -> None:
    tolerance = plan.tolerance[profile]
    # A reading away from the one before it ends every flat line: most rows are out here.
    rows = np.flatnonzero(~(np.abs(v - value1) >= tolerance) & (memory.slot[s] >= 0))
    if not len(rows):
        return
    have = memory.count[s[rows]] + k[rows]
    least = plan.flat[:, profile[rows]].min(axis=0)
    rows = rows[have >= least]
    if not len(rows):
        return
    least = plan.flat[:, profile[rows]].min(axis=0)
    far = _back(memory, s, k, rows, least, v, memory.ring_value)
    rows = rows[~(np.abs(v[rows] - far) >= tolerance[rows])]
    for chunk in _chunks(rows, memory.width):
        lags = np.arange(memory.width)[None, :]
        window = _back(memory, s, k, chunk[:, None], lags, v, memory.ring_value)
        lowest, highest = np.fmin.accumulate(window, axis=1), np.fmax.accumulate(window, axis=1)
        have = memory.count[s[chunk]] + k[chunk]
        stuck = []
        for need in plan.flat[:, profile[chunk]]:
            at = np.minimum(need, memory.width - 1)[:, None]
            span = np.take_along_axis(highest, at, 1) - np.take_along_axis(lowest, at, 1)
            stuck.append((span[:, 0] < tolerance[chunk]) & (have >= need))
        marks.mark(Test.FLAT, chunk, stuck[0], stuck[1])


def _attenuated(memory: Memory, plan: Plan, marks: _Marks, s: Ints, t: Ints, v: Floats, profile: Ints, k: Ints, decided: Masks) -> None:  # fmt: skip
    rows = np.flatnonzero((plan.known[profile] & Test.ATTENUATED.bit) != 0)
    least = plan.thin_least[profile[rows]]
    have = memory.count[s[rows]] + k[rows] + 1 >= least
    rows, least = rows[have], least[have]
    if not len(rows):
        return
    span = plan.thin_ms[profile[rows]]
    back = _back(memory, s, k, rows, least - 1, t, memory.ring_time)
    full = t[rows] - back < span
    rows, least = rows[full], least[full]
    decided[rows] |= Test.ATTENUATED.bit
    # Two readings in the window a distance d apart: the sum of squares is at least d * d / 2, whatever the others are.
    enough = plan.thin_enough(memory.width)
    apart = np.maximum(
        np.abs(v[rows] - _back(memory, s, k, rows, least - 1, v, memory.ring_value)),
        np.abs(v[rows] - _back(memory, s, k, rows, least // 2, v, memory.ring_value)),
    )
    rows = rows[~(apart > enough[profile[rows]] * 1.001)]
    for chunk in _chunks(rows, memory.width):
        lags = np.arange(memory.width)[None, :]
        value = _back(memory, s, k, chunk[:, None], lags, v, memory.ring_value)
        time = _back(memory, s, k, chunk[:, None], lags, t, memory.ring_time)
        held = memory.count[s[chunk]] + k[chunk] + 1
        inside = (t[chunk][:, None] - time < plan.thin_ms[profile[chunk]][:, None]) & (lags < held[:, None])
        inside &= ~np.isnan(value)
        number = np.maximum(inside.sum(axis=1), 1)
        # Around the newest value, so that a high level costs no digits.
        away = np.where(inside, value - v[chunk][:, None], 0.0)
        # Summed in order, as the loop does, so that both come to the same last digit.
        total, square = np.cumsum(away, axis=1)[:, -1], np.cumsum(away * away, axis=1)[:, -1]
        spread = np.sqrt(np.maximum(square - total * total / number, 0.0) / number)
        thin = spread < plan.thin[:, profile[chunk]]
        marks.mark(Test.ATTENUATED, chunk, thin[0], thin[1])


def _chunks(rows: Ints, width: int) -> list[Ints]:
    size = max(1, 1_000_000 // width)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _remember(memory: Memory, s: Ints, t: Ints, v: Floats, k: Ints, first: Ints, value1: Floats) -> None:
    last = np.empty(len(first), np.int64)
    last[:-1], last[-1:] = first[1:] - 1, len(s) - 1
    series = s[last]
    if memory.ring_time.size:
        slot = memory.slot[s]
        room = memory.width
        rows = np.flatnonzero(slot >= 0)
        # Of more rows than the ring holds, the newest.
        length = np.repeat(np.diff(np.append(first, len(s))), np.diff(np.append(first, len(s))))
        rows = rows[k[rows] >= length[rows] - room]
        place = (memory.count[s[rows]] + k[rows]) % room
        memory.ring_time[slot[rows], place] = t[rows]
        memory.ring_value[slot[rows], place] = v[rows]
    memory.time2[series] = np.where(k[last] > 0, t[np.maximum(last - 1, 0)], memory.time[series])
    memory.value2[series] = value1[last]
    memory.value[series], memory.time[series] = v[last], t[last]
    memory.count[series] += k[last] + 1


def _with_late(memory: Memory, plan: Plan, marks: _Marks, s: Ints, t: Ints, v: Floats, profile: Ints, starts: Bools, on: Bools, decided: Masks, revised: list[tuple[Ints, Ints, Masks, Masks]]) -> None:  # fmt: skip
    """Series without late rows at once; the others run by run, so that a late reading counts from where it arrived."""
    group = np.cumsum(starts) - 1
    mixed = np.bincount(group, weights=~on)[group] > 0
    for rows in (np.flatnonzero(~mixed), *_runs(np.flatnonzero(mixed), group, on)):
        if not len(rows):
            continue
        if on[rows[0]]:
            part = _Marks(len(rows))
            begins = np.ones(len(rows), np.bool_)
            begins[1:] = s[rows][1:] != s[rows][:-1]
            done, told = _sequence(memory, plan, part, s[rows], t[rows], v[rows], profile[rows], begins)
            marks.suspect[rows] |= part.suspect
            marks.fail[rows] |= part.fail
            decided[rows] |= done
            # What is told of an earlier row of this very batch is that row's own flag, seen from outside; the caller
            # joins both by (series, time).
            revised.append(told)
        else:
            for row in rows.tolist():
                memory.insert(int(s[row]), int(t[row]), float(v[row]))


def _runs(rows: Ints, group: Ints, on: Bools) -> list[Ints]:
    """Consecutive rows of one series that are all on time or all late."""
    if not len(rows):
        return []
    cut = np.flatnonzero((group[rows][1:] != group[rows][:-1]) | (on[rows][1:] != on[rows][:-1])) + 1
    return np.split(rows, cut)
