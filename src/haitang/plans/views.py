"""Plans for people: the list, a plan with its levels and findings, coverage."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.models import Organisation
from haitang.accounts.verbs import may
from haitang.geo.models import Place
from haitang.journal.models import Entry
from haitang.journal.services import thread_of
from haitang.plans import findings, hazards, services
from haitang.plans.forms import DatesForm, LevelForm
from haitang.plans.models import Plan, PlanKind, PlanLevel

PAGE = 25
PATTERN_LABELS = {
    "townships": gettext_lazy("every township in the area"),
    "villages": gettext_lazy("every village in the area"),
    "departments": gettext_lazy("every department"),
    "enterprises": gettext_lazy("every enterprise in the area"),
    "social": gettext_lazy("social forces in the area"),
    "owner": gettext_lazy("the plan's owner"),
    "command": gettext_lazy("the command centre"),
}


def _mine(request: HttpRequest) -> Any:
    return Plan.objects.visible_to(request.user).select_related("place", "owner")


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Plans in reach, filtered by kind and words."""
    rows = _mine(request).annotate(
        n_levels=Count("levels", distinct=True), n_actions=Count("levels__actions", distinct=True)
    )
    kind, words = request.GET.get("kind", ""), request.GET.get("q", "").strip()
    if kind in PlanKind.values:
        rows = rows.filter(kind=kind)
    for word in words.split():
        rows = rows.filter(Q(name_zh__icontains=word) | Q(name_en__icontains=word) | Q(code__icontains=word))
    page = Paginator(rows.order_by("place__path", "kind", "code"), PAGE).get_page(request.GET.get("page"))
    names = hazards.labels(get_language() or "zh")
    for plan in page:
        plan.hazard_labels = [names.get(each, each) for each in plan.hazards]
    context = {"page": page, "kinds": PlanKind, "kind": kind, "q": words, "shares": _shares(request)}
    return render(request, "plans/index.html", context)


def _shares(request: HttpRequest) -> dict[str, Any]:
    rows = services.coverage_for(request.user)
    total, present = sum(row.total for row in rows), sum(row.present for row in rows)
    return {"total": total, "present": present, "percent": 100 * present / total if total else None}


@require_safe
@login_required
def coverage(request: HttpRequest) -> HttpResponse:
    """Plan coverage, K5: which plans must be there, which places lack one."""
    rows = services.coverage_for(request.user)
    return render(request, "plans/coverage.html", {"rows": rows, "shares": _shares(request)})


@require_safe
@login_required
def plan(request: HttpRequest, pk: int) -> HttpResponse:
    """One plan: levels, conditions, actions, what the linter found."""
    found = get_object_or_404(_mine(request), pk=pk)
    levels = list(found.levels.prefetch_related("actions"))
    listed = services.check(found)
    by_level: dict[int, list[findings.Finding]] = {}
    by_action: dict[tuple[int, str], list[findings.Finding]] = {}
    for each in listed:
        if each.action:
            by_action.setdefault((each.level, each.action), []).append(each)
        else:
            by_level.setdefault(each.level, []).append(each)
    names = {
        row.code: row.name
        for row in Organisation.objects.filter(
            code__in={code for level in levels for action in level.actions.all() for code in action.by}
        )
    }
    places = {
        place.code: place.name
        for place in Place.objects.filter(path__startswith=found.place.path, level__in=("district", "township"))
    }
    for level in levels:
        level.sentence = services.describe(level.condition, places=places) if level.condition else ""
        level.findings = _said(by_level.get(level.level, ()))
        level.rows = list(level.actions.all())
        for action in level.rows:
            action.who = [PATTERN_LABELS.get(code) or names.get(code, code) for code in action.by]
            action.findings = _said(by_action.get((level.level, action.code), ()))
    labels = hazards.labels(get_language() or "zh")
    entries = Entry.objects.visible_to(request.user).filter(thread=thread_of(found)).order_by("-id")[:20]
    context = {
        "plan": found, "levels": levels, "findings": _said(by_level.get(0, ())), "entries": entries,
        "errors": sum(each.severity == findings.ERROR for each in listed),
        "remarks": sum(each.severity == findings.REMARK for each in listed),
        "hazards": [labels.get(each, each) for each in found.hazards], "may_edit": may(request.user, "plans.set_level"),
    }  # fmt: skip
    return render(request, "plans/plan.html", context)


def _said(found: Any) -> list[dict[str, str]]:
    return [
        {"text": services.say_finding(each), "colour": "red" if each.severity == findings.ERROR else "grey"}
        for each in found
    ]


@require_http_methods(["GET", "POST"])
@login_required
def edit_level(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a level's condition, start and term."""
    level = get_object_or_404(
        PlanLevel.objects.filter(plan__in=_mine(request)).select_related("plan__place", "plan__owner"), pk=pk
    )
    initial = {"condition": level.condition, "start": level.start, "term_hours": level.term_hours}
    form = LevelForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.set_level(level, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved"))
        return redirect(level.plan)
    return render(request, "plans/edit.html", {"plan": level.plan, "level": level, "form": form})


@require_http_methods(["GET", "POST"])
@login_required
def edit_dates(request: HttpRequest, pk: int) -> HttpResponse:
    """Note approval, filing and review."""
    found = get_object_or_404(_mine(request), pk=pk)
    initial = {name: getattr(found, name) for name in ("approved_on", "filed_on", "review_on")}
    form = DatesForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.set_dates(found, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved"))
        return redirect(found)
    return render(request, "plans/edit.html", {"plan": found, "level": None, "form": form})


@require_POST
@login_required
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a plan out of force."""
    found = get_object_or_404(_mine(request), pk=pk)
    services.retire(found, by=request.user)
    return redirect(found)
