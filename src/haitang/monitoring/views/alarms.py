"""Alarms: the board, one alarm with its course and record, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.verbs import may
from haitang.geo.catalogue import matching
from haitang.journal.models import Entry
from haitang.journal.services import thread_of
from haitang.monitoring import ahead, charts, queries, services, surroundings
from haitang.monitoring.forms import AssignForm, RemarkForm, ReportForm, ShelveForm
from haitang.monitoring.models import Alarm, AlarmKind, AlarmState, Colour, Episode, Hazard
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.views.stations import centre, look, space_of
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.registry.sheets import Head, write_csv, write_xlsx
from haitang.spaces.clock import now

PAGE = 50
MOST_CHOSEN, EXPORT_MOST, DUE_MINUTES = 500, 20_000, 60
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABS = {"open": OPEN, "shelved": OPEN, "cleared": (AlarmState.CLEARED,), "closed": (AlarmState.CLOSED,)}
SORTS = {
    "opened": ("-opened_at", "-pk"), "oldest": ("opened_at", "pk"), "station": ("station__code", "-pk"), "place": ("place__path", "-level", "-pk"),
}  # fmt: skip
SORT_LABELS = (("", gettext_lazy("Gravest first")), ("opened", gettext_lazy("Newest first")), ("oldest", gettext_lazy("Oldest first")), ("station", gettext_lazy("By station")), ("place", gettext_lazy("By place")))  # fmt: skip
EXPORTED = (
    (gettext_lazy("Code"), 14), (gettext_lazy("Station"), 24), (gettext_lazy("What"), 28), (gettext_lazy("Place"), 16), (gettext_lazy("Colour"), 8), (gettext_lazy("Highest colour"), 8), (gettext_lazy("First value"), 10),
    (gettext_lazy("Peak"), 10), (gettext_lazy("Unit"), 8), (gettext_lazy("Threshold"), 10), (gettext_lazy("State"), 12), (gettext_lazy("Opened"), 20), (gettext_lazy("Time of peak"), 20), (gettext_lazy("Acknowledged"), 20),
    (gettext_lazy("Acknowledged by"), 14), (gettext_lazy("Cleared"), 20), (gettext_lazy("Closed"), 20), (gettext_lazy("Assigned to"), 24), (gettext_lazy("Shelved until"), 20), (gettext_lazy("Reason for shelving"), 30),
)  # fmt: skip


def _mine(request: HttpRequest) -> Any:
    rows = Alarm.objects.visible_to(request.user).filter(space=space_of(request))
    return rows.select_related("station", "place", "series", "assignee", "episode", "acknowledged_by").defer(
        "station__geometry"
    )


def _tab(rows: Any, name: str) -> Any:
    """The rows of one tab. What is shelved stands, but not among those that ask for somebody."""
    if name == "shelved":
        return rows.filter(state__in=OPEN, shelved_until__isnull=False)
    rows = rows.filter(state__in=TABS[name])
    return rows.filter(shelved_until=None) if name == "open" else rows


def _chosen(request: HttpRequest) -> tuple[str, Any]:
    """The tab asked for, and its alarms by search, colour, hazard, event and order."""
    ask = request.GET
    tab = ask.get("tab", "") if ask.get("tab") in TABS else "open"
    rows = _tab(_mine(request), tab)
    if ask.get("colour") in Colour.values:
        rows = rows.filter(peak_colour=ask["colour"])
    if ask.get("hazard") in Hazard.values:
        rows = rows.filter(episode__hazard=ask["hazard"])
    if re.fullmatch(r"[0-9]{1,18}", ask.get("episode", "")):
        rows = rows.filter(episode=int(ask["episode"]))
    if text := ask.get("q", "").strip()[:100]:
        rows = matching(
            rows, text, "station__name_zh", "station__name_en", "station__code", "what_zh", "what_en", "place__name_zh",
            "place__name_en", "assignee__name_zh", "assignee__name_en",
        )  # fmt: skip
    order = SORTS.get(ask.get("sort", ""))
    if order is None:
        order = ("-level", "-opened_at", "-pk") if tab in {"open", "shelved"} else ("-opened_at", "-pk")
    return tab, rows.order_by(*order)


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """Alarms in reach: those that stand, red on top, also grouped by event; shelved ones; those to be put away; those put away."""
    tab, rows = _chosen(request)
    mine = _mine(request)
    counts = {name: _tab(mine, name).order_by().count() for name in TABS}
    context = {
        "tab": tab, "counts": counts, "colours": Colour, "hazards": Hazard, "sorts": SORT_LABELS, "colour": request.GET.get("colour", ""),
        "hazard": request.GET.get("hazard", ""), "q": request.GET.get("q", ""), "sort": request.GET.get("sort", ""),
        "may_acknowledge": may(request.user, "monitoring.acknowledge"), "grouped": request.GET.get("view") == "events",
        "query": request.GET.urlencode(), "view": request.GET.get("view", ""), "episode": request.GET.get("episode", ""),
    }  # fmt: skip
    if context["grouped"]:
        context["page"] = Paginator(queries.grouped(rows), PAGE).get_page(request.GET.get("page"))
    else:
        context["page"] = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    part = request.headers.get("HX-Target") == "board"
    return render(request, "monitoring/parts/board.html" if part else "monitoring/board.html", context)


@require_safe
@login_required
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The alarms of the list as CSV or XLSX, at most 20,000."""
    if kind not in {"csv", "xlsx"}:
        raise Http404
    _name, rows = _chosen(request)
    heads = [Head(label=str(label), width=width) for label, width in EXPORTED]
    lines = ([_cell(value) for value in _line(alarm)] for alarm in rows[:EXPORT_MOST].iterator(chunk_size=1000))
    name = f"{_('Alarms')}-{timezone.localtime(now(space_of(request))):%Y%m%d-%H%M}.{kind}"
    if kind == "csv":
        answer: HttpResponseBase = StreamingHttpResponse(
            write_csv(heads, lines), content_type="text/csv; charset=utf-8"
        )
    else:
        answer = HttpResponse(write_xlsx(str(_("Alarms")), heads, lines), content_type=XLSX)
    answer["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _line(alarm: Alarm) -> tuple[Any, ...]:
    return (
        alarm.station.code, alarm.station.name, alarm.what, alarm.place, Colour(alarm.colour).label, Colour(alarm.peak_colour).label,
        alarm.first_value, alarm.peak_value, alarm.symbol, alarm.threshold, AlarmState(alarm.state).label, alarm.opened_at, alarm.peak_at,
        alarm.acknowledged_at, alarm.acknowledged_by, alarm.cleared_at, alarm.closed_at, alarm.assignee, alarm.shelved_until, alarm.shelf_reason,
    )  # fmt: skip


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
    return value if value is None or isinstance(value, str | int | float) else str(value)


@require_POST
@login_required
def acknowledge_many(request: HttpRequest) -> HttpResponse:
    """Acknowledge the ticked alarms, or a whole event's."""
    rows = _mine(request).filter(state=AlarmState.ACTIVE)
    keys = [int(key) for key in request.POST.getlist("alarm") if re.fullmatch(r"[0-9]{1,18}", key)]
    events = [int(key) for key in request.POST.getlist("episode") if re.fullmatch(r"[0-9]{1,18}", key)]
    rows = rows.filter(Q(pk__in=keys[:MOST_CHOSEN]) | Q(episode__in=events[:MOST_CHOSEN]))
    done = services.acknowledge_all(
        rows.order_by("pk"), by=request.user, note=request.POST.get("note", "").strip()[:200]
    )
    messages.success(request, ngettext("%(n)s alarm acknowledged.", "%(n)s alarms acknowledged.", done) % {"n": done})
    return redirect(_back(request, reverse("monitoring:alarms")))


def _back(request: HttpRequest, otherwise: str) -> str:
    back = request.POST.get("next", "")
    return back if url_has_allowed_host_and_scheme(back, {request.get_host()}) else otherwise


@require_safe
@login_required
def episode(request: HttpRequest, pk: int) -> HttpResponse:
    """One event: its alarms, what was reported about it, what happened."""
    found = get_object_or_404(
        Episode.objects.visible_to(request.user).filter(space=space_of(request)).select_related("place"), pk=pk
    )
    rows = _mine(request).filter(episode=found).order_by("-level", "-opened_at", "-pk")
    threads = [thread_of(found), *(thread_of(each) for each in rows[:200])]
    entries = Entry.objects.visible_to(request.user).filter(thread__in=threads).order_by("-seq")[:100]
    context = {
        "episode": found, "page": Paginator(rows, PAGE).get_page(request.GET.get("page")), "entries": entries, "report": ReportForm(),
        "may_report": may(request.user, "monitoring.report"), "may_acknowledge": may(request.user, "monitoring.acknowledge"),
        "active": rows.filter(state=AlarmState.ACTIVE).count(), "standing": rows.filter(state__in=OPEN).count(), "thread": thread_of(found),
    }  # fmt: skip
    return render(request, "monitoring/episode.html", context)


@require_POST
@login_required
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """Add what was reported from the field to an event."""
    found = get_object_or_404(Episode.objects.visible_to(request.user).filter(space=space_of(request)), pk=pk)
    form = ReportForm(request.POST)
    if form.is_valid():
        services.report(found, text=form.cleaned_data["text"], source=form.cleaned_data["source"], by=request.user)
    else:
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return redirect(found.get_absolute_url())


@require_safe
@login_required
def alarm(request: HttpRequest, pk: int) -> HttpResponse:
    """One alarm."""
    found = get_object_or_404(
        _mine(request)
        .defer(None)
        .select_related(
            "rule", "station__operator", "station__place", "space", "person", "shelved_by", "episode__place"
        ),
        pk=pk,
    )
    entries = Entry.objects.visible_to(request.user).filter(thread=thread_of(found)).order_by("seq")
    around = surroundings.of(found, look(request))
    context = {
        "alarm": found,
        "entries": entries,
        "state": AlarmState(found.state),
        "may": {
            name: may(request.user, f"monitoring.{name}")
            for name in ("acknowledge", "comment", "assign", "close", "shelve", "reset")
        },
        "shelve": ShelveForm(),
        "obligations": Obligation.objects.visible_to(request.user)
        .filter(pk__in=obligations.for_subject(found).values("pk"))
        .select_related("owner", "person", "place"),
        "around": around,
        "own": surroundings.drawn(around),
        "chains": ahead.of_alarm(found, request.user),
        "remark": RemarkForm(),
        "assign": AssignForm(user=request.user, initial={"organisation": found.assignee_id, "person": found.person_id}),
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
        return redirect(_back(request, found.get_absolute_url()))

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
        given = form.cleaned_data
        minutes = given["minutes"] or DUE_MINUTES
        services.assign(
            found, organisation=given["organisation"], person=given["person"], task=given["task"],
            due_at=now(space_of(request)) + timedelta(minutes=minutes) if given["task"] else None, by=request.user,
        )  # fmt: skip
    else:
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return redirect(found.get_absolute_url())


@require_POST
@login_required
def shelve(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the alarm off the desk for a while."""
    found = get_object_or_404(_mine(request), pk=pk)
    form = ShelveForm(request.POST)
    if form.is_valid():
        until = now(space_of(request)) + timedelta(hours=float(form.cleaned_data["hours"]))
        services.shelve(found, until=until, reason=form.cleaned_data["reason"], by=request.user)
    else:
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return redirect(found.get_absolute_url())


@require_POST
@login_required
def unshelve(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring the alarm back to the desk."""
    found = get_object_or_404(_mine(request), pk=pk)
    services.unshelve(found, by=request.user)
    return redirect(_back(request, found.get_absolute_url()))
