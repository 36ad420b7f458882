"""The machine interface: read what is in reach, answer what is one's own; errors in the house's one form. P1, 3.2.2."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from haitang.accounts.roles import Role
from haitang.accounts.services import mint_token
from haitang.obligations import services
from haitang.obligations.tests import factories as make

BASE = "/api/v1/obligations"


@pytest.fixture
def token(house: SimpleNamespace, client: Any) -> Any:
    """Call the API with a token of one of the house."""

    def call(name: str, rights: tuple[str, ...] = ("read", "obligations:write")) -> Any:
        _token, secret = mint_token(
            name=name, user=getattr(house, name), space=house.space, rights=list(rights), by=house.admin
        )
        headers = {"Authorization": f"Bearer {secret}"}

        def request(path: str, body: Any = None) -> Any:
            if body is None:
                return client.get(f"{BASE}{path}", headers=headers)
            return client.post(f"{BASE}{path}", json.dumps(body), content_type="application/json", headers=headers)

        return request

    return call


def test_the_list_is_scoped_filtered_and_paged(house: SimpleNamespace, token: Any) -> None:
    for _ in range(3):
        make.issue(house.east, house.space, thread="incidents.incident:7")
    make.issue(house.west, house.space)
    make.issue(house.east, make.exercise())
    call = token("mayor")
    assert call("/").json()["count"] == 3
    page = call("/?limit=2&offset=2&status=open&tab=mine&thread=incidents.incident:7").json()
    assert page["count"] == 3 and len(page["items"]) == 1
    assert page["items"][0]["owner"] == "E" and page["items"][0]["state"] == "issued"
    assert token("duty")("/?tab=all").json()["count"] == 4


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "offset=-1", "limit=x", "status=no", "tab=no", "q=" + "x" * 81, "kind=%00"]
)
def test_absurd_questions_are_answered_with_422(house: SimpleNamespace, token: Any, query: str) -> None:
    answer = token("mayor")(f"/?{query}")
    assert answer.status_code == 422 and answer.json()["error"] == "invalid"


def test_detail_with_evidence(house: SimpleNamespace, token: Any) -> None:
    row = make.issue(house.east, house.space)
    services.complete(row, by=house.mayor, note="好了", photos=[make.photo()])
    found = token("duty")(f"/{row.pk}").json()
    assert found["done_note"] == "好了" and found["evidence"][0]["sha256"] == row.evidence.get().sha256


@pytest.mark.parametrize("id", ["0", "999999", str(2**70)])
def test_what_is_not_there_is_404(house: SimpleNamespace, token: Any, id: str) -> None:
    answer = token("mayor")(f"/{id}")
    assert answer.status_code == 404 and answer.json()["error"] == "not_found"


def test_what_is_no_number_is_said_to_be_none(house: SimpleNamespace, token: Any) -> None:
    answer = token("mayor")("/null/receive", {})
    assert answer.status_code == 422 and answer.json()["error"] == "invalid"


def test_the_whole_way_by_machine(house: SimpleNamespace, token: Any) -> None:
    row = make.issue(house.east, house.space, kind="test.check")
    mayor, duty = token("mayor"), token("duty")
    assert mayor(f"/{row.pk}/receive", {}).json()["state"] == "received"
    assert mayor(f"/{row.pk}/start", {}).json()["state"] == "started"
    assert mayor(f"/{row.pk}/complete", {"note": "好了", "lon": 121.4, "lat": 31.6}).json()["done_at"]
    assert mayor(f"/{row.pk}/confirm", {}).status_code == 403
    assert duty(f"/{row.pk}/confirm", {}).json()["state"] == "confirmed"
    again = mayor(f"/{row.pk}/complete", {})
    assert again.status_code == 409 and again.json()["error"] == "refused"


def test_a_report_is_an_object_or_nothing_happens(house: SimpleNamespace, token: Any) -> None:
    row = make.issue(house.east, house.space)
    for wrong in ([None, None], "done", 7, {"lon": 500}, {"note": "x" * 1001}):
        assert token("mayor")(f"/{row.pk}/complete", wrong).status_code == 422
    row.refresh_from_db()
    assert row.state == "issued"


def test_refusing_needs_a_reason(house: SimpleNamespace, token: Any) -> None:
    row = make.issue(house.east, house.space)
    mayor = token("mayor")
    assert mayor(f"/{row.pk}/refuse", {}).status_code == 422
    assert mayor(f"/{row.pk}/refuse", {"reason": "没有船"}).json()["refused_reason"] == "没有船"


def test_what_is_not_ones_own_is_forbidden_or_not_there(house: SimpleNamespace, token: Any) -> None:
    row = make.issue(house.east, house.space)
    assert token("western")(f"/{row.pk}/complete", {}).status_code == 404
    assert token("officer")(f"/{row.pk}/complete", {}).status_code == 403
    assert token("resident")(f"/{row.pk}/complete", {}).status_code == 403


def test_a_token_needs_the_right(house: SimpleNamespace, token: Any) -> None:
    row = make.issue(house.east, house.space)
    call = token("mayor", ("read",))
    assert call("/").status_code == 200
    assert call(f"/{row.pk}/receive", {}).status_code == 403
    assert token("mayor", ("readings:write",))("/").status_code == 403


def test_another_platform_answers_for_what_it_was_asked(house: SimpleNamespace, token: Any) -> None:
    """3.2.2: a neighbour's platform is asked for aid and answers by its token."""
    house.machine = make.user(house.works, Role.MACHINE)
    row = make.issue(house.works, house.space)
    assert token("machine")(f"/{row.pk}/complete", {"note": "派出两艘船"}).json()["state"] == "done"


def test_the_list_costs_few_queries(house: SimpleNamespace, token: Any, django_assert_max_num_queries: Any) -> None:
    for _ in range(20):
        make.issue(house.east, house.space, person=house.mayor)
    call = token("duty")
    with django_assert_max_num_queries(8):
        assert len(call("/").json()["items"]) == 20
