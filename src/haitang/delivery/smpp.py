"""SMPP 3.4: the protocol data units we use, as bytes. Pure; used by the channel and by the simulator alike.

Clauses are those of "Short Message Peer to Peer Protocol Specification v3.4", issue 1.2. Of data codings we write two:
0 where every character stands at its ASCII place in the GSM alphabet too, and 8 (UCS-2, big-endian), which Chinese
needs: 70 characters in one message, 67 in each part of a longer one (3GPP TS 23.040, 9.2.3.24.1).
"""

from __future__ import annotations

import re
import string
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

GENERIC_NACK: Final = 0x80000000
BIND_TRANSCEIVER: Final = 0x00000009
SUBMIT_SM: Final = 0x00000004
DELIVER_SM: Final = 0x00000005
UNBIND: Final = 0x00000006
ENQUIRE_LINK: Final = 0x00000015
RESP: Final = 0x80000000
# 5.1.3 command_status
OK, INVALID_LENGTH, INVALID_COMMAND, NOT_BOUND = 0x00, 0x02, 0x03, 0x04
SYSTEM_ERROR, INVALID_DESTINATION, BIND_FAILED = 0x08, 0x0B, 0x0D
INVALID_PASSWORD, INVALID_SYSTEM_ID, QUEUE_FULL = 0x0E, 0x0F, 0x14
SUBMIT_FAILED, THROTTLED = 0x45, 0x58
# 5.3.2 optional parameters; the last is of the range kept for vendors: our idempotency key, where a gateway takes it.
RECEIPTED_MESSAGE_ID, MESSAGE_STATE, MESSAGE_PAYLOAD, KEY = 0x001E, 0x0427, 0x0424, 0x1400
MOST_BYTES: Final = 70_000
_HEADER: Final = struct.Struct(">IIII")
# At the same place in the GSM 7-bit alphabet and in ASCII.
_SAME: Final = frozenset(string.ascii_letters + string.digits + " !\"#%&'()*+,-./:;<=>?\n\r")
_UDHI, _RECEIPT, _UDH = 0x40, 0x04, 6
_SINGLE: Final = {0: 160, 8: 140}
_PART: Final = {0: 153, 8: 134}
_STATES: Final = {
    "ENROUTE": "", "ACCEPTD": "", "DELIVRD": "delivered", "EXPIRED": "expired", "DELETED": "failed", "UNDELIV": "absent",
    "UNKNOWN": "failed", "REJECTD": "rejected",
}  # fmt: skip
# What the simulator writes for our own statuses.
STAT_OF: Final = {"delivered": "DELIVRD", "expired": "EXPIRED", "rejected": "REJECTD"}


class SmppError(ValueError):
    """Bytes that are no SMPP 3.4."""


@dataclass(frozen=True)
class Pdu:
    """One protocol data unit: header without length, and the body's bytes."""

    command: int
    sequence: int
    status: int = OK
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """As it goes over the line."""
        return _HEADER.pack(16 + len(self.body), self.command, self.status, self.sequence) + self.body

    @property
    def is_response(self) -> bool:
        """Whether it answers another."""
        return bool(self.command & RESP)

    def answer(self, status: int = OK, body: bytes = b"") -> Pdu:
        """The response to it."""
        return Pdu(self.command | RESP, self.sequence, status, body)


def cut(buffer: bytes) -> tuple[Pdu | None, bytes]:
    """The first unit of a stream and what follows it; None while it is not complete. SmppError for a length that cannot be."""
    if len(buffer) < 16:
        return None, buffer
    length, command, status, sequence = _HEADER.unpack_from(buffer)
    if not 16 <= length <= MOST_BYTES:
        raise SmppError(f"a unit of {length} bytes; 16 to {MOST_BYTES} are allowed")
    if len(buffer) < length:
        return None, buffer
    return Pdu(command, sequence, status, bytes(buffer[16:length])), buffer[length:]


# -- words ------------------------------------------------------------------------------------------------------


def coding_of(text: str) -> int:
    """The data coding that carries a text: 0 or 8."""
    return 0 if all(character in _SAME for character in text) else 8


def parts(text: str, reference: int) -> tuple[int, list[bytes]]:
    """Data coding and the short messages of a text, each with a header of its own where there are several.

    A character of two code units (an emoji, a rare ideogram) is never torn apart. At most 255 parts; the rest is cut off.
    """
    coding = coding_of(text)
    units = [c.encode("ascii" if coding == 0 else "utf-16-be") for c in text]
    if sum(map(len, units)) <= _SINGLE[coding]:
        return coding, [b"".join(units)]
    pieces, piece = [], b""
    for unit in units:
        if len(piece) + len(unit) > _PART[coding]:
            pieces.append(piece)
            piece = b""
        piece += unit
    pieces = [*pieces, piece][:255]
    total = len(pieces)
    return coding, [
        bytes((5, 0, 3, reference & 0xFF, total, number)) + piece for number, piece in enumerate(pieces, start=1)
    ]


def words(coding: int, data: bytes) -> str:
    """The text of the bytes of one short message, without header."""
    return data.decode("utf-16-be" if coding == 8 else "ascii", "replace")


# -- units ------------------------------------------------------------------------------------------------------


def _cstring(text: str, most: int) -> bytes:
    return text.encode("ascii", "replace").replace(b"\0", b"")[: most - 1] + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """One optional parameter."""
    return struct.pack(">HH", tag, len(value)) + value


def bind(sequence: int, system_id: str, password: str, system_type: str = "") -> Pdu:
    """4.1.5 bind_transceiver."""
    body = _cstring(system_id, 16) + _cstring(password, 9) + _cstring(system_type, 13) + bytes((0x34, 0, 0)) + b"\0"
    return Pdu(BIND_TRANSCEIVER, sequence, body=body)


def read_bind(body: bytes) -> tuple[str, str]:
    """System id and password of a bind."""
    reader = _Reader(body)
    return reader.cstring(16), reader.cstring(9)


@dataclass(frozen=True, kw_only=True)
class Short:
    """4.4.1, 4.6.1: what submit_sm and deliver_sm carry."""

    source: str = ""
    destination: str
    message: bytes
    esm_class: int = 0
    coding: int = 0
    receipt: bool = False
    validity: str = ""
    priority: int = 0
    optional: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def is_receipt(self) -> bool:
        """Whether it reports what became of another message (5.2.12)."""
        return self.esm_class & 0x3C == _RECEIPT

    @property
    def split(self) -> tuple[int, int, int, bytes]:
        """Reference, number of parts, number of this part, and its bytes without header; (0, 1, 1, all) where it is whole."""
        if self.esm_class & _UDHI and self.message[:3] == b"\x05\x00\x03" and len(self.message) >= _UDH:
            reference, total, number = self.message[3:_UDH]
            return reference, total, number, self.message[_UDH:]
        return 0, 1, 1, self.message

    def to_body(self) -> bytes:
        """As bytes."""
        if len(self.message) > 254:
            raise SmppError(f"a short message of {len(self.message)} bytes; 254 are allowed")
        digits = self.source.lstrip("+").isdigit()
        return b"".join((
            b"\0", bytes((1 if digits and self.source else 0 if not self.source else 5, 1 if digits else 0)), _cstring(self.source, 21),
            bytes((1 if self.destination.startswith("+") else 0, 1)), _cstring(self.destination.lstrip("+"), 21),
            bytes((self.esm_class, 0, self.priority)), b"\0", _cstring(self.validity, 17), bytes((int(self.receipt), 0, self.coding, 0)),
            bytes((len(self.message),)), self.message, *(tlv(tag, value) for tag, value in self.optional.items()),
        ))  # fmt: skip


def submit(sequence: int, short: Short) -> Pdu:
    """4.4.1 submit_sm."""
    return Pdu(SUBMIT_SM, sequence, body=short.to_body())


def deliver(sequence: int, short: Short) -> Pdu:
    """4.6.1 deliver_sm."""
    return Pdu(DELIVER_SM, sequence, body=short.to_body())


def read_short(body: bytes) -> Short:
    """What a submit_sm or deliver_sm carries."""
    reader = _Reader(body)
    reader.cstring(6)
    reader.take(2)
    source = reader.cstring(21)
    ton = reader.take(2)[0]
    destination = reader.cstring(21)
    esm_class, _protocol, priority = reader.take(3)
    reader.cstring(17)
    validity = reader.cstring(17)
    registered, _replace, coding, _default = reader.take(4)
    message = reader.take(reader.take(1)[0])
    optional = reader.optional()
    return Short(
        source=source, destination=f"+{destination}" if ton == 1 else destination, message=message or optional.get(MESSAGE_PAYLOAD, b""),
        esm_class=esm_class, coding=coding, receipt=bool(registered & 0x01), validity=validity, priority=priority, optional=optional,
    )  # fmt: skip


def message_id(body: bytes) -> str:
    """The id that a submit_sm_resp gives; empty where it has none."""
    return _Reader(body).cstring(65) if body else ""


def receipt(short: Short) -> tuple[str, str]:
    """Message id and our status of a delivery receipt (appendix B); the status is empty for what is not final."""
    text = short.message.decode("latin-1")
    found = dict(re.findall(r"(id|stat|err):(\S*)", text))
    given = short.optional.get(RECEIPTED_MESSAGE_ID)
    name = given.rstrip(b"\0").decode("latin-1") if given else found.get("id", "")
    if not name:
        raise SmppError("a receipt without a message id")
    return name, _STATES.get(found.get("stat", "").upper(), "")


def receipt_text(name: str, status: str, stamp: str) -> bytes:
    """The words of a delivery receipt for one of our statuses; `stamp` is YYMMDDhhmm."""
    stat = STAT_OF.get(status, "UNDELIV")
    done = "001" if stat == "DELIVRD" else "000"
    return f"id:{name} sub:001 dlvrd:{done} submit date:{stamp} done date:{stamp} stat:{stat} err:000 text:".encode()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise SmppError("the unit ends before its fields do")
        found, self._at = self._data[self._at : end], end
        return found

    def cstring(self, most: int) -> str:
        end = self._data.find(b"\0", self._at, self._at + most)
        if end < 0:
            raise SmppError(f"a text of more than {most - 1} characters")
        found, self._at = self._data[self._at : end], end + 1
        return found.decode("latin-1")

    def optional(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while self._at < len(self._data):
            tag, length = struct.unpack(">HH", self.take(4))
            found[tag] = self.take(length)
        return found


def joined(pieces: Sequence[tuple[int, bytes]], coding: int) -> str:
    """The whole text of parts that came in any order: (number, bytes)."""
    return "".join(words(coding, data) for _number, data in sorted(pieces))
