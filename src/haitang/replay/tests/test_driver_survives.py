"""Whoever drives may be killed anywhere: another takes the run up, nothing is lost and nothing comes twice. Issue 2, 5 and 6."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Refused
from haitang.journal import services as journal
from haitang.journal.models import Entry
from haitang.monitoring import store
from haitang.monitoring.models import IngestCount, Series
from haitang.replay import driver, library, services
from haitang.replay.doors import InsideDoor
from haitang.replay.models import Run, RunState
from haitang.spaces.clock import now

pytestmark = pytest.mark.django_db


class Watch:
    """A watch that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def begin(speed: float = 600, **options) -> Run:
    run = services.start("tiny", by=SYSTEM, pack="sanzhou", speed=speed, **options)
    Run.objects.filter(pk=run.pk).update(door="inside")
    return Run.objects.select_related("space").get(pk=run.pk)


def fresh(run: Run) -> Run:
    return Run.objects.select_related("space").get(pk=run.pk)


def kill(run: Run) -> None:
    """What a killed process leaves: its name, growing old."""
    Run.objects.filter(pk=run.pk).update(seen_wall=timezone.now() - timedelta(minutes=5))


def test_a_run_whose_driver_is_killed_again_and_again_ends_as_if_nothing_had_happened(sanzhou: str) -> None:
    run, watch, rounds = begin(), Watch(), 0
    chauffeur = driver.Chauffeur(name="first", watch=watch)
    while fresh(run).state == RunState.RUNNING and rounds < 60:
        chauffeur.attend(fresh(run))
        watch.seconds += 2.0
        rounds += 1
        if rounds % 3 == 0:
            kill(run)
            chauffeur = driver.Chauffeur(name=f"number {rounds}", watch=watch)
    run = fresh(run)
    assert run.state == RunState.ENDED and not run.space.is_open

    simulation = library.simulation("tiny", pack="sanzhou")
    expected = Counter(simulation.between(0, run.end.timestamp()).series)
    codes = dict(Series.objects.values_list("pk", "code"))
    stored = Counter(codes[pk] for pk in store.read_many(run.space_id, codes)[0].tolist())
    assert stored == expected and run.sent >= sum(expected.values())

    entries = list(Entry.objects.filter(space=run.space).order_by("seq"))
    assert journal.verify(run.space) == []
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries), "time never goes back"
    for verb in (
        "alerting.publish",
        "incidents.start",
        "incidents.end",
        "incidents.evaluate",
        "obligations.done",
        "delivery.send",
    ):
        once = Counter((entry.subject_type, entry.subject_id) for entry in entries if entry.verb == verb)
        assert once and max(once.values()) == 1, verb


def test_readings_that_went_in_before_the_position_was_kept_do_not_come_twice(sanzhou: str) -> None:
    """Killed between the door's receipt and the note of it."""
    run, watch = begin(), Watch()
    simulation = library.simulation("tiny", pack="sanzhou")
    driver.Chauffeur(name="first", watch=watch).attend(fresh(run))
    after = fresh(run).position
    InsideDoor(run).send(simulation.between(0, after.timestamp() + 1))
    kill(run)
    watch.seconds += 2.0
    driver.Chauffeur(name="second", watch=watch).attend(fresh(run))
    series, time, _value = store.read_many(run.space_id, Series.objects.values_list("pk", flat=True))
    assert store.count_all(run.space_id) == len(series) == len(set(zip(series.tolist(), time.tolist(), strict=True)))
    assert IngestCount.objects.filter(space=run.space, outcome="duplicate", count__gt=0).exists()


def test_one_process_drives_at_a_time(sanzhou: str) -> None:
    run, watch = begin(), Watch()
    first, second = driver.Chauffeur(name="first", watch=watch), driver.Chauffeur(name="second", watch=watch)
    assert first.attend(fresh(run)) and not second.attend(fresh(run))
    kill(run)
    assert second.attend(fresh(run)) and not first.attend(fresh(run))


def test_a_driver_whose_process_is_gone_is_replaced_at_once(sanzhou: str) -> None:
    """kill -9 on the same machine is seen without waiting for the lease."""
    gone = driver.name_of_process().split(":")
    run = begin()
    Run.objects.filter(pk=run.pk).update(driver=f"{gone[0]}:4194304:{gone[2]}", seen_wall=timezone.now())
    assert driver.Chauffeur(name="second", watch=Watch()).attend(fresh(run))
    assert not driver.is_dead(driver.name_of_process())
    assert not driver.is_dead("elsewhere:1:x")


def test_time_stands_still_while_nobody_drives(sanzhou: str) -> None:
    run, watch = begin(speed=600), Watch()
    driver.Chauffeur(name="first", watch=watch).attend(fresh(run))
    left = now(run.space)
    assert left == fresh(run).position
    kill(run)
    # Ten minutes of life later another goes on from there.
    watch.seconds += 600
    driver.Chauffeur(name="second", watch=watch).attend(fresh(run))
    assert left <= now(run.space) <= left + timedelta(minutes=1)


def test_a_slow_machine_makes_time_slow_and_skips_nothing(sanzhou: str) -> None:
    """Every look at the watch takes a second: each round plays one moment, and the next goes on from there."""
    run = begin(speed=3600)

    class Slow(Watch):
        def __call__(self) -> float:
            self.seconds += 0.6
            return self.seconds

    chauffeur = driver.Chauffeur(name="slow", watch=Slow())
    moments = []
    for _round in range(6):
        chauffeur.attend(fresh(run))
        moments.append(now(run.space))
    assert moments == sorted(set(moments))
    simulation = library.simulation("tiny", pack="sanzhou")
    assert store.count_all(run.space_id) == len(simulation.between(0, moments[-1].timestamp()))


def test_pause_speed_and_stop_are_obeyed(sanzhou: str) -> None:
    run, watch = begin(speed=60), Watch()
    chauffeur = driver.Chauffeur(name="first", watch=watch)
    chauffeur.attend(fresh(run))
    services.pause(fresh(run), by=SYSTEM)
    stood = fresh(run).position
    watch.seconds += 2
    assert not chauffeur.attend(fresh(run)) and fresh(run).position == stood
    assert fresh(run).space.clock_speed == 0
    services.set_speed(fresh(run), speed=1200, by=SYSTEM)
    assert fresh(run).space.clock_speed == 0, "a paused one stays paused"
    services.resume(fresh(run), by=SYSTEM)
    assert fresh(run).space.clock_speed == 1200
    chauffeur.attend(fresh(run))
    watch.seconds += 2
    chauffeur.attend(fresh(run))
    assert fresh(run).position >= stood + timedelta(minutes=30)
    services.stop(fresh(run), by=SYSTEM)
    assert not chauffeur.attend(fresh(run)) and not fresh(run).space.is_open
    for verb in (services.pause, services.resume):
        with pytest.raises(Refused, match=r"nothing more|无"):
            verb(fresh(run), by=SYSTEM)
    with pytest.raises(Refused):
        services.set_speed(fresh(run), speed=60, by=SYSTEM)


def test_what_cannot_be_mended_stops_the_clock_and_says_why(sanzhou: str, monkeypatch) -> None:
    run, watch = begin(), Watch()
    chauffeur = driver.Chauffeur(name="first", watch=watch)
    monkeypatch.setattr(driver.Player, "play", lambda self, moment: 1 / 0)
    for _round in range(driver.PATIENCE + 1):
        chauffeur.attend(fresh(run))
        watch.seconds += 1
    run = fresh(run)
    assert run.state == RunState.FAILED and "ZeroDivisionError" in run.trouble and run.space.clock_speed == 0
    monkeypatch.undo()
    services.resume(run, by=SYSTEM)
    assert chauffeur.attend(fresh(run)) and fresh(run).trouble == ""


@pytest.mark.parametrize("speed", [0.0, -1.0, 1e9])
def test_an_impossible_speed_is_refused(sanzhou: str, speed: float) -> None:
    with pytest.raises(Refused):
        begin(speed=speed)


def test_too_many_exercises_at_once_are_refused(sanzhou: str) -> None:
    for _number in range(services.MOST_RUNNING):
        begin()
    with pytest.raises(Refused):
        begin()


def test_a_scenario_that_is_not_there_is_refused_with_what_there_is(sanzhou: str) -> None:
    with pytest.raises(Refused, match="tiny"):
        services.start("katrina", by=SYSTEM, pack="sanzhou")


def test_a_door_that_is_not_there_is_refused_with_what_there_is(sanzhou: str) -> None:
    with pytest.raises(Refused, match="mqtt"):
        services.start("tiny", by=SYSTEM, pack="sanzhou", door="window")
