"""Loudspeakers and screens over a broker (issue 3, "Deliver"): letters out, receipts with proof in."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from haitang.delivery import device_line, device_simulator, gateways, services, transport
from haitang.delivery.channel import CHANNELS, Letter
from haitang.delivery.models import Tally
from haitang.delivery.sent_store import Store
from haitang.delivery.services import Recipient
from haitang.delivery.simulators import CALM, Gateways
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


class Broker:
    """A broker in the same process: what is published is kept, what devices say arrives."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict]] = []
        self.acked: list[int] = []
        self.arrived = {}
        self.away = False

    def publish(self, topic, body, qos=0):
        self.published.append((topic, json.loads(body)))
        return SimpleNamespace(wait_for_publish=lambda _s: None, is_published=lambda: not self.away)

    def ack(self, mid, qos):
        self.acked.append(mid)

    def disconnect(self):
        pass

    loop_stop = disconnect

    def says(self, channel, mid=1, **body):
        self.arrived[channel](SimpleNamespace(payload=json.dumps(body).encode(), mid=mid, qos=1))


@pytest.fixture
def broker(monkeypatch):
    found = Broker()

    def connect(permit, url, name, topic, arrived):
        transport.require(permit)
        found.arrived[topic.rpartition("/")[2]] = arrived
        return found

    monkeypatch.setattr(transport, "broker", connect)
    monkeypatch.setenv("HAITANG_LOUDSPEAKER_URL", "mqtt://broker.example.org")
    monkeypatch.setenv("HAITANG_SCREEN_URL", "mqtt://broker.example.org")
    yield found
    device_line.close_all()


def spoken(live, **fields):
    return make.message(
        live, Recipient(organisation=make.organisation(code="V/1")), channels=["loudspeaker", "screen"], **fields
    )


def test_each_device_is_told_on_its_own_topic(live, broker):
    message = spoken(live)
    services.pump(live)
    assert sorted(topic for topic, _body in broker.published) == [
        "haitang/v1/devices/loudspeaker/V_1", "haitang/v1/devices/screen/V_1",
    ]  # fmt: skip
    assert {body["key"] for _t, body in broker.published} == set(message.deliveries.values_list("key", flat=True))
    assert set(message.deliveries.values_list("state", flat=True)) == {"sent"}


def test_a_receipt_with_its_proof_is_taken_and_then_acknowledged(live, broker):
    message = spoken(live)
    services.pump(live)
    topic, body = broker.published[0]
    broker.says(topic.split("/")[3], mid=7, key=body["key"], status="delivered", proof=body["proof"])
    services.pump(live)
    assert message.deliveries.get(key=body["key"]).state == "delivered" and broker.acked == [7]


def test_a_forged_or_unreadable_one_is_counted_and_changes_nothing(live, broker):
    message = spoken(live)
    services.pump(live)
    _topic, body = broker.published[0]
    channel = message.deliveries.get(key=body["key"]).channel
    line = device_line.line(channel, "mqtt://broker.example.org", gateways.token())
    for mid, (key, proof) in enumerate([(body["key"], "0" * 32), (body["key"], ""), ("x", body["proof"])]):
        line._arrived.put(
            SimpleNamespace(
                payload=json.dumps({"key": key, "status": "delivered", "proof": proof}).encode(), mid=mid, qos=1
            )
        )
    line._arrived.put(SimpleNamespace(payload=b"\xff", mid=9, qos=1))
    services.pump(live)
    assert set(message.deliveries.values_list("state", flat=True)) == {"sent"}
    assert dict(Tally.objects.filter(channel=channel).values_list("outcome", "count")) == {"forged": 3, "malformed": 1}
    assert len(broker.acked) == 4


def test_a_broker_that_does_not_acknowledge_is_tried_again(live, broker):
    broker.away = True
    message = spoken(live)
    services.pump(live)
    assert {(row.state, row.reason) for row in message.deliveries.all()} == {("queued", "timeout")}


def test_over_a_real_broker_with_the_simulated_devices(live, mqtt_url, monkeypatch, tmp_path):
    """Mosquitto between: published, spoken, reported, taken."""
    monkeypatch.setenv("HAITANG_LOUDSPEAKER_URL", mqtt_url)
    all_ = Gateways(Store(tmp_path / "s.sqlite3"), "t", CALM)
    devices = device_simulator.start(all_, mqtt_url)
    try:
        end = time.monotonic() + 5
        while not devices.is_connected() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.1)  # its subscription follows its connection
        bodies = [make.organisation() for _ in range(6)]
        message = make.message(live, *(Recipient(organisation=body) for body in bodies), channels=["loudspeaker"])
        while time.monotonic() < end and message.deliveries.filter(state__in=("queued", "sent")).count() > 1:
            services.pump(live, patience_s=0.2)
        assert {letter.key for letter in all_.store.newest(99, "loudspeaker")} == set(
            message.deliveries.values_list("key", flat=True)
        )
        assert message.deliveries.filter(state="delivered").exists()
    finally:
        device_line.close_all()
        devices.disconnect()
        devices.loop_stop()


def test_the_simulated_device_speaks_once_and_reports(tmp_path):
    all_, said = Gateways(Store(tmp_path / "s.sqlite3"), "t", CALM), []
    client = SimpleNamespace(publish=lambda *given: said.append(given))
    body = device_line.payload(Letter(key="k1", to="V1", title="台风"), "t", "台风来了")
    for _ in range(2):
        device_simulator._hear(all_, client, device_line.topic("loudspeaker", "V1"), body)
    device_simulator._hear(all_, client, device_line.topic("loudspeaker", "V1"), b"nonsense")
    end = time.monotonic() + 2
    while not said and time.monotonic() < end:
        time.sleep(0.01)
    assert [letter.body for letter in all_.store.newest(9, "loudspeaker")] == ["台风来了"]
    topic, report, _qos = said[0]
    assert topic == "haitang/v1/devices/receipts/loudspeaker"
    assert json.loads(report)["proof"] == device_line.proof("t", "k1")


def test_all_of_them_are_public():
    assert {name for name, channel in CHANNELS.items() if channel.public} == {"loudspeaker", "screen", "cellbroadcast"}
