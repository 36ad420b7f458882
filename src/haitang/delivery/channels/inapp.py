"""In the app: the row in the outbox is the message; the person finds it under the bell."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class InApp(Channel):
    """Messages in the app."""

    name: ClassVar = "inapp"
    label: ClassVar = _("In the app")
    icon: ClassVar = "bell"
    here: ClassVar = True

    def address(self, recipient: Recipient) -> str:
        """The account."""
        return recipient.user.username if recipient.user else ""
