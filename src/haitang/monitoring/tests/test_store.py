"""P4: the store of readings: once by (series, time), back as they were, and found by the index."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import sealing, store
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db


def columns(rows):
    table = np.array(rows, np.float64).reshape(len(rows), 3)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]


@settings(max_examples=25)
@given(st.lists(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(-3, 3)), max_size=12), max_size=4))
def test_of_each_series_and_time_the_first_value_stays(batches):
    space = make.exercise()
    kept: dict[tuple[int, int], float] = {}
    for rows in batches:
        expected = []
        for series, time, value in rows:
            expected.append((series, time) not in kept)
            kept.setdefault((series, time), value)
        assert store.append(space.pk, *columns(rows)).tolist() == expected
    for series in range(1, 5):
        time, value = store.read(space.pk, series)
        assert list(zip(time.tolist(), value.tolist(), strict=True)) == sorted(
            (t, v) for (s, t), v in kept.items() if s == series
        )
    newest = {s: max((t, v) for (each, t), v in kept.items() if each == s) for s in {s for s, _ in kept}}
    assert store.latest(space.pk, range(1, 6)) == newest


def test_a_stretch_and_the_newest_of_it():
    space = make.exercise()
    store.append(space.pk, *columns([(1, n, n * 0.5) for n in range(10)]))
    assert store.read(space.pk, 1, 3, 6)[0].tolist() == [3, 4, 5]
    assert store.read(space.pk, 1, 3, 9, newest=2)[0].tolist() == [7, 8]
    assert store.latest(space.pk, [1], upto_ms=4) == {1: (4, 2.0)}
    assert store.latest(space.pk, [1], upto_ms=-1) == store.latest(space.pk, []) == {}


def test_a_negative_zero_is_kept_as_zero():
    """Rounding leaves them, and a chunk with one could not keep its series as decimals."""
    space = make.exercise()
    store.append(space.pk, *columns([(1, 1, -0.0), (1, 2, -0.5)]))
    assert np.signbit(store.read(space.pk, 1)[1]).tolist() == [False, True]


def test_readings_of_a_removed_exercise_go_and_others_stay():
    space, other = make.exercise(), make.exercise()
    for each in (space, other):
        store.append(each.pk, *columns([(1, 1, 1.0)]))
    assert store.delete_space(space.pk) == 1
    assert store.latest(other.pk, [1]) == {1: (1, 1.0)}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a plan that SQLite once chose")
def test_looking_up_late_readings_goes_by_the_index_and_not_through_the_table():
    """Measured: with the other plan a batch of 1000 late readings held the write lock for minutes."""
    space = make.exercise()
    store.append(space.pk, *columns([(n % 500, n * 60_000, 1.0) for n in range(6000)]))
    sealing.seal(space.pk, at_once=True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as captured:
        store.append(space.pk, *columns([(n % 50, n * 60_000, 1.0) for n in range(1000)]))
        store.latest(space.pk, range(50), upto_ms=500 * 60_000)
    asked = [query["sql"] for query in captured if query["sql"].startswith("SELECT c.")]
    assert len(asked) == 2
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%", "%%"))
            plan = [row[3] for row in cursor.fetchall()]
        assert any("SEARCH c USING" in step and "block=?" in step for step in plan), plan
