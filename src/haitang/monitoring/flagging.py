"""Quality flags in the evaluator's step: each reading is tested once, in the transaction that stores and judges it.

A `Desk` is what a process remembers of a space for this: the plan (limits of all series) and the newest readings. It
lives on the evaluator's brain and dies with it; whatever it does not know it takes from the store, where the newest
readings of each series are, so a process that has just started goes on as if it had been there. Only readings that are
not good have a row (`ReadingFlag`).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from haitang.monitoring import quality, store
from haitang.monitoring.models import Intake, QualityLimits, ReadingFlag, Series
from haitang.monitoring.quality import NEIGHBOURS, NEVER, Flag, Limits, Memory, Plan
from haitang.monitoring.quality_defaults import default
from haitang.monitoring.rules import Bools, Floats, Ints
from haitang.spaces.clock import now
from haitang.spaces.models import Space, SpaceKind

ZONE_S = 8 * 3600
NEAR_KM = 30.0
WARM_ROWS = 300_000
"""Readings after which a process has the tests compiled: few never need it, and numba takes memory and seconds."""
ALONE = 2000
"""Series whose memory is looked up one by one in a step; beyond, what one query for all found must do."""


@dataclass(frozen=True)
class Network:
    """The limits of every series of one edition."""

    edition: int
    ids: Ints
    place: Ints
    limits: tuple[Limits, ...]
    neighbours: dict[int, tuple[int, ...]]
    mutes: Bools
    plan: Plan

    def locate(self, series_ids: Ints) -> Ints:
        """Positions of series; -1 where one is not known."""
        inside = (series_ids >= 0) & (series_ids < len(self.place))
        return np.where(inside, self.place[np.where(inside, series_ids, 0)], -1)

    def same(self, other: Network) -> bool:
        """Whether what is remembered under one may be used under the other."""
        return (
            self.limits == other.limits and self.neighbours == other.neighbours and np.array_equal(self.ids, other.ids)
        )


@dataclass
class Desk:
    """What this process remembers of a space's readings for their tests."""

    network: Network
    memory: Memory
    primed: Bools


@dataclass(frozen=True)
class Marks:
    """What was found of a part's rows: `rows` are those tested."""

    network: Network
    rows: Ints
    result: quality.Result
    muted: Bools


_networks: dict[int, Network] = {}
_tested = [0]


def network(edition: int) -> Network:
    """The limits as of an edition of the network; kept for the newest."""
    found = _networks.get(edition)
    if found is None:
        found = _load(edition)
        _networks.clear()
        _networks[edition] = found
    return found


def limits_of(series: Iterable[Series]) -> dict[int, tuple[Limits, bool, float]]:
    """What each series is tested against, whether failed readings are kept from the rules, and how near is near."""
    rows = list(QualityLimits.objects.all())
    by_quantity = {row.quantity: row for row in rows if row.quantity}
    by_series = {row.series_id: row for row in rows if row.series_id}
    found = {}
    for each in series:
        limits, mutes, near = default(each.quantity, each.interval_s), False, NEAR_KM
        for row in (by_quantity.get(each.quantity), by_series.get(each.pk)):
            if row is not None:
                limits, mutes, near = row.over(limits), row.mutes, row.near_km or near
        found[each.pk] = limits, mutes, near
    return found


def _load(edition: int) -> Network:
    series = list(
        Series.objects.filter(is_active=True, station__is_active=True)
        .order_by("pk")
        .select_related("station")
        .only("quantity", "interval_s", "station__west", "station__south")
    )
    found = limits_of(series)
    ids = np.array([each.pk for each in series], np.int64)
    place = np.full(int(ids.max()) + 1 if len(ids) else 1, -1, np.int64)
    place[ids] = np.arange(len(ids))
    limits = tuple(found[each.pk][0] for each in series)
    mutes = np.array([found[each.pk][1] for each in series], np.bool_)
    near = _near(series, limits, [found[each.pk][2] for each in series])
    return Network(edition, ids, place, limits, near, mutes, Plan(limits, near, zone_s=ZONE_S))


def _near(series: Sequence[Series], limits: Sequence[Limits], within: Sequence[float]) -> dict[int, tuple[int, ...]]:
    """The nearest stations' series of the same quantity, for series that are compared with them."""
    asking = [i for i, each in enumerate(limits) if each.near_suspect is not None or each.near_fail is not None]
    if not asking:
        return {}
    by_quantity: defaultdict[str, list[int]] = defaultdict(list)
    for i, each in enumerate(series):
        if each.station.west is not None:
            by_quantity[each.quantity].append(i)
    from scipy.spatial import cKDTree

    found: dict[int, tuple[int, ...]] = {}
    for members in by_quantity.values():
        wanted = [i for i in members if limits[i].near_suspect is not None or limits[i].near_fail is not None]
        if not wanted or len(members) < 3:
            continue
        lon = np.array([series[i].station.west for i in members], np.float64)
        lat = np.array([series[i].station.south for i in members], np.float64)
        # Kilometres on a plane: good enough within a district.
        points = np.column_stack([lon * 111.32 * np.cos(np.radians(lat.mean())), lat * 110.57])
        at = {i: n for n, i in enumerate(members)}
        distance, other = map(
            np.asarray, cKDTree(points).query(points[[at[i] for i in wanted]], k=min(NEIGHBOURS + 4, len(members)))
        )
        for i, far, who in zip(wanted, distance, other, strict=True):
            near = [
                members[n]
                for d, n in zip(far.tolist(), who.tolist(), strict=True)
                if d <= within[i] and series[members[n]].station_id != series[i].station_id
            ]
            if len(near) >= 2:
                found[i] = tuple(near[:NEIGHBOURS])
    return found


def look(
    space: Space, desk: Desk | None, edition: int, columns: tuple[Ints, Ints, Floats, Ints], groups: Sequence[Intake]
) -> tuple[Desk, Marks]:
    """Test the rows of a part that is taken for the first time, before it is stored."""
    known = network(edition)
    if desk is None or desk.network is not known:
        desk = _renewed(desk, known)
    series, time, value, number = columns
    at = known.locate(series)
    rows = np.flatnonzero(at >= 0)
    _prime(space, desk, at[rows])
    result = quality.take(
        desk.memory, known.plan, at[rows], time[rows], value[rows], _arrived(space, groups, number[rows])
    )
    _tested[0] += len(rows)
    if _tested[0] > WARM_ROWS:
        _tested[0] = -(2**62)
        threading.Thread(target=quality.warm, name="monitoring-quality", daemon=True).start()
    muted = np.zeros(len(series), np.bool_)
    if known.mutes.any():
        muted[rows] = (result.fail != 0) & known.mutes[at[rows]]
    return desk, Marks(known, rows, result, muted)


def follow(space: Space, desk: Desk | None, columns: tuple[Ints, Ints, Floats, Ints]) -> Bools:
    """Go along with a part that was taken before, by another process or before a restart; which rows no rule saw."""
    series, time, value, _number = columns
    if desk is not None:
        at = desk.network.locate(series)
        rows = np.flatnonzero(at >= 0)
        rows = rows[desk.primed[at[rows]]]
        quality.take(desk.memory, desk.network.plan, at[rows], time[rows], value[rows])
    muted = np.zeros(len(series), np.bool_)
    if not len(series):
        return muted
    flags = ReadingFlag.objects.filter(
        space_id=space.pk, muted=True, time_ms__gte=int(time.min()), time_ms__lte=int(time.max())
    )
    hidden = set(flags.values_list("series_id", "time_ms"))
    if hidden:
        muted[:] = [row in hidden for row in zip(series.tolist(), time.tolist(), strict=True)]
    return muted


def keep(space: Space, series: Ints, time: Ints, value: Floats, marks: Marks, new: Bools) -> int:
    """Write down what is not good of the rows that were new, and what is known only now of readings before them."""
    result, rows = marks.result, marks.rows
    bad = np.flatnonzero(((result.suspect | result.fail) != 0) & new[rows])
    lines = [
        (int(series[r]), int(time[r]), float(value[r]), int(f), int(a), int(b), bool(m))
        for r, f, a, b, m in zip(
            rows[bad].tolist(), result.flags[bad].tolist(), result.suspect[bad].tolist(), result.fail[bad].tolist(),
            marks.muted[rows[bad]].tolist(), strict=True,
        )
    ]  # fmt: skip
    for at, when, a, b in zip(
        result.revised_at.tolist(), result.revised_ms.tolist(), result.revised_suspect.tolist(),
        result.revised_fail.tolist(), strict=True,
    ):  # fmt: skip
        id_ = int(marks.network.ids[at])
        found, what = store.read(space.pk, id_, when, when + 1)
        if len(found):
            lines.append((id_, when, float(what[0]), Flag.FAIL if b else Flag.SUSPECT, a, b, False))
    if lines:
        _write(space.pk, lines)
    return len(lines)


def _write(space_id: int, lines: Sequence[tuple[Any, ...]]) -> None:
    # The greater of two numbers is called differently.
    text = _UPSERT if connection.vendor == "postgresql" else _UPSERT.replace("greatest(", "max(")
    with connection.cursor() as cursor:
        cursor.executemany(text, [(space_id, *line) for line in lines])


_UPSERT = """INSERT INTO monitoring_readingflag (space_id, series_id, time_ms, value, flag, suspect, fail, muted)
 VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (space_id, series_id, time_ms) DO UPDATE SET
 flag = greatest(monitoring_readingflag.flag, excluded.flag),
 suspect = monitoring_readingflag.suspect | excluded.suspect, fail = monitoring_readingflag.fail | excluded.fail"""


def _renewed(desk: Desk | None, known: Network) -> Desk:
    if desk is not None and desk.network.same(known):
        return Desk(known, desk.memory, desk.primed)
    return Desk(known, Memory.fresh(known.plan), np.zeros(len(known.ids), np.bool_))


def _arrived(space: Space, groups: Sequence[Intake], number: Ints) -> Ints:
    """When rows reached the door, by the clock of the space; a file is never late."""
    shared = None if space.kind == SpaceKind.LIVE else round(now(space).timestamp() * 1000)
    moments = [
        NEVER if group.source.startswith("file:") else shared if shared is not None else round(group.received_at.timestamp() * 1000)
        for group in groups
    ]  # fmt: skip
    return np.array(moments, np.int64)[number]


def _prime(space: Space, desk: Desk, at: Ints) -> None:
    """Recall the newest stored readings of series that are met for the first time, and of their neighbours."""
    if desk.primed[at].all():
        return
    met = np.unique(at)
    near = desk.network.plan.neighbours[met]
    met = np.unique(np.concatenate([met, near[near >= 0]]))
    met = met[~desk.primed[met]]
    if not len(met):
        return
    memory = desk.memory
    desk.primed[met] = True
    ids = desk.network.ids[met]
    stored = store.latest(space.pk, ids.tolist())
    met = met[[int(i) in stored for i in ids]]
    if not len(met):
        return
    newest = {int(at_): stored[int(desk.network.ids[at_])][0] for at_ in met}
    interval = np.array([desk.network.limits[at_].interval_s for at_ in met])
    need = np.array([memory.need(int(at_)) for at_ in met])
    # One read for all, over the span that the newest readings should fill; series for which it was too short, one by one.
    first = min(n - int(span) for n, span in zip(newest.values(), (need + 1) * interval * 1000, strict=True))
    first = max(first, max(newest.values()) - 2 * 86_400_000)
    series, times, values = store.read_many(space.pk, desk.network.ids[met].tolist(), first)
    begin = np.searchsorted(series, desk.network.ids[met], side="left")
    end = np.searchsorted(series, desk.network.ids[met], side="right")
    alone = 0
    for at_, a, b, wanted in zip(met.tolist(), begin.tolist(), end.tolist(), need.tolist(), strict=True):
        mine = times[a:b], values[a:b]
        if b - a < wanted and alone < ALONE:
            alone += 1
            mine = store.read(space.pk, int(desk.network.ids[at_]), newest=wanted)
        memory.recall(at_, mine[0][-wanted:], mine[1][-wanted:])
