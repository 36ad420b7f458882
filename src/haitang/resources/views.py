"""The page of all resources, and what is done to one of them from its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.roles import STAFF
from haitang.accounts.verbs import Forbidden, Refused
from haitang.resources import panels, queries, services
from haitang.resources.models import Shelter, Supply, Team, TeamStatus
from haitang.spaces.models import Space

_SHELTERS_SHOWN = 8
_SUPPLIES_MOST = 30


def space_of(request: HttpRequest) -> Space:
    """The world this visitor looks at (set by the spaces middleware)."""
    return request.space  # type: ignore[attr-defined,no-any-return]


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """How full the shelters are, what the teams do, which supplies run short, on one page with the map."""
    if request.user.role not in STAFF:
        raise Forbidden(_("Resources are open to those who work with them."))
    space = space_of(request)
    mine = Shelter.objects.visible_to(request.user).current().select_related("place").defer("geometry")
    bars = [_bar(row) for row in queries.open_shelters(mine, space).order_by("-now_people", "code")]
    whole = {
        "count": mine.count(), "open": len(bars), "people": sum(bar["state"].inside for bar in bars),
    }  # fmt: skip
    if len(bars) < _SHELTERS_SHOWN:
        # Before many are open, the largest of the others.
        others = mine.exclude(pk__in=[bar["row"].pk for bar in bars]).order_by("-capacity", "code")
        closed = queries.ShelterNow(is_open=False, people=None, counted_at=None, capacity=0)
        bars += [{"row": row, "state": closed, "percent": 0} for row in others[: _SHELTERS_SHOWN - len(bars)]]
    teams = queries.teams_by_status(Team.objects.visible_to(request.user).current(), space)
    short = queries.under_minimum(Supply.objects.visible_to(request.user).current(), space)
    context = {
        "bars": bars, "whole": whole, "teams": [(status, *teams[status]) for status in TeamStatus],
        "team_count": sum(count for count, _people in teams.values()),
        "busy": sum(teams[status][0] for status in (TeamStatus.ASSIGNED, TeamStatus.EN_ROUTE, TeamStatus.ON_SCENE, TeamStatus.RETURNING)),
        "short": short.select_related("place").defer("geometry").order_by("code")[:_SUPPLIES_MOST], "short_count": short.count(),
    }  # fmt: skip
    template = (
        "resources/parts/overview.html" if request.headers.get("HX-Target") == "overview" else "resources/overview.html"
    )
    return render(request, template, context)


def _bar(row: Any) -> dict[str, Any]:
    state = queries.ShelterNow(row.now_open, row.now_people, row.now_counted_at, row.capacity)
    return {"row": row, "state": state, "percent": panels.percent(state)}


def _act(request: HttpRequest, model: Any, pk: int, act: Callable[[Any], str]) -> HttpResponse:
    """Do one thing to one row in reach, say so, go back to its page."""
    row = get_object_or_404(model.objects.visible_to(request.user), pk=pk)
    messages.success(request, act(row))
    back = request.POST.get("next", "")
    return redirect(back if url_has_allowed_host_and_scheme(back, {request.get_host()}) else row.get_absolute_url())


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused(_("“%(value)s” is not a number of people: write digits.") % {"value": text[:20]}) from None


@require_POST
@login_required
def count_heads(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a head count on record."""

    def act(row: Shelter) -> str:
        people = _whole_number(request.POST.get("people", "").strip())
        services.count_heads(
            row, space=space_of(request), people=people, by=request.user, source=request.POST.get("source", "")
        )
        return _("%(row)s: %(people)s people on record.") % {"row": row, "people": people}

    return _act(request, Shelter, pk, act)


@require_POST
@login_required
def open_shelter(request: HttpRequest, pk: int) -> HttpResponse:
    """Open a shelter."""

    def act(row: Shelter) -> str:
        services.open_shelter(row, space=space_of(request), by=request.user)
        return _("%(row)s is open.") % {"row": row}

    return _act(request, Shelter, pk, act)


@require_POST
@login_required
def close_shelter(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a shelter."""

    def act(row: Shelter) -> str:
        services.close_shelter(row, space=space_of(request), by=request.user)
        return _("%(row)s is closed.") % {"row": row}

    return _act(request, Shelter, pk, act)


@require_POST
@login_required
def set_team_status(request: HttpRequest, pk: int) -> HttpResponse:
    """Move a team to another status."""

    def act(row: Team) -> str:
        state = services.set_team_status(row, space=space_of(request), status=request.POST.get("status", ""), by=request.user,
                                         task=request.POST.get("task", "").strip())  # fmt: skip
        return _("%(row)s: %(status)s") % {"row": row, "status": state.get_status_display()}

    return _act(request, Team, pk, act)


@require_POST
@login_required
def take_stock(request: HttpRequest, pk: int) -> HttpResponse:
    """Take out of a store."""

    def act(row: Supply) -> str:
        move = services.take_stock(row, space=space_of(request), quantity=request.POST.get("quantity", ""), by=request.user,
                                   to=request.POST.get("to", "").strip())  # fmt: skip
        return _("%(row)s: %(left)s %(unit)s left.") % {
            "row": row,
            "left": queries.figure(move.balance),
            "unit": row.unit,
        }

    return _act(request, Supply, pk, act)


@require_POST
@login_required
def return_stock(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring back to a store."""

    def act(row: Supply) -> str:
        move = services.return_stock(row, space=space_of(request), quantity=request.POST.get("quantity", ""), by=request.user,
                                     to=request.POST.get("to", "").strip())  # fmt: skip
        return _("%(row)s: %(left)s %(unit)s there.") % {
            "row": row,
            "left": queries.figure(move.balance),
            "unit": row.unit,
        }

    return _act(request, Supply, pk, act)
