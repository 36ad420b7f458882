"""Unread messages on the phone."""

from __future__ import annotations

from django.http import HttpRequest

from haitang.delivery.services import unread
from haitang.frame import Card, phone_card

ROWS = 3


@phone_card("delivery.unread", order=60, live=("delivery.",))
def phone(request: HttpRequest) -> Card | None:
    """The newest unread messages; nothing when all are read."""
    rows = list(unread(request.user, request.space)[: ROWS + 1])  # type: ignore[attr-defined]
    return Card("delivery/cards/phone.html", {"rows": rows[:ROWS], "more": len(rows) > ROWS}) if rows else None
