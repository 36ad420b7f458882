"""Guard rails of the composer: what is valid and yet probably wrong, and what is never right."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from haitang.alerting import composing, plain_language
from haitang.alerting.cap_findings import Finding
from haitang.alerting.colours import Colour
from haitang.alerting.composing import Where
from haitang.alerting.models import MsgType, Warning, WarningPlace
from haitang.monitoring.models import Alarm

SHORT: Final = timedelta(minutes=30)
LONG: Final = timedelta(hours=24)
MOST: Final = timedelta(days=31)
_ALARM: Final = "monitoring.alarm:"


def look(warning: Warning, *, at: datetime, area: Where | None = None) -> list[Finding]:
    """Everything that stands out: time, doubles, colour against the alarm, words. At most four queries."""
    area = area or composing.where_of(warning)
    found = _times(warning, at) if warning.msg_type != MsgType.CANCEL else []
    if warning.msg_type != MsgType.CANCEL:
        found += _doubles(warning, area, at)
        found += _against_alarm(warning)
    return found + _words(warning, area)


def _times(warning: Warning, at: datetime) -> list[Finding]:
    start = warning.onset or at
    lasts = warning.expires - start
    shown = f"{lasts.total_seconds() / 3600:.0f} h"
    if lasts > MOST:
        return [Finding("GUARD_TOO_LONG", "expires", shown)]
    if lasts > LONG:
        return [Finding("GUARD_LONG", "expires", shown)]
    if warning.expires - at < SHORT:
        return [Finding("GUARD_SHORT", "expires", f"{(warning.expires - at).total_seconds() / 60:.0f} min")]
    return []


def _doubles(warning: Warning, area: Where, at: datetime) -> list[Finding]:
    """Another warning in force of the same kind, for one of the same places."""
    own = {warning.pk, warning.parent_id, warning.root_id} - {None}
    standing = Warning.objects.filter(space=warning.space, kind=warning.kind).in_force(at).exclude(pk__in=own)
    if warning.root_id:
        standing = standing.exclude(root=warning.root_id)
    reached = [place.pk for place in composing.townships_under(area.named)]
    rows = WarningPlace.objects.filter(warning__in=standing.values("pk")).select_related("warning", "place")
    for row in rows.defer("warning__cap_xml", "warning__geometry"):
        if row.place_id in reached or any(p.contains(row.place) or row.place.contains(p) for p in area.named):
            return [Finding("GUARD_DOUBLE", "area", f"{row.warning.identifier} {row.place.name_zh}")]
    return []


def _against_alarm(warning: Warning) -> list[Finding]:
    """The colour against that of the alarm, which a threshold gave it."""
    key = warning.cause.removeprefix(_ALARM)
    if not warning.cause.startswith(_ALARM) or not key.isdigit():
        return []
    raised = Alarm.objects.filter(pk=int(key)).values_list("colour", flat=True).first()
    if raised not in list(Colour) or raised == warning.colour:
        return []
    code = "GUARD_BELOW_ALARM" if Colour(warning.colour).rank < Colour(raised).rank else "GUARD_ABOVE_ALARM"
    return [Finding(code, "colour", f"{raised} / {warning.colour}")]


def _words(warning: Warning, area: Where) -> list[Finding]:
    made = []
    for language in composing.LANGUAGES if warning.headline_en else ("zh",):
        text = composing.words(warning, language)
        names = [(p.name_en or p.name_zh) if language == "en" else p.name_zh for p in area.named]
        made += plain_language.check(
            language=language, headline=text.headline, description=text.description, instruction=text.instruction,
            places=names, cancel=warning.msg_type == MsgType.CANCEL,
        )  # fmt: skip
    return made
