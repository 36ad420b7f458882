"""The phone: what I must do, reporting, the map around me."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from haitang.frame import PHONE
from haitang.shell import slots


@login_required
@never_cache
def phone(request: HttpRequest) -> HttpResponse:
    """The phone's first page."""
    return render(request, "shell/phone.html", {**slots.columns(request, PHONE, "phone"), "tab": "todo"})


@login_required
@never_cache
def phone_card(request: HttpRequest, id: str) -> HttpResponse:
    """One card of the phone's first page, read again."""
    slot = PHONE.get(id)
    if slot is None or not slot.open_to(request.user):
        raise Http404
    return HttpResponse(slots.render(request, slot))


@login_required
def phone_map(request: HttpRequest) -> HttpResponse:
    """The map on the whole screen."""
    return render(request, "shell/phone_map.html", {"tab": "map"})


@login_required
def phone_me(request: HttpRequest) -> HttpResponse:
    """Who I am here, language, sign-out."""
    return render(request, "shell/phone_me.html", {"tab": "me"})
