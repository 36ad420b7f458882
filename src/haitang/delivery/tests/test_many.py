"""Very many letters: written at once, handed over in crowds, each sent once (issue 3, "dispatch of 640,000 messages")."""

from __future__ import annotations

import json

import httpx
import pytest
from django.db import transaction
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.delivery import outlet, receipts, services, simulators
from haitang.delivery.bucket import Buckets
from haitang.delivery.models import Delivery
from haitang.delivery.sent_store import Store
from haitang.delivery.simulators import CALM, Gateways
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def many(space, number, key="many", **fields):
    rows = ((f"139{n:08d}", "zh-hans", "") for n in range(number))
    given = {
        "title_zh": "台风红色预警",
        "title_en": "Typhoon",
        "body_zh": "请转移。",
        "about": space,
        "by": SYSTEM,
        "colour": "red",
        **fields,
    }
    with transaction.atomic():
        return services.send_many(
            space=space,
            key=key,
            channel="sms",
            to=fields.pop("to", rows),
            **{k: v for k, v in given.items() if k != "to"},
        )


@pytest.fixture
def crowd(monkeypatch):
    monkeypatch.setenv("HAITANG_SMS_BATCH", "100")
    monkeypatch.setenv("HAITANG_SMS_RATE", "100000")


@pytest.fixture
def taker(wire):
    """A gateway that takes many letters in one request."""
    wire.bad, wire.busy = set(), set()

    def answer(request):
        body = json.loads(request.content)
        if "letters" not in body:
            return httpx.Response(202, json={"id": "one"})
        results = []
        for letter in body["letters"]:
            trouble = "unknown_number" if letter["to"] in wire.bad else "busy" if letter["to"] in wire.busy else ""
            results.append({"key": letter["key"], "error": trouble} if trouble else {"key": letter["key"], "id": "g"})
        return httpx.Response(202, json={"results": results})

    wire.answer = answer
    return wire


def states(message):
    return sorted(set(message.deliveries.values_list("state", "reason")))


def test_every_row_is_as_send_would_have_written_it(live):
    message, other = (
        many(live, 300),
        make.message(live, services.Recipient(phone="13900000000"), channels=["sms"], colour="red"),
    )
    assert message.recipients == message.deliveries.count() == 300
    mine, theirs = message.deliveries.order_by("number").first(), other.deliveries.get()
    names = ("position", "channel", "user_id", "organisation_id", "address", "contact", "language", "url", "priority", "state", "reason",
             "is_simulated", "gateway_ref", "attempts", "claim", "is_untold", "sent_at", "failed_at")  # fmt: skip
    assert {n: getattr(mine, n) for n in names} == {n: getattr(theirs, n) for n in names}
    assert mine.next_at == mine.created_at and len({row.key for row in message.deliveries.all()}) == 300


def test_it_is_idempotent_and_stands_or_falls_with_its_transaction(live):
    assert many(live, 3).pk == many(live, 5).pk and Delivery.objects.count() == 3
    with transaction.atomic():
        many(live, 5, key="x")
        transaction.set_rollback(True)
    assert not live.messages.filter(key="x").exists()


def test_who_has_no_address_is_a_failure_that_says_why(live):
    message = many(live, 0, to=[("", "zh-hans", ""), ("13900000001", "zh-hans", "")])
    assert sorted(message.deliveries.values_list("state", "reason")) == [("failed", "no_phone"), ("queued", "")]


def test_in_an_exercise_all_are_blocked_and_none_leaves(taker, crowd):
    space = make.exercise()
    message = many(space, 50)
    services.pump(space)
    assert states(message) == [("blocked", "drill_public")] and taker.requests == []
    drill = many(services.Space.live(), 50, drill=True)
    Delivery.objects.filter(message=drill).update(state="queued", next_at=timezone.now())
    services.pump()
    assert taker.requests == []


def test_they_go_in_crowds_and_each_once(live, taker, crowd):
    message = many(live, 450)
    services.pump(live)
    assert [len(body["letters"]) for body in taker.bodies if "letters" in body] == [100, 100, 100, 100, 50]
    keys = [letter["key"] for body in taker.bodies for letter in body["letters"]]
    assert len(keys) == len(set(keys)) == 450
    assert states(message) == [("sent", "")]


def test_few_go_one_by_one(live, taker, crowd):
    message = many(live, outlet.FEW - 1)
    services.pump(live)
    assert all("letters" not in body for body in taker.bodies) and states(message) == [("sent", "")]


def test_what_one_of_them_fails_by_is_its_own(live, taker, crowd):
    taker.bad, taker.busy = {"13900000003"}, {"13900000004", "13900000005"}
    message = many(live, 60)
    services.pump(live)
    assert message.deliveries.get(address="13900000003").reason == "unknown_number"
    assert set(message.deliveries.filter(address__in=taker.busy).values_list("state", "attempts")) == {("queued", 1)}
    assert message.deliveries.filter(state="sent").count() == 57


def test_a_gateway_that_is_down_gets_them_again_with_the_same_keys(live, taker, crowd, later):
    good = taker.answer
    taker.says(503)
    message = many(live, 60)
    services.pump(live)
    assert states(message) == [("queued", "server: 503")]
    taker.answer = good
    later()
    services.pump(live)
    first, second = ({letter["key"] for letter in body["letters"]} for body in taker.bodies)
    assert first == second and states(message) == [("sent", "")]


def test_what_has_expired_is_not_among_them(live, taker, crowd):
    message = many(live, 60, expires_at=timezone.now())
    services.pump(live)
    assert states(message) == [("failed", "message_expired")] and taker.requests == []


def test_a_killed_process_loses_none(live, taker, crowd, later):
    message = many(live, 60)
    outlet.OUTLET._claim_many(Delivery.objects.filter(channel="sms", state="queued"), 100, timezone.now())
    services.pump(live)
    assert taker.requests == []  # claimed by somebody who died
    later()
    services.pump(live)
    assert states(message) == [("sent", "")]


def test_many_arrivals_are_taken_in_one_update(live, taker, crowd, django_assert_max_num_queries):
    message = many(live, 200)
    services.pump(live)
    rows = [{"key": row.key, "status": "delivered"} for row in message.deliveries.all()]
    with django_assert_max_num_queries(14):
        taken = receipts.take("sms", rows)
    assert (taken.taken, taken.repeated) == (200, 0)
    assert receipts.take("sms", [*rows, {"key": "x", "status": "delivered"}]).repeated == 200
    assert not message.deliveries.filter(delivered_at=None).exists()


def test_the_simulated_gateway_keeps_each_once(tmp_path):
    all_ = Gateways(Store(tmp_path / "s.sqlite3"), "t", CALM)
    letters = [{"key": f"k{n}", "to": f"1390000{n:04d}", "text": "x"} for n in range(5)]
    body = {"letters": [*letters, {"key": "bad", "to": "1", "text": "x"}], "receipts": "http://x/"}
    headers = {"authorization": "Bearer t"}
    for _ in range(2):
        status, answer = simulators.gateway(all_, "sms", body, headers, "/sms")
        assert status == 202 and [row for row in answer["results"] if "error" in row] == [
            {"key": "bad", "error": "unknown_number"}
        ]
    assert all_.store.counted("sms") == (5, 10)


def test_a_bucket_pays_for_a_crowd_later():
    buckets = Buckets(100.0, 50)
    assert buckets.take_many("g", 0.0, 150) == 0.0
    assert buckets.take_many("g", 0.0, 10) == pytest.approx(1.1)
    assert buckets.take_many("g", 1.1, 10) == 0.0
