"""P4: rows of the first store become chunks of the second, all of them, also where a space is gone."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from haitang.monitoring import store
from haitang.monitoring.models import Chunk
from haitang.monitoring.tests import factories as make


@pytest.mark.django_db
def test_rows_become_chunks(monkeypatch):
    migration = import_module("haitang.monitoring.migrations.0005_move_readings")
    monkeypatch.setattr(migration, "LONGEST", 50)
    first, second = make.exercise(), make.exercise()
    day = store.DAY_MS
    rows = [
        (first.pk, s, 1_726_358_400_000 + d * day + n * 1000, n / 4)
        for s in (1, 15, 16)
        for d in (0, 1, 40)
        for n in range(40)
    ]
    rows += [(second.pk, 1, 5, 2.5), (second.pk + 999, 1, 5, 2.5)]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE monitoring_reading (space_id integer NOT NULL, series_id integer NOT NULL, time_ms bigint NOT NULL,"
            " value double precision NOT NULL, PRIMARY KEY (space_id, series_id, time_ms))"
        )
        cursor.executemany("INSERT INTO monitoring_reading VALUES (%s, %s, %s, %s)", rows)
    migration.move(apps, SimpleNamespace(connection=connection))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE monitoring_reading")
    for s in (1, 15, 16):
        mine = sorted((t, v) for space, each, t, v in rows if (space, each) == (first.pk, s))
        time, value = store.read(first.pk, s)
        assert list(zip(time.tolist(), value.tolist(), strict=True)) == mine
        assert store.latest(first.pk, [s]) == {s: mine[-1]}
    assert store.read(second.pk, 1)[1].tolist() == [2.5]
    assert store.count_all() == len(rows) - 1
    assert Chunk.objects.filter(space=first, block=0).count() == 6  # two a day of eighty, by time
