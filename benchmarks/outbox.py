#!/usr/bin/env python3
"""Very many messages: into the outbox, and out of it to a simulated gateway that must have each exactly once.

    .venv/bin/python benchmarks/outbox.py [--letters 640000] [--seconds 120]      on SQLite, in a temporary folder
    HAITANG_DATABASE_URL=postgresql://... benchmarks/outbox.py                    on PostgreSQL, in a database of its own

The gateway's simulator runs as a process of its own beside the database, without latency, taking HAITANG_SMS_BATCH letters
in one request and HAITANG_SMS_RATE a second; it posts no receipts here. Loss is what the outbox calls sent and the
simulator does not have; a duplicate is a key that it was handed more than once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(ROOT / "benchmarks")]

SIMULATOR = """
import sys, threading, os
os.environ["DJANGO_SETTINGS_MODULE"] = "haitang.config.settings"
import django; django.setup()
from pathlib import Path
from haitang.delivery import simulators
simulators.serve(threading.Event(), store=Path(sys.argv[1]), temper=simulators.CALM)
"""


def wait_for(port: int) -> None:
    import httpx

    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise SystemExit("the simulator did not start")


def main() -> None:
    from ingest import free_port, own_database

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=640_000)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to drain at most")
    parser.add_argument("--rate", type=int, default=8_000)
    parser.add_argument("--batch", type=int, default=1_000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="haitang-outbox-"))
    port = free_port()
    os.environ |= {
        "HAITANG_DATA": str(folder), "HAITANG_SIM_PORT": str(port), "HAITANG_SMS_BATCH": str(given.batch), "HAITANG_SMS_RATE": str(given.rate),
        "DJANGO_SETTINGS_MODULE": "haitang.config.settings", "HAITANG_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    simulator = None
    try:
        with own_database() as url:
            if url:
                os.environ["HAITANG_DATABASE_URL"] = url
            import django

            django.setup()
            from django.core.management import call_command
            from django.db import connection, transaction

            call_command("migrate", verbosity=0)
            store = folder / "sent.sqlite3"
            simulator = subprocess.Popen([sys.executable, "-c", SIMULATOR, str(store)], env={**os.environ})
            wait_for(port)

            from haitang.accounts.actors import SYSTEM
            from haitang.delivery import gateways, outlet, services
            from haitang.delivery.models import Delivery
            from haitang.delivery.sent_store import Store
            from haitang.spaces.models import Space

            gateways.receipts_url = lambda _channel: ""  # type: ignore[assignment]
            from haitang.delivery import http_gateway

            http_gateway.receipts_url = lambda _channel: ""  # type: ignore[assignment]
            live = Space.live()
            print(f"{connection.vendor}, load {os.getloadavg()[0]:.1f}")
            start = time.perf_counter()
            with transaction.atomic():
                message = services.send_many(
                    space=live, key="bench", channel="sms", to=((f"139{n:08d}", "zh-hans", "") for n in range(given.letters)),
                    title_zh="台风红色预警", title_en="", body_zh="请立即转移到安置点。", about=live, by=SYSTEM, colour="red",
                )  # fmt: skip
            took = time.perf_counter() - start
            print(f"{message.recipients:,} letters in the outbox in {took:.1f} s ({message.recipients / took:,.0f}/s)")
            start = time.perf_counter()
            while (spent := time.perf_counter() - start) < given.seconds:
                if (
                    not services.pump(live, patience_s=0.5)
                    and not Delivery.objects.filter(next_at__isnull=False).exists()
                ):
                    break
            outlet.OUTLET.rest()
            took, sent = time.perf_counter() - start, Delivery.objects.filter(state="sent").count()
            taken, copies = Store(store).counted("sms")
            print(
                f"{sent:,} handed over in {took:.1f} s ({sent / took:,.0f}/s; the gateway takes {given.rate:,}/s at most)"
            )
            print(
                f"lost {max(0, sent - taken)}, duplicates {copies - taken}, still waiting {given.letters - sent:,} ({spent:.0f} s)"
            )
            connection.close()
    finally:
        if simulator is not None:
            simulator.terminate()
            simulator.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
