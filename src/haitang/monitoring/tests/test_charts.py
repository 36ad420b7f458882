"""P4: a course with its thresholds; rain as bars; what a rule compares over its window."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.monitoring import charts, sealing, store
from haitang.monitoring.rules import Aggregate
from haitang.monitoring.tests import factories as make

HOUR = 3_600_000


def test_an_hours_sum_stands_at_its_end_and_takes_the_reading_on_the_hour():
    time = np.array([HOUR + 1, HOUR * 2, HOUR * 2 + 1, HOUR * 4], np.int64)
    ends, total = charts.sums(time, np.array([1.0, 2.0, 4.0, 8.0]), 3600)
    assert (ends.tolist(), total.tolist()) == ([2 * HOUR, 3 * HOUR, 4 * HOUR], [3.0, 4.0, 8.0])


def test_a_days_sum_is_that_of_the_local_day():
    ends, _ = charts.sums(np.array([20 * HOUR], np.int64), np.array([1.0]), 86_400, shift_ms=8 * HOUR)
    assert ends.tolist() == [40 * HOUR]


FIGURES = {
    Aggregate.SUM: np.sum, Aggregate.MEAN: np.mean, Aggregate.MAX: np.max, Aggregate.MIN: np.min, Aggregate.COUNT: len
}  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0, 50)), min_size=1, max_size=40), st.sampled_from([*FIGURES]))
def test_a_running_figure_is_what_the_window_holds(steps, aggregate):
    time = np.cumsum([step for step, _ in steps]).astype(np.int64) * 1000
    values = np.array([value for _, value in steps])
    found = charts.running(aggregate, time, values, 600)
    for at, figure in enumerate(found.tolist()):
        inside = values[(time > time[at] - 600_000) & (time <= time[at])]
        assert figure == pytest.approx(FIGURES[aggregate](inside), abs=5e-5), "readings count in whole millionths"


@pytest.mark.parametrize(("hours", "bar"), [(6, 600), (24, 3600), (72, 3600), (168, 21_600), (720, 86_400)])
def test_bars_are_few_enough_to_be_seen(hours, bar):
    assert charts.bar_s(make.T0, make.T0 + timedelta(hours=hours)) == bar


@pytest.mark.django_db
def test_rain_shows_what_the_rule_adds_up_and_the_bars_beside_it():
    space, series = make.exercise(), make.series(quantity="rain")
    rule = make.rule(series, aggregate="sum", window_s=3600, blue=35, yellow=50, orange=80, red=100)
    make.send(space, series, (0, 20), (30, 10), (50, 6), (70, 1))
    chart = charts.of_rule(space, rule, make.T0 + timedelta(minutes=20), make.T0 + timedelta(hours=2))
    assert [name["name"] for name in chart["series"]] == ["1小时累计降雨量", "10分钟累计降雨量"]
    assert [value for _, value in chart["series"][0]["data"]] == [30, 36, 17]
    assert chart["series"][1]["bars"] and chart["thresholds"][0]["label"] == "蓝色 35"
    plain = charts.of_series(space, series, make.T0, make.T0 + timedelta(hours=24))
    assert [value for _, value in plain["series"][0]["data"]] == [20, 16, 1]
    assert len(plain["thresholds"]) == 4


@pytest.mark.django_db
def test_several_years_are_drawn_from_the_figures_of_the_chunks(monkeypatch):
    space, series = make.exercise(), make.series(quantity="wind_gust")
    start = make.T0_S * 1000
    time = start + np.arange(0, 800 * 24) * 3_600_000
    value = np.sin(np.arange(len(time)) / 50).round(2)
    value[5000], value[9000] = 40.0, -3.0
    for at in range(0, len(time), 5000):
        part = slice(at, at + 5000)
        store.append(space.pk, np.full(len(time[part]), series.pk), time[part], value[part])
    sealing.seal(space.pk, at_once=True)
    sealing.put_together(space.pk)
    drawn = charts.of_series(space, series, make.T0, make.T0 + timedelta(days=800))["series"][0]["data"]
    assert 700 < len(drawn) <= charts.POINTS
    assert [time[5000], 40.0] in drawn and [time[9000], -3.0] in drawn
    assert drawn == sorted(drawn)
