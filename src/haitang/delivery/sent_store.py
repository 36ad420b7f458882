"""What the simulators took: kept in a small file beside the database, so that a killed simulator still knows its keys."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
  key TEXT NOT NULL, channel TEXT NOT NULL, recipient TEXT, title TEXT, body TEXT, url TEXT, at REAL, copies INTEGER DEFAULT 1,
  state TEXT DEFAULT 'accepted', PRIMARY KEY (channel, key));
CREATE TABLE IF NOT EXISTS receipts (
  id INTEGER PRIMARY KEY, channel TEXT, key TEXT, status TEXT, address TEXT, due REAL, tries INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS receipts_due ON receipts (due);
"""


@dataclass(frozen=True)
class Sent:
    """A letter that a simulator took; `copies` counts how often it was handed over, `state` what was reported of it."""

    key: str
    channel: str
    recipient: str
    title: str
    body: str
    url: str
    at: float
    copies: int = 1
    state: str = "accepted"


@dataclass(frozen=True)
class Due:
    """A receipt to be posted at `due` (Unix time) to `address`."""

    id: int
    channel: str
    key: str
    status: str
    address: str
    due: float
    tries: int


class Store:
    """Letters and receipts. One connection behind a lock: the simulators' threads take turns."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(SCHEMA)

    def take(self, letter: Sent, receipts: Sequence[tuple[str, str, float]] = ()) -> bool:
        """Keep a letter with the receipts it will get (status, address, due); False for a key that was taken before."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            fresh = self._connection.execute(
                "INSERT OR IGNORE INTO letters (key, channel, recipient, title, body, url, at) VALUES (?,?,?,?,?,?,?)",
                (letter.key, letter.channel, letter.recipient, letter.title, letter.body, letter.url, letter.at),
            ).rowcount
            if not fresh:
                self._connection.execute(
                    "UPDATE letters SET copies = copies + 1 WHERE channel = ? AND key = ?", (letter.channel, letter.key)
                )
            else:
                self._connection.executemany(
                    "INSERT INTO receipts (channel, key, status, address, due) VALUES (?,?,?,?,?)",
                    [(letter.channel, letter.key, status, address, due) for status, address, due in receipts],
                )
        return bool(fresh)

    def take_many(self, letters: Sequence[tuple[Sent, Sequence[tuple[str, str, float]]]]) -> int:
        """Keep many letters with their receipts in one transaction; returns how many were new."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            fresh = 0
            for letter, receipts in letters:
                row = (letter.key, letter.channel, letter.recipient, letter.title, letter.body, letter.url, letter.at)
                cursor = self._connection.execute(
                    "INSERT INTO letters (key, channel, recipient, title, body, url, at) VALUES (?,?,?,?,?,?,?) "
                    "ON CONFLICT DO UPDATE SET copies = copies + 1 RETURNING copies",
                    row,
                )
                if cursor.fetchone()[0] == 1:
                    fresh += 1
                    self._connection.executemany(
                        "INSERT INTO receipts (channel, key, status, address, due) VALUES (?,?,?,?,?)",
                        [(letter.channel, letter.key, status, address, due) for status, address, due in receipts],
                    )
        return fresh

    def counted(self, channel: str) -> tuple[int, int]:
        """How many letters a channel took, and how often one of them was handed over."""
        with self._lock:
            row = self._connection.execute(
                "SELECT count(*), coalesce(sum(copies), 0) FROM letters WHERE channel = ?", (channel,)
            ).fetchone()
        return int(row[0]), int(row[1])

    def due(self, at: float, limit: int = 200) -> list[Due]:
        """The receipts that are due, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, channel, key, status, address, due, tries FROM receipts WHERE due <= ? ORDER BY due, id LIMIT ?",
                (at, limit),
            ).fetchall()
        return [Due(*row) for row in rows]

    def posted(self, receipts: Sequence[Due]) -> None:
        """These were taken."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM receipts WHERE id = ?", [(r.id,) for r in receipts])
            self._connection.executemany(
                "UPDATE letters SET state = ? WHERE channel = ? AND key = ?",
                [(r.status, r.channel, r.key) for r in receipts],
            )

    def postponed(self, receipts: Sequence[Due], at: float) -> None:
        """These were not taken; they are due again later, each time much later, and dropped after a day."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "UPDATE receipts SET tries = tries + 1, due = ? WHERE id = ?",
                [(at + min(300.0, 2.0 ** min(8, r.tries + 1)), r.id) for r in receipts],
            )
            self._connection.execute("DELETE FROM receipts WHERE tries > 300")

    def newest(self, limit: int = 200, channel: str = "") -> list[Sent]:
        """The newest letters."""
        query = "SELECT key, channel, recipient, title, body, url, at, copies, state FROM letters"
        where, given = (" WHERE channel = ?", (channel,)) if channel else ("", ())
        with self._lock:
            rows = self._connection.execute(f"{query}{where} ORDER BY at DESC LIMIT ?", (*given, limit)).fetchall()
        return [Sent(*row) for row in rows]

    def recent(self, channel: str, recipient: str, seconds: float = 60.0) -> int:
        """How many letters a recipient (a robot) took in the last so many seconds."""
        with self._lock:
            row = self._connection.execute(
                "SELECT count(*) FROM letters WHERE channel = ? AND recipient = ? AND at > ?",
                (channel, recipient, time.time() - seconds),
            ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """End."""
        with self._lock:
            self._connection.close()
