"""Where readings are kept. This is the face: another engine (column chunks, a time-series database) can stand behind it.

Today: one row per reading, keyed (space, series, time), in the platform's own database. Times are integer
milliseconds UTC, values in the canonical unit of the series; arrays in, arrays out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import numpy as np
from django.db import connection

from haitang.monitoring.rules import Bools, Floats, Ints

FOREVER_MS = 2**62


def append(space_id: int, series_ids: Ints, time_ms: Ints, values: Floats, maybe_known: Bools | None = None) -> Bools:
    """Store readings inside the caller's transaction; True where a row is new, False where (series, time) was there.

    `maybe_known` marks the rows that need looking up; the caller vouches for the others (newer than their series'
    newest). Without it every row is looked up. A repeated (series, time) within the rows counts once, the first time.
    """
    n = len(series_ids)
    new = np.ones(n, np.bool_)
    if n == 0:
        return new
    # In order of the key, so that repeated rows stand side by side and neighbours fall on one page.
    order = np.lexsort((time_ms, series_ids))
    s, t = series_ids[order], time_ms[order]
    new[order[1:][(s[1:] == s[:-1]) & (t[1:] == t[:-1])]] = False
    look = np.flatnonzero(new if maybe_known is None else new & maybe_known)
    if len(look):
        known = _known(space_id, series_ids[look], time_ms[look])
        new[look[known]] = False
    order = order[new[order]]
    _insert(space_id, series_ids[order], time_ms[order], values[order])
    return new


def _known(space_id: int, series_ids: Ints, time_ms: Ints) -> Bools:
    pairs = list(zip(series_ids.tolist(), time_ms.tolist(), strict=True))
    found: set[tuple[int, int]] = set()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT r.series_id, r.time_ms FROM monitoring_reading r JOIN unnest(%s::int[], %s::bigint[]) AS w(s, t)"
                " ON r.series_id = w.s AND r.time_ms = w.t WHERE r.space_id = %s",
                [series_ids.tolist(), time_ms.tolist(), space_id],
            )
        else:
            cursor.execute(
                # CROSS: the given pairs first. Else SQLite may walk the whole table and try every pair on every row.
                "SELECT r.series_id, r.time_ms FROM json_each(%s) AS w CROSS JOIN monitoring_reading AS r"
                " WHERE r.space_id = %s AND r.series_id = json_extract(w.value, '$[0]') AND r.time_ms = json_extract(w.value, '$[1]')",
                [json.dumps(pairs), space_id],
            )
        found.update(cursor.fetchall())
    return np.array([pair in found for pair in pairs], np.bool_)


def _insert(space_id: int, series_ids: Ints, time_ms: Ints, values: Floats) -> None:
    if not len(series_ids):
        return
    columns = series_ids.tolist(), time_ms.tolist(), values.tolist()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "INSERT INTO monitoring_reading (space_id, series_id, time_ms, value)"
                " SELECT %s, s, t, v FROM unnest(%s::int[], %s::bigint[], %s::float8[]) AS w(s, t, v)"
                " ON CONFLICT DO NOTHING",
                [space_id, *columns],
            )
        else:
            # Past Django's cursor, which would translate the statement and copy the rows.
            connection.connection.executemany(
                "INSERT OR IGNORE INTO monitoring_reading (space_id, series_id, time_ms, value) VALUES (?, ?, ?, ?)",
                zip(repeat(space_id), *columns, strict=False),
            )


def read(
    space_id: int, series_id: int, start_ms: int = -FOREVER_MS, end_ms: int = FOREVER_MS, *, newest: int | None = None
) -> tuple[Ints, Floats]:
    """Times and values of one series in [start_ms, end_ms), oldest first; with `newest`, only so many of the newest."""
    sql = "SELECT time_ms, value FROM monitoring_reading WHERE space_id = %s AND series_id = %s AND time_ms >= %s AND time_ms < %s"
    params: list[Any] = [space_id, series_id, start_ms, end_ms]
    if newest is not None:
        sql += " ORDER BY time_ms DESC LIMIT %s"
        params.append(newest)
    else:
        sql += " ORDER BY time_ms"
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    table = np.array(rows[::-1] if newest is not None else rows, np.float64).reshape(len(rows), 2)
    # Milliseconds stay below 2**53, so they pass through a float unharmed.
    return table[:, 0].astype(np.int64), table[:, 1]


def latest(space_id: int, series_ids: Iterable[int], upto_ms: int = FOREVER_MS) -> dict[int, tuple[int, float]]:
    """The newest reading at or before `upto_ms` of each series that has one: id -> (time, value). One query."""
    ids = [int(i) for i in series_ids]
    if not ids:
        return {}
    postgresql = connection.vendor == "postgresql"
    given = "unnest(%s::int[]) AS w(value)" if postgresql else "json_each(%s) AS w"  # and from here to the table
    sql = (
        # `given` is one of the two texts above.
        f"SELECT r.series_id, r.time_ms, r.value FROM {given} CROSS JOIN monitoring_reading r"  # noqa: S608
        " WHERE r.space_id = %s AND r.series_id = w.value AND r.time_ms = (SELECT max(m.time_ms) FROM monitoring_reading m"
        " WHERE m.space_id = %s AND m.series_id = w.value AND m.time_ms <= %s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [ids if postgresql else json.dumps(ids), space_id, space_id, upto_ms])
        return {series: (time, value) for series, time, value in cursor.fetchall()}


def delete_space(space_id: int) -> int:
    """Forget every reading of a space (an exercise that was removed)."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM monitoring_reading WHERE space_id = %s", [space_id])
        return int(cursor.rowcount)
