"""Where readings are kept. This is the face: arrays in, arrays out; what stands behind it may change.

Once by (series, time). Times are integer milliseconds UTC, values in the canonical unit of the series. What a step of
the evaluator stores is one row, the tail (`tail.py`), in the same transaction as its judgement; the worker seals tails
into compressed chunks (`sealing.py`, `chunk_codec.py`) of sixteen series and a day. A reader takes the tail first and
the chunks after, so what is being sealed meanwhile is seen, perhaps twice, and counted once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from django.db import connection
from django.db.models import Sum

from haitang.monitoring import tail
from haitang.monitoring.chunk_codec import Figures, decode, unpack_figures
from haitang.monitoring.chunk_codec import figures as of_rows
from haitang.monitoring.models import Chunk, ReadingFlag, SealedNewest, Sealing, Tail
from haitang.monitoring.rules import Bools, Floats, Ints
from haitang.monitoring.tail import Columns, among, distinct, joined, last_of_each, without_repeats

T = TypeVar("T")

FOREVER_MS = 2**62
BLOCK = 16
"""Neighbouring series that share a chunk: few enough to read one alone quickly, enough to pack well."""
DAY_MS = 86_400_000
_PAGE = 16


def append(space_id: int, series_ids: Ints, time_ms: Ints, values: Floats, maybe_known: Bools | None = None) -> Bools:
    """Store readings inside the caller's transaction; True where a row is new, False where (series, time) was there.

    `maybe_known` marks the rows that need looking up; the caller vouches for the others (newer than their series'
    newest). Without it every row is looked up. A repeated (series, time) within the rows counts once, the first time.
    The caller holds the space's `Evaluator` row, so that what is written becomes visible in its order.
    """
    n = len(series_ids)
    new = np.ones(n, np.bool_)
    if n == 0:
        return new
    order = np.lexsort((time_ms, series_ids))
    s, t = series_ids[order], time_ms[order]
    new[order[1:][(s[1:] == s[:-1]) & (t[1:] == t[:-1])]] = False
    look = np.flatnonzero(new if maybe_known is None else new & maybe_known)
    if len(look):
        known = _known(space_id, series_ids[look], time_ms[look])
        new[look[known]] = False
    order = order[new[order]]
    if len(order):
        # Added to zero, a negative zero (what rounding leaves) is one like others, and packs like them.
        tail.append(space_id, (series_ids[order], time_ms[order], values[order] + 0.0))
    return new


def read(
    space_id: int, series_id: int, start_ms: int = -FOREVER_MS, end_ms: int = FOREVER_MS, *, newest: int | None = None
) -> tuple[Ints, Floats]:
    """Times and values of one series in [start_ms, end_ms), oldest first; with `newest`, only so many of the newest."""
    in_tail = tail.view(space_id).of_series(series_id, start_ms, end_ms)
    pieces: list[tuple[Ints, Floats]] = []
    for last_ms, payload in _chunks_of(space_id, series_id, start_ms, end_ms, paged=newest is not None):
        if newest is not None:
            # This chunk and those that follow end here: can one of theirs be among the newest?
            time, _value = _in_order([*pieces, *in_tail])
            if len(time) >= newest and (newest == 0 or last_ms < time[-newest]):
                break
        _series, time, value = decode(payload, series_id)
        a, b = np.searchsorted(time, (start_ms, end_ms)).tolist()
        if a < b:
            pieces.append((time[a:b], value[a:b]))
    time, value = _in_order([*pieces, *in_tail])
    skip = 0 if newest is None else max(0, len(time) - newest)
    return time[skip:], value[skip:]


def read_many(
    space_id: int, series_ids: Iterable[int], start_ms: int = -FOREVER_MS, end_ms: int = FOREVER_MS
) -> Columns:
    """Series, times and values of many series in [start_ms, end_ms), sorted by series and time. For back-tests."""
    wanted = _ids(series_ids)
    pieces = tail.view(space_id).of_many(wanted, start_ms, end_ms)
    found = _chunks(space_id, distinct(wanted // BLOCK), start_ms, end_ms - 1)
    for batch in batches(sorted(each.pk for each in found), 64):
        for payload in _payloads(batch).values():
            series, time, value = decode(payload)
            mask = (time >= start_ms) & (time < end_ms) & among(series, wanted)
            if mask.any():
                pieces.append((series[mask], time[mask], value[mask]))
    return without_repeats(joined(pieces))


def latest(space_id: int, series_ids: Iterable[int], upto_ms: int = FOREVER_MS) -> dict[int, tuple[int, float]]:
    """The newest reading at or before `upto_ms` of each series that has one: id -> (time, value)."""
    series, time, value = latest_columns(space_id, series_ids, upto_ms)
    return dict(zip(series.tolist(), zip(time.tolist(), value.tolist(), strict=True), strict=True))


def latest_columns(space_id: int, series_ids: Iterable[int], upto_ms: int = FOREVER_MS) -> Columns:
    """As `latest`, as columns by rising series id. Those of the present come from memory."""
    wanted = _ids(series_ids)
    if not len(wanted):
        return tail.NOTHING
    view = tail.view(space_id)
    there, time, value = view.newest(space_id).of(wanted)
    done = there & (time <= upto_ms)
    if not (there & ~done).any():
        return wanted[done], time[done], value[done]
    earlier = _latest_before(space_id, view, wanted[there & ~done], upto_ms)
    return joined([(wanted[done], time[done], value[done]), earlier])


@dataclass(frozen=True)
class Stretch:
    """What one series did in one stretch of time."""

    start_ms: int
    count: int
    low: float
    low_ms: int
    high: float
    high_ms: int
    total: float
    first: float
    last: float


def summary(space_id: int, series_id: int, start_ms: int, end_ms: int, stretches: int) -> list[Stretch]:
    """[start_ms, end_ms) in so many even stretches: count, lowest, highest, sum, first, last of each that has readings.

    Chunks that lie within one stretch are not decoded. For charts of months and years.
    """
    while True:
        view = tail.view(space_id)
        found = _summary(space_id, view, series_id, start_ms, end_ms, stretches)
        # Had a sealing come between, its rows would have been counted in both places.
        if connection.in_atomic_block or tail.generation_of(space_id) == view.generation:
            return found


def count(space_id: int, series_id: int, start_ms: int = -FOREVER_MS, end_ms: int = FOREVER_MS) -> int:
    """How many readings one series has in [start_ms, end_ms); decodes only the chunks at both ends."""
    return sum(each.count for each in summary(space_id, series_id, start_ms, end_ms, 1))


def extent(space_id: int, series_ids: Iterable[int]) -> tuple[int, int]:
    """A span outside which these series have no reading: no narrower than theirs, perhaps that of their blocks."""
    wanted = _ids(series_ids)
    spans = [
        (int(time.min()), int(time.max()))
        for _, time, _ in tail.view(space_id).of_many(wanted, -FOREVER_MS, FOREVER_MS)
    ]
    spans += [
        (each.first_ms, each.last_ms) for each in _chunks(space_id, distinct(wanted // BLOCK), -FOREVER_MS, FOREVER_MS)
    ]
    return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else (0, -1)


def count_all(space_id: int | None = None) -> int:
    """How many readings are kept, in one space or all."""
    only = {} if space_id is None else {"space": space_id}
    return sum(model._default_manager.filter(**only).aggregate(n=Sum("rows"))["n"] or 0 for model in (Tail, Chunk))


def delete_space(space_id: int) -> int:
    """Forget every reading of a space (an exercise that was removed); returns how many."""
    gone = count_all(space_id)
    for model in (Tail, Chunk, SealedNewest, Sealing):
        model._default_manager.filter(space=space_id).delete()
    ReadingFlag.objects.filter(space_id=space_id).delete()
    return gone


# -- behind the face -------------------------------------------------------------------------------------------------


def _ids(series_ids: Iterable[int]) -> Ints:
    if isinstance(series_ids, np.ndarray):
        return distinct(series_ids.astype(np.int64))
    return distinct(np.fromiter((int(each) for each in series_ids), np.int64))


def _in_order(pieces: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """Times and values of one series in order of time, each time once."""
    if not pieces:
        return np.zeros(0, np.int64), np.zeros(0)
    time = np.concatenate([piece[0] for piece in pieces])
    value = np.concatenate([piece[1] for piece in pieces])
    if not (time[1:] > time[:-1]).all():
        order = np.argsort(time, kind="stable")
        time, value = time[order], value[order]
        keep = np.concatenate([[True], time[1:] != time[:-1]])
        time, value = time[keep], value[keep]
    return time, value


def _chunks_of(
    space_id: int, series_id: int, start_ms: int, end_ms: int, *, paged: bool
) -> Iterator[tuple[int, bytes]]:
    """End and payload of the chunks that may hold a series between two times, the latest first (else oldest first)."""
    order, offset = ("DESC" if paged else "ASC"), 0
    sql = (
        "SELECT last_ms, payload FROM monitoring_chunk WHERE space_id = %s AND block = %s AND last_ms >= %s"  # noqa: S608
        f" AND first_ms < %s ORDER BY last_ms {order}, id {order}"
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                sql + (f" LIMIT {_PAGE} OFFSET {offset}" if paged else ""),
                [space_id, series_id // BLOCK, start_ms, end_ms],
            )
            rows = cursor.fetchall()
        for last_ms, payload in rows:
            yield last_ms, bytes(payload)
        if not paged or len(rows) < _PAGE:
            return
        offset += _PAGE


@dataclass(frozen=True)
class _Found:
    """A chunk, without its contents."""

    pk: int
    block: int
    first_ms: int
    last_ms: int


def _chunks(space_id: int, blocks: Ints, start_ms: int, end_ms: int) -> list[_Found]:
    """Chunks of these blocks that have rows between two times, both included. One query."""
    if not len(blocks):
        return []
    postgresql = connection.vendor == "postgresql"
    given = "unnest(%s::int[]) AS w(value)" if postgresql else "json_each(%s) AS w"
    with connection.cursor() as cursor:
        cursor.execute(
            # CROSS: the given blocks first, each found by the index.
            f"SELECT c.id, c.block, c.first_ms, c.last_ms FROM {given} CROSS JOIN monitoring_chunk c"  # noqa: S608
            " WHERE c.space_id = %s AND c.block = w.value AND c.last_ms >= %s AND c.first_ms <= %s",
            [blocks.tolist() if postgresql else json.dumps(blocks.tolist()), space_id, start_ms, end_ms],
        )
        return [_Found(*row) for row in cursor.fetchall()]


def _payloads(ids: Sequence[int]) -> dict[int, bytes]:
    rows = Chunk.objects.filter(pk__in=ids).order_by("block", "last_ms", "pk").values_list("pk", "payload")
    return {pk: bytes(payload) for pk, payload in rows}


def _figures(ids: Sequence[int]) -> dict[int, Figures]:
    found = {}
    for batch in batches(list(ids), 500):
        for pk, packed in Chunk.objects.filter(pk__in=batch).values_list("pk", "figures"):
            found[pk] = unpack_figures(bytes(packed))
    return found


def batches(ids: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time."""
    for at in range(0, len(ids), size):
        yield ids[at : at + size]


def _known(space_id: int, series_ids: Ints, time_ms: Ints) -> Bools:
    """Which of these pairs, each given once, are stored."""
    wanted = distinct(series_ids)
    low, high = int(time_ms.min()), int(time_ms.max())
    known = np.zeros(len(series_ids), np.bool_)
    for rows in tail.view(space_id).of_many(wanted, low, high + 1):
        known |= _found_in(series_ids, time_ms, rows)
    block = series_ids // BLOCK
    near = []
    for each in _chunks(space_id, distinct(wanted // BLOCK), low, high):
        mine = ~known & (block == each.block) & (time_ms >= each.first_ms) & (time_ms <= each.last_ms)
        if mine.any():
            near.append(each.pk)
    for batch in batches(near, 64):
        for payload in _payloads(batch).values():
            known |= _found_in(series_ids, time_ms, decode(payload))
    return known


def _found_in(series_ids: Ints, time_ms: Ints, rows: Columns) -> Bools:
    """Which of these pairs, each given once, stand in the rows."""
    mine = len(series_ids)
    series, time = np.concatenate([series_ids, rows[0]]), np.concatenate([time_ms, rows[1]])
    order = np.lexsort((np.arange(len(series)) >= mine, time, series))  # of equals, the given one first
    s, t = series[order], time[order]
    found = np.zeros(len(series), np.bool_)
    found[order[:-1]] = (s[1:] == s[:-1]) & (t[1:] == t[:-1])
    return found[:mine]


def _latest_before(space_id: int, view: tail.View, wanted: Ints, upto_ms: int) -> Columns:
    """The newest reading at or before a time, of series that have newer ones."""
    best = last_of_each(joined([last_of_each(piece) for piece in view.of_many(wanted, -FOREVER_MS, upto_ms + 1)]))
    near = upto_ms - 3 * DAY_MS
    found = _chunks(space_id, distinct(wanted // BLOCK), near, upto_ms)
    best = _later(best, found, upto_ms)
    # What is not in these chunks is older; only series that were silent for days are looked for there.
    left = wanted[~among(wanted, best[0][best[1] >= near])]
    if len(left):
        older = _chunks(space_id, distinct(left // BLOCK), -FOREVER_MS, near - 1)
        best = _later(best, [each for each in older if each.last_ms < near], upto_ms)
    mask = among(best[0], wanted)
    return best[0][mask], best[1][mask], best[2][mask]


def _later(best: Columns, chunks: Sequence[_Found], upto_ms: int) -> Columns:
    """The newest at or before a time of each series, of what is known and what chunks hold."""
    pieces = [best]
    pieces += [
        (each.series, each.last_ms, each.last)
        for each in _figures([chunk.pk for chunk in chunks if chunk.last_ms <= upto_ms]).values()
    ]
    for batch in batches([chunk.pk for chunk in chunks if chunk.last_ms > upto_ms], 64):
        for payload in _payloads(batch).values():
            series, time, value = decode(payload)
            mask = time <= upto_ms
            pieces.append(last_of_each((series[mask], time[mask], value[mask])))
    return last_of_each(joined(pieces))


def _summary(
    space_id: int, view: tail.View, series_id: int, start_ms: int, end_ms: int, stretches: int
) -> list[Stretch]:
    edges = np.linspace(start_ms, end_ms, stretches + 1).astype(np.int64)
    edges[0], edges[-1] = start_ms, end_ms
    if end_ms - start_ms < 2 * DAY_MS * stretches:
        # Hardly a chunk lies within one stretch: the figures would be read for nothing.
        return _together(edges, _stretched(edges, *read(space_id, series_id, start_ms, end_ms)))
    whole: list[tuple[int, Figures, int]] = []
    to_decode: list[int] = []
    rows = Chunk.objects.filter(
        space=space_id, block=series_id // BLOCK, last_ms__gte=start_ms, first_ms__lt=end_ms
    ).values_list("pk", "figures")
    for pk, packed in rows:
        figures = unpack_figures(bytes(packed))
        k = int(np.searchsorted(figures.series, series_id))
        if k == len(figures.series) or figures.series[k] != series_id:
            continue
        first, last = int(figures.first_ms[k]), int(figures.last_ms[k])
        a, b = (np.searchsorted(edges, (first, last), side="right") - 1).tolist()
        if a == b and start_ms <= first and last < end_ms:
            whole.append((a, figures, k))
        elif first < end_ms and last >= start_ms:
            to_decode.append(pk)
    pieces = view.of_series(series_id, start_ms, end_ms)
    for batch in batches(to_decode, 64):
        for payload in _payloads(batch).values():
            _series, time, value = decode(payload, series_id)
            a, b = np.searchsorted(time, (start_ms, end_ms)).tolist()
            pieces.append((time[a:b], value[a:b]))
    return _together(edges, whole + _stretched(edges, *_in_order(pieces)))


def _stretched(edges: Ints, time: Ints, value: Floats) -> list[tuple[int, Figures, int]]:
    """The figures of readings by stretch."""
    figures = of_rows(np.searchsorted(edges, time, side="right") - 1, time, value)
    return [(stretch, figures, k) for k, stretch in enumerate(figures.series.tolist())]


def _together(edges: Ints, parts: Sequence[tuple[int, Figures, int]]) -> list[Stretch]:
    """Figures of parts of stretches as those of the stretches."""
    by_stretch: dict[int, list[tuple[Figures, int]]] = {}
    for stretch, figures, k in parts:
        by_stretch.setdefault(stretch, []).append((figures, k))
    result = []
    for stretch, some in sorted(by_stretch.items()):
        low = min(some, key=lambda each: (each[0].low[each[1]], each[0].low_ms[each[1]]))
        high = min(some, key=lambda each: (-each[0].high[each[1]], each[0].high_ms[each[1]]))
        first = min(some, key=lambda each: each[0].first_ms[each[1]])
        last = max(some, key=lambda each: each[0].last_ms[each[1]])
        result.append(
            Stretch(
                int(edges[stretch]), sum(int(figures.count[k]) for figures, k in some),
                float(low[0].low[low[1]]), int(low[0].low_ms[low[1]]),
                float(high[0].high[high[1]]), int(high[0].high_ms[high[1]]),
                math.fsum(float(figures.total[k]) for figures, k in some),
                float(first[0].first[first[1]]), float(last[0].last[last[1]]),
            )
        )  # fmt: skip
    return result
