"""Raising issues what the new level adds, lowering and ending withdraw what it no longer asks for (3.2.2; art. 70, 86)."""

from __future__ import annotations

import pytest

from haitang.accounts.verbs import Forbidden, Refused
from haitang.alerting import services as alerting
from haitang.incidents import services
from haitang.incidents.models import Incident, LevelChange
from haitang.incidents.tests.factories import T0, Loop, told
from haitang.journal.models import Entry
from haitang.obligations.models import Obligation
from haitang.plans.models import Plan


def raised(loop: Loop, incident: Incident, level: int, why: str = "雨势加大") -> Incident:
    return services.change_level(incident, level=level, by=loop.commander, reason_zh=why)


def test_raising_issues_only_what_is_new(loop: Loop, flood: Plan) -> None:
    incident = loop.start(4)
    assert told(incident) == [("watch", "TS1"), ("watch", "TS2"), ("watch", "TS3"), ("watch", "WATER")]
    before = {t.pk for t in Obligation.objects.all()}
    loop.step(30)
    raised(loop, incident, 3)
    new = list(Obligation.objects.exclude(pk__in=before).filter(kind__startswith="incidents.task"))
    assert sorted((t.data["code"], t.owner.code) for t in new) == [
        ("shelters", "TS1"),
        ("shelters", "TS2"),
        ("shelters", "TS3"),
    ]
    assert {(t.due_at - T0).total_seconds() / 60 for t in new} == {150.0}, "limits count from the raise"


def test_a_task_is_issued_once_however_levels_go(loop: Loop, flood: Plan) -> None:
    incident = loop.start(3)
    loop.done(incident, "shelters", "TS1")
    for level in (2, 3, 2):
        loop.step(5)
        raised(loop, incident, level)
    standing = told(incident)
    assert len(standing) == len(set(standing)), "no duplicates"
    assert standing.count(("shelters", "TS1")) == 1 and loop.task(incident, "shelters", "TS1").state == "done"
    assert told(incident, withdrawn=True) == [
        ("bridge", "POLICE"),
        ("move", "TS1"),
        ("move", "TS2"),
        ("move", "TS3"),
    ]


def test_an_action_that_a_graver_level_words_anew_replaces_the_milder_one(loop: Loop, flood: Plan) -> None:
    incident = loop.start(4)
    raised(loop, incident, 1)
    assert loop.task(incident, "watch", "TS1").title_zh == "主要负责人到岗值守"
    assert ("watch", "TS1") in told(incident, withdrawn=True)
    assert ("watch", "CMD") in told(incident)


def test_lowering_withdraws_what_only_the_graver_level_asked_for(loop: Loop, flood: Plan) -> None:
    incident = loop.start(2)
    loop.done(incident, "move", "TS1")
    raised(loop, incident, 4, "风力减弱")
    assert told(incident, withdrawn=True) == [
        ("bridge", "POLICE"), ("move", "TS2"), ("move", "TS3"), ("shelters", "TS1"), ("shelters", "TS2"), ("shelters", "TS3"),
    ]  # fmt: skip
    assert loop.task(incident, "move", "TS1").state == "done", "what was done stays done"
    entry = Entry.objects.filter(verb="obligations.withdraw").first()
    assert entry is not None and "Ⅱ级降低为Ⅳ级" in entry.text_zh


def test_the_change_is_recorded_with_its_statement(loop: Loop, flood: Plan) -> None:
    incident = loop.start(3)
    loop.step(60)
    raised(loop, incident, 2)
    change = LevelChange.objects.filter(incident=incident).last()
    assert change is not None
    assert (change.level_from, change.level_to, change.reason_zh, change.term_hours) == (3, 2, "雨势加大", 36)
    assert change.measures_zh == "转移危险区域人员。" and incident.measures_zh == change.measures_zh
    assert incident.term_until is not None and (incident.term_until - T0).total_seconds() == 37 * 3600
    assert change.label == "升至Ⅱ级"


def test_a_record_of_a_change_is_not_changed(loop: Loop, flood: Plan) -> None:
    change = loop.start(3).changes.get()
    with pytest.raises(ValueError, match="cannot be changed"):
        change.save()
    with pytest.raises(ValueError, match="cannot be removed"):
        change.delete()


def test_a_change_needs_a_reason_and_another_level(loop: Loop, flood: Plan) -> None:
    incident = loop.start(3)
    with pytest.raises(Refused, match="说明"):
        services.change_level(incident, level=2, by=loop.commander)
    with pytest.raises(Refused, match="已是"):
        raised(loop, incident, 3)
    flood.levels.filter(level=1).delete()
    with pytest.raises(Refused, match="没有"):
        raised(loop, incident, 1)


def test_an_update_of_the_warning_proposes_raising(loop: Loop, flood: Plan) -> None:
    warning = loop.publish("yellow")
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None and incident.level == 3
    update = loop.update(warning, "orange")
    proposal = loop.proposal()
    assert (proposal.kind, proposal.level, proposal.incident, proposal.warning) == ("raise", 2, incident, update)
    services.decide(proposal, accept=True, by=loop.commander)
    incident.refresh_from_db()
    assert incident.level == 2 and incident.changes.count() == 2
    assert incident.changes.last().reason_zh == "依据“试验区应急局将台风黄色预警升级为橙色预警”"


def test_a_milder_update_proposes_lowering_and_the_end_of_the_warning_ending(loop: Loop, flood: Plan) -> None:
    warning = loop.publish("orange")
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None
    update = loop.update(warning, "blue")
    assert (loop.proposal().kind, loop.proposal().level) == ("lower", 4)
    services.decide(loop.proposal(), accept=True, by=loop.commander)
    loop.cancel(update)
    assert (loop.proposal().kind, loop.proposal().level) == ("end", None)
    services.decide(loop.proposal(), accept=True, by=loop.commander)
    incident.refresh_from_db()
    assert incident.state == "ended"


def test_a_warning_that_runs_out_proposes_the_end(loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    services.decide(loop.proposal(), accept=True, by=loop.commander)
    loop.step(60 * 13)
    alerting.expire_due(loop.space)
    assert loop.proposal().kind == "end"


def test_another_warning_in_force_holds_the_level(loop: Loop, flood: Plan) -> None:
    storm, rain = loop.publish("orange"), loop.publish("red", hazard="rainstorm")
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None
    loop.publish("blue", hazard="rainstorm")
    assert incident.warnings.count() >= 1
    loop.cancel(storm)
    assert not Incident.objects.get().proposals.filter(state="open").exists(), "red rain alone asks for level II"
    loop.cancel(rain)
    assert loop.proposal().kind == "lower" and loop.proposal().level == 4


def test_a_raise_adds_the_townships_it_reaches(loop: Loop, flood: Plan) -> None:
    warning = loop.publish("yellow", [loop.east])
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None
    loop.publish("orange", [loop.east, loop.west])
    services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert [row.place.code for row in incident.areas.all()] == ["900001", "900002"]
    assert ("watch", "TS2") in told(incident) and warning.incidents.count() == 1


def test_the_end_withdraws_what_is_open_everywhere(loop: Loop, towns) -> None:
    loop.publish("orange")
    incident = services.decide(loop.proposal(plan__code="T-FLOOD"), accept=True, by=loop.commander)
    assert incident is not None
    loop.done(incident, "watch", "WATER")
    services.give(incident, text="加强巡查", organisations=[loop.water], by=loop.commander)
    with pytest.raises(Refused, match="说明"):
        services.end(incident, by=loop.commander, reason_zh=" ")
    services.end(incident, by=loop.commander, reason_zh="台风已远离")
    assert told(incident) == [("watch", "WATER")]
    assert {child.state for child in incident.children.all()} == {"ended"}
    assert incident.orders.get().withdrawn_at is not None
    assert incident.changes.last().level_to is None and incident.ended_at is not None
    still = Obligation.objects.filter(state__in=("issued", "received", "started")).exclude(kind="alerting.answer")
    assert {one.kind for one in still} == {"incidents.report"}


def test_what_has_ended_is_not_changed(loop: Loop, flood: Plan) -> None:
    incident = loop.start(3)
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    with pytest.raises(Refused, match="已终止"):
        raised(loop, incident, 2)
    with pytest.raises(Refused, match="可以变为"):
        services.end(incident, by=loop.commander, reason_zh="再次")
    assert loop.start(3).pk != incident.pk, "the plan can be started anew"


def test_a_township_ends_its_own_only(loop: Loop, towns) -> None:
    loop.publish("orange")
    incident = services.decide(loop.proposal(plan__code="T-FLOOD"), accept=True, by=loop.commander)
    assert incident is not None
    own = incident.children.get(place=loop.east)
    services.end(own, by=loop.heads[0], reason_zh="险情解除")
    with pytest.raises(Forbidden):
        services.end(incident.children.get(place=loop.west), by=loop.heads[0], reason_zh="险情解除")
    with pytest.raises(Forbidden):
        services.end(incident, by=loop.heads[0], reason_zh="险情解除")


def test_an_incident_without_a_plan_states_what_the_law_wants(loop: Loop) -> None:
    with pytest.raises(Refused, match="缺少"):
        services.start(space=loop.space, level=3, place=loop.east, owner=loop.towns[0], by=loop.duty)
    full = services.Statement(matter_zh="厂房火灾", measures_zh="疏散周边人员", term_hours=6)
    made = services.start(
        space=loop.space,
        level=3,
        place=loop.east,
        owner=loop.towns[0],
        by=loop.duty,
        statement=full,
        category="accident",
    )
    assert (made.colour, made.category, made.commander) == ("yellow", "accident", loop.commander)
    services.change_level(made, level=2, by=loop.duty, reason_zh="火势蔓延", statement=full)
    assert made.colour == "orange"


def test_a_note_stands_in_the_log(loop: Loop, flood: Plan) -> None:
    incident = loop.start(3)
    services.note(incident, text="堡镇港水位上涨", by=loop.heads[0])
    entry = Entry.objects.get(verb="incidents.note")
    assert (entry.text_zh, entry.place_path) == ("堡镇港水位上涨", loop.east.path)
    with pytest.raises(Refused):
        services.note(incident, text=" ", by=loop.duty)
