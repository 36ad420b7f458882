#!/usr/bin/env python3
"""The store of readings alone: bytes a reading, append rate, latest of 100,000 series, a year of one series.

    .venv/bin/python benchmarks/store.py                        on SQLite, in a temporary folder
    HAITANG_DATABASE_URL=postgresql://... benchmarks/store.py   on PostgreSQL, in a database of its own that is dropped

Series tick together once a minute; values walk at random by some hundredths and have two decimals. Our store takes them
in steps of 10,000 readings, each durable when its commit returns, then seals them and puts days together as the worker
does. Peers with the same readings in the same run: rows keyed by series and time in the same database (what this
platform had before), and VictoriaMetrics if it is installed (Debian: apt-get install victoria-metrics); its bytes are
those of its data folder, which leave out nothing but what it still holds in memory after a flush. Prints a table.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
STEP = 10_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
YEAR_SERIES = 10_000_000  # far from the others
WIDE_SERIES = 20_000_000
LATEST = 100_000


def took(what: Callable[[], Any], times: int = 1) -> float:
    """The median of so many runs, in seconds."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        spent.append(time.perf_counter() - began)
    return sorted(spent)[len(spent) // 2]


class Walk:
    """The readings: value of every series at minute n."""

    def __init__(self, series: int, minutes: int, start_ms: int, seed: int = 1) -> None:
        import numpy as np

        rng = np.random.default_rng(seed)
        walk = 3 + np.cumsum(rng.normal(0, 0.02, (minutes, series)), axis=0)
        self.values = np.round(walk, 2)
        self.ids = np.arange(1, series + 1)
        self.start_ms, self.minutes = start_ms, minutes

    def steps(self) -> Iterator[tuple[Any, Any, Any]]:
        """Series, times and values, about STEP rows at a time, in the order in which they would arrive."""
        import numpy as np

        several = max(1, STEP // len(self.ids))
        for at in range(0, self.minutes, several):
            values = self.values[at : at + several]
            times = self.start_ms + MINUTE_MS * np.arange(at, at + len(values))
            yield np.tile(self.ids, len(values)), np.repeat(times, len(self.ids)), values.ravel()


def size() -> int:
    """Bytes of the tables of readings, indexes and all (of the whole file, where it is SQLite's)."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM FULL monitoring_chunk")
            cursor.execute("VACUUM FULL monitoring_tail")  # its pages are used again by the next tail
            cursor.execute(
                "SELECT sum(pg_total_relation_size(c::regclass)) FROM unnest(ARRAY['monitoring_tail', 'monitoring_chunk',"
                " 'monitoring_sealednewest']) AS t(c)"
            )
            return int(cursor.fetchone()[0])
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA page_count")
        return int(cursor.fetchone()[0]) * 4096


def forget() -> None:
    from haitang.monitoring import tail

    tail._shared.clear()


def ours(space: int, walk: Walk) -> Iterator[tuple[str, str]]:
    import numpy as np
    from django.db import transaction

    from haitang.monitoring import sealing, store
    from haitang.monitoring.models import Chunk

    before, total, began = size(), 0, time.perf_counter()
    for series, times, values in walk.steps():
        with transaction.atomic():
            store.append(space, series, times, values, np.zeros(len(series), np.bool_))
        total += len(series)
    appended = time.perf_counter() - began
    yield "append, readings/s", f"{total / appended:,.0f}"
    again = next(walk.steps())
    with transaction.atomic():
        first = took(lambda: store.append(space, *again))
        yield f"{len(again[0]):,} delivered again: found known in", f"{first * 1000:,.0f} ms"

    def seal() -> None:
        while sealing.seal(space, at_once=True):
            pass
        sealing.put_together(space)

    yield "sealed, readings/s", f"{total / took(seal):,.0f}"
    # As a day that is over: the worker does this when readings of the next are there.
    last = int(walk.ids[-1]) // store.BLOCK * store.BLOCK
    store.append(space, np.array([last]), np.array([walk.start_ms + 40 * DAY_MS]), np.array([1.0]))
    seal()
    yield "bytes a reading, all in", f"{(size() - before) / total:.2f}"
    packed = sum(len(payload) for payload in Chunk.objects.values_list("payload", flat=True))
    yield "bytes a reading, columns alone", f"{packed / total:.2f}"
    a = int(walk.ids[len(walk.ids) // 2])
    day = walk.start_ms, walk.start_ms + DAY_MS
    yield "a day of one series", f"{took(lambda: store.read(space, a, *day), 9) * 1000:.1f} ms"


def year(space: int, days: int) -> None:
    """Sixteen series, once a minute, straight into chunks of a day: the log would take too long here."""
    import numpy as np

    from haitang.monitoring import sealing
    from haitang.monitoring.models import Chunk

    rng = np.random.default_rng(2)
    ids, at = np.repeat(np.arange(16) + YEAR_SERIES, 1440), np.zeros(16)
    start = 1_704_067_200_000 // DAY_MS
    chunks = []
    for day in range(start, start + days):
        walk = at[:, None] + np.cumsum(rng.normal(0, 0.02, (16, 1440)), axis=1)
        at = walk[:, -1]
        times = np.tile(day * DAY_MS + MINUTE_MS * np.arange(1440), 16)
        rows = ids, times, np.round(walk, 2).ravel()
        chunks += sealing._made(space, YEAR_SERIES // 16, Chunk.Level.FULL_DAY, day, rows)
    sealing._insert(chunks)


def pages(space: int, days: int) -> Iterator[tuple[str, str]]:
    from haitang.monitoring import charts, store
    from haitang.monitoring.models import Series, Station
    from haitang.spaces.models import Space

    start = 1_704_067_200_000
    end = start + days * DAY_MS
    year(space, days)
    points = len(store.read(space, YEAR_SERIES + 5)[0])
    label = f"{days} days of one series"
    yield (
        f"{label}, all {points:,} readings",
        f"{took(lambda: store.read(space, YEAR_SERIES + 5, start, end), 5) * 1000:,.0f} ms",
    )
    summary = took(lambda: store.summary(space, YEAR_SERIES + 5, start, end, 1000), 5)
    yield f"{label}, 1,000 stretches", f"{summary * 1000:,.0f} ms"
    weekly = took(lambda: store.summary(space, YEAR_SERIES + 5, start, end, days // 7), 5)
    yield f"{label}, by the week", f"{weekly * 1000:,.0f} ms"
    station = Station.objects.create(code="Y", name_zh="年", kind="tide")
    series = Series.objects.create(pk=YEAR_SERIES + 5, code="Y.level", station=station, quantity="tide_level", unit="m")
    from datetime import UTC, datetime

    a, b = (datetime.fromtimestamp(moment / 1000, UTC) for moment in (start, end))
    world = Space.objects.get(pk=space)
    drawn = took(lambda: json.dumps(charts.of_series(world, series, a, b)), 5)
    yield f"{label}, drawn (the chart's description)", f"{drawn * 1000:,.0f} ms"


def latest(space: int) -> Iterator[tuple[str, str]]:
    import numpy as np

    from haitang.monitoring import sealing, store

    ids = np.arange(LATEST) + WIDE_SERIES
    for minute in range(3):
        for at in range(0, LATEST, 20_000):
            part = ids[at : at + 20_000]
            store.append(
                space, part, np.full(len(part), minute * MINUTE_MS), part % 97 / 10, np.zeros(len(part), np.bool_)
            )
        if minute == 1:
            sealing.seal(space, at_once=True)

    def cold() -> None:
        forget()
        store.latest_columns(space, ids)

    name = f"latest of {LATEST:,} series"
    yield f"{name}, columns", f"{took(lambda: store.latest_columns(space, ids), 9) * 1000:.1f} ms"
    yield f"{name}, as a dictionary", f"{took(lambda: store.latest(space, ids), 9) * 1000:.1f} ms"
    yield f"{name}, columns, process just started", f"{took(cold, 5) * 1000:.1f} ms"


def rows(walk: Walk, days: int) -> Iterator[tuple[str, str]]:
    """The same readings, a row each."""
    from django.db import connection, transaction

    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bench_rows (space_id integer NOT NULL, series_id integer NOT NULL, time_ms bigint NOT NULL,"
            " value double precision NOT NULL, PRIMARY KEY (space_id, series_id, time_ms))"
        )
    before, total, began = size(), 0, time.perf_counter()

    def put(series: Any, times: Any, values: Any) -> None:
        packed = zip([1] * len(series), series.tolist(), times.tolist(), values.tolist(), strict=True)
        with transaction.atomic(), connection.cursor() as cursor:
            if postgresql:
                with cursor.copy("COPY bench_rows FROM STDIN") as copy:
                    for row in packed:
                        copy.write_row(row)
            else:
                connection.connection.executemany("INSERT INTO bench_rows VALUES (?, ?, ?, ?)", packed)

    for columns in walk.steps():
        put(*columns)
        total += len(columns[0])
    yield "append, readings/s", f"{total / (time.perf_counter() - began):,.0f}"
    with connection.cursor() as cursor:
        if postgresql:
            cursor.execute("SELECT pg_total_relation_size('bench_rows')")
            grown = int(cursor.fetchone()[0])
        else:
            grown = size() - before
    yield "bytes a reading, all in", f"{grown / total:.1f}"
    import numpy as np

    ids = np.arange(LATEST) + WIDE_SERIES
    for minute in range(3):
        put(ids, np.full(len(ids), minute * MINUTE_MS), ids % 97 / 10)
    given = "unnest(%s::int[]) AS w(value)" if postgresql else "json_each(%s) AS w"
    sql = (
        f"SELECT r.series_id, r.time_ms, r.value FROM {given} CROSS JOIN bench_rows r WHERE r.space_id = 1"
        " AND r.series_id = w.value AND r.time_ms = (SELECT max(m.time_ms) FROM bench_rows m WHERE m.space_id = 1"
        " AND m.series_id = w.value)"
    )
    wanted = ids.tolist() if postgresql else json.dumps(ids.tolist())

    def fetched(sql: str, params: list[Any]) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall()

    yield f"latest of {LATEST:,} series", f"{took(lambda: fetched(sql, [wanted])) * 1000:,.0f} ms"
    n = days * 1440
    put(np.full(n, YEAR_SERIES), MINUTE_MS * np.arange(n), np.round(np.arange(n) * 0.01, 2))
    read = "SELECT time_ms, value FROM bench_rows WHERE space_id = 1 AND series_id = %s ORDER BY time_ms"
    year = took(lambda: np.array(fetched(read, [YEAR_SERIES])), 3)
    yield f"{days} days of one series, all {n:,} readings", f"{year * 1000:,.0f} ms"


def victoria(walk: Walk) -> Iterator[tuple[str, str]]:
    """VictoriaMetrics with the same readings, by its own import."""
    with tempfile.TemporaryDirectory(prefix="haitang-victoria-") as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            ["victoria-metrics", f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}",
             "-retentionPeriod=100y", "-loggerLevel=ERROR"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield from _victoria(walk, port, Path(folder))
        finally:
            process.terminate()
            process.wait(20)


def _victoria(walk: Walk, port: int, folder: Path) -> Iterator[tuple[str, str]]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        time.sleep(0.1)

    def ask(method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, path, body)
        answer = connection.getresponse()
        read = answer.read()
        assert answer.status < 300, (path, answer.status, read[:300])
        return read

    def bodies() -> Iterator[tuple[bytes, int]]:
        for series, times, values in walk.steps():
            lines = [
                f"l,s={s} v={v} {t * 1_000_000}"
                for s, t, v in zip(series.tolist(), times.tolist(), values.tolist(), strict=True)
            ]
            yield "\n".join(lines).encode(), len(lines)

    total, spent = 0, 0.0
    for body, n in bodies():
        spent += took(lambda body=body: ask("POST", "/write", body))
        total += n
    yield "append, readings/s (not synced to disk at the answer)", f"{total / spent:,.0f}"
    ask("GET", "/internal/force_flush")
    ask("GET", "/internal/force_merge")
    time.sleep(3)
    data = sum(each.stat().st_size for each in (folder / "data").rglob("*") if each.is_file())
    index = sum(each.stat().st_size for each in (folder / "indexdb").rglob("*") if each.is_file())
    yield "bytes a reading, data folder", f"{data / total:.2f}"
    yield "bytes a reading, with its index", f"{(data + index) / total:.2f}"
    a, end = int(walk.ids[len(walk.ids) // 2]), walk.start_ms // 1000 + walk.minutes * 60
    match = urllib.parse.quote(f'l_v{{s="{a}"}}')
    span = f"start={walk.start_ms // 1000}&end={end}"
    yield (
        "a day of one series",
        f"{took(lambda: ask('GET', f'/api/v1/export?match[]={match}&{span}'), 9) * 1000:.1f} ms",
    )
    query = f"/api/v1/query?query=l_v&time={end}&step=1m"
    count = len(json.loads(ask("GET", query))["data"]["result"])
    yield f"latest of {count:,} series", f"{took(lambda: ask('GET', query), 5) * 1000:.1f} ms"


def measure(given: argparse.Namespace) -> None:
    from django.core.management import call_command
    from django.db import connection

    from haitang.spaces.models import Space

    call_command("migrate", interactive=False, verbosity=0)
    space = Space.live().pk
    walk = Walk(given.series, given.minutes, 1_726_358_400_000 // DAY_MS * DAY_MS)
    version = connection.Database.sqlite_version if connection.vendor == "sqlite" else str(connection.pg_version)
    print(f"{connection.display_name} {version}; {os.cpu_count()} CPUs; {given.series:,} series x {given.minutes} minutes"
          f" = {given.series * given.minutes:,} readings; load at start {os.getloadavg()[0]:.2f}\n", flush=True)  # fmt: skip
    print("| store | what | |\n|---|---|---:|")

    def show(name: str, lines: Iterator[tuple[str, str]]) -> None:
        for what, figure in lines:
            print(f"| {name} | {what} | {figure} |", flush=True)

    show("Haitang", ours(space, walk))
    show("Haitang", latest(space))
    show("Haitang", pages(space, given.days))
    if not given.without_rows:
        show("a row each", rows(walk, given.days))
    if shutil.which("victoria-metrics"):
        show("VictoriaMetrics", victoria(walk))
    else:
        print("VictoriaMetrics is not installed (apt-get install victoria-metrics): not measured")
    print(f"\nload at end {os.getloadavg()[0]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1000, help="series that tick together (default 1000)")
    parser.add_argument("--minutes", type=int, default=1440, help="how long (default a day)")
    parser.add_argument("--days", type=int, default=365, help="length of the long series (default a year)")
    parser.add_argument("--without-rows", action="store_true", help="leave out the peer with a row each")
    given = parser.parse_args()
    from benchmarks.ingest import own_database

    with tempfile.TemporaryDirectory(prefix="haitang-bench-") as folder, own_database() as url:
        for name in [name for name in os.environ if name.startswith(("HAITANG_", "DJANGO_"))]:
            del os.environ[name]
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "haitang.config.settings", "HAITANG_DATA": folder, "HAITANG_DATABASE_URL": url,
            "HAITANG_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        import django

        django.setup()
        measure(given)
        from django.db import connections

        connections.close_all()


if __name__ == "__main__":
    main()
