"""WeCom 企业微信 group robots. Protocol: developer.work.weixin.qq.com/document/path/91770 (text, 20 posts a minute)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from haitang.config.env import env
from haitang.delivery import transport
from haitang.delivery.channel import Accepted, Letter, Trouble, Undeliverable, add_channel
from haitang.delivery.gateways import Gateway
from haitang.delivery.permit import Permit
from haitang.delivery.robot import Robot

# 45009 and 45033: too often; -1: the system is busy; 93000: no such robot; 93008: not in the group any more.
TOO_OFTEN, BUSY, GONE = {45009, 45033}, {-1}, {93000, 93008, 93004}


@add_channel
class WeCom(Robot):
    """WeCom groups."""

    name: ClassVar = "wecom"
    label: ClassVar = _("WeCom")
    icon: ClassVar = "messages"
    simulated_path: ClassVar = "/wecom/cgi-bin/webhook/send?key={code}"

    def set_by_operator(self) -> Gateway | None:
        """HAITANG_WECOM_URL, the robot's whole address with its key."""
        url = str(env("HAITANG_WECOM_URL"))
        return Gateway(url) if url else None

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Say it in the group and mention its people. Accepted means that it stands in the group."""
        text: dict[str, Any] = {"content": self.words(letter, 2000)}
        accounts, phones = letter.mentions.get("wecom", ()), letter.mentions.get("phone", ())
        if accounts:
            text["mentioned_list"] = list(accounts)
        elif phones:
            text["mentioned_mobile_list"] = list(phones)
        answer = transport.post(permit, self.gateway(letter).url, {"msgtype": "text", "text": text})
        code = answer.get("errcode")
        if code == 0:
            return Accepted(delivered=True)
        said = f"{code} {answer.get('errmsg', '')}"[:150]
        if code in TOO_OFTEN:
            raise Trouble("rate", after_s=60)
        if code in BUSY or code is None:
            raise Trouble(f"server: {said}" if code is not None else "answer")
        raise Undeliverable(f"{'credentials' if code in GONE else 'rejected'}: {said}")
