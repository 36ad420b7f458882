"""One channel after the other: the next only where the one before failed (3.6.5 channel failover)."""

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from haitang.delivery import receipts, services
from haitang.delivery.models import Delivery
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db
ORDER = ["wecom", "sms", "voice"]


def rows(message):
    return [(row.channel, row.state) for row in services.receipts(message)]


def sent(live, *to, channels=("sms", "voice")):
    message = make.message(live, *(to or [make.user()]), channels=channels, in_order=True)
    services.pump(live)
    return message


def test_only_the_first_channel_is_used_while_nothing_fails(live):
    assert rows(sent(live)) == [("sms", "sent")]


def test_a_negative_receipt_hands_on_to_the_next(live):
    message = sent(live)
    receipts.take("sms", [{"key": message.deliveries.get().key, "status": "absent"}])
    assert rows(message) == [("sms", "failed"), ("voice", "queued")]
    services.pump(live)
    assert rows(message) == [("sms", "failed"), ("voice", "sent")]


def test_a_receipt_that_does_not_come_in_time_hands_on_and_a_late_one_is_still_believed(live, later):
    message = sent(live)
    first = message.deliveries.get()
    assert timedelta(seconds=290) < first.next_at - timezone.now() <= timedelta(seconds=300)
    later()
    services.pump(live)
    assert rows(message) == [("sms", "failed"), ("voice", "sent")]
    assert services.receipts(message)[0].reason == "no_receipt"
    receipts.take("sms", [{"key": first.key, "status": "delivered"}])
    assert rows(message) == [("sms", "delivered"), ("voice", "sent")]


def test_who_has_no_address_on_the_first_goes_to_the_second_at_once(live):
    message = sent(live, make.user(phone=""), channels=["sms", "voice", "email"])
    assert rows(message) == [("sms", "failed"), ("voice", "failed"), ("email", "sent")]


def test_a_contact_without_an_account_keeps_its_points_for_the_next_channel(live, wire):
    wire.says(422)
    message = sent(
        live,
        Recipient(phone="13800000009", email="x@example.org", organisation=make.organisation(), url="https://h/o/t/"),
        channels=["sms", "email"],
    )
    assert [(row.channel, row.address, row.url) for row in services.receipts(message)] == [
        ("sms", "13800000009", "https://h/o/t/"), ("email", "x@example.org", "https://h/o/t/"),
    ]  # fmt: skip


def test_each_recipient_goes_his_own_way(live, wire):
    wire.answer = lambda request: httpx.Response(
        422 if b"13800000666" in request.content and b"sms" in bytes(request.url.raw_path) else 202, json={}
    )
    message = sent(live, make.user(phone="13800000666"), make.user())
    services.pump(live)
    assert rows(message) == [("sms", "failed"), ("voice", "sent"), ("sms", "sent")]


def test_it_is_handed_on_once_however_often_the_failure_is_told(live):
    message = sent(live)
    key = message.deliveries.get().key
    for _ in range(3):
        receipts.take("sms", [{"key": key, "status": "failed"}, {"key": key, "status": "busy"}])
    assert rows(message) == [("sms", "failed"), ("voice", "queued")]
    Delivery.objects.filter(channel="voice").update(state="failed")
    assert message.deliveries.count() == 2


def test_in_an_exercise_the_failed_and_the_lost_are_handed_on_in_its_time():
    space = make.exercise()
    body = make.organisation()
    message = make.message(
        space,
        *(make.user(organisation=body, name_zh=f"乙{n}") for n in range(120)),
        channels=["sms", "voice"],
        in_order=True,
        key="order",
    )
    make.step(space, 3600)
    services.pump(space)
    services.pump(space)
    found = list(services.receipts(message))
    reasons = {row.reason for row in found if row.channel == "sms" and row.state == "failed"}
    assert reasons == {"absent", "no_receipt"}
    failed = {row.number: row for row in found if row.channel == "sms" and row.state == "failed"}
    calls = {row.number: row for row in found if row.channel == "voice"}
    assert set(calls) == set(failed)
    assert all(calls[number].created_at == failed[number].failed_at for number in calls)
