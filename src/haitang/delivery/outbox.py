"""The outbox's rows: queued, moved from state to state, failed and handed on to the next channel."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import Organisation
from haitang.delivery.channel import CHANNELS, Channel, channel_of
from haitang.delivery.models import Delivery, Message
from haitang.delivery.recipients import Recipient
from haitang.delivery.states import State, may_follow
from haitang.journal.services import record
from haitang.spaces.clock import now
from haitang.spaces.models import Space

BATCH = 500
TELL_AFTER = timedelta(minutes=1)
PRIORITY = {"red": 0, "orange": 1, "yellow": 2, "blue": 3}
OTHER = 4
_STAMPS = {
    State.SENT: ("sent_at",),
    State.DELIVERED: ("sent_at", "delivered_at"),
    State.READ: ("sent_at", "delivered_at", "read_at"),
    # A call that was answered was heard, not read.
    State.ANSWERED: ("sent_at", "delivered_at", "answered_at"),
}
_MOVED = (
    "state",
    "reason",
    "sent_at",
    "delivered_at",
    "read_at",
    "answered_at",
    "failed_at",
    "next_at",
    "claim",
    "is_untold",
)


def queue(message: Message, people: Sequence[Recipient], channels: Sequence[Channel]) -> None:
    """Write the deliveries of a new message: on all its channels, or on the first where they follow each other."""
    rows: list[Delivery] = []
    willing = {channel.name: channel.willing(people) for channel in channels}
    for number, recipient in enumerate(people):
        if message.in_order:
            able = [channel for channel in channels if _is_willing(recipient, willing[channel.name])]
            rows += _first_that_can(message, number, recipient, able, message.created_at)
        else:
            rows += [
                _row(message, number, recipient, channel, message.created_at)
                for channel in channels
                if not channel.group and _is_willing(recipient, willing[channel.name])
            ]
    if not message.in_order:
        for channel in channels:
            if channel.group:
                rows += _group_rows(message, people, channel)
    Delivery.objects.bulk_create(rows, batch_size=BATCH)


def _is_willing(recipient: Recipient, willing: Container[int] | None) -> bool:
    return willing is None or (recipient.user is not None and recipient.user.pk in willing)


def _group_rows(message: Message, people: Sequence[Recipient], channel: Channel) -> Iterable[Delivery]:
    """One row for each group that the recipients' organisations listen to; the recipients are mentioned in it."""
    bodies = {r.organisation.pk: r.organisation for r in people if r.organisation}
    owners = channel.owners(list(bodies.values()))
    groups: dict[object, tuple[int, Organisation | None, list[Recipient]]] = {}
    for number, recipient in enumerate(people):
        body = recipient.organisation
        owner = owners.get(body.pk, body) if body else None
        groups.setdefault(owner and owner.pk, (number, owner, []))[2].append(recipient)
    for number, owner, members in groups.values():
        whole = replace(
            members[0], user=None, organisation=owner, url="", name=owner.name_zh if owner else members[0].name
        )
        row = _row(message, number, whole, channel, message.created_at)
        row.contact = _mentions(members)
        yield row


def _mentions(people: Sequence[Recipient]) -> dict[str, list[str]]:
    persons = [r for r in people if r.user]
    return {"wecom": [r.wecom for r in persons if r.wecom], "phone": [r.phone for r in persons if r.phone]}


def _first_that_can(
    message: Message, number: int, recipient: Recipient, channels: Sequence[Channel], at: datetime
) -> list[Delivery]:
    """The row on the first of the channels that can reach the recipient, after rows that say why others cannot."""
    rows: list[Delivery] = []
    for place, channel in enumerate(channels):
        row = _row(message, number, recipient, channel, at)
        if channel.group:
            row.contact = _mentions([recipient])
        rows.append(row)
        if row.state not in {State.FAILED, State.BLOCKED}:
            if place + 1 < len(channels):
                row.contact = {**row.contact, "next": [recipient.phone, recipient.email, recipient.wecom]}
            break
    return rows


def _row(message: Message, number: int, recipient: Recipient, channel: Channel, at: datetime) -> Delivery:
    row = Delivery(
        message=message, space_id=message.space_id, number=number, channel=channel.name,
        position=message.channels.index(channel.name),
        user=recipient.user, organisation=recipient.organisation, name=recipient.name[:120],
        address=channel.address(recipient)[:500], language=recipient.language, url=recipient.url,
        priority=priority(message.colour, to_public=channel.public or recipient.is_public), is_simulated=message.is_drill and not channel.here, created_at=at,
    )  # fmt: skip
    if message.is_drill and (channel.public or recipient.is_public):
        row.state, row.reason, row.is_simulated = State.BLOCKED, "drill_public", False
    elif not row.address:
        row.state, row.reason, row.failed_at = State.FAILED, channel.missing, at
    elif channel.here:
        row.state, row.sent_at, row.delivered_at = State.DELIVERED, at, at
    else:
        row.next_at = max(at, message.not_before or at)
    return row


def priority(colour: str, *, to_public: bool) -> int:
    """Which goes first when a gateway cannot take all: the graver colour, and of one colour officials before the public."""
    return 2 * PRIORITY.get(colour, OTHER) + to_public


def is_expired(message: Message, at: datetime) -> bool:
    """Whether what waits of a message is not to be sent any more."""
    return message.expires_at is not None and message.expires_at <= at


def advance(delivery: Delivery, state: State, at: datetime, reason: str = "") -> bool:
    """Move a delivery on and save it; False where it was already there or further (a receipt twice, late, or early).

    What a later state implies is filled in: what was delivered has been sent.
    """
    if not may_follow(delivery.state, state):
        return False
    delivery.state, delivery.reason, delivery.next_at, delivery.claim = state, reason[:300], None, ""
    delivery.failed_at = at if state == State.FAILED else None
    delivery.is_untold = state == State.FAILED
    for field in _STAMPS.get(state, ()):
        if getattr(delivery, field) is None:
            setattr(delivery, field, at)
    if state == State.SENT:
        delivery.next_at = _receipt_due(delivery, at)
    delivery.save(update_fields=_MOVED)
    return True


def _receipt_due(delivery: Delivery, at: datetime) -> datetime | None:
    """Until when a receipt must have come, where another channel waits behind this one."""
    way = CHANNELS.get(delivery.channel)
    if not delivery.message.in_order or way is None or not way.receipt_within_s:
        return None
    return at + timedelta(seconds=way.receipt_within_s)


def fail(deliveries: Iterable[tuple[Delivery, str, datetime]]) -> int:
    """Give up deliveries, each with its reason and time, and hand them on to the next channel; returns how many."""
    failed = 0
    for delivery, reason, at in deliveries:
        if advance(delivery, State.FAILED, at, reason):
            hand_on(delivery, at)
            failed += 1
    return failed


def tell_failures(space: Space) -> None:
    """Tell the journal what failed: one entry for a message and channel, when nothing of them waits or after a minute."""
    untold = Delivery.objects.filter(space=space, is_untold=True)
    if not untold.exists():
        return
    moment = now(space)
    groups = untold.order_by().values_list("message", "channel").annotate(first=Min("failed_at"))
    for message, channel, first in list(groups):
        waiting = Delivery.objects.filter(message=message, channel=channel, state__in=(State.QUEUED, State.SENT))
        if moment - first >= TELL_AFTER or not waiting.exists():
            with transaction.atomic():
                rows = untold.filter(message=message, channel=channel).select_for_update(of=("self",), skip_locked=True)
                _tell(
                    list(
                        rows.select_related("message__space", "message__place", "message__organisation").order_by("pk")
                    )
                )


def _tell(rows: Sequence[Delivery]) -> None:
    if not rows:
        return
    message, name = rows[0].message, rows[0].channel
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(is_untold=False)
    record(
        space=message.space, verb="delivery.failed", by=SYSTEM, subject=message, place=message.place,
        organisation=message.organisation, thread=message.thread,
        after={"channel": name, "deliveries": [row.pk for row in rows], "reasons": sorted({row.reason for row in rows})},
        text_zh=f"{len(rows)} 条消息未送达（{_label(name, 'zh-hans')}）：{message.title_zh or message.title_en}",
        text_en=f"{len(rows)} not delivered ({_label(name, 'en')}): {message.title_en or message.title_zh}",
    )  # fmt: skip


def _label(name: str, language: str) -> str:
    from django.utils import translation

    with translation.override(language):
        return str(CHANNELS[name].label) if name in CHANNELS else name


def hand_on(delivery: Delivery, at: datetime) -> None:
    """Queue the next channel for the recipient of a failed delivery, where the message's channels follow each other."""
    message = delivery.message
    if not message.in_order or is_expired(message, at):
        return
    later = Delivery.objects.filter(message=message, number=delivery.number, position__gt=delivery.position)
    if later.exists():
        return
    phone, email, wecom = delivery.contact.get("next", ["", "", ""])
    recipient = Recipient(
        user=delivery.user, organisation=delivery.organisation, name=delivery.name, language=delivery.language,
        url=delivery.url, phone=phone, email=email, wecom=wecom,
    )  # fmt: skip
    channels = [channel_of(name) for name in message.channels[delivery.position + 1 :] if name in CHANNELS]
    able = [channel for channel in channels if _is_willing(recipient, channel.willing([recipient]))]
    rows = _first_that_can(message, delivery.number, recipient, able, at)
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
