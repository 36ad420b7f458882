"""What pages are shown of the gateways' circuit breakers: a row for each gateway that was ever out of order."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from urllib.parse import urlsplit

from django.utils import timezone

from haitang.delivery.breaker import CLOSED, Breaker
from haitang.delivery.models import Gate


def host(address: str) -> str:
    """A gateway's host and port; never its path or query, which may hold a key, nor a password."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    return (parts.netloc.rpartition("@")[2] or address)[:200]


def keep(channel: str, address: str, breaker: Breaker, at: float) -> Gate:
    """Store the state of a gateway's breaker; `at` is the breaker's own clock."""
    moment = timezone.now()
    retry = None if breaker.state == CLOSED else moment + timedelta(seconds=max(0.0, breaker.retry_at - at))
    return Gate.objects.update_or_create(
        channel=channel,
        digest=hashlib.sha256(address.encode()).hexdigest(),
        defaults={
            "host": host(address), "state": breaker.state, "reason": breaker.reason[:300], "failures": breaker.failures,
            "changed_at": moment, "retry_at": retry,
        },
    )[0]  # fmt: skip
