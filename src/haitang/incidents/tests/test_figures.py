"""Figures carry who said it, when and where; none is overwritten; a jump is explained (3.4.5, 3.5.2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.incidents import services
from haitang.incidents.models import Figure, Incident
from haitang.incidents.services import NeedsExplanation, report_figure, totals_of
from haitang.incidents.tests.factories import T0, Loop
from haitang.journal.models import Entry
from haitang.plans.models import Plan


@pytest.fixture
def incident(loop: Loop, flood: Plan) -> Incident:
    return loop.start(2)


def moved(loop: Loop, incident: Incident, value: float, town: int = 0, **fields) -> Figure:
    return report_figure(incident, **{"kind": "moved", "value": value, "by": loop.heads[town], **fields})


def test_a_township_reports_for_itself(loop: Loop, incident: Incident) -> None:
    figure = moved(loop, incident, 120, source="村居上报")
    assert (figure.place, figure.unit, figure.reporter, figure.organisation, figure.at) == (
        loop.east,
        "人",
        loop.heads[0],
        loop.towns[0],
        T0,
    )
    entry = Entry.objects.get(verb="incidents.figure")
    assert (entry.text_zh, entry.place_path, entry.thread) == (
        "东港镇已转移人数 120 人",
        loop.east.path,
        f"incidents.incident:{incident.pk}",
    )


def test_a_new_number_is_a_new_row(loop: Loop, incident: Incident) -> None:
    first = moved(loop, incident, 120)
    loop.step(30)
    moved(loop, incident, 300)
    assert [row.value for row in Figure.objects.order_by("at")] == [120, 300]
    first.value = 5
    with pytest.raises(ValueError, match="never overwritten"):
        first.save()
    with pytest.raises(ValueError, match="cannot be removed"):
        first.delete()


def test_the_total_is_the_latest_of_each_township(loop: Loop, incident: Incident) -> None:
    moved(loop, incident, 120)
    moved(loop, incident, 80, town=1)
    loop.step(30)
    moved(loop, incident, 200)
    assert totals_of(incident)["moved"].value == 280
    assert totals_of(incident, until=T0)["moved"].value == 200
    assert totals_of(incident, user=loop.heads[1])["moved"].value == 80


def test_a_jump_is_not_saved_without_an_explanation(loop: Loop, incident: Incident) -> None:
    moved(loop, incident, 300)
    with pytest.raises(NeedsExplanation, match="从 300 到 2,000") as caught:
        moved(loop, incident, 2000)
    assert (caught.value.before, caught.value.after) == (300, 2000)
    assert Figure.objects.count() == 1
    moved(loop, incident, 2000, explanation="新增两个安置点集中转移")
    assert "新增两个安置点集中转移" in Entry.objects.filter(verb="incidents.figure").order_by("-id")[0].text_zh


def test_a_number_for_an_earlier_time_is_weighed_against_the_one_before_it(loop: Loop, incident: Incident) -> None:
    moved(loop, incident, 300)
    loop.step(120)
    moved(loop, incident, 2000, explanation="集中转移")
    moved(loop, incident, 500, at=T0 + timedelta(minutes=30))
    assert totals_of(incident)["moved"].value == 2000, "a late report of an earlier time does not replace the newer one"


def test_a_death_more_is_always_explained(loop: Loop, incident: Incident) -> None:
    report_figure(incident, kind="dead", value=0, by=loop.heads[0])
    with pytest.raises(NeedsExplanation):
        report_figure(incident, kind="dead", value=1, by=loop.heads[0])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"value": -1}, "负数"),
        ({"value": 1.5}, "整数"),
        ({"value": 1e12}, "超出可信范围"),
        ({"kind": "horses"}, "不在统计范围"),
        ({"at": T0 + timedelta(hours=1)}, "晚于现在"),
    ],
)
def test_what_cannot_be_is_refused(loop: Loop, incident: Incident, fields, says: str) -> None:
    with pytest.raises(Refused, match=says):
        moved(loop, incident, fields.pop("value", 10), **fields)
    assert not Figure.objects.exists()


def test_a_township_does_not_report_for_its_neighbour(loop: Loop, incident: Incident) -> None:
    with pytest.raises(Forbidden):
        moved(loop, incident, 10, place=loop.west)
    assert moved(loop, incident, 10, by=loop.duty, place=loop.west).place == loop.west


def test_a_place_outside_the_incident_is_refused(loop: Loop, towns) -> None:
    loop.publish("orange")
    services.decide(loop.proposal(place=loop.east), accept=True, by=loop.heads[0])
    own = Incident.objects.get()
    with pytest.raises(Refused, match="不在该事件范围内"):
        report_figure(own, kind="moved", value=3, by=loop.duty, place=loop.west)


@pytest.mark.parametrize("role", [Role.RESIDENT, Role.ENTERPRISE, Role.SOCIAL])
def test_others_do_not_report(loop: Loop, incident: Incident, role: Role) -> None:
    with pytest.raises(Forbidden):
        report_figure(incident, kind="moved", value=3, by=loop.person(role, loop.towns[0]))


def test_a_grid_worker_reports(loop: Loop, incident: Incident) -> None:
    assert report_figure(incident, kind="trees", value=3, by=loop.grid).place == loop.east


def test_losses_are_reported_after_the_end_too(loop: Loop, incident: Incident) -> None:
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    report_figure(incident, kind="loss", value=12.5, by=loop.heads[0])
    assert totals_of(incident)["loss"].value == 12.5
