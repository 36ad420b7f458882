"""A channel of devices that an organisation owns: over our HTTP protocol, or over an MQTT broker (device_line.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from haitang.delivery import device_line
from haitang.delivery.channel import Accepted, Letter
from haitang.delivery.gateways import speaks
from haitang.delivery.http_gateway import HttpGateway
from haitang.delivery.permit import Permit
from haitang.delivery.recipients import Recipient


class DeviceChannel(HttpGateway):
    """Everybody hears or sees it: never in an exercise."""

    public: ClassVar = True
    group: ClassVar = True
    missing: ClassVar = "no_organisation"
    receipt_within_s: ClassVar = 300.0

    def address(self, recipient: Recipient) -> str:
        """The code of the village or township whose devices they are."""
        return recipient.organisation.code if recipient.organisation else ""

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Hand it to the gateway or the broker."""
        gateway = self.gateway(letter)
        if speaks(gateway.url) != "mqtt":
            return super().send(letter, permit)
        body = device_line.payload(letter, gateway.secret, self.words(letter))
        device_line.line(self.name, gateway.url, gateway.secret).publish(letter.to, body, permit, self.timeout_s)
        return Accepted()

    def collect(self) -> Iterator[tuple[list[dict[str, Any]], Callable[[], None]]]:
        """Receipts that came from the broker."""
        return device_line.collect(self.name)
