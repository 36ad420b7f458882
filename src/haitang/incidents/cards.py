"""The response on the desk, the wall and the phone."""

from __future__ import annotations

from django.http import HttpRequest

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import may
from haitang.frame import Card, desk_card, phone_card, wall_panel
from haitang.incidents import queries
from haitang.spaces.models import Space

LIVE = ("incidents.", "obligations.")
DESK, WALL, COUNTDOWNS = 4, 4, 7


def _space(request: HttpRequest) -> Space:
    space: Space = request.space  # type: ignore[attr-defined]
    return space


@desk_card("incidents.current", order=20, column="main", roles=OFFICIALS, live=LIVE)
def desk(request: HttpRequest) -> Card | None:
    """What is proposed, in red with its button; the responses under way."""
    space = _space(request)
    proposed = queries.proposed(request.user, space)
    rows = queries.current(request.user, space)
    heads = [row for row in rows if row.parent_id is None or row.parent_id not in {each.pk for each in rows}]
    if not proposed and not heads:
        return Card("incidents/cards/desk.html", {"may_start": may(request.user, "incidents.start")})
    urgent = any(each.proposal.kind in ("start", "raise") for each in proposed)
    told = {
        "proposed": proposed, "standings": queries.standings(request.user, space, heads[:DESK]), "more": max(0, len(heads) - DESK),
        "may_decide": may(request.user, "incidents.decide"), "may_start": may(request.user, "incidents.start"),
    }  # fmt: skip
    return Card("incidents/cards/desk.html", told, colour="red" if urgent else heads[0].colour if heads else "")


@desk_card("incidents.figures", order=30, column="side", roles=OFFICIALS, live=("incidents.",))
def figures(request: HttpRequest) -> Card | None:
    """The numbers of the gravest response under way."""
    rows = [row for row in queries.current(request.user, _space(request)) if row.parent_id is None]
    if not rows:
        return None
    top = min(rows, key=lambda row: row.level)
    numbers = queries.numbers(request.user, queries.family_of(top))
    return Card(
        "incidents/cards/figures.html",
        {"incident": top, "numbers": numbers, "may_report": may(request.user, "incidents.figure")},
    )


@wall_panel("incidents.level", order=10, column="left", roles=OFFICIALS, live=("incidents.",))
def level(request: HttpRequest) -> Card:
    """Which level is on, since when."""
    space = _space(request)
    rows = queries.current(request.user, space)
    heads = [row for row in rows if row.parent_id is None]
    proposed = queries.proposed(request.user, space)
    shown = heads[:WALL]
    colour = shown[0].colour if shown else "red" if proposed else ""
    return Card(
        "incidents/cards/wall_level.html",
        {"incidents": shown, "proposed": proposed, "townships": len(rows) - len(heads)},
        colour=colour,
    )


@wall_panel(
    "incidents.moved",
    order=30,
    column="left",
    roles=OFFICIALS,
    live=("incidents.figure", "incidents.start", "incidents.end"),
)
def moved(request: HttpRequest) -> Card | None:
    """How many people were moved, of how many."""
    rows = [row for row in queries.current(request.user, _space(request)) if row.parent_id is None]
    if not rows:
        return None
    numbers = {
        number.kind.code: number
        for number in queries.numbers(request.user, [each for row in rows for each in queries.family_of(row)])
    }
    harm = [numbers[code] for code in ("injured", "dead", "missing") if code in numbers and numbers[code].total.value]
    return Card(
        "incidents/cards/wall_moved.html",
        {"moved": numbers.get("moved"), "to_move": numbers.get("to_move"), "harm": harm},
    )


@wall_panel("incidents.due", order=20, column="right", roles=OFFICIALS, live=LIVE)
def due(request: HttpRequest) -> Card:
    """What is due next."""
    rows = queries.due_next(request.user, _space(request), COUNTDOWNS)
    return Card(
        "incidents/cards/wall_due.html", {"rows": rows}, colour="red" if any(row.is_overdue for row in rows) else ""
    )


@phone_card("incidents.current", order=20, roles=OFFICIALS, live=("incidents.",))
def phone(request: HttpRequest) -> Card | None:
    """The response where I am, with the button for a number."""
    rows = queries.current(request.user, _space(request))
    if not rows:
        return None
    return Card(
        "incidents/cards/phone.html", {"incidents": rows[:3], "may_report": may(request.user, "incidents.figure")}
    )
