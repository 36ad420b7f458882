"""How long each step of the loop took (P1): a worked example, and what must hold whatever happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.incidents.timetable import (
    SHARES,
    STEPS,
    Events,
    Task,
    beside,
    in_order,
    moment_of,
    moved,
    table,
    tally,
    times,
)

T0 = datetime(2024, 9, 15, tzinfo=UTC)


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


# Ten townships asked: nine answer after 1 .. 9 minutes, one is silent. Four tasks, the last one late.
WORKED = Events(
    reading=at(0), alarm=at(5), warning=at(25), answers=[*(at(25 + n) for n in range(1, 10)), None], proposed=at(25), started=at(30),
    tasks=[Task(at(30), at(90), at(40)), Task(at(30), at(90), at(85)), Task(at(30), at(60), at(50)), Task(at(30), at(60), at(70))],
    moved=[(at(60), 300), (at(120), 800), (at(180), 950), (at(240), 1000)], to_move=1000, ended=at(600),
)  # fmt: skip


def test_the_worked_example() -> None:
    rows = {row.name: row for row in table(WORKED)}
    minutes = {name: row.took.total_seconds() / 60 if row.took is not None else None for name, row in rows.items()}
    assert minutes == {
        "reading": None, "alarm": 5, "warning": 20, "answered_50": 5, "answered_90": 9, "answered_95": None, "proposed": 0,
        "started": 5, "first_task": 10, "all_tasks": 55, "moved_90": 150, "ended": 570,
    }  # fmt: skip
    assert rows["ended"].total == timedelta(minutes=600)
    assert rows["started"].since == "proposed"


def test_tasks_are_counted_by_verdict() -> None:
    found = tally([*WORKED.tasks, Task(at(30), at(60), None), Task(at(30), None, None)], at(100))
    assert (found.on_time, found.late, found.overdue, found.open) == (3, 1, 1, 1)
    assert (found.all, found.done) == (6, 4)


def test_a_step_that_did_not_happen_is_passed_over_in_what_the_next_counts_from() -> None:
    rows = {row.name: row for row in table(Events(warning=at(10), started=at(40)))}
    assert (rows["started"].since, rows["started"].took) == ("warning", timedelta(minutes=30))
    assert rows["alarm"].at is None and rows["warning"].since == "" and rows["warning"].took is None


def test_a_response_started_before_its_warning_took_no_time() -> None:
    rows = {row.name: row for row in table(Events(warning=at(10), proposed=at(10), started=at(5)))}
    assert rows["started"].took == timedelta()


def test_all_tasks_are_done_only_when_every_one_is() -> None:
    assert times(Events(tasks=[Task(at(0), None, at(3)), Task(at(0), None, None)]))["all_tasks"] is None
    assert times(Events())["all_tasks"] is None


def test_people_moved_are_counted_against_those_to_be_moved() -> None:
    points = [(at(0), 500.0), (at(10), 850.0), (at(20), 900.0)]
    assert moved(points, 1000) == at(20)
    assert moved(points, None) == at(10), "without a target the highest number counts as all"
    assert moved(points, 2000) is None
    assert moved([], None) is None


def test_a_share_lies_between_nothing_and_all() -> None:
    with pytest.raises(ValueError, match="a share lies"):
        moment_of(0, [at(1)])


def test_history_stands_beside_the_exercise() -> None:
    rows = [
        {
            "step": "warning",
            "label_zh": "橙色预警",
            "label_en": "Orange warning",
            "at": "2024-09-15T14:00:00+08:00",
            "value": None,
        },
        {"step": "moved_90", "label_zh": "转移完成", "at": "2024-09-15T18:00:00+08:00", "value": 9318},
        {"step": "level_2", "label_zh": "大桥封闭", "at": "2024-09-15T22:00:00+08:00"},
    ]
    found = beside(rows, times(WORKED))
    assert [(row.label_zh, row.label_en, row.value) for row in found] == [
        ("橙色预警", "Orange warning", ""), ("转移完成", "转移完成", "9318"), ("大桥封闭", "大桥封闭", ""),
    ]  # fmt: skip
    assert found[0].earlier == timedelta(hours=6) - timedelta(minutes=25)
    assert found[2].at is None and found[2].earlier is None
    marked = beside(rows, times(replace(WORKED, marks={"level_2": at(700)})))
    assert marked[2].earlier == timedelta(minutes=140)


moments = st.one_of(st.none(), st.integers(0, 1000).map(at))


@given(st.lists(moments, max_size=40))
def test_a_larger_share_is_never_reached_earlier(found: list[datetime | None]) -> None:
    reached = [moment_of(share, found) for share in (*SHARES, 1.0)]
    assert in_order(reached)
    gone = [moment is None for moment in reached]
    assert gone == sorted(gone), "once a share is not reached, no larger one is"


@given(st.lists(moments, min_size=1, max_size=40), st.sampled_from(SHARES))
def test_at_that_moment_the_share_had_answered_and_not_before(found: list[datetime | None], share: float) -> None:
    moment = moment_of(share, found)
    if moment is not None:
        known = [each for each in found if each is not None]
        assert sum(each <= moment for each in known) >= share * len(found) - 1e-9
        assert sum(each < moment for each in known) < share * len(found)


@given(st.lists(st.integers(0, 1000).map(at), min_size=1, max_size=20), st.sampled_from(SHARES))
def test_somebody_silent_never_makes_it_faster(found: list[datetime], share: float) -> None:
    alone, with_silent = moment_of(share, found), moment_of(share, [*found, None])
    assert alone is not None and (with_silent is None or with_silent >= alone)


tasks = st.lists(st.builds(Task, st.integers(0, 10).map(at), moments, moments), max_size=12)
events = st.builds(
    Events, reading=moments, alarm=moments, warning=moments, answers=st.lists(moments, max_size=8), proposed=moments, started=moments, tasks=tasks,
    moved=st.lists(st.tuples(st.integers(0, 1000).map(at), st.floats(0, 1e4)), max_size=6), to_move=st.one_of(st.none(), st.floats(0, 1e4)), ended=moments,
)  # fmt: skip


@given(events)
def test_the_table_is_whole_whatever_happened(found: Events) -> None:
    rows = table(found)
    assert tuple(row.name for row in rows) == STEPS
    for row in rows:
        assert row.took is None or row.took >= timedelta()
        assert (row.at is None) <= (row.took is None and row.total is None)
    first = next((row for row in rows if row.at is not None), None)
    assert first is None or first.total == timedelta()


@given(tasks, st.integers(0, 1000).map(at))
def test_every_task_has_one_verdict(found: list[Task], now: datetime) -> None:
    assert tally(found, now).all == len(found)
