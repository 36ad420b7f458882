"""Stations: the list with what they measure now, one station with its chart."""

from __future__ import annotations

import io
from collections import defaultdict
from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from haitang.geo.catalogue import Look, matching
from haitang.monitoring import charts, overlays, queries, store, takeout
from haitang.monitoring.models import Alarm, Rule, Series, Station, StationKind
from haitang.spaces.clock import now
from haitang.spaces.models import Space

PAGE = 50
SPANS = {
    "6": timedelta(hours=6),
    "24": timedelta(days=1),
    "72": timedelta(days=3),
    "168": timedelta(days=7),
    "720": timedelta(days=30),
    "8760": timedelta(days=365),
}
FORMS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def space_of(request: HttpRequest) -> Space:
    """The world this visitor looks at (set by the spaces middleware)."""
    return request.space  # type: ignore[attr-defined,no-any-return]


def look(request: HttpRequest) -> Look:
    """This visitor's look at the map, now."""
    space = space_of(request)
    return Look(request.user, space, now(space), language=get_language() or "zh-hans")


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """All stations in reach, with their newest readings."""
    space = space_of(request)
    rows = Station.objects.visible_to(request.user).filter(is_active=True).select_related("place").defer("geometry")
    kind, text = request.GET.get("kind", ""), request.GET.get("q", "").strip()
    if kind in StationKind.values:
        rows = rows.filter(kind=kind)
    if text:
        rows = matching(rows, text, "code", "name_zh", "name_en", "place__name_zh", "place__name_en")
    page = Paginator(rows.order_by("code"), PAGE).get_page(request.GET.get("page"))
    series = list(Series.objects.filter(station__in=[s.pk for s in page], is_active=True).select_related("station"))
    by_station: defaultdict[int, list[queries.SeriesNow]] = defaultdict(list)
    for each in queries.series_now(space, series):
        by_station[each.series.station_id].append(each)
    colours = queries.highest(queries.standing(space).filter(station__in=[s.pk for s in page]), "station")
    listed = [(station, by_station[station.pk], colours.get(station.pk, "")) for station in page]
    context = {"page": page, "listed": listed, "kinds": StationKind, "kind": kind, "q": text}
    template = (
        "monitoring/parts/station_rows.html"
        if request.headers.get("HX-Target") == "stations"
        else "monitoring/stations.html"
    )
    return render(request, template, context)


@require_safe
@login_required
def station(request: HttpRequest, pk: int) -> HttpResponse:
    """One station: where it is, what it measures now, its course, its rules and alarms."""
    space = space_of(request)
    found = get_object_or_404(Station.objects.visible_to(request.user).select_related("place", "operator"), pk=pk)
    series = list(found.series.filter(is_active=True))
    present = queries.series_now(space, series)
    chosen = next((each for each in series if str(each.pk) == request.GET.get("series")), series[0] if series else None)
    span = request.GET.get("hours") if request.GET.get("hours") in SPANS else "24"
    alarms = Alarm.objects.visible_to(request.user).filter(space=space, station=found).order_by("-opened_at")[:10]
    rules = Rule.objects.visible_to(request.user).filter(series__station=found).select_related("series")
    return render(
        request,
        "monitoring/station.html",
        {"station": found, "present": present, "chosen": chosen, "span": span, "spans": SPANS, "alarms": alarms,
         "rules": rules, "center": centre(found)},
    )  # fmt: skip


def centre(station: Station) -> str:
    """Where the map opens, "lon,lat"; empty for a station without a position."""
    return "" if station.west is None else f"{station.west:.6f},{station.south:.6f}"


@require_safe
@login_required
def series_chart(request: HttpRequest, pk: int) -> JsonResponse:
    """The course of one series as a chart's description; `hours` back from the space's now."""
    space = space_of(request)
    series = get_object_or_404(Series.objects.visible_to(request.user).select_related("station"), pk=pk)
    end = now(space) + timedelta(minutes=5)
    start = end - SPANS.get(request.GET.get("hours", ""), SPANS["24"])
    chart = overlays.add(charts.of_series(space, series, start, end), space, series, start, end)
    answer = JsonResponse(chart)
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_safe
@login_required
def series_readings(request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
    """The readings of one series as a file, CSV or Parquet; `hours` back from the space's now, or all of them."""
    space = space_of(request)
    series = get_object_or_404(Series.objects.visible_to(request.user).select_related("station"), pk=pk)
    if form not in FORMS:
        raise Http404
    end = queries.ms(now(space) + timedelta(minutes=5))
    span = SPANS.get(request.GET.get("hours", ""))
    start = end - span // timedelta(milliseconds=1) if span else -store.FOREVER_MS
    if form == "csv":
        lines = takeout.csv_lines(space.pk, [series], start, end)
        answer: HttpResponseBase = StreamingHttpResponse(lines, content_type=FORMS[form])
    else:
        out = io.BytesIO()
        takeout.write_parquet(out, space.pk, [series], start, end)
        answer = HttpResponse(out.getvalue(), content_type=FORMS[form])
    answer["Content-Disposition"] = f'attachment; filename="{series.code}.{form}"'
    answer["Cache-Control"] = "private, no-store"
    return answer
