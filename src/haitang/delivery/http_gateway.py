"""The platform's own small protocol for gateways that take one letter over HTTP: text messages, calls, loudspeakers.

    POST {gateway}            Authorization: Bearer {HAITANG_GATEWAY_TOKEN}, Idempotency-Key: {key}
    {"key", "to", "title", "text", "url", "language", "colour", "receipts": "https://.../delivery/receipts/sms/"}

The gateway answers 2xx with {"id": "..."} and sends a letter once for a key, however often it is asked. It reports by
posting {"key", "status": delivered | read | answered | no_answer | busy | failed, "reason"} to `receipts` with the
same token. A call whose letter carries "readback" is confirmed by what the callee said back, in the receipt's "code". An adapter to a provider's own protocol is a few lines in front of that provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from haitang.delivery import transport
from haitang.delivery.channel import Accepted, Channel, Letter, Trouble, Undeliverable
from haitang.delivery.gateways import Gateway, absolute, http, receipts_url
from haitang.delivery.permit import Permit, require
from haitang.delivery.reasons import REASONS


class HttpGateway(Channel):
    """A channel whose gateway speaks this protocol; `setting` names its address."""

    setting: ClassVar[str]
    concurrency: ClassVar = 16

    def gateway(self, letter: Letter) -> Gateway:
        """What the operator set, else the simulator."""
        return http(self.name, self.setting)

    def words(self, letter: Letter) -> str:
        """What is written or spoken."""
        return letter.text or letter.title

    def more(self, letter: Letter) -> dict[str, Any]:
        """What a channel adds to the body."""
        return {}

    def send_many(self, letters: Sequence[Letter], permits: Sequence[Permit]) -> list[Accepted | Trouble]:
        """Hand many over in one request: {"letters": [...]}, answered by {"results": [{"key", "id"} or {"key", "error"}]}."""
        gateway, address = self.gateway(letters[0]), receipts_url(self.name)
        rows = [
            {"key": letter.key, "to": letter.to, "title": letter.title, "text": self.words(letter), "language": letter.language, **self.more(letter)}
            for letter in letters
        ]  # fmt: skip
        for permit in permits:
            require(permit)
        headers = {"Authorization": f"Bearer {gateway.secret}"}
        told = transport.post(
            permits[0], gateway.url, {"letters": rows, "receipts": address}, headers, timeout_s=2 * self.timeout_s
        )
        results = told.get("results")
        if not isinstance(results, list):
            raise Trouble("answer")
        found = {str(row.get("key")): row for row in results if isinstance(row, dict)}
        return [_outcome(found.get(letter.key)) for letter in letters]

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Hand it to the gateway."""
        gateway = self.gateway(letter)
        body = {
            "key": letter.key, "to": letter.to, "title": letter.title, "text": self.words(letter), "url": absolute(letter.url),
            "language": letter.language, "colour": letter.colour, "receipts": receipts_url(self.name),
            **self.more(letter),
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {gateway.secret}", "Idempotency-Key": letter.key}
        return Accepted(
            ref=str(transport.post(permit, gateway.url, body, headers, timeout_s=self.timeout_s).get("id", ""))[:200]
        )


def _outcome(row: Mapping[str, Any] | None) -> Accepted | Trouble:
    """What became of one letter of many; one that the gateway does not speak of is tried again."""
    if row is None:
        return Trouble("answer")
    error = str(row.get("error", ""))[:120]
    if not error:
        return Accepted(ref=str(row.get("id", ""))[:200])
    return (
        Trouble(f"server: {error}")
        if error == "busy"
        else Undeliverable(error if error in REASONS else f"rejected: {error}")
    )
