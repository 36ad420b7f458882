"""Disaster chains with their live state, what is expected, and what no station watches."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.verbs import may
from haitang.monitoring import ahead, services, unwatched
from haitang.monitoring.forms import SettleForm, SitesForm
from haitang.monitoring.models import Chain, StationKind, WatchItem, WatchState
from haitang.monitoring.services import watching
from haitang.monitoring.views.stations import look, space_of

READERS = OFFICIALS | {Role.ENTERPRISE}
ENDED = 20
MARKERS = (("quiet", "#9aa5b1"), ("live", "#e8a317"), ("confirmed", "#d9480f"))


@require_safe
@login_required
def chains(request: HttpRequest) -> HttpResponse:
    """A chain as a graph with what was observed and what may follow; what is expected; every link with its source."""
    if request.user.role not in READERS:
        raise PermissionDenied
    space = space_of(request)
    listed = list(Chain.objects.visible_to(request.user).filter(is_active=True))
    evidence = watching.evidence(space, request.user)
    # Without a wish the chain of which most was observed.
    listed.sort(key=lambda each: (-len(watching.shown_by(each, evidence)), each.code))
    chosen = next((each for each in listed if each.code == request.GET.get("chain")), listed[0] if listed else None)
    items = (
        WatchItem.objects.visible_to(request.user)
        .filter(space=space)
        .select_related("place", "chain", "cause__station", "confirmed_by__station")
    )
    context = {
        "listed": listed, "chosen": chosen, "open_items": items.filter(state=WatchState.OPEN),
        "ended": [(item, WatchState(item.state)) for item in items.exclude(state=WatchState.OPEN).order_by("-ended_at", "-pk")[:ENDED]],
        "may_settle": may(request.user, "monitoring.settle"),
    }  # fmt: skip
    if chosen:
        here = watching.present(space, chosen, evidence, user=request.user)
        context |= {"drawing": ahead.drawing(here), "chances": ahead.chances(here), "markers": MARKERS}
    part = request.headers.get("HX-Target") == "chain"
    return render(request, "monitoring/parts/chain.html" if part else "monitoring/chains.html", context)


@require_POST
@login_required
def settle(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an expected thing has come, or that it is not watched for any more."""
    found = get_object_or_404(WatchItem.objects.visible_to(request.user).filter(space=space_of(request)), pk=pk)
    form = SettleForm(request.POST)
    note = form.cleaned_data["note"] if form.is_valid() else ""
    services.settle(found, came=request.POST.get("came") == "1", note=note, by=request.user)
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()})
    return redirect(back if safe else reverse("monitoring:chains"))


@require_safe
@login_required
def blind_spots(request: HttpRequest) -> HttpResponse:
    """What is not watched by each kind of station, and where further ones would help most."""
    if request.user.role not in READERS:
        raise PermissionDenied
    people = unwatched.ground()
    kinds = unwatched.kinds(space_of(request), request.user, people)
    asked = request.GET.get("kind")
    kind = StationKind(asked) if asked in StationKind.values else kinds[0].kind if kinds else StationKind.WEATHER
    given = SitesForm(
        {"kind": kind, "km": request.GET.get("km") or unwatched.REACH_KM[kind], "k": request.GET.get("k") or 3}
    )
    valid = given.is_valid()
    km = given.cleaned_data.get("km") if valid else None
    k = given.cleaned_data.get("k") if valid else None
    found = unwatched.survey(look(request), people, kind, km=km or unwatched.REACH_KM[kind], k=3 if k is None else k)
    context = {"kinds": kinds, "survey": found, "k": 3 if k is None else k, "every_kind": StationKind}
    return render(request, "monitoring/blind_spots.html", context)
