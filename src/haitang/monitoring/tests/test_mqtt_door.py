"""P4: the MQTT door, against a real Mosquitto. Acknowledged only when durable; nothing lost, nothing doubled."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from django.db import OperationalError, connection
from paho.mqtt.enums import CallbackAPIVersion

from haitang.monitoring import door, store, worker
from haitang.monitoring.models import Alarm, IngestCount
from haitang.monitoring.mqtt import Arrival, Subscriber
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db(transaction=True)
_names = iter(f"test-{time.time_ns()}-{n}" for n in range(10_000))


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


@contextlib.contextmanager
def door_open(url: str, name: str) -> Iterator[Subscriber]:
    """A subscriber at work. On leaving, its connection is simply gone."""
    subscriber, stop = Subscriber(url, name), threading.Event()

    def work() -> None:
        try:
            subscriber.run(stop)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert subscriber.subscribed.wait(20)
        yield subscriber
    finally:
        stop.set()
        thread.join(20)


@pytest.fixture
def publish(mqtt_url: str) -> Iterator[Callable[..., None]]:
    """Publish at QoS 1 and wait until the broker has it."""
    parts = urlsplit(mqtt_url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"sensor-{next(_names)}")
    if parts.username:
        client.username_pw_set(parts.username, parts.password)
    client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
    client.loop_start()

    def send(number: object, body: object, path: str = "readings") -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body)
        client.publish(f"haitang/v1/{number}/{path}", payload, qos=1).wait_for_publish(10)

    yield send
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def space():
    space = make.exercise()
    make.step(space, 100)
    return space


def stored(space, series) -> list[float]:
    return store.read(space.pk, series.pk)[1].tolist()


def outcomes(space):
    return dict(IngestCount.objects.filter(space=space).values_list("outcome", "count"))


def test_what_a_sensor_publishes_is_stored_and_judged(mqtt_url, publish, space):
    rule = make.rule()
    token, _ = make.token(space, name="gauge")
    with door_open(mqtt_url, next(_names)):
        publish(token.pk, make.body(rule.series, (0, 4.5)))
        eventually(Alarm.objects.exists)
    assert stored(space, rule.series) == [4.5]
    assert IngestCount.objects.get(outcome="accepted").source == "mqtt:gauge"
    assert Alarm.objects.get().received_wall is not None


def test_what_is_published_while_we_are_away_arrives_when_we_are_back(mqtt_url, publish, space):
    series, name = make.series(), next(_names)
    token, _ = make.token(space)
    with door_open(mqtt_url, name):
        pass
    publish(token.pk, make.body(series, (0, 1.0)))
    publish(token.pk, make.body(series, (1, 2.0)))
    with door_open(mqtt_url, name):
        eventually(lambda: stored(space, series) == [1.0, 2.0])


def test_a_message_is_acknowledged_only_when_it_is_durable(mqtt_url, publish, space, monkeypatch):
    """The database is away, then the process dies: the broker still has the message and delivers it to the next."""
    series, name = make.series(), next(_names)
    token, _ = make.token(space)
    tried = threading.Event()

    def away(*_given, **_named):
        tried.set()
        raise OperationalError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(door, "receive_all", away)
        with door_open(mqtt_url, name):
            publish(token.pk, make.body(series, (0, 1.0)))
            assert tried.wait(20)
    assert stored(space, series) == []
    with door_open(mqtt_url, name):
        eventually(lambda: stored(space, series) == [1.0])
    with door_open(mqtt_url, name):  # and now the broker has let it go
        publish(token.pk, make.body(series, (1, 2.0)))
        eventually(lambda: stored(space, series) == [1.0, 2.0])
    assert outcomes(space) == {"accepted": 2}


def test_a_database_that_comes_back_gets_what_waited(mqtt_url, publish, space, monkeypatch):
    series = make.series()
    token, _ = make.token(space)
    real, failures = door.receive_all, iter([OperationalError("away")])

    def moody(*given, **named):
        for error in failures:
            raise error
        return real(*given, **named)

    monkeypatch.setattr(door, "receive_all", moody)
    with door_open(mqtt_url, next(_names)):
        publish(token.pk, make.body(series, (0, 1.0)))
        eventually(lambda: stored(space, series) == [1.0])


def test_a_lost_connection_is_made_again_and_loses_nothing(mqtt_url, publish, space):
    series = make.series()
    token, _ = make.token(space)
    with door_open(mqtt_url, next(_names)) as subscriber:
        publish(token.pk, make.body(series, (0, 1.0)))
        eventually(lambda: stored(space, series) == [1.0])
        with contextlib.suppress(OSError):
            subscriber.client.socket().shutdown(socket.SHUT_RDWR)
        eventually(lambda: subscriber._connection == 1)
        publish(token.pk, make.body(series, (1, 2.0)))
        eventually(lambda: stored(space, series) == [1.0, 2.0])


def test_the_same_message_twice_is_stored_once_and_counted(mqtt_url, publish, space):
    series = make.series()
    token, _ = make.token(space)
    with door_open(mqtt_url, next(_names)):
        for _ in range(2):
            publish(token.pk, make.body(series, (0, 1.0)))
        eventually(lambda: outcomes(space) == {"accepted": 1, "duplicate": 1})


def test_bad_messages_do_not_hold_up_good_ones(mqtt_url, publish, space):
    """Unknown token, no right to write, not JSON, wrong unit, a closed exercise, a series of others."""
    series = make.series(make.station(code="A1"))
    other = make.series(make.station(code="B1"))
    token, _ = make.token(space, prefix="A")
    reader, _ = make.token(space, rights=("read",))
    closed = make.exercise()
    closed.is_open = False
    closed.save()
    late, _ = make.token(closed)
    body = make.body(series, (0, 1.0))
    with door_open(mqtt_url, next(_names)):
        for number in (999_999, "x", reader.pk, late.pk):
            publish(number, body)
        publish(token.pk, b"{not json")
        publish(token.pk, {**body, "unit": ["hPa"]})
        publish(token.pk, make.body(other, (0, 1.0)))
        publish(token.pk, make.body(series, (1, 2.0)))
        eventually(lambda: stored(space, series) == [2.0])
    assert outcomes(space) == {"accepted": 1, "body_refused": 1, "wrong_unit": 1, "forbidden": 1}
    assert stored(space, other) == []


class _Client:
    """Stands for paho's client: notes what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    def ack(self, mid: int, _qos: int) -> None:
        self.acknowledged.append(mid)


def test_a_message_of_an_earlier_connection_is_stored_but_not_acknowledged(space):
    """Its number may by now be that of another message, which would be lost."""
    series = make.series()
    token, _ = make.token(space)
    subscriber = Subscriber("mqtt://127.0.0.1")
    subscriber.client = _Client()  # type: ignore[assignment]
    topic, payload = f"haitang/v1/{token.pk}/readings", json.dumps(make.body(series, (0, 1.0))).encode()
    subscriber._disconnected()
    left = subscriber._handle([Arrival(topic, payload, 7, 0), Arrival(topic, payload, 8, 1)])
    assert (left, subscriber.client.acknowledged) == ([], [8])
    assert stored(space, series) == [1.0]


def test_a_message_nobody_can_handle_is_given_up_alone(space, monkeypatch):
    series = make.series()
    token, _ = make.token(space)
    subscriber = Subscriber("mqtt://127.0.0.1")
    subscriber.client = _Client()  # type: ignore[assignment]
    real = door._decode
    poison = lambda parcels, *rest: 1 / 0 if any(p.body == b"poison" for p in parcels) else real(parcels, *rest)  # noqa: E731
    monkeypatch.setattr(door, "_decode", poison)
    topic, good = f"haitang/v1/{token.pk}/readings", json.dumps(make.body(series, (0, 1.0))).encode()
    assert subscriber._handle([Arrival(topic, b"poison", 1, 0), Arrival(topic, good, 2, 0)]) == []
    assert subscriber.client.acknowledged == [1, 2]
    assert stored(space, series) == [1.0]


@pytest.mark.parametrize("url", ["", "http://x", "mqtt://", "127.0.0.1:1883"])
def test_a_wrong_address_says_how_it_is_written(url):
    with pytest.raises(ValueError, match="mqtt://user:password@host:port"):
        Subscriber(url)


def test_of_two_workers_one_opens_the_door_and_the_other_takes_over(tmp_path, monkeypatch):
    monkeypatch.setenv("HAITANG_DATA", str(tmp_path))
    stops, opened = [threading.Event(), threading.Event()], []

    class Door:
        def __init__(self, name: int) -> None:
            self.name = name

        def run(self, stop: threading.Event) -> None:
            opened.append(self.name)
            stop.wait(20)

    threads = [threading.Thread(target=worker._door, args=(Door(n), stop)) for n, stop in enumerate(stops)]
    threads[0].start()
    eventually(lambda: opened == [0])
    threads[1].start()
    stops[0].set()
    eventually(lambda: opened == [0, 1])
    stops[1].set()
    for thread in threads:
        thread.join(20)


def test_an_observation_of_sensorthings_comes_in_by_the_broker(mqtt_url, publish, space):
    """T6: create by publishing, as SensorThings wants it, below the topic of the access token."""
    series = make.series()
    token, _header = make.token(space)
    path = f"sta/Datastreams({series.pk})/Observations"
    with door_open(mqtt_url, next(_names)):
        publish(token.pk, {"phenomenonTime": "2024-09-15T00:00:00Z", "result": 3.5}, path)
        publish(token.pk, {"result": "high"}, path)
        eventually(lambda: outcomes(space).get("body_refused") == 1)
        eventually(lambda: stored(space, series) == [3.5])
