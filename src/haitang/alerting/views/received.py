"""CAP messages from other platforms: what came, what the validator thinks of it, and a warning of our own made from it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from haitang.accounts.verbs import may
from haitang.alerting import cap, inbound, mapping
from haitang.alerting.feed import CAP_TYPE
from haitang.alerting.mapping import shape_layer
from haitang.alerting.models import ReceivedWarning, Refusal
from haitang.alerting.views.common import language_of, space_of

PAGE = 25


def _seen(request: HttpRequest) -> Any:
    return ReceivedWarning.objects.visible_to(request.user).filter(space=space_of(request))


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Messages received, newest first, and how often something was turned away."""
    page = Paginator(_seen(request).defer("cap_xml", "geometry"), PAGE).get_page(request.GET.get("page"))
    refusals = Refusal.objects.visible_to(request.user).order_by("-day", "reason")[:14]
    return render(request, "alerting/received.html", {"page": page, "refusals": list(refusals)})


@require_safe
@login_required
def message(request: HttpRequest, pk: int) -> HttpResponse:
    """One message with its findings."""
    found = get_object_or_404(_seen(request), pk=pk)
    alert, _findings = cap.parse(bytes(found.cap_xml))
    language = language_of(request)
    findings = [
        {**row, "what": row.get(f"what_{language}", ""), "fix": row.get(f"fix_{language}", "")}
        for row in found.findings
    ]
    own = None
    if found.geometry is not None:
        layer = shape_layer([(str(found), found.geometry)], found.colour or "grey", found.event)
        own = {"layers": [layer], "bounds": mapping.bounds([found.geometry])}
    return render(request, "alerting/received_message.html", {
        "received": found, "alert": alert, "findings": findings, "own": own, "may_draft": may(request.user, "alerting.draft") and inbound.may_become_ours(found),
    })  # fmt: skip


@require_safe
@login_required
def cap_xml(request: HttpRequest, pk: int) -> HttpResponse:
    """The message as it came, byte for byte; sent as a file, for what others wrote is not shown as a page of ours."""
    found = get_object_or_404(_seen(request), pk=pk)
    headers = {
        "Content-Disposition": f'attachment; filename="received-{found.pk}.xml"',
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(bytes(found.cap_xml), content_type=CAP_TYPE, headers=headers)
