"""How the ways out fare: gateways with their breakers, and what was given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import Forbidden, Refused, may, require
from haitang.delivery import gates, masks, queries, services
from haitang.delivery.channel import CHANNELS, Channel, Letter
from haitang.delivery.models import Delivery, Gate, Message, Tally
from haitang.delivery.queries import space_of
from haitang.delivery.reasons import REASONS
from haitang.delivery.states import State
from haitang.spaces.clock import now

PAGE, MOST_RESENT = 100, 5000


def _official(request: HttpRequest) -> None:
    if request.user.role not in OFFICIALS:
        raise Forbidden(_("The outbox is for officials. Your own messages are under the bell."))


def _where(channel: Channel) -> tuple[str, bool]:
    """A channel's gateway as it may be shown, and whether only the simulator stands there."""
    try:
        found = channel.gateway(Letter(key="", to="", title=""))
    except Exception:  # noqa: BLE001 - a channel whose gateway hangs on the letter has no single one
        found = None
    return (gates.host(found.url), found.simulated) if found and found.url else ("", False)


@require_safe
@login_required
def gateways(request: HttpRequest) -> HttpResponse:
    """Every channel: where it goes, how fast, what waits and was given up, and its breaker."""
    _official(request)
    since = now(space_of(request)) - timedelta(days=1)
    rows = Delivery.objects.visible_to(request.user).filter(space=space_of(request)).order_by().values_list("channel")
    counted = {
        channel: (waiting, dead)
        for channel, waiting, dead in rows.annotate(
            waiting=Count("pk", filter=Q(state=State.QUEUED)),
            dead=Count("pk", filter=Q(state=State.FAILED, failed_at__gte=since) & ~Q(address="")),
        )
    }
    broken: dict[str, list[Gate]] = {}
    for gate in Gate.objects.visible_to(request.user):
        broken.setdefault(gate.channel, []).append(gate)
    listed = [
        {
            "way": way, "where": _where(way), "pace": way.pace(), "waiting": counted.get(name, (0, 0))[0],
            "dead": counted.get(name, (0, 0))[1], "gates": broken.get(name, []),
        }
        for name, way in sorted(CHANNELS.items()) if not way.here
    ]  # fmt: skip
    tallies = [(row, CHANNELS.get(row.channel)) for row in Tally.objects.visible_to(request.user)]
    part = request.headers.get("HX-Target") == "gateways"
    context = {"listed": listed, "tallies": tallies, "may_hooks": may(request.user, "delivery.set_hook")}
    return render(request, "delivery/parts/gateways.html" if part else "delivery/gateways.html", context)


def _dead(request: HttpRequest) -> tuple[QuerySet[Delivery], dict[str, str]]:
    given = request.POST if request.method == "POST" else request.GET
    filters = {name: given.get(name, "").replace("\0", "").strip()[:40] for name in ("channel", "reason")}
    rows = Delivery.objects.visible_to(request.user).filter(space=space_of(request), state=State.FAILED)
    rows = rows.exclude(address="")
    if filters["channel"] in CHANNELS:
        rows = rows.filter(channel=filters["channel"])
    if filters["reason"] in REASONS:
        rows = rows.filter(Q(reason=filters["reason"]) | Q(reason__startswith=f"{filters['reason']}:"))
    return rows, filters


@require_safe
@login_required
def dead(request: HttpRequest) -> HttpResponse:
    """What was given up, newest first: why, and what can be sent again."""
    _official(request)
    rows, filters = _dead(request)
    ordered = rows.select_related("message", "user", "organisation").order_by("-failed_at", "-pk")
    page = Paginator(ordered, PAGE).get_page(request.GET.get("page"))
    at = now(space_of(request))
    listed = [
        {
            "row": row,
            "address": masks.masked(row.contact_point),
            "over": row.message.expires_at is not None and row.message.expires_at <= at,
        }
        for row in page
    ]
    context = {
        **filters, "page": page, "listed": listed, "channels": [way for way in CHANNELS.values() if not way.here],
        "reasons": sorted(REASONS.items(), key=lambda each: str(each[1])), "may_resend": may(request.user, "delivery.resend"),
    }  # fmt: skip
    return render(request, "delivery/dead.html", context)


@require_POST
@login_required
def dead_resend(request: HttpRequest) -> HttpResponse:
    """Send the ticked ones again, or all that the filter shows; what has expired stays where it is."""
    require("delivery.resend", request.user)
    rows, filters = _dead(request)
    ticked = [int(pk) for pk in request.POST.getlist("pk")[:MOST_RESENT] if pk.isdigit() and len(pk) < 19]
    if request.POST.get("which") != "all":
        rows = rows.filter(pk__in=ticked)
    by_message: dict[int, list[int]] = {}
    for pk, message in rows.order_by("-pk").values_list("pk", "message")[:MOST_RESENT]:
        by_message.setdefault(message, []).append(pk)
    number, over = 0, 0
    for found in queries.messages(request.user, space_of(request)).filter(pk__in=by_message):
        try:
            number += _again(found, by_message[found.pk], request.user)
        except Refused:
            over += len(by_message[found.pk])
    if number:
        messages.success(
            request,
            ngettext("%(n)s delivery is sent again.", "%(n)s deliveries are sent again.", number) % {"n": number},
        )
    if over:
        messages.warning(request, _("%(n)s stay: the time of their message is over.") % {"n": over})
    if not (number or over):
        messages.warning(request, _("Nothing was chosen."))
    query = "&".join(f"{name}={value}" for name, value in filters.items() if value)
    return redirect(f"{request.path.removesuffix('resend/')}{'?' if query else ''}{query}")


def _again(message: Message, pks: list[int], by: Any) -> int:
    return services.resend(message, by=by, only=pks)
