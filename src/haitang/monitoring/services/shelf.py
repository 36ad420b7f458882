"""Taking an alarm off the desk for a while, with a reason and an end; latched alarms; many alarms at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from haitang.accounts.actors import SYSTEM, Actor
from haitang.accounts.verbs import Refused, verb
from haitang.monitoring.models import Alarm, AlarmState
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.services import alarms
from haitang.spaces.clock import now
from haitang.spaces.models import Space

LONGEST = timedelta(hours=24)
MOST = 500


@verb("monitoring.shelve", roles=alarms.WATCHERS)
def shelve(alarm: Alarm, *, until: datetime, reason: str, by: Actor) -> Alarm:
    """Take an alarm off the desk until a time, for a reason; it comes back by itself, or at once when it rises."""
    alarm = alarms.mine(alarm, by)
    moment, reason = now(alarm.space), reason.strip()
    if alarm.state not in OPEN:
        raise Refused(_("Only an alarm that stands can be shelved."))
    if not reason:
        raise Refused(_("Say why the alarm may leave the desk."))
    if not moment < until <= moment + LONGEST:
        raise Refused(_("An alarm is shelved for at most %(n)g hours.") % {"n": LONGEST.total_seconds() / 3600})
    alarm.shelved_until, alarm.shelf_reason, alarm.shelved_by_id = until, reason[:200], by.pk
    alarm.save(update_fields=["shelved_until", "shelf_reason", "shelved_by"])
    alarms.journal(
        alarm, "monitoring.shelve", by, after={"until": until, "reason": alarm.shelf_reason},
        zh=f"暂时搁置告警：{alarms.zh_title(alarm)}（{alarm.shelf_reason}）", en=f"Shelved: {alarms.en_title(alarm)} ({alarm.shelf_reason})",
    )  # fmt: skip
    return alarm


@verb("monitoring.unshelve", roles=alarms.WATCHERS)
def unshelve(alarm: Alarm, *, by: Actor) -> Alarm:
    """Bring a shelved alarm back to the desk."""
    alarm = alarms.mine(alarm, by)
    if alarm.shelved_until is None:
        raise Refused(_("The alarm is not shelved."))
    alarms.off_the_shelf(alarm)
    alarm.save(update_fields=["shelved_until", "shelf_reason", "shelved_by"])
    alarms.journal(
        alarm, "monitoring.unshelve", by, zh=f"告警恢复显示：{alarms.zh_title(alarm)}", en=f"Back on the desk: {alarms.en_title(alarm)}"
    )  # fmt: skip
    return alarm


def return_due(space: Space, limit: int = 500) -> int:
    """Bring back what is due by the space's clock. Idempotent; called by the worker and by a stepped replay."""
    due = Alarm.objects.filter(space=space, shelved_until__lte=now(space)).order_by("shelved_until", "pk")[:limit]
    returned = 0
    for alarm in due:
        try:
            unshelve(alarm, by=SYSTEM)
        except Refused:  # another process was quicker
            continue
        returned += 1
    return returned


def acknowledge_all(rows: Iterable[Alarm], *, by: Actor, note: str = "") -> int:
    """Acknowledge those of these alarms that are active, each by its own verb; returns how many. At most `MOST`."""
    done = 0
    for alarm in list(rows)[:MOST]:
        if alarm.state == AlarmState.ACTIVE:
            try:
                alarms.acknowledge(alarm, by=by, note=note)
            except Refused:  # it was cleared meanwhile
                continue
            done += 1
    return done
