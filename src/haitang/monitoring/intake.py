"""The log of what arrived: append-only groups of readings, durable before anybody is told "received"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection, transaction

from haitang.monitoring.models import Intake
from haitang.monitoring.rules import Floats, Ints

_APPEND_LOCK = 0x4854_494E  # "HTIN": the first half of an advisory lock's key; the space is the second.


def pack(series_ids: Ints, time_ms: Ints, values: Floats) -> bytes:
    """Columns as bytes, little-endian, 20 a reading."""
    return series_ids.astype("<i4").tobytes() + time_ms.astype("<i8").tobytes() + values.astype("<f8").tobytes()


def unpack(payload: bytes, rows: int) -> tuple[Ints, Ints, Floats]:
    """What `pack` packed."""
    series = np.frombuffer(payload, "<i4", rows).astype(np.int64)
    time = np.frombuffer(payload, "<i8", rows, 4 * rows).astype(np.int64)
    return series, time, np.frombuffer(payload, "<f8", rows, 12 * rows).astype(np.float64)


@contextmanager
def in_order(space_id: int) -> Iterator[None]:
    """A transaction in which this space's log can be appended to: its ids commit in their order.

    Without it a later id could become visible before an earlier one, and the evaluator would pass the earlier by.
    SQLite has one writer at a time, which is the same.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_APPEND_LOCK, space_id])
        yield


@dataclass(frozen=True)
class Group:
    """Readings of one source that arrived together. `series_ids` are database ids."""

    source: str
    received_at: datetime
    series_ids: Ints
    time_ms: Ints
    values: Floats


def append(space_id: int, groups: Sequence[Group]) -> None:
    """Write groups in their order. Inside `in_order`; durable once that transaction has committed."""
    Intake.objects.bulk_create(
        Intake(
            space_id=space_id, received_at=group.received_at, source=group.source[:80], rows=len(group.series_ids),
            payload=pack(group.series_ids, group.time_ms, group.values),
        )
        for group in groups
    )  # fmt: skip


def append_tick(space_id: int, now_ms: int, received_at: datetime, resets: Sequence[int] = ()) -> int:
    """Note that time has passed to `now_ms`, and which rules were reset then. The caller is inside `in_order`."""
    group = Intake(
        space_id=space_id, kind=Intake.Kind.TICK, received_at=received_at, source="clock", rows=0,
        payload=np.array([now_ms, *sorted(resets)], "<i8").tobytes(),
    )  # fmt: skip
    group.save(force_insert=True)
    return group.pk


def unpack_tick(payload: bytes) -> tuple[int, tuple[int, ...]]:
    """The moment of a tick and the rules that were reset then."""
    moment, *resets = np.frombuffer(payload, "<i8").tolist()
    return moment, tuple(resets)
