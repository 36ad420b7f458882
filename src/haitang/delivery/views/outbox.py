"""What was said to whom, and what became of it: for officials."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.roles import OFFICIALS, OPERATIONS, Role
from haitang.accounts.services import log_read
from haitang.accounts.verbs import Forbidden, may
from haitang.delivery import masks, queries, services
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery, Message
from haitang.delivery.queries import space_of
from haitang.delivery.states import State
from haitang.journal.models import Entry

PAGE, ROWS = 30, 100
# What is fetched again by itself, by the id of its place on the page.
PARTS = {"outbox": "delivery/parts/outbox.html", "outbox-counts": "delivery/parts/counts.html"}
MOST_EXPORTED = 50_000
# Who may see whole telephone numbers, each reading being noted: those who call people in an emergency.
SEES_CONTACTS = OPERATIONS | {Role.ADMIN}


def _official(request: HttpRequest) -> None:
    if request.user.role not in OFFICIALS:
        raise Forbidden(_("The outbox is for officials. Your own messages are under the bell."))


def _filters(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").replace("\0", "").strip()[:80] for name in ("q", "outcome", "channel")}


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The messages in reach, newest first."""
    _official(request)
    filters = _filters(request)
    rows = queries.narrowed(queries.messages(request.user, space_of(request)), request.user, **filters)
    page = Paginator(rows.select_related("organisation", "sender"), PAGE).get_page(request.GET.get("page"))
    found = queries.counts_of(request.user, page.object_list)
    context = {
        **filters,
        "page": page,
        "listed": [(message, found.get(message.pk, {}), _ways(message)) for message in page],
        "counts": queries.counts(request.user, space_of(request)),
        "channels": CHANNELS.values(),
        "outcomes": outcome_labels(),
        "may_hooks": may(request.user, "delivery.set_hook"),
    }
    part = PARTS.get(request.headers.get("HX-Target", ""), "delivery/outbox.html")
    return render(request, part, context)


def outcome_labels() -> list[tuple[str, Any]]:
    """What a list can be narrowed to, with labels."""
    return [
        ("waiting", State.QUEUED.label), ("sent", _("Sent, nothing heard yet")), ("reached", _("Arrived")),
        ("failed", State.FAILED.label), ("blocked", State.BLOCKED.label),
    ]  # fmt: skip


def _ways(message: Message) -> list[Any]:
    return [CHANNELS[name] for name in message.channels if name in CHANNELS]


def _message(request: HttpRequest, pk: int) -> Message:
    _official(request)
    rows = queries.messages(request.user, space_of(request)).select_related("organisation", "sender", "place", "space")
    return get_object_or_404(rows, pk=pk)


@require_safe
@login_required
def message(request: HttpRequest, pk: int) -> HttpResponse:
    """One message: its words, and every delivery with its times. Contact points are masked unless asked for and noted."""
    found = _message(request, pk)
    rows = queries.deliveries(request.user, found)
    if request.GET.get("channel") in CHANNELS:
        rows = rows.filter(channel=request.GET["channel"])
    if request.GET.get("outcome") in queries.OUTCOMES:
        rows = rows.filter(state__in=queries.OUTCOMES[request.GET["outcome"]])
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    may_see = request.user.role in SEES_CONTACTS
    whole = may_see and request.GET.get("contacts") == "1"
    if whole and page.object_list:
        log_read(request.user, found, purpose="delivery: contact points", count=len(page.object_list))
    entries = Entry.objects.visible_to(request.user).filter(
        subject_type=Message._meta.label_lower, subject_id=str(found.pk), space=found.space
    )
    context = {
        "message": found, "page": page, "ways": _ways(found), "may_see": may_see, "whole": whole,
        "listed": [(row, row.contact_point if whole else masks.masked(row.contact_point)) for row in page],
        "counts": queries.counts_of(request.user, [found]).get(found.pk, {}), "outcomes": outcome_labels(),
        "channel": request.GET.get("channel", ""), "outcome": request.GET.get("outcome", ""),
        "may_resend": may(request.user, "delivery.resend"), "entries": entries.order_by("seq"),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "deliveries"
    return render(request, "delivery/parts/deliveries.html" if part else "delivery/message.html", context)


@require_POST
@login_required
def resend(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the failed deliveries again."""
    number = services.resend(_message(request, pk), by=request.user)
    messages.success(
        request, ngettext("%(n)s delivery is sent again.", "%(n)s deliveries are sent again.", number) % {"n": number}
    )
    return redirect("delivery:message", pk=pk)


# -- export -----------------------------------------------------------------------------------------------------


class _Line:
    """What a CSV writer writes to: each line is handed on at once."""

    def write(self, text: str) -> str:
        return text


@require_safe
@login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The deliveries of the messages in the list as CSV, contact points masked."""
    _official(request)
    filters = _filters(request)
    found = queries.narrowed(queries.messages(request.user, space_of(request)), request.user, **filters)
    rows = Delivery.objects.visible_to(request.user).filter(message__in=found.order_by().values("pk"))
    if filters["channel"] in CHANNELS:
        rows = rows.filter(channel=filters["channel"])
    if filters["outcome"] in queries.OUTCOMES:
        rows = rows.filter(state__in=queries.OUTCOMES[filters["outcome"]])
    rows = rows.select_related("message", "organisation", "user").order_by("-message", "number", "position")[
        :MOST_EXPORTED
    ]
    log_read(request.user, Delivery, purpose="delivery: export, masked", count=rows.count())
    answer = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="messages-{timezone.localdate():%Y%m%d}.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer


def _lines(rows: Any) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield "\ufeff"
    yield writer.writerow([
        str(text)
        for text in (_("Message"), _("Recipient"), _("Organisation"), _("Channel"), _("Address"), _("State"), pgettext("delivery", "Reason"),
                     _("Attempts"), _("Queued at"), _("Sent at"), _("Arrived at"), _("Read or answered"), _("Exercise"), pgettext("delivery", "Simulated"))
    ])  # fmt: skip
    for row in rows.iterator(chunk_size=1000):
        times = (row.created_at, row.sent_at, row.delivered_at, row.read_at or row.answered_at)
        cells = [
            row.message.title, row.who, str(row.organisation or ""), str(row.way.label if row.way else row.channel),
            masks.masked(row.contact_point), str(row.status.label), row.why, row.attempts,
            *(timezone.localtime(at).isoformat(" ", "seconds") if at else "" for at in times),
            _("yes") if row.message.is_drill else "", _("yes") if row.is_simulated else "",
        ]  # fmt: skip
        yield writer.writerow([_harmless(cell) for cell in cells])


def _harmless(cell: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
