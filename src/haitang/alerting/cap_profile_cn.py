"""The Chinese profile: what a CAP message needs here beyond CAP. Source: GB/T 35965.1-2018 as far as it is published."""

from __future__ import annotations

from collections.abc import Container, Iterator

from haitang.alerting import colours, identifiers
from haitang.alerting.cap_findings import Finding
from haitang.alerting.cap_model import Alert, Area, Info
from haitang.alerting.event_codes import CODE_NAME

# valueName under which an administrative code travels in a CAP geocode.
GEOCODE_NAME = "GB/T 2260"


def check(alert: Alert, codes: Container[str] | None = None) -> list[Finding]:
    """Every finding of the profile; `codes` is the table of event codes in use, None to accept any."""
    raw = [*_alert(alert)]
    for number, info in enumerate(alert.infos, 1):
        raw += _info(alert, info, f"/alert/info[{number}]", codes)
    return [Finding(code, xpath, value[:200], alert.lines.get(xpath, 0)) for code, xpath, value in raw]


def _alert(alert: Alert) -> Iterator[tuple[str, str, str]]:
    identifier = identifiers.parse(alert.identifier)
    if identifier is None or not identifier.is_full:
        yield "CN_IDENTIFIER", "/alert/identifier", alert.identifier
    if not alert.sent.endswith("+08:00"):
        yield "CN_BEIJING_TIME", "/alert/sent", alert.sent
    if alert.status in ("Exercise", "Test", "System") and alert.scope == "Public":
        yield "CN_EXERCISE_PUBLIC", "/alert/scope", alert.status
    if alert.infos and not any((info.language or "").lower().startswith("zh") for info in alert.infos):
        yield "CN_NO_CHINESE", "/alert/info[1]/language", ""


def _info(alert: Alert, info: Info, where: str, codes: Container[str] | None) -> Iterator[tuple[str, str, str]]:
    colour = colours.parse(info.parameter(colours.COLOUR_PARAMETER) or "")
    if colour is None:
        yield "CN_COLOUR_MISSING", f"{where}/parameter", info.parameter(colours.COLOUR_PARAMETER) or ""
    else:
        if info.severity != colour.severity:
            yield "CN_COLOUR_SEVERITY", f"{where}/severity", f"{colour.value} / {info.severity}"
        announced = colours.in_headline(info.headline or "")
        if announced is not None and announced is not colour:
            yield "CN_HEADLINE_COLOUR", f"{where}/headline", info.headline or ""
    own = [pair.value for pair in info.event_codes if pair.name == CODE_NAME]
    if not own or (codes is not None and any(code not in codes for code in own)):
        yield "CN_EVENT_CODE", f"{where}/eventCode", " ".join(own)
    if not info.sender_name:
        yield "CN_SENDER_NAME", f"{where}/senderName", ""
    if alert.msg_type in ("Alert", "Update"):
        if not info.expires:
            yield "CN_EXPIRES", f"{where}/expires", ""
        if not info.instruction:
            yield "CN_INSTRUCTION", f"{where}/instruction", ""
    for number, area in enumerate(info.areas, 1):
        if not _located(area):
            yield "CN_GEOCODE", f"{where}/area[{number}]", area.description


def _located(area: Area) -> bool:
    return bool(area.polygons or area.circles) or any(pair.name == GEOCODE_NAME for pair in area.geocodes)
