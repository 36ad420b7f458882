"""kill -9 in the middle: nothing lost, nothing sent twice (issue 2, section 6)."""

from concurrent.futures import wait

import pytest
from django.db import connection

from haitang.delivery import outlet, services
from haitang.delivery.models import Delivery
from haitang.delivery.sent_store import Sent, Store
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


def die() -> None:
    """The process ends without settling anything; another one starts."""
    wait(list(outlet.OUTLET._flights), timeout=2)
    outlet.OUTLET.rest()


def test_killed_after_claiming_it_is_sent_when_the_lease_ends(live, wire, later):
    message = make.message(live, make.user(), channels=["sms"])
    due = Delivery.objects.filter(channel="sms")
    outlet.OUTLET._claim(due, 10, message.created_at)
    die()
    services.pump(live)
    assert wire.requests == []
    later()
    services.pump(live)
    assert len(wire.requests) == 1
    assert services.receipts(message).get().state == "sent"


def test_killed_after_the_gateway_took_it_the_gateway_is_asked_again_with_the_same_key(live, wire, later):
    message = make.message(live, make.user(), channels=["sms"])
    outlet.OUTLET._launch(live, 10)
    die()
    later()
    services.pump(live)
    row = services.receipts(message).get()
    assert wire.keys == [row.key, row.key]
    assert (row.state, row.attempts) == ("sent", 2)


def test_a_gateway_that_is_asked_twice_sends_once(tmp_path):
    """The gateway's side, as the simulator keeps it: also after it was killed itself."""
    letter = Sent("k", "sms", "138", "t", "b", "", 1.0)
    first = Store(tmp_path / "s.sqlite3")
    assert first.take(letter, [("delivered", "http://x/", 2.0)])
    again = Store(tmp_path / "s.sqlite3")
    assert not again.take(letter, [("delivered", "http://x/", 2.0)])
    assert [(s.key, s.copies) for s in again.newest()] == [("k", 2)]
    assert len(again.due(10.0)) == 1


def test_two_processes_never_take_the_same_letter(live, wire):
    message = make.message(live, *(make.user() for _ in range(6)), channels=["sms"])
    here, there = outlet.Outlet(), outlet.Outlet()
    here._launch(live, 3)
    there._launch(live, 10)
    wait([*here._flights, *there._flights], timeout=2)
    assert here._land() + there._land() == 6
    assert len(wire.keys) == len(set(wire.keys)) == 6
    assert {row.state for row in services.receipts(message)} == {"sent"}
    here.rest(), there.rest()


def test_what_a_slow_process_brings_home_late_changes_nothing_that_another_did(live, wire, later):
    message = make.message(live, make.user(), channels=["sms"])
    slow, quick = outlet.Outlet(), outlet.Outlet()
    wire.says(503)
    slow._launch(live, 1)
    wait(list(slow._flights), timeout=2)
    later()
    wire.says(202, {"id": "second"})
    assert quick.pump([live], 1, 2) == 1
    assert slow._land() == 0
    row = services.receipts(message).get()
    assert (row.state, row.gateway_ref, row.attempts) == ("sent", "second", 2)
    slow.rest(), quick.rest()


def test_if_the_store_fails_when_settling_the_answer_is_kept_and_settled_later(live, wire, monkeypatch):
    message = make.message(live, make.user(), channels=["sms"])
    monkeypatch.setattr(outlet.Outlet, "_settle", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        services.pump(live)
    monkeypatch.undo()
    assert services.pump(live) == 1
    assert services.receipts(message).get().state == "sent"
    assert len(wire.requests) == 1


def test_a_letter_that_waited_too_long_for_its_thread_is_given_back_untried(live, wire, monkeypatch):
    monkeypatch.setattr(outlet, "LATEST_S", -1.0)
    message = make.message(live, make.user(), channels=["sms"])
    outlet.OUTLET._launch(live, 1)
    wait(list(outlet.OUTLET._flights), timeout=2)
    outlet.OUTLET._land()
    row = services.receipts(message).get()
    assert (wire.requests, row.state, row.attempts, row.claim) == ([], "queued", 0, "")


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_send_each_letter_once(wire):
    """On PostgreSQL workers take different rows at the same time (skip locked); SQLite's turns are tested above."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite takes turns")
    import threading

    from django.db import connections

    from haitang.spaces.models import Space

    live = Space.live()
    make.message(live, *(make.user() for _ in range(40)), channels=["sms"])

    def work() -> None:
        mine = outlet.Outlet()
        for _ in range(6):
            mine.pump([live], 50, 1.0)
        mine.rest()
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(wire.keys) == len(set(wire.keys)) == 40
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
