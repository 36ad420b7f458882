"""What the page of a shelter, a team or a supply says about the world looked at, and what can be done there."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from haitang.accounts.verbs import may
from haitang.frame import Card
from haitang.resources import queries
from haitang.resources.models import MOVES, HeadCount, Shelter, StockMove, Supply, Team, TeamState, TeamStatus

_ROWS = 12
_POINTS = 200


def shelter(request: HttpRequest, row: Shelter) -> Card:
    """Open or closed, how full, the counts so far. Four small queries."""
    space: Any = request.space  # type: ignore[attr-defined]
    state = queries.shelters_now(space, [row.pk])[row.pk]
    counts = list(
        HeadCount.objects.visible_to(request.user).filter(space=space, shelter=row).select_related("reporter")[:_POINTS]
    )
    course = {
        "kind": "line",
        "unit": "人",
        "series": [{"name": row.name, "data": [[timezone.localtime(each.at).isoformat(), each.people] for each in reversed(counts)],
                    "area": True}],
        "thresholds": [{"value": row.capacity, "label": str(row.capacity), "colour": "orange"}],
    }  # fmt: skip
    return Card(
        "resources/panels/shelter.html",
        {"row": row, "state": state, "counts": counts[:_ROWS], "course": course if len(counts) > 1 else None, "percent": percent(state),
         "may_count": may(request.user, "resources.count_heads"), "may_open": may(request.user, "resources.open_shelter")},
    )  # fmt: skip


def percent(state: queries.ShelterNow) -> int:
    """How full a shelter is, at most 100."""
    return min(100, round(100 * state.inside / state.capacity)) if state.capacity else 0


def team(request: HttpRequest, row: Team) -> Card:
    """What the team is doing, what it may do next, its log. Two queries."""
    space: Any = request.space  # type: ignore[attr-defined]
    state = queries.teams_now(space, [row.pk])[row.pk]
    log = TeamState.objects.visible_to(request.user).filter(space=space, team=row).select_related("by")[:_ROWS]
    return Card(
        "resources/panels/team.html",
        {"row": row, "state": state, "log": log, "moves": [each for each in TeamStatus if each in MOVES[state.status]],
         "may_move": may(request.user, "resources.set_team_status")},
    )  # fmt: skip


def supply(request: HttpRequest, row: Supply) -> Card:
    """How much there is, the ledger, and the door of the store. Two queries."""
    space: Any = request.space  # type: ignore[attr-defined]
    there = queries.stock_now(space, [row.pk])[row.pk]
    ledger = StockMove.objects.visible_to(request.user).filter(space=space, supply=row).select_related("by")[:_ROWS]
    return Card(
        "resources/panels/supply.html",
        {
            "row": row,
            "there": there,
            "is_short": there < row.minimum,
            "ledger": ledger,
            "may_take": may(request.user, "resources.take_stock"),
        },
    )
