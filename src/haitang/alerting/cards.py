"""Warnings on the desk, the wall and the phone."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from haitang.accounts.roles import OFFICIALS, STAFF, Role
from haitang.alerting import answers
from haitang.alerting.models import State, Warning
from haitang.frame import Card, desk_card, phone_card, wall_panel
from haitang.spaces.clock import now

DESK_ROWS, WALL_ROWS, PHONE_ROWS = 6, 5, 2
WRITERS = frozenset({Role.COMMANDER, Role.DUTY_OFFICER, Role.DEPARTMENT})
LIVE = ("alerting.", "obligations.done")


def _rows(request: HttpRequest) -> Any:
    rows = Warning.objects.visible_to(request.user).filter(space=request.space).select_related("kind", "space")  # type: ignore[attr-defined]
    return rows.defer("cap_xml", "geometry")


def _in_force(request: HttpRequest, most: int) -> tuple[list[Warning], int]:
    """The gravest in force, each with (answered, asked), and how many there are. Two queries."""
    found = list(_rows(request).in_force(now(request.space))[:100])  # type: ignore[attr-defined]
    found.sort(key=lambda one: (-one.hue.rank, -one.pk))
    counted = answers.counts(found[:most], request.user)
    for one in found[:most]:
        one.answered = counted.get(one.pk)
    return found[:most], len(found)


@desk_card("alerting.in_force", order=20, column="side", roles=STAFF, live=LIVE)
def desk(request: HttpRequest) -> Card:
    """What waits for somebody's decision, then what is in force."""
    waiting: list[Warning] = []
    if request.user.role in WRITERS:
        waiting = list(_rows(request).filter(state__in=(State.DRAFT, State.SUBMITTED, State.APPROVED))[:DESK_ROWS])
    warnings, total = _in_force(request, DESK_ROWS)
    context = {"waiting": waiting, "warnings": warnings, "more": total > len(warnings)}
    return Card("alerting/cards/desk.html", context, colour=warnings[0].colour if warnings else "")


@wall_panel("alerting.in_force", order=20, column="left", live=LIVE)
def wall(request: HttpRequest) -> Card:
    """What is in force, for the wall."""
    warnings, total = _in_force(request, WALL_ROWS)
    context = {"warnings": warnings, "total": total}
    return Card("alerting/cards/wall.html", context, colour=warnings[0].colour if warnings else "")


@wall_panel("alerting.unanswered", order=40, column="left", roles=OFFICIALS, live=("alerting.", "obligations."))
def unanswered(request: HttpRequest) -> Card | None:
    """The townships whose answer is still waited for, the latest first; nothing where no warning asks for one."""
    rows = answers.unanswered(request.space, request.user)  # type: ignore[attr-defined]
    found = list(rows[: WALL_ROWS + 3])
    total = len(found) if len(found) < WALL_ROWS + 3 else rows.order_by().count()
    if not found and not _rows(request).in_force(now(request.space)).exists():  # type: ignore[attr-defined]
        return None
    colour = "red" if any(one.is_overdue for one in found) else ""
    return Card("alerting/cards/wall_unanswered.html", {"rows": found[:WALL_ROWS], "total": total}, colour=colour)


@phone_card("alerting.in_force", order=30, roles=STAFF, live=LIVE)
def phone(request: HttpRequest) -> Card | None:
    """The gravest warnings for where the reader works."""
    warnings, _total = _in_force(request, PHONE_ROWS)
    return Card("alerting/cards/phone.html", {"warnings": warnings}) if warnings else None
