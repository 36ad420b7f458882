"""The unsealed readings of a space in the memory of this process, and with them the newest reading of every series.

What is remembered is looked over against the database at every use: two short queries say which generation of sealing
it belongs to and whether the last row that is remembered is still there; only rows after it are read. A row carries a
random stamp, so what was rolled back is never taken for what came in its place.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db import connection
from django.utils import timezone

from haitang.monitoring.intake import pack, unpack
from haitang.monitoring.models import SealedNewest, Sealing, Tail
from haitang.monitoring.rules import Bools, Floats, Ints

PART = 16_384
"""Series in one row of `SealedNewest`."""

Columns = tuple[Ints, Ints, Floats]
NOTHING: Columns = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Newest:
    """The newest reading of every series, by rising series id."""

    series: Ints
    time_ms: Ints
    value: Floats

    def updated(self, rows: Columns) -> Newest:
        """With rows (sorted by series and time) taken in; the later time stays."""
        series, time, value = last_of_each(rows)
        if not len(self.series):
            return Newest(series, time, value)
        at = np.searchsorted(self.series, series)
        there = self.series[np.minimum(at, len(self.series) - 1)] == series
        mine_s, mine_t, mine_v = self.series, self.time_ms, self.value
        later = np.flatnonzero(there)
        later = later[time[later] > mine_t[at[later]]]
        if len(later):
            mine_t, mine_v = mine_t.copy(), mine_v.copy()
            mine_t[at[later]], mine_v[at[later]] = time[later], value[later]
        if not there.all():
            mine_s = np.concatenate([mine_s, series[~there]])
            order = np.argsort(mine_s, kind="stable")
            mine_s = mine_s[order]
            mine_t = np.concatenate([mine_t, time[~there]])[order]
            mine_v = np.concatenate([mine_v, value[~there]])[order]
        return Newest(mine_s, mine_t, mine_v)

    def of(self, series: Ints) -> tuple[Bools, Ints, Floats]:
        """Which of these series have a reading, its time and value (0 where there is none)."""
        if not len(self.series):
            return np.zeros(len(series), np.bool_), np.zeros(len(series), np.int64), np.zeros(len(series))
        at = np.minimum(np.searchsorted(self.series, series), len(self.series) - 1)
        there = self.series[at] == series
        return there, np.where(there, self.time_ms[at], 0), np.where(there, self.value[at], 0.0)


@dataclass
class View:
    """The tail as of its last row: runs, each sorted by series and time, the oldest first."""

    generation: int
    last: int = 0
    stamp: int = 0
    groups: int = 0
    runs: tuple[Columns, ...] = ()
    _newest: Newest | None = None
    # Rows that `_newest` does not hold yet.
    _fresh: tuple[Columns, ...] = ()
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rows(self) -> int:
        """Readings in the tail."""
        return sum(len(run[0]) for run in self.runs)

    def newest(self, space_id: int) -> Newest:
        """The newest reading of every series, sealed or not."""
        with self._guard:
            newest = _sealed_newest(space_id) if self._newest is None else self._newest
            for rows in self.runs if self._newest is None else self._fresh:
                newest = newest.updated(rows)
            self._newest, self._fresh = newest, ()
            return newest

    def extended(self, groups: Sequence[tuple[int, int, Columns]]) -> View:
        """With further rows (number, stamp, columns)."""
        if not groups:
            return self
        run = joined([columns for _, _, columns in groups])
        runs = [*self.runs, run]
        # Of like length together, so that there are few to search and each row is moved a few times only.
        while len(runs) > 1 and len(runs[-2][0]) <= 2 * len(runs[-1][0]):
            last = runs.pop()
            runs[-1] = joined([runs[-1], last])
        with self._guard:
            newest, fresh = self._newest, self._fresh
        return View(
            self.generation, groups[-1][0], groups[-1][1], self.groups + len(groups), tuple(runs),
            newest, () if newest is None else (*fresh, run),
        )  # fmt: skip

    def of_series(self, series_id: int, start_ms: int, end_ms: int) -> list[tuple[Ints, Floats]]:
        """Times and values of one series in [start, end), a piece of each run that has some."""
        pieces = []
        for series, time, value in self.runs:
            a, b = np.searchsorted(series, (series_id, series_id + 1)).tolist()
            if a < b:
                a, b = (a + np.searchsorted(time[a:b], (start_ms, end_ms))).tolist()
                if a < b:
                    pieces.append((time[a:b], value[a:b]))
        return pieces

    def of_many(self, series_ids: Ints, start_ms: int, end_ms: int) -> list[Columns]:
        """Rows of these series (sorted, once each) in [start, end), a piece of each run that has some."""
        pieces = []
        for series, time, value in self.runs:
            mask = (time >= start_ms) & (time < end_ms)
            mask[mask] = among(series[mask], series_ids)
            if mask.any():
                pieces.append((series[mask], time[mask], value[mask]))
        return pieces


def append(space_id: int, columns: Columns) -> None:
    """Write rows, sorted by series and time, as one group. The caller's transaction holds the space's evaluator."""
    Tail.objects.bulk_create([
        Tail(
            space_id=space_id, rows=len(columns[0]), written_at=timezone.now(), stamp=secrets.randbits(62),
            payload=pack(*columns),
        )
    ])  # fmt: skip


_shared: dict[int, View] = {}
_mine = threading.local()


def view(space_id: int) -> View:
    """The tail as it is now.

    A thread inside a transaction may see what others do not see yet, and remembers it for itself.
    """
    inside = connection.in_atomic_block
    if not hasattr(_mine, "views"):
        _mine.views = {}
    candidates = [_shared.get(space_id)]
    if inside:
        candidates.append(_mine.views.get(space_id))
    known = sorted((each for each in candidates if each is not None), key=lambda each: -each.last)
    generation = generation_of(space_id)
    for each in known:
        if each.generation == generation:
            found = _brought_forward(space_id, each)
            if found is not None:
                break
    else:
        found = _brought_forward(space_id, View(generation))
    assert found is not None
    (_mine.views if inside else _shared)[space_id] = found
    return found


def generation_of(space_id: int) -> int:
    """Which sealing the space's chunks come from."""
    return Sealing.objects.filter(pk=space_id).values_list("generation", flat=True).first() or 0


def _brought_forward(space_id: int, known: View) -> View | None:
    """The known view with what was written since; None where its last row is no longer there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, stamp, rows, CASE WHEN id > %s THEN payload END FROM monitoring_tail"
            " WHERE space_id = %s AND id >= %s ORDER BY id",
            [known.last, space_id, known.last],
        )
        rows = cursor.fetchall()
    if known.last:
        if not rows or (rows[0][0], rows[0][1]) != (known.last, known.stamp):
            return None
        rows = rows[1:]
    return known.extended([(pk, stamp, unpack(bytes(payload), n)) for pk, stamp, n, payload in rows])


def _sealed_newest(space_id: int) -> Newest:
    parts = SealedNewest.objects.filter(space=space_id).order_by("part").values_list("payload", flat=True)
    columns = [unpack(bytes(payload), len(payload) // 20) for payload in parts]
    if not columns:
        return Newest(*NOTHING)
    return Newest(*(np.concatenate([each[k] for each in columns]) for k in range(3)))


def joined(pieces: Sequence[Columns]) -> Columns:
    """Rows of several pieces, sorted by series and time."""
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        return NOTHING
    series, time, value = (np.concatenate([piece[k] for piece in pieces]) for k in range(3))
    order = np.lexsort((time, series))
    return series[order], time[order], value[order]


def without_repeats(rows: Columns) -> Columns:
    """Sorted rows, each (series, time) once. What is being sealed may be seen in both places for a moment."""
    series, time, value = rows
    again = (series[1:] == series[:-1]) & (time[1:] == time[:-1])
    if not again.any():
        return rows
    keep = np.concatenate([[True], ~again])
    return series[keep], time[keep], value[keep]


def last_of_each(rows: Columns) -> Columns:
    """Of sorted rows the last of each series."""
    series, time, value = rows
    if not len(series):
        return rows
    last = np.concatenate([np.flatnonzero(series[1:] != series[:-1]), [len(series) - 1]])
    return series[last], time[last], value[last]


def among(series: Ints, wanted: Ints) -> Bools:
    """Which of these series are among the wanted ones (sorted, once each)."""
    if not len(wanted):
        return np.zeros(len(series), np.bool_)
    at = np.minimum(np.searchsorted(wanted, series), len(wanted) - 1)
    return np.asarray(wanted[at] == series)


def distinct(numbers: Ints) -> Ints:
    """These numbers, sorted, once each. NumPy's `unique` of a hundred thousand takes many times as long."""
    if (numbers[1:] > numbers[:-1]).all():
        return numbers
    numbers = np.sort(numbers)
    return numbers[np.concatenate([[True], numbers[1:] != numbers[:-1]])]
