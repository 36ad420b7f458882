"""Text message."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class Sms(Channel):
    """Text message."""

    name = "sms"
    label = _("Text message")
    icon = "message-2"
    missing = _("no telephone number")

    def address(self, recipient: Recipient) -> str:
        """Where the recipient is reached."""
        return recipient.phone
