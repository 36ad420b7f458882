"""P4, issue 2 section 6: kill -9 at any moment loses and doubles nothing; several processes judge as one.

A kill is a BaseException thrown inside the step, after which the process remembers nothing (`engine.forget`): what
the database rolled back and what memory lost are the same as with a real one. tests/ kills real processes.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.journal.models import Entry
from haitang.monitoring import alarms, counts, door, engine, gate, intake, services, store
from haitang.monitoring.models import Alarm, Evaluator, IngestCount, Intake
from haitang.monitoring.services import alarms as alarm_services
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db(transaction=True)
STORM = [4.1, 7.9, 5.0, 3.7, 4.4]


class Killed(BaseException):
    """The process is gone."""


def rules():
    """A rule with hysteresis, one with a minimum duration, one over a window, one for silence."""
    tide, rain = make.series(), make.series(quantity="rain")
    make.rule(tide, hysteresis=0.2, code=f"{tide.code}-a")
    make.rule(tide, hold_s=120, code=f"{tide.code}-b")
    make.rule(rain, aggregate="sum", window_s=600, blue=35, yellow=50, orange=80, red=100)
    make.rule(rain, silence_s=300)
    return tide, rain


def batch(tide, rain, minute: int, value: float) -> bytes:
    both = [make.body(tide, (minute, value)), make.body(rain, (minute, value * 2), (minute + 0.5, 1.0))]
    return json.dumps({name: both[0][name] + both[1][name] for name in both[0]}).encode()


def told(space) -> dict[str, Any]:
    """Everything that must come out the same, however it came about."""
    episodes = Alarm.objects.filter(space=space).order_by("rule_id", "opened_at").values_list(
        "rule_id", "state", "colour", "peak_colour", "peak_value", "peak_at", "first_value", "opened_at", "cleared_at"
    )  # fmt: skip
    entries = Entry.objects.filter(space=space).order_by("seq").values_list("verb", "text_en")
    numbers: Counter[str] = Counter()
    for outcome, number in IngestCount.objects.filter(space=space, source="x").values_list("outcome", "count"):
        numbers[outcome] += number
    readings = {}
    for series in {r for (r,) in Alarm.objects.filter(space=space).values_list("series_id")}:
        time, value = store.read(space.pk, series)
        readings[series] = list(zip(time.tolist(), value.tolist(), strict=True))
    return {
        "alarms": list(episodes), "entries": sorted(entries), "readings": readings,
        "accepted": numbers["accepted"], "waiting": engine.backlog(space)[0],
    }  # fmt: skip


def send(space, body: bytes, minute: float) -> None:
    make.step(space, minute + 1)
    door.receive(space, door.Parcel(body, "x"))


def undisturbed(tide, rain) -> dict[str, Any]:
    space = make.exercise()
    for minute, value in enumerate(STORM):
        send(space, batch(tide, rain, minute, value), minute)
    return told(space)


PLACES = [
    (engine, "step"),
    (intake, "append"),
    (engine, "_present"),
    (store, "append"),
    (alarms, "apply"),
    (alarm_services, "open_alarm"),
    (alarm_services, "change_colour"),
    (alarm_services, "clear_alarm"),
    (counts, "add"),
    (engine, "_save"),
    (engine, "_put_back"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_place_everything_comes_out_the_same(after):
    tide, rain = rules()
    expected = undisturbed(tide, rain)
    for module, name in PLACES:
        space = make.exercise()
        with pytest.MonkeyPatch.context() as patch:
            _die_at(patch, module, name, after=after)
            for minute, value in enumerate(STORM):
                _insist(space, batch(tide, rain, minute, value), minute)
        engine.advance(space)
        assert told(space) == expected, f"killed {'after' if after else 'before'} {name}"


def _die_at(patch, module, name: str, *, after: bool) -> None:
    real = getattr(module, name)
    calls = 0

    def deadly(*given, **named):
        nonlocal calls
        calls += 1
        if calls % 3 == 2:  # alive, dead, alive, alive, dead ...
            if after:
                real(*given, **named)
            raise Killed
        return real(*given, **named)

    patch.setattr(module, name, deadly)


def _insist(space, body: bytes, minute: float) -> None:
    """A sender sends again until it is told "received"."""
    for _attempt in range(4):
        try:
            return send(space, body, minute)
        except Killed:
            engine.forget()
    raise AssertionError("never received")


def test_killed_between_the_log_and_its_judgement_nothing_is_lost():
    tide, rain = rules()
    space = make.exercise()
    make.step(space, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "judge", lambda *_: False)
        send(space, batch(tide, rain, 0, 4.5), 0)
    assert (engine.backlog(space)[0], Alarm.objects.count()) == (3, 0)
    engine.forget()
    send(space, batch(tide, rain, 0, 4.5), 0)  # delivered again, for nobody had answered
    assert engine.backlog(space)[0] == 0
    assert Alarm.objects.filter(series=tide).count() == 1
    assert IngestCount.objects.get(space=space, outcome="duplicate").count == 3


@settings(max_examples=6)
@given(st.data())
def test_restarts_snapshots_and_changes_of_process_are_not_seen(data):
    """Any mixture of batches split, delivered twice, restarts, snapshots and processes tells the same story."""
    tide, rain = rules()
    expected = undisturbed(tide, rain)
    space = make.exercise()
    shelves = [engine._Shelf() for _ in range(3)]
    before = engine._shelf
    try:
        for minute, value in enumerate(STORM):
            engine._shelf = data.draw(st.sampled_from(shelves))
            send(space, batch(tide, rain, minute, value), minute)
            for act in data.draw(st.lists(st.sampled_from(["again", "forget", "checkpoint", "advance"]), max_size=3)):
                engine._shelf = data.draw(st.sampled_from(shelves))
                if act == "again":
                    send(space, batch(tide, rain, minute, value), minute)
                elif act == "forget":
                    engine.forget()
                elif act == "checkpoint":
                    engine.checkpoint(space)
                else:
                    engine.advance(space)
    finally:
        engine._shelf = before
    assert told(space) == expected


class _Apart(threading.local):
    """A shelf for each thread, as processes have one each."""

    def __init__(self) -> None:
        self.mine = engine._Shelf()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.mine, name)


def in_threads(*work) -> list[BaseException]:
    """Run each piece in a thread with a connection of its own; returns what went wrong."""
    wrong: list[BaseException] = []

    def run(piece) -> None:
        try:
            piece()
        except BaseException as error:  # noqa: BLE001 - told to the test
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(piece,)) for piece in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return wrong


@pytest.mark.parametrize("apart", [True, False], ids=["processes", "threads"])
def test_several_that_judge_at_once_open_every_alarm_once(apart, monkeypatch):
    """Four senders at once, each batch delivered by two of them."""
    if apart:
        monkeypatch.setattr(engine, "_shelf", _Apart())
    space = make.exercise()
    make.step(space, 100)
    series = [make.rule().series for _ in range(6)]
    start = threading.Barrier(4)

    def sender(number: int):
        def work() -> None:
            start.wait()
            for minute in range(12):
                codes = series[number % 2 :: 2]
                value = 4.5 if minute % 4 == 1 else 1.0
                body = {
                    "series": [s.code for s in codes],
                    "time": make.T0_S + 60 * minute,
                    "value": [value] * len(codes),
                }
                door.receive(space, door.Parcel(json.dumps(body).encode(), "x"))

        return work

    assert in_threads(*(sender(number) for number in range(4))) == []
    engine.advance(space)
    for each in series:
        assert store.read(space.pk, each.pk)[0].tolist() == [(make.T0_S + 60 * m) * 1000 for m in range(12)]
        assert Alarm.objects.filter(series=each, state="active").count() == 0
        assert 1 <= Alarm.objects.filter(series=each).count() <= 3
    numbers = dict(IngestCount.objects.filter(space=space).values_list("outcome", "count"))
    assert (numbers["accepted"], numbers["duplicate"]) == (72, 72)
    assert Entry.objects.filter(space=space, verb="monitoring.raise").count() == Alarm.objects.count()


def test_a_request_that_judges_inside_its_own_transaction_does_not_wait_for_those_that_wait_for_it():
    """A back-fill is one transaction; meanwhile another thread judges. Neither waits for the other in a ring."""
    space = make.exercise()
    make.step(space, 100)
    rule = make.rule()
    inside, started = threading.Event(), threading.Event()

    def filler() -> None:
        with transaction.atomic():
            # On SQLite this takes the write lock, on PostgreSQL that of the log.
            with intake.in_order(space.pk):
                inside.set()
                started.wait(10)
            door.receive(space, door.Parcel(json.dumps(make.body(rule.series, (0, 4.5))).encode(), "x"))

    def other() -> None:
        inside.wait(10)
        started.set()
        engine.advance(space)

    assert in_threads(filler, other) == []
    assert Alarm.objects.count() == 1


def test_an_acknowledgement_and_a_rise_do_not_pass_each_other_by(monkeypatch):
    """An acknowledged alarm whose colour rises asks for a new acknowledgement, also when both come at once."""
    space = make.exercise()
    make.step(space, 100)
    rule = make.rule()
    officer = make.user(organisation=make.organisation(make.place()))
    make.send(space, rule.series, (0, 4.5))
    alarm = Alarm.objects.get()
    judging, go_on = threading.Event(), threading.Event()
    real = alarm_services.change_colour

    def slowly(*given, **named):
        judging.set()
        go_on.wait(10)
        return real(*given, **named)

    monkeypatch.setattr(alarm_services, "change_colour", slowly)

    def acknowledger() -> None:
        judging.wait(10)
        threading.Timer(0.3, go_on.set).start()
        services.acknowledge(alarm, by=officer)

    assert in_threads(lambda: make.send(space, rule.series, (1, 5.5)), acknowledger) == []
    alarm.refresh_from_db()
    assert (alarm.colour, alarm.state) == ("yellow", "acknowledged")
    verbs = list(Entry.objects.filter(space=space).order_by("seq").values_list("verb", flat=True))
    assert verbs == ["monitoring.raise", "monitoring.rise", "monitoring.acknowledge"]


def test_the_log_is_pruned_once_two_snapshots_cover_it():
    space = make.exercise()
    series = make.series()
    for minute in range(4):
        make.send(space, series, (minute, 1.0))
        engine.checkpoint(space)
    assert Intake.objects.filter(space=space).count() == 1
    assert Evaluator.objects.get(space=space).pruned_to > 0
