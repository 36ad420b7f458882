"""Text messages over an HTTP gateway (3.4.2, 3.6.5)."""

import pytest

from haitang.delivery import gateways, services
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def sent(live, **fields):
    message = make.message(live, make.user(phone="13800000001"), channels=["sms"], **fields)
    services.pump(live)
    return services.receipts(message).get()


def test_it_is_handed_to_the_gateway_with_key_token_and_the_address_for_receipts(live, wire, monkeypatch):
    monkeypatch.setenv("HAITANG_SMS_URL", "https://sms.example.org/v1/send")
    monkeypatch.setenv("HAITANG_GATEWAY_TOKEN", "t0ken")
    row = sent(live)
    request, body = wire.requests[0], wire.bodies[0]
    assert str(request.url) == "https://sms.example.org/v1/send"
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["Idempotency-Key"] == body["key"] == row.key
    assert (body["to"], body["language"]) == ("13800000001", "zh-hans")
    assert body["receipts"].endswith("/delivery/receipts/sms/")
    assert (row.state, row.gateway_ref, row.is_simulated, row.next_at) == ("sent", "g1", False, None)


def test_title_text_and_link_are_one_text(live, wire):
    sent(live, title_zh="台风黄色预警", body_zh="请做好\n防御准备。", url="/w/7/")
    assert wire.bodies[0]["text"].startswith("台风黄色预警 请做好 防御准备。 http")
    assert wire.bodies[0]["text"].endswith("/w/7/")


def test_without_a_gateway_the_simulator_answers_and_the_row_says_so(live, wire):
    row = sent(live)
    assert str(wire.requests[0].url) == f"{gateways.simulators()}/sms"
    assert row.is_simulated


def test_the_recipient_is_written_to_in_his_language(live, wire):
    make.message(
        live, Recipient(organisation=make.organisation(), phone="13800000002", language="en"), channels=["sms"]
    )
    services.pump(live)
    assert wire.bodies[0]["text"].startswith("Typhoon warning, yellow Prepare.")


def test_his_own_link_goes_before_the_message_s(live, wire):
    make.message(live, Recipient.of(make.user(), url="https://h.example/o/token/"), channels=["sms"])
    services.pump(live)
    assert wire.bodies[0]["text"].endswith(" https://h.example/o/token/")


def test_a_number_that_does_not_exist_is_given_up_at_once(live, wire):
    wire.says(422, {"error": "unknown_number"})
    row = sent(live)
    assert (row.state, row.reason, row.attempts) == ("failed", "unknown_number", 1)


def test_a_wrong_token_is_tried_again_because_an_operator_can_mend_it(live, wire):
    wire.says(401)
    row = sent(live)
    assert (row.state, row.reason) == ("queued", "credentials: 401")


def test_that_it_has_the_key_already_counts_as_taken(live, wire):
    wire.says(409, {"id": "g7"})
    assert sent(live).state == "sent"
