#!/usr/bin/env python3
"""Readings per second at the platform's own MQTT endpoint, beside the way through Mosquitto and a bare client's drain.

    .venv/bin/python benchmarks/mqtt.py                       on SQLite, in a temporary folder
    .venv/bin/python benchmarks/mqtt.py --idle 10000          also so many idle connections, and their memory
    HAITANG_DATABASE_URL=postgresql://... benchmarks/mqtt.py  on PostgreSQL, in a database of its own that is dropped

The endpoint runs as `haitang mqtt` runs it, the broker's door as `haitang worker` runs it; every series has a rule with
four colours and hysteresis, every tenth a second one over a window. The load generator is a process of its own that
writes packets made beforehand to raw sockets, so that it takes little of the same two cores. A figure counts readings
whose PUBACK had come, and that were judged, when the clock stopped. Latency is from the write of a packet to its PUBACK
at a given rate, and from the arrival of a reading to the alarm in the store. Prints tables; writes nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks import ingest  # noqa: E402

CALM, HIGH = 1.0, 4.5
WINDOW = 2000
FORMS = ("json", "compact", "binary")


def varying(value: int) -> bytes:
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def connect(port: int, user: str, secret: str, client: str) -> socket.socket:
    """A connection of MQTT 3.1.1 that has been let in."""
    made = socket.create_connection(("127.0.0.1", port), 30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    texts = [text.encode() for text in (client, user, secret)][: 3 if user else 1]
    body = b"\0\x04MQTT\x04" + (b"\xc2" if user else b"\x02") + b"\0\0"
    body += b"".join(len(each).to_bytes(2, "big") + each for each in texts)
    made.sendall(b"\x10" + varying(len(body)) + body)
    answer = made.recv(4)
    if answer != b"\x20\x02\0\0":
        raise SystemExit(f"not let in: {answer!r}")
    return made


def parcels(
    form: str, topic: str, names: list[Any], rows: int, start_ms: int, messages: int, every: int
) -> list[bytes]:
    """Packets made beforehand: so many series at a time, one second later each round."""
    import numpy as np

    from haitang.monitoring import wire

    head = len(topic).to_bytes(2, "big") + topic.encode()
    groups = [names[at : at + rows] for at in range(0, len(names) - rows + 1, rows)]
    arrays = [np.array(group) for group in groups] if form == "binary" else []
    made = []
    for number in range(messages):
        turn, part = divmod(number, len(groups))
        group, at = groups[part], start_ms + 1000 * turn
        value = [CALM] * len(group)
        if every and number % every == 0:
            value[(turn * 7) % len(group)] = HIGH
        if form == "binary":
            body = wire.pack(arrays[part], np.full(len(group), at), np.array(value))
        elif form == "compact":
            body = json.dumps({"s": group, "t": [at] * len(group), "v": value}, separators=(",", ":")).encode()
        else:
            body = json.dumps({"series": group, "time": at // 1000, "value": value}, separators=(",", ":")).encode()
        number_ = (number % 65535 + 1).to_bytes(2, "big")
        made.append(b"\x32" + varying(len(head) + 2 + len(body)) + head + number_ + body)
    return made


def shares(names: list[Any], number: int) -> list[list[Any]]:
    return [names[n::number] for n in range(number)]


def flood(port: int, user: str, secret: str, topic: str, form: str, names: list[Any], rows: int, start_ms: int, messages: int, connections: int) -> float:  # fmt: skip
    """Publish everything as fast as it is acknowledged; the seconds it took, packets being made before."""
    lots = []
    step = max(1, 100 // rows)
    for mine in shares(names, connections):
        made = parcels(form, topic, mine, rows, start_ms, messages // connections, 0)
        lots.append([b"".join(made[at : at + step]) for at in range(0, len(made), step)])
    sockets = [connect(port, user, secret, f"flood-{n}-{os.getpid()}") for n in range(connections)]
    each = messages // connections

    def work(me: int) -> None:
        sent = acknowledged = 0
        line = sockets[me]
        for lot in lots[me]:
            line.sendall(lot)
            sent = min(each, sent + step)
            while sent - acknowledged // 4 > WINDOW - step:
                acknowledged += len(line.recv(65536))
        while acknowledged < 4 * each:
            data = line.recv(65536)
            if not data:
                raise SystemExit("the endpoint ended the connection")
            acknowledged += len(data)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    for line in sockets:
        line.close()
    return took


def paced(port: int, user: str, secret: str, topic: str, form: str, names: list[Any], rows: int, start_ms: int, rate: float, seconds: float) -> list[float]:  # fmt: skip
    """Publish at a steady rate over two connections; the seconds from each write to its PUBACK."""
    delays: list[float] = []
    total = int(rate * seconds / 2)

    def work(me: int, mine: list[Any]) -> None:
        made = parcels(form, topic, mine, rows, start_ms, total, max(1, int(rate / 8)))
        line, sent = connect(port, user, secret, f"paced-{me}"), [0.0] * total
        ready.wait()
        done = threading.Event()

        def listen() -> None:
            seen = rest = 0
            while seen < total:
                data = line.recv(65536)
                moment = time.monotonic()
                rest += len(data)
                while rest >= 4:
                    delays.append(moment - sent[seen])
                    seen, rest = seen + 1, rest - 4
            done.set()

        threading.Thread(target=listen, daemon=True).start()
        began, number = time.monotonic(), 0
        while number < total:
            due = min(total, int((time.monotonic() - began) * rate / 2) + 1)
            if due > number:
                moment = time.monotonic()
                sent[number:due] = [moment] * (due - number)
                line.sendall(b"".join(made[number:due]))
                number = due
            time.sleep(0.001)
        done.wait(60)

    ready = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(n, mine)) for n, mine in enumerate(shares(names, 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(delays)


def idle(port: int, user: str, secret: str, number: int, go: Any) -> None:
    """Keep so many connections open until told."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    lines = [connect(port, user, secret, f"idle-{n}") for n in range(number)]
    go.put(len(lines))
    go.get()
    time.sleep(5)
    for line in lines[::100]:
        line.sendall(b"\xc0\0")
        assert line.recv(2) == b"\xd0\0"
    go.put("alive")


def apart(function: Any, *given: Any) -> Any:
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)


def drain(url: str, messages: int, made: list[bytes]) -> float:
    """Messages per second that a bare client (paho, as our door uses) takes from the broker and acknowledges."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    parts = urlsplit(url)
    seen, all_, subscribed = [0], threading.Event(), threading.Event()

    def arrived(_client: Any, _data: object, _message: object) -> None:
        seen[0] += 1
        if seen[0] == messages:
            all_.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_message = arrived
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
    client.subscribe("bench/drain", 1)
    client.loop_start()
    subscribed.wait(10)
    began = time.monotonic()
    apart(push, parts.port or 1883, made)
    all_.wait(60)
    took = time.monotonic() - began
    client.disconnect()
    client.loop_stop()
    return seen[0] / took


def push(port: int, made: list[bytes]) -> None:
    """Publish packets to the broker."""
    line, acknowledged = connect(port, "", "", f"push-{os.getpid()}"), 0
    for at in range(0, len(made), 50):
        line.sendall(b"".join(made[at : at + 50]))
        while at + 50 - acknowledged // 4 > WINDOW:
            acknowledged += len(line.recv(65536))
    while acknowledged < 4 * len(made):
        acknowledged += len(line.recv(65536))
    line.close()


def judged(space: Any, patience_s: float = 120) -> float:
    from haitang.monitoring import engine

    until = time.monotonic() + patience_s
    while engine.backlog(space)[0]:
        if time.monotonic() > until:
            raise SystemExit("readings were not judged")
        time.sleep(0.01)
    return time.monotonic()


def accepted(space: Any) -> int:
    from django.db.models import Sum

    from haitang.monitoring.models import IngestCount

    rows = IngestCount.objects.filter(space=space, outcome__in=["accepted", "duplicate", "late"])
    return rows.aggregate(n=Sum("count"))["n"] or 0


@contextlib.contextmanager
def running(*commands: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    found = {
        name: subprocess.Popen([sys.executable, "-m", "haitang.config.cli", name], env=os.environ, cwd=ROOT)
        for name in commands
    }
    try:
        yield found
    finally:
        ingest.stop(list(found.values()))


def memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def measure(given: argparse.Namespace, mqtt_url: str, port: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    from haitang.accounts.models import ApiToken, User
    from haitang.accounts.roles import Role
    from haitang.accounts.tokens import digest, new_secret
    from haitang.monitoring.models import Series
    from haitang.spaces.models import Space

    call_command("migrate", interactive=False, verbosity=0)
    codes, space = ingest.network(given.series), Space.live()
    ids = list(Series.objects.order_by("pk").values_list("pk", flat=True))
    machine, secret = User.objects.create(username="bench", name_zh="测试", role=Role.MACHINE), new_secret()
    token = ApiToken.objects.create(name="bench", digest=digest(secret), user=machine, space=space, rights=["readings:write"])  # fmt: skip
    topic = f"haitang/v1/{token.pk}/readings"
    print(f"{connection.display_name}; {os.cpu_count()} CPUs; {given.series} series; "
          f"load at start {os.getloadavg()[0]:.2f}", flush=True)  # fmt: skip
    start = int(time.time() - 6 * 3600) * 1000
    table: list[tuple[str, str, float, float]] = []
    with running("mqtt") as family:
        ingest._wait_for(port)
        who = (port, str(token.pk), secret, topic)
        apart(flood, *who, "compact", ids, 10, start, 1000, 2)  # kernels are compiled, rules loaded
        judged(space)
        start += 1000 * 60
        for rows in () if given.latency_only else (1, 100):
            for form in FORMS:
                names = codes if form == "json" else ids
                messages, rate = max(400, 20_000 // rows), 0.0
                for _lot in range(2):
                    before = accepted(space)
                    took = apart(flood, *who, form, names, rows, start, messages, given.connections)
                    began = time.monotonic()
                    took += judged(space) - began
                    rate = messages / took
                    assert accepted(space) - before == messages * rows, (accepted(space) - before, messages * rows)
                    start += 1000 * (messages * rows // given.series + 10)
                    messages = int(min(rate * given.seconds, 600 * given.series / rows)) // 1000 * 1000 or 1000
                table.append((f"{rows} a message, {form}", "own endpoint", rate, rate * rows))
                print(f"  {table[-1]}", flush=True)
        delays: list[tuple[str, list[float], list[float]]] = []
        for rows, rate in ((1, given.paced), (100, given.paced_readings / 100)):
            since = ingest.newest_alarm()
            got = apart(paced, *who, "compact", ids, rows, start, rate, given.seconds)
            judged(space)
            start += 1000 * 3600
            delays.append((f"{rows * rate:,.0f} readings/s, {rows} a message", got, sorted(alarm_delays(since))))
        if given.idle:
            keep_idle(given.idle, family["mqtt"].pid, *who[:3])
    if mqtt_url:
        through_broker(given, mqtt_url, space, token.pk, codes, start, table)
    print(f"load at end {os.getloadavg()[0]:.2f}\n")
    print("| what | way | messages/s | readings/s |\n|---|---|---:|---:|")
    for what, way, messages_s, readings_s in table:
        print(f"| {what} | {way} | {messages_s:,.0f} | {readings_s:,.0f} |")
    print("\n| at | publish to PUBACK p50 | p99 | arrival to alarm p50 | p99 |\n|---|---:|---:|---:|---:|")
    for what, got, alarms in delays:
        cells = [f"{ingest.quantile(each, q) * 1000:.1f} ms" if each else "" for each in (got, alarms) for q in (0.5, 0.99)]  # fmt: skip
        print(f"| {what} | {' | '.join(cells)} |")


def alarm_delays(since: int) -> list[float]:
    from haitang.monitoring.models import Alarm

    rows = Alarm.objects.filter(pk__gt=since, received_wall__isnull=False)
    return [(each.recorded_wall - each.received_wall).total_seconds() for each in rows]


def keep_idle(number: int, pid: int, *who: Any) -> None:
    context = get_context("spawn")
    go, before = context.Queue(), memory(pid)
    process = context.Process(target=idle, args=(*who, number, go))
    began = time.monotonic()
    process.start()
    there = go.get(timeout=120)
    took, after = time.monotonic() - began, memory(pid)
    go.put("go")
    time.sleep(0.5)
    state = go.get(timeout=60)
    process.join(30)
    print(f"{there:,} idle connections, let in in {took:.1f} s, {state}: {(after - before) / there / 1024:.1f} KiB each "
          f"({before / 2**20:.0f} -> {after / 2**20:.0f} MiB)", flush=True)  # fmt: skip


def through_broker(given: argparse.Namespace, url: str, space: Any, token: int, codes: list[str], start: int, table: list[Any]) -> None:  # fmt: skip
    os.environ["HAITANG_MQTT_URL"] = url
    with running("worker"):
        time.sleep(4)
        for rows in (1, 100):
            messages = 6000 if rows == 1 else 1000
            made = parcels("json", f"haitang/v1/{token}/readings", codes, rows, start, messages, 0)
            start += 1000 * (messages * rows // given.series + 10)
            before, began = accepted(space), time.monotonic()
            apart(push, urlsplit(url).port, made)
            until = time.monotonic() + 120
            while accepted(space) - before < messages * rows and time.monotonic() < until:
                time.sleep(0.02)
            took = judged(space) - began
            table.append((f"{rows} a message, json", "Mosquitto", messages / took, messages * rows / took))
            bare = parcels("json", "bench/drain", codes, rows, start, messages, 0)
            rate = drain(url, messages, bare)
            table.append((f"{rows} a message, json", "Mosquitto, bare client", rate, rate * rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="length of each stage (default 4)")
    parser.add_argument("--series", type=int, default=10_000, help="size of the network (default 10,000)")
    parser.add_argument("--connections", type=int, default=4, help="connections of the load generator (default 4)")
    parser.add_argument("--paced", type=float, default=10_000, help="messages/s of one reading for the latency")
    parser.add_argument("--paced-readings", type=float, default=200_000, help="readings/s, 100 a message, likewise")
    parser.add_argument("--idle", type=int, default=0, help="idle connections to measure the memory of")
    parser.add_argument("--latency-only", action="store_true")
    parser.add_argument("--without-broker", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="haitang-bench-") as folder, ingest.own_database() as database:
        way = contextlib.nullcontext("") if given.without_broker else ingest.broker()
        with way as mqtt_url:
            for name in [name for name in os.environ if name.startswith(("HAITANG_", "DJANGO_"))]:
                del os.environ[name]
            port = ingest.free_port()
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "haitang.config.settings", "HAITANG_DATA": folder,
                "HAITANG_DATABASE_URL": database, "HAITANG_MQTT_LISTEN": f"127.0.0.1:{port}",
                "HAITANG_LOG_LEVEL": "WARNING",
            }  # fmt: skip
            (Path(folder) / "static").mkdir()
            import django

            django.setup()
            try:
                measure(given, mqtt_url, port)
            finally:
                from django.db import connections

                connections.close_all()
                for each in connections.all(initialized_only=True):
                    if hasattr(each, "close_pool"):
                        each.close_pool()


if __name__ == "__main__":
    main()
