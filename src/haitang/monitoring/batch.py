"""Readings as they arrive: JSON in two forms, or CSV, decoded to columns; each bad row is set aside with its reason.

Columnar   {"series": ["CMN-TIDE", ...], "time": [1726358400, ...] or one time for all, "value": [...], "unit": [...]}
Rows       [{"series": "CMN-TIDE", "time": "2024-09-15T08:00:00+08:00", "value": 3.21, "unit": "m"}, ...]
CSV        a header with series,time,value and perhaps unit

A time is ISO 8601 with its offset, or Unix time in seconds (above 1e11: in milliseconds). A unit left out is the unit
the series is registered with.
"""

from __future__ import annotations

import csv
import io
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import orjson

from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.rules import Floats, Ints

MAX_BYTES = 4_000_000
MAX_ROWS = 50_000
FUTURE_MS = 5 * 60_000
"""How far ahead of the space's clock a reading may be: five minutes, for clocks that are a little off."""
EARLIEST_MS = 631_152_000_000
"""1990-01-01: anything before it is a device whose clock was never set."""
_LATEST_MS = 7_258_118_400_000  # 2200-01-01
_LISTED = 100
Allowed = Callable[[str], bool]


class Reason(StrEnum):
    """Why a row was not taken."""

    UNKNOWN_SERIES = "unknown_series"
    FORBIDDEN = "forbidden"
    WRONG_UNIT = "wrong_unit"
    ABSURD_VALUE = "absurd_value"
    FUTURE = "future"
    MALFORMED = "malformed"


class BatchError(ValueError):
    """The whole body is refused. `code` is malformed, too_large or too_many_rows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


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

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, str, float | None, float | None]]) -> Catalogue:
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
        )


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


@dataclass
class _Raw:
    """Columns as they came: one entry per row, nothing checked yet."""

    series: list[Any]
    time: list[Any]
    value: list[Any]
    unit: list[Any] | None


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
    parts: list[_Raw | BatchError] = []
    for body, _allowed in sent:
        try:
            parts.append(_parse(body))
        except BatchError as error:
            parts.append(error)
    good = [(part, allowed) for part, (_, allowed) in zip(parts, sent, strict=True) if isinstance(part, _Raw)]
    batches = iter(_check([part for part, _ in good], [allowed for _, allowed in good], catalogue, now_ms))
    return [next(batches) if isinstance(part, _Raw) else part for part in parts]


def _parse(body: bytes) -> _Raw:
    if len(body) > MAX_BYTES:
        raise BatchError(
            "too_large", f"The body has {len(body)} bytes; send at most {MAX_BYTES} and split larger batches"
        )
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BatchError(
            "malformed", f"The body is not JSON: {error}; send UTF-8 JSON without NaN or Infinity"
        ) from None
    return _columns(document)


def decode_csv(text: str, catalogue: Catalogue, now_ms: int, allowed: Allowed | None = None) -> Batch:
    """Decode a CSV back-fill; a row's number in a rejection counts data rows from 0."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    names = [name.strip().lower() for name in reader.fieldnames or []]
    missing = {"series", "time", "value"} - set(names)
    if missing:
        raise BatchError(
            "malformed", f"The header is {names}; columns {sorted(missing)} are missing (unit is optional)"
        )
    reader.fieldnames = names
    raw = _Raw([], [], [], [] if "unit" in names else None)
    try:
        for row in reader:
            raw.series.append(row["series"])
            raw.time.append(_number(row["time"]))
            raw.value.append(_number(row["value"]))
            if raw.unit is not None:
                raw.unit.append(row["unit"])
    except csv.Error as error:
        raise BatchError("malformed", f"Line {reader.line_num} is not CSV: {error}") from None
    return _check([_limited(raw)], [allowed], catalogue, now_ms)[0]


def _number(text: str | None) -> object:
    try:
        return float(text or "")
    except ValueError:
        return text


def _columns(document: object) -> _Raw:
    if isinstance(document, dict) and isinstance(document.get("readings"), list):
        document = document["readings"]
    if isinstance(document, list):
        rows = [row if isinstance(row, dict) else {} for row in document]
        units = [row.get("unit") for row in rows] if any("unit" in row for row in rows) else None
        return _limited(
            _Raw([r.get("series") for r in rows], [r.get("time") for r in rows], [r.get("value") for r in rows], units)
        )
    form = 'send {"series": [...], "time": [...], "value": [...]} or a list of {"series", "time", "value", "unit"}'
    if not isinstance(document, dict):
        raise BatchError("malformed", f"The body is a {type(document).__name__}; {form}")
    series, time, value, unit = (document.get(name) for name in ("series", "time", "value", "unit"))
    if not isinstance(series, list) or not isinstance(value, list):
        raise BatchError("malformed", f"series and value must be lists; {form}")
    if not isinstance(time, list):
        time = [time] * len(series)
    if unit is not None and not isinstance(unit, list):
        unit = [unit] * len(series)
    if not len(series) == len(time) == len(value) == len(unit if unit is not None else series):
        lengths = f"series {len(series)}, time {len(time)}, value {len(value)}"
        raise BatchError("malformed", f"The columns differ in length ({lengths}); send one entry per reading in each")
    return _limited(_Raw(series, time, value, unit))


def _limited(raw: _Raw) -> _Raw:
    n = len(raw.series)
    if n > MAX_ROWS:
        raise BatchError(
            "too_many_rows", f"The body has {n} readings; send at most {MAX_ROWS} and split larger batches"
        )
    return raw


def _joined(parts: Sequence[_Raw]) -> _Raw:
    if len(parts) == 1:
        return parts[0]
    units = None
    if any(part.unit is not None for part in parts):
        units = [each for part in parts for each in (part.unit or [None] * len(part.series))]
    return _Raw(
        [each for part in parts for each in part.series],
        [each for part in parts for each in part.time],
        [each for part in parts for each in part.value],
        units,
    )


def _check(parts: Sequence[_Raw], allowed: Sequence[Allowed | None], catalogue: Catalogue, now_ms: int) -> list[Batch]:
    """Check the rows of several bodies at once; one batch for each."""
    raw = _joined(parts)
    edges = [0, *accumulate(len(part.series) for part in parts)]
    refuse = _Refusals(edges)
    known = catalogue.codes
    position = np.array([known.get(c, -1) if type(c) is str else -1 for c in raw.series], np.int64)
    unknown = np.flatnonzero(position < 0).tolist()
    for row in unknown:
        text = type(raw.series[row]) is str
        refuse(
            row, Reason.UNKNOWN_SERIES if text else Reason.MALFORMED, "series", raw.series[row],
            "must be the code of a registered series", "register the series, or correct the code",
        )  # fmt: skip
    for number, may_write in enumerate(allowed):
        if may_write is None:
            continue
        for row in range(edges[number], edges[number + 1]):
            if position[row] >= 0 and not may_write(raw.series[row]):
                refuse(
                    row, Reason.FORBIDDEN, "series", raw.series[row], "this token may not write it", "use its own token"
                )

    time_ms = _times(raw.time, refuse)
    value = _values(raw.value, refuse)
    if raw.unit is not None:
        _convert(raw, position, value, catalogue, refuse)
    else:
        _registered_units(position, value, catalogue)
    _bounds(raw, position, time_ms, value, catalogue, now_ms, refuse)
    batches = []
    for number, (begin, end) in enumerate(pairwise(edges)):
        kept = begin + np.flatnonzero(~refuse.bad[begin:end]) if refuse.count[number] else slice(begin, end)
        listed = sorted(refuse.listed[number], key=lambda each: each.row)
        batches.append(Batch(position[kept], time_ms[kept], value[kept], listed, dict(refuse.count[number])))
    return batches


class _Refusals:
    """The first reason against a row counts; details are kept for the first hundred rows of each body.

    Body i has the rows edges[i]:edges[i+1].
    """

    def __init__(self, edges: Sequence[int]) -> None:
        self.edges = edges
        self.bad = np.zeros(edges[-1], np.bool_)
        self.count: list[Counter[Reason]] = [Counter() for _ in edges[1:]]
        self.listed: list[list[Rejection]] = [[] for _ in edges[1:]]

    def __call__(self, row: int, reason: Reason, name: str, value: object, rule: str, remedy: str) -> None:
        if self.bad[row]:
            return
        self.bad[row] = True
        body = bisect_right(self.edges, row) - 1
        self.count[body][reason] += 1
        if len(self.listed[body]) < _LISTED:
            shown = Rejection(row - self.edges[body], reason, name, str(value)[:80], rule, remedy)
            self.listed[body].append(shown)


def _values(column: list[Any], refuse: _Refusals) -> Floats:
    if set(map(type, column)) <= {int, float}:
        found = np.array(column, np.float64)
    else:
        found = np.array([v if type(v) in (int, float) else math.nan for v in column], np.float64)
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


def _times(column: list[Any], refuse: _Refusals) -> Ints:
    kinds = set(map(type, column))
    if kinds <= {int, float}:
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
                number[row] = text if type(text) in (int, float) else math.nan
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


def _convert(raw: _Raw, position: Ints, value: Floats, catalogue: Catalogue, refuse: _Refusals) -> None:
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
    raw: _Raw, position: Ints, time_ms: Ints, value: Floats, catalogue: Catalogue, now_ms: int, refuse: _Refusals
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
