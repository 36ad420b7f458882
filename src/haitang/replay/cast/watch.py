"""The duty room: acknowledges alarms, drafts warnings from them, raises, lowers, extends and ends them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from haitang.alerting import composing, drafting
from haitang.alerting import services as alerting
from haitang.alerting.models import EventKind, MsgType, State, Warning
from haitang.geo.models import Level, Place
from haitang.journal.models import Entry
from haitang.monitoring import services as monitoring
from haitang.monitoring.models import Alarm, AlarmKind, AlarmState, Colour
from haitang.replay.cast.parts import Part
from haitang.replay.cast.stage import Intent, Stage

PUT_AWAY_MIN = 45.0
AGAIN_MIN = 10.0
"""A draft that was sent back is put forward again after so long."""
# A warning is widened only when so many more townships are concerned, and not more often than that.
MORE_PLACES = 3
WIDEN = timedelta(minutes=60)
# From this share of the townships on the whole district is warned.
MOST = 0.6
EXTEND = timedelta(minutes=40)
UNPUBLISHED = (State.DRAFT, State.SUBMITTED, State.APPROVED)
RISES = ("monitoring.raise", "monitoring.rise")
FALLS = ("monitoring.lower", "monitoring.clear")


def alarms(stage: Stage) -> Iterator[Intent]:
    """Look at every alarm that nobody has looked at, and put away those that are over."""
    if not stage.plays(Part.DUTY):
        return
    rows = Alarm.objects.filter(space=stage.space).select_related("rule", "series")
    active = list(rows.filter(state=AlarmState.ACTIVE).order_by("pk"))
    risen = _last_rise(stage, active)
    for alarm in active:
        since = risen.get(str(alarm.pk), alarm.opened_at)
        name = ("acknowledge", alarm.series.code, alarm.kind, stage.offset(since))
        officer = stage.pick(stage.duty_officers, *name)
        if officer is not None:
            yield Intent(
                stage.after(since, stage.manners.acknowledge_min, *name), stage.key(name),
                partial(monitoring.acknowledge, alarm, by=officer),
            )  # fmt: skip
    for alarm in rows.filter(state=AlarmState.CLEARED).order_by("pk"):
        name = ("close", alarm.series.code, alarm.kind, stage.offset(alarm.opened_at))
        officer = stage.pick(stage.duty_officers, *name)
        if officer is not None and alarm.cleared_at is not None:
            yield Intent(
                stage.after(alarm.cleared_at, PUT_AWAY_MIN, *name), stage.key(name),
                partial(monitoring.close, alarm, by=officer),
            )  # fmt: skip


@dataclass(frozen=True)
class Need:
    """What stands of one kind of event: its gravest alarm, since when, and the townships concerned."""

    kind: EventKind
    alarm: Alarm
    since: datetime
    places: Sequence[Place]

    @property
    def level(self) -> int:
        """The colour as a number, blue 1 to red 4."""
        return Colour(self.alarm.colour).level


def warnings(stage: Stage) -> Iterator[Intent]:
    """Keep one chain of warnings for each kind of event: as grave as the gravest alarm that stands, not graver, not milder."""
    if not stage.plays(Part.DUTY) or not stage.duty_officers:
        return
    needs = {need.kind.pk: need for need in _needs(stage)}
    rows = Warning.objects.filter(space=stage.space).select_related("kind", "place")
    pending = {warning.kind_id: warning for warning in rows.filter(state__in=UNPUBLISHED).order_by("pk")}
    standing = {
        warning.kind_id: warning
        for warning in rows.filter(state=State.PUBLISHED).exclude(msg_type=MsgType.CANCEL).order_by("pk")
    }
    for warning in pending.values():
        yield from _carry_on(stage, warning)
    for kind in sorted({*needs, *standing} - set(pending)):
        yield from _keep(stage, needs.get(kind), standing.get(kind))


def _carry_on(stage: Stage, warning: Warning) -> Iterator[Intent]:
    """Put a draft forward, publish what was approved. What a person drafts is that person's."""
    name = (warning.kind.code, warning.colour, warning.msg_type, stage.offset(warning.composed_at))
    officer = stage.pick(stage.duty_officers, "composes", *name)
    if officer is None:
        return
    if warning.state == State.DRAFT and warning.composed_by_id in {user.pk for user in stage.duty_officers}:
        author = next(user for user in stage.duty_officers if user.pk == warning.composed_by_id)
        back = warning.submitted_at is not None
        since = (warning.submitted_at if back else None) or warning.composed_at
        yield Intent(
            stage.after(since, AGAIN_MIN if back else stage.manners.submit_min, "submit", *name),
            stage.key(("submit", *name)), partial(alerting.submit, warning, by=author),
        )  # fmt: skip
    elif warning.state == State.APPROVED and warning.approved_at is not None:
        yield Intent(
            stage.after(warning.approved_at, stage.manners.publish_min, "publish", *name), stage.key(("publish", *name)),
            partial(alerting.publish, warning, by=officer),
        )  # fmt: skip


def _keep(stage: Stage, need: Need | None, standing: Warning | None) -> Iterator[Intent]:
    if standing is None:
        if need is not None:
            yield _first(stage, need)
        return
    level, manners = Colour(standing.colour).level, stage.manners
    if need is not None and need.level > level:
        yield _change(
            stage, standing, "raise", need.since, manners.draft_min, colour=need.alarm.colour, places=need.places
        )
        return
    ending = standing.expires - EXTEND
    if need is None or need.level < level:
        since = standing.published_at or standing.composed_at
        calm = max(_last_fall(stage, standing.kind, level) or since, since)
        at = min(calm + timedelta(minutes=manners.calm_min), ending)
        if need is None:
            yield _end(stage, standing, at)
        else:
            yield _change(stage, standing, "lower", at, manners.draft_min, colour=need.alarm.colour)
        return
    known = {place.pk for place in composing.townships_of(standing)}
    more = [place for place in need.places if place.pk not in known]
    if len(more) >= MORE_PLACES:
        since = max(need.since, (standing.published_at or need.since) + WIDEN)
        yield _change(stage, standing, "widen", min(since, ending), manners.draft_min, places=need.places)
    else:
        yield _change(stage, standing, "extend", ending, 1.0)


def _first(stage: Stage, need: Need) -> Intent:
    name = ("draft", need.kind.code, need.alarm.colour, stage.offset(need.since))
    officer = stage.pick(stage.duty_officers, *name)
    assert officer is not None
    return Intent(
        stage.after(need.since, stage.manners.draft_min, *name), stage.key(name),
        lambda: alerting.draft_from_alarm(need.alarm, by=officer, kind=need.kind, places=_area(need.places)),
    )  # fmt: skip


def _change(
    stage: Stage, standing: Warning, why: str, since: datetime, minutes: float, *, colour: str | None = None,
    places: Sequence[Place] | None = None,
) -> Intent:  # fmt: skip
    name = (why, standing.kind.code, colour or standing.colour, stage.offset(since))
    officer = stage.pick(stage.duty_officers, *name)
    assert officer is not None
    area = None if places is None else _area([*places, *composing.townships_of(standing)])
    return Intent(
        stage.after(since, minutes, *name), stage.key(name),
        lambda: alerting.update(standing, by=officer, colour=colour, places=area),
    )  # fmt: skip


def _end(stage: Stage, standing: Warning, at: datetime) -> Intent:
    name = ("cancel", standing.kind.code, stage.offset(at))
    officer = stage.pick(stage.duty_officers, *name)
    assert officer is not None
    return Intent(
        stage.after(at, stage.manners.draft_min, *name), stage.key(name),
        lambda: alerting.cancel(standing, by=officer, reason_zh="监测数据已降至预警标准以下", reason_en="Readings have fallen below the thresholds"),
    )  # fmt: skip


def _needs(stage: Stage) -> Iterator[Need]:
    """What alarms ask for, by kind of event. Two queries when nothing is new."""
    standing = Alarm.objects.filter(
        space=stage.space, state__in=(AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED), kind=AlarmKind.THRESHOLD
    )
    by_kind: defaultdict[int, list[Alarm]] = defaultdict(list)
    kinds: dict[int, EventKind] = {}
    for alarm in standing.select_related("series", "place", "space").order_by("pk"):
        kind = stage.keep(("kind", alarm.series.quantity), partial(drafting.kind_of_quantity, alarm.series.quantity))
        if kind is not None:
            kinds[kind.pk] = kind
            by_kind[kind.pk].append(alarm)
    risen = _last_rise(stage, [alarm for found in by_kind.values() for alarm in found])
    for pk, found in by_kind.items():
        top = max(Colour(alarm.colour).level for alarm in found)
        gravest = [alarm for alarm in found if Colour(alarm.colour).level == top]
        # The one that was there first: what came later of the same colour changes nothing.
        first = min(gravest, key=lambda alarm: (risen.get(str(alarm.pk), alarm.opened_at), alarm.series.code))
        places = {alarm.place.pk: alarm.place for alarm in found if alarm.place is not None}
        if kinds[pk].hazard in stage.directions.wide:
            places = {root.pk: root for root in stage.keep("roots", _districts)}
        under = stage.keep(("under", frozenset(places)), partial(composing.townships_under, list(places.values())))
        yield Need(kinds[pk], first, risen.get(str(first.pk), first.opened_at), under)


def _districts() -> list[Place]:
    return list(Place.objects.filter(parent=None, level=Level.DISTRICT))


def _area(places: Sequence[Place]) -> list[Place]:
    """The townships, or the whole district where most of them are concerned."""
    chosen = {place.pk: place for place in places}
    if not chosen:
        return []
    root = next(iter(chosen.values()))
    root = root.ancestors().first() or root
    everywhere = Place.objects.filter(level=Level.TOWNSHIP, path__startswith=root.path).count()
    if everywhere and len(chosen) >= MOST * everywhere:
        return [root]
    return sorted(chosen.values(), key=lambda place: place.path)


def _last_rise(stage: Stage, found: Sequence[Alarm]) -> dict[str, datetime]:
    """When each alarm last took on a graver colour. One query."""
    if not found:
        return {}
    rows = Entry.objects.filter(
        space=stage.space,
        subject_type="monitoring.alarm",
        subject_id__in=[str(alarm.pk) for alarm in found],
        verb__in=RISES,
    )
    return dict(rows.order_by("seq").values_list("subject_id", "at"))


def _last_fall(stage: Stage, kind: EventKind, level: int) -> datetime | None:
    """When the last alarm of a kind left a colour at least so grave. One query."""
    numbers = Alarm.objects.filter(
        space=stage.space, series__quantity__in=kind.quantities, peak_colour__in=_from(level)
    )
    alarms = {str(pk) for pk in numbers.values_list("pk", flat=True)}
    rows = Entry.objects.filter(space=stage.space, subject_type="monitoring.alarm", verb__in=FALLS).order_by("-seq")
    for subject, verb, at, colour, before in rows.values_list("subject_id", "verb", "at", "colour", "before"):
        left = str((before or {}).get("colour", "")) if verb == "monitoring.lower" else colour
        if subject in alarms and left in Colour.values and Colour(left).level >= level:
            return at
    return None


def _from(level: int) -> list[str]:
    return [colour.value for colour in Colour if colour.level >= level]
