"""Voice calls that speak the text, through a gateway. The receipt says whether somebody answered."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Letter, add_channel
from haitang.delivery.http_gateway import HttpGateway
from haitang.delivery.recipients import Recipient
from haitang.delivery.wording import joined


@add_channel
class Voice(HttpGateway):
    """Voice calls."""

    name: ClassVar = "voice"
    label: ClassVar = _("Voice call")
    icon: ClassVar = "phone-call"
    setting: ClassVar = "HAITANG_VOICE_URL"
    personal: ClassVar = True
    missing: ClassVar = "no_phone"
    rate_per_s: ClassVar = 20.0
    burst: ClassVar = 60
    receipt_within_s: ClassVar = 180.0

    def address(self, recipient: Recipient) -> str:
        """The telephone number."""
        return recipient.phone

    def words(self, letter: Letter) -> str:
        """Title and text, to be spoken; a link is nothing for the ear."""
        return joined(letter.title, letter.text)
