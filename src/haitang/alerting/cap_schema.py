"""The grammar of a CAP message as a table: order, cardinality and kind of every element.

One table serves reading, writing and the schema layer of the validator, so that the three cannot disagree.
Source: OASIS CAP 1.2, section 3.4 (XML schema).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from haitang.alerting import cap_model as m
from haitang.alerting.cap_values import instant

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
# Read as well as 1.2; what an older grammar did otherwise becomes a finding.
OLD_NAMESPACES: Final = {
    "urn:oasis:names:tc:emergency:cap:1.1": "1.1",
    "http://www.incident.com/cap/1.0": "1.0",
}
SIGNATURE_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"

# xs:string keeps the white space around a value, the other types drop it.
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_BAD_URI = re.compile(r"%(?![0-9A-Fa-f]{2})|#.*#|^:")


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a sequence: its tag, the attribute that holds it and what may stand in it."""

    tag: str
    attribute: str
    required: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()
    check: Callable[[str], bool] | None = None
    code: str = "INVALID_VALUE"
    of: str = ""  # the type of a compound element: a key of TYPES

    @property
    def is_token(self) -> bool:
        """True where outer white space does not belong to the value."""
        return self.check is not None


def _uri(text: str) -> bool:
    return _BAD_URI.search(text) is None


def _time(tag: str, required: bool = False) -> Element:
    return Element(tag, tag, required, check=lambda text: instant(text) is not None, code="INVALID_DATE")


def _enum(tag: str, attribute: str, choices: tuple[str, ...], required: bool = True, many: bool = False) -> Element:
    return Element(tag, attribute, required, many, choices, code="INVALID_ENUM_VALUE")


def _text(tag: str, attribute: str = "", required: bool = False, many: bool = False) -> Element:
    return Element(tag, attribute or tag, required, many)


def _pairs(tag: str, attribute: str) -> Element:
    return Element(tag, attribute, many=True, of="pair")


def _number(tag: str, pattern: re.Pattern[str], code: str) -> Element:
    return Element(tag, tag, check=lambda text: pattern.fullmatch(text) is not None, code=code)


ALERT: Final = (
    _text("identifier", required=True),
    _text("sender", required=True),
    _time("sent", required=True),
    _enum("status", "status", m.STATUS),
    _enum("msgType", "msg_type", m.MSG_TYPE),
    _text("source"),
    _enum("scope", "scope", m.SCOPE),
    _text("restriction"),
    _text("addresses"),
    _text("code", "codes", many=True),
    _text("note"),
    _text("references"),
    _text("incidents"),
    Element("info", "infos", many=True, of="info"),
)
INFO: Final = (
    Element("language", "language", check=lambda t: _LANGUAGE.fullmatch(t) is not None, code="INVALID_LANGUAGE"),
    _enum("category", "categories", m.CATEGORY, many=True),
    _text("event", required=True),
    _enum("responseType", "response_types", m.RESPONSE_TYPE, required=False, many=True),
    _enum("urgency", "urgency", m.URGENCY),
    _enum("severity", "severity", m.SEVERITY),
    _enum("certainty", "certainty", m.CERTAINTY),
    _text("audience"),
    _pairs("eventCode", "event_codes"),
    _time("effective"),
    _time("onset"),
    _time("expires"),
    _text("senderName", "sender_name"),
    _text("headline"),
    _text("description"),
    _text("instruction"),
    Element("web", "web", check=_uri, code="INVALID_URI"),
    _text("contact"),
    _pairs("parameter", "parameters"),
    Element("resource", "resources", many=True, of="resource"),
    Element("area", "areas", many=True, of="area"),
)
RESOURCE: Final = (
    _text("resourceDesc", "description", required=True),
    _text("mimeType", "mime_type", required=True),
    _number("size", _INTEGER, "INVALID_RESOURCE_SIZE"),
    Element("uri", "uri", check=_uri, code="INVALID_URI"),
    _text("derefUri", "deref_uri"),
    _text("digest"),
)
AREA: Final = (
    _text("areaDesc", "description", required=True),
    _text("polygon", "polygons", many=True),
    _text("circle", "circles", many=True),
    _pairs("geocode", "geocodes"),
    _number("altitude", _DECIMAL, "INVALID_VALUE"),
    _number("ceiling", _DECIMAL, "INVALID_VALUE"),
)
PAIR: Final = (_text("valueName", "name", required=True), _text("value", "value", required=True))

TYPES: Final[dict[str, tuple[Element, ...]]] = {
    "alert": ALERT,
    "info": INFO,
    "resource": RESOURCE,
    "area": AREA,
    "pair": PAIR,
}
