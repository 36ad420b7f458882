"""The outbox's rows: queued, moved from state to state, handed on to the next channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from django.utils import translation

from haitang.accounts.roles import Role
from haitang.delivery.channel import CHANNELS, Channel, channel_of
from haitang.delivery.models import Delivery, Message
from haitang.delivery.recipients import Recipient
from haitang.delivery.states import State, may_follow

BATCH = 500


def queue(message: Message, people: Sequence[Recipient], channels: Sequence[Channel]) -> None:
    """Write the deliveries of a new message: on all its channels, or on the first where they follow each other."""
    rows: list[Delivery] = []
    for number, recipient in enumerate(people):
        if message.in_order:
            rows += _first_that_can(message, number, recipient, channels, 0)
            continue
        rows += [
            _row(message, number, place, recipient, channel)
            for place, channel in enumerate(channels)
            if not channel.group
        ]
    if not message.in_order:
        rows += _group_rows(message, people, channels)
    Delivery.objects.bulk_create(rows, batch_size=BATCH)


def _group_rows(message: Message, people: Sequence[Recipient], channels: Sequence[Channel]) -> Iterable[Delivery]:
    """One row for each organisation on the channels that speak to groups; its people are mentioned."""
    for place, channel in enumerate(channels):
        if not channel.group:
            continue
        groups: dict[object, list[tuple[int, Recipient]]] = {}
        for number, recipient in enumerate(people):
            groups.setdefault(recipient.organisation and recipient.organisation.pk, []).append((number, recipient))
        for members in groups.values():
            number, first = members[0]
            organisation = first.organisation
            whole = replace(first, user=None, url="", name=organisation.name_zh if organisation else first.name)
            row = _row(message, number, place, whole, channel)
            row.contact = {
                "wecom": [r.wecom for _n, r in members if r.wecom and r.user],
                "phone": [r.phone for _n, r in members if r.phone and r.user],
            }
            yield row


def _first_that_can(
    message: Message, number: int, recipient: Recipient, channels: Sequence[Channel], start: int
) -> list[Delivery]:
    """The row on the first channel from `start` that can reach the recipient, after rows that say why others cannot."""
    rows: list[Delivery] = []
    for place in range(start, len(channels)):
        row = _row(message, number, place, recipient, channels[place])
        rows.append(row)
        if row.state not in {State.FAILED, State.BLOCKED}:
            if place + 1 < len(channels):
                row.contact = {"phone": recipient.phone, "email": recipient.email, "wecom": recipient.wecom}
            break
    return rows


def _row(message: Message, number: int, place: int, recipient: Recipient, channel: Channel) -> Delivery:
    at = message.created_at
    row = Delivery(
        message=message, space_id=message.space_id, number=number, position=place, channel=channel.name,
        user=recipient.user, organisation=recipient.organisation, name=recipient.name[:120],
        address=channel.address(recipient)[:500], language=recipient.language, url="" if channel.group else recipient.url,
        is_simulated=message.is_drill and not channel.here, created_at=at,
    )  # fmt: skip
    if message.is_drill and (channel.public or recipient.is_public):
        row.state, row.reason = State.BLOCKED, blocked_reason(recipient.language)
    elif not row.address:
        with translation.override(recipient.language):
            row.state, row.reason, row.failed_at = State.FAILED, str(channel.missing), at
    elif channel.here:
        row.state, row.sent_at, row.delivered_at = State.DELIVERED, at, at
    else:
        row.next_at = at
    return row


def blocked_reason(language: str) -> str:
    """Why an exercise's message to the public is not even simulated."""
    return "演练消息不得向公众发布" if language.startswith("zh") else "an exercise never speaks to the public"


def advance(delivery: Delivery, state: State, at: datetime, reason: str = "", *, keep_next: bool = False) -> bool:
    """Move a delivery on and save it; False where it was already there or further (a receipt twice, late, or early).

    What a later state implies is filled in: what was read has been delivered, what was delivered has been sent.
    """
    if not may_follow(delivery.state, state):
        return False
    delivery.state, delivery.reason = state, reason[:300]
    if state == State.FAILED:
        delivery.failed_at = at
    else:
        delivery.failed_at = None
        for step, field in _STAMPS[: _RANK[state] + 1]:
            implied = step == state or state != State.ANSWERED or step != State.READ
            if implied and getattr(delivery, field) is None:
                setattr(delivery, field, at)
    if not keep_next:
        delivery.next_at, delivery.claim = None, ""
    delivery.save(update_fields=[
        "state", "reason", "sent_at", "delivered_at", "read_at", "answered_at", "failed_at", "next_at", "claim",
    ])  # fmt: skip
    return True


_STAMPS = (
    (State.SENT, "sent_at"),
    (State.DELIVERED, "delivered_at"),
    (State.READ, "read_at"),
    (State.ANSWERED, "answered_at"),
)
_RANK = {state: rank for rank, (state, _field) in enumerate(_STAMPS)}


def hand_on(delivery: Delivery, at: datetime) -> None:
    """Queue the next channel for the recipient of a failed delivery, where the message's channels follow each other."""
    message = delivery.message
    if not message.in_order or Delivery.objects.filter(
        message=message, number=delivery.number, position__gt=delivery.position
    ).exists():  # fmt: skip
        return
    names = [name for name in message.channels if name in CHANNELS]
    contact = delivery.contact
    recipient = Recipient(
        user=delivery.user, organisation=delivery.organisation, name=delivery.name, language=delivery.language,
        url=delivery.url, phone=contact.get("phone", ""), email=contact.get("email", ""), wecom=contact.get("wecom", ""),
    )  # fmt: skip
    rows = _first_that_can(
        message, delivery.number, recipient, [channel_of(name) for name in names], delivery.position + 1
    )
    for row in rows:
        row.created_at = at
        row.next_at = row.next_at and at
        row.delivered_at = row.delivered_at and at
        row.sent_at = row.sent_at and at
        row.failed_at = row.failed_at and at
    Delivery.objects.bulk_create(rows)


def is_to_the_public(delivery: Delivery) -> bool:
    """Whether a stored delivery speaks to the public; the outlet asks once more before anything is simulated."""
    if channel_of(delivery.channel).public:
        return True
    return delivery.user.role == Role.RESIDENT if delivery.user else delivery.organisation_id is None
