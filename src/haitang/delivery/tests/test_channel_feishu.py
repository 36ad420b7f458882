"""Feishu group robots (3.4.2)."""

import base64
import hashlib
import hmac

import pytest

from haitang.delivery import services
from haitang.delivery.channels.feishu import signature
from haitang.delivery.models import Hook
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def said(live):
    body = make.organisation()
    Hook.objects.create(
        organisation=body, channel="feishu", url="https://open.feishu.cn/open-apis/bot/v2/hook/x", secret="s"
    )
    message = make.message(live, make.user(organisation=body), channels=["feishu"])
    services.pump(live)
    return services.receipts(message).get()


def test_the_body_carries_time_and_signature(live, wire):
    wire.says(200, {"code": 0, "msg": "success"})
    assert said(live).state == "delivered"
    body = wire.bodies[0]
    wanted = base64.b64encode(hmac.new(f"{body['timestamp']}\ns".encode(), b"", hashlib.sha256).digest()).decode()
    assert (body["sign"], body["msg_type"]) == (wanted, "text")
    assert body["content"]["text"].startswith("台风黄色预警\n")


def test_a_robot_without_a_secret_is_sent_no_signature():
    assert signature("", 1.0) == {}


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [(19021, "failed", "credentials: 19021 m"), (11232, "queued", "rate"), (9499, "failed", "rejected: 9499 m")],
)
def test_the_error_is_in_the_answer(live, wire, code, state, reason):
    wire.says(200, {"code": code, "msg": "m"})
    row = said(live)
    assert (row.state, row.reason) == (state, reason)
