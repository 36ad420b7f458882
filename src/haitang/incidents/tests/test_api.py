"""Machines read incidents and send figures, with the same rules as people (P1: the city platform)."""

from __future__ import annotations

import json

import pytest

from haitang.accounts import tokens
from haitang.accounts.models import ApiToken
from haitang.accounts.roles import Role
from haitang.incidents import services
from haitang.incidents.models import Figure, Incident
from haitang.incidents.tests.factories import Loop
from haitang.plans.models import Plan

BASE = "/api/v1/incidents/incidents"


@pytest.fixture
def incident(loop: Loop, flood: Plan) -> Incident:
    return loop.start(2)


@pytest.fixture
def machine(client, loop: Loop):
    """Calls with a token of the exercise."""
    secret = tokens.new_secret()
    user = loop.person(Role.MACHINE, loop.command)
    ApiToken.objects.create(
        name="city", digest=tokens.digest(secret), user=user, space=loop.space, rights=["read", "incidents:write"]
    )
    headers = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}

    class Machine:
        def get(self, path: str = ""):
            return client.get(BASE + path, **headers)

        def post(self, path: str, body: object):
            return client.post(BASE + path, json.dumps(body), content_type="application/json", **headers)

    return Machine()


def test_incidents_are_listed(machine, incident: Incident) -> None:
    [row] = machine.get().json()["items"]
    assert (row["level"], row["colour"], row["plan"], row["exercise"]) == ("II", "orange", "T-FLOOD", True)
    assert machine.get("?state=ended").json()["items"] == []
    assert machine.get("?state=nonsense").status_code == 422


def test_one_incident_tells_its_decisions_and_totals(machine, loop: Loop, incident: Incident) -> None:
    services.report_figure(incident, kind="moved", value=120, by=loop.heads[0])
    told = machine.get(f"/{incident.pk}").json()
    assert told["places"] == ["900001", "900002", "900003"]
    assert told["changes"][0]["level_to"] == 2 and told["changes"][0]["term_hours"] == 24
    assert told["totals"] == [{"kind": "moved", "value": 120, "unit": "人", "places": {"900001": 120}}]
    assert machine.get("/999999").status_code == 404
    assert machine.get(f"/{2**70}").status_code in (404, 422)


def test_a_figure_is_sent(machine, incident: Incident) -> None:
    answer = machine.post(
        f"/{incident.pk}/figures", {"kind": "outages", "value": 153, "place": "900002", "source": "电力公司"}
    )
    assert answer.status_code == 201 and answer.json()["place"] == "900002"
    assert [row["value"] for row in machine.get(f"/{incident.pk}/figures?kind=outages").json()["items"]] == [153]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"kind": "horses", "value": 1}, 409, "统计"),
        ({"kind": "moved", "value": -1}, 422, "value"),
        ({"kind": "moved", "value": "many"}, 422, "value"),
        ({"kind": "moved"}, 422, "value"),
        ({"kind": "moved", "value": 1.5}, 409, "整数"),
        ({"kind": "moved", "value": 1, "place": "123"}, 404, ""),
        ({"kind": "moved", "value": 1, "at": "2024-09-15T08:00:00"}, 409, "offset"),
        ({"kind": "moved", "value": 1, "at": "2030-01-01T00:00:00+08:00"}, 409, "晚于现在"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_with_its_reason(
    machine, incident: Incident, body, status: int, says: str
) -> None:
    answer = machine.post(f"/{incident.pk}/figures", body)
    assert answer.status_code == status and says in json.dumps(answer.json(), ensure_ascii=False)
    assert not Figure.objects.exists()


def test_a_jump_needs_its_explanation(machine, incident: Incident) -> None:
    machine.post(f"/{incident.pk}/figures", {"kind": "moved", "value": 100, "place": "900001"})
    jump = {"kind": "moved", "value": 5000, "place": "900001"}
    assert machine.post(f"/{incident.pk}/figures", jump).status_code == 409
    assert machine.post(f"/{incident.pk}/figures", {**jump, "explanation": "汇总补报"}).status_code == 201


def test_a_token_without_the_right_only_reads(client, loop: Loop, incident: Incident) -> None:
    secret = tokens.new_secret()
    user = loop.person(Role.MACHINE, loop.command)
    ApiToken.objects.create(name="reader", digest=tokens.digest(secret), user=user, space=loop.space, rights=["read"])
    head = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    assert client.get(BASE, **head).status_code == 200
    answer = client.post(
        f"{BASE}/{incident.pk}/figures",
        json.dumps({"kind": "moved", "value": 1}),
        content_type="application/json",
        **head,
    )
    assert answer.status_code == 403


def test_reports_are_read_with_their_clocks(machine, loop: Loop, incident: Incident) -> None:
    [row] = machine.get(f"/{incident.pk}/reports").json()["items"]
    assert (row["stage"], row["late"], row["sent_at"]) == ("first", False, None) and row["due_at"]


def test_without_a_token_nothing_is_read(client, incident: Incident) -> None:
    assert client.get(BASE).status_code == 401
