"""The pump and its worker: all open spaces, slow gateways, rates (3.6.5)."""

import threading
import time

import httpx
import pytest

from haitang.delivery import outlet, services, worker
from haitang.delivery.channel import CHANNELS
from haitang.delivery.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def test_all_open_spaces_are_served_and_closed_ones_are_not(live):
    space, closed = make.exercise(), make.exercise()
    body = make.organisation()
    found = [make.message(each, make.user(organisation=body), channels=["sms"]) for each in (live, space, closed)]
    for each in (space, closed):
        make.step(each, 600)
    Space.objects.filter(pk=closed.pk).update(is_open=False)
    services.pump()
    assert [m.deliveries.get().state == "queued" for m in found] == [False, False, True]


def test_an_idle_round_costs_few_queries_and_writes_nothing(live, django_assert_max_num_queries):
    space = make.exercise()
    make.message(space, make.user())
    with django_assert_max_num_queries(10):
        assert services.pump() == 0


def test_a_slow_gateway_holds_up_no_other_channel(live, wire):
    release = threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        if "voice" in str(request.url):
            release.wait(5)
        return httpx.Response(202, json={})

    wire.answer = answer
    message = make.message(live, *(make.user() for _ in range(3)), channels=["voice", "sms"])
    services.pump(live, patience_s=0.5)
    states = {row.channel: row.state for row in services.receipts(message)}
    assert states == {"sms": "sent", "voice": "queued"}
    release.set()
    services.pump(live)
    assert set(services.receipts(message).values_list("state", flat=True)) == {"sent"}
    assert len(wire.requests) == 6


def test_no_more_letters_are_under_way_than_a_channel_has_threads(live, wire):
    most, now, lock = 0, 0, threading.Lock()

    def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1
        return httpx.Response(202, json={})

    wire.answer = answer
    make.message(live, *(make.user() for _ in range(40)), channels=["sms"])
    services.pump(live)
    assert len(wire.requests) == 40
    assert most <= CHANNELS["sms"].concurrency


def test_letters_beyond_the_rate_wait_and_their_waiting_is_no_attempt(live, wire, monkeypatch):
    monkeypatch.setattr(type(CHANNELS["sms"]), "pace", lambda _self: (0.001, 2))
    message = make.message(live, *(make.user() for _ in range(5)), channels=["sms"])
    services.pump(live, patience_s=1)
    assert len(wire.requests) == 2
    assert (
        sorted(services.receipts(message).values_list("state", "attempts")) == [("queued", 0)] * 3 + [("sent", 1)] * 2
    )


def test_the_limit_bounds_one_round(live, wire):
    make.message(live, *(make.user() for _ in range(9)), channels=["sms"])
    assert services.pump(live, limit=4) == 4
    assert services.pump(live, limit=100) == 5


def test_the_worker_goes_on_after_a_stumble_and_ends_when_asked(monkeypatch):
    stop, calls = threading.Event(), []

    def pump(**_given):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the store is away")
        stop.set()
        return 0

    monkeypatch.setattr(worker, "pump", pump)
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    monkeypatch.setattr(worker, "LOOP_S", 0.001)
    worker.run(stop)
    assert len(calls) == 2


def test_two_threads_of_one_process_do_not_pump_at_once(live):
    with outlet.OUTLET._lock:
        make.message(live, make.user(), channels=["sms"])
        assert services.pump(live) == 0
    assert services.pump(live) == 1
