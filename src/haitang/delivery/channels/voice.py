"""Voice calls that speak the text, through a gateway. The receipt says whether somebody answered."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery import readback
from haitang.delivery.channel import Letter, add_channel
from haitang.delivery.gateways import token
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
        said = joined(letter.title, letter.text)
        return (
            f"{said} {readback.asked(readback.code_of(letter.key, token()), letter.language)}"
            if letter.data.get("readback")
            else said
        )

    def more(self, letter: Letter) -> dict[str, Any]:
        """The code that confirms, for the gateway's speech and key recognition; it reports what was said as `code`."""
        return {"readback": readback.code_of(letter.key, token())} if letter.data.get("readback") else {}
