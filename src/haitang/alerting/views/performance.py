"""How warnings did: a year, and one warning; on the screen, as PDF and as XLSX."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import Forbidden
from haitang.alerting import paper
from haitang.alerting import performance as figures
from haitang.alerting.models import EventKind, Warning
from haitang.alerting.performance import Year
from haitang.alerting.views.common import mine, space_of

KINDS = {"pdf": "application/pdf", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
SHOWN = 60


def _official(request: HttpRequest) -> None:
    if request.user.role not in OFFICIALS:
        raise Forbidden(_("How warnings did is for officials."))


def _chosen(request: HttpRequest, given: str) -> tuple[int, str, list[int]]:
    """Year, hazard and the years there are; what cannot be is the newest year and all hazards."""
    found = figures.years(space_of(request), request.user)
    year = int(given) if given.isdigit() and len(given) == 4 and 1900 <= int(given) <= 2200 else found[0]
    hazard = request.GET.get("hazard", "")[:40]
    return year, hazard if EventKind.objects.filter(hazard=hazard).exists() else "", found


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """A year: how fast, how far, and whether they came true."""
    _official(request)
    year, hazard, found = _chosen(request, request.GET.get("year", ""))
    told = figures.of_year(space_of(request), request.user, year, hazard)
    seen: dict[str, str] = {}
    for kind in EventKind.objects.order_by("code"):
        seen.setdefault(kind.hazard, kind.name)
    return render(request, "alerting/performance.html", {
        "told": told, "year": year, "years": found if year in found else [year, *found], "hazard": hazard, "hazards": seen.items(),
        "lines": told.lines[:SHOWN], "happenings": told.happenings[:SHOWN], "false_alarms": told.false_alarms[:SHOWN],
        "skill": _skill(told), "speed": _speed(told), "verdicts": paper.VERDICTS,
        "tiles": {name: told.typical(name) for name in ("issue_s", "first_s", "most_s", "answer_most_s")},
    })  # fmt: skip


def _skill(told: Year) -> dict[str, Any] | None:
    """POD, FAR and CSI of each hazard and colour as bars."""
    rows = [each for each in told.verdicts if any(share is not None for share in each.shares)]
    if not rows:
        return None
    names = ("POD", "FAR", "CSI")
    return {
        "kind": "bar", "unit": "%", "categories": [f"{each.name} {_colour(each.colour)}" for each in rows],
        "series": [{"name": name, "data": [each.shares[number] for each in rows]} for number, name in enumerate(names)],
    }  # fmt: skip


def _colour(colour: Any) -> str:
    from haitang.alerting.models import ColourChoice

    return str(ColourChoice(colour.value).label)


def _speed(told: Year) -> dict[str, Any] | None:
    """How long until half and nearly all had received and answered, warning by warning."""
    rows = [line for line in reversed(told.lines) if line.half_s is not None or line.answer_half_s is not None][-40:]
    if len(rows) < 2:
        return None

    def minutes(name: str) -> list[float | None]:
        return [None if (value := getattr(line, name)) is None else round(value / 60, 1) for line in rows]

    return {
        "kind": "bar", "unit": "min", "categories": [f"{line.warning.published_at:%m-%d} {line.warning.kind.name}" for line in rows],
        "series": [
            {"name": pgettext("performance", "50 % received"), "data": minutes("half_s")},
            {"name": pgettext("performance", "95 % received"), "data": minutes("most_s")},
            {"name": pgettext("performance", "95 % answered"), "data": minutes("answer_most_s")},
        ],
    }  # fmt: skip


@require_safe
@login_required
def export(request: HttpRequest, year: int, form: str) -> HttpResponse:
    """The year's report."""
    _official(request)
    if form not in KINDS or not 1900 <= year <= 2200:
        raise Http404
    chosen, hazard, _years = _chosen(request, str(year))
    told = figures.of_year(space_of(request), request.user, chosen, hazard)
    content = paper.year(told)
    return _file(content, form, f"warning-performance-{year}")


def _one(request: HttpRequest, pk: int) -> Warning:
    _official(request)
    found: Warning = get_object_or_404(mine(request), pk=pk)
    if not found.is_open or found.published_at is None:
        raise Http404
    return found


@require_safe
@login_required
def measured(request: HttpRequest, pk: int) -> HttpResponse:
    """One warning in figures."""
    found = _one(request, pk)
    told = figures.measured(found, request.user)
    return render(
        request,
        "alerting/measured.html",
        {"warning": found, "told": told, "judged": figures.judged(found, request.user), "verdicts": paper.VERDICTS},
    )


@require_safe
@login_required
def measured_export(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """One warning's report."""
    found = _one(request, pk)
    if form not in KINDS:
        raise Http404
    content = paper.warning(figures.measured(found, request.user), figures.judged(found, request.user))
    return _file(content, form, f"warning-{found.identifier or found.pk}")


def _file(content: dict[str, Any], form: str, name: str) -> HttpResponse:
    data = paper.pdf(content, get_language() or "zh-hans") if form == "pdf" else paper.xlsx(content)
    return HttpResponse(
        data, content_type=KINDS[form], headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    )
