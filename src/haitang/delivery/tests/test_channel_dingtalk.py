"""DingTalk group robots (3.4.2)."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest

from haitang.delivery import services
from haitang.delivery.channels.dingtalk import signed
from haitang.delivery.models import Hook
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def said(live):
    body = make.organisation()
    Hook.objects.create(
        organisation=body, channel="dingtalk", url="https://oapi.dingtalk.com/robot/send?access_token=x", secret="SEC1"
    )
    message = make.message(live, make.user(organisation=body, phone="13800000001"), channels=["dingtalk"])
    services.pump(live)
    return services.receipts(message).get()


def test_the_address_carries_time_and_signature_and_the_text_the_mentioned_numbers(live, wire):
    wire.says(200, {"errcode": 0, "errmsg": "ok"})
    assert said(live).state == "delivered"
    query = parse_qs(urlsplit(str(wire.requests[0].url)).query)
    stamp = query["timestamp"][0]
    wanted = base64.b64encode(hmac.new(b"SEC1", f"{stamp}\nSEC1".encode(), hashlib.sha256).digest()).decode()
    assert (query["access_token"], query["sign"]) == (["x"], [wanted])
    assert wire.bodies[0]["at"] == {"atMobiles": ["13800000001"], "isAtAll": False}
    assert wire.bodies[0]["text"]["content"].endswith("@13800000001")


def test_a_robot_without_a_secret_is_addressed_as_it_is():
    assert signed("https://x/?a=1", "", 1.0) == "https://x/?a=1"


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [
        (310000, "failed", "credentials: 310000 m"),
        (130101, "queued", "rate"),
        (40035, "failed", "rejected: 40035 m"),
        (-1, "queued", "server: -1 m"),
    ],
)
def test_the_error_is_in_the_answer(live, wire, code, state, reason):
    wire.says(200, {"errcode": code, "errmsg": "m"})
    row = said(live)
    assert (row.state, row.reason) == (state, reason)
