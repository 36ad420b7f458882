"""Who is on duty, for machines."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from haitang.accounts.models import ApiToken
from haitang.accounts.verbs import Forbidden
from haitang.duty import services
from haitang.duty.models import Roster
from haitang.spaces.clock import now
from haitang.spaces.models import Space

router = Router()


class SeatOut(Schema):
    """Who takes a post."""

    post_zh: str
    post_en: str
    leads: bool
    person: str | None


class ShiftOut(Schema):
    """The shift on watch in one duty room."""

    roster: str
    organisation: str
    start: datetime
    end: datetime
    seats: list[SeatOut]


@router.get("/now", response=list[ShiftOut], summary="Who is on duty now")
def on_duty(request: HttpRequest) -> Any:
    """The shift on watch in every duty room in reach."""
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and "read" not in token.rights:
        raise Forbidden("This access token lacks the right 'read'; ask an administrator for one that has it")
    moment = now(Space.live())
    rosters = list(Roster.objects.visible_to(request.user).filter(is_active=True).select_related("organisation"))
    shifts = services.on_watch(rosters, moment)
    found = [(roster, shifts.get(roster.pk)) for roster in rosters]
    return [
        {
            "roster": roster.code, "organisation": roster.organisation.code, "start": shift.start, "end": shift.end,
            "seats": [
                {"post_zh": seat.post.name_zh, "post_en": seat.post.name_en, "leads": seat.post.leads,
                 "person": seat.person.name_zh if seat.person else None}
                for seat in shift.seats.all()
            ],
        }
        for roster, shift in found if shift is not None
    ]  # fmt: skip
