"""The replay on the desk: start the storm with one press, or see where it stands."""

from __future__ import annotations

from django.http import HttpRequest

from haitang.accounts.roles import OFFICIALS
from haitang.frame import Card, desk_card
from haitang.replay import library, queries, services
from haitang.spaces.models import Space

OFFERED = 3


@desk_card("replay.replay", order=10, column="side", roles=OFFICIALS, live=("replay.", "spaces."))
def desk(request: HttpRequest) -> Card | None:
    """In an exercise its run; in the live world the scenarios, to whoever may start one."""
    space: Space = request.space  # type: ignore[attr-defined]
    may = queries.rights(request.user)
    if space.is_exercise:
        run = services.find(space)
        if run is None:
            return None
        return Card("replay/cards/run.html", {"standing": queries.standing(run), "may": may})
    running = queries.under_way(request.user)
    scenarios = [each.scenario for each in library.scenarios() if each.scenario is not None][:OFFERED]
    if not running and not (may["start"] and scenarios):
        return None
    return Card("replay/cards/scenarios.html", {"scenarios": scenarios, "running": running, "may": may})
