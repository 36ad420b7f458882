"""初报、续报、终报 run against the clock of the law, and are frozen when sent (3.5.2; 突发事件应对法 art. 61)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Forbidden, Refused
from haitang.incidents import services
from haitang.incidents.models import Incident, Report, ReportRule
from haitang.incidents.services import rules
from haitang.incidents.tests.factories import T0, Loop
from haitang.journal.models import Entry
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation
from haitang.plans.models import Plan


@pytest.fixture
def incident(loop: Loop, flood: Plan) -> Incident:
    return loop.start(3)


def sent(loop: Loop, report: Report) -> Report:
    return services.send(report, text=services.draft(report), by=loop.duty)


def duty_of(report: Report) -> Obligation:
    return obligations.for_subject(report).get()


def test_the_first_report_is_due_by_the_rule_that_fits(loop: Loop, incident: Incident) -> None:
    report = incident.reports.get()
    assert (report.stage, report.number, report.addressee_zh) == ("first", 1, "市应急管理局")
    assert report.due_at == T0 + timedelta(hours=2) and report.phone_due_at is None
    assert (duty_of(report).kind, duty_of(report).due_at, duty_of(report).owner) == (
        "incidents.report",
        report.due_at,
        loop.command,
    )


def test_a_grave_event_is_telephoned_first(loop: Loop, flood: Plan) -> None:
    report = loop.start(2).reports.get()
    assert (report.phone_due_at, report.due_at) == (T0 + timedelta(minutes=30), T0 + timedelta(hours=1))
    loop.step(40)
    services.phone_report(report, by=loop.duty)
    entry = Entry.objects.get(verb="incidents.phone_report")
    assert entry.after == {"late": True} and entry.text_zh == "已向市人民政府总值班室电话报告（超时）"


def test_the_clock_runs_out_on_the_spaces_own_time(loop: Loop, incident: Incident) -> None:
    report = incident.reports.get()
    loop.step(119, run=True)
    assert not duty_of(report).is_overdue
    loop.step(2, run=True)
    assert duty_of(report).is_overdue


def test_what_is_sent_is_frozen(loop: Loop, incident: Incident) -> None:
    report = sent(loop, incident.reports.get(number=1))
    assert report.is_sent and len(report.sha256) == 64 and not report.is_late
    assert duty_of(report).state == "done"
    report.text = "另一种说法"
    with pytest.raises(ValueError, match="cannot be changed"):
        report.save()
    with pytest.raises(Refused, match="续报"):
        services.save_report(report, text="另一种说法", by=loop.duty)
    with pytest.raises(Refused, match="续报"):
        sent(loop, report)


def test_a_follow_up_is_asked_for_every_day(loop: Loop, incident: Incident) -> None:
    loop.step(60)
    sent(loop, incident.reports.get(number=1))
    follow = incident.reports.get(number=2)
    assert (follow.stage, follow.due_at) == ("follow", T0 + timedelta(hours=25))
    assert follow.title == "续报2" or follow.title
    loop.step(60 * 26)
    late = sent(loop, follow)
    assert late.is_late and Entry.objects.filter(verb="incidents.report", colour="orange").exists()


def test_the_end_asks_for_the_final_report_and_no_more(loop: Loop, incident: Incident) -> None:
    sent(loop, incident.reports.get(number=1))
    loop.step(120)
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    follow, final = incident.reports.get(number=2), incident.reports.get(number=3)
    assert follow.withdrawn_at is not None and duty_of(follow).state == "withdrawn"
    assert (final.stage, final.due_at) == ("final", T0 + timedelta(hours=50))
    sent(loop, final)
    assert incident.reports.count() == 3
    with pytest.raises(Refused, match="终报已报送"):
        services.add_report(incident, by=loop.duty)


def test_a_further_report_can_be_begun_at_any_time(loop: Loop, incident: Incident) -> None:
    assert services.add_report(incident, by=loop.duty) == incident.reports.get(number=1), "the open one comes first"
    ReportRule.objects.filter(stage="follow").update(is_active=False)
    sent(loop, incident.reports.get(number=1))
    extra = services.add_report(incident, by=loop.duty)
    assert (extra.stage, extra.number, extra.due_at) == ("follow", 2, None)


def test_the_draft_says_what_is_recorded(loop: Loop, incident: Incident) -> None:
    services.report_figure(incident, kind="moved", value=1234, by=loop.heads[0])
    services.give(incident, text="封闭大桥", organisations=[loop.police], by=loop.commander, leader="王区长")
    loop.done(incident, "watch", "WATER")
    text = services.draft(incident.reports.get())
    assert text.startswith("【演练】关于试验区台风应急响应有关情况的初报")
    assert "试验区于9月15日08时00分启动《试验区防汛防台专项应急预案》Ⅲ级响应" in text
    assert "已转移人数1,234人" in text and "暂未收到人员伤亡和财产损失报告" in text
    assert "预案任务共 7 项，已完成 1 项" in text and "领导指示：封闭大桥" in text


def test_a_zero_report_is_a_report(loop: Loop, incident: Incident) -> None:
    assert "暂未收到人员伤亡和财产损失报告" in services.draft(incident.reports.get())
    services.report_figure(incident, kind="injured", value=1, by=loop.heads[0])
    text = services.draft(incident.reports.get())
    assert "受伤人数1人" in text and "暂未收到" not in text


def test_a_press_on_done_sends_nothing(loop: Loop, incident: Incident) -> None:
    with pytest.raises(Refused, match="报告页面"):
        obligations.complete(duty_of(incident.reports.get()), by=loop.duty)


def test_an_empty_report_is_not_sent(loop: Loop, incident: Incident) -> None:
    with pytest.raises(Refused, match="为空"):
        services.send(incident.reports.get(), text=" \n ", by=loop.duty)


def test_only_those_who_answer_for_the_place_write(loop: Loop, incident: Incident) -> None:
    with pytest.raises(Forbidden):
        services.send(incident.reports.get(), text="x", by=loop.heads[0])
    with pytest.raises(Forbidden):
        services.send(incident.reports.get(), text="x", by=loop.engineer)


# -- the rules --------------------------------------------------------------------------------------------------


def test_the_rules_we_ship_can_be_read() -> None:
    found = rules.own()
    assert {rule.stage for rule in found} == {"first", "follow", "final"}
    assert all(rule.law and rule.clause for rule in found)


@pytest.mark.parametrize(
    ("category", "level", "code"),
    [
        ("natural", 4, "natural-first"),
        ("natural", 2, "grave-first"),
        ("natural", 1, "grave-first"),
        ("accident", 3, "accident-first"),
    ],
)
def test_the_most_particular_rule_counts(loop: Loop, category: str, level: int, code: str) -> None:
    rule = rules.rule_for(Incident(category=category, level=level, hazard="typhoon"), "first")
    assert rule is not None and rule.code == code


def test_a_districts_own_rule_replaces_ours(loop: Loop) -> None:
    own = rules.read(
        [
            {
                "code": "typhoon-first",
                "stage": "first",
                "hazard": "typhoon",
                "written_minutes": 20,
                "addressee_zh": "市防汛指挥部",
                "law": "本市规定",
            }
        ]
    )
    rules.keep([*rules.own(), *own], by=SYSTEM)
    rule = rules.rule_for(Incident(category="natural", level=1, hazard="typhoon"), "first")
    assert rule is not None and rule.code == "typhoon-first"
    rules.keep(rules.own(), by=SYSTEM)
    assert not ReportRule.objects.get(code="typhoon-first").is_active


def test_keeping_the_same_rules_changes_nothing(loop: Loop) -> None:
    before = Entry.objects.count()
    rules.keep(rules.own(), by=SYSTEM)
    assert Entry.objects.count() == before


def test_a_changed_rule_does_not_move_a_running_clock(loop: Loop, incident: Incident) -> None:
    ReportRule.objects.update(written_minutes=1)
    assert incident.reports.get().due_at == T0 + timedelta(hours=2)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"stage": "second"}, "stage 'second' is not one of"),
        ({"level": "V"}, "level 'V'"),
        ({"category": "war"}, "category 'war'"),
        ({"written_minutes": 0}, "written_minutes 0"),
        ({"written_minutes": "60"}, "written_minutes '60'"),
        ({"minutes": 5}, "minutes is not a field"),
        ({"law": ""}, "law and addressee_zh must be given"),
    ],
)
def test_a_faulty_rule_says_what_is_wrong(row, says: str) -> None:
    good = {"code": "a", "stage": "first", "written_minutes": 60, "addressee_zh": "市", "law": "法"}
    with pytest.raises(ValueError) as caught:
        rules.read([{**good, **row}])
    assert says in str(caught.value)


def test_without_rules_a_response_runs_all_the_same(loop: Loop, flood: Plan) -> None:
    ReportRule.objects.all().delete()
    assert not loop.start(2).reports.exists()
