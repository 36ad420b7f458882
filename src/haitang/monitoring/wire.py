"""The forms in which readings travel, taken apart into columns; nothing is checked against the network yet. Pure.

Columnar   {"series": ["CMN-TIDE", ...], "time": [1726358400, ...] or one time for all, "value": [...], "unit": [...]}
Compact    {"s": [17, ...], "t": [1726358400000, ...] or one for all, "v": [...]}, s being numbers or codes of series
Rows       [{"series": "CMN-TIDE", "time": "2024-09-15T08:00:00+08:00", "value": 3.21, "unit": "m"}, ...]
Binary     "HTC" 0x01, the number of rows (uint32), then the columns series (int32), time in ms (int64), value (float64),
           all little-endian
CSV        a header with series,time,value and perhaps unit

Several bodies are put together before anything is made of them: a conversion to arrays costs about the same for one row
as for a hundred.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from haitang.monitoring.rules import Floats, Ints

MAX_BYTES = 4_000_000
MAX_ROWS = 50_000
MAGIC = b"HTC\x01"
_HEAD, _ROW = 8, 20
_FORM = (
    'send {"series": [...], "time": [...], "value": [...]}, the same with the names "s", "t", "v", '
    'or a list of {"series", "time", "value", "unit"}'
)


class BatchError(ValueError):
    """The whole body is refused. `code` is malformed, too_large or too_many_rows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Columns:
    """Columns as they came: one entry per row, nothing checked yet. Arrays come from the binary form only."""

    series: Any = field(default_factory=list)
    time: Any = field(default_factory=list)
    value: Any = field(default_factory=list)
    unit: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.series)

    @property
    def is_packed(self) -> bool:
        """Whether these are arrays."""
        return isinstance(self.series, np.ndarray)

    def add(self, more: Columns) -> None:
        """Append rows. Both are lists."""
        if self.unit is not None or more.unit is not None:
            self.unit = (self.unit or [None] * len(self)) + (more.unit or [None] * len(more))
        self.series += more.series
        self.time += more.time
        self.value += more.value


def pack(series: Ints, time_ms: Ints, value: Floats) -> bytes:
    """A body in the binary form."""
    return b"".join(
        (
            MAGIC,
            len(series).to_bytes(4, "little"),
            np.asarray(series).astype("<i4").tobytes(),
            np.asarray(time_ms).astype("<i8").tobytes(),
            np.asarray(value).astype("<f8").tobytes(),
        )
    )


def parse(body: bytes) -> Columns:
    """Take one body apart; raises BatchError."""
    if len(body) > MAX_BYTES:
        raise BatchError(
            "too_large", f"The body has {len(body)} bytes; send at most {MAX_BYTES} and split larger batches"
        )
    if body[:3] == MAGIC[:3]:
        return _unpack(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BatchError(
            "malformed", f"The body is not JSON: {error}; send UTF-8 JSON without NaN or Infinity"
        ) from None
    return _columns(document)


def _rows(body: bytes) -> int:
    """The number of rows of a binary body; raises BatchError for one that is not whole."""
    if body[:4] != MAGIC:
        raise BatchError("malformed", f"The body begins with {body[:4]!r}; version 1 of the binary form with {MAGIC!r}")
    rows = int.from_bytes(body[4:_HEAD], "little")
    if len(body) != _HEAD + _ROW * rows:
        raise BatchError(
            "malformed",
            f"The body has {len(body)} bytes and says {rows} rows: send {_HEAD} bytes of head and {_ROW} for each row",
        )
    if rows > MAX_ROWS:
        raise _too_many(rows)
    return rows


def _unpack(body: bytes) -> Columns:
    n = _rows(body)
    return Columns(
        np.frombuffer(body, "<i4", n, _HEAD).astype(np.int64),
        np.frombuffer(body, "<i8", n, _HEAD + 4 * n).astype(np.int64),
        np.frombuffer(body, "<f8", n, _HEAD + 12 * n).astype(np.float64),
    )


def _columns(document: object) -> Columns:
    if isinstance(document, dict) and isinstance(document.get("readings"), list):
        document = document["readings"]
    if isinstance(document, list):
        rows = [row if isinstance(row, dict) else {} for row in document]
        units = [row.get("unit") for row in rows] if any("unit" in row for row in rows) else None
        return limited(
            Columns(
                [r.get("series") for r in rows], [r.get("time") for r in rows], [r.get("value") for r in rows], units
            )
        )
    if not isinstance(document, dict):
        raise BatchError("malformed", f"The body is a {type(document).__name__}; {_FORM}")
    short = "s" in document and "series" not in document
    names = ("s", "t", "v", "u") if short else ("series", "time", "value", "unit")
    series, time, value, unit = (document.get(name) for name in names)
    if not isinstance(series, list) or not isinstance(value, list):
        raise BatchError("malformed", f"{names[0]} and {names[2]} must be lists; {_FORM}")
    if not isinstance(time, list):
        time = [time] * len(series)
    if unit is not None and not isinstance(unit, list):
        unit = [unit] * len(series)
    if not len(series) == len(time) == len(value) == len(unit if unit is not None else series):
        lengths = f"{names[0]} {len(series)}, {names[1]} {len(time)}, {names[2]} {len(value)}"
        raise BatchError("malformed", f"The columns differ in length ({lengths}); send one entry per reading in each")
    return limited(Columns(series, time, value, unit))


def limited(columns: Columns) -> Columns:
    """The same, unless there are too many rows."""
    if len(columns) > MAX_ROWS:
        raise _too_many(len(columns))
    return columns


def _too_many(rows: int) -> BatchError:
    return BatchError(
        "too_many_rows", f"The body has {rows} readings; send at most {MAX_ROWS} and split larger batches"
    )


@dataclass
class Gathered:
    """Many bodies put together: the columns of all that could be read, in order, and the number of rows of each."""

    columns: Columns
    bodies: list[int]
    """Numbers of the bodies whose rows stand here, in order."""
    sizes: list[int]


def gather(bodies: Sequence[bytes]) -> tuple[list[Gathered], dict[int, BatchError]]:
    """Take many bodies apart at once: those of lists, those that are binary, and those that cannot be read."""
    unreadable: dict[int, BatchError] = {}
    lists, packed = Gathered(Columns(), [], []), Gathered(Columns(), [], [])
    parts: list[bytes] = []
    series, time, value = lists.columns.series, lists.columns.time, lists.columns.value
    loads = orjson.loads
    for number, body in enumerate(bodies):
        try:
            if body[:3] == MAGIC[:3]:
                packed.sizes.append(_rows(body))
                packed.bodies.append(number)
                parts.append(body)
                continue
            if len(body) < 100_000:  # the usual case first: compact, small, in order
                document = loads(body)
                if type(document) is dict:
                    s, t, v = document.get("s"), document.get("t"), document.get("v")
                    if (
                        type(s) is list and type(t) is list and type(v) is list and len(s) == len(t) == len(v)
                        and len(document) == 3
                    ):  # fmt: skip
                        series += s
                        time += t
                        value += v
                        if lists.columns.unit is not None:
                            lists.columns.unit += [None] * len(s)
                        lists.bodies.append(number)
                        lists.sizes.append(len(s))
                        continue
                part = _columns(document)
            else:
                part = parse(body)
        except orjson.JSONDecodeError as error:
            text = f"The body is not JSON: {error}; send UTF-8 JSON without NaN or Infinity"
            unreadable[number] = BatchError("malformed", text)
        except BatchError as error:
            unreadable[number] = error
        else:
            lists.columns.add(part)
            lists.bodies.append(number)
            lists.sizes.append(len(part))
    if parts:
        packed.columns = _unpack_all(parts, packed.sizes)
    return [each for each in (lists, packed) if each.bodies], unreadable


def _unpack_all(bodies: Sequence[bytes], sizes: Sequence[int]) -> Columns:
    n = sizes[0]
    if len(bodies) > 1 and all(size == n for size in sizes):  # a gateway sends the same sensors again and again
        table = np.frombuffer(b"".join(bodies), np.uint8).reshape(len(bodies), _HEAD + _ROW * n)
        edges = (_HEAD, _HEAD + 4 * n, _HEAD + 12 * n, _HEAD + 20 * n)
        s, t, v = (np.ascontiguousarray(table[:, begin:end]) for begin, end in pairwise(edges))
        return Columns(
            s.view("<i4").ravel().astype(np.int64),
            t.view("<i8").ravel().astype(np.int64),
            v.view("<f8").ravel().astype(np.float64),
        )
    parts = [_unpack(body) for body in bodies]
    return Columns(
        np.concatenate([part.series for part in parts]),
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.value for part in parts]),
    )


def parse_csv(text: str) -> Columns:
    """Take a CSV table apart; raises BatchError."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    columns, names = heads(reader.fieldnames or [])
    reader.fieldnames = names
    try:
        add_rows(columns, ([row["series"], row["time"], row["value"], row.get("unit")] for row in reader))
    except csv.Error as error:
        raise BatchError("malformed", f"Line {reader.line_num} is not CSV: {error}") from None
    return limited(columns)


def heads(given: Iterable[object]) -> tuple[Columns, list[str]]:
    """Empty columns for a table with such a header, and the header's names; raises BatchError where one is missing."""
    names = [str(name or "").strip().lower() for name in given]
    missing = {"series", "time", "value"} - set(names)
    if missing:
        raise BatchError(
            "malformed", f"The header is {names}; columns {sorted(missing)} are missing (unit is optional)"
        )
    return Columns(unit=[] if "unit" in names else None), names


def add_rows(columns: Columns, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows of a table: series, time, value, unit as text or numbers."""
    for series, time, value, unit in rows:
        columns.series.append(series)
        columns.time.append(_number(time))
        columns.value.append(_number(value))
        if columns.unit is not None:
            columns.unit.append(unit)


def _number(cell: object) -> object:
    if not isinstance(cell, str | None):
        return cell
    try:
        return float(cell or "")
    except ValueError:
        return cell
