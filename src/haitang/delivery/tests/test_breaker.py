"""A gateway out of order is left alone, tried with one letter, and used again (issue 3, "Deliver")."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from haitang.delivery import outlet, services
from haitang.delivery.breaker import CLOSED, HALF_OPEN, MOST_S, OPEN, Breaker, Breakers, concerns
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery, Gate
from haitang.delivery.tests import factories as make


def failing(breaker: Breaker, number: int, at: float = 0.0) -> Breaker:
    for each in range(number):
        breaker.failed(f"k{each}", "server: 500", at)
    return breaker


def test_five_different_letters_in_a_row_open_it():
    assert failing(Breaker(), 4).state == CLOSED
    assert failing(Breaker(), 5).state == OPEN


def test_one_letter_that_fails_again_and_again_opens_nothing():
    breaker = Breaker()
    assert not any(breaker.failed("k", "server: 500", 0.0) for _ in range(50))
    assert breaker.state == CLOSED


def test_a_success_in_between_starts_the_count_anew():
    breaker = failing(Breaker(), 4)
    breaker.succeeded()
    assert failing(breaker, 4).state == CLOSED


def test_when_the_pause_is_over_one_letter_goes_and_the_others_wait():
    breaker = failing(Breaker(base_s=10), 5)
    assert breaker.wait("a", 4.0) == 6.0
    assert breaker.wait("a", 10.0) == 0.0 and breaker.state == HALF_OPEN
    assert breaker.wait("b", 10.0) > 0.0
    assert breaker.succeeded() and breaker.wait("b", 10.1) == 0.0


def test_a_vain_probe_doubles_the_pause_up_to_the_most():
    breaker, at, pauses = failing(Breaker(base_s=10, most_s=60), 5), 0.0, []
    for number in range(6):
        pauses.append(breaker.retry_at - at)
        at = breaker.retry_at
        breaker.wait(f"p{number}", at)
        breaker.failed(f"p{number}", "timeout", at)
    assert pauses == [10, 20, 40, 60, 60, 60]


def test_a_probe_that_was_not_sent_makes_room_for_another():
    breaker = failing(Breaker(), 5)
    assert breaker.wait("a", 100.0) == 0.0
    breaker.released("a")
    assert breaker.wait("b", 100.0) == 0.0


def test_what_is_the_letter_s_own_fault_does_not_count():
    assert (
        not concerns("unknown_number") and not concerns("rejected: 422") and not concerns("rate") and not concerns("")
    )
    assert concerns("server: 503") and concerns("connection: ConnectError") and concerns("timeout")


@given(st.lists(st.tuples(st.sampled_from(["wait", "fail", "ok", "free"]), st.integers(0, 8), st.floats(0, 40))))
def test_it_never_waits_longer_than_the_most_and_opens_again_to_a_letter(moves):
    """Whatever happens to it, the pause is bounded, and after it a letter may go."""
    breaker, at = Breaker(), 0.0
    for what, key, pause in moves:
        at += pause
        if what == "wait":
            assert 0.0 <= breaker.wait(str(key), at) <= MOST_S
        elif what == "fail":
            breaker.failed(str(key), "timeout", at)
        elif what == "ok":
            breaker.succeeded()
        else:
            breaker.released(str(key))
    if breaker.state == OPEN:
        assert breaker.wait("x", at + MOST_S) == 0.0


@pytest.mark.django_db
def test_letters_wait_without_losing_an_attempt_and_the_page_s_row_says_why(live, wire, later):
    wire.says(503)
    message = make.message(live, *(make.user() for _ in range(6)), channels=["sms"])
    services.pump(live)
    gate = Gate.objects.get()
    assert (gate.channel, gate.state, gate.reason, gate.failures) == ("sms", "open", "server: 503", 5)
    assert gate.host.startswith("127.0.0.1:") and gate.retry_at > timezone.now()
    asked = len(wire.requests)
    for _ in range(3):
        later()
        services.pump(live)
    assert len(wire.requests) == asked
    assert {row.attempts for row in services.receipts(message)} == {1}
    # Its time comes: a probe goes, and what follows it.
    wire.says(202, {"id": "g"})
    breaker = next(iter(outlet.OUTLET._breakers._by_gateway.values()))
    breaker.retry_at = 0.0
    for _ in range(3):
        later()
        services.pump(live)
    assert {row.state for row in services.receipts(message)} == {"sent"}
    assert Gate.objects.get().state == "closed"


@pytest.mark.django_db
def test_where_another_channel_follows_nobody_waits_for_the_broken_one(live, wire, monkeypatch):
    monkeypatch.setattr(outlet.OUTLET, "_breakers", Breakers(threshold=1))
    monkeypatch.setenv("HAITANG_VOICE_URL", "https://voice.example.org/")
    wire.says(503)
    make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    wire.answer = lambda request: __import__("httpx").Response(202, json={"id": "v"})
    message = make.message(live, make.user(), channels=["sms", "voice"], in_order=True)
    services.pump(live)
    services.pump(live)
    assert [(r.channel, r.state, r.reason) for r in services.receipts(message)] == [
        ("sms", "failed", "gateway_down"), ("voice", "sent", ""),
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_letter_that_waits_for_hours_is_given_up_for_somebody_to_see(live, wire, later, monkeypatch):
    monkeypatch.setattr(outlet.OUTLET, "_breakers", Breakers(threshold=1))
    wire.says(503)
    message = make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    Delivery.objects.update(created_at=timezone.now() - timedelta(hours=7))
    later()
    services.pump(live)
    assert services.receipts(message).get().reason == "gateway_down"


def test_every_channel_says_how_long_it_waits_for_an_answer():
    assert all(0 < channel.timeout_s < outlet.LEASE_S for channel in CHANNELS.values())
