"""Rules as columns: what is watched on which series, and the state that a rule carries between readings.

Times are integer milliseconds since 1970-01-01 UTC. Values are in the canonical unit of the series. `evaluate.py` holds
the kernel; this module what goes in and comes out, so that another kernel (numba, another machine) can take its place.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import IntEnum, StrEnum
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Levels = NDArray[np.int8]

NEVER = -(2**62)
"""The time of something that has not happened."""
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
    `hysteresis`. `silence_s` > 0 makes it a silence rule: `silence_level` is raised when nothing has come for so long.
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

    def check(self) -> None:
        """Raise RuleError when the fields contradict each other."""
        given = [value for value in self.thresholds if value is not None]
        if not all(math.isfinite(value) for value in given):
            raise RuleError(f"thresholds {self.thresholds}: every threshold must be a finite number")
        ordered = sorted(given, reverse=self.direction == Direction.FALLING)
        if given != ordered:
            order = "fall" if self.direction == Direction.FALLING else "rise"
            raise RuleError(f"thresholds {self.thresholds}: they must {order} from blue to red")
        for name in ("hysteresis", "hold_s", "window_s", "silence_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise RuleError(f"{name} {value}: must be zero or more")
        if bool(given) == bool(self.silence_s):
            raise RuleError("a rule has either thresholds or silence_s, not both and not neither")
        if (self.aggregate == Aggregate.LAST) != (self.window_s == 0):
            raise RuleError(
                f"aggregate {self.aggregate}, window_s {self.window_s}: a window needs an aggregate, and only it"
            )
        if self.silence_s and not Level.BLUE <= self.silence_level <= Level.RED:
            raise RuleError(f"silence_level {self.silence_level}: must be blue to red")


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
    ids = np.array(sorted(set(series_ids)), np.int64)
    known = {int(value): index for index, value in enumerate(ids)}
    rows = sorted(specs, key=lambda spec: (known[spec.series], spec.id))
    for spec in rows:
        spec.check()
    n, count = len(rows), len(ids)
    sign = np.array([1.0 if spec.direction == Direction.RISING else -1.0 for spec in rows], np.float64).reshape(n)
    raw = np.array([[np.nan if v is None else v for v in spec.thresholds] for spec in rows], np.float64).reshape(n, 4)
    thresholds = raw * sign[:, None]
    hysteresis = np.array([spec.hysteresis for spec in rows], np.float64)
    series = np.array([known[spec.series] for spec in rows], np.int64)
    window_ms = np.array([round(spec.window_s * 1000) for spec in rows], np.int64)
    reach = np.zeros(count, np.int64)
    np.maximum.at(reach, series, window_ms)
    slot = np.full(count, -1, np.int64)
    slot[reach > 0] = np.arange(int((reach > 0).sum()))
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
    )


@dataclass
class State:
    """What rules remember. S series, R rules, W window rings of capacity C.

    `last_ms`, `last_value` [S]: the newest reading. `since_ms` [R,4]: since when each colour's threshold has been met
    without a break. `raised` [R,4]: colours raised. `level` [R]: the highest of them. `peak`, `peak_ms` [R]: the worst
    value while raised. `ring_ms`, `ring_micro` [W,C], `ring_n` [W]: readings still inside the longest window, oldest first.
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
    )


def carry(state: State, old: RuleSet, new: RuleSet) -> State:
    """State of `old` taken over to `new`: by series, and by rule where the rule's definition has not changed."""
    result = fresh(new)
    came = old.locate(new.series_ids)
    known = came >= 0
    result.last_ms[known] = state.last_ms[came[known]]
    result.last_value[known] = state.last_value[came[known]]
    before = {int(value): index for index, value in enumerate(old.id)}
    for index, value in enumerate(new.id):
        was = before.get(int(value))
        if was is None or not _same_rule(old, was, new, index):
            continue
        for name in ("since_ms", "raised", "level", "peak", "peak_ms"):
            getattr(result, name)[index] = getattr(state, name)[was]
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
    names = ("sign", "hold_ms", "aggregate", "window_ms", "silence_ms", "silence_level")
    same = all(getattr(old, name)[i] == getattr(new, name)[j] for name in names)
    pairs = ((old.thresholds[i], new.thresholds[j]), (old.clear[i], new.clear[j]))
    return same and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


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

    def shifted(self, rows: int) -> Transitions:
        """The same, for a batch that stood `rows` readings later in the stream."""
        return replace(self, row=np.where(self.row >= 0, self.row + rows, self.row))


@dataclass(frozen=True)
class Outcome:
    """What a batch did. `late` [n]: rows not newer than what their series had. `peaked`: raised rules with a new peak."""

    state: State
    transitions: Transitions
    late: Bools
    peaked: Ints


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
        rules = RuleSet(**{f.name: found[f"rules.{f.name}"] for f in fields(RuleSet)})
        state = State(**{f.name: found[f"state.{f.name}"] for f in fields(State)})
    return rules, state


def to_json(spec: RuleSpec) -> str:
    """A rule as one line of JSON, for the journal."""
    return json.dumps(asdict(spec), ensure_ascii=False, sort_keys=True)
