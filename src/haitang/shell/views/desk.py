"""The desk: what needs me now, the map, the response under way. The wall: the same for a room."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from haitang.frame import DESK, WALL, CardSlot
from haitang.shell import slots


@login_required
@never_cache
def desk(request: HttpRequest) -> HttpResponse:
    """The first page of whoever sits at a desk."""
    return render(request, "shell/desk.html", slots.columns(request, DESK, "desk"))


@login_required
@never_cache
def wall(request: HttpRequest) -> HttpResponse:
    """The display on the wall of the command centre: nothing to press, read from afar."""
    return render(request, "shell/wall.html", slots.columns(request, WALL, "wall"))


def _one(request: HttpRequest, shelf: Mapping[str, CardSlot], id: str) -> HttpResponse:
    slot = shelf.get(id)
    if slot is None or not slot.open_to(request.user):
        raise Http404
    return HttpResponse(slots.render(request, slot))


@login_required
@never_cache
def desk_card(request: HttpRequest, id: str) -> HttpResponse:
    """One card of the desk, read again."""
    return _one(request, DESK, id)


@login_required
@never_cache
def wall_card(request: HttpRequest, id: str) -> HttpResponse:
    """One panel of the wall, read again."""
    return _one(request, WALL, id)
