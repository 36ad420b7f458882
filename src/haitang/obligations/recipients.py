"""Who is told at each rung of the ladder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from django.db.models import Q

from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import Role
from haitang.obligations.models import Obligation
from haitang.spaces.models import Space

OnDuty = Callable[[Space, datetime], Iterable[User]]
_on_duty: list[OnDuty] = []
# Where nobody is found, the rung is climbed to the next of these.
UPWARD = {
    "person": "responsible",
    "responsible": "deputy",
    "deputy": "all",
    "all": "superior",
    "issuer": "duty",
    "superior": "duty",
    "workers": "all",
}


def duty_source(function: OnDuty) -> OnDuty:
    """Declare who is on duty now (the duty slice knows the roster). Without one, all duty officers are."""
    _on_duty[:] = [function]
    return function


def people(obligation: Obligation, to: str, at: datetime) -> tuple[list[User], str]:
    """The people of a rung and the rung they were found at: upwards where it has nobody. Empty only if nobody is left."""
    while True:
        found = _at(obligation, to, at)
        if found or to == "duty":
            return found, to
        to = UPWARD[to]


def _at(obligation: Obligation, to: str, at: datetime) -> list[User]:
    if to == "issuer":
        issuer = obligation.issued_by
        return [issuer] if issuer is not None and issuer.is_active else []
    if to == "duty":
        return on_duty(obligation, at)
    if to == "responsible" and obligation.person is not None and obligation.person.is_active:
        return [obligation.person]
    if to == "superior":
        body = obligation.owner.parent
        while body is not None:
            if found := _first(_people_of(body)):
                return found
            body = body.parent
        return []
    if to == "workers":
        return workers(obligation.owner)
    members = _people_of(obligation.owner)
    if to == "all":
        return members
    if to == "responsible":
        return _first(members)
    first = {user.pk for user in _at(obligation, "responsible", at)}
    return _first([user for user in members if user.pk not in first])


def workers(body: Organisation) -> list[User]:
    """The grid workers of an organisation and of those below it, by organisation."""
    rows = User.objects.filter(organisation__path__startswith=body.path, role=Role.GRID, is_active=True)
    return list(rows.select_related("organisation__place").order_by("organisation__path", "rank", "pk"))


def _people_of(body: Organisation) -> list[User]:
    rows = User.objects.filter(organisation=body, is_active=True).exclude(role__in=(Role.RESIDENT, Role.MACHINE))
    return list(rows.select_related("organisation").order_by("rank", "pk"))


def _first(members: list[User]) -> list[User]:
    """Those who are called first: all of the lowest rank."""
    return [user for user in members if user.rank == members[0].rank] if members else []


def on_duty(obligation: Obligation, at: datetime) -> list[User]:
    """The duty officers in whose place the obligation lies: those on shift, else all."""
    for source in _on_duty:
        if found := list(source(obligation.space, at)):
            return found
    officers = User.objects.filter(role=Role.DUTY_OFFICER, is_active=True).select_related("organisation__place")
    path = obligation.place.path if obligation.place else ""
    # Places above this one: "a/b/" lies in "a/".
    above = [path[: end + 1] for end, sign in enumerate(path) if sign == "/"]
    if above:
        officers = officers.filter(Q(organisation__place__path__in=above) | Q(organisation__place__isnull=True))
    return list(officers.order_by("rank", "pk"))
