"""Pages of warnings by role: the list, one warning, approval, the record; map, search, desk, wall, phone, API, exports."""

from __future__ import annotations

import io
import re

import pytest
from openpyxl import load_workbook

from haitang.accounts.services import mint_token
from haitang.alerting import answers, cards, services
from haitang.alerting.models import State, Warning
from haitang.alerting.tests import factories as make
from haitang.obligations import services as obligations
from haitang.spaces.models import Space

ALL_PAGES = ["/alerting/", "/alerting/{pk}/", "/alerting/{pk}/cap.xml", "/alerting/received/", "/alerting/rules/"]


def text(answer) -> str:
    return answer.content.decode()


def test_the_list_filters_searches_sorts(house, live, sign_in):
    orange = make.published(house, live)
    blue = make.draft(house, live, colour="blue", kind=house.surge)
    client = sign_in("duty")

    def order(query: str) -> list[int]:
        return [int(pk) for pk in re.findall(r'data-key="warning-(\d+)"', text(client.get(f"/alerting/?{query}")))]

    assert order("") == [blue.pk, orange.pk]
    assert order("state=published") == [orange.pk] and order("state=open") == [blue.pk, orange.pk]
    assert order("colour=blue") == [blue.pk] and order(f"kind={house.typhoon.pk}") == [orange.pk]
    assert order("q=风暴潮") == [blue.pk] and order(f"q={orange.identifier}") == [orange.pk] and order("q=没有") == []
    assert order("sort=-colour") == [orange.pk, blue.pk] and order("sort=nonsense") == [blue.pk, orange.pk]
    assert "没有符合条件的预警" in text(client.get("/alerting/?q=没有"))
    assert "0 / 1" in text(client.get("/alerting/"))


def test_the_list_costs_the_same_for_two_as_for_twenty(house, live, sign_in, django_assert_max_num_queries):
    client = sign_in("duty")
    for _ in range(20):
        make.draft(house, live)
    make.published(house, live)
    with django_assert_max_num_queries(16):
        client.get("/alerting/")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_list_is_exported_as_it_is_filtered(house, live, sign_in, form):
    warning = make.published(house, live)
    make.draft(house, live, kind=house.surge, texts=services.Texts(headline_zh="=1+1 风暴潮橙色预警"))
    client = sign_in("duty")

    def read(query: str) -> list[list[str]]:
        answer = client.get(f"/alerting/export.{form}{query}")
        if form == "csv":
            return [line.split(",") for line in answer.content.decode("utf-8-sig").splitlines()]
        return [[str(cell) for cell in row] for row in load_workbook(io.BytesIO(answer.content)).active.values]

    rows = read("?state=published")
    assert len(rows) == 2 and rows[1][0] == warning.identifier and rows[1][-2:] == ["0", "1"]
    assert any("'=1+1" in cell for row in read("") for cell in row)
    assert client.get("/alerting/export.pdf").status_code == 404


def test_a_commander_sees_what_goes_out_and_decides_on_the_page(house, live, sign_in):
    warning = make.draft(house, live, places=[house.root])
    services.submit(warning, by=house.duty)
    client = sign_in("chief")
    page = text(client.get(f"/alerting/{warning.pk}/"))
    assert (
        "是否同意发布" in page
        and "批准并发布" in page
        and "涉及 3 个乡镇" in page
        and "水务局" in page
        and "&lt;alert" in page
    )
    client.post(f"/alerting/{warning.pk}/approve/", {"then": "publish"})
    warning.refresh_from_db()
    assert (warning.state, warning.approved_by) == (State.PUBLISHED, house.chief)
    assert "叫应确认" in text(client.get(f"/alerting/{warning.pk}/"))


def test_whoever_wrote_it_is_told_to_wait(house, live, sign_in):
    warning = make.draft(house, live, by=house.chief)
    services.submit(warning, by=house.chief)
    page = text(sign_in("chief").get(f"/alerting/{warning.pk}/"))
    assert "须由他人审批" in page and "批准并发布" not in page and "second同志" in page
    answer = sign_in("chief").post(f"/alerting/{warning.pk}/approve/")
    assert answer.status_code == 403


def test_sending_back_asks_for_a_reason(house, live, sign_in):
    warning = make.draft(house, live)
    services.submit(warning, by=house.duty)
    client = sign_in("chief")
    assert "需要修改之处" in text(client.get(f"/alerting/{warning.pk}/reject/"))
    assert client.post(f"/alerting/{warning.pk}/reject/", {"reason": ""}).status_code == 200
    client.post(f"/alerting/{warning.pk}/reject/", {"reason": "加上西镇"})
    page = text(sign_in("duty").get(f"/alerting/{warning.pk}/"))
    assert "已退回" in page and "加上西镇" in page


def test_the_buttons_follow_state_and_role(house, live, sign_in):
    warning = make.draft(house, live)
    buttons = {
        "submit": "/submit/",
        "publish": 'speakerphone"/></svg>发布',
        "cancel": "/cancel/",
        "update": "/update/",
        "edit": "/edit/",
    }

    def shown(name: str) -> set[str]:
        page = text(sign_in(name).get(warning.get_absolute_url()))
        return {
            key for key, sign in buttons.items() if sign in page.split('id="decide"')[1].split("ht-grid wide-side")[0]
        }

    assert shown("duty") == {"submit", "edit"}
    services.submit(warning, by=house.duty)
    assert shown("duty") == set()
    services.approve(warning, by=house.chief)
    assert shown("duty") == {"publish"} and shown("officer") == set()
    services.publish(warning, by=house.duty)
    assert shown("duty") == {"update", "cancel"} and shown("officer") == {"update", "cancel"}
    assert shown("east") == set()


def test_a_refused_press_says_why_on_the_page(house, live, sign_in):
    warning = make.draft(house, live)
    answer = sign_in("duty").post(f"/alerting/{warning.pk}/publish/", headers={"Referer": f"http://testserver/alerting/{warning.pk}/"}, follow=True)  # fmt: skip
    assert "只有已批准的预警可以发布" in text(answer)


def test_call_again_is_one_press(house, live, sign_in):
    warning = make.published(house, live)
    one = answers.asked(warning).get()
    client = sign_in("duty")
    assert "再次叫应" in text(client.get(f"/alerting/{warning.pk}/", headers={"HX-Target": "board"}))
    answer = client.post(f"/alerting/{warning.pk}/remind/{one.pk}/", follow=True)
    assert "已再次叫应：east同志、east2同志" in text(answer)
    assert sign_in("east").post(f"/alerting/{warning.pk}/remind/{one.pk}/").status_code == 403


def test_a_part_is_read_again_by_itself(house, live, sign_in):
    warning = make.published(house, live)
    client = sign_in("duty")
    for part in ("decide", "board", "record"):
        answer = text(client.get(f"/alerting/{warning.pk}/", headers={"HX-Target": part}))
        assert "<html" not in answer and len(answer) > 100


def test_the_page_of_a_district_wide_warning_costs_bounded_queries(house, live, sign_in, django_assert_max_num_queries):
    warning = make.published(house, live, places=[house.root])
    obligations.run_due(live)
    client = sign_in("duty")
    with django_assert_max_num_queries(42):
        client.get(f"/alerting/{warning.pk}/")
    with django_assert_max_num_queries(24):
        client.get(f"/alerting/{warning.pk}/", headers={"HX-Target": "board"})


def test_scope_by_role(house, live, sign_in, client):
    """A township reads what names it once it is published; drafts are for the district; the public reads public ones."""
    named, other = make.published(house, live), make.published(house, live, places=[house.west])
    draft = make.draft(house, live)
    inner = make.published(house, live, places=[house.west], audiences=["responsible"], cap_scope="Restricted")
    seen = {
        name: set(Warning.objects.visible_to(user).values_list("pk", flat=True)) for name, user in house.people.items()
    }
    every = {named.pk, other.pk, draft.pk, inner.pk}
    for name in ("chief", "second", "duty", "admin", "officer"):
        assert seen[name] == every
    assert seen["east"] == {named.pk, other.pk} and seen["west"] == {named.pk, other.pk, inner.pk}
    assert seen["resident"] == {named.pk, other.pk}
    assert sign_in("east").get(f"/alerting/{draft.pk}/").status_code == 404
    assert sign_in("east").get(f"/alerting/{inner.pk}/cap.xml").status_code == 404


def test_a_township_does_not_learn_of_a_draft_update(house, live, sign_in):
    warning = make.published(house, live)
    draft = services.update(warning, by=house.duty, colour="red")
    address = draft.get_absolute_url()
    assert address in text(sign_in("duty").get(warning.get_absolute_url()))
    assert address not in text(sign_in("east").get(warning.get_absolute_url()))


def test_another_space_is_not_seen(house, live, exercise, sign_in):
    warning = make.published(house, exercise)
    assert sign_in("duty").get(f"/alerting/{warning.pk}/").status_code == 404
    assert sign_in("duty", exercise).get(f"/alerting/{warning.pk}/").status_code == 200
    assert "没有预警" in text(sign_in("duty").get("/alerting/")) or "还没有预警" in text(
        sign_in("duty").get("/alerting/")
    )


@pytest.mark.parametrize("path", ALL_PAGES)
def test_nobody_reads_the_officials_pages_without_signing_in(house, live, client, path):
    warning = make.published(house, live)
    answer = client.get(path.format(pk=warning.pk))
    assert answer.status_code == 302 and "/accounts/login/" in answer.url


@pytest.mark.parametrize("name", ["chief", "duty", "admin", "officer", "east"])
@pytest.mark.parametrize("path", ALL_PAGES)
def test_officials_read_them(house, live, sign_in, name, path):
    warning = make.published(house, live)
    assert sign_in(name).get(path.format(pk=warning.pk)).status_code == 200


def test_the_words_can_be_edited_by_an_administrator(house, live, sign_in):
    template = house.typhoon.templates.get(colour="red")
    url = f"/alerting/rules/templates/{template.pk}/"
    given = {
        **make.WORDS,
        "headline_zh": "{sender}发布{kind}{colour}预警，请注意",
        "valid_hours": "6",
        "source": "自拟",
    }
    assert "disabled" in text(sign_in("duty").get(url)) and sign_in("duty").post(url, given).status_code == 403
    wrong = sign_in("admin").post(url, {**given, "description_zh": "{town}有风"})
    assert wrong.status_code == 200 and "未知占位符" in text(wrong)
    assert sign_in("admin").post(url, given).status_code == 302
    assert make.draft(house, live, colour="red").headline_zh.endswith("预警，请注意")


def test_cards_of_desk_wall_and_phone(house, live, rf):
    warning = make.published(house, live, places=[house.root])
    waiting = make.draft(house, live, kind=house.surge)

    def shown(card, name: str):
        request = rf.get("/")
        request.user, request.space = house.people[name], live
        return card(request)

    desk = shown(cards.desk, "duty").context
    assert ([one.pk for one in desk["waiting"]], [one.pk for one in desk["warnings"]]) == ([waiting.pk], [warning.pk])
    assert desk["warnings"][0].answered == (0, 3)
    assert shown(cards.desk, "east").context["waiting"] == []
    assert shown(cards.phone, "east").context["warnings"] == [warning]
    silent = shown(cards.unanswered, "chief")
    assert (silent.context["total"], silent.colour) == (3, "")
    assert shown(cards.wall, "chief").context["total"] == 1


def test_nothing_is_unanswered_where_nothing_is_in_force(house, live, rf):
    request = rf.get("/")
    request.user, request.space = house.duty, live
    assert cards.unanswered(request) is None and cards.phone(request) is None


def test_the_map_shows_what_stood_at_the_time(house, exercise, sign_in):
    warning = make.published(house, exercise, places=[house.east], colour="red")
    make.pass_time(exercise, 60)
    make.follow(house, services.cancel(warning, by=house.duty))
    make.pass_time(exercise, 60)
    client = sign_in("duty", exercise)

    def at(moment: str) -> list[dict]:
        answer = client.get(f"/onemap/layers/alerting.warnings.geojson{moment}")
        return [
            feature["properties"]
            for feature in __import__("json").loads(
                b"".join(answer.streaming_content) if answer.streaming else answer.content
            )["features"]
        ]

    assert at("") == []
    (then,) = at("?at=2024-09-15T08:30:00%2B08:00")
    assert (then["colour"], then["url"]) == ("red", f"/alerting/{warning.pk}/") and then["subtitle"].startswith("东镇")


def test_a_warning_is_found_by_its_words(house, live, sign_in):
    warning = make.published(house, live)
    found = sign_in("duty").get("/onemap/search?q=台风橙色").json()
    assert warning.get_absolute_url() in str(found)


def test_the_api_lists_reads_and_serves_the_bytes(house, live, client):
    warning = make.published(house, live)
    make.draft(house, live)
    _token, secret = mint_token(name="市平台", user=house.officer, space=live, rights=["read"], by=house.admin)
    auth = {"Authorization": f"Bearer {secret}"}
    listed = client.get("/api/v1/alerting/warnings?state=published", headers=auth).json()
    assert (listed["count"], listed["results"][0]["identifier"]) == (1, warning.identifier)
    one = client.get(f"/api/v1/alerting/warnings/{warning.pk}", headers=auth).json()
    assert (one["places"], one["event_code"], one["asked"], one["answered"]) == (["990001"], "11B01", 1, 0)
    assert client.get(f"/api/v1/alerting/warnings/{warning.pk}/cap", headers=auth).content == bytes(
        Warning.objects.get(pk=warning.pk).cap_xml
    )
    assert client.get("/api/v1/alerting/warnings/999999999999999999999", headers=auth).status_code == 404
    assert client.get("/api/v1/alerting/warnings?colour=pink", headers=auth).status_code == 422
    assert client.get("/api/v1/alerting/warnings").status_code == 401
    _token, other = mint_token(name="别的", user=house.officer, space=live, rights=["readings:write"], by=house.admin)
    assert client.get("/api/v1/alerting/warnings", headers={"Authorization": f"Bearer {other}"}).status_code == 403
    assert Space.live() == live
