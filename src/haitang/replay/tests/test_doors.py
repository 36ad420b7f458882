"""Readings go in by the same door as a sensor's: with a token of the exercise, over HTTP. Issue 2.5."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import Client

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import ApiToken
from haitang.monitoring import store
from haitang.monitoring.mqtt import Subscriber
from haitang.replay import doors, library, services
from haitang.replay.doors import DoorShut, HttpDoor, InsideDoor
from haitang.replay.driver import open_door
from haitang.replay.models import Run
from haitang.replay.player import Player

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(sanzhou: str) -> Run:
    started = services.start("tiny", by=SYSTEM, pack=sanzhou, speed=600)
    return Run.objects.select_related("space").get(pk=started.pk)


class Wire:
    """The network between door and product: Django's own client in place of sockets; it can be cut."""

    def __init__(self) -> None:
        self.cut = False
        self.seen: list[dict[str, str]] = []

    def post(self, path: str, *, content: bytes, headers: dict[str, str]) -> Any:
        if self.cut:
            raise httpx.ConnectError("cut")
        self.seen.append(headers)
        answer = Client().post(
            path, content, content_type=headers["Content-Type"], headers={"Authorization": headers["Authorization"]}
        )
        return httpx.Response(answer.status_code, content=answer.content)


def test_http_readings_land_in_the_exercise_and_nowhere_else(run: Run) -> None:
    door, wire = HttpDoor(run), Wire()
    door._client = wire  # type: ignore[assignment]
    simulation = library.simulation("tiny", pack="sanzhou")
    first = simulation.between(0, run.begin.timestamp())
    assert door.send(first) == len(first) > 0
    assert store.count_all() == store.count_all(run.space_id) == len(first)
    token = ApiToken.objects.get(name=doors.name_of(run))
    assert (token.space_id, token.rights) == (run.space_id, ["readings:write"])
    assert wire.seen[0]["Authorization"].startswith("Bearer ht_")


def test_a_door_that_is_shut_loses_nothing(run: Run) -> None:
    """The web process is killed: what was due goes in behind the door, and again over it when it is back."""
    door, wire = HttpDoor(run), Wire()
    door._client = wire  # type: ignore[assignment]
    wire.cut = True
    simulation = library.simulation("tiny", pack="sanzhou")
    with pytest.raises(DoorShut):
        door.send(simulation.between(0, run.begin.timestamp()))
    player = Player(run, door, simulation)
    player.play(run.begin)
    assert store.count_all(run.space_id) == len(simulation.between(0, run.begin.timestamp()))
    wire.cut = False
    assert door.send(simulation.between(0, run.begin.timestamp())) > 0
    assert store.count_all(run.space_id) == len(simulation.between(0, run.begin.timestamp()))


def test_a_token_that_was_revoked_shuts_the_door(run: Run) -> None:
    door = HttpDoor(run)
    door._client = Wire()  # type: ignore[assignment]
    doors.revoke(run)
    with pytest.raises(DoorShut, match="401"):
        door.send(library.simulation("tiny", pack="sanzhou").between(0, run.begin.timestamp()))


def test_a_new_process_ends_the_tokens_of_the_one_before(run: Run) -> None:
    doors.mint(run)
    doors.mint(run)
    assert ApiToken.objects.filter(name=doors.name_of(run), revoked_at=None).count() == 1


def test_bodies_are_parted_and_hold_every_reading(monkeypatch) -> None:
    from haitang.replay.tests.storms import simulation

    readings = simulation().between(0, 2e10)
    monkeypatch.setattr(doors, "MOST_ROWS", 700)
    parts = [json.loads(body) for body in doors.bodies(readings)]
    assert all(len(part["series"]) <= 700 for part in parts)
    assert [code for part in parts for code in part["series"]] == list(readings.series)


def test_without_a_broker_the_mqtt_door_says_so(run: Run) -> None:
    with pytest.raises(DoorShut, match="HAITANG_MQTT_URL"):
        doors.MqttDoor(run)


def test_the_inside_door_refuses_what_a_closed_exercise_gets(run: Run) -> None:
    from haitang.accounts.verbs import Refused

    services.stop(run, by=SYSTEM)
    with pytest.raises(Refused):
        InsideDoor(run).send(library.simulation("tiny", pack="sanzhou").between(0, run.begin.timestamp()))


@pytest.mark.django_db(transaction=True)
def test_mqtt_readings_land_in_the_exercise(mqtt_url: str, sanzhou: str, monkeypatch) -> None:
    """Through a real broker, taken from it as the running product takes it."""
    monkeypatch.setenv("HAITANG_MQTT_URL", mqtt_url)
    started = services.start("tiny", by=SYSTEM, pack=sanzhou, speed=600, door="mqtt")
    run = Run.objects.select_related("space").get(pk=started.pk)
    readings = library.simulation("tiny", pack="sanzhou").between(0, run.begin.timestamp())
    subscriber, stop = Subscriber(mqtt_url, f"replay-test-{time.time_ns()}"), threading.Event()

    def serve() -> None:
        try:
            subscriber.run(stop)
        finally:
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert subscriber.subscribed.wait(20)
        door = open_door(run)
        assert isinstance(door, doors.MqttDoor)
        assert door.send(readings) == len(readings) > 0
        until = time.monotonic() + 20
        while store.count_all(run.space_id) < len(readings) and time.monotonic() < until:
            time.sleep(0.05)
        door.close()
    finally:
        stop.set()
        thread.join(20)
    assert store.count_all(run.space_id) == len(readings)
    assert store.count_all() == len(readings), "in no other world"
