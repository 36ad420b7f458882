"""The outbox: say something to people, and know what became of it.

`send` writes rows in the caller's transaction and nothing more: what is said stands or falls with the change it tells
of. `pump` (the worker, every 0.3 s; the stepped replay, after every step) hands out what is due.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, connection, transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import EVERYONE, OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.delivery import bulk, outbox, outlet
from haitang.delivery.channel import CHANNELS, Channel, channel_of
from haitang.delivery.models import INAPP, Delivery, Hook, Message, Subscription
from haitang.delivery.recipients import Recipient, common_place, settle
from haitang.delivery.states import State
from haitang.delivery.wording import marked
from haitang.journal.services import record, thread_of
from haitang.spaces.clock import now
from haitang.spaces.models import Space

__all__ = [
    "Recipient", "hook_channels", "mark_read", "pump", "read_subscription", "receipts", "release", "remove_hook", "resend", "send",
    "send_many",
    "set_hook", "stop", "subscribe", "unread", "unsubscribe",
]  # fmt: skip
MOST_BROWSERS = 10

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
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    data: Mapping[str, Any] | None = None,
) -> Message:
    """Say something to people on all the channels, or, `in_order`, on the next one only where the one before failed.

    Nothing leaves before `not_before` (a later wave: `release` lets it go earlier), and what still waits at `expires_at`
    is not sent any more. `data` carries what channels need besides words.

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
        organisation=organisation, place=place, created_at=now(space), not_before=not_before, expires_at=expires_at,
        data=dict(data or {}),
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


def send_many(
    *,
    space: Space,
    key: str,
    channel: str,
    to: Iterable[bulk.Row],
    title_zh: str,
    title_en: str,
    body_zh: str = "",
    body_en: str = "",
    url: str = "",
    about: Model,
    thread: Model | str = "",
    colour: str = "",
    by: Actor,
    drill: bool = False,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    data: Mapping[str, Any] | None = None,
) -> Message:
    """Say the same to very many members of the public on one channel: `to` gives address, language and own link of each.

    Like `send` it is idempotent by `key` and called in the transaction of what it tells of; in an exercise, or as a
    drill, every row is blocked. 640,000 recipients take some seconds.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("delivery.send_many must run in the transaction of the change it tells of")
    known = Message.objects.filter(space=space, key=key).first()
    if known is not None:
        return known
    way = channel_of(channel)
    is_drill = drill or space.is_exercise
    if is_drill:
        title_zh, title_en = marked(title_zh, title_en)
    at, organisation = now(space), None if isinstance(by, System) else by.organisation
    message = Message(
        space=space, key=key, title_zh=title_zh[:300], title_en=title_en[:300], body_zh=body_zh, body_en=body_en, url=url,
        about_type=about._meta.label_lower, about_id=str(about.pk), thread=thread if isinstance(thread, str) else thread_of(thread),
        colour=colour, channels=[way.name], is_drill=is_drill, sender_id=by.pk,
        sender_name=by.name if isinstance(by, System) else (by.name_zh or by.username), organisation=organisation, created_at=at,
        not_before=not_before, expires_at=expires_at, data=dict(data or {}),
    )  # fmt: skip
    try:
        with transaction.atomic():
            message.save()
    except IntegrityError:  # another process said it at the same moment
        return Message.objects.get(space=space, key=key)
    message.recipients = bulk.write(message, way, to, at)
    message.save(update_fields=["recipients"])
    zh, en = message.title_zh or message.title_en, message.title_en or message.title_zh
    record(
        space=space, verb="delivery.send", by=by, subject=message, organisation=organisation, thread=message.thread, colour=colour,
        after={"key": key, "channels": message.channels, "recipients": message.recipients, "about": f"{message.about_type}:{message.about_id}"},
        text_zh=f"群发消息给 {message.recipients} 个号码：{zh}", text_en=f"Message to {message.recipients} members of the public: {en}",
    )  # fmt: skip
    return message


def release(messages: QuerySet[Message], space: Space) -> int:
    """Let waiting waves go now, inside the caller's transaction; returns how many messages."""
    at, waiting = now(space), messages.filter(space=space, not_before__gt=now(space))
    found = list(waiting.values_list("pk", flat=True))
    Delivery.objects.filter(message__in=found, state=State.QUEUED, next_at__gt=at).update(next_at=at)
    return Message.objects.filter(pk__in=found).update(not_before=at)


def stop(messages: QuerySet[Message], space: Space) -> int:
    """Send nothing more of these messages: what they tell of has ended. Inside the caller's transaction."""
    at = now(space)
    standing = messages.filter(space=space).exclude(expires_at__lte=at)
    found = list(standing.values_list("pk", flat=True))
    # What was not due yet is looked at now, and marked as expired by the pump like everything else that waits.
    Delivery.objects.filter(message__in=found, state=State.QUEUED, next_at__gt=at, claim="").update(next_at=at)
    return Message.objects.filter(pk__in=found).update(expires_at=at)


@verb("delivery.resend", roles=OPERATIONS | {Role.ADMIN})
def resend(message: Message, *, by: Actor, only: Collection[int] | None = None) -> int:
    """Queue the failed deliveries of a message anew; returns how many.

    All, or `only` these. They go the way of every delivery: the permit is asked for again when they are sent.
    """
    rows = (
        Delivery.objects.select_for_update(of=("self",)).filter(message=message, state=State.FAILED).exclude(address="")
    )
    if only is not None:
        rows = rows.filter(pk__in=only)
    failed = list(rows.order_by("pk"))
    if not failed:
        raise Refused(_("No delivery of this message has failed with an address to try again."))
    moment = now(message.space)
    if outbox.is_expired(message, moment):
        raise Refused(_("The time of this message is over: it is not sent any more."))
    for delivery in failed:
        delivery.state, delivery.attempts, delivery.reason, delivery.claim = State.QUEUED, 0, "", ""
        delivery.next_at, delivery.failed_at, delivery.is_untold = moment, None, False
    Delivery.objects.bulk_update(failed, ["state", "attempts", "reason", "claim", "next_at", "failed_at", "is_untold"])
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
    return rows.select_related("message__sender").order_by("-pk")


# -- where organisations and browsers are reached ---------------------------------------------------------------


def hook_channels() -> list[Channel]:
    """The channels that reach an organisation through a hook of its own."""
    return [channel for channel in CHANNELS.values() if channel.hooked]


@verb("delivery.set_hook", roles=OPERATIONS | {Role.ADMIN})
def set_hook(*, organisation: Organisation, channel: str, url: str, by: Actor, secret: str = "") -> Hook:
    """Say where an organisation's group robot or own system takes messages; an earlier one on the channel is replaced."""
    if channel not in {each.name for each in hook_channels()}:
        raise Refused(_("The channel %(name)s has no group robots or webhooks.") % {"name": channel})
    hook, made = Hook.objects.update_or_create(
        organisation=organisation, channel=channel, defaults={"url": url, "secret": secret, "is_active": True}
    )
    record(
        space=Space.live(), verb="delivery.set_hook", by=by, subject=hook, organisation=organisation, place=organisation.place,
        after={"channel": channel, "host": urlsplit(url).hostname, "signed": bool(secret), "new": made},
        text_zh=f"设置{organisation.name_zh}的消息接口（{channel}）",
        text_en=f"Set the {channel} hook of {organisation.name_en or organisation.name_zh}",
    )  # fmt: skip
    return hook


@verb("delivery.remove_hook", roles=OPERATIONS | {Role.ADMIN})
def remove_hook(hook: Hook, *, by: Actor) -> None:
    """Send no more messages to an organisation's group robot or own system."""
    organisation = hook.organisation
    record(
        space=Space.live(), verb="delivery.remove_hook", by=by, subject=hook, organisation=organisation,
        place=organisation.place, before={"channel": hook.channel, "host": urlsplit(hook.url).hostname},
        text_zh=f"移除{organisation.name_zh}的消息接口（{hook.channel}）",
        text_en=f"Removed the {hook.channel} hook of {organisation.name_en or organisation.name_zh}",
    )  # fmt: skip
    hook.delete()


def read_subscription(body: object) -> tuple[str, str, str]:
    """Address and keys of what a browser's PushManager gives; ValueError names the field, the value and the rule."""
    keys = body.get("keys") if isinstance(body, dict) else None
    endpoint = body.get("endpoint") if isinstance(body, dict) else None
    if not isinstance(endpoint, str) or not endpoint.startswith("https://") or len(endpoint) > 2000:
        raise ValueError(f"endpoint ({str(endpoint)[:80]!r}): an https address of at most 2000 characters")
    found = []
    for name, length in (("p256dh", 65), ("auth", 16)):
        value = keys.get(name) if isinstance(keys, dict) else None
        try:
            raw = base64.urlsafe_b64decode(f"{value}{'=' * (-len(value) % 4)}") if isinstance(value, str) else b""
        except ValueError:
            raw = b""
        if len(raw) != length:
            raise ValueError(
                f"keys.{name} ({str(value)[:80]!r}): {length} bytes as base64url, as the browser gave them"
            )
        found.append(value)
    return endpoint, str(found[0]), str(found[1])


@verb("delivery.subscribe", roles=EVERYONE)
def subscribe(*, endpoint: str, p256dh: str, auth: str, by: Actor, browser: str = "") -> Subscription:
    """Wake this browser with notifications for whoever signed in on it; of many, the newest ten stay."""
    digest = hashlib.sha256(endpoint.encode()).hexdigest()
    given = {"user_id": by.pk, "endpoint": endpoint, "p256dh": p256dh, "auth": auth, "browser": browser[:200]}
    row = Subscription.objects.update_or_create(digest=digest, defaults=given)[0]
    older = Subscription.objects.filter(user_id=by.pk).order_by("-pk").values_list("pk", flat=True)[MOST_BROWSERS:]
    Subscription.objects.filter(pk__in=list(older)).delete()
    return row


@verb("delivery.unsubscribe", roles=EVERYONE)
def unsubscribe(*, by: Actor) -> int:
    """Wake none of one's browsers any more; returns how many there were."""
    return Subscription.objects.filter(user_id=by.pk).delete()[0]
