"""P4, issue 2 section 6: on SQLite a writer gets its turn, however busy the others are."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from django.db import connection, transaction

from haitang.config.sqlite3.base import patiently
from haitang.spaces.models import Space

only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own behaviour")


@only_sqlite
@pytest.mark.django_db(transaction=True)
def test_whoever_writes_now_and_then_is_not_starved_by_those_who_always_write():
    space = Space.live()
    over = threading.Event()
    wrong: list[BaseException] = []

    def always() -> None:
        try:
            while not over.is_set():
                with transaction.atomic():
                    Space.objects.filter(pk=space.pk).update(scenario="busy")
        except BaseException as error:  # noqa: BLE001 - told below
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=always) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            with transaction.atomic():
                Space.objects.filter(pk=space.pk).update(scenario="mine")
            Space.objects.filter(pk=space.pk).update(scenario="alone")
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert wrong == []


def test_after_the_patience_the_lock_is_an_error_and_other_errors_are_at_once(tmp_path: Path):
    first, second = (sqlite3.connect(tmp_path / "x", isolation_level=None, timeout=0) for _ in range(2))
    first.execute("CREATE TABLE t (n)")
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        patiently(second, lambda: second.execute("INSERT INTO t VALUES (1)"), patience_s=0.05)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        patiently(second, lambda: second.execute("SELECT * FROM nowhere"))
    first.execute("COMMIT")
    assert patiently(second, lambda: second.execute("INSERT INTO t VALUES (1)")).rowcount == 1
