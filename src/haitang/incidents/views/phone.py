"""Incidents on the phone: what is under way where I am, my tasks, a number in three taps."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from haitang.accounts.verbs import may
from haitang.incidents import queries
from haitang.incidents.views.common import context, find, rights, space_of
from haitang.incidents.views.figures import form_for, take
from haitang.obligations.models import OPEN


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The responses under way where I am."""
    rows = queries.current(request.user, space_of(request))
    return render(request, "incidents/phone/index.html", {"incidents": rows, "may": rights(request), "tab": "todo"})


@require_safe
@login_required
def incident(request: HttpRequest, pk: int) -> HttpResponse:
    """One incident: level, my tasks, my numbers."""
    found = find(request, pk)
    family = queries.family_of(found)
    organisation = request.user.organisation
    mine = queries.tasks(request.user, family).filter(owner=organisation, state__in=OPEN) if organisation else []
    told = context(
        request, found, numbers=queries.numbers(request.user, family), tasks=mine, tab="todo",
        entries=queries.timeline(found, request.user, family)[:12],
    )  # fmt: skip
    return render(request, "incidents/phone/incident.html", told)


@require_http_methods(["GET", "POST"])
@login_required
def figure(request: HttpRequest, pk: int) -> HttpResponse:
    """Report a number from the field."""
    found = find(request, pk)
    if not may(request.user, "incidents.figure"):
        raise PermissionDenied(_("Your role does not include this."))
    form = form_for(request, found, request.POST or None)
    if request.method == "POST" and take(request, found, form):
        messages.success(request, _("Reported"))
        return redirect("incidents:phone", pk=found.pk)
    asks_why = bool(form.errors.get("explanation"))
    return render(
        request, "incidents/phone/figure.html", context(request, found, form=form, asks_why=asks_why, tab="todo")
    )
