"""An organisation's own system: JSON posted to its address, signed with the secret that both know.

    Haitang-Signature: t=1726358400,v1={hex HMAC-SHA256 of "t.body" with the secret}

The receiver compares the signature, refuses an old `t`, and does nothing for an `Idempotency-Key` that it has had.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery import transport
from haitang.delivery.channel import Accepted, Letter, add_channel
from haitang.delivery.gateways import absolute
from haitang.delivery.permit import Permit
from haitang.delivery.robot import Robot


@add_channel
class Webhook(Robot):
    """Organisations' own systems."""

    name: ClassVar = "webhook"
    label: ClassVar = _("Webhook")
    icon: ClassVar = "webhook"
    rate_per_s: ClassVar = 10.0
    burst: ClassVar = 50
    simulated_path: ClassVar = "/webhook/{code}"

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Post it. A 2xx answer means that the system has it."""
        gateway = self.gateway(letter)
        body = json.dumps(
            {
                "key": letter.key, "to": letter.to, "title": letter.title, "text": letter.text, "url": absolute(letter.url),
                "language": letter.language, "colour": letter.colour, "about": letter.about,
            },
            ensure_ascii=False,
        ).encode()  # fmt: skip
        headers = {"Idempotency-Key": letter.key, "Haitang-Signature": signed(body, gateway.secret, time.time())}
        answer = transport.post(permit, gateway.url, body, headers)
        return Accepted(ref=str(answer.get("id", ""))[:200], delivered=True)


def signed(body: bytes, secret: str, at: float) -> str:
    """The value of the Haitang-Signature header."""
    stamp = str(int(at))
    return f"t={stamp},v1={hmac.new(secret.encode(), stamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def verified(header: str, body: bytes, secret: str, at: float, *, tolerance_s: float = 300.0) -> bool:
    """Whether a Haitang-Signature header is ours and fresh; what a receiver does."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not stamp.isdigit() or abs(at - int(stamp)) > tolerance_s:
        return False
    return hmac.compare_digest(signed(body, secret, int(stamp)), f"t={stamp},v1={parts.get('v1', '')}")
