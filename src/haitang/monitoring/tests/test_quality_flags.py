"""3.4.1, P4: each reading is flagged once, in the step that stores it; raw values stay; corrections stand beside them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.test import Client

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.monitoring import corrections, edition, engine, quality, services, store
from haitang.monitoring.models import Alarm, QualityFlag, QualityLimits, ReadingFlag
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db

CALM = [(minute, 2.0 + minute * 0.001) for minute in range(0, 60, 5)]


def keeper():
    """An administrator of the district, and a station there."""
    where = make.place()
    return make.user(Role.ADMIN, make.organisation(where)), make.station(where)


def flags(series):
    """(minute, flag, names of tests) of what is not good."""
    rows = ReadingFlag.objects.filter(series_id=series.pk).order_by("time_ms")
    return [
        ((row.time_ms // 1000 - make.T0_S) / 60, row.flag, {t.name for t in quality.tests_in(row.suspect | row.fail)})
        for row in rows
    ]


def test_good_readings_have_no_row_and_a_spike_is_found_by_the_next_reading():
    space, series = make.exercise(), make.series(quantity="water_level")
    make.send(space, series, *CALM, (60, 3.6))
    # As in ioos_qc, the reading beside a spike lies far from the mean of its two neighbours too.
    assert flags(series) == [(55, QualityFlag.SUSPECT, {"SPIKE"}), (60, QualityFlag.FAIL, {"RATE"})]
    make.send(space, series, (65, 2.06), (70, 2.07))
    assert flags(series)[1] == (60, QualityFlag.FAIL, {"RATE", "SPIKE"})


def test_flags_are_made_once_however_the_readings_come_and_whoever_takes_them():
    """One process, a process that starts anew between, and one that follows another: the same flags."""
    readings = [*CALM, (60, 3.6), (65, 2.06), (70, 2.07), (85, 2.08), (200, 2.1), (205, 2.1)]
    found = []
    for how in ("at once", "one by one", "restarted"):
        space, series = make.exercise(), make.series(quantity="water_level", code=f"S-{how[:3].strip()}")
        parts = [readings] if how == "at once" else [[row] for row in readings]
        for part in parts:
            make.send(space, series, *part)
            if how == "restarted":
                engine.forget()
        found.append(flags(series))
    assert found[0] == found[1] == found[2] and found[0]


def test_a_repeated_reading_is_flagged_once_and_keeps_its_first_flag():
    space, series = make.exercise(), make.series(quantity="rain")
    make.send(space, series, (0, 1.0), (5, 30.0))
    make.send(space, series, (5, 99.0), (0, 99.0))
    assert [(minute, flag) for minute, flag, _ in flags(series)] == [(5, QualityFlag.SUSPECT)]


def test_a_failed_reading_alarms_unless_its_series_says_otherwise():
    space, series = make.exercise(), make.series(quantity="water_level")
    make.rule(series, blue=3.0, yellow=None, orange=None, red=None)
    make.send(space, series, *CALM, (60, 3.6))
    assert Alarm.objects.filter(series=series).count() == 1
    by, at = keeper()
    other = make.series(at, quantity="water_level")
    make.rule(other, blue=3.0, yellow=None, orange=None, red=None)
    services.set_quality(by=by, series=other, mutes=True)
    make.send(space, other, *CALM, (60, 3.6))
    assert not Alarm.objects.filter(series=other).exists()
    assert ReadingFlag.objects.get(series_id=other.pk, flag=QualityFlag.FAIL).muted
    # A process that starts anew does not see it either: the snapshot lies before it.
    engine.forget()
    make.send(space, other, (65, 2.06))
    assert not Alarm.objects.filter(series=other).exists()


def test_the_districts_limits_and_a_series_own_take_the_place_of_those_built_in():
    by, at = keeper()
    series = make.series(at, quantity="water_level")
    services.set_quality(by=by, quantity="water_level", suspect_high=2.5, source="水文站")
    services.set_quality(by=by, series=series, suspect_high=9.0, off="rate|spike")
    other = make.series(quantity="water_level")
    space = make.exercise()
    for each in (series, other):
        make.send(space, each, (0, 2.0), (5, 2.6), (10, 2.61))
    assert flags(series) == []
    assert [tests for _, _, tests in flags(other)] == [{"RANGE", "RATE"}, {"RANGE"}]
    assert Entry.objects.filter(verb="monitoring.set_quality").count() == 2


def test_limits_that_contradict_those_they_stand_on_are_refused():
    with pytest.raises(Exception, match="spike_suspect"):
        services.set_quality(by=make.user(Role.ADMIN), quantity="water_level", spike_suspect=5.0)
    assert not QualityLimits.objects.exists()


def test_neighbours_are_the_near_stations_of_the_same_quantity():
    for n in range(3):
        at = make.station(geometry=make.Point(121.4 + n / 100, 31.6))
        make.series(at, quantity="air_temperature")
    found = flagging_network()
    assert {tuple(sorted(near)) for near in found.neighbours.values()} == {(0, 1), (0, 2), (1, 2)}


def flagging_network():
    from haitang.monitoring import flagging

    return flagging.network(edition.number())


def test_raw_readings_stay_and_corrected_ones_stand_beside_them_with_who_and_why():
    by, where = keeper()
    space, series = make.exercise(), make.series(where)
    make.send(space, series, (0, 1.0), (5, 2.0), (10, 3.0), (15, 4.0))

    def at(minute):
        return make.T0 + timedelta(minutes=minute)

    services.correct_readings(
        series, space=space, start=at(5), end=at(10), kind="offset", value=0.5, reason="零点偏移", by=by
    )
    services.correct_readings(series, space=space, start=at(15), end=at(15), kind="remove", reason="传感器检修", by=by)
    start, end = make.T0_S * 1000, make.T0_S * 1000 + 3_600_000
    assert corrections.read(space, series.pk, start, end)[1].tolist() == [1.0, 2.5, 3.5]
    assert store.read(space.pk, series.pk, start, end)[1].tolist() == [1.0, 2.0, 3.0, 4.0]
    first = corrections.of(space, series.pk, start, end)[0]
    assert (first.made_by, first.reason) == (by, "零点偏移")
    services.withdraw_correction(first, by=by)
    assert corrections.read(space, series.pk, start, end)[1].tolist() == [1.0, 2.0, 3.0]
    assert Entry.objects.filter(verb__in=("monitoring.correct", "monitoring.withdraw_correction")).count() == 3


def test_the_machine_interface_gives_readings_raw_or_corrected():
    space, series = make.exercise(), make.series(make.station(is_public=True))
    make.send(space, series, (0, 1.0), (5, 2.0))
    given = {"start": make.T0, "end": make.T0, "kind": "replace", "value": 1.5, "reason": "x"}
    services.correct_readings(series, space=space, by=SYSTEM, **given)
    _, header = make.token(space, rights=("read",))
    address = f"/api/v1/monitoring/series/{series.code}/readings"
    assert Client().get(address, headers=header).json()["value"] == [1.0, 2.0]
    assert Client().get(address, {"corrected": "true"}, headers=header).json()["value"] == [1.5, 2.0]


def test_a_correction_needs_a_reason_a_number_and_the_right():
    by, where = keeper()
    space, series = make.exercise(), make.series(where)
    given = {"space": space, "start": make.T0, "end": make.T0, "by": by}
    with pytest.raises(Refused):
        services.correct_readings(series, kind="offset", value=1.0, reason=" ", **given)
    with pytest.raises(Refused):
        services.correct_readings(series, kind="replace", reason="x", **given)
    with pytest.raises(Refused):
        services.correct_readings(series, kind="remove", reason="x", **{**given, "end": make.T0 - timedelta(hours=1)})
    with pytest.raises(Forbidden):
        services.correct_readings(series, kind="remove", reason="x", **{**given, "by": make.user(Role.GRID)})


def test_corrections_are_applied_one_after_the_other():
    time = np.array([0, 1, 2], np.int64)
    made = [correction("offset", 1.0), correction("replace", 5.0), correction("offset", 0.5)]
    assert corrections.applied(made, time, np.zeros(3))[1].tolist() == [5.5, 5.5, 5.5]


def correction(kind, value):
    from datetime import UTC, datetime

    from haitang.monitoring.models import Correction

    return Correction(
        start=datetime(1970, 1, 1, tzinfo=UTC), end=datetime(1970, 1, 2, tzinfo=UTC), kind=kind, value=value
    )
