"""Very many letters at once: written to the outbox by the fastest way each database has, in the caller's transaction.

For members of the public who are told the same on one channel; what `services.send` does for each recipient (accounts,
organisations, contact points, groups) falls away. COPY on PostgreSQL, executemany on SQLite.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection

from haitang.delivery.channel import Channel
from haitang.delivery.models import Delivery, Message
from haitang.delivery.outbox import priority
from haitang.delivery.states import State

CHUNK = 20_000
VARIED = ("number", "name", "address", "language", "url", "key")
# One recipient: address, language, own link.
Row = tuple[str, str, str]


def write(message: Message, channel: Channel, rows: Iterable[Row], at: datetime) -> int:
    """Write one delivery for each row, to members of the public; returns how many. In an exercise all are blocked."""
    listed = [(number, *row) for number, row in enumerate(rows)]
    # Keys in order: an index grows at its end, not everywhere. 80 bits that nobody can guess stand before the number.
    prefix = os.urandom(10).hex()
    blocked = message.is_drill
    there = _like(message, channel, at, State.BLOCKED if blocked else State.QUEUED, "drill_public" if blocked else "")
    none = there if blocked else _like(message, channel, at, State.FAILED, channel.missing)
    lines = (
        (number, address[:120], address[:500], language, url, f"{prefix}{number:012x}")
        for number, address, language, url in listed if address
    )  # fmt: skip
    written = _put(there, lines)
    return written + _put(none, (
        (number, "", "", language, url, f"{prefix}{number:012x}") for number, address, language, url in listed if not address
    ))  # fmt: skip


def _like(message: Message, channel: Channel, at: datetime, state: State, reason: str) -> Delivery:
    """What all deliveries of one kind have in common."""
    return Delivery(
        message=message, space_id=message.space_id, number=0, position=message.channels.index(channel.name), channel=channel.name,
        priority=priority(message.colour, to_public=True), state=state, reason=reason, created_at=at,
        next_at=max(at, message.not_before or at) if state == State.QUEUED else None, failed_at=at if state == State.FAILED else None,
    )  # fmt: skip


def _put(sample: Delivery, lines: Iterable[tuple[Any, ...]]) -> int:
    """Insert rows that differ in VARIED only. What they share is written into the statement, not handed over for each."""
    fields = [f for f in Delivery._meta.concrete_fields if not f.primary_key and f.attname not in VARIED]
    shared = [field.get_db_prep_save(getattr(sample, field.attname), connection) for field in fields]
    quote = connection.ops.quote_name
    table, own = quote(Delivery._meta.db_table), [quote(name) for name in VARIED]
    columns = ", ".join([*own, *(quote(str(field.column)) for field in fields)])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            return _copy(cursor, table, columns, own, shared, lines)
        # SQLite writes its own literals, so that nothing is put together by hand.
        literals = [cursor.execute("SELECT quote(%s)", [value]).fetchone()[0].replace("%", "%%") for value in shared]
        values = ", ".join([*["%s"] * len(VARIED), *literals])
        query, number, rows = f"INSERT INTO {table} ({columns}) VALUES ({values})", 0, iter(lines)  # noqa: S608
        while chunk := list(islice(rows, CHUNK)):
            cursor.executemany(query, chunk)
            number += len(chunk)
        return number


def _copy(
    cursor: Any, table: str, columns: str, own: Sequence[str], shared: Sequence[Any], lines: Iterable[tuple[Any, ...]]
) -> int:
    """COPY what differs into a table of the transaction, then insert it with what is shared in one statement."""
    number = 0
    names = ", ".join(own)
    cursor.execute(f"CREATE TEMP TABLE haitang_bulk ON COMMIT DROP AS SELECT {names} FROM {table} WITH NO DATA")  # noqa: S608
    with cursor.copy(f"COPY haitang_bulk ({names}) FROM STDIN") as copy:
        for line in lines:
            copy.write_row(line)
            number += 1
    marks = ", ".join([*own, *["%s"] * len(shared)])
    cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {marks} FROM haitang_bulk ORDER BY number", shared)  # noqa: S608
    cursor.execute("DROP TABLE haitang_bulk")
    return number
