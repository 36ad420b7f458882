#!/usr/bin/env python3
"""SensorThings: observations per second by CreateObservations and one by one, and the newest of all Datastreams in one answer.

    .venv/bin/python benchmarks/sensorthings.py                        on SQLite, in a temporary folder
    HAITANG_DATABASE_URL=postgresql://... benchmarks/sensorthings.py   on PostgreSQL, in a database of its own that is dropped

The product runs as `haitang up` runs it (two web workers, worker); load generators on the same machine. Every Datastream
has a rule with four colours, every tenth a second one over a one-hour window. A figure counts observations answered with
201: durable, and judged or about to be. The expand is timed over five requests after one that is not counted.

Peer: django-ogc-sensorthings 1.2.0 with PostgreSQL and gunicorn, measured for docs/benchmarks.md with the same client steps
(67-130 single POSTs/s, 2,700-8,200 observations/s by CreateObservations); it is not started here.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks import ingest  # noqa: E402

NEWEST = "/sta/v1.1/Things?$top=10000&$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime%20desc))"


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def load(
    port: int, secret: str, numbers: list[int], start: float, rows: int, seconds: float, connections: int
) -> tuple[int, float, float]:
    """Observations acknowledged, seconds taken, slowest answer. One row: a single POST each; more: data arrays."""
    taken, slowest, wrong = [0] * connections, [0.0] * connections, []
    until = time.monotonic() + seconds

    def work(me: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        mine, turn = numbers[me::connections], 0
        while time.monotonic() < until:
            if rows == 1:
                round_, at = divmod(turn, len(mine))
                path = f"/sta/v1.1/Datastreams({mine[at]})/Observations"
                body = json.dumps({"phenomenonTime": iso(start + round_), "result": 1.25}).encode()
            else:
                path, body = "/sta/v1.1/CreateObservations", arrays(mine, start, turn, rows)
            turn += 1
            asked = time.monotonic()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            told = answer.read()
            slowest[me] = max(slowest[me], time.monotonic() - asked)
            if answer.status != 201 or b"error" in told:
                wrong.append((answer.status, told[:300]))
                return
            taken[me] += rows

    began = time.monotonic()
    threads = [threading.Thread(target=work, args=(me,)) for me in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise RuntimeError(f"refused: {wrong[0]}")
    return sum(taken), time.monotonic() - began, max(slowest)


def arrays(mine: list[int], start: float, turn: int, rows: int) -> bytes:
    """So many observations as data arrays, fifty of each Datastream."""
    import orjson

    each = 50
    streams = rows // each
    first = (turn * streams) % len(mine)
    base = start + each * (turn * streams // len(mine))
    times = [iso(base + n) for n in range(each)]
    block = [[at, 1.25] for at in times]
    chosen = [mine[(first + n) % len(mine)] for n in range(streams)]
    return orjson.dumps(
        [
            {"Datastream": {"@iot.id": number}, "components": ["phenomenonTime", "result"], "dataArray": block}
            for number in chosen
        ]
    )


def everyone(port: int, secret: str, numbers: list[int]) -> None:
    """One observation of now for each of these Datastreams."""
    row = [[iso(time.time()), 1.25]]
    names = ["phenomenonTime", "result"]
    body = [{"Datastream": {"@iot.id": number}, "components": names, "dataArray": row} for number in numbers]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    connection.request("POST", "/sta/v1.1/CreateObservations", json.dumps(body).encode(), headers)
    assert connection.getresponse().status == 201


def load_apart(*given: Any) -> tuple[int, float, float]:
    return load(*given)


def newest(port: int, secret: str) -> tuple[list[float], int, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    took, size, number = [], 0, 0
    for _ in range(6):
        asked = time.monotonic()
        connection.request("GET", NEWEST, headers={"Authorization": f"Bearer {secret}"})
        body = connection.getresponse().read()
        took.append(time.monotonic() - asked)
        size, number = len(body), body.count(b'"result":')
    return took[1:], size, number


def measure(given: argparse.Namespace) -> None:
    from django.core.management import call_command
    from django.db import connection

    from haitang.accounts.models import ApiToken, Organisation, User
    from haitang.accounts.roles import Role
    from haitang.accounts.tokens import digest, new_secret
    from haitang.config import processes
    from haitang.config.env import env
    from haitang.geo.models import Level, Place
    from haitang.monitoring.models import Series, Station
    from haitang.spaces.models import Space

    call_command("migrate", interactive=False, verbosity=0)
    ingest.network(given.series)
    Station.objects.update(west=121.4, east=121.4, south=31.6, north=31.6)
    numbers = list(Series.objects.order_by("pk").values_list("pk", flat=True))
    place = Place.objects.create(code="1", name_zh="区", level=Level.DISTRICT)
    body = Organisation.objects.create(code="1", name_zh="局", kind="department", place=place)
    user = User.objects.create(username="bench", name_zh="测试", role=Role.DEPARTMENT, organisation=body)
    secret = new_secret()
    ApiToken.objects.create(
        name="bench", digest=digest(secret), user=user, space=Space.live(), rights=["read", "readings:write"]
    )
    print(f"{connection.display_name}; {os.cpu_count()} CPUs; {len(numbers)} Datastreams; load at start {os.getloadavg()[0]:.2f}", flush=True)  # fmt: skip
    family = [child for child in processes.children() if child.name in {"web", "worker"}]
    for child in family:
        child.start()
    try:
        port = int(env("HAITANG_PORT"))
        ingest._wait_for(port)
        start = time.time() - 86_400 * 3
        load(port, secret, numbers, start, 1000, 2, 6)
        lines = []
        for rows, connections in [(1, given.connections), *[(rows, 4) for rows in given.rows]]:
            start += 20_000
            taken, took, slowest = ingest._apart(
                load_apart, port, secret, numbers, start, rows, given.seconds, connections
            )
            how = "single POST" if rows == 1 else f"CreateObservations, {rows:,} a request"
            lines.append((f"{how}, {connections} connections", taken / took, slowest))
        # Every Datastream has been heard at least once before the newest of all are asked for.
        for at in range(0, len(numbers), 5000):
            everyone(port, secret, numbers[at : at + 5000])
        for how, rate, _slowest in lines:
            print(how, f"{rate:,.0f}/s", flush=True)
        took, size, number = newest(port, secret)
    finally:
        ingest.stop([child.process for child in family if child.process is not None])
    print(f"load at end {os.getloadavg()[0]:.2f}\n")
    print("| how | observations/s | slowest answer |")
    print("|---|---:|---:|")
    for how, rate, slowest in lines:
        print(f"| {how} | {rate:,.0f} | {slowest * 1000:,.0f} ms |")
    print(f"\nThe newest of {number:,} Datastreams in one answer of {size / 1e6:.1f} MB: median {statistics.median(took) * 1000:,.0f} ms, "
          f"fastest {min(took) * 1000:,.0f}, slowest {max(took) * 1000:,.0f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6, help="length of each stage (default 6)")
    parser.add_argument("--series", type=int, default=10_000, help="size of the network (default 10,000)")
    parser.add_argument("--connections", type=int, default=16, help="connections of the single POSTs (default 16)")
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000], help="observations in one request")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="haitang-bench-") as folder, ingest.own_database() as url:
        for name in [name for name in os.environ if name.startswith(("HAITANG_", "DJANGO_"))]:
            del os.environ[name]
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "haitang.config.settings", "HAITANG_DATA": folder, "HAITANG_DATABASE_URL": url,
            "HAITANG_PORT": str(ingest.free_port()), "HAITANG_LIVE_PORT": str(ingest.free_port()),
            "HAITANG_SIM_PORT": str(ingest.free_port()), "HAITANG_MQTT_URL": "", "HAITANG_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        (Path(folder) / "static").mkdir()
        import django

        django.setup()
        try:
            measure(given)
        finally:
            from django.db import connections

            with contextlib.suppress(Exception):
                connections.close_all()


if __name__ == "__main__":
    main()
