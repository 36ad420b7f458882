"""Attempts, pauses and giving up (3.6.5)."""

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.delivery import receipts, services
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make
from haitang.journal.models import Entry

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("refused"), "connection: ConnectError"),
        (httpx.ConnectTimeout("slow"), "timeout"),
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.RemoteProtocolError("cut"), "connection: RemoteProtocolError"),
    ],
)
def test_a_gateway_out_of_reach_is_tried_again_later(live, wire, error, reason):
    wire.fails(error)
    message = make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    row = services.receipts(message).get()
    assert (row.state, row.attempts, row.reason, row.claim) == ("queued", 1, reason, "")
    assert timedelta(seconds=1) < row.next_at - timezone.now() < timedelta(seconds=3)


def test_it_goes_through_when_the_gateway_is_back_with_the_same_key(live, wire, later):
    wire.says(503)
    message = make.message(live, make.user(), channels=["sms"])
    for _ in range(3):
        services.pump(live)
        later()
    wire.says(202, {"id": "g"})
    services.pump(live)
    row = services.receipts(message).get()
    assert (row.state, row.attempts, row.reason) == ("sent", 4, "")
    assert set(wire.keys) == {row.key} and len(wire.keys) == 4


def test_before_the_pause_is_over_nothing_is_tried(live, wire):
    wire.says(503)
    make.message(live, make.user(), channels=["sms"])
    for _ in range(4):
        services.pump(live)
    assert len(wire.requests) == 1


def test_the_gateway_s_own_pause_is_kept(live, wire):
    wire.says(429, headers={"Retry-After": "77"})
    message = make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    pause = services.receipts(message).get().next_at - timezone.now()
    assert timedelta(seconds=70) < pause <= timedelta(seconds=77)


def test_after_so_many_attempts_it_is_given_up_and_told_once(live, wire, later):
    wire.says(500)
    message = make.message(live, make.user(), make.user(), channels=["sms"])
    for _ in range(CHANNELS["sms"].attempts + 2):
        services.pump(live)
        later()
    rows = services.receipts(message)
    assert {(row.state, row.reason, row.attempts, row.next_at) for row in rows} == {("failed", "server: 500", 8, None)}
    entry = Entry.objects.get(verb="delivery.failed")
    assert entry.subject_id == str(message.pk)
    assert entry.after["channel"] == "sms" and sorted(entry.after["deliveries"]) == sorted(row.pk for row in rows)


def test_failures_that_come_one_by_one_are_told_together_when_nothing_is_open_any_more(live):
    message = make.message(live, *(make.user() for _ in range(3)), channels=["sms"])
    services.pump(live)
    for row in message.deliveries.order_by("pk"):
        assert not Entry.objects.filter(verb="delivery.failed").exists()
        receipts.take("sms", [{"key": row.key, "status": "absent"}])
        services.pump(live)
    assert len(Entry.objects.get(verb="delivery.failed").after["deliveries"]) == 3


def test_failures_are_told_after_a_minute_even_while_others_are_open(live):
    message = make.message(live, make.user(), make.user(), channels=["sms"])
    services.pump(live)
    receipts.take("sms", [{"key": message.deliveries.first().key, "status": "absent"}])
    services.pump(live)
    assert not Entry.objects.filter(verb="delivery.failed").exists()
    Delivery.objects.filter(state="failed").update(failed_at=timezone.now() - timedelta(seconds=61))
    services.pump(live)
    services.pump(live)
    assert Entry.objects.filter(verb="delivery.failed").count() == 1


def test_one_recipient_s_failure_stops_nobody_else(live, wire):
    bad = make.user(phone="13800000666")
    wire.answer = lambda request: httpx.Response(422 if b"13800000666" in request.content else 202, json={"id": "g"})
    message = make.message(live, make.user(), bad, make.user(), channels=["sms"])
    services.pump(live)
    assert [row.state for row in services.receipts(message)] == ["sent", "failed", "sent"]


def test_a_channel_whose_program_fails_stops_no_other_channel(live, monkeypatch, later):
    monkeypatch.setattr(CHANNELS["voice"], "send", lambda *_: {}["no such"], raising=False)
    message = make.message(live, make.user(), channels=["voice", "sms"])
    services.pump(live)
    rows = {row.channel: row for row in services.receipts(message)}
    assert (rows["sms"].state, rows["voice"].state, rows["voice"].reason) == ("sent", "queued", "program")


def test_a_channel_that_was_taken_out_of_the_platform_fails_by_name(live):
    message = make.message(live, make.user(), channels=["sms"])
    Delivery.objects.update(channel="telegraph")
    services.pump(live)
    row = services.receipts(message).get()
    assert (row.state, row.reason, row.way) == ("failed", "no_channel", None)


def test_red_goes_before_blue_where_a_gateway_cannot_take_all_at_once(live, wire, monkeypatch):
    monkeypatch.setattr(type(CHANNELS["sms"]), "concurrency", 1)
    for colour in ("", "blue", "red", "orange"):
        make.message(live, make.user(), channels=["sms"], colour=colour, title_zh=colour or "none")
    services.pump(live)
    assert [body["title"] for body in wire.bodies] == ["red", "orange", "blue", "none"]


def test_what_failed_can_be_sent_again_by_who_may(live, wire):
    wire.says(422)
    message = make.message(live, make.user(), Recipient(organisation=make.organisation()), channels=["sms"])
    services.pump(live)
    wire.says(202)
    with pytest.raises(Forbidden):
        services.resend(message, by=make.user(Role.TOWNSHIP))
    assert services.resend(message, by=make.user(Role.DUTY_OFFICER)) == 1
    services.pump(live)
    assert [row.state for row in services.receipts(message)] == ["sent", "failed"]
    with pytest.raises(Refused):
        services.resend(message, by=make.user(Role.DUTY_OFFICER))
