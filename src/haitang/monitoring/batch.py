"""Readings as they arrive (`wire.py`), checked against the network; each bad row is set aside with its reason. Pure.

A series is named by its code, or by its number. A time is ISO 8601 with its offset, or Unix time in seconds (above
1e11: in milliseconds). A unit left out is the unit the series is registered with.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from haitang.monitoring import wire
from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.rules import Bools, Floats, Ints
from haitang.monitoring.wire import MAX_BYTES, MAX_ROWS, BatchError, Columns

__all__ = [
    "MAX_BYTES", "MAX_ROWS", "Allowed", "Batch", "BatchError", "Catalogue", "Columns", "Lot", "Prefix", "Reason",
    "Rejection", "decode", "decode_all", "decode_csv", "decode_json", "decode_lot", "decode_lots",
]  # fmt: skip

FUTURE_MS = 5 * 60_000
"""How far ahead of the space's clock a reading may be: five minutes, for clocks that are a little off."""
EARLIEST_MS = 631_152_000_000
"""1990-01-01: anything before it is a device whose clock was never set."""
_LATEST_MS = 7_258_118_400_000  # 2200-01-01
_LISTED = 100
_SIMPLE = (int, float)
Allowed = Callable[[str], bool]


@dataclass(frozen=True)
class Prefix:
    """May write the series whose codes begin so."""

    text: str

    def __call__(self, code: str) -> bool:
        """Whether this series is one of them."""
        return code.startswith(self.text)


class Reason(StrEnum):
    """Why a row was not taken."""

    UNKNOWN_SERIES = "unknown_series"
    FORBIDDEN = "forbidden"
    WRONG_UNIT = "wrong_unit"
    ABSURD_VALUE = "absurd_value"
    FUTURE = "future"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that was not taken: where, what, against which rule, and how to mend it."""

    row: int
    reason: Reason
    field: str
    value: str
    rule: str
    remedy: str


@dataclass(frozen=True)
class Catalogue:
    """What the door knows about series, by position 0..S-1 (the rule set's positions)."""

    codes: Mapping[str, int]
    quantity: Sequence[str]
    unit: Sequence[str]
    low: Floats
    high: Floats
    scale: Floats
    offset: Floats
    """Canonical value = scale * value + offset, for values in the unit that the series is registered with."""
    ids: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Their numbers in ascending order, if a series may be named by its number."""
    _masks: dict[Prefix, Bools] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, str, float | None, float | None]], ids: Ints | None = None) -> Catalogue:
        """From (code, quantity, unit, low, high) in order of position; None takes the quantity's plausible range."""
        kinds = [QUANTITIES[row[1]] for row in rows]
        return cls(
            codes={row[0]: position for position, row in enumerate(rows)},
            quantity=[row[1] for row in rows],
            unit=[row[2] for row in rows],
            low=np.array([k.low if r[3] is None else r[3] for r, k in zip(rows, kinds, strict=True)], np.float64),
            high=np.array([k.high if r[4] is None else r[4] for r, k in zip(rows, kinds, strict=True)], np.float64),
            scale=np.array([k.factor(r[2])[0] for r, k in zip(rows, kinds, strict=True)], np.float64),
            offset=np.array([k.factor(r[2])[1] for r, k in zip(rows, kinds, strict=True)], np.float64),
            ids=np.zeros(0, np.int64) if ids is None else ids,
        )

    def may_write(self, allowed: Allowed) -> Bools:
        """By position, whether a sender may write the series. Remembered for prefixes."""
        found = self._masks.get(allowed) if isinstance(allowed, Prefix) else None
        if found is None:
            found = np.fromiter(map(allowed, self.codes), np.bool_, len(self.codes))
            if isinstance(allowed, Prefix):
                self._masks[allowed] = found
        return found

    def numbered(self, numbers: Floats | Ints) -> Ints:
        """Positions of series by their numbers; -1 where there is none."""
        if not len(self.ids):
            return np.full(len(numbers), -1, np.int64)
        at = np.minimum(np.searchsorted(self.ids, numbers), len(self.ids) - 1)
        return np.where(self.ids[at] == numbers, at, -1)


@dataclass(frozen=True)
class Batch:
    """Rows taken, in order of arrival, and rows refused. `rejections` lists the first hundred, `refused` counts all."""

    series: Ints
    time_ms: Ints
    value: Floats
    rejections: list[Rejection] = field(default_factory=list)
    refused: Mapping[Reason, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.series)


def decode_json(body: bytes, catalogue: Catalogue, now_ms: int, allowed: Allowed | None = None) -> Batch:
    """Decode one body. `allowed` says of a series code whether the sender may write it; None allows all."""
    found = decode_all([(body, allowed)], catalogue, now_ms)[0]
    if isinstance(found, BatchError):
        raise found
    return found


def decode_all(
    sent: Sequence[tuple[bytes, Allowed | None]], catalogue: Catalogue, now_ms: int
) -> list[Batch | BatchError]:
    """Decode several bodies, each with what its sender may write, as `decode_json` would one by one; checked together."""
    found: list[Batch | BatchError | None] = [None] * len(sent)
    lists: list[tuple[int, Columns]] = []
    for number, (body, _allowed) in enumerate(sent):
        try:
            columns = wire.parse(body)
        except BatchError as error:
            found[number] = error
            continue
        if columns.is_packed:
            found[number] = decode(columns, catalogue, now_ms, sent[number][1])
        else:
            lists.append((number, columns))
    whole = Columns()
    for _number, columns in lists:
        whole.add(columns)
    rights = [(sent[number][1], len(columns)) for number, columns in lists]
    checked = _check(whole, [len(columns) for _, columns in lists], rights, catalogue, now_ms)
    for (number, _), batch in zip(lists, checked.batches(), strict=True):
        found[number] = batch
    return [each for each in found if each is not None]


def decode(columns: Columns, catalogue: Catalogue, now_ms: int, allowed: Allowed | None = None) -> Batch:
    """Check columns that came some other way."""
    return _check(columns, [len(columns)], [(allowed, len(columns))], catalogue, now_ms).batches()[0]


def decode_csv(text: str, catalogue: Catalogue, now_ms: int, allowed: Allowed | None = None) -> Batch:
    """Decode a CSV back-fill; a row's number in a rejection counts data rows from 0."""
    return decode(wire.parse_csv(text), catalogue, now_ms, allowed)


@dataclass(frozen=True)
class Lot:
    """What many bodies of one sender came to: the rows that are good, and which bodies were not taken whole."""

    series: Ints
    time_ms: Ints
    value: Floats
    refused: Counter[Reason]
    unreadable: Mapping[int, BatchError]
    short: Mapping[int, tuple[int, Mapping[Reason, int]]]
    """By the number of the body: rows taken, and rows refused by reason."""

    def __len__(self) -> int:
        return len(self.series)


def decode_lot(bodies: Sequence[bytes], catalogue: Catalogue, now_ms: int, allowed: Allowed | None = None) -> Lot:
    """Decode many bodies of one sender at once, as `decode_json` would one by one, without a batch for each."""
    return decode_lots([(bodies, allowed)], catalogue, now_ms)[0]


def decode_lots(sent: Sequence[tuple[Sequence[bytes], Allowed | None]], catalogue: Catalogue, now_ms: int) -> list[Lot]:
    """Decode many bodies of many senders at once; one lot for each sender."""
    edges = [0, *accumulate(len(bodies) for bodies, _ in sent)]
    gathered, unreadable = wire.gather([body for bodies, _ in sent for body in bodies])
    kept: list[list[tuple[Ints, Ints, Floats]]] = [[] for _ in sent]
    refused: list[Counter[Reason]] = [Counter() for _ in sent]
    short: list[dict[int, tuple[int, Mapping[Reason, int]]]] = [{} for _ in sent]
    lost: list[dict[int, BatchError]] = [{} for _ in sent]
    for number, error in unreadable.items():
        sender = bisect_right(edges, number) - 1
        lost[sender][number - edges[sender]] = error
    for part in gathered:
        rows = [0, *accumulate(part.sizes)]
        cuts = [rows[bisect_left(part.bodies, edge)] for edge in edges]
        rights = [(allowed, end - begin) for (_, allowed), (begin, end) in zip(sent, pairwise(cuts), strict=True)]
        found = _check(part.columns, part.sizes, rights, catalogue, now_ms)
        for sender, (begin, end) in enumerate(pairwise(cuts)):
            kept[sender].append(found.good(begin, end))
        for at, reasons in found.refuse.count.items():
            number = part.bodies[at]
            sender = bisect_right(edges, number) - 1
            refused[sender].update(reasons)
            short[sender][number - edges[sender]] = (part.sizes[at] - sum(reasons.values()), reasons)
    return [
        Lot(*_together(parts), counted, missing, not_whole)
        for parts, counted, missing, not_whole in zip(kept, refused, lost, short, strict=True)
    ]


def _together(parts: Sequence[tuple[Ints, Ints, Floats]]) -> tuple[Ints, Ints, Floats]:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float64)
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


@dataclass(frozen=True)
class _Checked:
    """Rows of several bodies, checked at once."""

    position: Ints
    time_ms: Ints
    value: Floats
    refuse: _Refusals

    def good(self, begin: int, end: int) -> tuple[Ints, Ints, Floats]:
        """The rows taken of those from `begin` to `end`."""
        kept = begin + np.flatnonzero(~self.refuse.bad[begin:end]) if self.refuse.count else slice(begin, end)
        return self.position[kept], self.time_ms[kept], self.value[kept]

    def batches(self) -> list[Batch]:
        """One batch for each body."""
        found = []
        for number, (begin, end) in enumerate(pairwise(self.refuse.edges)):
            counted = self.refuse.count.get(number)
            kept = begin + np.flatnonzero(~self.refuse.bad[begin:end]) if counted else slice(begin, end)
            listed = sorted(self.refuse.listed.get(number, []), key=lambda each: each.row)
            found.append(Batch(self.position[kept], self.time_ms[kept], self.value[kept], listed, dict(counted or {})))
        return found


def _check(
    raw: Columns, sizes: Sequence[int], rights: Sequence[tuple[Allowed | None, int]], catalogue: Catalogue, now_ms: int
) -> _Checked:
    """Check the rows of several bodies. `sizes` are their rows; `rights` say what may be written in the next so many rows."""
    refuse = _Refusals([0, *accumulate(sizes)])
    position = _positions(raw.series, catalogue, refuse)
    begin = 0
    for allowed, rows in rights:
        if allowed is not None:
            _forbid(raw.series, position, begin, begin + rows, allowed, catalogue, refuse)
        begin += rows
    time_ms = _times(raw.time, refuse)
    value = _values(raw.value, refuse)
    if raw.unit is not None:
        _convert(raw, position, value, catalogue, refuse)
    else:
        _registered_units(position, value, catalogue)
    _bounds(raw, position, time_ms, value, catalogue, now_ms, refuse)
    return _Checked(position, time_ms, value, refuse)


def _positions(column: Any, catalogue: Catalogue, refuse: _Refusals) -> Ints:
    known = catalogue.codes
    if isinstance(column, np.ndarray):
        position = catalogue.numbered(column)
    else:
        kinds = set(map(type, column))
        if kinds == {int}:
            position = catalogue.numbered(np.array(column, np.float64))
        else:
            position = np.array([known.get(c, -1) if type(c) is str else -1 for c in column], np.int64)
            numbers = [row for row, c in enumerate(column) if type(c) is int] if int in kinds else []
            if numbers:
                position[numbers] = catalogue.numbered(np.array([column[row] for row in numbers], np.float64))
    for row in np.flatnonzero(position < 0).tolist():
        named = isinstance(column[row], str | int | np.integer) and type(column[row]) is not bool
        refuse(
            row, Reason.UNKNOWN_SERIES if named else Reason.MALFORMED, "series", column[row],
            "must be the code or the number of a registered series", "register the series, or correct the code",
        )  # fmt: skip
    return position


def _forbid(
    column: Any, position: Ints, begin: int, end: int, allowed: Allowed, catalogue: Catalogue, refuse: _Refusals
) -> None:
    mine = position[begin:end]
    known = np.flatnonzero(mine >= 0)
    if isinstance(allowed, Prefix) or len(known) > len(catalogue.codes):
        rows = known[~catalogue.may_write(allowed)[mine[known]]].tolist()
    else:
        names = column[begin:end] if all(type(c) is str for c in column[begin:end]) else None
        codes = names or list(catalogue.codes)
        rows = [row for row in known.tolist() if not allowed(codes[row] if names else codes[mine[row]])]
    for row in rows:
        refuse(
            begin + row, Reason.FORBIDDEN, "series", column[begin + row],
            "this token may not write it", "use its own token",
        )  # fmt: skip


class _Refusals:
    """The first reason against a row counts; details are kept for the first hundred rows of each body.

    Body i has the rows edges[i]:edges[i+1].
    """

    def __init__(self, edges: Sequence[int]) -> None:
        self.edges = edges
        self.bad = np.zeros(edges[-1], np.bool_)
        self.count: dict[int, Counter[Reason]] = {}
        self.listed: dict[int, list[Rejection]] = {}

    def __call__(self, row: int, reason: Reason, name: str, value: object, rule: str, remedy: str) -> None:
        if self.bad[row]:
            return
        self.bad[row] = True
        body = bisect_right(self.edges, row) - 1
        self.count.setdefault(body, Counter())[reason] += 1
        listed = self.listed.setdefault(body, [])
        if len(listed) < _LISTED:
            listed.append(Rejection(row - self.edges[body], reason, name, str(value)[:80], rule, remedy))


def _values(column: Any, refuse: _Refusals) -> Floats:
    if isinstance(column, np.ndarray):
        found = column
    elif set(map(type, column)) <= {int, float}:
        found = np.array(column, np.float64)
    else:
        found = np.array([v if type(v) in _SIMPLE else math.nan for v in column], np.float64)
    for row in np.flatnonzero(~np.isfinite(found)).tolist():
        refuse(
            row,
            Reason.MALFORMED,
            "value",
            column[row],
            "must be a finite number",
            "leave the row out if nothing was measured",
        )
    return found


def _times(column: Any, refuse: _Refusals) -> Ints:
    if isinstance(column, np.ndarray) or set(map(type, column)) <= {int, float}:
        number = np.array(column, np.float64)
    else:
        parsed: dict[object, float] = {}
        number = np.empty(len(column), np.float64)
        for row, text in enumerate(column):
            if type(text) is str:
                if text not in parsed:
                    parsed[text] = _iso_ms(text)
                number[row] = parsed[text]
            else:
                number[row] = text if type(text) in _SIMPLE else math.nan
    seconds = np.abs(number) < 1e11
    with np.errstate(invalid="ignore", over="ignore"):
        ms = np.where(seconds, number * 1000.0, number)
        fits = (ms >= EARLIEST_MS) & (ms < _LATEST_MS)
    for row in np.flatnonzero(~fits).tolist():
        refuse(
            row, Reason.MALFORMED, "time", column[row], "must be ISO 8601 with an offset, or Unix time, after 1990",
            "send for example 2024-09-15T08:00:00+08:00",
        )  # fmt: skip
    return np.rint(np.where(fits, ms, 0)).astype(np.int64)


def _iso_ms(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        return math.nan
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000.0 + delta.seconds * 1000.0 + delta.microseconds / 1000.0


def _convert(raw: Columns, position: Ints, value: Floats, catalogue: Catalogue, refuse: _Refusals) -> None:
    factors: dict[tuple[int, object], tuple[float, float] | None] = {}
    for row, unit in enumerate(raw.unit or []):
        at = int(position[row])
        if at < 0:
            continue
        key = (at, unit if isinstance(unit, str | None) else str(unit))
        if key not in factors:
            kind = QUANTITIES[catalogue.quantity[at]]
            try:
                factors[key] = kind.factor(catalogue.unit[at] if unit in (None, "") else str(unit))
            except KeyError:
                factors[key] = None
        factor = factors[key]
        if factor is None:
            accepted = ", ".join(QUANTITIES[catalogue.quantity[at]].accepted)
            refuse(
                row,
                Reason.WRONG_UNIT,
                "unit",
                unit,
                f"must be one of {accepted}",
                "convert at the source, or send the true unit",
            )
        else:
            value[row] = value[row] * factor[0] + factor[1]


def _registered_units(position: Ints, value: Floats, catalogue: Catalogue) -> None:
    mine = position >= 0
    at = position[mine]
    value[mine] = value[mine] * catalogue.scale[at] + catalogue.offset[at]


def _bounds(
    raw: Columns, position: Ints, time_ms: Ints, value: Floats, catalogue: Catalogue, now_ms: int, refuse: _Refusals
) -> None:
    for row in np.flatnonzero(time_ms > now_ms + FUTURE_MS).tolist():
        refuse(
            row,
            Reason.FUTURE,
            "time",
            raw.time[row],
            "must not be more than 5 minutes ahead of the clock",
            "set the device's clock",
        )
    if not len(catalogue.low):
        return  # no series is registered: every row has been refused for that
    low, high = catalogue.low[position], catalogue.high[position]
    with np.errstate(invalid="ignore"):
        absurd = (position >= 0) & ((value < low) | (value > high))
    for row in np.flatnonzero(absurd).tolist():
        kind = QUANTITIES[catalogue.quantity[position[row]]]
        refuse(
            row, Reason.ABSURD_VALUE, "value", raw.value[row],
            f"{kind.code} must lie between {low[row]:g} and {high[row]:g} {kind.unit}", "check the sensor and the unit",
        )  # fmt: skip
