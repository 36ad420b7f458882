"""E-mail."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class Email(Channel):
    """E-mail."""

    name = "email"
    label = _("E-mail")
    icon = "mail"
    missing = _("no e-mail address")

    def address(self, recipient: Recipient) -> str:
        """Where the recipient is reached."""
        return recipient.email
