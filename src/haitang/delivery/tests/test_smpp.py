"""SMPP 3.4: units as bytes, a line that binds, sends in parts, takes receipts (issue 3, "Deliver")."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.delivery import gateways, receipts, services, smpp, smpp_session, smpp_simulator
from haitang.delivery.channel import Trouble, Undeliverable
from haitang.delivery.models import Delivery
from haitang.delivery.permit import ExerciseLeak
from haitang.delivery.sent_store import Store
from haitang.delivery.simulator import Event
from haitang.delivery.simulators import CALM, Gateways, Temper
from haitang.delivery.tests import factories as make
from haitang.delivery.tests.test_simulators import free_port

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=700)


# -- bytes ------------------------------------------------------------------------------------------------------


def test_a_unit_is_read_from_a_stream_however_it_is_cut():
    pdu = smpp.bind(7, "haitang", "secret")
    whole = pdu.to_bytes() + smpp.Pdu(smpp.ENQUIRE_LINK, 8).to_bytes()
    assert smpp.cut(whole[:9]) == (None, whole[:9])
    first, rest = smpp.cut(whole)
    assert first == pdu and smpp.read_bind(first.body) == ("haitang", "secret")
    assert smpp.cut(rest) == (smpp.Pdu(smpp.ENQUIRE_LINK, 8), b"")


def test_bytes_as_the_specification_lays_them_out():
    """4.4.1 and the worked header of 3.2: length, id, status, sequence, then the mandatory fields in order."""
    short = smpp.Short(source="1069", destination="13800000001", message=b"hi", receipt=True)
    assert smpp.submit(2, short).to_bytes() == (
        struct.pack(">IIII", 16 + 34, 4, 0, 2) + b"\0" + b"\x01\x01" + b"1069\0" + b"\x00\x01" + b"13800000001\0"
        + b"\0\0\0" + b"\0" + b"\0" + b"\x01\0\0\0" + b"\x02hi"
    )  # fmt: skip


@given(TEXT, st.integers(0, 1000))
def test_whatever_is_cut_into_parts_is_the_same_when_put_together(text, reference):
    coding, pieces = smpp.parts(text, reference)
    limit = 140 if coding == 8 else 160
    assert all(len(piece) <= limit for piece in pieces)
    shorts = [
        smpp.Short(destination="1", message=p, coding=coding, esm_class=0x40 if len(pieces) > 1 else 0) for p in pieces
    ]
    split = [smpp.read_short(short.to_body()).split for short in reversed(shorts)]
    assert {total for _ref, total, _n, _data in split} == {len(pieces)}
    assert smpp.joined([(n, data) for _ref, _total, n, data in split], coding) == text


@pytest.mark.parametrize(
    ("text", "coding", "number"),
    [("a" * 160, 0, 1), ("a" * 161, 0, 2), ("台" * 70, 8, 1), ("台" * 71, 8, 2), ("台" * 134, 8, 2), ("台" * 135, 8, 3),
     ("a_b", 8, 1), ("台" * 66 + "𠮷" + "台" * 10, 8, 2)],
)  # fmt: skip
def test_how_many_parts_a_text_has(text, coding, number):
    found, pieces = smpp.parts(text, 1)
    assert (found, len(pieces)) == (coding, number)


@given(st.binary(max_size=80))
def test_hostile_bytes_are_refused_not_crashed_on(data):
    for read in (smpp.read_short, smpp.read_bind, smpp.message_id):
        try:
            read(data)
        except smpp.SmppError:
            continue
    with contextlib.suppress(smpp.SmppError):
        smpp.cut(data)


@pytest.mark.parametrize(
    ("status", "ours"),
    [("delivered", "delivered"), ("expired", "expired"), ("absent", "absent"), ("rejected", "rejected")],
)
def test_a_receipt_says_what_became_of_which_message(status, ours):
    text = smpp.receipt_text("abc123", status, "2411250305")
    assert smpp.receipt(smpp.Short(destination="1", message=text, esm_class=4)) == ("abc123", ours)


# -- the line ---------------------------------------------------------------------------------------------------


class Gate:
    def __init__(self, store: Store, temper: Temper) -> None:
        self.port = free_port()
        self.store = store
        self.all = Gateways(store, "t", temper)
        self.server = smpp_simulator.start(self.all, "127.0.0.1", self.port)

    def url(self, password: str = smpp_simulator.PASSWORD, query: str = "?key=1") -> str:
        return f"smpp://{smpp_simulator.SYSTEM_ID}:{password}@127.0.0.1:{self.port}{query}"

    def sent(self):
        return {letter.key: letter for letter in self.store.newest(1000, "sms")}


@pytest.fixture
def gate(tmp_path):
    found = Gate(Store(tmp_path / "s.sqlite3"), CALM)
    yield found
    smpp_session.close_all()
    found.server.shutdown()
    found.server.server_close()


def pumped(space, message, until, seconds=8.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        services.pump(space, patience_s=0.5)
        states = set(message.deliveries.values_list("state", flat=True))
        if states <= until:
            break
    return states


@pytest.mark.django_db
def test_a_chinese_warning_goes_in_parts_and_its_receipt_comes_back_on_the_line(live, gate, monkeypatch):
    monkeypatch.setattr(smpp_simulator.simulator, "course", lambda *_: (Event(0.0, "sent"), Event(0.01, "delivered")))
    monkeypatch.setenv("HAITANG_SMS_URL", gate.url())
    text = "请立即转移到安置点。" * 20
    message = make.message(live, *(make.user() for _ in range(5)), channels=["sms"], body_zh=text, url="/w/1/")
    assert pumped(live, message, {"delivered"}) == {"delivered"}
    rows = list(message.deliveries.all())
    sent = gate.sent()
    assert set(sent) == {row.key for row in rows}
    assert all(text in letter.body and letter.body.endswith("/w/1/") for letter in sent.values())
    assert all(row.gateway_ref for row in rows)


@pytest.mark.django_db
def test_a_response_that_gets_lost_sends_nothing_twice_where_the_gateway_takes_our_key(
    live, tmp_path, monkeypatch, later
):
    monkeypatch.setattr(smpp_session, "ANSWER_S", 0.2)
    rough = Gate(Store(tmp_path / "r.sqlite3"), Temper(latency_s=0.0, refused=0.0, answer_lost=0.4, doubled=1.0))
    monkeypatch.setenv("HAITANG_SMS_URL", rough.url())
    try:
        message = make.message(live, *(make.user() for _ in range(4)), channels=["sms"])
        for _ in range(40):
            services.pump(live, patience_s=0.5)
            if not message.deliveries.filter(state="queued").exists():
                break
            message.deliveries.filter(state="queued").update(attempts=1)
            later()
        assert not message.deliveries.filter(state="queued").exists()
        assert {letter.copies for letter in rough.store.newest(100, "sms")} == {1}
        assert len(rough.store.newest(100, "sms")) == 4
    finally:
        smpp_session.close_all()
        rough.server.shutdown()
        rough.server.server_close()


@pytest.mark.django_db
def test_a_wrong_password_is_said_and_tried_again(live, gate, monkeypatch):
    monkeypatch.setenv("HAITANG_SMS_URL", gate.url(password="wrong"))
    message = make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    row = message.deliveries.get()
    assert (row.state, row.reason) == ("queued", "credentials: 0x0e")


@pytest.mark.django_db
def test_a_number_that_is_none_is_given_up_at_once(live, gate, monkeypatch):
    monkeypatch.setenv("HAITANG_SMS_URL", gate.url())
    message = make.message(live, make.user(phone="12"), channels=["sms"])
    services.pump(live)
    assert (message.deliveries.get().state, message.deliveries.get().reason) == ("failed", "unknown_number")


@pytest.mark.django_db
def test_a_broken_line_is_bound_again(live, gate, monkeypatch):
    monkeypatch.setenv("HAITANG_SMS_URL", gate.url())
    make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    line = smpp_session.sessions()[0]
    line._hang_up(line._socket)
    message = make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    assert message.deliveries.get().state in {"sent", "delivered", "failed"}
    assert message.deliveries.get().reason != "connection: unbound"


@pytest.mark.django_db
def test_a_receipt_by_the_gateway_s_own_number_is_taken_after_a_restart(live):
    message = make.message(live, make.user(), channels=["sms"])
    Delivery.objects.update(state="sent", gateway_ref="g77", next_at=None)
    assert (
        receipts.take("sms", [{"ref": "g77", "status": "delivered"}, {"ref": "g78", "status": "delivered"}]).taken == 1
    )
    assert message.deliveries.get().state == "delivered"
    assert receipts.take("sms", [{"ref": "", "status": "delivered"}]).invalid


def test_nothing_is_opened_without_a_permit(gate):
    with pytest.raises(ExerciseLeak):
        smpp_session.session(gate.url()).send("x", "13800000000", "k", None)  # type: ignore[arg-type]
    assert gate.sent() == {}


def test_many_threads_share_one_line(gate, monkeypatch):
    monkeypatch.setattr("haitang.delivery.transport.require", lambda _permit: None)
    line = smpp_session.session(gate.url())
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(lambda n: line.send("台风" * 60, f"1380000{n:04d}", f"k{n}", None), range(60)))  # type: ignore[arg-type]
    assert len(set(refs)) == 60 and len(gate.sent()) == 60
    assert threading.active_count() < 40


def test_what_a_gateway_answers_is_told_in_our_words():
    for status, kind, reason in (
        (smpp.INVALID_DESTINATION, Undeliverable, "unknown_number"), (smpp.THROTTLED, Trouble, "rate"),
        (smpp.QUEUE_FULL, Trouble, "rate"), (smpp.SUBMIT_FAILED, Undeliverable, "rejected: 0x45"), (smpp.SYSTEM_ERROR, Trouble, "server: 0x08"),
    ):  # fmt: skip
        with pytest.raises(kind) as caught:
            smpp_session._check(smpp.Pdu(smpp.SUBMIT_SM | smpp.RESP, 1, status))
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("url", "protocol"), [("https://a", "http"), ("smpp://a", "smpp"), ("SMPPS://a", "smpp"), ("mqtt://a", "mqtt")]
)
def test_which_protocol_an_address_speaks(url, protocol):
    assert gateways.speaks(url) == protocol
