"""An organisation's own system (3.2.2, 3.4.2)."""

import time

import pytest

from haitang.delivery import services
from haitang.delivery.channels.webhook import signed, verified
from haitang.delivery.models import Hook
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def test_it_is_posted_with_key_and_signature(live, wire):
    body = make.organisation(code="W1")
    Hook.objects.create(organisation=body, channel="webhook", url="https://partner.example.org/in", secret="shared")
    message = make.message(live, make.user(organisation=body), channels=["webhook"], colour="yellow")
    services.pump(live)
    row, request = services.receipts(message).get(), wire.requests[0]
    assert (row.state, wire.keys) == ("delivered", [row.key])
    assert verified(request.headers["Haitang-Signature"], request.content, "shared", time.time())
    assert wire.bodies[0] | {"url": ""} == {
        "key": row.key, "to": "W1", "title": "台风黄色预警", "text": "请做好防御准备。", "url": "", "language": "zh-hans", "colour": "yellow",
        "about": f"spaces.space:{live.pk}",
    }  # fmt: skip


def test_a_changed_body_a_wrong_secret_and_an_old_signature_are_refused():
    header = signed(b"body", "s", 1000.0)
    assert verified(header, b"body", "s", 1010.0)
    assert not verified(header, b"Body", "s", 1010.0)
    assert not verified(header, b"body", "t", 1010.0)
    assert not verified(header, b"body", "s", 1000.0 + 301)
    for broken in ("", "t=1000", "v1=00", "t=x,v1=y", ",,,"):
        assert not verified(broken, b"body", "s", 1000.0)
