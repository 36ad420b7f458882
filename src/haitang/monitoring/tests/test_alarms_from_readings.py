"""P4, 3.4.2: readings through the door become alarms with colour, peak, place and times, and end when the water falls."""

from __future__ import annotations

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.journal.models import Entry
from haitang.monitoring import alarms, edition, engine, services, store
from haitang.monitoring.models import Alarm, AlarmKind, AlarmState, IngestCount, Intake, Rule
from haitang.monitoring.services import alarms as alarm_services
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def space():
    engine.forget()
    return make.exercise()


def outcomes(space):
    return dict(IngestCount.objects.filter(space=space).values_list("outcome", "count"))


def test_a_reading_over_the_threshold_opens_one_alarm_with_place_and_times(space):
    district = make.place()
    rule = make.rule(make.series(make.station(make.place(parent=district))))
    make.send(space, rule.series, (0, 3.0), (5, 5.5))
    alarm = Alarm.objects.get()
    assert (alarm.colour, alarm.state, alarm.kind) == ("yellow", AlarmState.ACTIVE, AlarmKind.THRESHOLD)
    assert alarm.place == rule.series.station.place
    assert alarm.opened_at == alarms.at((make.T0_S + 300) * 1000)
    assert (alarm.first_value, alarm.threshold) == (5.5, 5.0)
    assert 0 <= alarms.latency_s(alarm) < 60
    entry = Entry.objects.get(verb="monitoring.raise")
    assert (entry.colour, entry.place_path, entry.space) == ("yellow", alarm.place.path, space)
    assert entry.text_zh.endswith("潮位 5.5 m，达到黄色阈值 5 m")
    assert entry.text_en.endswith("tide level 5.5 m, at or above the yellow threshold 5 m")


def test_colours_follow_the_water_and_the_peak_stays(space):
    rule = make.rule(hysteresis=0.2)
    for minute, value in enumerate([4.1, 6.3, 7.9, 6.9, 5.0, 3.9, 3.7]):
        make.send(space, rule.series, (minute, value))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.colour, alarm.peak_colour, alarm.peak_value) == ("cleared", "blue", "red", 7.9)
    assert alarm.peak_at == alarms.at((make.T0_S + 120) * 1000)
    assert alarm.cleared_at == alarms.at((make.T0_S + 360) * 1000)
    verbs = list(Entry.objects.order_by("seq").values_list("verb", flat=True))
    assert verbs == [f"monitoring.{v}" for v in ["raise", "rise", "rise", "lower", "lower", "clear"]]


def test_the_whole_episode_in_one_batch_is_told_the_same(space):
    rule = make.rule(hysteresis=0.2)
    make.send(space, rule.series, *enumerate([4.1, 6.3, 7.9, 6.9, 5.0, 3.9, 3.7]))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.peak_colour, alarm.peak_value) == ("cleared", "red", 7.9)
    assert Entry.objects.count() == 6


def test_a_peak_between_two_colours_is_kept(space):
    rule = make.rule()
    make.send(space, rule.series, (0, 4.1))
    make.send(space, rule.series, (1, 4.8))
    make.send(space, rule.series, (2, 4.3))
    assert Alarm.objects.get().peak_value == 4.8


def test_readings_delivered_twice_are_stored_and_judged_once_and_counted(space):
    rule = make.rule()
    make.send(space, rule.series, (0, 4.1), (1, 4.2))
    make.send(space, rule.series, (0, 4.1), (1, 9.9), (2, 4.0))
    values = store.read(space.pk, rule.series_id)[1]
    assert values.tolist() == [4.1, 4.2, 4.0]
    assert Alarm.objects.count() == 1
    assert outcomes(space) == {"accepted": 3, "duplicate": 2}


def test_a_late_reading_is_stored_counted_and_opens_nothing_in_the_past(space):
    rule = make.rule()
    make.send(space, rule.series, (10, 1.0))
    make.send(space, rule.series, (5, 9.0))
    assert not Alarm.objects.exists()
    assert store.read(space.pk, rule.series_id)[1].tolist() == [9.0, 1.0]
    assert outcomes(space) == {"accepted": 2, "late": 1}


def test_late_rain_still_counts_in_the_hour_that_reaches_it(space):
    series = make.series(quantity="rain")
    make.rule(series, aggregate="sum", window_s=3600, blue=35, yellow=50, orange=80, red=100)
    make.send(space, series, (10, 20), (50, 10))
    make.send(space, series, (20, 6))
    alarm = Alarm.objects.get()
    assert (alarm.first_value, alarm.what_zh, alarm.what_en) == (36.0, "1小时累计降雨量", "1 h sum of rainfall")


def test_silence_opens_an_alarm_by_the_clock_of_the_space_and_a_reading_ends_it(space):
    rule = make.rule(silence_s=900, silence_colour="yellow")
    make.send(space, rule.series, (0, 1.0))
    make.step(space, 14)
    assert engine.let_time_pass(space) == 0
    make.step(space, 40)
    assert engine.let_time_pass(space) == 1
    assert engine.let_time_pass(space) == 0
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.colour, alarm.opened_at) == (
        AlarmKind.SILENCE,
        "yellow",
        alarms.at((make.T0_S + 900) * 1000),
    )
    make.send(space, rule.series, (41, 1.0))
    alarm.refresh_from_db()
    assert alarm.state == AlarmState.CLEARED


def test_another_process_that_comes_later_carries_on_from_the_log(space):
    """Two processes take turns; each replays what the other judged and comes to the same state."""
    rule = make.rule(hold_s=300)
    shelves = [engine._Shelf(), engine._Shelf()]
    for minute, value in enumerate([4.1, 4.2, 4.1, 4.3, 4.2, 4.4, 3.0]):
        engine._shelf = shelves[minute % 2]
        make.send(space, rule.series, (minute, value))
    alarm = Alarm.objects.get()
    assert alarm.opened_at == alarms.at((make.T0_S + 300) * 1000)
    assert alarm.state == AlarmState.CLEARED


def test_a_process_that_starts_anew_carries_on_from_the_snapshot(space):
    rule = make.rule(hold_s=300)
    rain = make.series(quantity="rain")
    make.rule(rain, aggregate="sum", window_s=3600, blue=35, yellow=50, orange=80, red=100)
    make.send(space, rule.series, (0, 4.1))
    make.send(space, rain, (0, 20))
    engine.checkpoint(space)
    make.send(space, rule.series, (3, 4.1))
    engine.checkpoint(space)
    assert Intake.objects.count() == 1  # the log before the first snapshot is gone
    engine.forget()
    make.send(space, rule.series, (5, 4.1))
    make.send(space, rain, (30, 20))
    assert Alarm.objects.count() == 2


def test_a_silence_raised_by_one_process_is_known_to_the_other(space):
    rule = make.rule(silence_s=900)
    shelves = [engine._Shelf(), engine._Shelf()]
    engine._shelf = shelves[0]
    make.send(space, rule.series, (0, 1.0))
    engine._shelf = shelves[1]
    make.send(space, rule.series, (1, 1.0))
    make.step(space, 40)
    assert engine.let_time_pass(space) == 1
    engine._shelf = shelves[0]
    make.send(space, rule.series, (41, 1.0))
    assert Alarm.objects.get().state == AlarmState.CLEARED


def test_what_failed_half_way_is_done_whole_the_next_time(space, monkeypatch):
    rule = make.rule()
    monkeypatch.setattr(alarm_services, "open_alarm", lambda *a, **k: 1 / 0)
    make.send(space, rule.series, (0, 4.5))
    assert Intake.objects.count() == 1
    assert store.read(space.pk, rule.series_id)[1].tolist() == []
    assert engine.backlog(space)[0] == 1
    monkeypatch.undo()
    make.send(space, rule.series, (1, 4.6))
    assert Alarm.objects.get().opened_at == alarms.at(make.T0_S * 1000)
    assert store.read(space.pk, rule.series_id)[1].tolist() == [4.5, 4.6]


def test_a_changed_rule_clears_its_alarm_and_judges_anew(space):
    rule = make.rule()
    make.send(space, rule.series, (0, 4.5))
    services.register_rule(code=rule.code, series=rule.series, blue=4.2, by=SYSTEM)
    make.send(space, rule.series, (1, 4.1))
    assert Alarm.objects.get().state == AlarmState.CLEARED
    make.send(space, rule.series, (2, 4.3))
    assert Alarm.objects.filter(state=AlarmState.ACTIVE).count() == 1


def test_a_change_elsewhere_leaves_an_alarm_standing(space):
    rule = make.rule()
    make.send(space, rule.series, (0, 4.5))
    other = make.rule()
    make.send(space, other.series, (0, 1.0))
    make.send(space, rule.series, (1, 4.6))
    assert Alarm.objects.get().state == AlarmState.ACTIVE
    assert Alarm.objects.get().peak_value == 4.6


def test_a_window_rule_set_later_knows_the_rain_that_fell_before(space):
    series = make.series(quantity="rain")
    make.send(space, series, (0, 20), (30, 10))
    make.rule(series, aggregate="sum", window_s=3600, blue=35, yellow=50, orange=80, red=100)
    make.send(space, series, (50, 6))
    assert Alarm.objects.get().first_value == 36.0


def test_a_deleted_rule_clears_its_alarm(space):
    rule = make.rule()
    series = rule.series
    make.send(space, series, (0, 4.5))
    Rule.objects.all().delete()
    make.send(space, series, (1, 4.6))
    assert Alarm.objects.get().state == AlarmState.CLEARED


def test_spaces_do_not_hear_each_other(space):
    rule = make.rule()
    other = make.exercise()
    make.send(space, rule.series, (0, 4.5))
    make.send(other, rule.series, (0, 1.0))
    assert Alarm.objects.get().space == space
    assert store.latest(other.pk, [rule.series_id])[rule.series_id][1] == 1.0


def test_bulk_writers_tell_the_edition(space):
    rule = make.rule()
    make.send(space, rule.series, (0, 1.0))
    Rule.objects.filter(pk=rule.pk).update(blue=0.5)
    edition.bump()
    make.send(space, rule.series, (1, 1.0))
    assert Alarm.objects.get().colour == "blue"
