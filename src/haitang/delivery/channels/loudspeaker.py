"""Village loudspeakers 大喇叭, through a gateway. Everybody hears them: never in an exercise."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import add_channel
from haitang.delivery.http_gateway import HttpGateway
from haitang.delivery.recipients import Recipient


@add_channel
class Loudspeaker(HttpGateway):
    """Village loudspeakers."""

    name: ClassVar = "loudspeaker"
    label: ClassVar = _("Village loudspeaker")
    icon: ClassVar = "speakerphone"
    setting: ClassVar = "HAITANG_LOUDSPEAKER_URL"
    public: ClassVar = True
    group: ClassVar = True
    missing: ClassVar = "no_organisation"
    receipt_within_s: ClassVar = 300.0

    def address(self, recipient: Recipient) -> str:
        """The code of the village or township whose loudspeakers speak."""
        return recipient.organisation.code if recipient.organisation else ""
