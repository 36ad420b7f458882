"""CAP messages from other platforms: what came, what the validator thinks of it, and a warning of our own made from it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.verbs import may
from haitang.alerting import aggregating, cap, inbound, mapping
from haitang.alerting.feed import CAP_TYPE
from haitang.alerting.forms import ReceivedForm
from haitang.alerting.mapping import shape_layer
from haitang.alerting.models import FeedSource, ReceivedWarning, Refusal, TrustedSender
from haitang.alerting.registers import FEEDS
from haitang.alerting.views.common import language_of, space_of
from haitang.spaces.clock import now

PAGE = 25


def _seen(request: HttpRequest) -> Any:
    return ReceivedWarning.objects.visible_to(request.user).filter(space=space_of(request))


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Messages received, newest first, and how often something was turned away."""
    form = ReceivedForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    rows = _seen(request).defer("cap_xml", "original", "geometry").select_related("source", "replaced_by")
    if wanted.get("signature"):
        rows = rows.filter(signature=wanted["signature"])
    if wanted.get("source"):
        rows = rows.filter(source=wanted["source"])
    if wanted.get("show") != "all":
        rows = rows.filter(same_as=None)
    if wanted.get("show") == "open":
        at = now(space_of(request))
        rows = rows.filter(replaced_by=None).exclude(msg_type="Cancel").filter(Q(expires=None) | Q(expires__gt=at))
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    refusals = Refusal.objects.visible_to(request.user).order_by("-day", "reason")[:14]
    return render(
        request,
        "alerting/received.html",
        {"page": page, "form": form, "refusals": list(refusals), "at": now(space_of(request))},
    )


@require_safe
@login_required
def message(request: HttpRequest, pk: int) -> HttpResponse:
    """One message with its findings."""
    found = get_object_or_404(_seen(request).select_related("source", "same_as", "replaced_by"), pk=pk)
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
        "received": found, "alert": alert, "findings": findings, "own": own, "replaces": list(_seen(request).filter(replaced_by=found).defer("cap_xml", "original", "geometry")),
        "doubles": list(_seen(request).filter(same_as=found).defer("cap_xml", "original", "geometry").select_related("source")),
        "trusted": TrustedSender.objects.visible_to(request.user).filter(fingerprint=found.signature_by).first() if found.signature_by else None,
        "original": _original(found), "may_draft": may(request.user, "alerting.draft") and inbound.may_become_ours(found),
    })  # fmt: skip


def _original(found: ReceivedWarning) -> str:
    """The record it was made from, to read; empty where it came as CAP."""
    return bytes(found.original).decode("utf-8", "replace")[:20_000] if found.original else ""


@require_POST
@login_required
def read_feed(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a feed read at once."""
    found = get_object_or_404(FeedSource.objects.visible_to(request.user), pk=pk)
    aggregating.read_now(found, by=request.user)
    messages.success(request, _("The feed is read within seconds."))
    return redirect(FEEDS.page_of(found.code))


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
