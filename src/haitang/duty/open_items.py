"""What is open at a hand-over: tasks, orders, answers, alarms, warnings, responses, in the reach of whoever hands over."""

from __future__ import annotations

from typing import Any

from django.utils import translation

from haitang.accounts.models import User
from haitang.alerting.models import Warning
from haitang.incidents import queries as incidents
from haitang.monitoring.models import Alarm
from haitang.monitoring.models.alarms import OPEN as STANDING
from haitang.obligations.models import OPEN, Obligation
from haitang.spaces.clock import now
from haitang.spaces.models import Space

# So many of a kind are written down one by one; the number of the others is.
MOST = 200


def listed(user: User, space: Space) -> list[dict[str, Any]]:
    """Every open item as plain values, the gravest kinds first. A few queries."""
    found = [_item("incident", each, each.shade, each.get_absolute_url()) for each in incidents.current(user, space)]
    warnings = (
        Warning.objects.visible_to(user)
        .filter(space=space)
        .in_force(now(space))
        .select_related("kind")
        .defer("cap_xml")
    )
    found += [_item("warning", each, each.colour, each.get_absolute_url()) for each in warnings[:MOST]]
    alarms = Alarm.objects.visible_to(user).filter(space=space, state__in=STANDING).select_related("station")
    found += [_item("alarm", each, each.colour, each.get_absolute_url()) for each in alarms[:MOST]]
    duties = Obligation.objects.visible_to(user).filter(space=space, state__in=OPEN).exclude(kind="duty.accept")
    for each in duties.select_related("owner").order_by("due_at", "pk")[:MOST]:
        due = each.due_at.isoformat() if each.due_at else ""
        found.append(
            {**_item("obligation", each, each.shade, each.get_absolute_url()), "due": due, "owner": each.owner.name_zh}
        )
    return found


def _item(kind: str, thing: Any, colour: str, url: str) -> dict[str, Any]:
    texts = {}
    for language, name in (("zh-hans", "text_zh"), ("en", "text_en")):
        with translation.override(language):
            texts[name] = str(getattr(thing, "title", "") or thing)
    return {"kind": kind, **texts, "colour": str(colour), "url": url, "due": "", "owner": ""}
