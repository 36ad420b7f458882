"""WeCom group robots (3.4.2)."""

import pytest

from haitang.delivery import services
from haitang.delivery.models import Hook
from haitang.delivery.services import Recipient
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db
URL = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k1"
OK = {"errcode": 0, "errmsg": "ok"}


@pytest.fixture
def body():
    body = make.organisation()
    Hook.objects.create(organisation=body, channel="wecom", url=URL)
    return body


def said(live, *to, **fields):
    message = make.message(live, *to, channels=["wecom"], **fields)
    services.pump(live)
    return list(services.receipts(message))


def test_a_group_is_told_once_and_its_people_are_mentioned(live, wire, body):
    wire.says(200, OK)
    people = [make.user(organisation=body, wecom_id=name) for name in ("zhang", "li")]
    rows = said(live, *people, url="/w/7/")
    assert len(rows) == 1 and rows[0].user is None and rows[0].name == body.name_zh
    assert str(wire.requests[0].url) == URL
    assert wire.bodies[0]["msgtype"] == "text"
    assert wire.bodies[0]["text"]["mentioned_list"] == ["zhang", "li"]
    assert wire.bodies[0]["text"]["content"].startswith("台风黄色预警\n请做好防御准备。\nhttp")
    assert (rows[0].state, rows[0].is_simulated) == ("delivered", False)


def test_people_without_an_account_there_are_mentioned_by_number(live, wire, body):
    wire.says(200, OK)
    said(live, make.user(organisation=body, wecom_id="", phone="13800000001"))
    assert wire.bodies[0]["text"]["mentioned_mobile_list"] == ["13800000001"]


def test_a_person_s_own_link_never_stands_in_a_group(live, wire, body):
    wire.says(200, OK)
    person = make.user(organisation=body)
    said(live, Recipient.of(person, url="https://h.example/o/token/"), url="/w/7/")
    said(live, Recipient.of(person, url="https://h.example/o/token/"), url="/w/7/", in_order=True)
    assert len(wire.requests) == 2
    assert all("token" not in request.content.decode() for request in wire.requests)


def test_long_words_are_cut_to_what_the_robot_takes_and_the_link_stays(live, wire, body):
    wire.says(200, OK)
    said(live, make.user(organisation=body), body_zh="防" * 3000, url="/w/7/")
    content = wire.bodies[0]["text"]["content"]
    assert len(content.encode()) <= 2048
    assert content.endswith("/w/7/")


def test_an_organisation_without_a_robot_uses_that_of_the_one_above_it(live, wire, body):
    wire.says(200, OK)
    below = make.organisation(parent=body)
    rows = said(live, make.user(organisation=below), make.user(organisation=body))
    assert [row.organisation for row in rows] == [body]


def test_the_operator_s_robot_serves_those_without_one_else_the_simulator(live, wire, monkeypatch):
    wire.says(200, OK)
    other = make.organisation(code="T1")
    assert said(live, make.user(organisation=other))[0].is_simulated
    assert str(wire.requests[0].url).endswith("/wecom/cgi-bin/webhook/send?key=T1")
    monkeypatch.setenv("HAITANG_WECOM_URL", f"{URL}2")
    assert not said(live, make.user(organisation=other))[0].is_simulated
    assert str(wire.requests[1].url) == f"{URL}2"


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, "queued", "rate"),
        ({"errcode": -1, "errmsg": "system busy"}, "queued", "server: -1 system busy"),
        ({"errcode": 93000, "errmsg": "invalid webhook url"}, "failed", "credentials: 93000 invalid webhook url"),
        ({"errcode": 40008, "errmsg": "invalid message type"}, "failed", "rejected: 40008 invalid message type"),
        ({"hello": 1}, "queued", "answer"),
    ],
)
def test_the_error_is_in_the_answer_not_in_the_status(live, wire, body, answer, state, reason):
    wire.says(200, answer)
    row = said(live, make.user(organisation=body))[0]
    assert (row.state, row.reason) == (state, reason)


def test_a_robot_that_said_too_often_gets_nothing_for_a_while_and_the_others_go_on(live, wire, body):
    wire.answer = lambda request: __import__("httpx").Response(
        200, json={"errcode": 45009, "errmsg": "x"} if "key=k1" in str(request.url) else OK
    )
    other = make.organisation()
    said(live, make.user(organisation=body))
    rows = said(live, make.user(organisation=body), make.user(organisation=other))
    assert sorted((row.organisation_id == other.pk, row.state, row.attempts) for row in rows) == [
        (False, "queued", 0),
        (True, "delivered", 1),
    ]
