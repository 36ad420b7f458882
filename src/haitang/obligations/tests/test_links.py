"""Signed answer links: one press answers, without sign-in; forged and expired ones open nothing and are counted. 3.4.2."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from haitang.journal.models import Entry
from haitang.obligations import links, services
from haitang.obligations.models import LinkCount
from haitang.obligations.tests import factories as make


def path(row: Any, user: Any) -> str:
    return urlsplit(links.make(row, user)).path


def counted() -> dict[str, int]:
    return dict(LinkCount.objects.values_list("outcome", "number"))


def test_one_press_answers_as_the_person_of_the_link(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer", detail_zh="请回复是否收到")
    page = client.get(path(row, house.mayor))
    text = page.content.decode()
    assert page.status_code == 200
    assert (
        "转移低洼地区群众" in text
        and "请回复是否收到" in text
        and "mayor同志" in text
        and "data-due" in text
        and house.space.name in text
    )
    answer = client.post(path(row, house.mayor), {"do": "done"})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.state, row.done_by) == ("done", house.mayor)
    assert Entry.objects.get(verb="obligations.done").actor == house.mayor
    assert counted() == {"seen": 1, "used": 1}


def test_pressing_twice_is_harmless(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer")
    for who in (house.mayor, house.mayor, house.deputy):
        assert client.post(path(row, who)).status_code == 302
    row.refresh_from_db()
    assert row.done_by == house.mayor and Entry.objects.filter(verb="obligations.done").count() == 1
    assert "mayor同志" in client.get(path(row, house.deputy)).content.decode()


def test_in_english_for_who_reads_english(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer")
    client.cookies["django_language"] = "en"
    text = client.get(path(row, house.mayor)).content.decode()
    assert "Move people out of low ground" in text and "You answer as" in text and "Comrade mayor" in text


def test_a_task_is_received_then_reported_with_note_photograph_and_place(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space)
    client.post(path(row, house.grid), {"do": "receive"})
    row.refresh_from_db()
    assert (row.state, row.received_by) == ("received", house.grid)
    client.post(
        path(row, house.grid),
        {"do": "done", "note": "已转移 32 人", "photos": make.photo(), "lon": "121.4", "lat": "31.6"},
    )
    row.refresh_from_db()
    assert (row.state, row.done_note, row.done_lon, row.evidence.count()) == ("done", "已转移 32 人", 121.4, 1)


def test_a_refusal_by_link_needs_its_reason(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space)
    assert client.post(path(row, house.mayor), {"do": "refuse", "reason": ""}).status_code == 409
    assert client.post(path(row, house.mayor), {"do": "refuse", "reason": "没有船"}).status_code == 302
    row.refresh_from_db()
    assert row.refused_reason == "没有船"


def test_a_bad_photograph_is_refused_with_the_remedy_and_nothing_is_answered(
    house: SimpleNamespace, client: Any
) -> None:
    row = make.issue(house.east, house.space)
    answer = client.post(path(row, house.mayor), {"do": "done", "photos": make.photo("virus.jpg", b"MZ" + b"\0" * 50)})
    row.refresh_from_db()
    assert answer.status_code == 409 and "virus.jpg" in answer.content.decode() and row.state == "issued"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t[:-1],
        lambda t: t + "x",
        lambda t: "1-1~abc~def",
        lambda t: "x" * 3000,
        lambda t: re.sub(r"^\d+", "999", t),
    ],
)
def test_a_forged_or_cut_off_link_opens_nothing_and_is_counted(house: SimpleNamespace, client: Any, spoil: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer")
    answer = client.post(f"/o/{spoil(links.token(row, house.mayor))}/")
    row.refresh_from_db()
    assert answer.status_code == 404 and row.state == "issued" and row.title_zh not in answer.content.decode()
    assert counted() == {"forged": 1}


def test_an_expired_link_says_so_and_is_counted(
    house: SimpleNamespace, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kind lets its links live two hours of real time, whatever the exercise's clock shows."""
    row = make.issue(house.east, house.space, kind="test.answer")
    where = path(row, house.mayor)
    import time

    real = time.time
    monkeypatch.setattr("django.core.signing.time.time", lambda: real() + 2 * 3600 - 60)
    assert client.get(where).status_code == 200
    monkeypatch.setattr("django.core.signing.time.time", lambda: real() + 2 * 3600 + 60)
    answer = client.post(where)
    row.refresh_from_db()
    assert answer.status_code == 410 and row.state == "issued"
    assert counted() == {"seen": 1, "expired": 1}


def test_the_issuer_can_give_links_another_life(
    house: SimpleNamespace, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make.issue(house.east, house.space, kind="test.answer", data={"link_hours": 0.5})
    where = path(row, house.mayor)
    import time

    real = time.time
    monkeypatch.setattr("django.core.signing.time.time", lambda: real() + 3600)
    assert client.get(where).status_code == 410


def test_the_link_of_a_closed_account_or_of_who_left_is_dead(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer")
    left, closed = path(row, house.deputy), path(row, house.mayor)
    house.deputy.organisation = house.west
    house.deputy.save()
    house.mayor.is_active = False
    house.mayor.save()
    assert client.post(left).status_code == client.post(closed).status_code == 410
    row.refresh_from_db()
    assert row.state == "issued"


def test_a_withdrawn_one_is_told_and_cannot_be_answered(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer")
    where = path(row, house.mayor)
    services.withdraw(row, by=house.duty)
    client.post(where)
    row.refresh_from_db()
    assert row.state == "withdrawn" and client.get(where).status_code == 200


def test_who_may_not_answer_gets_the_page_behind_sign_in(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space)
    assert path(row, house.duty) == row.get_absolute_url()


def test_guessing_is_stopped_but_a_good_link_still_opens(house: SimpleNamespace, client: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.answer")
    codes = [client.get(f"/o/{number}-1~guess~guess/").status_code for number in range(24)]
    assert codes == [404] * 20 + [429] * 4
    assert counted() == {"forged": 20, "limited": 1}
    assert client.get(path(row, house.mayor)).status_code == 200


def test_a_link_of_another_purpose_is_not_taken(house: SimpleNamespace, client: Any) -> None:
    from django.core.signing import TimestampSigner

    row = make.issue(house.east, house.space)
    other = TimestampSigner(sep="~", salt="haitang.elsewhere").sign(f"{row.pk}-{house.mayor.pk}")
    assert client.get(f"/o/{other}/").status_code == 404
