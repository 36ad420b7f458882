"""How warnings did: how fast they went out, arrived and were answered, whom they reached, and whether they came true.

Reads only. In an exercise all times are the exercise's, so a replayed day can be judged like a real one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from haitang.accounts.models import OrganisationKind, User
from haitang.alerting import answers, composing, measure, verification
from haitang.alerting.colours import Colour
from haitang.alerting.dissemination import ANSWER
from haitang.alerting.models import OPEN_STATES, EventKind, MsgType, Warning
from haitang.alerting.verification import Span, Table
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery
from haitang.delivery.states import REACHED
from haitang.geo.models import Level, Place
from haitang.monitoring.models import Alarm, AlarmKind
from haitang.obligations.models import Obligation
from haitang.spaces.clock import now
from haitang.spaces.models import Space

Reader = User | AnonymousUser
MOST = 2000
# Told because of their office, wherever they sit.
BY_OFFICE = frozenset({OrganisationKind.COMMAND, OrganisationKind.DEPARTMENT, OrganisationKind.GOVERNMENT})
# What had begun before a warning is looked for so long before it.
BEFORE = timedelta(days=1)


# -- one warning ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """What became of a warning's letters on one channel; times in seconds after publication."""

    channel: str
    letters: int
    reached: int
    answered: int
    failed: int
    first_s: float | None
    times: Mapping[float, float | None]

    @property
    def label(self) -> Any:
        """The channel's name."""
        return CHANNELS[self.channel].label if self.channel in CHANNELS else self.channel

    @property
    def icon(self) -> str:
        """The channel's sign."""
        return CHANNELS[self.channel].icon if self.channel in CHANNELS else "send"

    @property
    def first(self) -> str:
        """Until the first arrived, in words."""
        return answers.span(self.first_s)

    @property
    def spans(self) -> list[str]:
        """Until 50, 90, 95 % had arrived, in words."""
        return [answers.span(self.times[share]) for share in measure.SHARES]


@dataclass(frozen=True)
class Measured:
    """One warning in figures."""

    warning: Warning
    # From the cause (or the draft, where there was none) to publication.
    issue_s: float | None
    ways: Sequence[Way]
    all: Way
    answers: measure.Answers
    # People who live in the area; persons and bodies with an address there; reached; who confirmed. None: not known.
    population: int | None
    located: int
    reached: int
    confirmed: int
    # Reached outside the warned area, though not by office.
    astray: int
    wave_s: Sequence[tuple[int, int, float | None]] = field(default_factory=tuple)

    @property
    def issue(self) -> str:
        """Decision to issue, in words."""
        return answers.span(self.issue_s)

    @property
    def answer_spans(self) -> list[str]:
        """Until 50, 90, 95 % had answered, in words."""
        return [answers.span(self.answers.seconds_to[share]) for share in measure.SHARES]


def about(warning: Warning) -> Q:
    """The deliveries of a warning: of itself and of the answers asked for."""
    asked = [str(pk) for pk in answers.asked(warning).values_list("pk", flat=True)]
    return Q(message__about_type="alerting.warning", message__about_id=str(warning.pk)) | Q(
        message__about_type=Obligation._meta.label_lower, message__about_id__in=asked
    )


def measured(warning: Warning, user: Reader) -> Measured:
    """Measure one published warning, within the reader's scope. About eight queries."""
    start = warning.published_at
    townships = composing.townships_of(warning)
    rows = list(
        Delivery.objects.visible_to(user).filter(about(warning)).order_by().values_list(
            "channel", "state", "delivered_at", "answered_at", "address", "organisation__place__path", "message__data", "organisation__kind"
        )
    )  # fmt: skip
    by_channel: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_channel[row[0]].append(row)
    ways = [_way(channel, start, found) for channel, found in sorted(by_channel.items())]
    paths = [place.path for place in townships]
    seen = answers.asked(warning).filter(pk__in=Obligation.objects.visible_to(user).values("pk"))
    done = [one.done_at for one in seen]
    people = [place.population for place in townships]
    return Measured(
        warning=warning,
        issue_s=_issue_s(warning),
        ways=ways,
        all=_way("", start, rows),
        answers=measure.answers(start, done) if start else measure.Answers(0, 0, dict.fromkeys(measure.SHARES)),
        population=sum(p for p in people if p) if people and all(p is not None for p in people) else None,
        located=len({row[4] for row in rows if row[4]}),
        reached=len({row[4] for row in rows if row[4] and row[1] in REACHED}),
        confirmed=sum(at is not None for at in done),
        astray=len(
            {
                row[4]
                for row in rows
                if row[1] in REACHED and row[5] and row[7] not in BY_OFFICE and not _belongs(row[5], paths)
            }
        ),
        wave_s=_waves(start, rows),
    )


def _belongs(path: str, warned: Sequence[str]) -> bool:
    """Whether an office at a place has to do with the warned places: in one, or above one."""
    return any(path.startswith(place) or place.startswith(path) for place in warned)


def _issue_s(warning: Warning) -> float | None:
    began = warning.cause_at if warning.cause_at and not warning.parent_id else warning.composed_at
    return (warning.published_at - began).total_seconds() if warning.published_at and began else None


def _way(channel: str, start: datetime | None, rows: Sequence[Any]) -> Way:
    at = [row[2] if row[1] in REACHED else None for row in rows]
    found = measure.answers(start, at) if start else measure.Answers(len(rows), 0, dict.fromkeys(measure.SHARES))
    arrived = [moment for moment in at if moment is not None]
    first = max(0.0, (min(arrived) - start).total_seconds()) if arrived and start else None
    return Way(
        channel,
        len(rows),
        found.answered,
        sum(row[3] is not None for row in rows),
        sum(row[1] == "failed" for row in rows),
        first,
        found.seconds_to,
    )


def _waves(start: datetime | None, rows: Sequence[Any]) -> list[tuple[int, int, float | None]]:
    """For each wave: letters, and seconds until half of them had arrived."""
    waves: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        waves[int((row[6] or {}).get("wave", 0))].append(row)
    if len(waves) < 2 or start is None:
        return []
    return [(number, len(found), _way("", start, found).times[0.5]) for number, found in sorted(waves.items())]


# -- a year -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One warning in the year's list."""

    warning: Warning
    issue_s: float | None
    letters: int
    reached: int
    first_s: float | None
    half_s: float | None
    most_s: float | None
    asked: int
    answered: int
    answer_half_s: float | None
    answer_most_s: float | None

    @property
    def spans(self) -> list[str]:
        """Issue, first receipt, 50 % and 95 % receipt, 50 % and 95 % answer, in words."""
        figures = (self.issue_s, self.first_s, self.half_s, self.most_s, self.answer_half_s, self.answer_most_s)
        return [answers.span(each) for each in figures]


@dataclass(frozen=True)
class Verdict:
    """The table of one hazard at one colour and graver."""

    hazard: str
    name: str
    colour: Colour
    table: Table

    @property
    def shares(self) -> list[int | None]:
        """POD, FAR, CSI in per cent."""
        return [verification.percent(each) for each in (self.table.pod, self.table.far, self.table.csi)]

    @property
    def lead(self) -> str:
        """Median lead time in words."""
        return answers.span(self.table.lead_s)


@dataclass(frozen=True)
class Happening:
    """One event with what the warnings made of it, for the list."""

    at: datetime
    hazard: str
    place: Place | None
    colour: Colour
    verdict: str
    lead: str
    url: str


@dataclass(frozen=True)
class Year:
    """All warnings of a year that the reader sees, in figures."""

    space: Space
    year: int
    lines: Sequence[Line]
    verdicts: Sequence[Verdict]
    happenings: Sequence[Happening]
    false_alarms: Sequence[tuple[datetime, str, Place | None, Warning | None]]

    @property
    def total(self) -> Table:
        """All hazards at their lowest colour."""
        lowest: dict[str, Verdict] = {}
        for each in self.verdicts:
            if each.hazard not in lowest or each.colour.rank < lowest[each.hazard].colour.rank:
                lowest[each.hazard] = each
        return sum((each.table for each in lowest.values()), Table())

    def typical(self, name: str) -> str:
        """The median over the warnings of one of a line's times, in words."""
        from statistics import median

        found = [value for line in self.lines if (value := getattr(line, name)) is not None]
        return answers.span(median(found)) if found else ""


def published(space: Space, user: Reader) -> QuerySet[Warning]:
    """The published warnings of a space that a reader sees."""
    rows = Warning.objects.visible_to(user).filter(space=space, state__in=OPEN_STATES, published_at__isnull=False)
    return rows.select_related("kind", "space", "place", "owner", "root").defer("cap_xml", "root__cap_xml")


def years(space: Space, user: Reader) -> list[int]:
    """The years in which warnings were published, newest first; this one always. One query."""
    found = {timezone.localtime(at).year for at in published(space, user).values_list("published_at", flat=True)}
    return sorted(found | {timezone.localtime(now(space)).year}, reverse=True)


def of_year(space: Space, user: Reader, year: int, hazard: str = "") -> Year:
    """Measure and verify a year (of the space's own time), perhaps one hazard alone. About ten queries, however many warnings."""
    zone = timezone.get_default_timezone()
    begin, end = datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 1, 1, tzinfo=zone)
    rows = published(space, user).filter(published_at__gte=begin, published_at__lt=end)
    if hazard:
        rows = rows.filter(kind__hazard=hazard)
    warnings = list(rows.order_by("-published_at", "-pk")[:MOST])
    areas = _areas(warnings)
    # One present for all: what stands until now is not false yet.
    at = now(space)
    forecasts = _forecasts(warnings, areas, at)
    events, places, urls = _events(space, user, begin, end, hazard)
    found = verification.by_hazard_and_rank(forecasts, events, until=at)
    names = _hazard_names()
    by_rank = {colour.rank: colour for colour in Colour}
    places |= {place.code: place for reached in areas.values() for place in reached}
    lowest = {name: min(rank for known, rank in found if known == name) for name, _rank in found}
    happenings, wrong = [], []
    known = {str(warning.pk): warning for warning in warnings}
    for (name, rank), each in found.items():
        if rank != lowest[name]:
            continue
        happenings += [
            Happening(seen.event.start, names.get(name, name), places.get(seen.event.place), by_rank[seen.event.rank], seen.verdict,
                      answers.span(seen.lead_s), urls.get(seen.event.name, ""))
            for seen in each.seen
        ]  # fmt: skip
        wrong += [
            (span.start, names.get(name, name), places.get(span.place), known.get(span.name))
            for span in each.false_alarms
        ]
    return Year(
        space, year, _lines(warnings, user),
        [Verdict(name, names.get(name, name), by_rank[rank], each.table) for (name, rank), each in found.items()],
        sorted(happenings, key=lambda each: each.at, reverse=True), sorted(wrong, key=lambda each: each[0], reverse=True),
    )  # fmt: skip


def judged(warning: Warning, user: Reader) -> list[Happening]:
    """What happened in the area of one warning (and those it followed and that follow it), and whether it was told in time."""
    root = warning.root_id or warning.pk
    chain = list(published(warning.space, user).filter(Q(pk=root) | Q(root=root)).order_by("published_at"))
    if not chain:
        return []
    areas = _areas(chain)
    at = now(warning.space)
    forecasts = _forecasts(chain, areas, at)
    places = {place.code: place for reached in areas.values() for place in reached}
    begin = min(each.published_at for each in chain if each.published_at)
    end = max((span.end for span in forecasts), default=begin)
    events, _places, urls = _events(warning.space, user, begin - BEFORE, end, warning.kind.hazard)
    here = [event for event in events if event.place in places]
    lowest = min((span.rank for span in forecasts), default=1)
    found = verification.verify(forecasts, here, lowest, until=at)
    by_rank = {colour.rank: colour for colour in Colour}
    name = warning.kind.name
    rows = [
        Happening(seen.event.start, name, places[seen.event.place], by_rank[seen.event.rank], seen.verdict, answers.span(seen.lead_s),
                  urls.get(seen.event.name, ""))
        for seen in found.seen if seen.verdict != "miss"
    ]  # fmt: skip
    rows += [
        Happening(span.start, name, places[span.place], by_rank[span.rank], "false", "", "")
        for span in found.false_alarms
    ]
    return sorted(rows, key=lambda each: each.at)


def _hazard_names() -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in EventKind.objects.order_by("code"):
        found.setdefault(kind.hazard, kind.name)
    return found


def _areas(warnings: Sequence[Warning]) -> dict[int, list[Place]]:
    """The townships of many warnings. Two queries."""
    from haitang.alerting.models import WarningPlace

    townships = list(Place.objects.filter(level=Level.TOWNSHIP).order_by("path"))
    found: dict[int, dict[str, Place]] = {warning.pk: {} for warning in warnings}
    for pk, path in WarningPlace.objects.filter(warning__in=warnings).values_list("warning", "place__path"):
        for place in townships:
            if place.path.startswith(path) or path.startswith(place.path):
                found[pk][place.code] = place
    return {pk: list(places.values()) for pk, places in found.items()}


def _forecasts(warnings: Iterable[Warning], areas: Mapping[int, Sequence[Place]], at: datetime) -> list[Span]:
    spans = []
    for warning in warnings:
        if warning.msg_type == MsgType.CANCEL or warning.published_at is None:
            continue
        end = min(warning.ended_at or warning.expires, at)
        begin, rank = warning.published_at, warning.hue.rank
        spans += [
            Span(warning.kind.hazard, place.code, rank, begin, max(end, begin), str(warning.pk))
            for place in areas[warning.pk]
        ]
    return spans


def _events(
    space: Space, user: Reader, begin: datetime, end: datetime, hazard: str
) -> tuple[list[Span], dict[str, Place], dict[str, str]]:
    """What happened: alarms of thresholds crossed, by the hazard that their quantity announces and the township. Three queries."""
    hazards: dict[str, set[str]] = defaultdict(set)
    for kind in EventKind.objects.filter(is_active=True):
        for quantity in kind.quantities:
            if not hazard or kind.hazard == hazard:
                hazards[quantity].add(kind.hazard)
    townships = {place.path: place for place in Place.objects.filter(level=Level.TOWNSHIP)}
    alarms = Alarm.objects.visible_to(user).filter(
        space=space, kind=AlarmKind.THRESHOLD, opened_at__gte=begin, opened_at__lt=end, place__isnull=False
    )
    spans: list[Span] = []
    urls: dict[str, str] = {}
    at = now(space)
    for alarm in alarms.select_related("series", "place").order_by("opened_at")[: 10 * MOST]:
        assert alarm.place is not None
        place = next((found for path, found in townships.items() if alarm.place.path.startswith(path)), None)
        if place is None:
            continue
        stop = alarm.cleared_at or alarm.closed_at or at
        begin, rank = alarm.opened_at, Colour(alarm.peak_colour).rank
        spans += [
            Span(name, place.code, rank, begin, max(stop, begin), str(alarm.pk))
            for name in sorted(hazards.get(alarm.series.quantity, ()))
        ]
        urls[str(alarm.pk)] = alarm.get_absolute_url()
    return spans, {place.code: place for place in townships.values()}, urls


def _lines(warnings: Sequence[Warning], user: Reader) -> list[Line]:
    """The figures of many warnings at once. Three queries."""
    keys = [str(warning.pk) for warning in warnings]
    asked: dict[str, list[datetime | None]] = defaultdict(list)
    owners: dict[str, str] = {}
    rows = Obligation.objects.visible_to(user).filter(kind=ANSWER, subject_type="alerting.warning", subject_id__in=keys)
    for pk, warning, done in rows.order_by().values_list("pk", "subject_id", "done_at"):
        asked[warning].append(done)
        owners[str(pk)] = warning
    arrived: dict[str, list[datetime | None]] = defaultdict(list)
    found = Delivery.objects.visible_to(user).exclude(address="").order_by()
    direct = found.filter(message__about_type="alerting.warning", message__about_id__in=keys)
    indirect = found.filter(message__about_type=Obligation._meta.label_lower, message__about_id__in=list(owners))
    names = ("message__about_type", "message__about_id", "state", "delivered_at")
    for kind, name, state, at in (*direct.values_list(*names), *indirect.values_list(*names)):
        warning = name if kind == "alerting.warning" else owners[name]
        arrived[warning].append(at if state in REACHED else None)
    return [_line(warning, arrived[str(warning.pk)], asked[str(warning.pk)]) for warning in warnings]


def _line(warning: Warning, arrived: Sequence[datetime | None], done: Sequence[datetime | None]) -> Line:
    assert warning.published_at is not None
    start = warning.published_at
    receipt, answer = measure.answers(start, arrived), measure.answers(start, done)
    seconds = [(at - start).total_seconds() for at in arrived if at is not None]
    return Line(
        warning, _issue_s(warning), receipt.asked, receipt.answered, max(0.0, min(seconds)) if seconds else None,
        receipt.seconds_to[0.5], receipt.seconds_to[0.95], answer.asked, answer.answered, answer.seconds_to[0.5], answer.seconds_to[0.95],
    )  # fmt: skip
