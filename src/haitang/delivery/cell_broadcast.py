"""Cell broadcast: what a cell broadcast entity is asked for, in the fields of 3GPP TS 23.041. Pure.

Warning messages of the public warning system (clause 9.4): message identifier, serial number (geographical scope,
message code, update number), data coding scheme (TS 23.038, clause 5), pages of 82 octets, repetition period, number of
broadcasts, and the area as polygons. Text is UCS-2, 41 characters a page, 15 pages at most, so that Chinese and English
go the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

# TS 23.038 clause 5: general data coding, not compressed, no class, UCS-2.
UCS2: Final = 0x48
PAGE_CHARACTERS, MOST_PAGES, PAGE_OCTETS = 41, 15, 82
MOST_CHARACTERS: Final = PAGE_CHARACTERS * MOST_PAGES
MOST_VERTICES: Final = 100
PERIOD_S, MOST_PERIOD_S, MOST_BROADCASTS = 30, 4095, 65_535
# Geographical scope (9.4.1.2.1): shown at once, or like other messages, both for the cell.
CELL_IMMEDIATE, CELL_NORMAL = 0b00, 0b11
# 9.4.1.2.2: by severity, urgency and certainty; what is not for the public has identifiers of its own.
IDENTIFIERS: Final = {
    ("Extreme", "Immediate", "Observed"): 4371, ("Extreme", "Immediate", "Likely"): 4372,
    ("Extreme", "Expected", "Observed"): 4373, ("Extreme", "Expected", "Likely"): 4374,
    ("Severe", "Immediate", "Observed"): 4375, ("Severe", "Immediate", "Likely"): 4376,
    ("Severe", "Expected", "Observed"): 4377, ("Severe", "Expected", "Likely"): 4378,
}  # fmt: skip

Ring = Sequence[tuple[float, float]]


class BroadcastError(ValueError):
    """What cannot be broadcast: the text names field, value and rule."""


def message_identifier(severity: str, urgency: str, certainty: str) -> int:
    """The identifier of a warning; BroadcastError for one that is not grave enough to wake everybody."""
    near = "Immediate" if urgency == "Immediate" else "Expected"
    sure = "Observed" if certainty == "Observed" else "Likely"
    found = IDENTIFIERS.get((severity, near, sure))
    if found is None:
        raise BroadcastError(f"severity {severity!r}: only Extreme and Severe are broadcast to every phone")
    return found


def serial_number(code: int, update: int, scope: int = CELL_NORMAL) -> int:
    """The 16 bits of a serial number: scope (2), message code (10), update number (4). A phone shows each once."""
    if not (0 <= code < 1024 and 0 <= scope < 4 and update >= 0):
        raise BroadcastError(f"message code {code}, scope {scope}, update {update}: 0-1023, 0-3, not negative")
    return scope << 14 | code << 4 | update % 16


def parts_of(serial: int) -> tuple[int, int, int]:
    """Scope, message code and update number of a serial number."""
    return serial >> 14, serial >> 4 & 0x3FF, serial & 0xF


def pages(text: str) -> list[dict[str, Any]]:
    """The pages of a text as UCS-2 (9.4.2.2.5): octets used, and 82 octets padded with carriage returns, in hexadecimal."""
    # UCS-2 has no characters beyond the basic plane: a phone would show two boxes.
    plain = "".join(c if ord(c) <= 0xFFFF else "?" for c in text)
    if len(plain) > MOST_CHARACTERS:
        plain = f"{plain[: MOST_CHARACTERS - 1]}…"
    cut = [plain[at : at + PAGE_CHARACTERS] for at in range(0, len(plain), PAGE_CHARACTERS)] or [""]
    return [
        {"length": 2 * len(page), "content": page.ljust(PAGE_CHARACTERS, "\r").encode("utf-16-be").hex()}
        for page in cut
    ]


def words(found: Sequence[dict[str, Any]]) -> str:
    """The text of pages."""
    return "".join(bytes.fromhex(page["content"])[: page["length"]].decode("utf-16-be") for page in found)


@dataclass(frozen=True)
class Broadcast:
    """One write-replace request."""

    identifier: int
    serial: int
    text: str
    polygons: Sequence[Ring]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The request's fields, checked; BroadcastError names what is wrong."""
        check_area(self.polygons)
        number = max(1, min(MOST_BROADCASTS, math.ceil(self.seconds / PERIOD_S)))
        return {
            "action": "write-replace", "messageIdentifier": self.identifier, "serialNumber": self.serial, "dataCodingScheme": UCS2,
            "repetitionPeriod": PERIOD_S, "numberOfBroadcastsRequested": number, "pages": pages(self.text),
            "warningArea": {"polygons": [[[round(lon, 6), round(lat, 6)] for lon, lat in ring] for ring in self.polygons]},
        }  # fmt: skip


def stop(identifier: int, serial: int) -> dict[str, Any]:
    """A stop-warning request."""
    return {"action": "stop", "messageIdentifier": identifier, "serialNumber": serial}


def check_area(polygons: Sequence[Ring]) -> None:
    """BroadcastError unless there are closed rings of 4 to 100 vertices on the earth."""
    if not polygons:
        raise BroadcastError("no polygon: a broadcast needs an area")
    for number, ring in enumerate(polygons, start=1):
        if not 4 <= len(ring) <= MOST_VERTICES:
            raise BroadcastError(f"polygon {number} has {len(ring)} vertices; 4 to {MOST_VERTICES} are allowed")
        if tuple(ring[0]) != tuple(ring[-1]):
            raise BroadcastError(f"polygon {number} is not closed")
        if not all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in ring):
            raise BroadcastError(f"polygon {number} leaves the earth: longitude first, degrees")


def problems(request: dict[str, Any]) -> list[str]:
    """What a cell broadcast entity would object to in a request; empty for a good one."""
    found: list[str] = []

    def wants(name: str, low: int, high: int) -> None:
        value = request.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            found.append(f"{name}={value!r}: {low} to {high}")

    wants("messageIdentifier", 4370, 4399)
    wants("serialNumber", 0, 0xFFFF)
    if request.get("action") == "stop":
        return found
    if request.get("action") != "write-replace":
        found.append(f"action={request.get('action')!r}: write-replace or stop")
    wants("dataCodingScheme", 0, 0xFF)
    wants("repetitionPeriod", 1, MOST_PERIOD_S)
    wants("numberOfBroadcastsRequested", 0, MOST_BROADCASTS)
    given = request.get("pages")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_PAGES:
        found.append(f"pages: 1 to {MOST_PAGES}")
    elif not all(isinstance(p, dict) and len(str(p.get("content", ""))) == 2 * PAGE_OCTETS for p in given):
        found.append(f"pages: {PAGE_OCTETS} octets each, in hexadecimal")
    try:
        check_area([[(float(x), float(y)) for x, y in ring] for ring in request["warningArea"]["polygons"]])
    except (BroadcastError, KeyError, TypeError, ValueError) as error:
        found.append(f"warningArea: {error}")
    return found


def seconds_until(expires: datetime | None, at: datetime, otherwise: float = 3600.0) -> float:
    """How long to broadcast."""
    return otherwise if expires is None else max(0.0, (expires - at).total_seconds())
