"""Very many letters at once: written to the outbox by the fastest way each database has, in the caller's transaction.

For members of the public who are told the same on one channel; what `services.send` does for each recipient (accounts,
organisations, contact points, groups) falls away. COPY on PostgreSQL, executemany on SQLite.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection

from haitang.delivery.channel import Channel
from haitang.delivery.models import Delivery, Message
from haitang.delivery.outbox import priority
from haitang.delivery.states import State

CHUNK = 20_000
# One recipient: address, language, own link.
Row = tuple[str, str, str]


def write(message: Message, channel: Channel, rows: Iterable[Row], at: datetime) -> int:
    """Write one delivery for each row, to members of the public; returns how many. In an exercise all are blocked."""
    fields = [field for field in Delivery._meta.concrete_fields if not field.primary_key]
    blocked = message.is_drill
    sample = Delivery(
        message=message, space_id=message.space_id, number=0, position=message.channels.index(channel.name), channel=channel.name,
        priority=priority(message.colour, to_public=True), state=State.BLOCKED if blocked else State.QUEUED,
        reason="drill_public" if blocked else "", next_at=None if blocked else max(at, message.not_before or at), created_at=at,
    )  # fmt: skip
    constant = [field.get_db_prep_save(getattr(sample, field.attname), connection) for field in fields]
    if connection.vendor == "postgresql":
        constant = [getattr(sample, field.attname) for field in fields]
    place = {field.attname: index for index, field in enumerate(fields)}
    made = _lines(constant, place, rows, missing=channel.missing)
    table, columns = (
        connection.ops.quote_name(Delivery._meta.db_table),
        [connection.ops.quote_name(f.column) for f in fields],
    )
    if connection.vendor == "postgresql":
        return _copy(table, columns, [place["contact"]], made)
    return _insert(table, columns, made)


def _lines(constant: Sequence[Any], place: dict[str, int], rows: Iterable[Row], *, missing: str) -> Iterator[list[Any]]:
    number_at, name_at, address_at = place["number"], place["name"], place["address"]
    language_at, url_at, key_at = place["language"], place["url"], place["key"]
    state_at, reason_at, next_at, failed_at = place["state"], place["reason"], place["next_at"], place["failed_at"]
    created = constant[place["created_at"]]
    blocked = constant[state_at] == State.BLOCKED
    for number, (address, language, url) in enumerate(rows):
        line = list(constant)
        line[number_at], line[name_at], line[address_at] = number, address[:120], address[:500]
        line[language_at], line[url_at], line[key_at] = language, url, os.urandom(16).hex()
        if not address and not blocked:
            line[state_at], line[reason_at], line[next_at], line[failed_at] = "failed", missing, None, created
        yield line


def _insert(table: str, columns: Sequence[str], lines: Iterator[list[Any]]) -> int:
    marks = ", ".join(["%s"] * len(columns))
    query, number = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", 0  # noqa: S608 - names of our own model
    with connection.cursor() as cursor:
        while chunk := list(islice(lines, CHUNK)):
            cursor.executemany(query, chunk)
            number += len(chunk)
    return number


def _copy(table: str, columns: Sequence[str], as_json: Sequence[int], lines: Iterator[list[Any]]) -> int:
    from psycopg.types.json import Jsonb

    number, empty = 0, Jsonb({})
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:  # type: ignore[attr-defined]
        for line in lines:
            for index in as_json:
                line[index] = empty
            copy.write_row(line)
            number += 1
    return number
