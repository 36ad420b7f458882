"""Who is on duty, on the desk."""

from __future__ import annotations

from django.http import HttpRequest

from haitang.accounts.roles import OFFICIALS
from haitang.duty import services
from haitang.duty.models import HandOver, Roster
from haitang.frame import Card, desk_card
from haitang.spaces.clock import now
from haitang.spaces.models import Space


@desk_card("duty.current", order=40, column="side", roles=OFFICIALS, live=("duty.",))
def current(request: HttpRequest) -> Card | None:
    """The shift of one's own organisation, else of the one above it."""
    organisation = request.user.organisation  # type: ignore[union-attr]
    if organisation is None:
        return None
    above = ["/".join(organisation.path.split("/")[:n]) + "/" for n in range(organisation.path.count("/"), 0, -1)]
    rosters = {
        roster.organisation.path: roster
        for roster in Roster.objects.filter(is_active=True, organisation__path__in=above).select_related("organisation")
    }
    roster = next((rosters[path] for path in above if path in rosters), None)
    if roster is None:
        return None
    shift = services.current(roster, now(Space.live()))
    waiting = HandOver.objects.filter(to=shift, accepted_at=None).first() if shift else None
    return Card("duty/cards/desk.html", {"roster": roster, "shift": shift, "waiting": waiting})
