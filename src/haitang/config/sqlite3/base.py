"""SQLite for several processes that all write: whoever waits for the lock asks again every millisecond or two.

SQLite's own waiting grows to 100 ms between two tries, so under a steady stream of short transactions the newcomers,
who ask every millisecond, win every time, and the one who has waited longest is told "database is locked" after its
20 s (seen with two web workers taking in readings; docs/benchmarks.md). Asking at an even pace is a fair lottery.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db.backends.sqlite3 import base

R = TypeVar("R")
PACE_S = (0.0005, 0.002)
_BUSY = 5  # SQLITE_BUSY; the extended codes hold it in their lowest byte


class PatientCursor(base.SQLiteCursorWrapper):
    """A cursor that waits for the lock, where it does not hold it already."""

    def execute(self, query: str, params: Any = None) -> Any:
        """As Django's."""
        plain = super().execute
        return patiently(self.connection, lambda: plain(query, params))

    def executemany(self, query: str, param_list: Iterable[Any]) -> Any:
        """As Django's. Outside a transaction every row would be one, so the lock is asked for by SQLite's own waiting."""
        if self.connection.in_transaction:
            return super().executemany(query, param_list)
        self.connection.execute("PRAGMA busy_timeout = 20000")
        try:
            return super().executemany(query, param_list)
        finally:
            self.connection.execute("PRAGMA busy_timeout = 0")


def patiently(connection: sqlite3.Connection, run: Callable[[], R], patience_s: float = 20.0) -> R:
    """Run a statement; while another connection holds the lock, try again until the patience is over."""
    if connection.in_transaction:
        return run()  # a transaction here begins with the write lock
    until = time.monotonic() + patience_s
    while True:
        try:
            return run()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != _BUSY or time.monotonic() > until:
                raise
        time.sleep(random.uniform(*PACE_S))


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with patient cursors."""

    def get_new_connection(self, conn_params: Any) -> Any:
        """A connection; while it is being made SQLite itself waits."""
        connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA busy_timeout = 0")
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        """A patient cursor."""
        return self.connection.cursor(factory=PatientCursor)
