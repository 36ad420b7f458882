"""What the verbs of incidents share: reach, names, the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.alerting.models import EventKind
from haitang.geo.models import Place
from haitang.incidents.models import Category, Incident
from haitang.incidents.models.incident import MOVES, State
from haitang.journal.services import record
from haitang.plans.models import place_chain

_BY_CODE = {"11": Category.NATURAL, "12": Category.ACCIDENT, "13": Category.HEALTH, "14": Category.SOCIAL}


def person(by: Actor) -> User | None:
    """The actor as a person; None for the platform."""
    return None if isinstance(by, System) else by


def name_of(by: Actor) -> str:
    """The actor's name as documents carry it."""
    return by.name if isinstance(by, System) else (by.name_zh or by.username)


def must_reach(by: Actor, place: Place) -> None:
    """Raise Forbidden unless the place lies in the actor's jurisdiction."""
    if isinstance(by, System):
        return
    reach = by.organisation.place if by.organisation else None
    if reach is None or not reach.contains(place):
        raise Forbidden(_("Outside your jurisdiction: %(places)s") % {"places": place.name})


def locked(incident: Incident) -> Incident:
    """The incident as it is now, locked until the transaction ends; the given object is brought up to date."""
    current = Incident.objects.select_for_update().only("state", "level", "colour").get(pk=incident.pk)
    incident.state, incident.level, incident.colour = current.state, current.level, current.colour
    return incident


def must_run(incident: Incident) -> None:
    """Raise Refused unless the response is under way."""
    if not incident.is_active:
        raise Refused(_("The response has ended; nothing can be changed in it any more"))


def move(incident: Incident, state: str) -> None:
    """Change the state; an impossible move is refused with the possible ones."""
    allowed = MOVES[incident.state]
    if state not in allowed:
        names = ", ".join(str(State(one).label) for one in sorted(allowed))
        raise Refused(
            _("An incident that is “%(state)s” cannot become “%(new)s”; possible: %(allowed)s")
            % {"state": incident.get_state_display(), "new": State(state).label, "allowed": names}
        )
    incident.state = state


def hazard_names(hazard: str) -> tuple[str, str]:
    """What a hazard is called. One query."""
    kind = EventKind.objects.filter(hazard=hazard).order_by("code").first() if hazard else None
    return (kind.name_zh, kind.name_en or kind.name_zh) if kind else (hazard, hazard)


def category_of(hazard: str) -> Category:
    """Which of the law's four kinds of events a hazard is, by its national code. One query."""
    code = EventKind.objects.filter(hazard=hazard).values_list("code", flat=True).first() or ""
    return _BY_CODE.get(code[:2], Category.NATURAL)


def commanders(place: Place) -> list[User]:
    """The commanders who answer for a place: of it, or of the places above. One query."""
    rows = User.objects.filter(
        role=Role.COMMANDER, is_active=True, organisation__place__path__in=place_chain(place.path)
    )
    return list(rows.select_related("organisation__place").order_by("-organisation__place__path", "rank", "pk"))


def journal(
    incident: Incident, what: str, by: Actor, text_zh: str, text_en: str, *, subject: Model | None = None,
    place: Place | None = None, organisation: Organisation | None = None, colour: str | None = None,
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None, url: str = "",
) -> None:  # fmt: skip
    """One entry on the incident's thread."""
    record(
        space=incident.space, verb=f"incidents.{what}", by=by, subject=subject or incident, place=place or incident.place,
        organisation=organisation or incident.owner, thread=incident, colour=incident.shade if colour is None else colour,
        before=before, after=after, text_zh=text_zh, text_en=text_en, url=url,
    )  # fmt: skip
