"""Where a warning for many places begins: open alarms of one kind taken together, or a gridded forecast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from haitang.accounts.verbs import Forbidden, Refused, may
from haitang.alerting import services, starting
from haitang.alerting.colours import Colour
from haitang.alerting.forecast_grid import GridError
from haitang.alerting.forms import ForecastForm
from haitang.alerting.models import EventKind
from haitang.alerting.views.common import space_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """Groups of open alarms, each with one press to a draft; and a forecast to be uploaded."""
    if not may(request.user, "alerting.draft"):
        raise Forbidden(_("This is not for your role, or outside your area."))
    space = space_of(request)
    groups = starting.groups(space, request.user)
    form = ForecastForm()
    status = 200
    if request.method == "POST" and request.POST.get("kind_code"):
        group = next((one for one in groups if one.kind.code == request.POST["kind_code"]), None)
        if group is None:
            messages.error(request, _("These alarms are no longer open."))
            return redirect("alerting:start")
        return _drafted(request, group.kind, group.colours, group.cause)
    if request.method == "POST":
        form = ForecastForm(request.POST, request.FILES)
        if form.is_valid():
            given = form.cleaned_data
            thresholds = {colour: given[colour.value] for colour in Colour if given[colour.value] is not None}
            try:
                found = starting.from_forecast(given["file"].read(), thresholds, below=given["below"], by=request.user)
            except GridError as error:
                form.add_error("file", str(error))
            else:
                if found:
                    return _drafted(request, given["kind"], found, starting.forecast_cause(given["file"].name))
                form.add_error(None, _("No township reaches a threshold: there is nothing to warn of."))
        status = 422
    return render(request, "alerting/start.html", {"groups": groups, "form": form}, status=status)


def _drafted(request: HttpRequest, kind: EventKind, colours: Mapping[str, Colour], cause: Any) -> HttpResponse:
    """A draft for these places, each in its colour; on to where it is looked over."""
    try:
        made = starting.draft(space_of(request), kind, colours, cause, by=request.user)
    except Refused as error:
        messages.error(request, str(error))
        standing = services.standing_for(space_of(request), cause.thread) if cause.thread else None
        return redirect(standing.get_absolute_url() if standing else "alerting:start")
    messages.success(request, _("Saved as a draft."))
    return redirect("alerting:edit", made.pk)
