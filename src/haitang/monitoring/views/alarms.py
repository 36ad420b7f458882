"""Alarms: the board, one alarm with its course and record, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.verbs import may
from haitang.journal.models import Entry
from haitang.journal.services import thread_of
from haitang.monitoring import charts, services
from haitang.monitoring.forms import AssignForm, RemarkForm
from haitang.monitoring.models import Alarm, AlarmKind, AlarmState, Colour
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.views.stations import centre, space_of
from haitang.spaces.clock import now

PAGE = 50
TABS = {"open": OPEN, "cleared": (AlarmState.CLEARED,), "closed": (AlarmState.CLOSED,)}


def _mine(request: HttpRequest) -> Any:
    rows = Alarm.objects.visible_to(request.user).filter(space=space_of(request))
    return rows.select_related("station", "place", "series", "assignee")


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """Alarms in reach: those that stand, red on top; those to be put away; those put away."""
    tab = request.GET.get("tab") if request.GET.get("tab") in TABS else "open"
    rows = _mine(request)
    counts = {name: rows.filter(state__in=states).order_by().count() for name, states in TABS.items()}
    rows = rows.filter(state__in=TABS[tab])
    if request.GET.get("colour") in Colour.values:
        rows = rows.filter(peak_colour=request.GET["colour"])
    if tab != "open":
        rows = rows.order_by("-opened_at", "-pk")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page, "tab": tab, "counts": counts, "colours": Colour, "colour": request.GET.get("colour", ""),
        "may_acknowledge": may(request.user, "monitoring.acknowledge"),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "board"
    return render(request, "monitoring/parts/board.html" if part else "monitoring/board.html", context)


@require_safe
@login_required
def alarm(request: HttpRequest, pk: int) -> HttpResponse:
    """One alarm."""
    found = get_object_or_404(
        _mine(request).select_related("rule", "acknowledged_by", "station__operator", "space"), pk=pk
    )
    entries = Entry.objects.visible_to(request.user).filter(thread=thread_of(found)).order_by("seq")
    context = {
        "alarm": found,
        "entries": entries,
        "state": AlarmState(found.state),
        "may": {
            name: may(request.user, f"monitoring.{name}") for name in ("acknowledge", "comment", "assign", "close")
        },
        "remark": RemarkForm(),
        "assign": AssignForm(user=request.user, initial={"organisation": found.assignee_id}),
        "draft_url": _draft_url(found),
        "thread": thread_of(found),
        "center": centre(found.station),
    }
    part = request.headers.get("HX-Target") == "alarm"
    return render(request, "monitoring/parts/alarm.html" if part else "monitoring/alarm.html", context)


def _draft_url(alarm: Alarm) -> str:
    """Where a warning is drafted from this alarm; empty where the platform runs without warnings."""
    try:
        return f"{reverse('alerting:compose')}?alarm={alarm.pk}"
    except NoReverseMatch:
        return ""


@require_safe
@login_required
def alarm_chart(request: HttpRequest, pk: int) -> JsonResponse:
    """The course of the alarm's series around the alarm."""
    found = get_object_or_404(_mine(request).select_related("rule__series"), pk=pk)
    space = space_of(request)
    end = (found.cleared_at or now(space)) + timedelta(hours=1)
    start = found.opened_at - timedelta(hours=6)
    marks = [{"at": found.opened_at.isoformat(), "label": _("opened"), "colour": found.peak_colour}]
    if found.cleared_at:
        marks.append({"at": found.cleared_at.isoformat(), "label": _("cleared")})
    if found.rule is not None and found.kind == AlarmKind.THRESHOLD:
        shown = charts.of_rule(space, found.rule, start, end, marks=marks)
    else:
        shown = charts.of_series(space, found.series, start, end, marks=marks)
    answer = JsonResponse(shown)
    answer["Cache-Control"] = "private, no-store"
    return answer


def _act(verb: Callable[..., Alarm]) -> Callable[[HttpRequest, int], HttpResponse]:
    @require_POST
    @login_required
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        found = get_object_or_404(_mine(request), pk=pk)
        verb(found, by=request.user, note=request.POST.get("note", "").strip()[:200])
        back = request.POST.get("next", "")
        safe = url_has_allowed_host_and_scheme(back, {request.get_host()})
        return redirect(back if safe else found.get_absolute_url())

    return view


acknowledge = _act(services.acknowledge)
close = _act(services.close)


@require_POST
@login_required
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a remark."""
    found = get_object_or_404(_mine(request), pk=pk)
    form = RemarkForm(request.POST)
    if form.is_valid():
        services.comment(found, text=form.cleaned_data["text"], by=request.user)
    else:
        messages.error(request, " ".join(form.errors.get("text", [])))
    return redirect(found.get_absolute_url())


@require_POST
@login_required
def assign(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the alarm to an organisation."""
    found = get_object_or_404(_mine(request), pk=pk)
    form = AssignForm(request.POST, user=request.user)
    if form.is_valid():
        services.assign(found, organisation=form.cleaned_data["organisation"], by=request.user)
    else:
        messages.error(request, " ".join(form.errors.get("organisation", [])))
    return redirect(found.get_absolute_url())
