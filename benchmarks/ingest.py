#!/usr/bin/env python3
"""Readings per second through the HTTP and MQTT doors to stored and evaluated, and how long an alarm takes.

    .venv/bin/python benchmarks/ingest.py                      on SQLite, in a temporary folder
    HAITANG_DATABASE_URL=postgresql://... benchmarks/ingest.py on PostgreSQL, in a database of its own that is dropped

The product runs as `haitang up` runs it (web workers, worker, live streams; Mosquitto if it is installed); load
generators run on the same machine. Every series has a rule with four colours and hysteresis, every tenth a second one
over a one-hour window. A figure counts only readings that were acknowledged, stored and judged when the clock stopped.
The raw rate is that of plain rows: the same readings, keyed by series and time, the same commits, by the fastest plain call
(executemany on SQLite, COPY on PostgreSQL). Prints a table; writes nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CALM, HIGH = 1.0, 4.5  # below and above the blue threshold


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def own_database() -> Iterator[str]:
    """The address of a fresh database on the given PostgreSQL server, or nothing for SQLite."""
    url = os.environ.get("HAITANG_DATABASE_URL", "")
    if not url:
        yield ""
        return
    import psycopg

    name = f"haitang_bench_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """The given broker, else a Mosquitto started here, else nothing."""
    given = os.environ.get("HAITANG_MQTT_URL", "")
    if given or not shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        yield given
        return
    from tests import services

    with services.mosquitto() as url:
        yield url


def network(size: int) -> list[str]:
    """Make stations, series and rules; returns the series' codes."""
    from haitang.monitoring import edition
    from haitang.monitoring.models import Rule, Series, Station

    stations = Station.objects.bulk_create(
        Station(code=f"B{n:05d}", name_zh=f"测站{n}", kind="tide") for n in range(size)
    )
    series = Series.objects.bulk_create(
        Series(code=f"B{n:05d}.level", station=station, quantity="tide_level", unit="m")
        for n, station in enumerate(stations)
    )
    levels = {"blue": 4.0, "yellow": 5.0, "orange": 6.0, "red": 7.0}
    Rule.objects.bulk_create(Rule(code=f"{each.code}.r", series=each, hysteresis=0.1, **levels) for each in series)
    Rule.objects.bulk_create(
        Rule(
            code=f"{each.code}.w", series=each, aggregate="max", window_s=3600, **{k: v + 3 for k, v in levels.items()}
        )
        for each in series[::10]
    )
    edition.bump()
    return [each.code for each in series]


class Sea:
    """Batches of readings: so many series at a time, one second later each round; now and then one rises and falls."""

    def __init__(self, codes: list[str], start_s: float, rows: int, every: int) -> None:
        import orjson

        self._dumps, self._codes, self._rows = orjson.dumps, codes, rows
        self._parts = [codes[at : at + rows] for at in range(0, len(codes), rows)]
        self._start, self._every, self._number = start_s, every, 0

    def shared(self, number: int) -> list[Sea]:
        """The same sea shared out among so many gateways."""
        return [Sea(self._codes[n::number], self._start, self._rows, self._every) for n in range(number)]

    def body(self) -> tuple[bytes, int]:
        number, self._number = self._number, self._number + 1
        turn, part = divmod(number, len(self._parts))
        codes = self._parts[part]
        values = [CALM] * len(codes)
        if self._every and number % self._every == 0:
            values[(turn * 7) % len(codes)] = HIGH
        return self._dumps({"series": codes, "time": self._start + turn, "value": values}), len(codes)


def http_load(
    port: int, secret: str, sea: Sea, seconds: float, connections: int, pause_s: float = 0.0
) -> tuple[int, float, float]:
    """Readings acknowledged, seconds taken, the slowest answer, over so many connections that are kept open; each has its own series."""
    taken, slowest, wrong = [0] * connections, [0.0] * connections, []
    seas = sea.shared(connections)
    until = time.monotonic() + seconds

    def work(me: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        while time.monotonic() < until:
            body, _rows = seas[me].body()
            asked = time.monotonic()
            connection.request("POST", "/api/v1/monitoring/readings", body, headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            slowest[me] = max(slowest[me], time.monotonic() - asked)
            if answer.status != 200 or told["refused"]:
                wrong.append(told)
                return
            taken[me] += told["accepted"]
            if pause_s:
                time.sleep(pause_s)

    began = time.monotonic()
    threads = [threading.Thread(target=work, args=(me,)) for me in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(f"the door refused: {wrong[0]}")
    return sum(taken), time.monotonic() - began, max(slowest)


def mqtt_load(url: str, token: int, sea: Sea, messages: int) -> int:
    """Publish so many messages at QoS 1 as fast as the broker takes them; returns readings published."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    parts = urlsplit(url)
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(200)
    if parts.username:
        client.username_pw_set(parts.username, parts.password)
    client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
    client.loop_start()
    sent = 0
    waiting: list[Any] = []
    for _ in range(messages):
        body, rows = sea.body()
        waiting.append(client.publish(f"haitang/v1/{token}/readings", body, qos=1))
        sent += rows
        if len(waiting) >= 400:  # no further ahead of the broker than this
            waiting[0].wait_for_publish(30)
            waiting = [each for each in waiting if not each.is_published()]
    for each in waiting:
        each.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
    return sent


def _apart(function: Any, *given: Any) -> Any:
    """Run a load generator in a process of its own, so that it does not share our interpreter."""
    context = get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(function, given)


def http_apart(port: int, secret: str, codes: list[str], start_s: float, rows: int, every: int, seconds: float, connections: int) -> tuple[int, float, float]:  # fmt: skip
    return http_load(port, secret, Sea(codes, start_s, rows, every), seconds, connections)


def mqtt_rate(space: Any, url: str, token: int, codes: list[str], start_s: float, rows: int, seconds: float) -> float:
    """Readings per second through the broker: a first small lot says how many make a stage of about the given length."""
    rate = 0.0
    for number in (0, 1):
        messages = max(200, round(rate / rows * seconds)) if number else 400
        before, began = stored(), time.monotonic()
        sent = mqtt_load(url, token, Sea(codes, start_s + 300 * number, rows, 5000 // rows), messages)
        rate = sent / (wait_until_judged(space, before + sent, 120, 0.01) - began)
    return rate


def raw_rate(rows_a_commit: int, seconds: float) -> float:
    """Rows per second into a table like monitoring's, by the store's fastest plain call."""
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_raw")
        cursor.execute(
            "CREATE TABLE bench_raw (space_id integer NOT NULL, series_id integer NOT NULL, time_ms bigint NOT NULL,"
            " value double precision NOT NULL, PRIMARY KEY (space_id, series_id, time_ms))"
        )
    done, turn, began = 0, 0, time.monotonic()
    while time.monotonic() - began < seconds:
        start = (turn * rows_a_commit) % 5000
        rows = [(1, start + n, turn * 1000, 1.0) for n in range(rows_a_commit)]
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy("COPY bench_raw FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                connection.connection.executemany("INSERT INTO bench_raw VALUES (?, ?, ?, ?)", rows)
        done, turn = done + rows_a_commit, turn + 1
    took = time.monotonic() - began
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_raw")
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or the doors would do it, on their time
    return done / took


class Ear:
    """Listens to the live stream as a browser does, and notes when each alarm was heard."""

    def __init__(self, port: int, user: int, space: int) -> None:
        from haitang.journal.address import make_address

        self.heard: dict[int, float] = {}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.request("GET", f"/stream?address={make_address(user, space)}")
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.status
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while line := self._answer.readline():
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    if event["verb"] == "monitoring.raise":
                        self.heard[int(event["thread"].split(":")[1])] = time.time()


def stored() -> int:
    from haitang.monitoring import store

    return store.count_all()


def wait_until_judged(space: Any, rows: int, patience_s: float, pause_s: float = 0.1) -> float:
    """Wait until so many readings are stored and none waits; returns the moment."""
    from haitang.monitoring import engine

    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if engine.backlog(space)[0] == 0 and stored() >= rows:
            return time.monotonic()
        time.sleep(pause_s)
    raise SystemExit(f"after {patience_s:.0f} s {stored()} of {rows} readings are stored")


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def latencies(since_id: int, ear: Ear) -> tuple[list[float], list[float]]:
    """Seconds from the reading at the door to the alarm in the store, and to the browser's stream."""
    from haitang.monitoring.models import Alarm

    to_store, to_stream = [], []
    for alarm in Alarm.objects.filter(pk__gt=since_id).only("received_wall", "recorded_wall"):
        if alarm.received_wall is not None:
            to_store.append((alarm.recorded_wall - alarm.received_wall).total_seconds())
            if alarm.pk in ear.heard:
                to_stream.append(ear.heard[alarm.pk] - alarm.received_wall.timestamp())
    return to_store, to_stream


def newest_alarm() -> int:
    from haitang.monitoring.models import Alarm

    return Alarm.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def measure(given: argparse.Namespace, mqtt_url: str) -> None:
    from django.core.management import call_command
    from django.db import connection

    from haitang.accounts.models import ApiToken, Organisation, User
    from haitang.accounts.roles import Role
    from haitang.accounts.tokens import digest, new_secret
    from haitang.config import processes
    from haitang.config.env import env
    from haitang.geo.models import Level, Place
    from haitang.spaces.models import Space

    call_command("migrate", interactive=False, verbosity=0)
    codes, space = network(given.series), Space.live()
    machine = User.objects.create(username="bench", name_zh="测试", role=Role.MACHINE)
    place = Place.objects.create(code="1", name_zh="区", level=Level.DISTRICT)
    body = Organisation.objects.create(code="1", name_zh="局", kind="department", place=place)
    watcher = User.objects.create(username="watch", name_zh="值班", role=Role.DUTY_OFFICER, organisation=body)
    secret = new_secret()
    token = ApiToken.objects.create(
        name="bench", digest=digest(secret), user=machine, space=space, rights=["readings:write"]
    )
    version = connection.Database.sqlite_version if connection.vendor == "sqlite" else str(connection.pg_version)
    print(f"{connection.display_name} {version}; {os.cpu_count()} CPUs; {given.series} series, "
          f"{len(codes) + len(codes[::10])} rules; load at start {os.getloadavg()[0]:.2f}", flush=True)  # fmt: skip
    raw = {rows: raw_rate(rows, given.seconds / 3) for rows in given.rows}

    family = [child for child in processes.children() if child.name in {"web", "live", "worker"}]
    for child in family:
        child.start()
    try:
        port = int(env("HAITANG_PORT"))
        _wait_for(port)
        _wait_for(int(env("HAITANG_LIVE_PORT")))
        warm = Sea(codes, time.time() - 7200, 1000, 0)
        http_load(port, secret, warm, 3, 12)  # every worker has answered once: its first answer loads the code
        lines: list[tuple[str, str, float, str, str]] = []
        start = time.time() - 5400
        for rows in given.rows:
            before = stored()
            taken, took, slowest = _apart(
                http_apart, port, secret, codes, start, rows, 50, given.seconds, given.connections
            )
            wait_until_judged(space, before + taken, 20)
            how = f"{rows} a body, {given.connections} connections"
            lines.append(("HTTP", how, taken / took, _share(taken / took, raw[rows]), f"{slowest * 1000:,.0f} ms"))
            start += 600
        if mqtt_url:
            for rows in (1, 10, 100):
                rate = mqtt_rate(space, mqtt_url, token.pk, codes, start, rows, given.seconds)
                lines.append(("MQTT", f"{rows} a message, QoS 1", rate, "", ""))
                start += 600
        ear, since = Ear(int(env("HAITANG_LIVE_PORT")), watcher.pk, space.pk), newest_alarm()
        calm = Sea(codes, start, 100, 2)
        taken, took, _slowest = http_load(port, secret, calm, given.seconds * 2, 2, pause_s=0.05)
        time.sleep(1.0)
        to_store, to_stream = latencies(since, ear)
    finally:
        stop([child.process for child in family if child.process is not None])
    print(f"load at end {os.getloadavg()[0]:.2f}\n")
    print("| door | how | readings/s stored and judged | of the store's own rate | slowest answer |")
    print("|---|---|---:|---:|---:|")
    for door, how, rate, share, slowest in lines:
        print(f"| {door} | {how} | {rate:,.0f} | {share} | {slowest} |")
    for rows, rate in raw.items():
        print(f"| store alone | {rows} a commit | {rate:,.0f} | | |")
    print(f"\nAlarms at {taken / took:,.0f} readings/s, from the reading's arrival at the door:")
    for name, values in (("in the store", to_store), ("on the live stream", to_stream)):
        if values:
            print(f"  {name}: p50 {statistics.median(values) * 1000:.0f} ms, p99 {quantile(values, 0.99) * 1000:.0f} ms "
                  f"({len(values)} alarms)")  # fmt: skip


def stop(processes: list[Any]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:  # the live process waits for those who listen
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _share(rate: float, raw: float) -> str:
    return f"{100 * rate / raw:.0f} %"


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6, help="length of each stage (default 6)")
    parser.add_argument("--series", type=int, default=5000, help="size of the network (default 5000)")
    parser.add_argument("--connections", type=int, default=4, help="HTTP connections (default 4)")
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 500, 1250], help="readings in one HTTP body")
    parser.add_argument("--without-mqtt", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="haitang-bench-") as folder, own_database() as url:
        broker_ = contextlib.nullcontext("") if given.without_mqtt else broker()
        with broker_ as mqtt_url:
            for name in [name for name in os.environ if name.startswith(("HAITANG_", "DJANGO_"))]:
                del os.environ[name]
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "haitang.config.settings", "HAITANG_DATA": folder, "HAITANG_DATABASE_URL": url,
                "HAITANG_PORT": str(free_port()), "HAITANG_LIVE_PORT": str(free_port()),
                "HAITANG_SIM_PORT": str(free_port()), "HAITANG_MQTT_URL": mqtt_url, "HAITANG_LOG_LEVEL": "WARNING",
            }  # fmt: skip
            (Path(folder) / "static").mkdir()
            import django

            django.setup()
            try:
                measure(given, mqtt_url)
            finally:
                from django.db import connections

                connections.close_all()
                for each in connections.all(initialized_only=True):
                    if hasattr(each, "close_pool"):
                        each.close_pool()


if __name__ == "__main__":
    main()
