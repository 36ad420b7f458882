"""P4, issue 3 (store): sealed readings go to a store for years, each of them, also over failures and putting together."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from django.db import connection

from haitang.monitoring import long_store, sealing, store
from haitang.monitoring.models import Chunk, LongCopy
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db
DAY = store.DAY_MS


class Victoria(BaseHTTPRequestHandler):
    """Takes imports as VictoriaMetrics does; now and then it is away."""

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/api/v1/import"
        if self.server.away:
            self.send_response(503)
        else:
            self.send_response(204)
            for line in body.splitlines():
                told = json.loads(line)
                for t, v in zip(told["timestamps"], told["values"], strict=True):
                    self.server.kept[told["metric"]["series"], t] = v
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def victoria(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Victoria)
    server.kept, server.away = {}, False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()


def put(space, series, day: int, n: int = 3) -> None:
    time = day * DAY + 1000 * np.arange(n)
    store.append(space.pk, np.full(n, series.pk), time, time % 97 / 4)
    sealing.seal(space.pk, at_once=True)


def test_every_sealed_reading_of_the_live_world_is_copied_once_it_is_there(victoria, monkeypatch):
    live, exercise, series = Space.live(), make.exercise(), make.series()
    for day in range(4):  # before there was a long store
        put(live, series, day)
    sealing.put_together(live.pk)
    put(exercise, series, 0)
    monkeypatch.setenv("HAITANG_LONG_STORE", victoria.url)
    victoria.away = True
    monkeypatch.setattr(sealing, "FRESH", 2)
    for day in (4, 5, 5, 5):
        put(live, series, day, n=4)
        sealing.attend()
    waiting = Chunk.objects.filter(space=live, level=Chunk.Level.FRESH).count()
    assert waiting >= 2, "what is not copied stays as it is"
    victoria.away = False
    for day in (6, 7, 7):
        put(live, series, day)
        sealing.attend()
    time, value = store.read(live.pk, series.pk)
    assert victoria.kept == {(series.code, t): v for t, v in zip(time.tolist(), value.tolist(), strict=True)}
    assert Chunk.objects.filter(space=live, level=Chunk.Level.FRESH).count() < waiting
    assert long_store.attend() == 0


def test_without_the_setting_nothing_is_held_back():
    live, series = Space.live(), make.series()
    put(live, series, 0)
    assert long_store.attend() == 0 and not LongCopy.objects.exists()
    assert long_store.held(live.pk) is None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="copies into the tests' own PostgreSQL")
def test_a_table_in_postgresql_holds_the_same(monkeypatch):
    import psycopg

    given = connection.get_connection_params()
    url = f"postgresql://{given['user']}:{given.get('password') or ''}@{given['host']}:{given.get('port') or 5432}/{given['dbname']}"
    live, series = Space.live(), make.series()
    put(live, series, 20_000)
    try:
        rows = long_store.copy(live, url)
        LongCopy.objects.update(upto=0)  # as after a failure: told again
        assert (rows, long_store.copy(live, url)) == (3, 3)
        with psycopg.connect(url) as other:
            found = other.execute(
                "SELECT series, extract(epoch FROM time) * 1000, value FROM haitang_reading"
            ).fetchall()
        time, value = store.read(live.pk, series.pk)
        assert sorted((s, int(t), v) for s, t, v in found) == [
            (series.code, t, v) for t, v in zip(time.tolist(), value.tolist(), strict=True)
        ]
    finally:
        with psycopg.connect(url) as other:
            other.execute("DROP TABLE IF EXISTS haitang_reading")
