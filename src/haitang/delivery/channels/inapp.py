"""In the app."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class InApp(Channel):
    """In the app."""

    name = "inapp"
    label = _("In the app")
    icon = "bell"
    here = True
    missing = _("no account")

    def address(self, recipient: Recipient) -> str:
        """Where the recipient is reached."""
        return recipient.user.username if recipient.user else ""
