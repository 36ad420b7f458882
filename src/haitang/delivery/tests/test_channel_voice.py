"""Voice calls (3.4.2, 3.6.5)."""

import pytest

from haitang.delivery import receipts, services
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def called(live):
    message = make.message(live, make.user(), channels=["voice"], url="/w/7/")
    services.pump(live)
    return services.receipts(message).get()


def test_title_and_text_are_spoken_and_no_link(live, wire):
    called(live)
    assert wire.bodies[0]["text"] == "台风黄色预警 请做好防御准备。"


def test_an_answered_call_has_arrived_but_was_not_read(live):
    row = called(live)
    receipts.take("voice", [{"key": row.key, "status": "answered"}])
    row.refresh_from_db()
    assert (row.state, row.read_at) == ("answered", None)
    assert row.delivered_at == row.answered_at


@pytest.mark.parametrize("status", ["no_answer", "busy"])
def test_a_call_that_nobody_takes_has_failed_and_says_why(live, status):
    row = called(live)
    receipts.take("voice", [{"key": row.key, "status": status}])
    row.refresh_from_db()
    assert (row.state, row.reason) == ("failed", status)
