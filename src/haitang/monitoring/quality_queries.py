"""What pages and exports read of the quality of readings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, F, Max, Q, QuerySet
from django.utils import timezone

from haitang.monitoring import store
from haitang.monitoring.alarms import at
from haitang.monitoring.flagging import ZONE_S
from haitang.monitoring.models import Alarm, QualityFlag, ReadingFlag, Series
from haitang.monitoring.models.quality import TEST_NAMES
from haitang.monitoring.quality import tests_in
from haitang.spaces.models import Space

DAY_MS = 86_400_000
SHIFT_MS = ZONE_S * 1000


def names(suspect: int, fail: int) -> list[str]:
    """The tests of both masks in words."""
    return [str(TEST_NAMES[test]) for test in tests_in(suspect | fail)]


@dataclass
class Share:
    """How many readings of a span there are, and how many of them are not good."""

    total: int = 0
    suspect: int = 0
    fail: int = 0

    @property
    def good(self) -> int:
        """Readings that no test spoke against."""
        return max(0, self.total - self.suspect - self.fail)

    @property
    def good_share(self) -> float | None:
        """The good ones as a share; None without readings."""
        return self.good / self.total if self.total else None

    @property
    def colour(self) -> str:
        """What the cell wears."""
        if not self.total:
            return "grey"
        bad = (self.suspect + self.fail) / self.total
        return "green" if bad < 0.01 else "yellow" if bad < 0.1 else "orange"


@dataclass
class Line:
    """One series on the page: its shares by day and together, what was found, when last."""

    series: Series
    days: list[Share]
    whole: Share = field(default_factory=Share)
    tests: list[str] = field(default_factory=list)
    last: datetime | None = None


def flags(space: Space, series: Iterable[int], start_ms: int, end_ms: int) -> QuerySet[ReadingFlag]:
    """Readings of these series in [start, end) that are not good."""
    return ReadingFlag.objects.filter(
        space_id=space.pk, series_id__in=series, time_ms__gte=start_ms, time_ms__lt=end_ms
    )


def worst(rows: QuerySet[ReadingFlag]) -> list[int]:
    """Series ids by how many of their readings failed and are suspect, the worst first."""
    found = rows.values_list("series_id").annotate(
        failed=Count("time_ms", filter=Q(flag=QualityFlag.FAIL)), all=Count("time_ms"), last=Max("time_ms")
    )
    return [series for series, *_ in found.order_by("-failed", "-all", "series_id")]


def day_of(moment: datetime) -> int:
    """The number of the local day a moment lies in."""
    return (round(moment.timestamp() * 1000) + SHIFT_MS) // DAY_MS


def day_start(day: int) -> int:
    """When a local day begins, in milliseconds."""
    return day * DAY_MS - SHIFT_MS


def lines(space: Space, series: Sequence[Series], last_day: int, days: int) -> list[Line]:
    """Shares by local day of these series, in their order."""
    first = last_day - days + 1
    start, end = day_start(first), day_start(last_day + 1)
    ids = [each.pk for each in series]
    found = {each.pk: Line(each, [Share() for _ in range(days)]) for each in series}
    which, time, _value = store.read_many(space.pk, ids, start, end)
    for id_ in ids:
        a, b = np.searchsorted(which, id_, "left"), np.searchsorted(which, id_, "right")
        number = np.bincount((time[a:b] + SHIFT_MS) // DAY_MS - first, minlength=days)
        for share, total in zip(found[id_].days, number.tolist(), strict=True):
            share.total = total
    rows = flags(space, ids, start, end).annotate(day=(F("time_ms") + SHIFT_MS) / DAY_MS)
    masks: defaultdict[int, set[str]] = defaultdict(set)
    grouped = (
        rows.order_by()
        .values_list("series_id", "day", "flag", "suspect", "fail")
        .annotate(Count("time_ms"), Max("time_ms"))
    )
    for id_, day, flag, suspect, fail, count, last in grouped:
        share, line = found[id_].days[int(day) - first], found[id_]
        if flag == QualityFlag.FAIL:
            share.fail += count
        else:
            share.suspect += count
        masks[id_].update(names(suspect, fail))
        line.last = max(line.last or at(last), at(last))
    for line in found.values():
        line.tests = sorted(masks[line.series.pk])
        for share in line.days:
            for name in ("total", "suspect", "fail"):
                setattr(line.whole, name, getattr(line.whole, name) + getattr(share, name))
    return list(found.values())


def doubtful(space: Space, alarms: Iterable[Alarm]) -> set[int]:
    """Alarms whose first or highest reading is suspect or failed. One query."""
    asked = {
        (alarm.series_id, round(moment.timestamp() * 1000)): alarm.pk
        for alarm in alarms
        for moment in (alarm.opened_at, alarm.peak_at)
    }
    if not asked:
        return set()
    rows = ReadingFlag.objects.filter(
        space_id=space.pk, series_id__in={s for s, _ in asked}, time_ms__in={t for _, t in asked},
        flag__gte=QualityFlag.SUSPECT,
    ).values_list("series_id", "time_ms")  # fmt: skip
    return {asked[key] for key in rows if key in asked}


def csv_rows(space: Space, series: Sequence[Series], start_ms: int, end_ms: int, flag: int = 0, most: int = 100_000) -> Iterator[list[str]]:  # fmt: skip
    """Flagged readings as rows of a table, the newest first."""
    codes = {each.pk: each.code for each in series}
    rows = flags(space, list(codes), start_ms, end_ms)
    if flag:
        rows = rows.filter(flag=flag)
    yield ["series", "time", "value", "flag", "tests"]
    for row in rows.order_by("-time_ms", "series_id")[:most].iterator(chunk_size=2000):
        when = timezone.localtime(at(row.time_ms)).isoformat()
        tests = "|".join(test.name.lower() for test in tests_in(row.suspect | row.fail))
        yield [codes[row.series_id], when, repr(row.value), str(row.flag), tests]


def span(now: datetime, days: int) -> tuple[int, int, int]:
    """The last so many local days: number of the last, start and end in milliseconds."""
    last = day_of(now + timedelta(minutes=5))
    return last, day_start(last - days + 1), day_start(last + 1)
