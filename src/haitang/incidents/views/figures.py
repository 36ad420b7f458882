"""Figures on screen: the totals, the series behind each, a form for a new number, a file."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from haitang.accounts.verbs import Refused, may
from haitang.geo.models import Place
from haitang.incidents import figure_kinds, queries, services
from haitang.incidents.forms import FigureForm
from haitang.incidents.models import Incident
from haitang.incidents.views.common import context, find

PAGE = 50


@require_safe
@login_required
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """All numbers of an incident, with the course of one kind."""
    found = find(request, pk)
    family = queries.family_of(found)
    numbers = queries.numbers(request.user, family)
    kinds = {number.kind.code for number in numbers}
    kind = request.GET.get("kind", "")
    kind = kind if kind in kinds else ("moved" if "moved" in kinds else next(iter(kinds), ""))
    shown = next((number for number in numbers if number.kind.code == kind), None)
    names = {
        place.path: place.name for place in Place.objects.filter(path__in=list(shown.total.parts) if shown else [])
    }
    heads = [d.path for d in shown.total.differences] if shown else []
    names |= {place.path: place.name for place in Place.objects.filter(path__in=heads)}
    parts = (
        [(names.get(path, path), row.at, figure_kinds.shown(row.value)) for path, row in shown.total.parts.items()]
        if shown
        else []
    )
    differences = [
        (names.get(each.path, each.path), figure_kinds.shown(each.own), figure_kinds.shown(each.inside))
        for each in (shown.total.differences if shown else ())
    ]
    page = Paginator(queries.figure_rows(request.user, family, kind), PAGE).get_page(request.GET.get("page"))
    told = context(
        request, found, numbers=numbers, kind=kind, shown=shown, parts=parts, differences=differences, page=page
    )
    return render(request, "incidents/figures.html", told)


@require_safe
@login_required
def chart(request: HttpRequest, pk: int) -> JsonResponse:
    """The course of one figure's total."""
    found = find(request, pk)
    kind = request.GET.get("kind", "moved")
    answer = JsonResponse(
        queries.course(request.user, queries.family_of(found), kind if kind in figure_kinds.kinds() else "moved")
    )
    answer["Cache-Control"] = "private, no-store"
    return answer


def take(request: HttpRequest, found: Incident, form: FigureForm) -> bool:
    """Report the number of a form; False, with the form's errors set, where it is refused."""
    if not form.is_valid():
        return False
    told = form.cleaned_data
    try:
        services.report_figure(
            found, kind=told["kind"], value=told["value"], place=told["place"], at=told["at"], source=told["source"], note=told["note"],
            explanation=told["explanation"], by=request.user,
        )  # fmt: skip
    except services.NeedsExplanation as error:
        form.add_error("explanation", str(error))
        return False
    except Refused as error:
        form.add_error("value", str(error))
        return False
    return True


def form_for(request: HttpRequest, found: Incident, data: Any = None) -> FigureForm:
    """The form for a new number."""
    return FigureForm(data, incident=found, user=request.user, initial={"kind": request.GET.get("kind", "moved")})


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """Report a number."""
    found = find(request, pk)
    if not may(request.user, "incidents.figure"):
        raise PermissionDenied(_("Your role does not include this."))
    form = form_for(request, found, request.POST or None)
    if request.method == "POST" and take(request, found, form):
        return redirect(found)
    return render(
        request,
        "incidents/form.html",
        context(request, found, form=form, title=_("Report a number"), submit=_("Report")),
    )


@require_safe
@login_required
def export(request: HttpRequest, pk: int) -> HttpResponse:
    """Every number in reach as CSV."""
    found = find(request, pk)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="incident-{found.pk}-figures.csv"'
    answer.write("\ufeff")
    out = csv.writer(answer)
    if found.space.is_exercise:
        out.writerow([f"# 演练 EXERCISE: {found.space.name}"])
    out.writerow(
        [
            "as_of",
            "reported",
            "kind",
            "place_code",
            "place",
            "value",
            "unit",
            "reporter",
            "source",
            "note",
            "explanation",
        ]
    )
    for row in queries.figure_rows(request.user, queries.family_of(found)):
        told = [row.place.name, row.unit, row.reporter or "", row.source, row.note, row.explanation]
        place, unit, reporter, source, note, explanation = (_plain(str(each)) for each in told)
        out.writerow(
            [timezone.localtime(row.at).isoformat(), timezone.localtime(row.reported_at).isoformat(), row.kind, row.place.code, place,
             f"{row.value:g}", unit, reporter, source, note, explanation]
        )  # fmt: skip
    return answer


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
