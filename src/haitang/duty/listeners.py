"""What the duty room hears."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Model

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import OrganisationKind, User
from haitang.duty import services
from haitang.duty.kinds import ACCEPT
from haitang.duty.models import HandOver, Seat
from haitang.journal.models import Entry
from haitang.journal.signals import on
from haitang.obligations.models import Obligation
from haitang.obligations.recipients import duty_source
from haitang.spaces.models import Space


@duty_source
def on_shift(space: Space, at: datetime) -> list[User]:
    """Who is told where the duty room is told: those on shift in the command centres. Exercises have their own cast."""
    if space.is_exercise:
        return []
    seats = Seat.objects.filter(
        shift__start__lte=at, shift__end__gt=at, shift__roster__is_active=True, person__is_active=True,
        shift__roster__organisation__kind=OrganisationKind.COMMAND,
    )  # fmt: skip
    found = seats.select_related("person__organisation__place").order_by("shift__roster__code", "post__rank")
    return list({seat.person_id: seat.person for seat in found if seat.person is not None}.values())


@on("obligations.done")
def taken_over(entry: Entry, subject: Model) -> None:
    """The next leader has taken over."""
    if isinstance(subject, Obligation) and subject.kind == ACCEPT.id:
        made = HandOver.objects.select_related("shift__roster__organisation__place").get(pk=subject.subject_id)
        services.taken_over(made, by=entry.actor or SYSTEM)
