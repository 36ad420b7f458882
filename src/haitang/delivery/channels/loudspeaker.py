"""Village loudspeaker."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Channel, add_channel
from haitang.delivery.recipients import Recipient


@add_channel
class Loudspeaker(Channel):
    """Village loudspeaker."""

    name = "loudspeaker"
    label = _("Village loudspeaker")
    icon = "speakerphone"
    public = True
    group = True
    missing = _("no village")

    def address(self, recipient: Recipient) -> str:
        """Where the recipient is reached."""
        return recipient.organisation.code if recipient.organisation else ""
