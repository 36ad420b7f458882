"""MQTT 3.1.1 and 5 on the wire, as much of it as an endpoint needs that is only published to. Pure.

Numbers in brackets are of the OASIS standard "MQTT Version 5.0".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

V311, V5 = 4, 5


class Kind(IntEnum):
    """The first four bits of a packet."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Reason(IntEnum):
    """Reason codes that we give (2.4)."""

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_SUBSCRIPTION = 0x11
    UNSPECIFIED = 0x80
    MALFORMED = 0x81
    PROTOCOL = 0x82
    REFUSED_HERE = 0x83
    UNSUPPORTED_VERSION = 0x84
    CLIENT_ID = 0x85
    BAD_SIGN_IN = 0x86
    NOT_AUTHORISED = 0x87
    UNAVAILABLE = 0x88
    BUSY = 0x89
    AUTH_METHOD = 0x8C
    KEEP_ALIVE = 0x8D
    TAKEN_OVER = 0x8E
    TOPIC_NAME = 0x90
    PACKET_ID_IN_USE = 0x91
    RECEIVE_MAXIMUM = 0x93
    TOPIC_ALIAS = 0x94
    TOO_LARGE = 0x95
    QUOTA = 0x97
    ADMINISTRATIVE = 0x98
    PAYLOAD = 0x99
    RETAIN = 0x9A
    QOS = 0x9B
    CONNECTION_RATE = 0x9F


# What a client of 3.1.1 is told at CONNACK: it knows five ways of no.
_OLD_CONNACK = {
    Reason.SUCCESS: 0,
    Reason.UNSUPPORTED_VERSION: 1,
    Reason.CLIENT_ID: 2,
    Reason.BAD_SIGN_IN: 4,
    Reason.NOT_AUTHORISED: 5,
}


class Bad(Exception):
    """What a client sent is against the standard or beyond what we take: the connection ends with this reason."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Property(IntEnum):
    """Properties that we read or write (2.2.2.2)."""

    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTH_METHOD = 0x15
    AUTH_DATA = 0x16
    REQUEST_PROBLEM = 0x17
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER = 0x26
    MAXIMUM_PACKET = 0x27
    WILDCARD_AVAILABLE = 0x28
    IDENTIFIER_AVAILABLE = 0x29
    SHARED_AVAILABLE = 0x2A


_BYTE, _TWO, _FOUR, _VARYING, _BINARY, _TEXT, _PAIR = range(7)
_FORMS = {
    0x01: _BYTE, 0x02: _FOUR, 0x03: _TEXT, 0x08: _TEXT, 0x09: _BINARY, 0x0B: _VARYING, 0x11: _FOUR, 0x12: _TEXT,
    0x13: _TWO, 0x15: _TEXT, 0x16: _BINARY, 0x17: _BYTE, 0x18: _FOUR, 0x19: _BYTE, 0x1A: _TEXT, 0x1C: _TEXT,
    0x1F: _TEXT, 0x21: _TWO, 0x22: _TWO, 0x23: _TWO, 0x24: _BYTE, 0x25: _BYTE, 0x26: _PAIR, 0x27: _FOUR, 0x28: _BYTE,
    0x29: _BYTE, 0x2A: _BYTE,
}  # fmt: skip
_ALLOWED = {
    "connect": frozenset({0x11, 0x21, 0x27, 0x22, 0x19, 0x17, 0x26, 0x15, 0x16}),
    "will": frozenset({0x18, 0x01, 0x02, 0x03, 0x08, 0x09, 0x26}),
    "publish": frozenset({0x01, 0x02, 0x23, 0x08, 0x09, 0x26, 0x03}),
    "subscribe": frozenset({0x0B, 0x26}),
    "unsubscribe": frozenset({0x26}),
    "disconnect": frozenset({0x11, 0x1F, 0x26}),
}

Values = Mapping[int, object]
_NONE: Values = {}


class Reader:
    """Reads the fields of one packet in order; Bad when they do not fit."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._end = data, 0, len(data)

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self._at

    def take(self, size: int) -> bytes:
        """So many bytes."""
        begin = self._at
        if begin + size > self._end:
            raise Bad(Reason.MALFORMED, "a packet ends in the middle of a field")
        self._at = begin + size
        return self._data[begin : self._at]

    def number(self, size: int) -> int:
        """A number of 1, 2 or 4 bytes."""
        return int.from_bytes(self.take(size), "big")

    def varying(self) -> int:
        """A variable byte integer (1.5.5)."""
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 21:
                raise Bad(Reason.MALFORMED, "a variable byte integer has more than four bytes")

    def binary(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.number(2))

    def text(self) -> str:
        """UTF-8 with its length before it; no NUL, no surrogates (1.5.4)."""
        return text_of(self.binary())

    def properties(self, where: str) -> Values:
        """The properties of a packet; Bad for those that may not stand there or stand twice."""
        size = self.varying()
        if not size:
            return _NONE
        inner, found = Reader(self.take(size)), dict[int, object]()
        while inner.left:
            name = inner.varying()
            if name not in _ALLOWED[where]:
                raise Bad(Reason.MALFORMED, f"property 0x{name:02x} may not stand in {where.upper()}")
            form = _FORMS[name]
            value: object
            if form in (_BYTE, _TWO, _FOUR):
                value = inner.number((1, 2, 4)[form])
            elif form == _VARYING:
                value = inner.varying()
            elif form == _BINARY:
                value = inner.binary()
            elif form == _TEXT:
                value = inner.text()
            else:
                value = (inner.text(), inner.text())
            if name in found and name != Property.USER:
                raise Bad(Reason.PROTOCOL, f"property 0x{name:02x} stands twice")
            found[name] = value
        return found


def text_of(data: bytes) -> str:
    """UTF-8 as MQTT has it."""
    try:
        found = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Bad(Reason.MALFORMED, "a text is not UTF-8") from None
    if "\0" in found:
        raise Bad(Reason.MALFORMED, "a text contains U+0000")
    return found


# -- what clients send ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connect:
    """A client introduces itself."""

    level: int
    client_id: str
    clean: bool
    keep_alive: int
    user: str | None
    password: bytes | None = field(repr=False)
    will_qos: int | None
    will_retain: bool
    properties: Values

    @property
    def wants_reasons(self) -> bool:
        """Whether reason strings may be sent with answers (3.1.2.11.7)."""
        return self.level == V5 and self.properties.get(Property.REQUEST_PROBLEM, 1) != 0

    @property
    def largest(self) -> int | None:
        """The largest packet the client takes."""
        found = self.properties.get(Property.MAXIMUM_PACKET)
        return found if isinstance(found, int) else None


class Publish(NamedTuple):
    """A message. `topic` is empty where an alias stands for it."""

    topic: bytes
    payload: bytes
    qos: int
    retain: bool
    number: bytes
    alias: int


def frame(buffer: bytes | bytearray, at: int, largest: int) -> tuple[int, int, int] | None:
    """The packet that begins at `at`: first byte, begin and end of what follows the head. None: it is not there yet."""
    have = len(buffer) - at
    if have < 2:
        return None
    size = shift = 0
    for place in range(1, 5):
        if place >= have:
            return None
        byte = buffer[at + place]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            if size > largest:
                raise Bad(Reason.TOO_LARGE, f"a packet of {size} bytes; at most {largest} are taken")
            begin = at + place + 1
            return (buffer[at], begin, begin + size) if begin + size <= len(buffer) else None
        shift += 7
    raise Bad(Reason.MALFORMED, "the length of a packet has more than four bytes")


def read_connect(body: bytes) -> Connect:
    """CONNECT (3.1)."""
    reader = Reader(body)
    name, level = reader.binary(), reader.number(1)
    if name not in (b"MQTT", b"MQIsdp"):
        raise Bad(Reason.UNSUPPORTED_VERSION, "this is not MQTT")
    if (name, level) not in ((b"MQTT", V311), (b"MQTT", V5)):
        raise Bad(Reason.UNSUPPORTED_VERSION, f"protocol level {level}: 4 (MQTT 3.1.1) and 5 are spoken here")
    flags = reader.number(1)
    keep_alive = reader.number(2)
    if flags & 1:
        raise Bad(Reason.MALFORMED, "the reserved flag of CONNECT is set")
    has_will, will_qos, will_retain = bool(flags & 4), flags >> 3 & 3, bool(flags & 0x20)
    if will_qos == 3 or (not has_will and (will_qos or will_retain)):
        raise Bad(Reason.MALFORMED, "the flags of the will contradict each other")
    has_password, has_user = bool(flags & 0x40), bool(flags & 0x80)
    if level == V311 and has_password and not has_user:
        raise Bad(Reason.MALFORMED, "a password without a user name")
    properties = reader.properties("connect") if level == V5 else _NONE
    if properties.get(Property.RECEIVE_MAXIMUM) == 0 or properties.get(Property.MAXIMUM_PACKET) == 0:
        raise Bad(Reason.PROTOCOL, "a maximum of 0")
    if Property.AUTH_DATA in properties and Property.AUTH_METHOD not in properties:
        raise Bad(Reason.PROTOCOL, "authentication data without a method")
    client_id = reader.text()
    if has_will:
        if level == V5:
            reader.properties("will")
        topic_name(reader.binary())
        reader.binary()
    user = reader.text() if has_user else None
    password = reader.binary() if has_password else None
    if reader.left:
        raise Bad(Reason.MALFORMED, "CONNECT is longer than its fields")
    return Connect(
        level, client_id, bool(flags & 2), keep_alive, user, password, will_qos if has_will else None, will_retain,
        properties,
    )  # fmt: skip


def topic_name(name: bytes) -> str:
    """A topic that can be published to (4.7)."""
    found = text_of(name)
    if not found or "+" in found or "#" in found:
        raise Bad(Reason.TOPIC_NAME, "a topic name is empty or has a wildcard")
    return found


def read_publish(head: int, body: bytes, level: int) -> Publish:
    """PUBLISH (3.3). The topic's text is checked by whoever sees it first."""
    qos = head >> 1 & 3
    if qos == 3:
        raise Bad(Reason.MALFORMED, "QoS 3 does not exist")
    if qos == 0 and head & 8:
        raise Bad(Reason.MALFORMED, "DUP with QoS 0")
    size = len(body)
    at = 2 + (body[0] << 8 | body[1]) if size >= 2 else 2
    topic, number = body[2:at], b""
    if qos:
        number = body[at : at + 2]
        at += 2
        if number == b"\0\0":
            raise Bad(Reason.MALFORMED, "packet number 0")
    if at > size:
        raise Bad(Reason.MALFORMED, "PUBLISH ends before its payload")
    alias = 0
    if level == V5:
        if at < size and body[at] == 0:  # the usual case
            at += 1
        else:
            reader = Reader(body[at:])
            found = reader.properties("publish")
            if Property.TOPIC_ALIAS in found:
                given = found[Property.TOPIC_ALIAS]
                if not given or not isinstance(given, int):
                    raise Bad(Reason.TOPIC_ALIAS, "topic alias 0")
                alias = given
            at = size - reader.left
    return Publish(topic, body[at:], qos, bool(head & 1), number, alias)


def read_subscribe(body: bytes, level: int) -> tuple[bytes, int]:
    """SUBSCRIBE (3.8): its number, and how many filters it has."""
    reader = Reader(body)
    number = _number(reader)
    if level == V5:
        reader.properties("subscribe")
    filters = 0
    while reader.left or not filters:
        _filter(reader)
        options = reader.number(1)
        if options & 3 == 3 or options & (0xC0 if level == V5 else 0xFC):
            raise Bad(Reason.MALFORMED, "the options of a subscription are not valid")
        filters += 1
    return number, filters


def read_unsubscribe(body: bytes, level: int) -> tuple[bytes, int]:
    """UNSUBSCRIBE (3.10): its number, and how many filters it has."""
    reader = Reader(body)
    number = _number(reader)
    if level == V5:
        reader.properties("unsubscribe")
    filters = 0
    while reader.left or not filters:
        _filter(reader)
        filters += 1
    return number, filters


def _number(reader: Reader) -> bytes:
    number = reader.take(2)
    if number == b"\0\0":
        raise Bad(Reason.MALFORMED, "packet number 0")
    return number


def _filter(reader: Reader) -> None:
    if not reader.text():
        raise Bad(Reason.MALFORMED, "an empty topic filter")


def read_disconnect(body: bytes, level: int) -> int:
    """DISCONNECT (3.14): its reason."""
    if level != V5:
        if body:
            raise Bad(Reason.MALFORMED, "DISCONNECT with a body")
        return 0
    reader = Reader(body)
    reason = reader.number(1) if reader.left else 0
    if reader.left:
        reader.properties("disconnect")
    if reader.left:
        raise Bad(Reason.MALFORMED, "DISCONNECT is longer than its fields")
    return reason


# -- what we answer ---------------------------------------------------------------------------------------------

PINGRESP = b"\xd0\x00"


def varying(value: int) -> bytes:
    """A variable byte integer."""
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(head: int, *parts: bytes) -> bytes:
    """A packet of its first byte and its parts."""
    body = b"".join(parts)
    return bytes((head,)) + varying(len(body)) + body


def properties(given: Sequence[tuple[int, int | str]]) -> bytes:
    """Properties as bytes, their length first."""
    out = bytearray()
    for name, value in given:
        out.append(name)
        form = _FORMS[name]
        if isinstance(value, str):
            data = value.encode()
            out += len(data).to_bytes(2, "big") + data
        else:
            out += value.to_bytes((1, 2, 4)[form], "big")
    return varying(len(out)) + bytes(out)


def connack(level: int, reason: Reason, given: Sequence[tuple[int, int | str]] = ()) -> bytes:
    """CONNACK (3.2). We keep no session, so none is ever present."""
    if level != V5:
        return bytes((0x20, 2, 0, _OLD_CONNACK.get(reason, 3)))
    return packet(0x20, bytes((0, reason)), properties(given))


def puback(number: bytes, reason: Reason = Reason.SUCCESS, text: str = "") -> bytes:
    """PUBACK (3.4). Success without a word is the same in both versions; anything else is for 5 only."""
    if reason is Reason.SUCCESS and not text:
        return b"\x40\x02" + number
    if not text:
        return b"\x40\x03" + number + bytes((reason,))
    return packet(0x40, number, bytes((reason,)), properties([(Property.REASON_STRING, text)]))


def suback(level: int, number: bytes, filters: int) -> bytes:
    """SUBACK (3.9) that refuses every filter."""
    if level != V5:
        return packet(0x90, number, b"\x80" * filters)
    return packet(0x90, number, b"\x00", bytes((Reason.NOT_AUTHORISED,)) * filters)


def unsuback(level: int, number: bytes, filters: int) -> bytes:
    """UNSUBACK (3.11): there was no subscription."""
    if level != V5:
        return packet(0xB0, number)
    return packet(0xB0, number, b"\x00", bytes((Reason.NO_SUBSCRIPTION,)) * filters)


def disconnect(reason: Reason, text: str = "") -> bytes:
    """DISCONNECT (3.14), which only a client of version 5 understands from a server."""
    if not text:
        return bytes((0xE0, 1, reason))
    return packet(0xE0, bytes((reason,)), properties([(Property.REASON_STRING, text)]))
