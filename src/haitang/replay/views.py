"""Scenarios and runs: choose one, start it, watch it, steer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import Refused, may
from haitang.geo.names import localised
from haitang.replay import library, queries, services
from haitang.replay.forms import How, StartForm, WhatIfForm
from haitang.replay.models import Run
from haitang.replay.outlook import outlook
from haitang.replay.what_if import LIMITS, onto_high_water
from haitang.spaces import services as spaces

Deed = Callable[..., Run]


def _officials_only(request: HttpRequest) -> None:
    if getattr(request.user, "role", None) not in OFFICIALS:
        raise PermissionDenied


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Scenarios to start, runs under way, runs that are over."""
    _officials_only(request)
    told = {
        "running": queries.under_way(request.user),
        "past": queries.past(request.user),
        "may": queries.rights(request.user),
        "space": request.space,  # type: ignore[attr-defined]
    }
    if request.headers.get("HX-Target") == "runs":
        return render(request, "replay/parts/runs.html", told)
    return render(request, "replay/index.html", {**told, "scenarios": library.scenarios()})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """Choose a part and start; the new exercise is what the visitor looks at from then on."""
    if not may(request.user, "replay.start"):
        raise PermissionDenied
    asked = request.POST.get("scenario") or request.GET.get("scenario", "")
    found = library.find(asked)
    if request.method == "POST":
        given: Any = request.POST
        if "how" not in given:  # the one-click button: watch, at the scenario's own speed
            given = {"scenario": found.key, "how": How.WATCH.value, "speed": f"{found.speed:g}"}
        form = StartForm(given, user=request.user)
        if form.is_valid():
            run = services.start(found.key, by=request.user, **form.options())
            spaces.look_at(request, run.space)
            messages.success(
                request, _("The exercise has begun; you look at it now. The live world is in the bar above.")
            )
            return redirect(run)
    else:
        form = StartForm(user=request.user, initial={"scenario": found.key})
    return render(request, "replay/start.html", {"form": form, "scenario": found})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def what_if(request: HttpRequest) -> HttpResponse:
    """What a storm would have reached had it come otherwise; a button runs it as an exercise."""
    _officials_only(request)
    storms = [(each.key, localised(each.scenario.name.zh, each.scenario.name.en)) for each in library.scenarios()
              if each.scenario is not None and each.scenario.track is not None]  # fmt: skip
    if not storms:
        raise Refused(_("The data pack has no scenario with a storm track"))
    gauges = library.gauges(storms[0][0], request.user)
    given = request.POST if request.method == "POST" else request.GET
    asked = "scenario" in given
    form = WhatIfForm(given if asked else {"scenario": storms[0][0], "gauge": gauges[0][0] if gauges else ""},
                      storms=storms, gauges=gauges)  # fmt: skip
    told: dict[str, Any] = {"form": form, "may": queries.rights(request.user), "limits": LIMITS}
    if asked and form.is_valid():
        key, gauge, change = form.cleaned_data["scenario"], form.cleaned_data["gauge"], form.change()
        if form.cleaned_data["high_water"] and gauge:
            still = replace(change, later_h=0.0)
            change = replace(still, later_h=onto_high_water(library.simulation(key, change=still), gauge))
        if request.method == "POST":
            run = services.start(key, by=request.user, change=change)
            spaces.look_at(request, run.space)
            messages.success(
                request, _("The exercise has begun; you look at it now. The live world is in the bar above.")
            )
            return redirect(run)
        told |= {"found": outlook(request.user, key, change, gauge), "change": change}
    return render(request, "replay/what_if.html", told)


def _find(request: HttpRequest, pk: int) -> Run:
    _officials_only(request)
    found: Run = get_object_or_404(queries.runs(request.user), pk=pk)
    return found


@require_safe
@login_required
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: where it stands, what is real in it, what really happened."""
    found = _find(request, pk)
    told = {
        "standing": queries.standing(found),
        "may": queries.rights(request.user),
        "here": request.space == found.space,  # type: ignore[attr-defined]
        "beside": queries.beside(found),
        "speeds": services.SPEEDS,
    }
    if request.headers.get("HX-Target") == "run":
        return render(request, "replay/parts/run.html", told)
    whole = {
        **told,
        "scenario": queries.scenario_of(found),
        "cast": queries.cast_of(found),
        "bounds": queries.bounds(found),
    }
    return render(request, "replay/run.html", whole)


@require_POST
@login_required
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Let time stand still."""
    return _do(request, pk, services.pause)


@require_POST
@login_required
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Let it go on."""
    return _do(request, pk, services.resume)


@require_POST
@login_required
def speed(request: HttpRequest, pk: int) -> HttpResponse:
    """Run at another speed."""
    try:
        wanted = float(request.POST.get("speed", ""))
    except ValueError:
        messages.error(
            request, _("“%(speed)s” is no speed: choose a number.") % {"speed": request.POST.get("speed", "")}
        )
        return redirect(_find(request, pk))
    return _do(request, pk, services.set_speed, speed=wanted)


@require_POST
@login_required
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """End the exercise before its time, or close it when people have finished."""
    return _do(request, pk, services.stop)


def _do(request: HttpRequest, pk: int, deed: Deed, **more: Any) -> HttpResponse:
    found = _find(request, pk)
    deed(found, by=request.user, **more)
    back = request.POST.get("next", "")
    fits = url_has_allowed_host_and_scheme(back, {request.get_host()})
    return redirect(back if fits else reverse("replay:run", args=[found.pk]))
