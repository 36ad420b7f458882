"""P4, issue 3 (store): sealed or not, put together or not, the readings are the same; a kill or a rival changes nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import engine, sealing, store, tail
from haitang.monitoring.models import Chunk, Sealing, Tail
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

DAY = store.DAY_MS


def columns(rows):
    table = np.array(rows, np.float64).reshape(len(rows), 3)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]


def told(space, series=(1, 2, 40), upto=(DAY // 2, 40 * DAY, 70 * DAY)):
    """Everything that can be asked, by another process."""
    tail._shared.clear()
    tail._mine.views = {}
    readings = {s: [c.tolist() for c in store.read(space.pk, s)] for s in series}
    newest = {s: [c.tolist() for c in store.read(space.pk, s, 5, newest=3)] for s in series}
    many = [c.tolist() for c in store.read_many(space.pk, series, DAY // 2, 50 * DAY)]
    latest = [store.latest(space.pk, series, moment) for moment in (*upto, store.FOREVER_MS)]
    summary = {s: store.summary(space.pk, s, 0, 96 * DAY, 7) for s in series}
    return readings, newest, many, latest, summary, [store.count(space.pk, s, 10, 33 * DAY) for s in series]


ROW = st.tuples(
    st.sampled_from([1, 2, 40]), st.sampled_from([0, 1, 2, 33, 95]), st.integers(0, 4), st.integers(-8, 8)
).map(lambda row: (row[0], row[1] * DAY + row[2] * 1000, row[3] / 4))


@pytest.mark.django_db
@settings(max_examples=25)
@given(st.data())
def test_sealing_and_putting_together_are_not_seen(data):
    """Any order of storing (with repeats and late readings), sealing and putting together tells the same as none."""
    plain, sealed = make.exercise(), make.exercise()
    for rows in data.draw(st.lists(st.lists(ROW, max_size=12), min_size=1, max_size=6)):
        expected = store.append(plain.pk, *columns(rows)).tolist()
        assert store.append(sealed.pk, *columns(rows)).tolist() == expected
        act = data.draw(st.sampled_from(["nothing", "seal", "seal and put together"]))
        if act != "nothing":
            sealing.seal(sealed.pk, at_once=True)
        if act == "seal and put together":
            sealing.put_together(sealed.pk)
    assert told(sealed) == told(plain)
    assert store.count_all(sealed.pk) == store.count_all(plain.pk)


@pytest.mark.django_db
def test_a_summary_is_that_of_the_readings():
    space = make.exercise()
    rng = np.random.default_rng(5)
    time = np.arange(0, 6 * DAY, 3_600_000)
    value = np.round(rng.normal(size=len(time)), 2)
    for at in range(0, len(time), 40):
        store.append(space.pk, np.full(len(time[at : at + 40]), 7), time[at : at + 40], value[at : at + 40])
        sealing.seal(space.pk, at_once=True)
    for stretches in (1, 5, 6, 300):
        edges = np.linspace(0, 6 * DAY, stretches + 1).astype(np.int64)
        for each in store.summary(space.pk, 7, 0, 6 * DAY, stretches):
            mask = (time >= each.start_ms) & (time < edges[np.searchsorted(edges, each.start_ms, side="right")])
            assert (each.count, each.low, each.high) == (mask.sum(), value[mask].min(), value[mask].max())
            assert (each.first, each.last) == (value[mask][0], value[mask][-1])
            assert each.total == pytest.approx(value[mask].sum())
            assert value[time == each.low_ms] == each.low and value[time == each.high_ms] == each.high


@pytest.mark.django_db
def test_days_are_put_together_and_sparse_days_by_thirty_two():
    space = make.exercise()
    for day in range(70):
        store.append(space.pk, *columns([(n, day * DAY + n, 1.0) for n in range(1, 20)]))
        sealing.seal(space.pk, at_once=True)
        sealing.put_together(space.pk)
    levels = list(Chunk.objects.filter(space=space, block=0).order_by("first_ms").values_list("level", "period"))
    assert levels[:2] == [(Chunk.Level.MONTH, 0), (Chunk.Level.MONTH, 1)]
    assert len(levels) == 2 + 70 - 64
    store.append(space.pk, *columns([(1, 3 * DAY + 5, 2.0), (1, 69 * DAY + 5, 3.0)]))  # one of them very late
    sealing.seal(space.pk, at_once=True)
    sealing.put_together(space.pk)
    assert Chunk.objects.filter(space=space, block=0, level=Chunk.Level.MONTH).count() == 2
    assert store.read(space.pk, 1, 3 * DAY, 4 * DAY)[1].tolist() == [1.0, 2.0]


@pytest.mark.django_db
def test_a_day_of_many_readings_is_cut_by_time(monkeypatch):
    monkeypatch.setattr(sealing, "LONGEST", 100)
    monkeypatch.setattr(sealing, "FULL", 200)
    space = make.exercise()
    store.append(space.pk, *columns([(s, n * 1000, n / 10) for s in (1, 2) for n in range(500)]))
    store.append(space.pk, *columns([(1, DAY, 0.0)]))
    sealing.seal(space.pk, at_once=True)
    sealing.put_together(space.pk)
    cut = Chunk.objects.filter(space=space, level=Chunk.Level.FULL_DAY).order_by("first_ms")
    assert len(cut) == 10 and sum(each.rows for each in cut) == 1000 and max(each.rows for each in cut) < 110
    assert all(a.last_ms < b.first_ms for a, b in pairwise(cut))
    assert store.read(space.pk, 2)[1].tolist() == [n / 10 for n in range(500)]


@pytest.mark.django_db
def test_a_tail_is_sealed_when_it_is_old_or_long(monkeypatch):
    space = make.exercise()
    store.append(space.pk, *columns([(1, 1, 1.0), (2, 1, 2.0)]))
    assert sealing.seal(space.pk) == 0
    Tail.objects.update(written_at=timezone.now() - timedelta(hours=1))
    assert sealing.attend() == 2
    assert (Tail.objects.count(), Chunk.objects.filter(space=space).count()) == (0, 1)
    monkeypatch.setattr(sealing, "ROWS", 2)
    store.append(space.pk, *columns([(1, 2, 1.0), (40, 2, 2.0)]))
    assert sealing.attend() == 2
    assert store.latest(space.pk, [1, 2, 40]) == {1: (2, 1.0), 2: (1, 2.0), 40: (2, 2.0)}


class Killed(BaseException):
    pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["_delete", "_insert", "_newest_with", "_replace"])
def test_killed_at_any_place_nothing_is_lost_or_doubled(place, monkeypatch):
    space = make.exercise()
    for day in range(4):
        store.append(space.pk, *columns([(s, day * DAY + n, n / 2) for s in (1, 2, 40) for n in range(5)]))
        if day < 3:
            sealing.seal(space.pk, at_once=True)
    before = told(space)
    real = getattr(sealing, place)
    for after in (False, True):

        def deadly(*given, _after=after):
            if _after:
                real(*given)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(sealing, place, deadly)
            for act in (lambda: sealing.seal(space.pk, at_once=True), lambda: sealing.put_together(space.pk)):
                try:
                    act()
                except Killed:
                    assert told(space) == before
    sealing.seal(space.pk, at_once=True)
    sealing.put_together(space.pk)
    assert told(space) == before
    assert store.count_all(space.pk) == 60 and not Tail.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_that_seal_the_same_one_does_and_readers_see_every_reading_once(monkeypatch):
    space = make.exercise()
    rows = [(s, n * 1000, n / 4) for s in range(1, 30) for n in range(20)]
    for at in range(0, len(rows), 50):
        store.append(space.pk, *columns(rows[at : at + 50]))
    wrong, counted = [], []
    start = threading.Barrier(3)

    def work(piece) -> None:
        try:
            start.wait(10)
            piece()
        except BaseException as error:  # noqa: BLE001 - told to the test
            wrong.append(error)
        finally:
            connection.close()

    def reader() -> None:
        while Chunk.objects.filter(space=space).count() == 0:
            counted.append(len(store.read(space.pk, 3)[0]))
            counted.append(len(store.read_many(space.pk, [5])[0]))

    def sealer() -> None:
        sealing.seal(space.pk, at_once=True)

    threads = [threading.Thread(target=work, args=(piece,)) for piece in (sealer, sealer, reader)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == [] and set(counted) <= {20}
    assert store.count_all(space.pk) == len(rows)
    assert len(store.read(space.pk, 3)[0]) == 20


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_is_forgotten_though_another_takes_its_number():
    space = make.exercise()
    store.append(space.pk, *columns([(1, 1, 1.0)]))
    assert store.latest(space.pk, [1, 2]) == {1: (1, 1.0)}
    with transaction.atomic():
        store.append(space.pk, *columns([(2, 2, 2.0)]))
        assert store.latest(space.pk, [1, 2]) == {1: (1, 1.0), 2: (2, 2.0)}
        transaction.set_rollback(True)
    store.append(space.pk, *columns([(2, 3, 3.0)]))
    with transaction.atomic():
        assert store.latest(space.pk, [1, 2]) == {1: (1, 1.0), 2: (3, 3.0)}
    assert store.read(space.pk, 2)[0].tolist() == [3]


@pytest.mark.django_db
def test_a_reading_delivered_again_after_sealing_is_known():
    space, series = make.exercise(), make.series()
    make.send(space, series, (0, 1.0), (1, 2.0))
    sealing.seal(space.pk, at_once=True)
    make.send(space, series, (0, 9.0), (1, 9.0), (2, 3.0), (0.5, 4.0))
    engine.advance(space)
    assert store.read(space.pk, series.pk)[1].tolist() == [1.0, 4.0, 2.0, 3.0]
    assert Sealing.objects.get(space=space).generation


@pytest.mark.django_db
def test_readings_beyond_the_days_to_keep_go_in_the_live_world_only(monkeypatch):
    live, exercise = Space.live(), make.exercise()
    now_ms = round(timezone.now().timestamp() * 1000)
    for space in (live, exercise):
        store.append(space.pk, *columns([(1, now_ms - 40 * DAY, 1.0), (1, now_ms - DAY, 2.0)]))
        sealing.seal(space.pk, at_once=True)
    assert sealing.let_go() == 0
    monkeypatch.setenv("HAITANG_READINGS_DAYS", "30")
    assert sealing.let_go() == 1
    assert store.read(live.pk, 1)[1].tolist() == [2.0]
    assert store.read(exercise.pk, 1)[1].tolist() == [1.0, 2.0]
