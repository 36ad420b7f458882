"""Events: which alarms belong together, and reports from the field about the same thing."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.geo.models import Level, Place
from haitang.journal.services import record
from haitang.monitoring.impact import hazard_of
from haitang.monitoring.models import Alarm, AlarmKind, Colour, Episode, Evaluator, Hazard
from haitang.monitoring.models.alarms import OPEN
from haitang.spaces.clock import now
from haitang.spaces.models import Space

TOLD = Colour.ORANGE.level
"""From this colour on a rise of an event of several alarms has a line of its own in the journal; else the alarms' lines say it."""
GAP = timedelta(hours=6)
"""An event without open alarms goes on for so long after its last change; what comes later is another event."""


def hazard(alarm: Alarm) -> str:
    """What the alarm speaks of."""
    return str(Hazard.SILENCE if alarm.kind == AlarmKind.SILENCE else hazard_of(alarm.series.quantity))


def township(place: Place | None) -> Place | None:
    """The township that a place is or lies in; a district stays itself. A query where it lies deeper."""
    while place is not None and place.level in {Level.VILLAGE, Level.GRID} and place.parent is not None:
        place = place.parent
    return place


def near(space: Space, hazard: str, place: Place | None, at: datetime) -> Episode | None:
    """The event of this hazard in this place's township that is under way, None if there is none. One query."""
    open_ = Exists(Alarm.objects.filter(episode=OuterRef("pk"), state__in=OPEN))
    rows = Episode.objects.filter(space=space, hazard=hazard, place=township(place), opened_at__lte=at + GAP)
    return rows.filter(Q(last_at__gte=at - GAP) | open_).order_by("-last_at", "-pk").first()


def join(alarm: Alarm, *, by: Actor) -> Episode:
    """Put a new alarm to its event, or begin one. Called by the evaluator, which is alone in its space."""
    kind = hazard(alarm)
    known = near(alarm.space, kind, alarm.place, alarm.opened_at)
    if known is None:
        known = Episode.objects.create(
            space=alarm.space, hazard=kind, place=township(alarm.place), opened_at=alarm.opened_at, last_at=alarm.opened_at,
            peak_colour=alarm.colour, level=alarm.level, alarm_count=1,
        )  # fmt: skip
    else:
        known.alarm_count += 1
        _follow(known, alarm, alarm.opened_at, by)
    alarm.episode = known
    return known


def follow(alarm: Alarm, at: datetime, *, by: Actor) -> None:
    """Tell the event that one of its alarms rose."""
    if alarm.episode is not None:
        _follow(alarm.episode, alarm, at, by)


def _follow(episode: Episode, alarm: Alarm, at: datetime, by: Actor) -> None:
    before = Colour(episode.peak_colour)
    episode.last_at = max(episode.last_at, at)
    colour = Colour(alarm.colour)
    if colour.level > episode.level:
        episode.peak_colour, episode.level = colour, colour.level
    if colour.level > before.level and colour.level >= TOLD and episode.alarm_count > 1:
        hazard = Hazard(episode.hazard)
        where = f"{episode.place.name_zh}" if episode.place else ""
        where_en = (episode.place.name_en or episode.place.name_zh) if episode.place else ""
        record(
            space=episode.space, verb="monitoring.event_rise", by=by, subject=episode, thread=episode, place=episode.place,
            colour=colour, before={"colour": before}, after={"colour": colour, "alarm": alarm.pk, "at": at},
            text_zh=f"{where}{HAZARD_ZH[hazard]}事件升至{colour.zh}色（{alarm.station.name_zh}）",
            text_en=f"{where_en} {hazard.value} event rises to {colour.value} ({alarm.station.name_en or alarm.station.name_zh})".strip(),
        )  # fmt: skip
    episode.save(update_fields=["last_at", "peak_colour", "level", "alarm_count"])


@verb("monitoring.report", roles=frozenset(Role) - {Role.RESIDENT, Role.MACHINE})
def report(episode: Episode, *, text: str, by: Actor, source: str = "") -> Episode:
    """Add to an event what somebody reported about it from the field, by telephone or by the hotline."""
    # As every change around alarms: the evaluator's row first.
    list(Evaluator.objects.select_for_update().filter(pk=episode.space_id).values_list("pk"))
    rows = Episode.objects.select_related("place", "space")
    if not isinstance(by, System):
        rows = rows.filter(pk__in=Episode.objects.visible_to(by).filter(pk=episode.pk).values("pk"))
    found = rows.filter(pk=episode.pk).first()
    if found is None:
        raise Forbidden(_("This event is outside your scope."))
    text = text.strip()
    if not text:
        raise Refused(_("The report is empty. Write what was seen, and where."))
    at = now(found.space)
    if at - found.last_at > GAP and not found.alarms.filter(state__in=OPEN).exists():
        raise Refused(_("The event has ended. What is seen now is another one: report it as an incident."))
    found.report_count += 1
    found.last_at = max(found.last_at, at)
    found.save(update_fields=["report_count", "last_at"])
    said = f"{source}：{text}" if source else text
    record(
        space=found.space, verb="monitoring.report", by=by, subject=found, thread=found, place=found.place,
        colour=found.peak_colour, after={"text": text, "source": source}, text_zh=said, text_en=said,
    )  # fmt: skip
    return found


HAZARD_ZH: dict[Hazard, str] = {
    Hazard.RAIN: "强降雨", Hazard.WIND: "大风", Hazard.SURGE: "潮位增水", Hazard.FLOOD: "河道水情", Hazard.WATERLOGGING: "积水",
    Hazard.FOG: "大雾", Hazard.HEAT: "高低温", Hazard.SNOW: "积雪", Hazard.DROUGHT: "干旱", Hazard.SALINITY: "咸潮",
    Hazard.AIR: "空气污染", Hazard.GAS: "气体泄漏", Hazard.TANK: "储罐异常", Hazard.FIRE: "火灾", Hazard.WILDFIRE: "森林火险",
    Hazard.PEST: "有害生物", Hazard.STRUCTURE: "桥梁海塘", Hazard.GROUND: "地面形变", Hazard.EARTHQUAKE: "地震", Hazard.POWER: "供电",
    Hazard.SILENCE: "测站中断", Hazard.OTHER: "其他",
}  # fmt: skip
