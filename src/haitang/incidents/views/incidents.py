"""The list of incidents and the situation page: what is happening, what is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from haitang.incidents import queries
from haitang.incidents.forms import NoteForm
from haitang.incidents.models import Incident, State
from haitang.incidents.services import places_of
from haitang.incidents.views.common import context, find, rights, space_of
from haitang.journal.services import thread_of
from haitang.plans.models import ResponseLevel

PAGE = 25


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Incidents in reach: those under way first; what waits for a decision on top."""
    space = space_of(request)
    rows = queries.incidents(request.user, space)
    state = request.GET.get("state", "")
    if state in State.values:
        rows = rows.filter(state=state)
    if not request.GET.get("all"):
        rows = rows.filter(parent=None) if rows.filter(parent=None).exists() else rows
    page = Paginator(rows.order_by("ended_at", "-started_at", "-pk") if not state else rows, PAGE).get_page(
        request.GET.get("page")
    )
    told = {
        "page": page, "standings": queries.standings(request.user, space, list(page)), "states": State, "state": state,
        "all": bool(request.GET.get("all")), "proposed": queries.proposed(request.user, space), "may": rights(request),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "incidents"
    return render(request, "incidents/parts/list.html" if part else "incidents/index.html", told)


@require_safe
@login_required
def incident(request: HttpRequest, pk: int) -> HttpResponse:
    """The situation page."""
    found = find(request, pk)
    places = places_of(found)
    family = queries.family_of(found)
    bounds = queries.bounds_of(found)
    told = context(
        request, found, places=places, family=family, thread=thread_of(found), note=NoteForm(), own=queries.own_map(found, places),
        bounds=",".join(f"{each:.5f}" for each in bounds) if bounds else None,
    )  # fmt: skip
    for make in PARTS.values():
        told |= make(request, found, family)
    return render(request, "incidents/incident.html", told)


@require_safe
@login_required
def part(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """One part of the situation page, read again."""
    if name not in PARTS:
        raise Http404
    found = find(request, pk)
    told = context(request, found, note=NoteForm(), **PARTS[name](request, found, queries.family_of(found)))
    return render(request, f"incidents/parts/{name}.html", told)


@require_safe
@login_required
def done(request: HttpRequest, pk: int, organisation: int) -> HttpResponse:
    """What one organisation has done: asked for when somebody looks, because there is much of it."""
    found = find(request, pk)
    rows = queries.tasks(request.user, queries.family_of(found)).filter(owner=organisation, state__in=queries.FINISHED)
    return render(request, "incidents/parts/done.html", {"tasks": rows.order_by("done_at", "pk")})


def _head(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    changes = list(found.changes.select_related("warning"))
    levels = [change.level_to for change in changes if change.level_to]
    asked = [row for row in queries.proposed(request.user, space_of(request)) if row.proposal.incident_id == found.pk]
    return {
        "changes": changes,
        "change": next((row for row in reversed(changes) if row.level_to), None),
        "proposed": asked,
        "family": family,
        "highest": ResponseLevel(min(levels)) if levels else None,
    }


def _numbers(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    return {"numbers": queries.numbers(request.user, family)}


def _board(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    return {"board": queries.board(request.user, family)}


def _orders(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    return {"orders": queries.orders(found, request.user)}


def _reports(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    return {"reports": list(queries.reports(found, request.user))}


def _timeline(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    whole = bool(request.GET.get("all"))
    return {"entries": queries.timeline(found, request.user, family, whole=whole), "whole": whole}


def _warnings(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    return {"warnings": queries.warnings(found, request.user)}


def _shelters(request: HttpRequest, found: Incident, family: list[Incident]) -> dict[str, Any]:
    return {"shelters": queries.shelters(found, request.user)}


Part = Callable[[HttpRequest, Incident, list[Incident]], dict[str, Any]]
PARTS: dict[str, Part] = {
    "head": _head, "numbers": _numbers, "board": _board, "orders": _orders, "reports": _reports, "timeline": _timeline,
    "warnings": _warnings, "shelters": _shelters,
}  # fmt: skip
