"""3.4.2: the composer fills in the words, checks the message while it is written, and shows what each audience will see."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest

from haitang.alerting import services
from haitang.alerting.cap import build
from haitang.alerting.drafting import alarm_cause
from haitang.alerting.inbound import receive
from haitang.alerting.models import Audience, ReceivedWarning, State, Warning
from haitang.alerting.tests import factories as make
from haitang.alerting.tests.samples import alert
from haitang.monitoring.tests import factories as monitoring
from haitang.obligations.models import Obligation

TEXTS = [f"{name}_{language}" for name in ("headline", "description", "instruction") for language in ("zh", "en")]


def text(answer) -> str:
    return answer.content.decode()


def fields(house, **more):
    return {
        "kind": house.typhoon.pk,
        "colour": "orange",
        "places": ["990001"],
        "audiences": ["responsible", "public"],
        **more,
    }


def words_of(page: str) -> dict[str, str]:
    """What stands in the text fields of a page or part."""
    lines = dict(re.findall(r'<input class="form-control[^"]*" id="id_\w+" name="(\w+)" value="([^"]*)"', page))
    areas = re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    return {**lines, **dict(areas)}


def test_from_nothing_the_page_asks_for_an_area_first(house, sign_in):
    page = text(sign_in("duty").get("/alerting/compose/"))
    assert "请先选择范围" in page and "示范区全域" in page and 'value="990003"' in page


def test_an_alarm_gives_kind_colour_area_and_cause(house, live, sign_in):
    station = (
        monitoring.station(house.east, name_zh="东港", quantity="tide_level")
        if False
        else monitoring.station(house.east)
    )
    rule = monitoring.rule(monitoring.series(station))
    monitoring_alarm = _alarm(live, rule)
    page = text(sign_in("duty").get(f"/alerting/compose/?alarm={monitoring_alarm.pk}"))
    words = words_of(page)
    assert f'<option value="{house.surge.pk}" selected>' in page
    assert re.search(r'value="990001" checked', page) and re.search(r'name="colour" value="red" checked', page)
    assert words["headline_zh"] == "示范区应急指挥中心发布风暴潮红色预警[Ⅰ级/特别严重]"
    assert words["description_zh"].startswith(alarm_cause(monitoring_alarm).zh)
    assert words["auto_headline_zh"] == words["headline_zh"]


def _alarm(space, rule):
    from haitang.monitoring.models import Alarm

    return Alarm.objects.create(
        space=space, rule=rule, series=rule.series, station=rule.series.station, place=rule.series.station.place, colour="red", peak_colour="red",
        level=4, what_zh="潮位", what_en="tide level", unit="m", first_value=5.9, peak_value=5.9, peak_at=make.T0, opened_at=make.T0,
        recorded_wall=make.T0,
    )  # fmt: skip


def test_an_alarm_that_has_a_warning_leads_to_it(house, live, sign_in):
    alarm = _alarm(live, monitoring.rule(monitoring.series(monitoring.station(house.east))))
    warning = services.draft_from_alarm(alarm, by=house.duty)
    assert (warning.kind, warning.colour, warning.cause_at) == (house.surge, "red", alarm.opened_at)
    answer = sign_in("duty").get(f"/alerting/compose/?alarm={alarm.pk}")
    assert answer.url == warning.get_absolute_url()


def test_words_follow_the_form_until_they_are_edited(house, live, sign_in):
    client = sign_in("duty")
    page = text(client.post("/alerting/compose/", fields(house), headers={"HX-Request": "true"}))
    words = words_of(page)
    assert 'hx-swap-oob="innerHTML"' in page and "东镇" in words["description_zh"]
    mine = {**words, "description_zh": "东镇今夜有大风。"}
    page = text(
        client.post(
            "/alerting/compose/", fields(house, **mine, colour="red", places=["990002"]), headers={"HX-Request": "true"}
        )
    )
    again = words_of(page)
    assert again["description_zh"] == "东镇今夜有大风。"
    assert "红色" in again["headline_zh"] and "西镇" in again["auto_description_zh"]
    # Nothing new from the template: the fields that somebody is typing in are left alone.
    worded = {"worded_at": re.search(r'name="worded_at" value="([^"]+)"', text(client.get("/alerting/compose/")))[1]}
    first = words_of(text(client.post("/alerting/compose/", fields(house, **worded), headers={"HX-Request": "true"})))
    assert "hx-swap-oob" not in text(
        client.post("/alerting/compose/", fields(house, **worded, **first), headers={"HX-Request": "true"})
    )


def test_the_panel_shows_findings_and_every_audience(house, live, sign_in):
    page = text(sign_in("duty").post("/alerting/compose/", fields(house, audiences=Audience.values, headline_zh="发布台风蓝色预警", auto_headline_zh="x"), headers={"HX-Request": "true"}))  # fmt: skip
    assert "涉及 1 个乡镇" in page and "请注意，" in page and "条短信" in page and "&lt;alert" in page
    assert "标题" in page and "颜色" in page  # the headline announces another colour than the message carries
    assert "English" in page and "中文" in page


def test_the_panel_names_what_is_wrong(house, sign_in):
    page = text(
        sign_in("duty").post(
            "/alerting/compose/", fields(house, places=[], geometry="POLYGON((0 0"), headers={"HX-Request": "true"}
        )
    )
    assert "绘制范围" in page and "findings" in page


def test_saving_keeps_what_was_read_and_submitting_asks_for_approval(house, live, sign_in):
    client = sign_in("duty")
    words = words_of(text(client.post("/alerting/compose/", fields(house), headers={"HX-Request": "true"})))
    saved = client.post(
        "/alerting/compose/", fields(house, **{**words, "instruction_zh": "进屋。\r\n关窗。"}, then="save")
    )
    warning = Warning.objects.get()
    assert saved.url == warning.get_absolute_url()
    assert (warning.state, warning.instruction_zh, warning.headline_zh) == (
        State.DRAFT,
        "进屋。\n关窗。",
        words["headline_zh"],
    )
    client.post(f"/alerting/{warning.pk}/edit/", fields(house, **words, then="submit"))
    warning.refresh_from_db()
    assert (warning.state, warning.edited_by) == (State.SUBMITTED, house.duty)
    assert Obligation.objects.filter(kind="alerting.approve").count() == 1


def test_a_drawn_area_is_kept(house, live, sign_in):
    shape = {
        "type": "Polygon",
        "coordinates": [[[121.2, 31.2], [121.4, 31.2], [121.4, 31.4], [121.2, 31.4], [121.2, 31.2]]],
    }
    sign_in("duty").post("/alerting/compose/", fields(house, places=[], geometry=json.dumps(shape)))
    warning = Warning.objects.get()
    assert warning.geometry.bounds == (121.2, 31.2, 121.4, 31.4)
    assert [area.is_chosen for area in warning.areas.all()] == [False, False]


def test_a_form_with_errors_comes_back_whole(house, live, sign_in):
    answer = sign_in("duty").post("/alerting/compose/", fields(house, onset="2030-01-02T00:00", expires="2030-01-01T00:00", headline_zh="我的标题"))  # fmt: skip
    assert answer.status_code == 422 and "结束早于开始" in text(answer) and "我的标题" in text(answer)
    assert not Warning.objects.exists()


def test_a_draft_opens_with_its_words_and_renews_what_is_the_templates(house, exercise, sign_in):
    warning = make.draft(house, exercise)
    services.edit(warning, by=house.duty, texts=services.Texts(instruction_zh="只听村里通知。"))
    make.pass_time(exercise, 20)
    words = words_of(text(sign_in("duty", exercise).get(f"/alerting/{warning.pk}/edit/")))
    assert words["instruction_zh"] == "只听村里通知。"
    assert "08时00分" in warning.description_zh and "08时20分" in words["description_zh"]


def test_an_update_is_composed_on_the_same_page(house, exercise, sign_in):
    first = make.published(house, exercise)
    client = sign_in("duty", exercise)
    page = text(client.get(f"/alerting/{first.pk}/update/"))
    assert "更新发给原预警的发布对象" in page and 'name="kind"' not in page
    assert words_of(page)["headline_zh"] == "示范区应急指挥中心继续发布台风橙色预警[Ⅱ级/严重]"
    raised = {"colour": "red", "places": ["990001", "990002"], "expires": "2024-09-16T08:00"}
    words = words_of(text(client.post(f"/alerting/{first.pk}/update/", raised, headers={"HX-Request": "true"})))
    assert words["headline_zh"].endswith("将台风橙色预警升级为红色预警")
    client.post(f"/alerting/{first.pk}/update/", {**raised, **words})
    follower = first.followers.get()
    assert (follower.state, follower.colour, follower.msg_type) == (State.DRAFT, "red", "Update")
    # The draft of an update is changed on its own page, beside the warning it follows.
    changed = {**raised, "colour": "yellow", "expires": "2024-09-16T09:00"}
    words = words_of(text(client.post(f"/alerting/{follower.pk}/edit/", changed, headers={"HX-Request": "true"})))
    assert words["headline_zh"].endswith("降级为黄色预警")
    client.post(f"/alerting/{follower.pk}/edit/", {**changed, **words})
    follower.refresh_from_db()
    assert (follower.colour, follower.expires) == ("yellow", make.T0 + timedelta(hours=25))


def test_a_received_message_is_the_beginning_of_a_warning(house, live, sign_in):
    received, _new = receive(space=live, data=build(alert()), by=house.officer)
    page = text(sign_in("duty").get(f"/alerting/compose/?received={received.pk}"))
    assert "收到示范区应急管理局预警" in page and re.search(r'value="orange" checked', page)
    drill, _new = receive(
        space=live,
        data=build(alert(status="Exercise", identifier="99000160000000_20240915080000_1", note="演练")),
        by=house.officer,
    )
    answer = sign_in("duty").get(f"/alerting/compose/?received={drill.pk}", follow=True)
    assert "演练或测试" in text(answer) and answer.redirect_chain[-1][0].endswith(f"/received/{drill.pk}/")
    assert ReceivedWarning.objects.count() == 2


def test_in_an_exercise_the_public_is_not_offered(house, exercise, sign_in):
    page = text(sign_in("duty", exercise).get("/alerting/compose/"))
    assert "演练不对公众发布" in page and 'value="loudspeaker"' not in page


@pytest.mark.parametrize("name", ["east", "admin", "resident"])
def test_who_does_not_compose_does_not_see_the_form(house, live, sign_in, name):
    assert sign_in(name).get("/alerting/compose/").status_code == 403


def test_the_composer_costs_few_queries(house, live, sign_in, django_assert_max_num_queries):
    client = sign_in("duty")
    with django_assert_max_num_queries(30):
        client.post("/alerting/compose/", fields(house), headers={"HX-Request": "true"})


def test_without_a_policy_the_page_says_what_is_missing(db, client, monkeypatch):
    house = SimpleNamespace(root=make.place("990000", "示范区"))
    centre = make.body("C", "中心", house.root, "command")
    client.force_login(make.person("duty", "duty_officer", centre))
    assert "请先选择范围" in text(client.get("/alerting/compose/"))
    assert "尚未载入发布规则" in text(client.get("/alerting/rules/"))
