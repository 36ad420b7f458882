"""The machine interface of delivery, under /api/v1/delivery/: messages in reach and what became of them.

Gateways report to /delivery/receipts/{channel}/ with the gateway token; see http_gateway.py for the protocol.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema

from haitang.accounts.models import ApiToken
from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.verbs import Forbidden
from haitang.delivery import masks, queries
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery, Message
from haitang.spaces.models import Space

router = Router()

READ = "read"
READERS = OFFICIALS | {Role.MACHINE}
OUTCOMES = f"^({'|'.join(queries.OUTCOMES)})?$"


class ErrorOut(Schema):
    """Why a request was not served."""

    error: str
    detail: Any


class ChannelOut(Schema):
    """A way to reach people."""

    name: str
    label: str
    public: bool
    group: bool


class MessageOut(Schema):
    """A message, with the number of deliveries in reach by what became of them."""

    id: int
    key: str
    title_zh: str
    title_en: str
    colour: str
    about: str
    thread: str
    channels: list[str]
    in_order: bool
    is_drill: bool
    recipients: int
    sender: str
    created_at: datetime
    counts: dict[str, int]


class DeliveryOut(Schema):
    """One message on one channel to one recipient; the address is masked."""

    id: int
    number: int
    channel: str
    name: str
    organisation: str | None
    address: str
    state: str
    reason: str
    is_simulated: bool
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    answered_at: datetime | None
    failed_at: datetime | None


class MessageDetailOut(MessageOut):
    """A message with its words."""

    body_zh: str
    body_en: str


_REFUSED = {403: ErrorOut, 422: ErrorOut}


def _space(request: HttpRequest) -> Space:
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and READ not in token.rights:
        raise Forbidden(f"This access token lacks the right {READ!r}; ask an administrator for one that has it")
    if getattr(request.user, "role", None) not in READERS:
        raise Forbidden("Messages are for officials")
    return request.space  # type: ignore[attr-defined,no-any-return]


def _out(message: Message, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "id": message.pk, "key": message.key, "title_zh": message.title_zh, "title_en": message.title_en, "colour": message.colour,
        "about": f"{message.about_type}:{message.about_id}", "thread": message.thread, "channels": message.channels,
        "in_order": message.in_order, "is_drill": message.is_drill, "recipients": message.recipients,
        "sender": message.sender_name, "created_at": message.created_at, "counts": counts,
        "body_zh": message.body_zh, "body_en": message.body_en,
    }  # fmt: skip


@router.get("/channels", response={200: list[ChannelOut], **_REFUSED}, summary="Channels")
def channels(request: HttpRequest) -> Any:
    """The ways to reach people."""
    _space(request)
    return [
        {"name": each.name, "label": str(each.label), "public": each.public, "group": each.group}
        for each in CHANNELS.values()
    ]


@router.get("/messages", response={200: list[MessageOut], **_REFUSED}, summary="Messages")
def messages(
    request: HttpRequest,
    q: str = Query("", max_length=80),
    outcome: str = Query("", pattern=OUTCOMES),
    channel: str = Query("", max_length=20),
    limit: int = Query(100, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=1_000_000),
) -> Any:
    """Messages in reach, newest first: by words, by what became of them, by channel."""
    rows = queries.messages(request.user, _space(request))
    rows = queries.narrowed(rows, request.user, q=q.replace("\0", ""), outcome=outcome, channel=channel)
    found = list(rows[offset : offset + limit])
    counts = queries.counts_of(request.user, found)
    return [_out(message, counts.get(message.pk, {})) for message in found]


def _message(request: HttpRequest, number: int) -> Message:
    found: Message = get_object_or_404(
        queries.messages(request.user, _space(request)), pk=number if number < 2**63 else -1
    )
    return found


@router.get(
    "/messages/{int:number}", response={200: MessageDetailOut, **_REFUSED, 404: ErrorOut}, summary="One message"
)
def message(request: HttpRequest, number: int) -> Any:
    """One message in reach, with its words."""
    found = _message(request, number)
    return _out(found, queries.counts_of(request.user, [found]).get(found.pk, {}))


@router.get("/messages/{int:number}/deliveries", response={200: list[DeliveryOut], **_REFUSED, 404: ErrorOut},
            summary="Deliveries of a message")  # fmt: skip
def deliveries(
    request: HttpRequest,
    number: int,
    limit: int = Query(100, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=1_000_000),
) -> Any:
    """What became of a message for each recipient in reach and each channel, in order."""
    return [
        _delivery(row) for row in queries.deliveries(request.user, _message(request, number))[offset : offset + limit]
    ]


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.pk, "number": row.number, "channel": row.channel, "name": row.name,
        "organisation": row.organisation.code if row.organisation else None, "address": masks.masked(row.contact_point),
        "state": row.state, "reason": row.reason, "is_simulated": row.is_simulated, "attempts": row.attempts,
        "created_at": row.created_at, "sent_at": row.sent_at, "delivered_at": row.delivered_at, "read_at": row.read_at,
        "answered_at": row.answered_at, "failed_at": row.failed_at,
    }  # fmt: skip
