"""Village loudspeakers (3.4.2)."""

import pytest

from haitang.delivery import services
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def test_each_village_speaks_once_by_its_code(live, wire, monkeypatch):
    monkeypatch.setenv("HAITANG_LOUDSPEAKER_URL", "https://speakers.example.org/say")
    a, b = make.organisation(code="VA"), make.organisation(code="VB")
    make.message(
        live, Recipient(organisation=a), Recipient(organisation=b), make.user(organisation=a), channels=["loudspeaker"]
    )
    services.pump(live)
    assert sorted((body["to"], body["text"]) for body in wire.bodies) == [
        ("VA", "请做好防御准备。"),
        ("VB", "请做好防御准备。"),
    ]


def test_a_person_s_own_link_is_never_read_out(live, wire):
    body = make.organisation()
    make.message(
        live,
        Recipient(user=make.user(organisation=body), url="https://h.example/o/token/"),
        channels=["loudspeaker"],
        url="/w/",
    )
    services.pump(live)
    assert "token" not in wire.requests[0].content.decode()
