"""What comes in: receipts from gateways, subscriptions from browsers."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from haitang.delivery import gateways, receipts, services, tallies
from haitang.delivery.channel import CHANNELS

MOST_BYTES = 2_000_000
MOST_SUBSCRIPTION = 4_000


def _error(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse({"error": code, "detail": detail}, status=status)


@csrf_exempt
@require_POST
def take_receipts(request: HttpRequest, channel: str) -> HttpResponse:
    """A gateway's door: one receipt, or a list, with the bearer token. Posting the same again changes nothing."""
    if channel not in CHANNELS:
        return _error(404, "not_found", f"There is no channel {channel!r}; there are {', '.join(sorted(CHANNELS))}")
    scheme, _space, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(given.strip(), gateways.token()):
        tallies.count(channel, {"forged": 1})
        return _error(401, "forged", "Send Authorization: Bearer with the token of HAITANG_GATEWAY_TOKEN")
    body = _body(request, MOST_BYTES)
    if isinstance(body, JsonResponse):
        tallies.count(channel, {"malformed": 1})
        return body
    try:
        taken = receipts.take(channel, receipts.read(body))
    except receipts.Malformed as error:
        tallies.count(channel, {"malformed": 1})
        return _error(400, "malformed", str(error))
    answer = {
        "taken": taken.taken,
        "repeated": taken.repeated,
        "unknown": taken.unknown,
        "invalid": taken.invalid[:100],
    }
    bad = taken.invalid and not (taken.taken or taken.repeated or taken.unknown)
    return JsonResponse(answer, status=422 if bad else 200)


def _body(request: HttpRequest, most: int) -> Any:
    length = request.headers.get("Content-Length", "")
    if (length.isdigit() and int(length) > most) or len(request.body) > most:
        return _error(413, "too_large", f"The body is larger than {most} bytes")
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as error:
        return _error(400, "malformed", f"The body is not JSON: {str(error)[:200]}")


@require_POST
@login_required
def subscribe(request: HttpRequest) -> HttpResponse:
    """A browser says where it can be woken (the object that PushManager.subscribe gives)."""
    body = _body(request, MOST_SUBSCRIPTION)
    if isinstance(body, JsonResponse):
        return body
    try:
        endpoint, p256dh, auth = services.read_subscription(body)
    except ValueError as error:
        return _error(422, "invalid", str(error))
    services.subscribe(
        endpoint=endpoint, p256dh=p256dh, auth=auth, browser=request.headers.get("User-Agent", ""), by=request.user
    )
    return JsonResponse({"subscribed": True}, status=201)


@require_POST
@login_required
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Wake no browser of this person any more."""
    services.unsubscribe(by=request.user)
    from django.shortcuts import redirect

    return redirect("shell:profile")
