"""Data quality: shares by station and day, what was found of one series, limits, corrections, the export."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import Refused, may, require
from haitang.geo.catalogue import matching
from haitang.monitoring import flagging, quality_queries, services
from haitang.monitoring.alarms import at
from haitang.monitoring.models import Correction, QualityFlag, QualityLimits, Series, StationKind
from haitang.monitoring.quality import Limits
from haitang.monitoring.quality_defaults import default
from haitang.monitoring.quality_defaults import source as built_in
from haitang.monitoring.quality_forms import CorrectionForm, LimitsForm
from haitang.monitoring.quantities import QUANTITIES, figure
from haitang.monitoring.views.stations import space_of
from haitang.spaces.clock import now

PAGE = 25
SPANS = {"1": 1, "7": 7, "30": 30}
BAD = (QualityFlag.SUSPECT, QualityFlag.FAIL)


def _mine(request: HttpRequest) -> Any:
    if request.user.role not in OFFICIALS:
        raise PermissionDenied
    rows = Series.objects.visible_to(request.user).filter(is_active=True, station__is_active=True)
    return rows.select_related("station__place")


def _filtered(request: HttpRequest) -> tuple[Any, dict[str, str], int]:
    rows = _mine(request)
    given = {name: request.GET.get(name, "").strip() for name in ("q", "kind", "flag", "days")}
    if given["kind"] in StationKind.values:
        rows = rows.filter(station__kind=given["kind"])
    if given["q"]:
        rows = matching(rows, given["q"], "code", "station__code", "station__name_zh", "station__name_en")
    given["days"] = given["days"] if given["days"] in SPANS else "7"
    flag = int(given["flag"]) if given["flag"] in {"3", "4"} else 0
    return rows, given, flag


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Series with findings, the worst first, with the share of good readings by day."""
    space = space_of(request)
    rows, given, flag = _filtered(request)
    days = SPANS[given["days"]]
    last, start, end = quality_queries.span(now(space), days)
    found = quality_queries.flags(space, rows.order_by().values("pk"), start, end)
    total = {kind: found.filter(flag=kind).count() for kind in BAD}
    if flag:
        found = found.filter(flag=flag)
    page = Paginator(quality_queries.worst(found), PAGE).get_page(request.GET.get("page"))
    series = rows.in_bulk(page.object_list)
    lines = quality_queries.lines(space, [series[pk] for pk in page.object_list], last, min(days, 7))
    shown = [at(quality_queries.day_start(last - back)) for back in reversed(range(min(days, 7)))]
    context = {
        "page": page, "lines": [(line, list(zip(shown, line.days, strict=True))) for line in lines], "given": given, "spans": SPANS, "kinds": StationKind, "flags": BAD,
        "suspect": total[QualityFlag.SUSPECT], "fail": total[QualityFlag.FAIL], "series_count": rows.count(),
        "with_findings": page.paginator.count, "may_set": may(request.user, "monitoring.set_quality"),
        "days": shown,
        "query": request.GET.urlencode(),
    }  # fmt: skip
    return render(request, "monitoring/quality.html", context)


class _Echo:
    """A file that gives back what is written."""

    def write(self, text: str) -> str:
        return text


@require_safe
@login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Flagged readings of the filtered series as CSV."""
    space = space_of(request)
    rows, given, flag = _filtered(request)
    _last, start, end = quality_queries.span(now(space), SPANS[given["days"]])
    writer = csv.writer(_Echo())
    table = quality_queries.csv_rows(space, list(rows), start, end, flag)
    text: Iterator[str] = (writer.writerow(row) for row in table)
    answer = StreamingHttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="quality.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_safe
@login_required
def of_series(request: HttpRequest, pk: int) -> HttpResponse:
    """One series: what was found, what was corrected, what it is tested against."""
    return _series_page(request, get_object_or_404(_mine(request), pk=pk), CorrectionForm())


def _series_page(request: HttpRequest, series: Series, form: CorrectionForm) -> HttpResponse:
    space = space_of(request)
    rows = quality_queries.flags(space, [series.pk], -(2**62), 2**62).order_by("-time_ms")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    limits, mutes, _near = flagging.limits_of([series])[series.pk]
    found = [
        (row, at(row.time_ms), QualityFlag(row.flag), quality_queries.names(row.suspect, row.fail)) for row in page
    ]
    corrections = Correction.objects.visible_to(request.user).filter(space=space, series=series)
    context = {
        "series": series, "page": page, "found": found, "form": form, "mutes": mutes,
        "corrections": corrections.select_related("made_by")[:50], "limits": _shown(limits),
        "may_correct": may(request.user, "monitoring.correct"), "may_set": may(request.user, "monitoring.set_quality"),
        "source": _source(series),
    }  # fmt: skip
    return render(request, "monitoring/quality_series.html", context)


def _shown(limits: Limits) -> list[tuple[str, str]]:
    """Limits that are set, with their names."""
    labels = {name: str(QualityLimits._meta.get_field(name).verbose_name) for name in LimitsForm.Meta.fields}
    shown = [
        (label, figure(value, 4))
        for name, label in labels.items()
        if (value := getattr(limits, name, None)) not in (None, ()) and isinstance(value, float | int)
    ]
    return shown + ([(labels["climatology"], "12")] if limits.climatology else [])


def _source(series: Series) -> str:
    rows = QualityLimits.objects.filter(quantity=series.quantity) | QualityLimits.objects.filter(series=series)
    said = [row.source for row in rows.order_by("series") if row.source]
    return "; ".join([*said, built_in(series.quantity)] if said else [built_in(series.quantity)])


@require_POST
@login_required
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct a stretch of readings."""
    series = get_object_or_404(_mine(request), pk=pk)
    form = CorrectionForm(request.POST)
    if not form.is_valid():
        return _series_page(request, series, form)
    try:
        services.correct_readings(series, space=space_of(request), by=request.user, **form.cleaned_data)
    except Refused as error:
        form.add_error(None, str(error))
        return _series_page(request, series, form)
    messages.success(request, _("Corrected. The readings themselves stay as they came."))
    return redirect("monitoring:quality_series", pk)


@require_POST
@login_required
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a correction back."""
    rows = Correction.objects.visible_to(request.user).filter(space=space_of(request))
    found = get_object_or_404(rows.select_related("series__station", "space"), pk=pk)
    try:
        services.withdraw_correction(found, by=request.user)
    except Refused as error:
        messages.error(request, str(error))
    return redirect("monitoring:quality_series", found.series_id)


@require_safe
@login_required
def quantities(request: HttpRequest) -> HttpResponse:
    """The limits of every quantity that is measured."""
    used = set(_mine(request).order_by().values_list("quantity", flat=True).distinct())
    said = {row.quantity: row for row in QualityLimits.objects.filter(series=None)}
    listed = []
    for kind in QUANTITIES.values():
        if kind.code in used:
            row = said.get(kind.code)
            limits = row.over(default(kind.code, 300)) if row else default(kind.code, 300)
            listed.append((kind, _shown(limits), row.source if row else built_in(kind.code), row is not None))
    own = QualityLimits.objects.exclude(series=None).filter(series__in=_mine(request)).select_related("series__station")
    context = {"listed": listed, "own": own, "may_set": may(request.user, "monitoring.set_quality")}
    return render(request, "monitoring/quality_quantities.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def limits(request: HttpRequest, quantity: str) -> HttpResponse:
    """Set the limits of a quantity."""
    if quantity not in QUANTITIES:
        raise Http404
    require("monitoring.set_quality", request.user)
    row = QualityLimits.objects.filter(quantity=quantity, series=None).first() or QualityLimits(quantity=quantity)
    return _limits_form(request, row, default(quantity, 300), built_in(quantity), quantity=quantity)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def series_limits(request: HttpRequest, pk: int) -> HttpResponse:
    """Set the limits of one series."""
    series = get_object_or_404(_mine(request), pk=pk)
    require("monitoring.set_quality", request.user)
    row = QualityLimits.objects.filter(series=series).first() or QualityLimits(series=series)
    general = QualityLimits.objects.filter(quantity=series.quantity, series=None).first()
    base = default(series.quantity, series.interval_s)
    return _limits_form(request, row, general.over(base) if general else base, built_in(series.quantity), series=series)


def _limits_form(request: HttpRequest, row: QualityLimits, base: Limits, source: str, **of: Any) -> HttpResponse:
    form = LimitsForm(request.POST or None, instance=row, base=base)
    back = "monitoring:quality_limits_all" if "quantity" in of else "monitoring:quality_series"
    where = () if "quantity" in of else (of["series"].pk,)
    if request.method == "POST" and form.is_valid():
        try:
            services.set_quality(by=request.user, **of, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, ValidationError(error.messages))
        else:
            messages.success(request, _("Saved. The next reading is tested against it."))
            return redirect(back, *where)
    context = {
        "form": form,
        "row": row,
        "source": source,
        "quantity": QUANTITIES.get(row.quantity),
        "series": row.series,
    }
    return render(request, "monitoring/quality_limits.html", context)
