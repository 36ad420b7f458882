"""Readings for other tools: CSV in the form that the back-fill takes back, and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
from django.db.models import Q
from django.utils import timezone

from haitang.monitoring import store
from haitang.monitoring.models import Series
from haitang.monitoring.queries import ms
from haitang.monitoring.rules import Floats, Ints

COLUMNS = ("series", "time", "value", "unit")
_WINDOW_MS = 32 * store.DAY_MS
_TOGETHER = 256


def csv_lines(space_id: int, series: Sequence[Series], start_ms: int, end_ms: int) -> Iterator[str]:
    """Lines of a CSV file of these series in [start_ms, end_ms), one series after the other; time of the district."""
    yield ",".join(COLUMNS) + "\r\n"
    for each in series:
        for time, value in _windows(space_id, each.pk, start_ms, end_ms):
            lines = io.StringIO()
            writer = csv.writer(lines)
            unit = each.kind.unit
            writer.writerows(
                (each.code, _iso(t), repr(v), unit) for t, v in zip(time.tolist(), value.tolist(), strict=True)
            )
            yield lines.getvalue()


def write_parquet(out: IO[bytes], space_id: int, series: Sequence[Series], start_ms: int, end_ms: int) -> int:
    """Write a Parquet file (zstd) with the columns series, time (UTC, ms), value, unit; returns how many readings."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([
        ("series", pa.dictionary(pa.int32(), pa.string())), ("time", pa.timestamp("ms", tz="UTC")),
        ("value", pa.float64()), ("unit", pa.dictionary(pa.int32(), pa.string())),
    ])  # fmt: skip
    written = 0
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for some in store.batches(sorted(series, key=lambda each: each.pk), _TOGETHER):
            ids = np.array([each.pk for each in some], np.int64)
            codes, units = [each.code for each in some], [each.kind.unit for each in some]
            for start, end in _spans(space_id, ids, start_ms, end_ms):
                found, time, value = store.read_many(space_id, ids, start, end)
                if not len(found):
                    continue
                which = pa.array(np.searchsorted(ids, found).astype(np.int32))
                columns = [
                    pa.DictionaryArray.from_arrays(which, pa.array(codes)), pa.array(time, pa.timestamp("ms", tz="UTC")),
                    pa.array(value), pa.DictionaryArray.from_arrays(which, pa.array(units)),
                ]  # fmt: skip
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                written += len(found)
    return written


def chosen(codes: Sequence[str], start: str, end: str) -> tuple[list[Series], int, int]:
    """Series and span that an operator named; ValueError says what there is not."""
    rows = Series.objects.order_by("pk")
    if codes:
        wanted = Q()
        for code in codes:
            wanted |= Q(code__startswith=code[:-1]) if code.endswith("*") else Q(code=code)
            if not code.endswith("*") and not Series.objects.filter(code=code).exists():
                raise ValueError(f"There is no series {code!r}; NM-* names all that begin with NM-")
        rows = rows.filter(wanted)
    first = _moment("--start", start, -store.FOREVER_MS)
    last = _moment("--end", end, store.FOREVER_MS)
    if first >= last:
        raise ValueError(f"--start {start} is not before --end {end}")
    return list(rows), first, last


def _moment(name: str, text: str, default: int) -> int:
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name} {text!r} is not a time such as 2024-09-15 or 2024-09-15T08:00:00+08:00") from error
    return ms(moment if moment.tzinfo else timezone.make_aware(moment))


def save(out: Path, space_id: int, series: Sequence[Series], start_ms: int, end_ms: int) -> int:
    """Write a .parquet or .csv file; returns how many readings. A file that could not be finished does not stay."""
    if out.suffix not in {".csv", ".parquet"}:
        raise ValueError(f"{out}: the name of the file must end in .parquet or .csv")
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as file:
            if out.suffix == ".parquet":
                written = write_parquet(file, space_id, series, start_ms, end_ms)
            else:
                written = -1
                for lines in csv_lines(space_id, series, start_ms, end_ms):
                    file.write(lines.encode())
                    written += lines.count("\n")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return written


def _windows(space_id: int, series_id: int, start_ms: int, end_ms: int) -> Iterator[tuple[Ints, Floats]]:
    for start, end in _spans(space_id, np.array([series_id]), start_ms, end_ms):
        yield store.read(space_id, series_id, start, end)


def _spans(space_id: int, ids: Ints, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The time in which these series have readings, some thirty days at a time, so that little is held in memory."""
    first, last = store.extent(space_id, ids)
    at, end_ms = max(start_ms, first), min(end_ms, last + 1)
    while at < end_ms:
        yield at, min(at + _WINDOW_MS, end_ms)
        at += _WINDOW_MS


def _iso(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(timezone.get_default_timezone())
    return moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
