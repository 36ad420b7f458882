"""P1, 3.2.2, 3.4.2: CAP messages from other platforms come in as they are, with findings; what is dangerous stays out."""

from __future__ import annotations

import pytest

from haitang.accounts.services import mint_token
from haitang.alerting.cap import build
from haitang.alerting.cap_xml import MAX_BYTES
from haitang.alerting.models import ReceivedWarning, Refusal, Warning
from haitang.alerting.tests.samples import alert, info
from haitang.journal.models import Entry

URL = "/api/v1/alerting/cap"


@pytest.fixture
def send(house, live, client):
    secret = mint_token(name="市平台", user=house.officer, space=live, rights=["cap:write"], by=house.admin)[1]

    def post(data: bytes, secret: str = secret, **headers):
        return client.post(
            URL, data, content_type="application/cap+xml", headers={"Authorization": f"Bearer {secret}", **headers}
        )

    return post


def refused() -> dict[str, int]:
    return dict(Refusal.objects.values_list("reason", "count"))


def test_a_message_is_kept_as_it_came_with_what_the_validator_found(house, live, send):
    data = build(alert(infos=(info(instruction=None),)))
    answer = send(data)
    assert answer.status_code == 201
    received = ReceivedWarning.objects.get()
    assert bytes(received.cap_xml) == data and (received.colour, received.event, received.space) == (
        "orange",
        "暴雨",
        live,
    )
    assert answer.json()["identifier"] == "99000160000000_20240915080000_0"
    assert Entry.objects.filter(verb="alerting.receive").count() == 1
    # It is not passed on, and is no warning of ours.
    assert not Warning.objects.exists()


def test_the_same_bytes_again_are_kept_once(send):
    data = build(alert())
    assert [send(data).status_code for _ in range(2)] == [201, 200]
    assert ReceivedWarning.objects.count() == 1


def test_another_text_under_the_same_name_is_refused_and_counted(send):
    send(build(alert()))
    answer = send(build(alert(infos=(info(description="换了内容"),))))
    assert answer.status_code == 409 and "须使用新的标识" in answer.json()["detail"]
    assert refused() == {"conflict": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<?xml version='1.0'?><rss/>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'><note>&x;</note></alert>",
        b"<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><alert>&b;</alert>",
        b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'>" + b"<a>" * 200 + b"</a>" * 200 + b"</alert>",
    ],
    ids=["empty", "text", "other", "external entity", "entity bomb", "deep"],
)
def test_what_cannot_or_must_not_be_read_is_refused_with_the_reason_and_counted(send, data):
    answer = send(data)
    assert answer.status_code == 422
    assert answer.json()["detail"]["fix_zh"]
    assert refused() == {"unreadable": 1} and not ReceivedWarning.objects.exists()


def test_a_huge_message_is_refused_unread(send):
    answer = send(b"<alert>" + b" " * MAX_BYTES + b"</alert>")
    assert answer.status_code == 413 and refused() == {"unreadable": 1}


def test_a_token_without_the_right_is_refused(house, live, send):
    other = mint_token(name="只读", user=house.officer, space=live, rights=["read"], by=house.admin)[1]
    assert send(build(alert()), secret=other).status_code == 403
    assert send(build(alert()), secret="ht_none").status_code == 401


def test_the_tokens_space_decides_where_it_goes(house, exercise, send):
    secret = mint_token(name="演练", user=house.officer, space=exercise, rights=["cap:write"], by=house.admin)[1]
    send(build(alert()), secret=secret)
    assert ReceivedWarning.objects.get().space == exercise


def test_received_messages_are_read_by_those_who_work_with_warnings(house, live, send, sign_in, client):
    send(build(alert(infos=(info(headline="<script>alert(1)</script>预警"),))))
    received = ReceivedWarning.objects.get()
    page = sign_in("duty").get(f"/alerting/received/{received.pk}/").content.decode()
    assert "&lt;script&gt;" in page and "<script>alert" not in page
    raw = sign_in("duty").get(f"/alerting/received/{received.pk}/cap.xml")
    assert raw.content == bytes(received.cap_xml) and raw["Content-Disposition"].startswith("attachment")
    listed = sign_in("duty").get("/alerting/received/").content.decode()
    assert received.sender in listed
    assert sign_in("resident").get(f"/alerting/received/{received.pk}/").status_code == 404
