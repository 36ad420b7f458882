"""The small languages inside a CAP message: times, polygons, circles, references."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

BEIJING: Final = timezone(timedelta(hours=8))
XML_SPACE: Final = " \t\r\n"
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([+-])(\d\d):(\d\d)", re.ASCII)

Point = tuple[float, float]


@lru_cache(maxsize=4096)
def instant(text: str) -> datetime | None:
    """Read a CAP time (`2024-09-15T08:00:00+08:00`); None where the text is no such time. Keeps the offset."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
    if int(match[9]) > 59 or offset > timedelta(hours=14):
        return None
    midnight = hour == 24 and minute == second == 0
    try:
        zone = timezone(-offset if match[7] == "-" else offset)
        moment = datetime(year, month, day, 0 if midnight else hour, minute, second, tzinfo=zone)
        return moment + timedelta(days=1) if midnight else moment
    except (ValueError, OverflowError):
        return None


def cap_time(moment: datetime, zone: tzinfo = BEIJING) -> str:
    """Write an aware time as CAP wants it: whole seconds, an offset, UTC as `-00:00`."""
    if moment.tzinfo is None:
        raise ValueError(f"a CAP time needs an offset, got {moment!r} without one")
    local = moment.astimezone(zone)
    text = local.replace(microsecond=0).isoformat()
    return text[:-6] + "-00:00" if local.utcoffset() == timedelta(0) else text


class Reference(NamedTuple):
    """One message another one refers to."""

    sender: str
    identifier: str
    sent: str


def references(text: str) -> list[Reference] | None:
    """Read `sender,identifier,sent` triplets parted by white space; None where one of them is not such a triplet."""
    found = []
    for part in text.split():
        pieces = part.split(",")
        if len(pieces) != 3 or not all(pieces):
            return None
        found.append(Reference(*pieces))
    return found


def references_text(items: list[Reference]) -> str:
    """Write references the way `references` reads them."""
    return " ".join(",".join(item) for item in items)


def polygon(text: str) -> list[Point] | None:
    """Read `lat,lon lat,lon ...` as (lat, lon) pairs in degrees; None where a pair is no pair of numbers."""
    points = []
    for part in text.split():
        lat, comma, lon = part.partition(",")
        try:
            points.append((float(lat), float(lon)))
        except ValueError:
            return None
        if not comma:
            return None
    return points


def polygon_text(points: list[Point], decimals: int = 5) -> str:
    """Write (lat, lon) pairs as a CAP polygon; 5 decimals are about one metre."""
    return " ".join(f"{lat:.{decimals}f},{lon:.{decimals}f}" for lat, lon in points)


class Circle(NamedTuple):
    """A centre in degrees and a radius in kilometres."""

    lat: float
    lon: float
    radius_km: float


def circle(text: str) -> Circle | None:
    """Read `lat,lon radius`; None where it is something else."""
    centre, _space, radius = text.strip().partition(" ")
    lat, comma, lon = centre.partition(",")
    try:
        return Circle(float(lat), float(lon), float(radius)) if comma else None
    except ValueError:
        parts = text.split()  # parted by a line or a tab
        return circle(" ".join(parts)) if len(parts) == 2 and text != " ".join(parts) else None


def as_utc(moment: datetime) -> datetime:
    """The same instant in UTC."""
    return moment.astimezone(UTC)
