"""Cell broadcast, through a cell broadcast entity: every phone in the area, without knowing whose. Never in an exercise."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from haitang.delivery import cell_broadcast, transport
from haitang.delivery.channel import Accepted, Letter, Undeliverable, add_channel
from haitang.delivery.gateways import receipts_url
from haitang.delivery.http_gateway import HttpGateway
from haitang.delivery.permit import Permit
from haitang.delivery.recipients import Recipient
from haitang.delivery.wording import joined


@add_channel
class CellBroadcast(HttpGateway):
    """One request for one area; `Message.data["broadcast"]` says what for.

    `{"identifier", "code", "update", "polygons", "until", "stop": {"identifier", "serial"}?}`
    """

    name: ClassVar = "cellbroadcast"
    label: ClassVar = _("Cell broadcast")
    icon: ClassVar = "antenna"
    setting: ClassVar = "HAITANG_CELLBROADCAST_URL"
    public: ClassVar = True
    group: ClassVar = True
    rate_per_s: ClassVar = 5.0
    burst: ClassVar = 10
    timeout_s: ClassVar = 10.0
    missing: ClassVar = "no_organisation"
    receipt_within_s: ClassVar = 120.0

    def address(self, recipient: Recipient) -> str:
        """The code of the organisation that broadcasts."""
        return recipient.organisation.code if recipient.organisation else ""

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Hand it to the entity."""
        asked = letter.data.get("broadcast")
        if not isinstance(asked, dict):
            raise Undeliverable("no_area")
        try:
            if "stop" in asked:
                body = cell_broadcast.stop(int(asked["stop"]["identifier"]), int(asked["stop"]["serial"]))
            else:
                until = datetime.fromisoformat(asked["until"]) if asked.get("until") else None
                body = cell_broadcast.Broadcast(
                    identifier=int(asked["identifier"]),
                    serial=cell_broadcast.serial_number(int(asked["code"]), int(asked["update"])),
                    text=joined(letter.title, letter.text, most=cell_broadcast.MOST_CHARACTERS),
                    polygons=asked["polygons"],
                    seconds=cell_broadcast.seconds_until(until, timezone.now()),
                ).as_json()
        except (KeyError, TypeError, ValueError) as error:
            raise Undeliverable(f"rejected: {error}") from error
        gateway = self.gateway(letter)
        headers = {"Authorization": f"Bearer {gateway.secret}", "Idempotency-Key": letter.key}
        body |= {"key": letter.key, "receipts": receipts_url(self.name)}
        answer = transport.post(permit, gateway.url, body, headers, timeout_s=self.timeout_s)
        return Accepted(ref=str(answer.get("id", ""))[:200])
