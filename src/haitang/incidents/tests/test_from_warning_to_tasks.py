"""Publishing a warning proposes, or starts, the level of the matching plan, for district and township (3.1.4; P1)."""

from __future__ import annotations

import pytest

from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.alerting.models import Warning
from haitang.incidents import services
from haitang.incidents.models import Incident, LevelChange, ResponseProposal
from haitang.incidents.services.tasks import tasks_of
from haitang.incidents.tests.factories import T0, Loop, told
from haitang.journal.models import Entry
from haitang.journal.services import thread_of, verify
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.plans.models import Plan
from haitang.plans.tests import factories as plan_factories
from haitang.spaces.models import Space


def test_an_orange_warning_proposes_level_two(loop: Loop, flood: Plan) -> None:
    warning = loop.publish("orange")
    proposal = loop.proposal()
    assert (proposal.kind, proposal.level, proposal.plan, proposal.warning) == ("start", 2, flood, warning)
    assert proposal.places == ["900001", "900002", "900003"]
    assert proposal.title == "建议启动试验区防汛防台专项应急预案Ⅱ级响应"
    assert not Incident.objects.exists()
    entry = Entry.objects.get(verb="incidents.propose")
    assert entry.thread == thread_of(warning) and entry.colour == "orange"


def test_the_commander_is_obliged_to_decide(loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    duty = obligations.for_subject(loop.proposal()).get()
    assert (duty.kind, duty.person, duty.owner, duty.colour) == (
        "incidents.decide",
        loop.commander,
        loop.command,
        "red",
    )
    assert duty.due_at is not None and (duty.due_at - T0).total_seconds() == 15 * 60


def test_a_press_on_done_decides_nothing(loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    with pytest.raises(Refused, match="提议页面"):
        obligations.complete(obligations.for_subject(loop.proposal()).get(), by=loop.commander)


def test_one_press_starts_the_response_and_every_task_goes_out(loop: Loop, flood: Plan) -> None:
    warning = loop.publish("orange", [loop.east, loop.south])
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert incident is not None
    assert (incident.level, incident.colour, incident.commander, incident.owner) == (
        2,
        "orange",
        loop.commander,
        loop.hq,
    )
    assert [row.place.code for row in incident.areas.all()] == ["900001", "900003"]
    assert list(incident.warnings.all()) == [warning]
    # Level II with what levels III and IV ask for; a copy for every township in the area, none for the one outside.
    assert told(incident) == [
        ("bridge", "POLICE"), ("move", "TS1"), ("move", "TS3"), ("shelters", "TS1"), ("shelters", "TS3"), ("watch", "TS1"), ("watch", "TS3"), ("watch", "WATER"),
    ]  # fmt: skip
    move = loop.task(incident, "move", "TS1")
    assert (move.kind, move.clause, move.colour, move.place) == (
        "incidents.task_confirm",
        "4.3.3(1)",
        "orange",
        loop.east,
    )
    assert (move.due_at - T0).total_seconds() == 240 * 60 and move.thread == thread_of(incident)
    assert loop.task(incident, "shelters", "TS3").kind == "incidents.task_photo"


def test_what_the_law_wants_stated_is_recorded_with_the_start(loop: Loop, flood: Plan) -> None:
    """突发事件应对法 art. 72: matter, level, expected term, measures."""
    loop.publish("orange")
    incident = services.decide(loop.proposal(), accept=True, by=loop.commander)
    change = LevelChange.objects.get(incident=incident)
    assert change.matter_zh == "应对“试验区应急局发布台风橙色预警”"
    assert (change.level_from, change.level_to, change.term_hours, change.measures_zh, change.clause) == (
        None,
        2,
        36,
        "转移危险区域人员。",
        "4.3.3",
    )
    assert change.by == loop.commander
    entry = Entry.objects.get(verb="incidents.start")
    assert (
        entry.after is not None and entry.after["term_hours"] == 36 and entry.after["measures"] == "转移危险区域人员。"
    )
    assert entry.text_zh == "启动《试验区防汛防台专项应急预案》Ⅱ级响应"


def test_a_plan_that_does_not_state_its_term_asks_for_it(loop: Loop, load) -> None:
    load(flood=plan_factories.FLOOD.replace("term_hours = 36\n", ""))
    loop.publish("orange")
    with pytest.raises(Refused, match="预计期限"):
        services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert loop.proposal().is_open, "nothing half-done is kept"
    made = services.decide(loop.proposal(), accept=True, by=loop.commander, statement=services.Statement(term_hours=12))
    assert made is not None and made.changes.get().term_hours == 12


def test_the_townships_own_plans_run_along(loop: Loop, towns) -> None:
    loop.publish("orange", [loop.east, loop.west])
    assert ResponseProposal.objects.filter(state="open").count() == 3
    incident = services.decide(loop.proposal(plan__code="T-FLOOD"), accept=True, by=loop.commander)
    assert incident is not None
    children = {child.place.code: child for child in incident.children.all()}
    assert set(children) == {"900001", "900002"}
    assert told(children["900001"]) == [("call", "TS1")]
    assert not ResponseProposal.objects.filter(state="open").exists()
    # The township's plan states no measures in English and no clause, but its own Chinese ones.
    assert children["900001"].measures_zh == "组织转移。"


def test_a_township_can_go_first(loop: Loop, towns) -> None:
    loop.publish("orange")
    own = services.decide(loop.proposal(place=loop.east), accept=True, by=loop.heads[0])
    assert own is not None and own.parent is None and own.commander == loop.heads[0]
    district = services.decide(loop.proposal(plan__code="T-FLOOD"), accept=True, by=loop.commander)
    own.refresh_from_db()
    assert own.parent == district, "what a township began before the district belongs to the district's response now"


def test_a_plan_may_start_at_once(loop: Loop, load) -> None:
    load(towns=plan_factories.TOWNSHIPS)
    loop.publish("orange", [loop.east])
    incident = Incident.objects.get()
    assert (incident.place, incident.level, incident.owner) == (loop.east, 2, loop.towns[0])
    assert incident.changes.get().by_name == "system" and incident.changes.get().reason_zh == "预案规定立即启动"
    assert told(incident) == [("call", "TS1")]


def test_a_plan_that_cannot_state_what_the_law_wants_does_not_start_by_itself(loop: Loop, load) -> None:
    load(towns=plan_factories.TOWNSHIPS.replace("term_hours = 24\n", ""))
    loop.publish("orange", [loop.east])
    assert not Incident.objects.exists() and loop.proposal().level == 2


def test_a_declined_proposal_is_not_made_again_by_the_same_warning(loop: Loop, flood: Plan) -> None:
    warning = loop.publish("orange")
    with pytest.raises(Refused, match="不启动"):
        services.decide(loop.proposal(), accept=False, by=loop.commander)
    services.decide(loop.proposal(), accept=False, by=loop.commander, reason="风力减弱")
    loop.update(warning, "orange")
    assert not ResponseProposal.objects.filter(state="open").exists()
    assert Entry.objects.filter(verb="incidents.decline", text_zh__contains="风力减弱").exists()


def test_a_graver_update_asks_again_and_the_older_question_falls_away(loop: Loop, flood: Plan) -> None:
    warning = loop.publish("yellow")
    first = loop.proposal()
    loop.update(warning, "red")
    first.refresh_from_db()
    assert first.state == "superseded" and loop.proposal().level == 1
    assert obligations.for_subject(first).get().state == "withdrawn"


def test_two_commanders_press_at_once(loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    proposal, same = loop.proposal(), loop.proposal()
    services.decide(proposal, accept=True, by=loop.commander)
    with pytest.raises(Refused, match="已经处理"):
        services.decide(same, accept=True, by=loop.second)
    assert Incident.objects.count() == 1


def test_starting_by_hand_answers_the_question(loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    loop.start(1)
    assert ResponseProposal.objects.get().state == "superseded"
    with pytest.raises(Refused, match="已在响应"):
        loop.start(2)


@pytest.mark.parametrize("role", [Role.DEPARTMENT, Role.GRID, Role.ADMIN, Role.RESIDENT])
def test_others_do_not_decide(loop: Loop, flood: Plan, role: Role) -> None:
    loop.publish("orange")
    with pytest.raises(Forbidden):
        services.decide(loop.proposal(), accept=True, by=loop.person(role, loop.command))


def test_a_township_does_not_decide_for_the_district(loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    with pytest.raises(Forbidden, match="管辖范围"):
        services.decide(loop.proposal(), accept=True, by=loop.heads[0])


def test_an_exercise_warning_in_the_live_world_starts_nothing(loop: Loop, flood: Plan) -> None:
    live = Space.live()
    drill = loop.draft("red", space=live, status="Exercise")
    loop.out(drill)
    assert not ResponseProposal.objects.exists()
    loop.publish("red", space=live)
    assert ResponseProposal.objects.get().space == live


def test_worlds_do_not_mix(loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    here = services.decide(loop.proposal(), accept=True, by=loop.commander)
    other = loop.exercise()
    there = loop.start(2, space=other)
    assert here is not None and here.space != there.space
    assert not Obligation.objects.filter(space=other, thread=thread_of(here)).exists()


def test_a_warning_no_plan_speaks_of_goes_out_all_the_same(loop: Loop) -> None:
    assert loop.publish("red").state == "published"
    assert not ResponseProposal.objects.exists()


def test_an_action_nobody_answers_for_is_shown_as_a_gap(loop: Loop, load) -> None:
    load(flood=plan_factories.FLOOD.replace('by = ["POLICE"]', 'by = ["COASTGUARD"]'))
    incident = loop.start(2)
    assert [gap["by"] for gap in incident.changes.get().unassigned] == ["COASTGUARD"]


def test_the_journal_of_the_loop_verifies(loop: Loop, towns) -> None:
    loop.publish("orange")
    services.decide(loop.proposal(plan__code="T-FLOOD"), accept=True, by=loop.commander)
    assert verify(loop.space) == []


def test_a_warning_is_issued_even_where_a_plan_is_broken(loop: Loop, flood: Plan) -> None:
    flood.levels.filter(level=2).update(condition="typhoon >= nonsense")
    assert loop.publish("orange").state == Warning.objects.get().state == "published"
    assert loop.proposal().level == 3, "the next level that can be read is proposed"


def test_starting_a_district_of_townships_asks_few_queries(
    loop: Loop, flood: Plan, django_assert_max_num_queries
) -> None:
    """Each task costs what an obligation and its journal entry cost; nothing else grows with their number."""
    loop.publish("orange")
    proposal = loop.proposal()
    with django_assert_max_num_queries(190):
        incident = services.decide(proposal, accept=True, by=loop.commander)
    assert incident is not None and len(tasks_of(incident)) == 11
