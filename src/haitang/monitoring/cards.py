"""Alarms on the desk, the wall and the phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest

from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.verbs import may
from haitang.frame import Card, desk_card, phone_card, wall_panel
from haitang.monitoring import forecasting
from haitang.monitoring.models import Alarm, Outlook, WatchItem, WatchState
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.queries import grouped
from haitang.spaces.clock import now

DESK_ROWS, WALL_ROWS, PHONE_ROWS = 8, 7, 3


def _standing(request: HttpRequest) -> Any:
    """What stands and is not shelved."""
    space = request.space  # type: ignore[attr-defined]
    rows = Alarm.objects.visible_to(request.user).filter(space=space, state__in=OPEN, shelved_until=None)
    return rows.select_related("station", "place").defer("station__geometry")


def _top(request: HttpRequest, most: int) -> tuple[list[Alarm], int]:
    rows = _standing(request)
    found = list(rows[: most + 1])
    return found[:most], len(found) if len(found) <= most else rows.order_by().count()


@desk_card("monitoring.alarms", order=15, roles=OFFICIALS | {Role.ENTERPRISE}, live=("monitoring.",))
def desk(request: HttpRequest) -> Card:
    """What stands now by event, red on top: one storm is a line for each township and hazard."""
    rows = grouped(_standing(request))
    found = list(rows[: DESK_ROWS + 1])
    context = {
        "groups": found[:DESK_ROWS],
        "more": len(found) > DESK_ROWS and len(rows) - DESK_ROWS,
        "may_acknowledge": may(request.user, "monitoring.acknowledge"),
    }
    return Card("monitoring/cards/desk.html", context, colour=found[0].colour if found else "")


@desk_card("monitoring.expected", order=16, roles=OFFICIALS | {Role.ENTERPRISE}, live=("monitoring.",))
def expected(request: HttpRequest) -> Card | None:
    """What may follow and has not come yet."""
    space = request.space  # type: ignore[attr-defined]
    rows = WatchItem.objects.visible_to(request.user).filter(space=space, state=WatchState.OPEN)
    items = list(rows.select_related("place", "chain")[: DESK_ROWS + 1])
    if not items:
        return None
    context = {"items": items[:DESK_ROWS], "may_settle": may(request.user, "monitoring.settle"), "back": "/"}
    return Card("monitoring/cards/expected.html", context)


@desk_card("monitoring.crossings", order=17, roles=OFFICIALS | {Role.ENTERPRISE}, live=("monitoring.",))
def crossings(request: HttpRequest) -> Card | None:
    """Which thresholds forecasts with skill will meet."""
    space = request.space  # type: ignore[attr-defined]
    rows = Outlook.objects.visible_to(request.user).filter(space=space, made_at__gt=now(space) - timedelta(hours=1))
    found = forecasting.crossings(space, rows.exclude(method="").defer("low", "high"))
    soonest = sorted(found.values(), key=lambda each: (-each.colour.level, each.after_s))[:DESK_ROWS]
    return Card("monitoring/cards/crossings.html", {"crossings": soonest}) if soonest else None


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
