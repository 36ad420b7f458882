"""Cell broadcast in the fields of 3GPP TS 23.041 (issue 3, "Deliver")."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.delivery import cell_broadcast as cb
from haitang.delivery import services, simulators
from haitang.delivery.sent_store import Store
from haitang.delivery.services import Recipient
from haitang.delivery.simulators import CALM, Gateways
from haitang.delivery.tests import factories as make

SQUARE = [[121.0, 31.0], [121.1, 31.0], [121.1, 31.1], [121.0, 31.1], [121.0, 31.0]]


def ring(vertices: int):
    turn = [2 * math.pi * n / (vertices - 1) for n in range(vertices - 1)]
    points = [(121 + 0.1 * math.cos(a), 31 + 0.1 * math.sin(a)) for a in turn]
    return [*points, points[0]]


@given(st.integers(0, 1023), st.integers(0, 40), st.integers(0, 3))
def test_a_serial_number_is_read_back(code, update, scope):
    assert cb.parts_of(cb.serial_number(code, update, scope)) == (scope, code, update % 16)


def test_the_identifiers_are_those_of_the_standard():
    assert cb.message_identifier("Extreme", "Immediate", "Observed") == 4371
    assert cb.message_identifier("Severe", "Future", "Possible") == 4378
    with pytest.raises(cb.BroadcastError):
        cb.message_identifier("Moderate", "Immediate", "Observed")


@given(st.text(st.characters(max_codepoint=0xD7FF, exclude_characters="\r"), max_size=900))
def test_a_text_stands_in_pages_of_82_octets(text):
    pages = cb.pages(text)
    assert 1 <= len(pages) <= 15 and all(len(page["content"]) == 164 for page in pages)
    assert cb.words(pages) == (text if len(text) <= 615 else f"{text[:614]}…")


@pytest.mark.parametrize(("vertices", "good"), [(3, False), (4, True), (100, True), (101, False)])
def test_a_polygon_has_at_most_a_hundred_vertices(vertices, good):
    if good:
        cb.check_area([ring(vertices)])
    else:
        with pytest.raises(cb.BroadcastError, match="vertices"):
            cb.check_area([ring(vertices)])


def test_an_open_ring_and_latitude_first_are_refused():
    with pytest.raises(cb.BroadcastError, match="closed"):
        cb.check_area([SQUARE[:-1]])
    with pytest.raises(cb.BroadcastError, match="earth"):
        cb.check_area([[(lat, lon) for lon, lat in SQUARE]])


@given(st.floats(0, 1e7))
def test_what_we_ask_for_is_what_an_entity_takes(seconds):
    request = cb.Broadcast(
        identifier=4371, serial=cb.serial_number(7, 0), text="台风红色预警", polygons=[SQUARE], seconds=seconds
    )
    body = request.as_json()
    assert cb.problems(body) == []
    covered = body["repetitionPeriod"] * body["numberOfBroadcastsRequested"]
    assert covered >= min(seconds, cb.PERIOD_S * cb.MOST_BROADCASTS)


def asked(**more):
    given = {"identifier": 4371, "code": 7, "update": 0, "polygons": [SQUARE]}
    return {"broadcast": {**given, **more}}


@pytest.mark.django_db
def test_one_request_goes_to_the_entity_for_the_whole_area(live, wire, monkeypatch):
    monkeypatch.setenv("HAITANG_CELLBROADCAST_URL", "https://cbe.example.org/v1")
    until = datetime.now(UTC) + timedelta(hours=1)
    make.message(
        live,
        Recipient(organisation=make.organisation(code="C")),
        channels=["cellbroadcast"],
        data=asked(until=until.isoformat()),
    )
    services.pump(live)
    body = wire.bodies[0]
    assert cb.problems(body) == [] and cb.words(body["pages"]).startswith("台风黄色预警")
    assert 118 <= body["numberOfBroadcastsRequested"] <= 120
    assert wire.requests[0].headers["Authorization"].startswith("Bearer ")


@pytest.mark.django_db
def test_an_end_stops_the_broadcast(live, wire):
    data = {"broadcast": {"stop": {"identifier": 4371, "serial": 99}}}
    make.message(live, Recipient(organisation=make.organisation()), channels=["cellbroadcast"], data=data)
    services.pump(live)
    assert (wire.bodies[0]["action"], wire.bodies[0]["serialNumber"]) == ("stop", 99)


@pytest.mark.django_db
@pytest.mark.parametrize("data", [{}, asked(polygons=[ring(120)]), asked(polygons=[]), asked(code=4000)])
def test_what_cannot_be_broadcast_is_given_up_with_the_reason(live, wire, data):
    message = make.message(live, Recipient(organisation=make.organisation()), channels=["cellbroadcast"], data=data)
    services.pump(live)
    row = message.deliveries.get()
    assert row.state == "failed" and row.reason.partition(":")[0] in {"no_area", "rejected"} and wire.requests == []


def test_the_simulated_entity_checks_every_field(tmp_path):
    all_ = Gateways(Store(tmp_path / "s.sqlite3"), "t", CALM)
    body = cb.Broadcast(identifier=4371, serial=5, text="x", polygons=[SQUARE], seconds=60).as_json()
    headers = {"authorization": "Bearer t", "idempotency-key": "k"}
    assert simulators.broadcast(all_, "cellbroadcast", body, headers, "/")[0] == 202
    for name, value in (("messageIdentifier", 1), ("serialNumber", -1), ("pages", []), ("warningArea", {"polygons": [SQUARE[:2]]}),
                        ("action", "shout"), ("repetitionPeriod", 5000)):  # fmt: skip
        assert simulators.broadcast(all_, "cellbroadcast", {**body, name: value}, headers, "/")[0] == 422
    assert simulators.broadcast(all_, "cellbroadcast", body, {}, "/")[0] == 401
