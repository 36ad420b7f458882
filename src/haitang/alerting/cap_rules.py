"""The rules of CAP's prose, which no schema can check. Source: OASIS CAP 1.2 section 3; catalogue of google/cap-library."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from haitang.alerting.area_shapes import crosses_itself
from haitang.alerting.cap_findings import Finding
from haitang.alerting.cap_model import Alert, Area, Info, Resource
from haitang.alerting.cap_values import circle, instant, polygon, references

HEADLINE_LIMIT = 160
EVENT_LIMIT = 35
POLYGON_LIMIT = 100
_BAD_ID = re.compile(r"[\s,<&]")
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(\s[^<>]*)?/?>")
_ENTITY = re.compile(r"&(#\d+|#x[0-9a-fA-F]+|[a-zA-Z]{2,8});")
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(\s*;.*)?")
_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
_TEXTS = ("event", "audience", "sender_name", "headline", "description", "instruction", "contact")
_TAGS = {"sender_name": "senderName"}

# Findings are made as (code, xpath, value); the line is looked up once, at the end.
Raw = tuple[str, str, str]


def check(alert: Alert) -> list[Finding]:
    """Every finding of the prose rules, in the order of the message."""
    raw = [*_alert(alert), *_across(alert)]
    for number, info in enumerate(alert.infos, 1):
        raw += _info(alert, info, f"/alert/info[{number}]")
    return [Finding(code, xpath, value[:200], alert.lines.get(xpath, 0)) for code, xpath, value in raw]


def _alert(alert: Alert) -> Iterator[Raw]:
    if not alert.identifier or _BAD_ID.search(alert.identifier):
        yield "INVALID_IDENTIFIER", "/alert/identifier", alert.identifier
    if not alert.sender or _BAD_ID.search(alert.sender):
        yield "INVALID_SENDER", "/alert/sender", alert.sender
    yield from _utc(alert.sent, "/alert/sent")
    yield from _references(alert)
    if alert.status == "Exercise" and not alert.note:
        yield "EXERCISE_NOTE", "/alert/note", ""
    if alert.msg_type == "Error" and not alert.note:
        yield "ERROR_NOTE", "/alert/note", ""
    if bool(alert.restriction) != (alert.scope == "Restricted"):
        yield "RESTRICTION_SCOPE_MISMATCH", "/alert/restriction", alert.restriction or alert.scope
    if alert.scope == "Private" and not (alert.addresses or "").strip():
        yield "MISSING_ADDRESSES", "/alert/addresses", ""
    if (alert.addresses or "").count('"') % 2:
        yield "INVALID_ADDRESSES", "/alert/addresses", alert.addresses or ""
    if alert.msg_type in ("Alert", "Update") and not alert.infos:
        yield "NO_INFO", "/alert/info", ""
    yield from _html(alert.note, "/alert/note")


def _references(alert: Alert) -> Iterator[Raw]:
    where = "/alert/references"
    text = alert.references or ""
    if not text.strip():
        if alert.msg_type in ("Update", "Cancel", "Ack", "Error"):
            yield "MISSING_REFERENCES", where, alert.msg_type
        return
    if alert.msg_type == "Alert":
        yield "UNEXPECTED_REFERENCES", where, text
    # CAP 1.0 wrote identifier/sender.
    found = references(text)
    if found is None:
        if alert.version != "1.0":
            yield "INVALID_REFERENCES", where, text
        return
    sent = instant(alert.sent)
    for item in found:
        earlier = instant(item.sent)
        if earlier is None:
            yield "INVALID_REFERENCES", where, ",".join(item)
        elif (item.sender, item.identifier) == (alert.sender, alert.identifier):
            yield "CIRCULAR_REFERENCE", where, ",".join(item)
        elif sent is not None and earlier > sent:
            yield "POSTDATED_REFERENCE", where, ",".join(item)


def _across(alert: Alert) -> Iterator[Raw]:
    """Rules about several infos together, each compared with the first of its kind: a message may have thousands."""
    events: dict[str, str] = {}
    texts: dict[tuple[str, str], str] = {}
    for number, info in enumerate(alert.infos, 1):
        where = f"/alert/info[{number}]"
        first = alert.infos[0]
        language = (info.language or "en-US").lower()
        if set(first.categories) != set(info.categories):
            yield "CATEGORIES_DIFFER", f"{where}/category", " ".join(info.categories)
        if set(first.event_codes) != set(info.event_codes):
            yield "EVENT_CODES_DIFFER", f"{where}/eventCode", " ".join(pair.value for pair in info.event_codes)
        if events.setdefault(language, info.event) != info.event:
            yield "EVENT_DIFFERS", f"{where}/event", info.event
        for name in ("headline", "description", "instruction"):
            text = getattr(info, name)
            if text and texts.setdefault((name, text), language) != language:
                yield "SAME_TEXT_DIFFERENT_LANGUAGE", f"{where}/{name}", text


def _info(alert: Alert, info: Info, where: str) -> Iterator[Raw]:
    if not info.event:
        yield "EMPTY_EVENT", f"{where}/event", ""
    elif len(info.event) > EVENT_LIMIT:
        yield "EVENT_TOO_LONG", f"{where}/event", info.event
    yield from _times(alert, info, where)
    if info.web and not _absolute(info.web):
        yield "INVALID_WEB", f"{where}/web", info.web
    if info.headline and len(info.headline) > HEADLINE_LIMIT:
        yield "HEADLINE_TOO_LONG", f"{where}/headline", str(len(info.headline))
    for name in _TEXTS:
        yield from _html(getattr(info, name), f"{where}/{_TAGS.get(name, name)}")
    pairs = (("eventCode", info.event_codes), ("parameter", info.parameters))
    for tag, items in pairs:
        for number, pair in enumerate(items, 1):
            if not pair.name:
                yield "EMPTY_PAIR_NAME", f"{where}/{tag}[{number}]", pair.value
    if not info.areas and alert.msg_type in ("Alert", "Update"):
        yield "NO_AREA", f"{where}/area", ""
    for number, resource in enumerate(info.resources, 1):
        yield from _resource(resource, f"{where}/resource[{number}]")
    for number, area in enumerate(info.areas, 1):
        yield from _area(area, f"{where}/area[{number}]")


def _times(alert: Alert, info: Info, where: str) -> Iterator[Raw]:
    for name in ("effective", "onset", "expires"):
        yield from _utc(getattr(info, name), f"{where}/{name}")
    sent, effective, onset, expires = (
        instant(text) if text else None for text in (alert.sent, info.effective, info.onset, info.expires)
    )
    if not info.expires:
        # A cancellation ends something; it has nothing of its own that could expire.
        if alert.msg_type in ("Alert", "Update"):
            yield "NO_EXPIRES", f"{where}/expires", ""
    elif expires and sent and expires <= sent:
        yield "EXPIRES_BEFORE_SENT", f"{where}/expires", info.expires
    elif expires and any(start and expires <= start for start in (effective, onset)):
        yield "EXPIRES_BEFORE_EFFECTIVE", f"{where}/expires", info.expires
    if effective and sent and effective < sent:
        yield "EFFECTIVE_BEFORE_SENT", f"{where}/effective", info.effective or ""


def _resource(resource: Resource, where: str) -> Iterator[Raw]:
    if not _MIME.fullmatch(resource.mime_type):
        yield "INVALID_MIME_TYPE", f"{where}/mimeType", resource.mime_type
    if resource.size and resource.size.startswith("-") and resource.size.strip("-0"):
        yield "NEGATIVE_RESOURCE_SIZE", f"{where}/size", resource.size
    if resource.uri and not _absolute(resource.uri) and not resource.deref_uri:
        yield "RELATIVE_URI_MISSING_DEREF_URI", f"{where}/uri", resource.uri
    content = None
    if resource.deref_uri:
        try:
            content = base64.b64decode("".join(resource.deref_uri.split()), validate=True)
        except (binascii.Error, ValueError):
            yield "INVALID_DEREF_URI", f"{where}/derefUri", resource.deref_uri
    if resource.digest:
        wrong = (
            content is not None and hashlib.sha1(content, usedforsecurity=False).hexdigest() != resource.digest.lower()
        )
        if wrong or not _SHA1.fullmatch(resource.digest):
            yield "INVALID_DIGEST", f"{where}/digest", resource.digest


def _area(area: Area, where: str) -> Iterator[Raw]:
    if not area.description:
        yield "INVALID_AREA", f"{where}/areaDesc", ""
    if not (area.polygons or area.circles or area.geocodes):
        yield "AREA_WITHOUT_GEOMETRY", where, area.description
    for number, text in enumerate(area.polygons, 1):
        yield from _polygon(text, f"{where}/polygon[{number}]")
    for number, text in enumerate(area.circles, 1):
        found = circle(text)
        place = f"{where}/circle[{number}]"
        if found is None or not _on_earth(found.lat, found.lon) or not 0 <= found.radius_km <= 20_050:
            yield "INVALID_CIRCLE", place, text
        elif found.radius_km == 0:
            yield "ZERO_RADIUS_CIRCLE", place, text
    for number, pair in enumerate(area.geocodes, 1):
        if not pair.name:
            yield "EMPTY_PAIR_NAME", f"{where}/geocode[{number}]", pair.value
    if area.ceiling:
        try:
            right = area.altitude is not None and float(area.altitude) <= float(area.ceiling)
        except ValueError:
            return  # no numbers: the schema layer has said so
        if not right:
            yield "INVALID_ALTITUDE_CEILING_RANGE", f"{where}/ceiling", area.ceiling


def _polygon(text: str, where: str) -> Iterator[Raw]:
    points = polygon(text)
    if not points or len(points) < 4 or points[0] != points[-1] or not all(_on_earth(*point) for point in points):
        yield "INVALID_POLYGON", where, text
        return
    if crosses_itself(points):
        yield "INVALID_POLYGON_SELF_INTERSECTION", where, text
    if len(points) > POLYGON_LIMIT:
        yield "POLYGON_TOO_LONG", where, str(len(points))


def _on_earth(lat: float, lon: float) -> bool:
    return -90 <= lat <= 90 and -180 <= lon <= 180


def _utc(text: str | None, where: str) -> Iterator[Raw]:
    if text and text.endswith("+00:00"):
        yield "UTC_PLUS_ZERO", where, text


def _html(text: str | None, where: str) -> Iterator[Raw]:
    if text and "<" in text and _TAG.search(text):
        yield "TEXT_CONTAINS_HTML_TAGS", where, text
    if text and "&" in text and _ENTITY.search(text):
        yield "TEXT_CONTAINS_HTML_ENTITIES", where, text


def _absolute(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))
