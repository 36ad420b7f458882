"""The messages of whoever signed in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from haitang.delivery import queries, services
from haitang.delivery.queries import space_of

PAGE = 30


@require_safe
@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    """One's own messages, unread first."""
    space = space_of(request)
    page = Paginator(queries.inbox(request.user, space), PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "unread": services.unread(request.user, space).count()}
    part = request.headers.get("HX-Target") == "inbox"
    return render(request, "delivery/parts/inbox.html" if part else "delivery/inbox.html", context)


@require_safe
@login_required
def letter(request: HttpRequest, pk: int) -> HttpResponse:
    """One message, read by being opened."""
    found = get_object_or_404(
        queries.inbox(request.user, space_of(request)).select_related("message__organisation"), pk=pk
    )
    if found.read_at is None and request.method == "GET":
        found.read_at = services.mark_read(found, by=request.user).read_at
    return render(
        request,
        "delivery/letter.html",
        {"delivery": found, "message": found.message, "url": found.url or found.message.url},
    )


@require_POST
@login_required
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark all messages as read."""
    with transaction.atomic():
        for delivery in services.unread(request.user, space_of(request))[:500]:
            services.mark_read(delivery, by=request.user)
    return redirect("delivery:inbox")


@require_safe
@login_required
def bell(request: HttpRequest) -> HttpResponse:
    """The bell in the bar, fetched again after every message."""
    return render(
        request, "delivery/parts/bell.html", {"unread": services.unread(request.user, space_of(request)).count()}
    )
