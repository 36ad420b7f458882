"""Notifications to the browsers in which a person asked for them (RFC 8030, RFC 8291, VAPID RFC 8292)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from haitang.config.env import env
from haitang.delivery import transport, vapid
from haitang.delivery.channel import Accepted, Channel, Letter, Trouble, Undeliverable, add_channel
from haitang.delivery.models import Delivery, Subscription
from haitang.delivery.permit import Permit
from haitang.delivery.recipients import Recipient

MOST_BROWSERS = 4


@add_channel
class WebPush(Channel):
    """Browser notifications."""

    name: ClassVar = "webpush"
    label: ClassVar = _("Browser notification")
    icon: ClassVar = "device-mobile-message"
    attempts: ClassVar = 5
    missing: ClassVar = "no_browser"
    concurrency: ClassVar = 8

    def address(self, recipient: Recipient) -> str:
        """The account; its browsers are looked up when the letter goes."""
        return recipient.user.username if recipient.user else ""

    def willing(self, people: Sequence[Recipient]) -> Container[int]:
        """Who switched it on in some browser. One query."""
        rows = Subscription.objects.filter(user__in=[r.user.pk for r in people if r.user]).order_by()
        return set(rows.values_list("user", flat=True).distinct())

    def look_up(self, deliveries: Sequence[Delivery]) -> Mapping[int, Any]:
        """The newest browsers of each person. One query."""
        people: dict[int | None, list[Subscription]] = {}
        for row in Subscription.objects.filter(user__in=[d.user_id for d in deliveries]).order_by("-pk"):
            people.setdefault(row.user_id, []).append(row)
        return {d.pk: people.get(d.user_id, [])[:MOST_BROWSERS] for d in deliveries}

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Hand it to the push service of each browser; one that took it is enough. The tag makes two of it one."""
        browsers: list[Subscription] = list(letter.extra or [])
        if not browsers:
            raise Undeliverable("no_browser")
        payload = {"title": letter.title, "body": letter.text[:1000], "url": letter.url or "/m/", "tag": letter.key}
        taken: list[int] = []
        gone: list[int] = []
        trouble: Trouble | None = None
        for browser in browsers:
            subscription = {"endpoint": browser.endpoint, "keys": {"p256dh": browser.p256dh, "auth": browser.auth}}
            try:
                transport.push(permit, subscription, payload, private_key=vapid.private_key(),
                               contact=str(env("HAITANG_WEBPUSH_CONTACT")), topic=letter.key)  # fmt: skip
                taken.append(browser.pk)
            except Undeliverable as error:
                if error.reason == "browser_gone":
                    gone.append(browser.pk)
                trouble = trouble or error
            except Trouble as error:
                trouble = error
        note = {"taken": taken, "gone": gone}
        if taken:
            return Accepted(note=note)
        assert trouble is not None
        raise type(trouble)(trouble.reason, after_s=trouble.after_s, note=note)

    def note(self, delivery: Delivery, note: Any) -> None:
        """Forget browsers whose subscription has ended; remember when the others took something."""
        if note["gone"]:
            Subscription.objects.filter(pk__in=note["gone"]).delete()
        if note["taken"]:
            Subscription.objects.filter(pk__in=note["taken"]).update(last_ok_at=timezone.now())
