"""The situation page answers what is happening and what is open, for each role what lies in its reach (P1, 3.2.3, 3.4.5)."""

from __future__ import annotations

import pytest

from haitang.accounts.roles import Role
from haitang.incidents import services
from haitang.incidents.models import Figure, Incident, ResponseProposal
from haitang.incidents.tests.factories import Loop
from haitang.obligations import services as obligations
from haitang.plans.models import Plan

PARTS = ("head", "numbers", "board", "orders", "reports", "timeline", "warnings", "shelters")


def text_of(answer) -> str:
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


@pytest.fixture
def incident(loop: Loop, flood: Plan) -> Incident:
    loop.publish("orange")
    made = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert made is not None
    services.report_figure(made, kind="moved", value=120, by=loop.heads[0])
    services.report_figure(made, kind="moved", value=77, by=loop.heads[1])
    services.give(made, text="封闭大桥", organisations=[loop.police], by=loop.commander, leader="王区长")
    return made


def test_the_situation_page(enter, loop: Loop, incident: Incident) -> None:
    page = text_of(enter(loop.commander).get(incident.get_absolute_url()))
    for told in (
        "试验区台风应急响应",
        "Ⅱ级",
        "转移危险区域人员",
        "西港镇人民政府",
        "197",
        "封闭大桥",
        "初报",
        "发布台风橙色预警",
        "终止",
    ):
        assert told in page
    assert "演练" in page


def test_each_part_can_be_read_again(enter, loop: Loop, incident: Incident) -> None:
    client = enter(loop.commander)
    for name in PARTS:
        assert text_of(client.get(f"/incidents/{incident.pk}/part/{name}/"))
    assert client.get(f"/incidents/{incident.pk}/part/nonsense/").status_code == 404


def test_a_township_sees_its_own_tasks_and_numbers(enter, loop: Loop, incident: Incident) -> None:
    page = text_of(enter(loop.heads[0]).get(incident.get_absolute_url()))
    assert "东港镇人民政府" in page and "120" in page
    assert "西港镇人民政府" not in page and "197" not in page and "封闭大桥" not in page
    assert f"/incidents/{incident.pk}/end/" not in page, "what it may not do is not offered"
    assert f"/incidents/{incident.pk}/figures/new/" in page


def test_a_township_outside_does_not_see_the_incident(enter, loop: Loop, flood: Plan) -> None:
    loop.publish("orange", [loop.east])
    made = services.decide(loop.proposal(), accept=True, by=loop.commander)
    assert made is not None
    assert enter(loop.heads[1]).get(made.get_absolute_url()).status_code == 404
    assert enter(loop.heads[0]).get(made.get_absolute_url()).status_code == 200


@pytest.mark.parametrize("role", [Role.ENTERPRISE, Role.SOCIAL, Role.RESIDENT])
def test_others_do_not_see_incidents(enter, loop: Loop, incident: Incident, role: Role) -> None:
    client = enter(loop.person(role, loop.towns[0]))
    for path in ("", "evaluation/", "figures/", "evaluation.pdf", "figures.csv", "part/board/"):
        assert client.get(f"/incidents/{incident.pk}/{path}").status_code == 404


def test_visitors_are_asked_to_sign_in(client, loop: Loop, incident: Incident) -> None:
    assert client.get(incident.get_absolute_url()).status_code == 302


def test_another_world_shows_nothing_of_it(client, loop: Loop, incident: Incident) -> None:
    client.force_login(loop.commander)
    assert client.get(incident.get_absolute_url()).status_code == 404
    assert "试验区台风应急响应" not in text_of(client.get("/incidents/"))


def test_the_proposal_is_accepted_with_one_press(enter, loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    client = enter(loop.commander)
    listed = text_of(client.get("/incidents/"))
    proposal = loop.proposal()
    assert f"/incidents/proposals/{proposal.pk}/accept/" in listed and "data-alert" in listed
    answer = client.post(f"/incidents/proposals/{proposal.pk}/accept/")
    assert answer.status_code == 302 and Incident.objects.get().get_absolute_url() == answer["Location"]


def test_the_proposals_page_shows_who_gets_which_task(enter, loop: Loop, flood: Plan) -> None:
    loop.publish("orange", [loop.east])
    page = text_of(enter(loop.commander).get(loop.proposal().get_absolute_url()))
    assert "东港镇人民政府" in page and "公安分局" in page and "西港镇人民政府" not in page and "240" in page


def test_other_words_can_be_used(enter, loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    proposal = loop.proposal()
    told = {"matter_zh": "应对贝碧嘉", "measures_zh": "全部转移", "term_hours": "20", "reason": "会商决定"}
    enter(loop.commander).post(f"/incidents/proposals/{proposal.pk}/accept/", told)
    change = Incident.objects.get().changes.get()
    assert (change.matter_zh, change.measures_zh, change.term_hours, change.reason_zh) == (
        "应对贝碧嘉",
        "全部转移",
        20,
        "会商决定",
    )


def test_declining_needs_a_reason(enter, loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    proposal = loop.proposal()
    client = enter(loop.commander)
    assert client.post(f"/incidents/proposals/{proposal.pk}/decline/", {"reason": ""}).status_code == 200
    client.post(f"/incidents/proposals/{proposal.pk}/decline/", {"reason": "影响减弱"})
    assert ResponseProposal.objects.get().state == "declined"


def test_a_department_reads_a_proposal_and_cannot_accept_it(enter, loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    proposal = loop.proposal()
    client = enter(loop.engineer)
    assert "/accept/" not in text_of(client.get(proposal.get_absolute_url()))
    assert client.post(f"/incidents/proposals/{proposal.pk}/accept/").status_code == 403


def test_starting_by_decision(enter, loop: Loop, flood: Plan) -> None:
    client = enter(loop.duty)
    assert "启动响应" in text_of(client.get("/incidents/new/"))
    bad = client.post("/incidents/new/", {"level": "3", "category": "accident", "matter_zh": "厂房火灾"})
    assert "请选择预案或地点" in text_of(bad)
    client.post("/incidents/new/", {"plan": flood.pk, "level": "3", "category": "natural", "matter_zh": "连续强降雨"})
    made = Incident.objects.get()
    assert (made.plan, made.level, made.measures_zh) == (flood, 3, "检查避难场所。")
    again = client.post(
        "/incidents/new/", {"plan": flood.pk, "level": "3", "category": "natural", "matter_zh": "连续强降雨"}
    )
    assert "已在响应中" in text_of(again)
    assert enter(loop.engineer).get("/incidents/new/").status_code == 403


def test_raising_and_ending_from_the_page(enter, loop: Loop, incident: Incident) -> None:
    client = enter(loop.commander)
    assert "调整响应级别" in text_of(client.get(f"/incidents/{incident.pk}/level/"))
    client.post(
        f"/incidents/{incident.pk}/level/", {"level": "1", "reason_zh": "风力加大", "matter_zh": incident.matter_zh}
    )
    incident.refresh_from_db()
    assert incident.level == 1
    client.post(
        f"/incidents/{incident.pk}/level/", {"level": "4", "reason_zh": "风力减弱", "matter_zh": incident.matter_zh}
    )
    assert "最高 Ⅰ级" in text_of(client.get(incident.get_absolute_url()))
    client.post(f"/incidents/{incident.pk}/end/", {"reason_zh": "台风远离"})
    incident.refresh_from_db()
    assert incident.state == "ended"
    assert "已终止" in text_of(client.get(incident.get_absolute_url()))


def test_orders_and_notes_from_the_page(enter, loop: Loop, incident: Incident) -> None:
    client = enter(loop.duty)
    client.post(
        f"/incidents/{incident.pk}/order/",
        {"text": "加派泵车", "leader": "李副区长", "organisations": [loop.water.pk], "minutes": "60"},
    )
    assert incident.orders.count() == 2
    client.post(f"/incidents/{incident.pk}/note/", {"text": "泵车已到位"})
    assert "泵车已到位" in text_of(client.get(incident.get_absolute_url()))
    order = incident.orders.get(text="加派泵车")
    client.post(f"/incidents/orders/{order.pk}/withdraw/", {"reason": "水位回落"})
    order.refresh_from_db()
    assert order.withdrawn_at is not None


def test_a_jump_is_asked_about_on_the_form(enter, loop: Loop, incident: Incident) -> None:
    client = enter(loop.heads[0])
    told = {"kind": "moved", "place": loop.east.pk, "value": "3000"}
    answer = text_of(client.post(f"/incidents/{incident.pk}/figures/new/", told))
    assert "从 120 到 3,000 变化较大" in answer and Figure.objects.filter(value=3000).count() == 0
    client.post(f"/incidents/{incident.pk}/figures/new/", {**told, "explanation": "集中转移"})
    assert Figure.objects.get(value=3000).explanation == "集中转移"


def test_the_figures_page_shows_what_a_total_is_made_of(enter, loop: Loop, incident: Incident) -> None:
    page = text_of(enter(loop.commander).get(f"/incidents/{incident.pk}/figures/"))
    assert "东港镇" in page and "西港镇" in page and "120" in page and "77" in page
    chart = enter(loop.commander).get(f"/incidents/{incident.pk}/figures/chart.json?kind=moved").json()
    assert chart["series"][0]["data"][-1][1] == 197


def test_figures_as_a_file_say_that_they_are_an_exercise(enter, loop: Loop, incident: Incident) -> None:
    services.report_figure(incident, kind="trees", value=3, by=loop.heads[0], source="=cmd()")
    text = text_of(enter(loop.commander).get(f"/incidents/{incident.pk}/figures.csv"))
    assert text.splitlines()[0].lstrip("\ufeff").startswith("# 演练 EXERCISE")
    assert "900001,东港镇,120,人" in text and "'=cmd()" in text
    own = text_of(enter(loop.heads[1]).get(f"/incidents/{incident.pk}/figures.csv"))
    assert "西港镇" in own and "东港镇" not in own


def test_a_report_is_written_and_sent_on_its_page(enter, loop: Loop, incident: Incident) -> None:
    report = incident.reports.get()
    client = enter(loop.duty)
    page = text_of(client.get(report.get_absolute_url()))
    assert "有关情况的初报" in page and "30分钟内电话报告" in page
    client.post(f"/incidents/reports/{report.pk}/phone/")
    client.post(report.get_absolute_url(), {"text": "初报正文一", "save": "1"})
    report.refresh_from_db()
    assert report.text == "初报正文一" and report.phoned_at is not None and not report.is_sent
    client.post(report.get_absolute_url(), {"text": "初报正文二", "send": "1"})
    report.refresh_from_db()
    assert report.is_sent and report.text == "初报正文二"
    assert client.get(f"/incidents/reports/{report.pk}/report.docx")["Content-Type"].endswith(
        "wordprocessingml.document"
    )
    assert enter(loop.heads[0]).get(report.get_absolute_url()).status_code == 404


def test_the_evaluation_page_and_its_files(enter, loop: Loop, incident: Incident) -> None:
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    client = enter(loop.commander)
    assert "各环节用时" in text_of(client.get(f"/incidents/{incident.pk}/evaluation/"))
    assert client.get(f"/incidents/{incident.pk}/evaluation.pdf").content.startswith(b"%PDF")
    assert client.get(f"/incidents/{incident.pk}/evaluation.docx").content.startswith(b"PK")
    assert client.get(f"/incidents/{incident.pk}/evaluation.json").json()["exercise"] is True
    client.post(f"/incidents/{incident.pk}/evaluation/", {"summary": "有序", "lessons": ""})
    incident.refresh_from_db()
    assert incident.state == "evaluated"
    assert enter(loop.heads[0]).get(f"/incidents/{incident.pk}/evaluation/").status_code == 403


def test_the_phone_shows_my_tasks_and_takes_a_number(enter, loop: Loop, incident: Incident) -> None:
    client = enter(loop.grid)
    assert "试验区台风应急响应" in text_of(client.get("/incidents/m/"))
    page = text_of(client.get(f"/incidents/m/{incident.pk}/"))
    assert "转移危险区域人员" in page
    told = {"kind": "trees", "place": loop.east.pk, "value": "12"}
    assert client.post(f"/incidents/m/{incident.pk}/figure/", told).status_code == 302
    jump = text_of(client.post(f"/incidents/m/{incident.pk}/figure/", {**told, "kind": "moved", "value": "5000"}))
    assert "变化较大" in jump and 'name="explanation"' in jump


def test_cards_of_the_desk_the_wall_and_the_phone(enter, loop: Loop, incident: Incident) -> None:
    client = enter(loop.commander)
    desk = text_of(client.get("/"))
    assert "试验区台风应急响应" in desk and "197" in desk
    wall = text_of(client.get("/wall/"))
    assert "Ⅱ级" in wall and "197" in wall
    assert "上报数据" in text_of(enter(loop.heads[0]).get("/m/"))


def test_a_proposal_stands_in_red_on_the_desk(enter, loop: Loop, flood: Plan) -> None:
    loop.publish("orange")
    page = text_of(enter(loop.commander).get("/"))
    assert (
        "建议启动试验区防汛防台专项应急预案Ⅱ级响应" in page
        and f"/incidents/proposals/{loop.proposal().pk}/accept/" in page
    )


def test_pages_speak_english(enter, loop: Loop, incident: Incident) -> None:
    client = enter(loop.commander)
    client.cookies["django_language"] = "en"
    page = text_of(client.get(incident.get_absolute_url()))
    assert "Tasks by organisation" in page and "People moved" in page


def test_the_situation_page_costs_the_same_for_many_tasks(
    enter, loop: Loop, incident: Incident, django_assert_max_num_queries
) -> None:
    client = enter(loop.commander)
    with django_assert_max_num_queries(60):
        client.get(incident.get_absolute_url())


def test_the_list_costs_the_same_for_many_incidents(enter, loop: Loop, towns, django_assert_max_num_queries) -> None:
    loop.publish("orange")
    services.decide(loop.proposal(plan__code="T-FLOOD"), accept=True, by=loop.commander)
    client = enter(loop.commander)
    with django_assert_max_num_queries(22):
        client.get("/incidents/?all=1")


def test_what_is_done_is_shown_when_asked_for(enter, loop: Loop, incident: Incident) -> None:
    loop.done(incident, "watch", "TS1")
    client = enter(loop.commander)
    url = f"/incidents/{incident.pk}/done/{loop.towns[0].pk}/"
    assert url in text_of(client.get(f"/incidents/{incident.pk}/part/board/"))
    assert "加强值班值守" in text_of(client.get(url))
    assert "加强值班值守" not in text_of(enter(loop.heads[1]).get(url)), "a neighbour's is not shown"


def test_what_is_overdue_stands_on_top_of_the_board(enter, loop: Loop, incident: Incident) -> None:
    loop.step(70, run=True)
    obligations.start(loop.task(incident, "move", "TS2"), by=loop.heads[1])
    board = text_of(enter(loop.commander).get(f"/incidents/{incident.pk}/part/board/"))
    assert "逾期" in board
