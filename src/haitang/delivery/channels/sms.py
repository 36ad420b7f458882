"""Text messages, through a gateway: over HTTP, or over SMPP 3.4 where its address is smpp:// or smpps://."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.config.env import env
from haitang.delivery.channel import Accepted, Letter, add_channel
from haitang.delivery.gateways import absolute, speaks
from haitang.delivery.http_gateway import HttpGateway
from haitang.delivery.permit import Permit
from haitang.delivery.recipients import Recipient
from haitang.delivery.smpp_session import session, sessions
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

    def pace(self) -> tuple[float, int]:
        """As the operator agreed with the provider."""
        rate = float(env("HAITANG_SMS_RATE"))
        return rate, max(1, int(rate * 2))

    def at_once(self) -> int:
        """As many as the gateway takes in one request; SMPP takes one at a time."""
        return 1 if speaks(str(env(self.setting))) == "smpp" else int(env("HAITANG_SMS_BATCH"))

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Hand it to the gateway."""
        gateway = self.gateway(letter)
        if speaks(gateway.url) != "smpp":
            return super().send(letter, permit)
        return Accepted(ref=session(gateway.url).send(self.words(letter), letter.to, letter.key, permit)[:200])

    def collect(self) -> Iterator[tuple[list[dict[str, Any]], Callable[[], None]]]:
        """Receipts that came over SMPP."""
        for line in sessions():
            yield from line.collect()
