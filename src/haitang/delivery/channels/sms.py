"""Text messages, through a gateway."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery.channel import Letter, add_channel
from haitang.delivery.gateways import absolute
from haitang.delivery.http_gateway import HttpGateway
from haitang.delivery.recipients import Recipient
from haitang.delivery.wording import joined


@add_channel
class Sms(HttpGateway):
    """Text messages."""

    name: ClassVar = "sms"
    label: ClassVar = _("Text message")
    icon: ClassVar = "message-2"
    setting: ClassVar = "HAITANG_SMS_URL"
    personal: ClassVar = True
    missing: ClassVar = "no_phone"
    rate_per_s: ClassVar = 200.0
    burst: ClassVar = 400
    receipt_within_s: ClassVar = 300.0

    def address(self, recipient: Recipient) -> str:
        """The telephone number."""
        return recipient.phone

    def words(self, letter: Letter) -> str:
        """Title, text and link as one text."""
        return joined(letter.title, letter.text, absolute(letter.url))
