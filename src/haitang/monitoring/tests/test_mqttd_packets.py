"""P4: MQTT 3.1.1 and 5 on the wire. Whatever bytes come, they are read, waited for, or refused with a reason code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from haitang.monitoring.mqttd import packets
from haitang.monitoring.mqttd.link import CONNECT_BYTES, Limits, Link
from haitang.monitoring.mqttd.packets import V5, V311, Bad, Kind, Property, Reason

ROUTE = object()


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def connect(level=V5, *, client="c", user="7", password=b"x", flags=0xC2, keep=60, properties=b"\0", name="MQTT"):
    parts = [text(name), bytes((level, flags)), keep.to_bytes(2, "big"), properties if level >= V5 else b"",
             text(client)]  # fmt: skip
    parts += [text(user)] if flags & 0x80 else []
    parts += [text(password)] if flags & 0x40 else []
    return packets.packet(0x10, *parts)


def publish(topic="t", payload=b"p", *, number=1, level=V5, head=0x32, properties=b"\0"):
    return packets.packet(
        head, text(topic), number.to_bytes(2, "big") if head & 6 else b"", properties if level == V5 else b"", payload
    )


def opened(level=V5, limits=None, topics=("t",), **more) -> Link:
    link = Link(limits or Limits())
    link.feed(connect(level, **more))
    link.accept(lambda topic: ROUTE if topic in topics else None, "given")
    link.out.clear()
    return link


def seen(link: Link):
    return [(body, ack) for run in link.runs for body, ack in zip(run.bodies, run.acks, strict=True)]


def read_properties(data: bytes) -> dict[str, object]:
    found = Properties(PacketTypes.CONNACK)
    found.unpack(data)
    return found.json()


@pytest.mark.parametrize("level", [V311, V5])
def test_a_client_is_let_in_and_publishes(level):
    link = Link(Limits(packet=5000, in_flight=9))
    link.feed(connect(level))
    assert (link.connect.user, link.connect.password, link.client_id) == ("7", b"x", "c")
    link.accept(lambda topic: ROUTE)
    (answer,) = link.out
    if level == V311:
        assert answer == b"\x20\x02\0\0"
    else:
        assert answer[2:4] == b"\0\0"
        told = read_properties(answer[4:])
        assert (told["ReceiveMaximum"], told["MaximumQoS"], told["MaximumPacketSize"]) == (9, 1, 5000)
        assert told["RetainAvailable"] == told["WildcardSubscriptionAvailable"] == 0
    assert link.connect.password is None
    link.feed(publish(level=level, number=5) + publish(level=level, head=0x30) + publish("t", b"", level=level))
    assert seen(link) == [(b"p", b"\x40\x02\0\5"), (b"p", b""), (b"", b"\x40\x02\0\1")]
    assert link.in_flight == 2
    link.feed(b"\xc0\0" + b"\xe0\0")
    assert link.out[-1] == b"\xd0\0"
    assert link.ended is Reason.SUCCESS


def test_what_follows_connect_at_once_waits_for_the_answer():
    link = Link(Limits())
    link.feed(connect() + publish()[:3])
    link.feed(publish()[3:])
    assert not link.runs
    link.accept(lambda topic: ROUTE)
    assert seen(link) == [(b"p", b"\x40\x02\0\1")]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 65535), st.binary(max_size=300), st.booleans()), max_size=12), st.data(),
    st.sampled_from([V311, V5]),
)  # fmt: skip
def test_it_does_not_matter_how_the_bytes_are_cut(messages, data, level):
    stream = b"".join(
        publish("t", body, number=number, level=level, head=0x32 if qos else 0x30) for number, body, qos in messages
    )
    whole, cut = opened(level), opened(level)
    whole.feed(stream)
    while stream:
        size = data.draw(st.integers(1, max(1, len(stream))))
        cut.feed(stream[:size])
        stream = stream[size:]
    assert seen(cut) == seen(whole)
    assert [body for body, _ in seen(whole)] == [body for _, body, _ in messages]
    assert cut.in_flight == sum(qos for _, _, qos in messages)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (connect(V311, name="MQIsdp"), Reason.UNSUPPORTED_VERSION),
        (connect(3), Reason.UNSUPPORTED_VERSION),
        (connect(6), Reason.UNSUPPORTED_VERSION),
        (connect(V5, name="HTTP"), Reason.UNSUPPORTED_VERSION),
        (b"GET / HTTP/1.1\r\n\r\n", Reason.PROTOCOL),
        (publish(), Reason.PROTOCOL),
        (connect(flags=0xC3), Reason.MALFORMED),
        (connect(flags=0xCA), Reason.MALFORMED),
        (connect(V311, flags=0x42), Reason.MALFORMED),
        (connect(user=b"\xff\xfe"), Reason.MALFORMED),
        (connect(user=b"a\0b"), Reason.MALFORMED),
        (connect(client=b"\xed\xa0\x80"), Reason.MALFORMED),
        (connect()[:-1] + b"", None),
        (packets.packet(0x10, b"\0\4MQTT\5"), Reason.MALFORMED),
        (packets.packet(0x10, b""), Reason.MALFORMED),
        (connect(properties=b"\x03\x21\0\0"), Reason.PROTOCOL),
        (connect(properties=b"\x06\x21\0\1\x21\0\1"), Reason.PROTOCOL),
        (connect(properties=b"\x02\x01\1"), Reason.MALFORMED),
        (connect(properties=b"\x05\x15\0\2ab"), Reason.AUTH_METHOD),
        (connect(V311, client="", flags=0xC0), Reason.CLIENT_ID),
        (b"\x10\xff\xff\xff\x7f", Reason.TOO_LARGE),
        (b"\x10\xff\xff\xff\xff\1", Reason.MALFORMED),
    ],
)
def test_a_wrong_beginning_is_refused_with_its_reason(sent, reason):
    link = Link(Limits())
    link.feed(sent)
    assert link.ended is reason
    if reason is None:
        assert not link.out
        return
    assert not link.is_open
    if link.level == V5:
        assert link.out[0][0] == 0x20 and link.out[0][3] == reason
    elif reason in {Reason.UNSUPPORTED_VERSION, Reason.CLIENT_ID}:
        assert link.out == [b"\x20\x02\0" + bytes((1 if reason is Reason.UNSUPPORTED_VERSION else 2,))]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (connect(), Reason.PROTOCOL),
        (publish(head=0x34), Reason.QOS),
        (publish(head=0x36), Reason.MALFORMED),
        (publish(head=0x38), Reason.MALFORMED),
        (publish(head=0x33), Reason.RETAIN),
        (publish(number=0), Reason.MALFORMED),
        (publish("t/+"), Reason.TOPIC_NAME),
        (publish(b"\xff"), Reason.MALFORMED),
        (publish(""), Reason.PROTOCOL),
        (publish("", properties=b"\x03\x23\0\5"), Reason.PROTOCOL),
        (publish(properties=b"\x03\x23\0\0"), Reason.TOPIC_ALIAS),
        (publish(properties=b"\x03\x23\0\x11"), Reason.TOPIC_ALIAS),
        (publish(properties=b"\x02\x0b\1"), Reason.MALFORMED),
        (publish(properties=b"\x7f"), Reason.MALFORMED),
        (b"\x32\x03\0\x09a", Reason.MALFORMED),
        (b"\x32\x05\0\1t\0\1", Reason.MALFORMED),
        (b"\xc0\1a", Reason.MALFORMED),
        (b"\xc1\0", Reason.MALFORMED),
        (b"\x80\x06\0\1\0\0\1t", Reason.MALFORMED),
        (b"\x82\x03\0\1\0", Reason.MALFORMED),
        (b"\x82\x07\0\1\0\0\1t\3", Reason.MALFORMED),
        (b"\xa2\x03\0\1\0", Reason.MALFORMED),
        (b"\x62\2\0\1", Reason.PROTOCOL),
        (b"\x40\2\0\1", Reason.PROTOCOL),
        (b"\xf0\0", Reason.PROTOCOL),
        (b"\x00\0", Reason.MALFORMED),
        (b"\x32\xff\xff\xff\x7f", Reason.TOO_LARGE),
        (b"\x32\x80\x80\x80\x80", Reason.MALFORMED),
    ],
)
def test_a_wrong_packet_ends_the_connection_with_its_reason(sent, reason):
    link = opened()
    link.feed(publish(number=3) + sent)
    assert link.ended is reason
    assert link.out[-1][0] == 0xE0 and link.out[-1][2] == reason
    assert [ack for _, ack in seen(link)] == [b"\x40\x02\0\3"]
    link.feed(publish())
    assert len(seen(link)) == 1


def test_nobody_can_subscribe():
    link = opened()
    link.feed(b"\x82\x0b\0\1\0\0\1a\0\0\1#\1" + b"\xa2\x06\0\2\0\0\1a")
    assert link.out == [b"\x90\x05\0\1\0\x87\x87", b"\xb0\x04\0\2\0\x11"]
    old = opened(V311)
    old.feed(b"\x82\x06\0\1\0\1a\1" + b"\xa2\x05\0\2\0\1a")
    assert old.out == [b"\x90\x03\0\1\x80", b"\xb0\x02\0\2"]
    assert link.ended is old.ended is None


def test_a_topic_of_somebody_else_gets_a_no_where_there_is_one():
    link = opened()
    link.feed(publish("other", number=1) + publish(number=2))
    assert [(run.route, run.acks) for run in link.runs] == [(None, [b"\x40\2\0\1"]), (ROUTE, [b"\x40\2\0\2"])]
    old = opened(V311)
    old.feed(publish("other", level=V311))
    assert old.ended is Reason.NOT_AUTHORISED
    assert not old.runs


def test_a_topic_alias_stands_for_its_topic():
    link = opened()
    link.feed(publish("t", b"1", properties=b"\x03\x23\0\4") + publish("", b"2", properties=b"\x03\x23\0\4"))
    assert [body for body, _ in seen(link)] == [b"1", b"2"]
    assert len(link.runs) == 1


def test_no_more_than_the_receive_maximum_without_acknowledgement():
    link = opened(limits=Limits(in_flight=3))
    link.feed(publish() * 3)
    assert link.ended is None
    link.in_flight -= 1
    link.feed(publish() * 2)
    assert link.ended is Reason.RECEIVE_MAXIMUM
    old = opened(V311, limits=Limits(in_flight=3))
    old.feed(publish(level=V311) * 5)
    assert old.ended is None, "a client of 3.1.1 was never told; its socket is not read meanwhile"


def test_nobody_keeps_much_of_what_a_stranger_says():
    link = Link(Limits())
    link.feed(connect())
    link.feed(bytes(CONNECT_BYTES + 1))
    assert link.ended is Reason.QUOTA
    link = Link(Limits())
    link.feed(b"\x10" + packets.varying(CONNECT_BYTES + 1))
    assert link.ended is Reason.TOO_LARGE


def test_a_client_without_an_identifier_is_given_one_and_a_keep_alive():
    link = Link(Limits())
    link.feed(connect(client="", keep=0))
    link.accept(lambda topic: ROUTE, "given")
    told = read_properties(link.out[0][4:])
    assert (told["AssignedClientIdentifier"], told["ServerKeepAlive"]) == ("given", 3600)
    assert link.keep_alive_s == 5400


def test_a_large_packet_that_drips_in_is_put_together():
    link = opened()
    body = bytes(range(256)) * 100
    for byte in publish("t", body):
        link.feed(bytes((byte,)))
    assert seen(link) == [(body, b"\x40\2\0\1")]


valid = st.sampled_from(
    [publish(), publish(level=V311), b"\xc0\0", b"\xe0\0", b"\x82\x07\0\1\0\0\1a\0", b"\xa2\x06\0\1\0\0\1a",
     publish(properties=b"\x03\x23\0\1"), publish("", properties=b"\x03\x23\0\1"), connect()]
)  # fmt: skip


@st.composite
def spoilt(draw):
    """A packet with a few bytes changed, cut or added."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(data)


@settings(max_examples=300)
@given(st.lists(spoilt() | st.binary(max_size=20), max_size=4), st.sampled_from([V311, V5]), st.booleans())
def test_no_bytes_break_the_machine(chunks, level, is_open):
    link = opened(level) if is_open else Link(Limits())
    for chunk in chunks:
        link.feed(chunk)
        for answer in link.out:
            assert packets.frame(answer, 0, 10_000) == (answer[0], 2, len(answer)) or len(answer) > 129
    if link.ended not in (None, Reason.SUCCESS):
        assert link.why


@given(st.integers(0, 268_435_455))
def test_lengths_are_written_as_they_are_read(value):
    assert packets.Reader(packets.varying(value)).varying() == value


def test_a_text_in_an_answer_is_a_property():
    assert packets.puback(b"\0\7", Reason.PAYLOAD) == b"\x40\3\0\7\x99"
    said = packets.puback(b"\0\7", Reason.PAYLOAD, "no")
    assert said[:5] == b"\x40\x09\0\7\x99" and said[6] == Property.REASON_STRING
    with pytest.raises(Bad):
        packets.Reader(b"\x02\x1f\0").properties("disconnect")
    assert Kind(said[0] >> 4) is Kind.PUBACK
