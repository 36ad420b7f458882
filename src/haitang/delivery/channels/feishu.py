"""Feishu 飞书 group robots, signed. Protocol: open.feishu.cn, custom bot (text, 100 posts a minute, 5 a second)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.delivery import transport
from haitang.delivery.channel import Accepted, Letter, Trouble, Undeliverable, add_channel
from haitang.delivery.permit import Permit
from haitang.delivery.robot import Robot

# 11232: too often; 19021: signature; 19022: address; 19024: key word; 19001: no such robot.
TOO_OFTEN, GONE = {11232, 11233}, {19001, 19021, 19022, 19024}


@add_channel
class Feishu(Robot):
    """Feishu groups."""

    name: ClassVar = "feishu"
    label: ClassVar = _("Feishu")
    icon: ClassVar = "messages"
    rate_per_s: ClassVar = 90 / 60
    burst: ClassVar = 5
    simulated_path: ClassVar = "/feishu/open-apis/bot/v2/hook/{code}"

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Say it in the group. Accepted means that it stands in the group."""
        gateway = self.gateway(letter)
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": self.words(letter, 15_000)}}
        answer = transport.post(permit, gateway.url, {**signature(gateway.secret, time.time()), **body})
        code = answer.get("code", answer.get("StatusCode"))
        if code == 0:
            return Accepted(delivered=True)
        said = f"{code} {answer.get('msg', '')}"[:150]
        if code in TOO_OFTEN:
            raise Trouble("rate", after_s=60)
        if code is None:
            raise Trouble("answer")
        raise Undeliverable(f"{'credentials' if code in GONE else 'rejected'}: {said}")


def signature(secret: str, at: float) -> dict[str, str]:
    """Timestamp (seconds) and signature; the key of the HMAC is the text and the text is empty, as Feishu has it."""
    if not secret:
        return {}
    stamp = str(int(at))
    digest = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": stamp, "sign": base64.b64encode(digest).decode()}
