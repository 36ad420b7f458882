"""The signed, short-lived address of a live stream."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.http import HttpRequest

SALT = "haitang.live"
LIFETIME_S = 120


def make_address(user_id: int, space_id: int) -> str:
    """A token that opens one user's stream of one space within two minutes."""
    return signing.dumps([user_id, space_id], salt=SALT)


def read_address(token: str) -> tuple[int, int]:
    """User and space of a token; raises BadSignature when it is forged or too old."""
    user, space = signing.loads(token, salt=SALT, max_age=LIFETIME_S)
    return int(user), int(space)


def stream_url(request: HttpRequest, space_id: int) -> str:
    """Where this browser can listen: the configured address, else this host at the live port."""
    base = settings.LIVE_URL or f"{request.scheme}://{request.get_host().rsplit(':', 1)[0]}:{settings.LIVE_PORT}"
    assert request.user.pk is not None
    return f"{base.rstrip('/')}/stream?address={make_address(request.user.pk, space_id)}"
