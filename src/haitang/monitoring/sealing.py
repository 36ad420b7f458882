"""From the tail into compressed chunks: what the worker does with readings that were stored.

Everything costly (sorting, packing, unpacking) is done before anything is locked. The transaction that follows looks
whether all is as it was, writes the chunks and deletes what they hold: kill -9 leaves the one or the other, and of two
that seal the same the second finds that there is nothing to do.

Fresh chunks of a day are put together when they are many, and when the day is over (readings of a later day are
there); days of few readings in turn by thirty-two. Late readings make a fresh chunk of an old day and go the same way.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from django.db import close_old_connections, connection, transaction
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from haitang.config.env import env
from haitang.monitoring import long_store, store, tail
from haitang.monitoring.chunk_codec import decode, encode, figures, pack_figures
from haitang.monitoring.intake import pack, unpack
from haitang.monitoring.models import Chunk, ReadingFlag, SealedNewest, Sealing, Tail
from haitang.monitoring.tail import Columns, Newest, joined, without_repeats
from haitang.spaces.clock import now
from haitang.spaces.models import Space, SpaceKind

logger = logging.getLogger(__name__)

AGE = timedelta(minutes=10)
ROWS = 250_000
GROUPS = 2_000
"""A tail is sealed when its oldest group is so old, or so many readings, or so many groups are there."""
MOST = 250_000
"""Readings sealed in one transaction: while it lasts nobody else can write on SQLite, and an alarm must not wait for that."""
BREATH_S = 0.2
"""Between two transactions, so that whoever waits to write comes in."""
FRESH = 8
"""So many fresh chunks of one day are put together before the day is over."""
FULL = 4_096
"""A day of so many readings stays a chunk of its own; of fewer, thirty-two days are put together."""
LONGEST = 65_536
"""Readings in one chunk."""
MONTH = 32
PAUSE_S = 10.0
_BATCH = 200


class _Changed(Exception):
    """What was prepared no longer fits what is there."""


def run(stop: threading.Event) -> None:
    """Seal, put together and let go until `stop` is set."""
    while not stop.wait(PAUSE_S):
        close_old_connections()
        try:
            attend()
        except Exception:
            logger.exception("sealing of readings stumbled; it goes on")


def attend() -> int:
    """One round through all spaces; returns how many readings were sealed."""
    sealed = 0
    for space_id in Tail.objects.order_by().values_list("space", flat=True).distinct():
        while rows := seal(space_id):
            sealed += rows
            time.sleep(BREATH_S)
    long_store.attend()
    for space_id in Chunk.objects.filter(level__in=_LOOSE).order_by().values_list("space", flat=True).distinct():
        put_together(space_id)
    let_go()
    return sealed


def seal(space_id: int, *, at_once: bool = False) -> int:
    """Turn the tail of a space into chunks if it is due (or `at_once`); returns how many readings."""
    generation = tail.generation_of(space_id)
    there = Tail.objects.filter(space=space_id).aggregate(n=Count("id"), rows=Sum("rows"), oldest=Min("written_at"))
    if not there["n"]:
        return 0
    old = timezone.now() - there["oldest"] >= AGE
    if not (at_once or old or there["rows"] >= ROWS or there["n"] >= GROUPS):
        return 0
    groups = []
    rows = 0
    for pk, n, payload in Tail.objects.filter(space=space_id).order_by("id").values_list("id", "rows", "payload"):
        groups.append((pk, unpack(bytes(payload), n)))
        rows += n
        if rows >= MOST:
            break
    columns = without_repeats(joined([each for _, each in groups]))
    chunks = [
        made
        for block, day, part in _by_block_and_day(columns)
        for made in _made(space_id, block, Chunk.Level.FRESH, day, part)
    ]
    newest = _newest_with(space_id, columns)
    try:
        with transaction.atomic():
            row = Sealing.objects.select_for_update().filter(pk=space_id).first()
            row = row or Sealing.objects.get_or_create(space_id=space_id)[0]
            if row.generation != generation:
                return 0
            if _delete("tail", [pk for pk, _ in groups]) != len(groups):
                raise _Changed
            _insert(chunks)
            for part, packed in newest.items():
                SealedNewest.objects.update_or_create(space_id=space_id, part=part, defaults={"payload": packed})
            row.generation = secrets.randbits(62)
            row.save(update_fields=["generation"])
    except _Changed:
        return 0
    return rows


_LOOSE = (Chunk.Level.FRESH, Chunk.Level.DAY)


def put_together(space_id: int) -> int:
    """Put chunks of a day, and sparse days of thirty-two, together where that is due; returns how many were taken up."""
    taken = 0
    chunks = _copied(space_id)
    fresh = chunks.filter(level=Chunk.Level.FRESH).order_by()
    last = fresh.aggregate(last=Max("period"))["last"]
    if last is not None:
        due = [
            (block, day)
            for block, day, n in fresh.values_list("block", "period").annotate(n=Count("id"))
            if n >= FRESH or day < last
        ]
        for block_days in store.batches(due, _BATCH):
            taken += _replace(space_id, [_day(space_id, block, day, over=day < last) for block, day in block_days])
        # A day that was put together before it was over, and of which nothing came after.
        chunks.filter(level=Chunk.Level.DAY, period__lt=last, rows__gte=FULL).update(level=Chunk.Level.FULL_DAY)
    days = chunks.filter(level=Chunk.Level.DAY, rows__lt=FULL).order_by().annotate(month=F("period") / MONTH)
    last = days.aggregate(last=Max("month"))["last"]
    if last is not None:
        months = days.filter(month__lt=last).values_list("block", "month").distinct()
        for block_months in store.batches(list(months), _BATCH):
            taken += _replace(space_id, [_month(space_id, block, month) for block, month in block_months])
    return taken


def let_go() -> int:
    """Delete the live world's sealed readings that are older than the operator keeps; returns how many chunks."""
    days = env("HAITANG_READINGS_DAYS")
    gone = 0
    for space in Space.objects.filter(kind=SpaceKind.LIVE) if days else ():
        before = round((now(space) - timedelta(days=days)).timestamp() * 1000)
        gone += _copied(space.pk).filter(last_ms__lt=before).delete()[0]
        ReadingFlag.objects.filter(space_id=space.pk, time_ms__lt=before).delete()
    return gone


# -- what is prepared --------------------------------------------------------------------------------------------------

_Replacement = tuple[list[int], list[Chunk]]


def _copied(space_id: int) -> QuerySet[Chunk]:
    """The chunks of a space but those that the long store still waits for."""
    chunks = Chunk.objects.filter(space=space_id)
    upto = long_store.held(space_id)
    if upto is None:
        return chunks
    # 0: nothing is copied yet, or not all that was there at the beginning.
    return chunks.exclude(Q(level=Chunk.Level.FRESH) & Q(pk__gt=upto)) if upto else chunks.none()


def _day(space_id: int, block: int, day: int, *, over: bool) -> _Replacement:
    """The chunks of a day, and what comes in their place."""
    levels = (Chunk.Level.FRESH, Chunk.Level.DAY, Chunk.Level.FULL_DAY)
    old, rows = _contents(space_id, block, day * store.DAY_MS, (day + 1) * store.DAY_MS, levels)
    level = Chunk.Level.FULL_DAY if len(rows[0]) >= FULL else Chunk.Level.DAY
    if not over:
        level = Chunk.Level.DAY  # more will come; it is taken up again then
    return old, _made(space_id, block, level, day, rows)


def _month(space_id: int, block: int, month: int) -> _Replacement:
    """The sparse days of thirty-two, and what comes in their place."""
    days = MONTH * store.DAY_MS
    old, rows = _contents(space_id, block, month * days, (month + 1) * days, (Chunk.Level.DAY, Chunk.Level.MONTH))
    return old, _made(space_id, block, Chunk.Level.MONTH, month, rows)


def _contents(
    space_id: int, block: int, start_ms: int, end_ms: int, levels: Sequence[int]
) -> tuple[list[int], Columns]:
    found = (
        _copied(space_id)
        .filter(block=block, last_ms__gte=start_ms, first_ms__lt=end_ms, level__in=levels)
        .values_list("pk", "payload")
    )
    ids, pieces = [], []
    for pk, payload in found.order_by("last_ms", "pk"):
        ids.append(pk)
        pieces.append(decode(bytes(payload)))
    return ids, without_repeats(joined(pieces))


def _by_block_and_day(columns: Columns) -> Iterator[tuple[int, int, Columns]]:
    """Rows sorted by series and time, cut by block and day."""
    series, time_ms, value = columns
    block, day = series // store.BLOCK, time_ms // store.DAY_MS
    order = np.lexsort((time_ms, series, day, block))
    block, day = block[order], day[order]
    series, time_ms, value = series[order], time_ms[order], value[order]
    edges = np.flatnonzero((block[1:] != block[:-1]) | (day[1:] != day[:-1])) + 1
    bounds = [0, *edges.tolist(), len(series)]
    for a, b in pairwise(bounds):
        if a < b:
            yield int(block[a]), int(day[a]), (series[a:b], time_ms[a:b], value[a:b])


def _made(space_id: int, block: int, level: int, period: int, rows: Columns) -> list[Chunk]:
    """Rows of one block as chunks; more than one where they are many, cut by time."""
    made = []
    for series, time_ms, value in _cut(rows):
        made.append(
            Chunk(
                space_id=space_id, block=block, level=level, period=period, rows=len(series),
                first_ms=int(time_ms.min()), last_ms=int(time_ms.max()),
                figures=pack_figures(figures(series, time_ms, value)), payload=encode(series, time_ms, value),
            )
        )  # fmt: skip
    return made


def _cut(rows: Columns) -> Iterator[Columns]:
    series, time_ms, value = rows
    parts = -(-len(series) // LONGEST)
    if parts <= 1:
        if len(series):
            yield rows
        return
    edges = np.quantile(time_ms, np.linspace(0, 1, parts + 1)[1:-1], method="nearest").astype(np.int64)
    number = np.searchsorted(edges, time_ms, side="right")
    for k in range(parts):
        mask = number == k
        if mask.any():
            yield series[mask], time_ms[mask], value[mask]


def _newest_with(space_id: int, columns: Columns) -> dict[int, bytes]:
    """The rows of `SealedNewest` that these readings touch, as they will be."""
    series, time_ms, value = tail.last_of_each(columns)
    part = series // tail.PART
    touched = tail.distinct(part).tolist()
    known = dict(SealedNewest.objects.filter(space=space_id, part__in=touched).values_list("part", "payload"))
    result = {}
    for each in touched:
        before = bytes(known.get(each, b""))
        mask = part == each
        newest = Newest(*unpack(before, len(before) // 20)).updated((series[mask], time_ms[mask], value[mask]))
        result[each] = pack(newest.series, newest.time_ms, newest.value)
    return result


# -- what is written ---------------------------------------------------------------------------------------------------


def _replace(space_id: int, replacements: Sequence[_Replacement]) -> int:
    """Put new chunks in the place of old ones, all or none."""
    old = [pk for ids, _ in replacements for pk in ids]
    try:
        with transaction.atomic():
            if _delete("chunk", old) != len(old):
                raise _Changed
            _insert([chunk for _, made in replacements for chunk in made])
    except _Changed:
        logger.info("chunks of space %s were put together by another worker", space_id)
        return 0
    return len(old)


def _delete(table: str, ids: Sequence[int]) -> int:
    postgresql = connection.vendor == "postgresql"
    given = "SELECT unnest(%s::bigint[])" if postgresql else "SELECT value FROM json_each(%s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM monitoring_{table} WHERE id IN ({given})",  # noqa: S608
            [list(ids) if postgresql else json.dumps(list(ids))],
        )
        return int(cursor.rowcount)


_COLUMNS = ("space_id", "block", "level", "period", "first_ms", "last_ms", "rows", "figures", "payload")


def _insert(chunks: Sequence[Chunk]) -> None:
    """Past Django's bulk_create, which takes three times as long over tens of thousands."""
    if not chunks:
        return
    marks = ", ".join(["%s"] * len(_COLUMNS))
    rows: list[tuple[Any, ...]] = [tuple(getattr(chunk, name) for name in _COLUMNS) for chunk in chunks]
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO monitoring_chunk ({', '.join(_COLUMNS)}) VALUES ({marks})", rows)  # noqa: S608
