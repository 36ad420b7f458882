"""Browser notification."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class WebPush(Channel):
    """Browser notification."""

    name = "webpush"
    label = _("Browser notification")
    icon = "device-mobile-message"
    missing = _("no account")

    def address(self, recipient: Recipient) -> str:
        """Where the recipient is reached."""
        return recipient.user.username if recipient.user else ""
