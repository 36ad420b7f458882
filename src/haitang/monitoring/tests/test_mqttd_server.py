"""P4: our own MQTT endpoint with real sockets. PUBACK only when durable; strangers and floods are held off and counted."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest
from django.db import OperationalError
from django.utils import timezone
from paho.mqtt.enums import CallbackAPIVersion

from haitang.monitoring import door, store
from haitang.monitoring.models import Alarm, IngestCount
from haitang.monitoring.mqttd import packets, server, signin, status
from haitang.monitoring.mqttd.link import Limits
from haitang.monitoring.mqttd.packets import V5, V311, Reason
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db(transaction=True)


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _own_place(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "path", lambda: tmp_path / "status.json")
    monkeypatch.setattr(server, "LOOK_S", 0.05)
    monkeypatch.setattr(server, "RETRY_S", 0.05)
    monkeypatch.setattr(server, "KNOWN_S", -1.0)
    Space.live()


@contextlib.contextmanager
def endpoint(**more: Any) -> Iterator[int]:
    """An endpoint at work; yields its port."""
    stop, ready, ports = threading.Event(), threading.Event(), list[int]()

    def opened(found: list[int]) -> None:
        ports.extend(found)
        ready.set()

    settings = server.Settings(**{"listen": "127.0.0.1:0", **more})
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(settings, stop, opened)))
    thread.start()
    try:
        assert ready.wait(20)
        yield ports[0]
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


class Client:
    """A client that says what the test wants, byte by byte."""

    def __init__(self, port: int, user: object = "", secret: str = "", *, client: str = "", level: int = V5, tls: ssl.SSLContext | None = None, keep: int = 60) -> None:  # fmt: skip
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._level, self._rest, self.number = level, b"", 0
        user_, secret_ = str(user).encode(), secret.encode()
        flags = 2 | (0x80 if user_ else 0) | (0x40 if secret_ else 0)
        parts = [b"\0\x04MQTT", bytes((level, flags)), keep.to_bytes(2, "big"), b"\0" if level == V5 else b""]
        parts += [len(each).to_bytes(2, "big") + each for each in (client.encode(), user_, secret_) if each or each is client.encode()] if client else [b"\0\0", *(len(each).to_bytes(2, "big") + each for each in (user_, secret_) if each)]  # fmt: skip
        self.socket.sendall(packets.packet(0x10, *parts))
        answer = self.receive()
        assert answer is not None and answer[0] == 0x20
        self.answer = answer[3]

    def publish(self, token: object, body: object, *, topic: str = "", qos: int = 1) -> None:
        self.number = self.number % 65535 + 1
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        name = (topic or f"haitang/v1/{token}/readings").encode()
        parts = [len(name).to_bytes(2, "big") + name, self.number.to_bytes(2, "big") if qos else b""]
        parts += [b"\0" if self._level == V5 else b"", payload]
        self.socket.sendall(packets.packet(0x30 | qos << 1, *parts))

    def receive(self, seconds: float = 20) -> bytes | None:
        """The next packet; None at the end of the connection."""
        self.socket.settimeout(seconds)
        while True:
            found = packets.frame(self._rest, 0, 10_000_000)
            if found is not None:
                packet, self._rest = self._rest[: found[2]], self._rest[found[2] :]
                return packet
            with contextlib.suppress(ConnectionResetError):
                data = self.socket.recv(65536)
                if data:
                    self._rest += data
                    continue
            return None

    def reason(self) -> tuple[int, int]:
        """Kind and reason of the next packet."""
        answer = self.receive()
        assert answer is not None
        kind = answer[0] >> 4
        if kind == 4:
            return kind, answer[4] if answer[1] > 2 else 0
        return kind, answer[2]


@pytest.fixture
def space():
    space = make.exercise()
    make.step(space, 100)
    return space


@pytest.fixture
def gauge(space):
    token, header = make.token(space, name="gauge")
    return token, header["Authorization"].removeprefix("Bearer ")


def stored(space, series) -> list[float]:
    return store.read(space.pk, series.pk)[1].tolist()


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_what_an_ordinary_client_publishes_is_stored_judged_and_acknowledged(space, gauge, version):
    rule, (token, secret) = make.rule(), gauge
    with endpoint() as port:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        client.username_pw_set(str(token.pk), secret)
        client.connect("127.0.0.1", port)
        client.loop_start()
        topic = f"haitang/v1/{token.pk}/readings"
        client.publish(topic, json.dumps(make.body(rule.series, (0, 4.5))), qos=1).wait_for_publish(20)
        assert Alarm.objects.get().received_wall is not None
        compact = json.dumps({"s": [rule.series.pk], "t": [make.T0_S * 1000 + 60_000], "v": [4.6]})
        client.publish(topic, compact, qos=1).wait_for_publish(20)
        client.disconnect()
        client.loop_stop()
    assert stored(space, rule.series) == [4.5, 4.6]
    assert IngestCount.objects.get(outcome="accepted", space=space).source == "mqtt:gauge"


def test_a_message_is_acknowledged_only_when_it_is_durable(space, gauge, monkeypatch):
    series, (token, secret) = make.series(), gauge
    real, away, tried = door.receive_sacks, threading.Event(), threading.Event()

    def moody(*given):
        tried.set()
        if away.is_set():
            raise OperationalError("the database is away")
        return real(*given)

    monkeypatch.setattr(door, "receive_sacks", moody)
    away.set()
    with endpoint() as port:
        client = Client(port, token.pk, secret)
        client.publish(token.pk, make.body(series, (0, 1.0)))
        client.publish(token.pk, make.body(series, (1, 2.0)))
        assert tried.wait(20)
        with pytest.raises(TimeoutError):
            client.receive(0.3)
        away.clear()
        assert [client.reason(), client.reason()] == [(4, 0), (4, 0)]
    assert stored(space, series) == [1.0, 2.0]


def test_what_was_not_acknowledged_when_the_platform_stopped_can_be_sent_again(space, gauge, monkeypatch):
    series, (token, secret) = make.series(), gauge
    body = make.body(series, (0, 1.0))
    with endpoint() as port:
        first = Client(port, token.pk, secret)
        first.publish(token.pk, body)
        assert first.reason() == (4, 0)
    assert first.receive() is not None and first.receive() is None
    with endpoint() as port:
        second = Client(port, token.pk, secret)
        second.publish(token.pk, body)
        assert second.reason() == (4, 0)
    assert stored(space, series) == [1.0]
    counted = dict(IngestCount.objects.filter(space=space).values_list("outcome", "count"))
    assert counted == {"accepted": 1, "duplicate": 1}


def test_each_message_is_told_what_became_of_it(space, gauge):
    series, other, (token, secret) = make.series(), make.series(), gauge
    token.prefix = series.code
    token.save()
    good = make.body(series, (0, 1.0))
    half = {"series": [series.code, other.code], "time": make.T0_S + 60, "value": [1, 1]}
    with endpoint() as port:
        client = Client(port, token.name, secret)
        for body in (good, b"{", half, make.body(other, (0, 1.0)), good):
            client.publish(token.pk, body)
        client.publish(token.pk, good, topic=f"haitang/v1/{token.pk + 1}/readings")
        client.publish(token.pk, good, qos=0)
        client.publish(token.pk, good)
        reasons = [client.reason()[1] for _ in range(7)]
        assert reasons == [0, Reason.PAYLOAD, 0, Reason.REFUSED_HERE, 0, Reason.NOT_AUTHORISED, 0]
        old = Client(port, token.pk, secret, level=V311)
        old.publish(token.pk, b"{")
        assert old.reason() == (4, 0), "there is no other answer that ends its attempts"
        old.publish(token.pk, good, topic="haitang/v1/0/readings")
        assert old.receive() is None
    counted = dict(IngestCount.objects.filter(space=space).values_list("outcome", "count"))
    assert counted["body_refused"] == 2
    assert counted["forbidden"] == 3


def test_strangers_are_not_let_in_and_are_counted(space, gauge, monkeypatch):
    monkeypatch.setattr(server, "TELL_S", 0.05)
    token, secret = gauge
    reader, header = make.token(space, rights=("read",))
    expired, late = make.token(space, expires_at=timezone.now() - datetime.timedelta(seconds=1))
    with endpoint() as port:
        tries = [
            (token.pk, "wrong"), ("nobody", secret), ("", ""), (token.pk, ""),
            (expired.pk, late["Authorization"].removeprefix("Bearer ")),
        ]  # fmt: skip
        for user, word in tries:
            assert Client(port, user, word).answer == Reason.BAD_SIGN_IN
        assert Client(port, reader.pk, header["Authorization"].removeprefix("Bearer ")).answer == Reason.NOT_AUTHORISED
        assert Client(port, token.pk, "wrong", level=V311).answer == 4
        eventually(lambda: sum(IngestCount.objects.filter(outcome="sign_in_refused").values_list("count", flat=True)) == 7)  # fmt: skip
        monkeypatch.setattr(server, "FAILURES_BURST", 2.0)
    with endpoint() as port:
        for _ in range(2):
            Client(port, token.pk, "wrong")
        assert Client(port, token.pk, secret).answer == Reason.CONNECTION_RATE


def test_rubbish_ends_the_connection_and_is_counted(space, gauge, monkeypatch):
    monkeypatch.setattr(server, "TELL_S", 0.05)
    token, secret = gauge
    with endpoint() as port:
        client = Client(port, token.pk, secret)
        client.publish(token.pk, b"", qos=2)
        assert client.reason() == (14, Reason.QOS)
        assert client.receive() is None
        with socket.create_connection(("127.0.0.1", port), 20) as web:
            web.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert web.recv(100) == b""
        eventually(lambda: IngestCount.objects.filter(outcome="protocol").count() == 2)
        told = status.read()
        assert told is not None and told["refused"] == {"qos": 1, "protocol": 1}
    sources = set(IngestCount.objects.filter(outcome="protocol").values_list("source", flat=True))
    assert sources == {"mqtt:gauge", "mqtt"}


def test_a_second_connection_of_a_client_takes_over_but_not_another_tokens(space, gauge):
    token, secret = gauge
    stranger, header = make.token(space)
    with endpoint() as port:
        first = Client(port, token.pk, secret, client="pump")
        other = Client(port, stranger.pk, header["Authorization"].removeprefix("Bearer "), client="pump")
        second = Client(port, token.pk, secret, client="pump")
        assert first.reason() == (14, Reason.TAKEN_OVER)
        assert first.receive() is None
        for client in (second, other):
            client.socket.sendall(b"\xc0\0")
            assert client.receive() == packets.PINGRESP


def test_who_is_silent_or_loses_his_token_or_comes_late_is_sent_away(space, gauge, monkeypatch):
    token, secret = gauge
    monkeypatch.setattr(server, "CHECK_S", 0.05)
    monkeypatch.setattr(server, "CONNECT_S", 0.2)
    with endpoint(connections=2) as port:
        silent = Client(port, token.pk, secret, keep=1)
        assert silent.reason() == (14, Reason.KEEP_ALIVE)
        with socket.create_connection(("127.0.0.1", port), 20) as mute:
            assert mute.recv(10) == b""
        kept = Client(port, token.pk, secret)
        second = Client(port, token.pk, secret)
        with socket.create_connection(("127.0.0.1", port), 20) as third:
            assert third.recv(10) == b""
        token.revoked_at = timezone.now()
        token.save()
        assert kept.reason() == second.reason() == (14, Reason.ADMINISTRATIVE)


def test_a_closed_exercise_takes_nothing(space, gauge):
    series, (token, secret) = make.series(), gauge
    with endpoint() as port:
        client = Client(port, token.pk, secret)
        space.is_open = False
        space.save()
        client.publish(token.pk, make.body(series, (0, 1.0)))
        assert client.reason() == (4, Reason.NOT_AUTHORISED)
        assert client.reason() == (14, Reason.ADMINISTRATIVE)
        assert Client(port, token.pk, secret).answer == Reason.NOT_AUTHORISED


def test_when_the_store_falls_behind_sockets_are_not_read(space, gauge, monkeypatch):
    series, (token, secret) = make.series(), gauge
    monkeypatch.setattr(server, "WAITING_MESSAGES", 50)
    monkeypatch.setattr(server, "GROUP_MESSAGES", 40)
    real, go, most = door.receive_sacks, threading.Event(), [0]

    def slow(space, sacks):
        assert go.wait(20)
        most[0] = max(most[0], sum(len(sack.bodies) for sack in sacks))
        return real(space, sacks)

    monkeypatch.setattr(door, "receive_sacks", slow)
    with endpoint(limits=Limits(in_flight=20)) as port:
        clients = [Client(port, token.pk, secret, level=V311) for _ in range(3)]
        body = make.body(series, (0, 1.0))
        for client in clients:
            client.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                for number in range(1, 20_000):
                    client.publish(token.pk, {**body, "pad": "x" * 2000})
                    client.sent = number
        # What lies in the buffers of the machine, not all of it.
        assert all(client.sent < 19_999 for client in clients)
        go.set()
        for client in clients[:1]:
            for _ in range(60):
                assert client.reason() == (4, 0)
    assert stored(space, series) == [1.0]


def test_one_message_that_breaks_the_door_does_not_hold_the_others_up(space, gauge, monkeypatch):
    series, (token, secret) = make.series(), gauge
    real = door.receive_sacks

    def fragile(space, sacks):
        if any(b"poison" in body for sack in sacks for body in sack.bodies):
            raise ValueError("poison")
        return real(space, sacks)

    monkeypatch.setattr(door, "receive_sacks", fragile)
    with endpoint() as port:
        client = Client(port, token.pk, secret)
        for minute in range(5):
            client.publish(token.pk, b"poison" if minute == 3 else make.body(series, (minute, minute)))
        assert [client.reason()[1] for _ in range(5)] == [0, 0, 0, Reason.UNSPECIFIED, 0]
    assert stored(space, series) == [0, 1, 2, 4]


def test_observations_of_sensorthings_are_taken(space, gauge):
    series, (token, secret) = make.series(), gauge
    with endpoint() as port:
        client = Client(port, token.pk, secret)
        observation = {"phenomenonTime": make.T0.isoformat(), "result": 3.5}
        client.publish(token.pk, observation, topic=f"v1.1/Datastreams({series.pk})/Observations")
        client.publish(token.pk, observation, topic="v1.1/Things")
        client.publish(token.pk, observation, topic="v2.0/Observations")
        assert [client.reason()[1] for _ in range(3)] == [0, Reason.PAYLOAD, Reason.NOT_AUTHORISED]
    assert stored(space, series) == [3.5]


# -- TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, and what it signs: name -> PEM file with key and certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder = tmp_path_factory.mktemp("tls")
    now = datetime.datetime.now(datetime.UTC)
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])

    def sign(name: str, key: ec.EllipticCurvePrivateKey, ca: bool = False) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder().issuer_name(root).public_key(key.public_key())
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )  # fmt: skip
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        return builder.sign(root_key, hashes.SHA256())

    pem, ca = serialization.Encoding.PEM, folder / "ca.pem"
    ca.write_bytes(sign("authority", root_key, ca=True).public_bytes(pem))

    def issue(name: str) -> str:
        key, path = ec.generate_private_key(ec.SECP256R1()), folder / f"{len(list(folder.iterdir()))}.pem"
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(private + sign(name, key).public_bytes(pem))
        return str(path)

    return str(ca), issue


def test_over_tls_a_certificate_signs_in_without_a_secret(space, gauge, authority):
    series, (token, secret), (ca, issue) = make.series(), gauge, authority
    make.token(space, name="twin"), make.token(space, name="twin")

    def context(name: str = "") -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=ca)
        if name:
            made.load_cert_chain(issue(name))
        return made

    with endpoint(listen="", tls_listen="127.0.0.1:0", certificate=issue("localhost"), client_ca=ca) as port:
        for name in (str(token.pk), "gauge"):
            client = Client(port, tls=context(name))
            client.publish(token.pk, make.body(series, (0, 1.0)))
            assert client.reason() == (4, 0)
        assert Client(port, token.pk, secret, tls=context()).answer == 0
        for name in ("twin", "nobody", str(token.pk + 1000)):
            assert Client(port, tls=context(name)).answer == Reason.BAD_SIGN_IN
        assert Client(port, "somebody else", tls=context("gauge")).answer == Reason.BAD_SIGN_IN
        assert Client(port, tls=context()).answer == Reason.BAD_SIGN_IN
    assert stored(space, series) == [1.0]
    assert signin.common_name(None) == ""
