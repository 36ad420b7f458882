"""A copy of the live world's sealed readings in a store made for years: VictoriaMetrics, or a table in PostgreSQL.

Each reading passes through one fresh chunk, so the copy follows the numbers of fresh chunks; what was put together
before copying began is taken first. A chunk is not put together or let go before it is copied: where the long store is
away, chunks wait. A repeat after a failure changes nothing there.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db.models import Max, Q

from haitang.config.env import env
from haitang.monitoring.chunk_codec import decode
from haitang.monitoring.models import Chunk, LongCopy, Series
from haitang.monitoring.tail import Columns, joined, without_repeats
from haitang.spaces.models import Space, SpaceKind

logger = logging.getLogger(__name__)

ROWS = 100_000
"""Readings in one go."""
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Label:
    """What the long store is told of a series."""

    code: str
    station: str
    quantity: str
    unit: str


def attend() -> int:
    """Copy what is sealed and not yet copied; returns how many readings. A failure is logged and tried again later."""
    url = env("HAITANG_LONG_STORE")
    copied = 0
    for space in Space.objects.filter(kind=SpaceKind.LIVE) if url else ():
        try:
            while rows := copy(space, url):
                copied += rows
        except Exception as error:  # noqa: BLE001 - whatever it is, sealing goes on
            # Without the address: it may hold a password.
            logger.warning("the long store does not take readings (%s); they wait", type(error).__name__)
    return copied


def held(space_id: int) -> int | None:
    """The last chunk of a space that is copied; None where none needs to be."""
    if not env("HAITANG_LONG_STORE") or not Space.objects.filter(pk=space_id, kind=SpaceKind.LIVE).exists():
        return None
    row = LongCopy.objects.filter(pk=space_id).first()
    return row.upto if row is not None and row.upto >= row.begun else 0


def copy(space: Space, url: str) -> int:
    """Copy the next chunks; returns how many readings, 0 when there is nothing left."""
    newest = Chunk.objects.filter(space=space).aggregate(last=Max("pk"))["last"] or 0
    row, _made = LongCopy.objects.get_or_create(space=space, defaults={"begun": newest})
    waiting = Chunk.objects.filter(Q(level=Chunk.Level.FRESH) | Q(pk__lte=row.begun), space=space, pk__gt=row.upto)
    pieces: list[Columns] = []
    rows, last = 0, row.upto
    for pk, payload in waiting.order_by("pk").values_list("pk", "payload")[:500]:
        pieces.append(decode(bytes(payload)))
        rows, last = rows + len(pieces[-1][0]), pk
        if rows >= ROWS:
            break
    if pieces:
        columns = without_repeats(joined(pieces))
        _send(url, columns, _labels(columns))
    # Nothing left: also past what was put together since. Another worker may be further.
    upto = last if pieces else max(row.upto, row.begun)
    LongCopy.objects.filter(pk=row.pk, upto__lt=upto).update(upto=upto)
    return rows


def _labels(columns: Columns) -> dict[int, Label]:
    ids = np.unique(columns[0]).tolist()
    found = {
        each.pk: Label(each.code, each.station.code, each.quantity, each.kind.unit)
        for each in Series.objects.filter(pk__in=ids).select_related("station")
    }
    return {pk: found.get(pk, Label(f"removed-{pk}", "", "", "")) for pk in ids}


def _send(url: str, columns: Columns, labels: Mapping[int, Label]) -> None:
    if url.startswith(("http://", "https://")):
        _to_victoria(url, columns, labels)
    elif url.startswith(("postgresql://", "postgres://")):
        _to_postgresql(url, columns, labels)
    else:
        raise ValueError("HAITANG_LONG_STORE must begin with http://, https:// or postgresql://")


def victoria_lines(columns: Columns, labels: Mapping[int, Label]) -> bytes:
    """Readings as VictoriaMetrics' import takes them: a line of JSON for each series."""
    import orjson

    series, time_ms, value = columns
    lines = []
    for pk, label in labels.items():
        a, b = np.searchsorted(series, (pk, pk + 1)).tolist()
        metric = {"__name__": "haitang_reading", "series": label.code, "station": label.station,
                  "quantity": label.quantity, "unit": label.unit}  # fmt: skip
        part: dict[str, Any] = {"metric": metric, "values": value[a:b].tolist(), "timestamps": time_ms[a:b].tolist()}
        lines.append(orjson.dumps(part))
    return b"\n".join(lines) + b"\n"


def _to_victoria(url: str, columns: Columns, labels: Mapping[int, Label]) -> None:
    import httpx

    body = gzip.compress(victoria_lines(columns, labels), 1)
    answer = httpx.post(
        f"{url.rstrip('/')}/api/v1/import", content=body, headers={"Content-Encoding": "gzip"}, timeout=TIMEOUT_S
    )
    answer.raise_for_status()


def _to_postgresql(url: str, columns: Columns, labels: Mapping[int, Label]) -> None:
    import psycopg

    with psycopg.connect(url, connect_timeout=10) as connection, connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = warning")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS haitang_reading (series text NOT NULL, time timestamptz NOT NULL,"
            " value double precision NOT NULL, unit text NOT NULL, PRIMARY KEY (series, time))"
        )
        cursor.execute("CREATE TEMPORARY TABLE incoming (LIKE haitang_reading) ON COMMIT DROP")
        with cursor.copy("COPY incoming FROM STDIN") as out:
            for pk, time_ms, value in zip(*(column.tolist() for column in columns), strict=True):
                label = labels[pk]
                out.write_row((label.code, datetime.fromtimestamp(time_ms / 1000, UTC), value, label.unit))
        cursor.execute("INSERT INTO haitang_reading SELECT * FROM incoming ON CONFLICT DO NOTHING")
