"""From a request to a look: who, where, when, which part. A bad parameter is refused by name."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from haitang.geo.catalogue import Look
from haitang.spaces.clock import now

# The slider's rest position and a clock that runs on while the request travels are still the present.
_PRESENT = timedelta(seconds=2)


class BadParameter(ValueError):
    """A parameter of the address that cannot be used."""


def look_of(request: HttpRequest) -> Look:
    """What this request looks at. Parameters: `at` (ISO 8601) and `bbox` (west,south,east,north)."""
    space = request.space  # type: ignore[attr-defined]
    present = now(space)
    at = moment(request.GET.get("at", ""))
    return Look(
        user=request.user,
        space=space,
        at=at or present,
        is_past=at is not None and at < present - _PRESENT,
        language=get_language() or "zh-hans",
        bbox=box(request.GET.get("bbox", "")),
    )


def moment(text: str) -> datetime | None:
    """An aware time from ISO 8601 text, None from none; without a zone it is local time."""
    if not text:
        return None
    try:
        # A plus sign that was not escaped arrives as a blank.
        parsed = parse_datetime(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError:
        parsed = None
    if parsed is None:
        raise BadParameter(
            _("The time %(value)s cannot be read: write it like 2024-09-16T07:30:00+08:00.")
            % {"value": repr(text[:40])}
        )
    aware = parsed if timezone.is_aware(parsed) else timezone.make_aware(parsed)
    try:
        return aware.astimezone(timezone.get_default_timezone())
    except (OverflowError, ValueError) as error:
        raise BadParameter(
            _("The time %(value)s lies outside the calendar: give a year from 2 to 9998.") % {"value": repr(text[:40])}
        ) from error


def box(text: str) -> tuple[float, float, float, float] | None:
    """West, south, east, north from four numbers with commas, None from none."""
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise BadParameter(
            _("The box %(value)s is not west,south,east,north in degrees: write it like 121.1,31.2,122.0,31.9.")
            % {"value": repr(text[:60])}
        )
    return west, south, east, north
