"""Rules as columns: what is watched on which series, and the state that a rule carries between readings.

Times are integer milliseconds since 1970-01-01 UTC. Values are in the canonical unit of the series. `evaluate.py` holds
the kernel; this module what goes in and comes out, so that another kernel (numba, another machine) can take its place.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import IntEnum, StrEnum
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Levels = NDArray[np.int8]
Bytes = NDArray[np.uint8]

NEVER = -(2**62)
"""The time of something that has not happened."""
STANDS = 2**62
"""The end of something that stands yet."""
ALWAYS_MONTHS = (1 << 12) - 1
ALWAYS_HOURS = (1 << 24) - 1
PAIR_GAP_MS = 3_600_000
"""Two series are subtracted only when their newest readings lie no further apart."""
MICRO = 1_000_000
"""Windows add in whole millionths of the unit: exact, so the order and splitting of batches cannot change a sum."""


class Level(IntEnum):
    """The four warning colours, lowest first; NONE is no warning."""

    NONE = 0
    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4


class Aggregate(StrEnum):
    """What a rule compares with its thresholds: the reading itself, or a figure over the window that ends with it."""

    LAST = "last"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    MEAN = "mean"
    COUNT = "count"
    RATE = "rate"
    """Change per hour, from the oldest reading in the window to the newest; with one reading there is none."""
    TREND = "trend"
    """The newest reading carried on along the window's straight line (least squares) for `lead_s`: an outlook."""
    BASELINE = "baseline"
    """How many deviations the newest reading lies from the mean of those before it in the window (ten or more)."""


class Stage(IntEnum):
    """Who says what a rule's colour is: the kernel; the second stage, which may hold it back; the second stage alone."""

    PLAIN = 0
    INHIBITED = 1
    COMPOUND = 2


class Direction(StrEnum):
    """Whether danger lies above the thresholds (water) or below them (visibility, pressure)."""

    RISING = "rising"
    FALLING = "falling"


AGGREGATES: tuple[Aggregate, ...] = tuple(Aggregate)


class RuleError(ValueError):
    """A rule contradicts itself; the message names the field, the value and what it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """One rule in plain values.

    `thresholds` are blue, yellow, orange, red; None where the rule has no such colour. A colour is raised once every
    reading (or window figure) over `hold_s` seconds has met its threshold, and left once one is back by more than
    `hysteresis` (the lowest colour: for `clear_s` seconds without a break; a higher one: for `lower_s`). Durations run on
    between readings: a reading counts until the next one. With `latch` a colour is left only by `reset`.
    `silence_s` > 0 makes it a silence rule: `silence_level` is raised when nothing has come for so long.
    `minus` is a second series: what is compared is the difference, whenever both were heard anew. `months` and `hours`
    say when the rule is awake (bits; local time, `zone_s` east of UTC); asleep it raises nothing and what is raised ends.
    `inhibited_by` names a rule which, while it is raised to `inhibited_at`, holds this one back. A rule with `combines` is
    a compound of others (see `compound.py`) and has neither thresholds nor silence of its own.
    """

    id: int
    series: int
    thresholds: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)
    direction: Direction = Direction.RISING
    hysteresis: float = 0.0
    hold_s: float = 0.0
    aggregate: Aggregate = Aggregate.LAST
    window_s: float = 0.0
    silence_s: float = 0.0
    silence_level: Level = Level.BLUE
    lead_s: float = 0.0
    damping_s: float = 0.0
    minus: int | None = None
    clear_s: float = 0.0
    lower_s: float = 0.0
    latch: bool = False
    months: int = ALWAYS_MONTHS
    hours: int = ALWAYS_HOURS
    zone_s: int = 0
    inhibited_by: int | None = None
    inhibited_at: Level = Level.BLUE
    combines: Mapping[str, Any] | None = None

    @property
    def stage(self) -> Stage:
        """Who says what its colour is."""
        if self.combines is not None:
            return Stage.COMPOUND
        return Stage.PLAIN if self.inhibited_by is None else Stage.INHIBITED

    @property
    def lead(self) -> float:
        """Seconds by which a trend is carried on. A damped trend fades (by e in `damping_s`), so it reaches less far."""
        if not self.damping_s:
            return self.lead_s
        return self.damping_s * (1.0 - math.exp(-self.lead_s / self.damping_s))

    def check(self) -> None:
        """Raise RuleError when the fields contradict each other."""
        given = [value for value in self.thresholds if value is not None]
        if not all(math.isfinite(value) for value in given):
            raise RuleError(f"thresholds {self.thresholds}: every threshold must be a finite number")
        ordered = sorted(given, reverse=self.direction == Direction.FALLING)
        if given != ordered:
            order = "fall" if self.direction == Direction.FALLING else "rise"
            raise RuleError(f"thresholds {self.thresholds}: they must {order} from blue to red")
        for name in ("hysteresis", "hold_s", "window_s", "silence_s", "lead_s", "damping_s", "clear_s", "lower_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise RuleError(f"{name} {value}: must be zero or more")
        if self.combines is not None:
            self._check_compound(given)
            return
        if bool(given) == bool(self.silence_s):
            raise RuleError("a rule has either thresholds or silence_s, not both and not neither")
        if (self.aggregate == Aggregate.LAST) != (self.window_s == 0):
            raise RuleError(
                f"aggregate {self.aggregate}, window_s {self.window_s}: a window needs an aggregate, and only it"
            )
        if self.silence_s and not Level.BLUE <= self.silence_level <= Level.RED:
            raise RuleError(f"silence_level {self.silence_level}: must be blue to red")
        self._check_figure()
        self._check_behaviour()

    def _check_figure(self) -> None:
        if (self.aggregate == Aggregate.TREND) != (self.lead_s > 0):
            raise RuleError(f"aggregate {self.aggregate}, lead_s {self.lead_s}: a trend needs a lead, and only it")
        if self.damping_s and not self.lead_s:
            raise RuleError(f"damping_s {self.damping_s}: only a trend can be damped")
        if self.minus is not None:
            if self.minus == self.series:
                raise RuleError(f"minus {self.minus}: a series differs from itself by nothing; name another")
            if self.aggregate != Aggregate.LAST or self.silence_s:
                raise RuleError("minus: a difference is compared as it is, without window and without silence_s")

    def _check_behaviour(self) -> None:
        if self.silence_s and (self.hold_s or self.clear_s or self.lower_s or self.latch or self.hysteresis):
            raise RuleError("silence_s: a silence has no hysteresis, hold_s, clear_s, lower_s and no latch")
        for name, whole in (("months", ALWAYS_MONTHS), ("hours", ALWAYS_HOURS)):
            if not 0 < getattr(self, name) <= whole:
                raise RuleError(f"{name} {getattr(self, name)}: the rule would never be awake")
        if self.inhibited_by is not None and self.inhibited_by == self.id:
            raise RuleError(f"inhibited_by {self.inhibited_by}: a rule cannot hold itself back")

    def _check_compound(self, thresholds: Sequence[float]) -> None:
        if thresholds or self.silence_s or self.window_s or self.minus is not None or self.lead_s or self.hysteresis:
            raise RuleError("a compound rule has no thresholds, window, silence_s, minus, lead_s and no hysteresis")
        if self.inhibited_by is not None:
            raise RuleError("inhibited_by: write it into a compound rule as a condition that must not hold")
        nodes = (self.combines or {})["colours"]
        if not nodes:
            raise RuleError("a compound rule has no condition; give one for at least one colour")
        for level, node in nodes.items():
            if _holds_of_nothing(node):
                colour = Level(int(level)).name.lower()
                raise RuleError(f"{colour}: this holds where no rule is raised at all; join it with one that must be")


@dataclass(frozen=True)
class RuleSet:
    """Rules sorted by series, as columns of length R; S series. `offset[s]:offset[s+1]` are the rules of series s."""

    series_ids: Ints
    id: Ints
    series: Ints
    thresholds: Floats
    clear: Floats
    sign: Floats
    hold_ms: Ints
    aggregate: Levels
    window_ms: Ints
    silence_ms: Ints
    silence_level: Levels
    offset: Ints
    slot: Ints
    """[S] row of the series in the window rings, -1 where no rule of it needs a window."""
    keep_ms: Ints
    """[W] how far back each ring reaches: the longest window of its series."""
    lead_s: Floats
    timer: Ints
    """[R] row of the rule among those whose state has durations, -1 where it has none."""
    timed: Ints
    """[K] rules with durations."""
    leave_ms: Ints
    """[K,4] how long the value must be back before each colour is left."""
    latch: Bools
    months: Ints
    hours: Ints
    zone_ms: Ints
    asleep_some: Bools
    """[R] whether the rule sleeps at some time of the year or day."""
    stage: Levels
    pair_left: Ints
    """[P] differences: position of the series, of what is taken from it, and of the difference, a series of its own."""
    pair_right: Ints
    pair_series: Ints
    watched: Ints
    """[R] row of the rule among those which the second stage looks at, -1 for others."""
    plan: Bytes
    """What the second stage does, as JSON (see `compound.py`)."""

    @property
    def n_series(self) -> int:
        """S, the number of series."""
        return len(self.series_ids)

    def __len__(self) -> int:
        return len(self.id)

    def locate(self, series_ids: Ints) -> Ints:
        """Positions of database ids among this set's series; -1 where unknown."""
        if not self.n_series:
            return np.full(len(series_ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self.series_ids, series_ids), self.n_series - 1)
        return np.where(self.series_ids[at] == series_ids, at, -1)


def compile_rules(series_ids: Iterable[int], specs: Iterable[RuleSpec]) -> RuleSet:
    """Turn rules into columns. `specs[i].series` is one of `series_ids`; RuleError for one that contradicts itself."""
    specs = list(specs)
    for spec in specs:
        spec.check()
    # A difference is a series of its own, made on the way in; its number is the rule's, below zero.
    virtual = {spec.id: -spec.id for spec in specs if spec.minus is not None}
    ids = np.array(sorted({*series_ids, *virtual.values()}), np.int64)
    known = {int(value): index for index, value in enumerate(ids)}
    rows = sorted(specs, key=lambda spec: (known[virtual.get(spec.id, spec.series)], spec.id))
    n, count = len(rows), len(ids)
    sign = np.array([1.0 if spec.direction == Direction.RISING else -1.0 for spec in rows], np.float64).reshape(n)
    raw = np.array([[np.nan if v is None else v for v in spec.thresholds] for spec in rows], np.float64).reshape(n, 4)
    thresholds = raw * sign[:, None]
    hysteresis = np.array([spec.hysteresis for spec in rows], np.float64)
    series = np.array([known[virtual.get(spec.id, spec.series)] for spec in rows], np.int64)
    window_ms = np.array([round(spec.window_s * 1000) for spec in rows], np.int64)
    reach = np.zeros(count, np.int64)
    np.maximum.at(reach, series, window_ms)
    slot = np.full(count, -1, np.int64)
    slot[reach > 0] = np.arange(int((reach > 0).sum()))
    timed = [
        i for i, spec in enumerate(rows) if spec.hold_s or spec.clear_s or spec.lower_s or spec.combines is not None
    ]
    timer = np.full(n, -1, np.int64)
    timer[timed] = np.arange(len(timed))
    pairs = [spec for spec in rows if spec.minus is not None]
    watched, plan = _second_stage(rows)
    return RuleSet(
        series_ids=ids,
        id=np.array([spec.id for spec in rows], np.int64),
        series=series,
        thresholds=thresholds,
        # Rounded, so that 4.55 - 0.1 clears below 4.45 and not below 4.449999...
        clear=np.round(thresholds - hysteresis[:, None], 9),
        sign=sign,
        hold_ms=np.array([round(spec.hold_s * 1000) for spec in rows], np.int64),
        aggregate=np.array([AGGREGATES.index(spec.aggregate) for spec in rows], np.int8),
        window_ms=window_ms,
        silence_ms=np.array([round(spec.silence_s * 1000) for spec in rows], np.int64),
        silence_level=np.array([spec.silence_level for spec in rows], np.int8),
        offset=np.searchsorted(series, np.arange(count + 1)).astype(np.int64),
        slot=slot,
        keep_ms=reach[reach > 0],
        lead_s=np.array([spec.lead for spec in rows], np.float64),
        timer=timer,
        timed=np.array(timed, np.int64),
        leave_ms=np.array([_leave_ms(rows[i]) for i in timed], np.int64).reshape(len(timed), 4),
        latch=np.array([spec.latch for spec in rows], np.bool_),
        months=np.array([spec.months for spec in rows], np.int64),
        hours=np.array([spec.hours for spec in rows], np.int64),
        zone_ms=np.array([spec.zone_s * 1000 for spec in rows], np.int64),
        asleep_some=np.array([(spec.months, spec.hours) != (ALWAYS_MONTHS, ALWAYS_HOURS) for spec in rows], np.bool_),
        stage=np.array([spec.stage for spec in rows], np.int8),
        pair_left=np.array([known[spec.series] for spec in pairs], np.int64),
        pair_right=np.array([known[spec.minus] for spec in pairs if spec.minus is not None], np.int64),
        pair_series=np.array([known[virtual[spec.id]] for spec in pairs], np.int64),
        watched=watched,
        plan=plan,
    )


def _second_stage(rows: Sequence[RuleSpec]) -> tuple[Ints, Bytes]:
    """Which rules the second stage watches, and its plan: how rules combine and hold each other back, by their ids."""
    combines = {spec.id: spec.combines for spec in rows if spec.combines is not None}
    inhibits = {spec.id: [spec.inhibited_by, int(spec.inhibited_at)] for spec in rows if spec.stage == Stage.INHIBITED}
    wanted = {by for by, _level in inhibits.values()} | set(inhibits)
    for each in combines.values():
        for node in each["colours"].values():
            wanted |= members(node)
    mine = [i for i, spec in enumerate(rows) if spec.id in wanted and spec.combines is None]
    watched = np.full(len(rows), -1, np.int64)
    watched[mine] = np.arange(len(mine))
    if not combines and not inhibits:
        return watched, np.zeros(0, np.uint8)
    text = json.dumps({"combines": combines, "inhibits": inhibits}, sort_keys=True)
    return watched, np.frombuffer(text.encode(), np.uint8).copy()


def members(node: Mapping[str, Any]) -> set[int]:
    """The ids of all rules that a condition of a compound rule looks at."""
    if "groups" in node:
        return {rule for group in node["groups"] for station in group for rule in station}
    below = [node["not"]] if "not" in node else node["of"]
    return set().union(*(members(each) for each in below))


def _holds_of_nothing(node: Mapping[str, Any]) -> bool:
    """Whether a condition holds while no rule is raised."""
    if "groups" in node:
        return int(node["k"]) <= 0
    if "not" in node:
        return not _holds_of_nothing(node["not"])
    return sum(_holds_of_nothing(each) for each in node["of"]) >= node["k"]


def _leave_ms(spec: RuleSpec) -> list[int]:
    """How long the value must be back for each colour: the lowest clears, the others are lowered."""
    lowest = next((i for i, value in enumerate(spec.thresholds) if value is not None), 0)
    return [round((spec.clear_s if i <= lowest else spec.lower_s) * 1000) for i in range(4)]


@dataclass
class State:
    """What rules remember. S series, R rules, W window rings of capacity C.

    `last_ms`, `last_value` [S]: the newest reading. `since_ms` [R,4]: since when each colour's threshold has been met
    without a break. `raised` [R,4]: colours raised. `level` [R]: the highest of them. `peak`, `peak_ms` [R]: the worst
    value while raised. `ring_ms`, `ring_micro` [W,C], `ring_n` [W]: readings still inside the longest window, oldest first.
    Of the K rules with durations: `back_ms` [K,4]: since when the value has been back from each colour; `held` [K] and
    `held_ms` [K]: what was compared last. Of the second stage: `until_ms` [V,4]: when each watched rule was last at each
    colour; `said` [V,3]: value, peak and time of peak with its last change; `shown` [R]: the colour of rules that may be
    held back; `queue` [Q,4] and `queued` [Q,2]: changes (time, rule, colour, time of peak; value, peak) that wait for the
    clock to pass them; `clock_ms` [1]: how far the second stage has come.
    """

    last_ms: Ints
    last_value: Floats
    since_ms: Ints
    raised: Bools
    level: Levels
    peak: Floats
    peak_ms: Ints
    ring_ms: Ints
    ring_micro: Ints
    ring_n: Ints
    back_ms: Ints
    held: Floats
    held_ms: Ints
    until_ms: Ints
    said: Floats
    shown: Levels
    queue: Ints
    queued: Floats
    clock_ms: Ints

    def copy(self) -> State:
        """The same state in its own arrays."""
        return State(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


def fresh(rules: RuleSet) -> State:
    """The state before the first reading."""
    n, count, rings = rules.n_series, len(rules), len(rules.keep_ms)
    return State(
        last_ms=np.full(n, NEVER, np.int64),
        last_value=np.full(n, np.nan),
        since_ms=np.full((count, 4), NEVER, np.int64),
        raised=np.zeros((count, 4), np.bool_),
        level=np.zeros(count, np.int8),
        peak=np.full(count, np.nan),
        peak_ms=np.full(count, NEVER, np.int64),
        ring_ms=np.zeros((rings, 8), np.int64),
        ring_micro=np.zeros((rings, 8), np.int64),
        ring_n=np.zeros(rings, np.int64),
        back_ms=np.full((len(rules.timed), 4), NEVER, np.int64),
        held=np.full(len(rules.timed), np.nan),
        held_ms=np.full(len(rules.timed), NEVER, np.int64),
        until_ms=np.full((int((rules.watched >= 0).sum()), 4), NEVER, np.int64),
        said=np.full((int((rules.watched >= 0).sum()), 3), np.nan),
        shown=np.zeros(count, np.int8),
        queue=np.zeros((0, 4), np.int64),
        queued=np.zeros((0, 2)),
        clock_ms=np.full(1, NEVER, np.int64),
    )


def standing(state: State, rules: RuleSet) -> Levels:
    """[R] the colour of each rule as the world sees it: that of a rule which is held back is NONE."""
    return np.where(rules.stage == Stage.INHIBITED, state.shown, state.level)


def carry(state: State, old: RuleSet, new: RuleSet) -> State:
    """State of `old` taken over to `new`: by series, and by rule where the rule's definition has not changed."""
    result = fresh(new)
    came = old.locate(new.series_ids)
    known = came >= 0
    result.last_ms[known] = state.last_ms[came[known]]
    result.last_value[known] = state.last_value[came[known]]
    before = {int(value): index for index, value in enumerate(old.id)}
    came_rule = np.full(len(old), -1, np.int64)
    plans = _plan(old), _plan(new)
    for index, value in enumerate(new.id):
        was = before.get(int(value))
        if was is None or not _same_rule(old, was, new, index) or plans[0].get(value) != plans[1].get(value):
            continue
        came_rule[was] = index
        for name in ("since_ms", "raised", "level", "peak", "peak_ms", "shown"):
            getattr(result, name)[index] = getattr(state, name)[was]
        if new.timer[index] >= 0 and old.timer[was] >= 0:
            for name in ("back_ms", "held", "held_ms"):
                getattr(result, name)[new.timer[index]] = getattr(state, name)[old.timer[was]]
        if new.watched[index] >= 0:
            if old.watched[was] >= 0:
                result.until_ms[new.watched[index]] = state.until_ms[old.watched[was]]
                result.said[new.watched[index]] = state.said[old.watched[was]]
            else:  # what stands now has been so until now
                result.until_ms[new.watched[index], : state.level[was]] = STANDS
    result.clock_ms = state.clock_ms.copy()
    waiting = np.flatnonzero(came_rule[state.queue[:, 1]] >= 0)
    result.queue, result.queued = state.queue[waiting].copy(), state.queued[waiting].copy()
    result.queue[:, 1] = came_rule[result.queue[:, 1]]
    for series in np.flatnonzero(known & (new.slot >= 0)):
        ring, source = new.slot[series], old.slot[came[series]]
        if source < 0:
            continue
        count = int(state.ring_n[source])
        grow(result, count)
        result.ring_ms[ring, :count] = state.ring_ms[source, :count]
        result.ring_micro[ring, :count] = state.ring_micro[source, :count]
        result.ring_n[ring] = count
    return result


def _same_rule(old: RuleSet, i: int, new: RuleSet, j: int) -> bool:
    if old.series_ids[old.series[i]] != new.series_ids[new.series[j]]:
        return False
    names = (
        "sign", "hold_ms", "aggregate", "window_ms", "silence_ms", "silence_level", "lead_s", "latch", "months", "hours",
        "zone_ms", "stage",
    )  # fmt: skip
    same = all(getattr(old, name)[i] == getattr(new, name)[j] for name in names)
    same = same and _leaves(old, i) == _leaves(new, j) and _takes_from(old, i) == _takes_from(new, j)
    pairs = ((old.thresholds[i], new.thresholds[j]), (old.clear[i], new.clear[j]))
    return same and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _leaves(rules: RuleSet, i: int) -> list[int]:
    return rules.leave_ms[rules.timer[i]].tolist() if rules.timer[i] >= 0 else [0] * 4


def _plan(rules: RuleSet) -> dict[int, Any]:
    """What the second stage does with each rule."""
    if not len(rules.plan):
        return {}
    plan = json.loads(rules.plan.tobytes())
    return {int(rule): each for part in plan.values() for rule, each in part.items()}


def _takes_from(rules: RuleSet, i: int) -> list[list[int]]:
    if not len(rules.pair_series):
        return [[], []]
    mine = np.flatnonzero(rules.pair_series == rules.series[i])
    return [rules.series_ids[side[mine]].tolist() for side in (rules.pair_left, rules.pair_right)]


def grow(state: State, needed: int) -> None:
    """Widen the rings to hold `needed` readings."""
    have = state.ring_ms.shape[1]
    if needed <= have:
        return
    width = max(needed, have * 2) - have
    state.ring_ms = np.pad(state.ring_ms, ((0, 0), (0, width)))
    state.ring_micro = np.pad(state.ring_micro, ((0, 0), (0, width)))


@dataclass(frozen=True)
class Transitions:
    """Changes of colour in order of arrival, as columns of length N."""

    rule: Ints
    """Index into the rule set."""
    row: Ints
    """The reading of the batch that caused it; -1 when the passing of time did."""
    time_ms: Ints
    value: Floats
    """What was compared: the reading or the window's figure; for a silence its last reading."""
    old: Levels
    new: Levels
    peak: Floats
    peak_ms: Ints
    """The worst value of the episode so far (of the whole episode, where `new` is NONE)."""

    def __len__(self) -> int:
        return len(self.rule)

    @classmethod
    def join(cls, parts: Sequence[Transitions]) -> Transitions:
        """Several, ordered by row, time and rule."""
        joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        order = np.lexsort((joined["rule"], joined["time_ms"], joined["row"]))
        return cls(**{name: column[order] for name, column in joined.items()})

    @classmethod
    def none(cls) -> Transitions:
        """No change."""
        kinds = {"value": np.float64, "peak": np.float64, "old": np.int8, "new": np.int8}
        return cls(**{f.name: np.zeros(0, kinds.get(f.name, np.int64)) for f in fields(cls)})

    def pick(self, these: Bools | Ints) -> Transitions:
        """Some of them."""
        return Transitions(**{f.name: getattr(self, f.name)[these] for f in fields(self)})

    def shifted(self, rows: int) -> Transitions:
        """The same, for a batch that stood `rows` readings later in the stream."""
        return replace(self, row=np.where(self.row >= 0, self.row + rows, self.row))


@dataclass(frozen=True)
class Outcome:
    """What a batch did. `late` [n]: rows not newer than what their series had. `peaked`: raised rules with a new peak.

    `moved`: whether the state changed at all (a moment at which nothing was due leaves it as it was).
    """

    state: State
    transitions: Transitions
    late: Bools
    peaked: Ints
    moved: bool = True


def dump(rules: RuleSet, state: State) -> bytes:
    """Rules and state as bytes (NumPy's .npz without pickles, deflated), for a snapshot."""
    buffer = BytesIO()
    arrays = {f"rules.{f.name}": getattr(rules, f.name) for f in fields(rules)}
    arrays |= {f"state.{f.name}": getattr(state, f.name) for f in fields(state)}
    np.savez(buffer, **arrays)
    return zlib.compress(buffer.getvalue(), 1)


def load(data: bytes) -> tuple[RuleSet, State]:
    """What `dump` wrote."""
    with np.load(BytesIO(zlib.decompress(data)), allow_pickle=False) as found:
        rules = RuleSet(**_kept(RuleSet, found, "rules", _plain_rules))
        state = State(**_kept(State, found, "state", lambda _kept: _plain_state(rules)))
    return rules, state


def _kept(
    cls: type[RuleSet] | type[State], found: Mapping[str, Any], part: str, default: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """The columns of a part; those which the snapshot's version did not know yet as they were meant then."""
    names = [f.name for f in fields(cls)]
    kept = {name: found[f"{part}.{name}"] for name in names if f"{part}.{name}" in found}
    if len(kept) < len(names):
        plain = default(kept)
        kept |= {name: plain[name] for name in names if name not in kept}
    return kept


def _plain_rules(kept: dict[str, Any]) -> dict[str, Any]:
    n, none = len(kept["id"]), np.zeros(0, np.int64)
    timed = np.flatnonzero(kept["hold_ms"] > 0)
    timer = np.full(n, -1, np.int64)
    timer[timed] = np.arange(len(timed))
    return {
        "lead_s": np.zeros(n), "timer": timer, "timed": timed, "leave_ms": np.zeros((len(timed), 4), np.int64),
        "latch": np.zeros(n, np.bool_), "months": np.full(n, ALWAYS_MONTHS), "hours": np.full(n, ALWAYS_HOURS),
        "zone_ms": np.zeros(n, np.int64), "asleep_some": np.zeros(n, np.bool_), "stage": np.zeros(n, np.int8),
        "pair_left": none, "pair_right": none, "pair_series": none, "watched": np.full(n, -1, np.int64),
        "plan": np.zeros(0, np.uint8),
    }  # fmt: skip


def _plain_state(rules: RuleSet) -> dict[str, Any]:
    plain = fresh(rules)
    return {f.name: getattr(plain, f.name) for f in fields(State)}


def to_json(spec: RuleSpec) -> str:
    """A rule as one line of JSON, for the journal."""
    return json.dumps(asdict(spec), ensure_ascii=False, sort_keys=True)
