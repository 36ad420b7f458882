"""The record tells how long each step took, beside history, and what was late (P1; art. 87, 92)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from haitang.accounts.verbs import Forbidden, Refused
from haitang.incidents import services
from haitang.incidents.models import Evaluation, Incident
from haitang.incidents.tests.factories import T0, Loop
from haitang.monitoring.tests import factories as stations
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.plans.models import Plan

HISTORY = [
    {"step": "warning", "label_zh": "橙色预警", "label_en": "Orange warning", "at": "2024-09-15T14:00:00+08:00"},
    {
        "step": "moved_90",
        "label_zh": "人员转移完成",
        "label_en": "People moved",
        "at": "2024-09-15T18:00:00+08:00",
        "value": 9318,
    },
    {"step": "", "label_zh": "大桥封闭", "label_en": "Bridge closed", "at": "2024-09-15T22:00:00+08:00"},
]


def minute(at: datetime | None) -> float | None:
    return None if at is None else (at - T0).total_seconds() / 60


@pytest.fixture
def played(loop: Loop, flood: Plan) -> Incident:
    """Warned at 0, decided at 5, answered at 2 and 8 by two of three townships, tasks done, people moved, ended at 300."""
    warning = loop.publish("orange")
    answers = {
        one.owner.code: one for one in Obligation.objects.filter(kind="alerting.answer", subject_id=str(warning.pk))
    }
    loop.step(2)
    obligations.complete(answers["TS1"], by=loop.heads[0])
    loop.step(3)
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None
    loop.step(3)
    obligations.complete(answers["TS2"], by=loop.heads[1])
    for code, owner in [("watch", "TS1"), ("watch", "TS2"), ("watch", "TS3"), ("watch", "WATER"), ("bridge", "POLICE")]:
        loop.done(incident, code, owner)
    for town, (wanted, value) in enumerate([(300, 280), (200, 190), (100, 20)]):
        services.report_figure(incident, kind="to_move", value=wanted, by=loop.heads[town])
        loop.step(20)
        services.report_figure(incident, kind="moved", value=value, by=loop.heads[town])
    for owner in ("TS1", "TS2", "TS3"):
        loop.done(incident, "shelters", owner)
    loop.step(192)
    services.report_figure(incident, kind="moved", value=90, by=loop.heads[2])
    for owner in ("TS1", "TS2", "TS3"):
        loop.done(incident, "move", owner)
    loop.step(40)
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    return incident


def test_the_times_of_the_steps(loop: Loop, played: Incident) -> None:
    steps = {row.name: minute(row.at) for row in services.measure(played).steps}
    assert steps == {
        "reading": None, "alarm": None, "warning": 0, "answered_50": 8, "answered_90": None, "answered_95": None, "proposed": 0,
        "started": 5, "first_task": 8, "all_tasks": 260, "moved_90": 260, "ended": 300,
    }  # fmt: skip


def test_each_township_is_told_apart(loop: Loop, played: Incident) -> None:
    rows = {row.place.code: row for row in services.measure(played).townships}
    assert [rows[code].answered_after for code in ("900001", "900002", "900003")] == [
        timedelta(minutes=2),
        timedelta(minutes=8),
        None,
    ]
    # "move" had 240 minutes from minute 5 on, and was done at 260.
    assert (rows["900001"].tally.on_time, rows["900001"].tally.late) == (2, 1)
    assert (rows["900003"].moved, rows["900003"].to_move) == (90, 100)


def test_what_was_late_is_listed_the_worst_first(loop: Loop, played: Incident) -> None:
    late = services.measure(played).late
    assert [row.by for row in late] == sorted((row.by for row in late), reverse=True)
    assert {(row.whose, row.by) for row in late if row.kind == "任务"} == {
        (town.name, timedelta(minutes=15)) for town in loop.towns
    }
    silent = [row for row in late if row.is_open]
    assert [(row.whose, row.kind) for row in silent] == [("南港镇人民政府", "预警叫应"), ("应急指挥中心", "信息报送")]


def test_messages_are_counted_by_channel(loop: Loop, played: Incident) -> None:
    obligations.run_due(loop.space)
    channels = {row.name: row for row in services.measure(played).channels}
    assert channels["inapp"].sent > 0
    assert all(row.reached + row.failed <= row.sent for row in channels.values())


def test_history_stands_beside(loop: Loop, played: Incident) -> None:
    services.set_history(loop.space, HISTORY, source="澎湃新闻 2024-09-15")
    measured = services.measure(played)
    assert [(row.label_zh, minute(row.at), minute(row.history), row.value) for row in measured.history] == [
        ("橙色预警", 0, 360, ""), ("人员转移完成", 260, 600, "9318"), ("大桥封闭", None, 840, ""),
    ]  # fmt: skip
    assert measured.history_source == "澎湃新闻 2024-09-15"


@pytest.mark.parametrize(
    ("row", "says"),
    [({"step": "landfall"}, "not one of the steps"), ({"step": "", "at": "2024-09-15T14:00:00"}, "has no offset")],
)
def test_a_faulty_row_of_history_is_refused(loop: Loop, row, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        services.set_history(loop.space, [row])
    assert says in str(caught.value)


def test_the_first_reading_over_the_threshold_is_found(loop: Loop, flood: Plan) -> None:
    """The alarm waits for its minimum duration; the clock of the loop begins with the reading."""
    station = stations.station(loop.east)
    series = stations.series(station, quantity="wind_gust")
    stations.rule(series, blue=10.8, yellow=17.2, orange=24.5, red=32.7, hold_s=600)
    stations.send(loop.space, series, (0, 5), (10, 12.0), (15, 9.0), (20, 18.0), (25, 25.0), (35, 26.0))
    from haitang.monitoring import engine
    from haitang.monitoring.models import Alarm

    engine.advance(loop.space)
    alarm = Alarm.objects.get()
    from haitang.alerting import services as alerting

    warning = alerting.draft_from_alarm(
        alarm, by=loop.duty, kind=loop.kinds["typhoon"], colour="orange", places=[loop.east]
    )
    loop.out(warning)
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None
    at = {row.name: minute(row.at) for row in services.measure(incident).steps}
    assert at["reading"] == 20, "the unbroken run over the lowest threshold that led to the alarm"
    assert at["alarm"] == minute(alarm.opened_at)


def test_an_evaluation_keeps_the_table_as_it_stood(loop: Loop, played: Incident) -> None:
    kept = services.evaluate(played, summary="整体有序", lessons="加强南港镇叫应", by=loop.commander)
    played.refresh_from_db()
    assert played.state == "evaluated"
    assert kept.table["tasks"] == {"all": 11, "on_time": 8, "late": 3, "overdue": 0, "open": 0}
    assert next(row for row in kept.table["steps"] if row["step"] == "moved_90")["seconds"] == 255 * 60
    services.evaluate(played, summary="补充意见", by=loop.commander)
    assert Evaluation.objects.count() == 2, "a later one follows, none is changed"


def test_only_what_has_ended_is_evaluated(loop: Loop, flood: Plan) -> None:
    incident = loop.start(3)
    with pytest.raises(Refused, match="先终止"):
        services.evaluate(incident, summary="好", by=loop.commander)
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    with pytest.raises(Forbidden):
        services.evaluate(incident, summary="好", by=loop.heads[0])
    with pytest.raises(Refused, match="评估结论"):
        services.evaluate(incident, summary=" ", by=loop.commander)


def test_measuring_asks_few_queries_however_many_tasks(
    loop: Loop, played: Incident, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(16):
        services.measure(played)
