"""What the views share."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from haitang.accounts.verbs import may
from haitang.incidents import queries
from haitang.incidents.models import Incident
from haitang.spaces.models import Space

VERBS = ("start", "change_level", "end", "order", "figure", "report", "note", "evaluate", "decide")


def space_of(request: HttpRequest) -> Space:
    """The space looked at."""
    space: Space = request.space  # type: ignore[attr-defined]
    return space


def find(request: HttpRequest, pk: int) -> Incident:
    """An incident in reach, or 404."""
    found: Incident = get_object_or_404(queries.incidents(request.user, space_of(request)), pk=pk)
    return found


def rights(request: HttpRequest, incident: Incident | None = None) -> dict[str, bool]:
    """What this person may do here: the role allows it, and the incident's place lies in reach."""
    organisation = getattr(request.user, "organisation", None)
    reach = organisation.place if organisation else None
    # Figures and notes are given for one's own place; everything else belongs to whoever answers for the incident's.
    own = incident is None or (reach is not None and reach.contains(incident.place))
    local = {"figure", "note"}
    return {name: may(request.user, f"incidents.{name}") and (own or name in local) for name in VERBS}


def context(request: HttpRequest, incident: Incident, **more: Any) -> dict[str, Any]:
    """What every page of an incident knows."""
    return {"incident": incident, "may": rights(request, incident), **more}
