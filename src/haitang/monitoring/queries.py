"""What pages, layers and the API read of monitoring. Everything starts from `visible_to`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.utils import timezone

from haitang.journal.models import Entry
from haitang.monitoring import engine, store
from haitang.monitoring.alarms import at
from haitang.monitoring.models import Alarm, Colour, Episode, IngestCount, Intake, Series
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.models.readings import Outcome
from haitang.monitoring.quantities import figure
from haitang.spaces.clock import now
from haitang.spaces.models import Space

STALE = 3
"""A series that has sent nothing for so many of its intervals is called stale."""


@dataclass(frozen=True)
class SeriesNow:
    """One series as it stands: the newest reading, and the colour of its open alarms."""

    series: Series
    at: datetime | None
    value: float | None
    colour: str
    is_stale: bool

    @property
    def figure(self) -> str:
        """The value with as many digits as mean something."""
        return figure(self.value)


def ms(moment: datetime) -> int:
    """An aware time as milliseconds since 1970."""
    return round(moment.astimezone(UTC).timestamp() * 1000)


def standing(space: Space, moment: datetime | None = None) -> QuerySet[Alarm]:
    """Alarms that stand: now, or at an earlier moment."""
    rows = Alarm.objects.filter(space=space)
    if moment is None:
        return rows.filter(state__in=OPEN)
    return rows.filter(opened_at__lte=moment).filter(Q(cleared_at=None) | Q(cleared_at__gt=moment))


def colours_at(alarms: Iterable[int], moment: datetime) -> dict[int, Colour]:
    """Which colour each of these alarms had at a moment, by the journal. One query."""
    ids = {str(pk) for pk in alarms}
    entries = Entry.objects.filter(
        subject_type=Alarm._meta.label_lower, subject_id__in=ids,
        verb__in=("monitoring.raise", "monitoring.rise", "monitoring.lower"),
    )  # fmt: skip
    colours: dict[int, Colour] = {}
    for subject, after in entries.order_by("id").values_list("subject_id", "after"):
        since = datetime.fromisoformat(after["at"])
        if since <= moment or int(subject) not in colours:
            colours[int(subject)] = Colour(after["colour"])
    return colours


def highest(rows: QuerySet[Alarm], by: str, moment: datetime | None = None) -> dict[int, Colour]:
    """The highest colour of these alarms by station or series, now or at an earlier moment."""
    if moment is None:
        found = rows.order_by().values_list(by).annotate(top=Max("level"))
        return {key: Colour.of(level) for key, level in found}
    keys = dict(rows.order_by().values_list("pk", by))
    top: dict[int, Colour] = {}
    for pk, colour in colours_at(keys, moment).items():
        key = keys[pk]
        top[key] = max(colour, top.get(key, colour), key=lambda each: each.level)
    return top


def series_now(space: Space, series: Sequence[Series], moment: datetime | None = None) -> list[SeriesNow]:
    """Each series with its newest reading at or before a moment (now). Two queries for all, three for the past."""
    present = moment or now(space)
    found = store.latest(space.pk, [each.pk for each in series], ms(moment) if moment else store.FOREVER_MS)
    colours = highest(standing(space, moment).filter(series__in=[each.pk for each in series]), "series", moment)
    result = []
    for each in series:
        time, value = found.get(each.pk, (None, None))
        when = None if time is None else at(time)
        stale = when is None or present - when > timedelta(seconds=each.interval_s * STALE)
        result.append(SeriesNow(each, when, value, colours.get(each.pk, ""), stale))
    return result


@dataclass(frozen=True)
class SourceHealth:
    """One sender over the last day: readings by outcome."""

    source: str
    counts: Mapping[str, int]
    last_hour: datetime

    @property
    def accepted(self) -> int:
        """Readings stored."""
        return self.counts.get(Outcome.ACCEPTED, 0)

    @property
    def refused(self) -> int:
        """Readings and bodies refused for any reason."""
        kept = {Outcome.ACCEPTED.value, Outcome.LATE.value, Outcome.DUPLICATE.value}
        return sum(number for outcome, number in self.counts.items() if outcome not in kept)


def health(space: Space, user: Any, hours: int = 24) -> list[SourceHealth]:
    """What each sender sent in the last hours, the busiest first."""
    since = timezone.now() - timedelta(hours=hours)
    rows = (
        IngestCount.objects.visible_to(user)
        .filter(space=space, hour__gt=since)
        .values_list("source", "outcome")
        .annotate(number=Sum("count"), last=Max("hour"))
    )
    sources: dict[str, dict[str, int]] = {}
    last: dict[str, datetime] = {}
    for source, outcome, number, hour in rows:
        sources.setdefault(source, {})[outcome] = number
        last[source] = max(hour, last.get(source, hour))
    found = [SourceHealth(source, counts, last[source]) for source, counts in sources.items()]
    return sorted(found, key=lambda each: -each.accepted)


@dataclass(frozen=True)
class Lag:
    """How far evaluation is behind the door."""

    waiting: int
    since: datetime | None
    last_received: datetime | None


def lag(space: Space) -> Lag:
    """Readings received and not judged yet."""
    waiting, since = engine.backlog(space)
    last = Intake.objects.filter(space=space).order_by("-id").values_list("received_at", flat=True).first()
    return Lag(waiting, since, last)


@dataclass(frozen=True)
class Grouped:
    """Alarms of one event as one line: the event, how many, how many nobody has acknowledged, and the gravest of them."""

    episode: Episode | None
    number: int
    active: int
    level: int
    last_at: datetime
    alarm: Alarm

    @property
    def colour(self) -> str:
        """The gravest colour now."""
        return str(Colour.of(self.level).value)

    @property
    def colour_label(self) -> str:
        """The gravest colour's name."""
        return str(Colour.of(self.level).label)

    @property
    def key(self) -> str:
        """A new highest colour is a new line."""
        return f"episode-{self.episode.pk}-{self.level}" if self.episode else f"alarm-{self.alarm.pk}"


class grouped(Sequence[Grouped]):  # noqa: N801 - used like a function; a list that reads only the page asked for
    """These alarms by event, the gravest first. Two queries for a page, one for the length."""

    def __init__(self, rows: QuerySet[Alarm]) -> None:
        self._rows = rows.order_by()
        self._groups = (
            self._rows.values("episode")
            .annotate(
                number=Count("pk"), active=Count("pk", filter=Q(state="active")), top=Max("level"), last=Max("opened_at"), newest=Max("pk")
            )
            .order_by("-top", "-last", "-newest")
        )  # fmt: skip

    def __len__(self) -> int:
        return self._groups.count()

    def __getitem__(self, part: Any) -> Any:
        if not isinstance(part, slice):
            return self[part : part + 1][0]
        found = list(self._groups[part])
        tops = Q(pk__in=())
        for each in found:
            tops |= Q(episode=each["episode"], level=each["top"])
        # One of the gravest of each event: the newest.
        newest = [each["newest"] for each in self._rows.filter(tops).values("episode").annotate(newest=Max("pk"))]
        rows = self._rows.filter(pk__in=newest).select_related("station", "place", "series", "episode__place")
        alarms = {alarm.episode_id: alarm for alarm in rows.defer("station__geometry")}
        return [
            Grouped(alarms[each["episode"]].episode, each["number"], each["active"], each["top"], each["last"], alarms[each["episode"]])
            for each in found if each["episode"] in alarms
        ]  # fmt: skip
