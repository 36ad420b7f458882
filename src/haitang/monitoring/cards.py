"""Alarms on the desk, the wall and the phone."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.verbs import may
from haitang.frame import Card, desk_card, phone_card, wall_panel
from haitang.monitoring.models import Alarm
from haitang.monitoring.models.alarms import OPEN

DESK_ROWS, WALL_ROWS, PHONE_ROWS = 8, 7, 3


def _standing(request: HttpRequest) -> Any:
    space = request.space  # type: ignore[attr-defined]
    rows = Alarm.objects.visible_to(request.user).filter(space=space, state__in=OPEN)
    return rows.select_related("station", "place").defer("station__geometry")


def _top(request: HttpRequest, most: int) -> tuple[list[Alarm], int]:
    rows = _standing(request)
    found = list(rows[: most + 1])
    return found[:most], len(found) if len(found) <= most else rows.order_by().count()


@desk_card("monitoring.alarms", order=40, roles=OFFICIALS | {Role.ENTERPRISE}, live=("monitoring.",))
def desk(request: HttpRequest) -> Card:
    """What stands now, red on top."""
    alarms, total = _top(request, DESK_ROWS)
    context = {
        "alarms": alarms,
        "more": total - len(alarms),
        "may_acknowledge": may(request.user, "monitoring.acknowledge"),
    }
    return Card("monitoring/cards/desk.html", context, colour=alarms[0].colour if alarms else "")


@wall_panel("monitoring.alarms", order=10, column="right", live=("monitoring.",))
def wall(request: HttpRequest) -> Card:
    """What stands now, for the wall."""
    alarms, total = _top(request, WALL_ROWS)
    return Card(
        "monitoring/cards/wall.html", {"alarms": alarms, "total": total}, colour=alarms[0].colour if alarms else ""
    )


@phone_card("monitoring.alarms", order=40, roles=OFFICIALS, live=("monitoring.",))
def phone(request: HttpRequest) -> Card | None:
    """The gravest alarms, on the phone."""
    alarms, _total = _top(request, PHONE_ROWS)
    return Card("monitoring/cards/phone.html", {"alarms": alarms}) if alarms else None
