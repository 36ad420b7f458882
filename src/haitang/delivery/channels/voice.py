"""Voice call."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class Voice(Channel):
    """Voice call."""

    name = "voice"
    label = _("Voice call")
    icon = "phone-call"
    missing = _("no telephone number")

    def address(self, recipient: Recipient) -> str:
        """Where the recipient is reached."""
        return recipient.phone
