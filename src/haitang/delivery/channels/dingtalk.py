"""DingTalk 钉钉 group robots, signed. Protocol: open.dingtalk.com, custom robot (text, 20 posts a minute)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any, ClassVar
from urllib.parse import quote_plus

from django.utils.translation import gettext_lazy as _

from haitang.delivery import transport
from haitang.delivery.channel import Accepted, Letter, Trouble, Undeliverable, add_channel
from haitang.delivery.permit import Permit
from haitang.delivery.robot import Robot

# 130101: more than twenty a minute, and the robot is held back for ten minutes; 310000: signature, word or address refused.
TOO_OFTEN, GONE = {130101}, {300001, 310000}


@add_channel
class DingTalk(Robot):
    """DingTalk groups."""

    name: ClassVar = "dingtalk"
    label: ClassVar = _("DingTalk")
    icon: ClassVar = "messages"
    simulated_path: ClassVar = "/dingtalk/robot/send?access_token={code}"

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Say it in the group and mention its people. Accepted means that it stands in the group."""
        phones = list(letter.mentions.get("phone", ()))
        # DingTalk mentions only the numbers that stand in the text.
        names = "".join(f" @{phone}" for phone in phones)
        body: dict[str, Any] = {
            "msgtype": "text", "text": {"content": f"{self.words(letter, 15_000)}{names}"},
            "at": {"atMobiles": phones, "isAtAll": False},
        }  # fmt: skip
        gateway = self.gateway(letter)
        answer = transport.post(permit, signed(gateway.url, gateway.secret, time.time()), body)
        code = answer.get("errcode")
        if code == 0:
            return Accepted(delivered=True)
        said = f"{code} {answer.get('errmsg', '')}"[:150]
        if code in TOO_OFTEN:
            raise Trouble("rate", after_s=600)
        if code is None or code == -1:
            raise Trouble(f"server: {said}" if code is not None else "answer")
        raise Undeliverable(f"{'credentials' if code in GONE else 'rejected'}: {said}")


def signed(url: str, secret: str, at: float) -> str:
    """The address with timestamp (milliseconds) and signature, where the robot has a secret."""
    if not secret:
        return url
    stamp = str(round(at * 1000))
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return f"{url}{'&' if '?' in url else '?'}timestamp={stamp}&sign={quote_plus(base64.b64encode(digest))}"
