"""The national warning platform's JSON from and to CAP. Pure.

Public messages of 国家突发事件预警信息发布系统, the weather bureau and those who pass them on name the same things in
several ways; all that were seen are read, with a finding for whatever had to be guessed. Written is the full form only.
Sources: field sets seen in public feeds (CMA, 12379, data.cma.cn, QWeather, caiyun); GB/T 35965.1-2018 as far as published.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from haitang.alerting import colours, identifiers
from haitang.alerting.cap_findings import Finding
from haitang.alerting.cap_model import Alert, Area, Info, Pair
from haitang.alerting.cap_profile_cn import GEOCODE_NAME
from haitang.alerting.cap_values import BEIJING, cap_time, instant, references
from haitang.alerting.colours import AREA_COLOURS, COLOUR_PARAMETER, Colour
from haitang.alerting.event_codes import CODE_NAME

# What other feeds call the same thing, best first.
_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "identifier": ("identifier", "id", "alertId", "alertid"),
    "sender": ("sender",),
    "senderName": ("senderName", "sendername"),
    "headline": ("headline", "title"),
    "description": ("description", "info", "text", "content"),
    "effective": ("effective", "effectiveTime", "issuedTime", "publishtime", "pubtimestamp", "sendTime"),
    "expires": ("expires", "expireTime", "expiretime"),
    "eventType": ("eventType", "eventtype"),
    "eventTypeCN": ("eventTypeCN", "signaltype", "alertname", "event"),
    "msgType": ("msgType", "msgtype", "messageType", "warningstate"),
    "severity": ("severity", "signallevel", "alertlevel", "color"),
    "referencesInfo": ("referencesInfo", "relatedAlertIds"),
    "note": ("note",),
    "areaName": ("areaName", "location", "county"),
    "adcode": ("adcode",),
    "status": ("status",),
    "type": ("type",),
}
_MSG_TYPES: Final = {
    "alert": "Alert", "发布": "Alert", "首次发布": "Alert",
    "update": "Update", "更新": "Update", "继续发布": "Update", "升级": "Update", "降级": "Update", "变更": "Update",
    "cancel": "Cancel", "cancle": "Cancel", "解除": "Cancel",
    "ack": "Ack", "error": "Error",
}  # fmt: skip
_STATUS: Final = {
    "actual": "Actual", "exercise": "Exercise", "test": "Test", "system": "System", "draft": "Draft",
    "": "Actual", "预警中": "Actual", "unknown": "Actual", "uknown": "Actual", "未知": "Actual",
    "演练": "Exercise", "测试": "Test",
}  # fmt: skip
_TIME: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?", re.ASCII)  # fmt: skip
_SENDER: Final = re.compile(r"^(.{2,30}?)(?:\d{4}年.*?分?)?(?:继续|更新|解除|变更|将|发布)")
_CHANGE: Final = re.compile(r"将(?P<where>[^，。；]{2,80}?)(?P<hazard>台风|暴雨|暴雪|寒潮|大风|低温|霜冻|高温|雷电|冰雹|大雾|霾|道路结冰|雷雨大风|沙尘暴|干旱)?(?P<old>[红橙黄蓝])色预警(?:信号)?(?:降级|升级|更新|变更|调整)为(?P<new>[红橙黄蓝])色")  # fmt: skip
_REST: Final = re.compile(r"其[余它他](?P<where>[^，。；]{1,10}?)(?:台风|暴雨|暴雪|寒潮|大风|低温|霜冻|高温|雷电|冰雹|大雾|霾|道路结冰|雷雨大风|沙尘暴|干旱)?(?P<new>[红橙黄蓝])色(?:预警)?(?:信号)?(?:仍|继续|维持)")  # fmt: skip
SUFFIX: Final = "事件"


@dataclass(frozen=True, slots=True)
class Code:
    """One official event code: name, in how many systems it was seen, the weather bureau's four digits."""

    code: str
    zh: str
    seen: int
    p: str = ""


@cache
def codes() -> dict[str, Code]:
    """The official codes, from `national_codes.toml`."""
    raw = tomllib.loads(files("haitang.alerting").joinpath("national_codes.toml").read_text("utf-8"))
    return {code: Code(code, row["zh"], row["seen"], row.get("p", "")) for code, row in raw["codes"].items()}


class NotNational(ValueError):
    """A record that is no warning of the national form; the text says what is missing."""


def records(data: bytes) -> list[Mapping[str, Any]]:
    """The records of a JSON answer, wherever its lists are kept. Raises NotNational."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotNational(f"no JSON: {error}"[:200]) from error
    made = [*_records(found, 0)]
    if not made and found not in ([], {}) and not _has_empty_list(found):
        raise NotNational("no list of warnings in this JSON")
    return made


def _records(found: Any, depth: int) -> Iterable[Mapping[str, Any]]:
    if depth > 5:
        return
    if isinstance(found, list):
        for one in found:
            yield from _records(one, depth + 1)
    elif isinstance(found, Mapping):
        if _first(found, "identifier") and (_first(found, "headline") or _first(found, "eventType")):
            yield found
        else:
            for one in found.values():
                if isinstance(one, list | Mapping):
                    yield from _records(one, depth + 1)


def _has_empty_list(found: Any) -> bool:
    return isinstance(found, Mapping) and any(value == [] or _has_empty_list(value) for value in found.values())


def from_national(record: Mapping[str, Any]) -> tuple[Alert, list[Finding]]:
    """A record as a CAP message, with a finding for everything that had to be guessed. Raises NotNational."""
    identifier = _text(_first(record, "identifier"))
    headline = _text(_first(record, "headline"))
    if not identifier or not headline:
        raise NotNational("a warning needs an identifier and a headline or title")
    notes: list[tuple[str, str, str]] = []
    parsed = identifiers.parse(identifier)
    effective = _moment(_first(record, "effective"))
    sent = effective or (parsed.entered if parsed else None)
    if sent is None:
        raise NotNational(f"warning {identifier} has no time that can be read")
    if not _has_offset(_first(record, "effective")):
        notes.append(("NAT_LOCAL_TIME", "/alert/sent", _text(_first(record, "effective"))))
    msg_type = _msg_type(record, headline)
    colour = _colour(record, headline, notes)
    event, code = _event(record, headline, notes)
    sender_name = _text(_first(record, "senderName")) or _text(_first(record, "sender"))
    if not sender_name:
        match = _SENDER.match(headline)
        sender_name = match[1] if match else ""
    # A CAP sender holds no blank; the unit of the identifier is what other messages refer to.
    sender = parsed.unit if parsed else (re.sub(r"[\s,<&]", "", sender_name) or "unknown")
    status_said = _text(_first(record, "status"))
    status = _STATUS.get(status_said.lower(), "")
    if not status:
        notes.append(("NAT_STATUS", "/alert/status", status_said))
        status = "Actual"
    elif status_said.lower() in ("uknown", "unknown"):
        notes.append(("NAT_STATUS", "/alert/status", status_said))
    expires = _moment(_first(record, "expires"))
    description = _text(_first(record, "description"))
    info = Info(
        language="zh-CN",
        categories=_categories(code),
        event=event,
        urgency="Past" if msg_type == "Cancel" else "Unknown",
        severity=colour.severity if colour else "Unknown",
        certainty="Unknown",
        event_codes=(Pair(CODE_NAME, code),) if code else (),
        expires=cap_time(expires) if expires else None,
        sender_name=sender_name or None,
        headline=headline,
        description=description or None,
        parameters=_parameters(colour, area_levels(description), record),
        areas=(_area(record, parsed),),
    )
    alert = Alert(
        identifier=re.sub(r"[\s,<&]", "", identifier), sender=sender, sent=cap_time(sent), status=status,
        msg_type=msg_type, scope="Public", note=_text(_first(record, "note")) or None,
        references=_references(record, sender), infos=(info,),
    )  # fmt: skip
    return alert, [Finding(name, where, value[:200]) for name, where, value in notes]


def _first(record: Mapping[str, Any], name: str) -> Any:
    for key in _ALIASES[name]:
        value = record.get(key)
        if value not in (None, "", [], {}):
            return value
    return None


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("code") or value.get("name") or ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # Control characters do not travel in XML.
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", "", str(value if value is not None else "")).strip(" \t\r\n").replace("\r\n", "\n").replace("\r", "\n")  # fmt: skip


def _has_offset(value: Any) -> bool:
    if isinstance(value, int | float):
        return True
    match = _TIME.fullmatch(_text(value))
    return bool(match and match[7])


def _moment(value: Any) -> datetime | None:
    """A time as written there; without an offset it is Beijing's. None where it cannot be read."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        except (OverflowError, OSError, ValueError):
            return None
    match = _TIME.fullmatch(_text(value))
    if match is None:
        return None
    zone: Any = BEIJING
    if match[7]:
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{'+00:00' if match[7] == 'Z' else match[7]}").tzinfo
    try:
        return datetime(*(int(match[n] or 0) for n in range(1, 7)), tzinfo=zone)  # type: ignore[arg-type,misc]
    except ValueError:
        return None


def _msg_type(record: Mapping[str, Any], headline: str) -> str:
    said = _text(_first(record, "msgType")).lower()
    if said in _MSG_TYPES:
        return _MSG_TYPES[said]
    if "解除" in headline or _text(record.get("status")) == "解除":
        return "Cancel"
    return "Update" if re.search(r"更新|继续|变更|升级|降级", headline) else "Alert"


def _colour(record: Mapping[str, Any], headline: str, notes: list[tuple[str, str, str]]) -> Colour | None:
    """The colour; where field and headline disagree, the headline's after a change of colour, else the graver."""
    said = None
    for key in (*_ALIASES["severity"], "color"):
        value = _text(record.get(key))
        said = said or colours.parse(value) or colours.from_severity(value.capitalize())
    digit = re.fullmatch(r"p\d{4}(?:.*?)([1-4])", _text(record.get("type")))
    said = said or ({"1": Colour.RED, "2": Colour.ORANGE, "3": Colour.YELLOW, "4": Colour.BLUE}[digit[1]] if digit else None)  # fmt: skip
    shown = colours.in_headline(headline)
    if said is None or shown is None or said is shown:
        if said is None and shown is None:
            notes.append(("NAT_COLOUR_UNKNOWN", "/alert/info[1]/parameter", _text(_first(record, "severity"))))
        return said or shown
    notes.append(("NAT_COLOUR_CONFLICT", "/alert/info[1]/headline", f"{headline} / {said.value}"))
    return shown if colours.changes(headline) else max(said, shown, key=lambda one: one.rank)


def _event(record: Mapping[str, Any], headline: str, notes: list[tuple[str, str, str]]) -> tuple[str, str]:
    known = codes()
    code = _text(_first(record, "eventType"))
    name = _text(_first(record, "eventTypeCN")).removesuffix(SUFFIX)
    if code not in known:
        digits = re.match(r"p(\d{4})", _text(record.get("type")))
        by_p = next((one.code for one in known.values() if digits and one.p == digits[1]), "")
        by_name = next((one.code for one in known.values() if one.zh == name), "")
        if re.fullmatch(r"\d{2}[A-Z]\d{2}", code):
            notes.append(("NAT_CODE_UNKNOWN", "/alert/info[1]/eventCode", code))
        else:
            code = by_p or by_name
    if not name and code in known:
        name = known[code].zh
    if not name:
        name = next((one.zh for one in sorted(known.values(), key=lambda one: -len(one.zh)) if one.zh in headline), "")
        code = code or next((one.code for one in known.values() if name and one.zh == name), "")
    if not code:
        notes.append(("NAT_CODE_UNKNOWN", "/alert/info[1]/eventCode", name))
    return name or "其它", code


def _categories(code: str) -> tuple[str, ...]:
    groups = {"11A": ("Met",), "11B": ("Met",), "11C": ("Geo",), "11D": ("Geo",), "11E": ("Met",), "11G": ("Fire",), "12": ("Safety",), "13": ("Health",), "14": ("Security",)}  # fmt: skip
    return next((group for head, group in groups.items() if code.startswith(head)), ("Other",))


def _area(record: Mapping[str, Any], parsed: identifiers.CnIdentifier | None) -> Area:
    name = _text(_first(record, "areaName"))
    code = _text(_first(record, "adcode")) or (parsed.region if parsed else "")
    point: Any = record.get("latlon") or (record.get("lat"), record.get("lon"))
    circles: tuple[str, ...] = ()
    try:
        lat, lon = (float(part) for part in point)
        if -90 <= lat <= 90 and -180 <= lon <= 180:
            circles = (f"{lat:g},{lon:g} 0",)
    except (TypeError, ValueError):
        pass
    return Area(name or code or "—", circles=circles, geocodes=(Pair(GEOCODE_NAME, code),) if code else ())


def _parameters(colour: Colour | None, levels: Mapping[str, Colour], record: Mapping[str, Any]) -> tuple[Pair, ...]:
    made = [Pair(COLOUR_PARAMETER, colour.value.upper())] if colour else []
    given = record.get("areas")
    if isinstance(given, list):
        levels = {
            _text(one.get("code")) or _text(one.get("name")): found
            for one in given
            if isinstance(one, Mapping) and (found := colours.parse(_text(one.get("severity"))))
        }
    if levels:
        made.append(Pair(AREA_COLOURS, colours.write_areas(levels)))
    return tuple(made)


def area_levels(description: str) -> dict[str, Colour]:
    """What a bulletin's words say of single places: `将甲镇、乙镇暴雨橙色预警信号降级为黄色，其余镇街暴雨黄色仍生效`."""
    found: dict[str, Colour] = {}
    for match in _CHANGE.finditer(description):
        colour = colours.parse(match["new"])
        for name in re.split(r"[、和及,]", match["where"]):
            if colour and name.strip():
                found[name.strip()] = colour
    rest = _REST.search(description)
    if found and rest and (colour := colours.parse(rest["new"])):
        found[f"其余{rest['where']}"] = colour
    return found


def _references(record: Mapping[str, Any], sender: str) -> str | None:
    """Bare identifiers as triplets: the unit is the sender, the time stands in the identifier."""
    said = _first(record, "referencesInfo")
    if said is None and isinstance(record.get("messageType"), Mapping):
        said = record["messageType"].get("supersedes")
    names = said if isinstance(said, list) else re.split(r"[\s,;，；]+", _text(said))
    made = []
    for name in names:
        parsed = identifiers.parse(_text(name))
        if parsed is not None:
            made.append(f"{parsed.unit},{_text(name)},{cap_time(parsed.entered)}")
    return " ".join(made) or None


def to_national(alert: Alert) -> dict[str, Any]:
    """A CAP message as a record of the national form: Chinese words, Beijing time without offset, the bare reference.

    Several colours in one message stand under `areas`, one row for each; `severity` is the gravest.
    Raises ValueError where the message has no Chinese info.
    """
    infos = [info for info in alert.infos if (info.language or "").lower().startswith("zh")]
    if not infos:
        raise ValueError(f"message {alert.identifier} has no Chinese text: the national form needs one")
    top = max(infos, key=_rank)
    colour = colours.of_info(top)
    code = next((pair.value for pair in top.event_codes if pair.name == CODE_NAME), "")
    before = references(alert.references or "") or []
    made: dict[str, Any] = {
        "identifier": alert.identifier,
        "sender": alert.sender,
        "senderName": top.sender_name or "",
        "headline": top.headline or "",
        "description": top.description or "",
        "effective": _beijing(top.effective or alert.sent),
        "expires": _beijing(top.expires) if top.expires else "",
        "eventType": code,
        "eventTypeCN": f"{top.event}{SUFFIX}",
        "msgType": alert.msg_type,
        "severity": colour.value if colour else "unknown",
        "referencesInfo": before[-1].identifier if before else "",
        "note": alert.note or "",
        "status": alert.status,
        "areaName": "、".join(dict.fromkeys(area.description for info in infos for area in info.areas)),
    }
    rows = [
        {"name": area.description, "code": next((p.value for p in area.geocodes if p.name == GEOCODE_NAME), ""), "severity": found.value}
        for info in infos if (found := colours.of_info(info)) for area in info.areas
    ]  # fmt: skip
    if len({row["severity"] for row in rows}) > 1:
        made["areas"] = rows
    return made


def _rank(info: Info) -> int:
    colour = colours.of_info(info)
    return colour.rank if colour else 0


def _beijing(text: str) -> str:
    moment = instant(text)
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}" if moment else ""
