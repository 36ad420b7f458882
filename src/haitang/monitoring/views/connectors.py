"""Connectors: the list, one connector with how it went, its form, and what can be done with it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.verbs import Refused, may
from haitang.journal.models import Entry
from haitang.journal.services import thread_of
from haitang.monitoring import services
from haitang.monitoring.models import Connector
from haitang.monitoring.way_forms import ConnectorForm

PAGE = 50


def _keeper(request: HttpRequest) -> None:
    if not may(request.user, "monitoring.save_connector"):
        raise PermissionDenied


def _one(request: HttpRequest, pk: int) -> Connector:
    return get_object_or_404(Connector.objects.visible_to(request.user).select_related("operator"), pk=pk)


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """All connectors, those that fail first."""
    _keeper(request)
    rows = Connector.objects.visible_to(request.user).select_related("operator").order_by("-failures", "code")
    return render(
        request, "monitoring/connectors.html", {"page": Paginator(rows, PAGE).get_page(request.GET.get("page"))}
    )


@require_safe
@login_required
def connector(request: HttpRequest, pk: int) -> HttpResponse:
    """One connector: what it fetches, how it went."""
    _keeper(request)
    found = _one(request, pk)
    entries = Entry.objects.visible_to(request.user).filter(thread=thread_of(found)).order_by("-id")[:20]
    return render(request, "monitoring/connector.html", {"connector": found, "entries": entries})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The form, for a new connector or a present one. A secret left empty stays as it is."""
    _keeper(request)
    found = _one(request, pk) if pk is not None else None
    form = ConnectorForm(request.POST or None, instance=found, user=request.user)
    if request.method == "POST" and form.is_valid():
        saved = services.save_connector(form.save(commit=False), by=request.user)
        messages.success(request, _("Saved. It is fetched now."))
        return redirect(saved)
    return render(request, "monitoring/connector_form.html", {"form": form, "connector": found})


@require_POST
@login_required
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch it on or off."""
    found = services.switch_connector(_one(request, pk), on=request.POST.get("on") == "1", by=request.user)
    return redirect(found)


@require_POST
@login_required
def pull(request: HttpRequest, pk: int) -> HttpResponse:
    """Fetch now."""
    found = _one(request, pk)
    try:
        services.pull_now(found, by=request.user)
        messages.success(request, _("It is fetched within a second or two."))
    except Refused as error:
        messages.error(request, str(error))
    return redirect(found)
