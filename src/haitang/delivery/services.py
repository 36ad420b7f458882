"""The outbox: say something to people, and know what became of it.

`send` writes rows in the caller's transaction and nothing more: what is said stands or falls with the change it tells
of. `pump` (the worker, every 0.3 s; the stepped replay, after every step) hands out what is due.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, connection, transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import User
from haitang.accounts.roles import EVERYONE, OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.delivery import outbox, outlet
from haitang.delivery.channel import channel_of
from haitang.delivery.models import INAPP, Delivery, Message
from haitang.delivery.recipients import Recipient, common_place, settle
from haitang.delivery.states import State
from haitang.delivery.wording import marked
from haitang.journal.services import record, thread_of
from haitang.spaces.clock import now
from haitang.spaces.models import Space

__all__ = ["Recipient", "mark_read", "pump", "receipts", "resend", "send", "unread"]

pump = outlet.pump


def send(
    *,
    space: Space,
    key: str,
    to: Sequence[Recipient | User],
    channels: Sequence[str],
    title_zh: str,
    title_en: str,
    body_zh: str = "",
    body_en: str = "",
    url: str = "",
    about: Model,
    thread: Model | str = "",
    colour: str = "",
    by: Actor,
    in_order: bool = False,
    drill: bool = False,
) -> Message:
    """Say something to people on all the channels, or, `in_order`, on the next one only where the one before failed.

    Called inside the transaction of the change it tells of. One `key`, one message in a space: called again it gives
    the message that there is and adds nothing. In an exercise, or as a `drill`, nothing of it ever reaches a transport.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("delivery.send must run in the transaction of the change it tells of")
    known = Message.objects.filter(space=space, key=key).first()
    if known is not None:
        return known
    chosen = [channel_of(name) for name in dict.fromkeys(channels)]
    people = settle(to)
    is_drill = drill or space.is_exercise
    if is_drill:
        title_zh, title_en = marked(title_zh, title_en)
    organisation = None if isinstance(by, System) else by.organisation
    place = common_place(people)
    message = Message(
        space=space, key=key, title_zh=title_zh[:300], title_en=title_en[:300], body_zh=body_zh, body_en=body_en, url=url,
        about_type=about._meta.label_lower, about_id=str(about.pk),
        thread=thread if isinstance(thread, str) else thread_of(thread), colour=colour,
        channels=[channel.name for channel in chosen], in_order=in_order, is_drill=is_drill, recipients=len(people),
        sender_id=by.pk, sender_name=by.name if isinstance(by, System) else (by.name_zh or by.username),
        organisation=organisation, place=place, created_at=now(space),
    )  # fmt: skip
    try:
        with transaction.atomic():
            message.save()
    except IntegrityError:  # another process said it at the same moment
        return Message.objects.get(space=space, key=key)
    outbox.queue(message, people, chosen)
    zh, en = message.title_zh or message.title_en, message.title_en or message.title_zh
    record(
        space=space, verb="delivery.send", by=by, subject=message, place=place, organisation=organisation,
        thread=message.thread, colour=colour,
        after={"key": key, "channels": message.channels, "recipients": len(people), "about": f"{message.about_type}:{message.about_id}"},
        text_zh=f"发送消息给 {len(people)} 个对象：{zh}", text_en=f"Message to {len(people)} recipients: {en}",
    )  # fmt: skip
    return message


@verb("delivery.read", roles=EVERYONE)
def mark_read(delivery: Delivery, *, by: Actor) -> Delivery:
    """Note that the recipient has read a message in the app. Again: nothing changes."""
    if not isinstance(by, System) and delivery.user_id != by.pk:
        raise Forbidden(_("Only the recipient can mark a message as read"))
    delivery = Delivery.objects.select_for_update(of=("self",)).select_related("space").get(pk=delivery.pk)
    outbox.advance(delivery, State.READ, now(delivery.space))
    return delivery


@verb("delivery.resend", roles=OPERATIONS | {Role.ADMIN})
def resend(message: Message, *, by: Actor) -> int:
    """Queue the failed deliveries of a message anew; returns how many."""
    rows = (
        Delivery.objects.select_for_update(of=("self",)).filter(message=message, state=State.FAILED).exclude(address="")
    )
    failed = list(rows.order_by("pk"))
    if not failed:
        raise Refused(_("No delivery of this message has failed with an address to try again."))
    moment = now(message.space)
    for delivery in failed:
        delivery.state, delivery.attempts, delivery.reason, delivery.claim = State.QUEUED, 0, "", ""
        delivery.next_at, delivery.failed_at = moment, None
    Delivery.objects.bulk_update(failed, ["state", "attempts", "reason", "claim", "next_at", "failed_at"])
    record(
        space=message.space, verb="delivery.resend", by=by, subject=message, place=message.place,
        organisation=message.organisation, thread=message.thread, after={"deliveries": [d.pk for d in failed]},
        text_zh=f"重新发送 {len(failed)} 条失败消息：{message.title_zh}",
        text_en=f"Sending {len(failed)} failed deliveries again: {message.title_en or message.title_zh}",
    )  # fmt: skip
    return len(failed)


def receipts(message: Message) -> QuerySet[Delivery]:
    """What became of a message: one row for each recipient and channel, in order. One query."""
    return (
        Delivery.objects.filter(message=message).select_related("user", "organisation").order_by("number", "position")
    )


def unread(user: User, space: Space) -> QuerySet[Delivery]:
    """The messages in the app that a person has not read yet, newest first. One query."""
    rows = Delivery.objects.filter(user=user, space=space, channel=INAPP, read_at=None).exclude(state=State.BLOCKED)
    return rows.select_related("message").order_by("-pk")
