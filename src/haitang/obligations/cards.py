"""What needs me now on the desk and on the phone; who is silent on the wall."""

from __future__ import annotations

from django.http import HttpRequest

from haitang.accounts.roles import OFFICIALS, OPERATIONS, STAFF
from haitang.frame import Card, desk_card, phone_card, wall_panel
from haitang.obligations import queries
from haitang.obligations.actions import actions
from haitang.obligations.models import OPEN, PENDING, Obligation

DESK_ROWS, PHONE_ROWS, WALL_ROWS = 8, 20, 6


@desk_card("obligations.mine", order=10, roles=STAFF, live=("obligations.",))
def desk(request: HttpRequest) -> Card:
    """What I have to do or to decide, red on top."""
    rows = queries.needs(request.user, queries.space_of(request))
    found = list(rows[: DESK_ROWS + 1])
    total = len(found) if len(found) <= DESK_ROWS else rows.order_by().count()
    overdue = 0
    if request.user.role in OPERATIONS:
        others = Obligation.objects.visible_to(request.user).filter(
            PENDING, space=queries.space_of(request), state__in=OPEN, overdue_at__isnull=False
        )
        overdue = others.order_by().count()
    context = {"rows": found[:DESK_ROWS], "total": total, "more": max(0, total - DESK_ROWS), "overdue": overdue}
    return Card(
        "obligations/cards/desk.html", context, colour="red" if any(row.shade == "red" for row in found) else ""
    )


@phone_card("obligations.mine", order=10, roles=STAFF, live=("obligations.",))
def phone(request: HttpRequest) -> Card:
    """What I have to do, one card each, answered by one press where that is enough."""
    rows = queries.needs(request.user, queries.space_of(request))
    found = list(rows[: PHONE_ROWS + 1])
    cards = []
    for row in found[:PHONE_ROWS]:
        possible = actions(request.user, row)
        presses = [action for action in possible if not action.asks][:1]
        cards.append((row, presses, next((action for action in possible if action.asks == "page"), None)))
    return Card("obligations/cards/phone.html", {"cards": cards, "more": len(found) > PHONE_ROWS})


@wall_panel("obligations.unanswered", order=40, column="left", roles=OFFICIALS, live=("obligations.",))
def wall(request: HttpRequest) -> Card | None:
    """Organisations that have not answered, the worst first."""
    silent = queries.silent(request.user, queries.space_of(request))
    if not silent:
        return None
    context = {
        "silent": silent[:WALL_ROWS], "more": max(0, len(silent) - WALL_ROWS), "organisations": len(silent),
        "number": sum(each.unanswered for each in silent),
    }  # fmt: skip
    return Card("obligations/cards/wall.html", context, colour="red" if any(each.overdue for each in silent) else "")
