"""DingTalk."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class DingTalk(Channel):
    """DingTalk."""

    name = "dingtalk"
    label = _("DingTalk")
    icon = "messages"
    group = True
    missing = _("no organisation")

    def address(self, recipient: Recipient) -> str:
        """Where the recipient is reached."""
        return recipient.organisation.code if recipient.organisation else ""
