"""From a stored warning to its message: areas, texts from the template, the bulletin, the validator's findings.

Reads only; the verbs that change anything are in `services`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from haitang.accounts.verbs import Refused
from haitang.alerting import attachments, cap, identifiers, levels, wording
from haitang.alerting.bulletin import Bulletin, BulletinArea, to_alert
from haitang.alerting.cap_values import Reference, cap_time
from haitang.alerting.colours import Colour
from haitang.alerting.event_codes import EventCode, EventCodes
from haitang.alerting.models import (
    Audience,
    CapScope,
    EventKind,
    MsgType,
    Policy,
    Status,
    Warning,
    WarningTemplate,
)
from haitang.alerting.wording import Facts, Preview, Words
from haitang.delivery.wording import joined
from haitang.geo.models import Level, Place, PlaceShape

LANGUAGES = ("zh", "en")
# A colour says how sure and how near, until somebody says otherwise.
URGENCY = {Colour.RED: "Immediate", Colour.ORANGE: "Expected", Colour.YELLOW: "Expected", Colour.BLUE: "Future"}


def policy() -> Policy:
    """How this district issues warnings. Raises Refused where no pack has said so."""
    found = Policy.objects.first()
    if found is None:
        raise Refused("No warning policy is loaded: load a pack with an alerting section (haitang load-pack)")
    return found


def event_codes() -> EventCodes:
    """The table of event codes in use. One query."""
    return EventCodes(_code(kind) for kind in EventKind.objects.filter(is_active=True))


def _code(kind: EventKind) -> EventCode:
    return EventCode(kind.code, kind.hazard, kind.name_zh, kind.name_en, tuple(kind.categories or ["Other"]))


@dataclass(frozen=True)
class Texts:
    """The six texts of a warning."""

    headline_zh: str = ""
    headline_en: str = ""
    description_zh: str = ""
    description_en: str = ""
    instruction_zh: str = ""
    instruction_en: str = ""


def template_for(kind: EventKind, colour: str) -> WarningTemplate | None:
    """The words prepared for a kind and colour, None where there are none."""
    return WarningTemplate.objects.filter(kind=kind, colour=colour).first()


def texts_from_template(
    *, kind: EventKind, colour: str, area: Where, drawn: bool, sent: datetime, expires: datetime,
    cause_zh: str = "", cause_en: str = "",
) -> Texts:  # fmt: skip
    """Fill the template of a kind and colour; a plain sentence where the pack has no template."""
    found = template_for(kind, colour)
    unit = policy()
    made: dict[str, str] = {}
    for language in LANGUAGES:
        english = language == "en"
        facts = Facts(
            sender=(unit.sender_name_en or unit.sender_name_zh) if english else unit.sender_name_zh,
            kind=(kind.name_en or kind.name_zh) if english else kind.name_zh,
            colour=Colour(colour),
            area=area_words(area, drawn=drawn, language=language),
            sent=sent,
            expires=expires,
            cause=cause_en if english else cause_zh,
        )
        for name in ("headline", "description", "instruction"):
            text = getattr(found, f"{name}_{language}") if found else _PLAIN[name, language]
            made[f"{name}_{language}"] = wording.fill(text, facts, language=language, zone=_zone())
    return Texts(**made)


_PLAIN = {
    ("headline", "zh"): "{sender}发布{kind}{colour}预警",
    ("headline", "en"): "{sender} issues a {colour} {kind} warning",
    ("description", "zh"): "{cause}。{sender}{time}发布{kind}{colour}预警[{level}]，范围：{area}，有效至{until}。",
    ("description", "en"): "{cause} {sender} issued a {colour} {kind} warning at {time} for {area}, valid until {until}.",
    ("instruction", "zh"): "请有关单位和人员做好防范准备。",
    ("instruction", "en"): "Units and persons concerned should take precautions.",
}  # fmt: skip


def _zone() -> tzinfo:
    return timezone.get_default_timezone()


def area_words(area: Where, *, drawn: bool, language: str) -> str:
    """The whole area in words: the chosen places, and parts of those that only the drawing touches."""
    parts = [area_text(area.chosen, drawn=False, language=language)] if area.chosen else []
    if drawn and area.touched:
        parts.append(area_text(area.touched, drawn=True, language=language))
    return (" and " if language.startswith("en") else "以及").join(parts)


def area_text(places: Sequence[Place], *, drawn: bool, language: str) -> str:
    """Where, in words: the district, or the names of the chosen places, or parts of those that the drawing touches."""
    english = language.startswith("en")
    chosen = sorted(places, key=lambda place: place.path)
    tops = [p for p in chosen if not any(q is not p and q.contains(p) for q in chosen)]
    names = [(p.name_en or p.name_zh) if english else p.name_zh for p in tops]
    text = wording.join_names(names, language)
    if drawn:
        return f"parts of {text}" if english else f"{text}部分区域"
    return text


@dataclass(frozen=True)
class Where:
    """The area of a warning: the places chosen, and the townships that a drawn shape touches."""

    chosen: tuple[Place, ...]
    touched: tuple[Place, ...] = ()
    # Codes of chosen places with another colour than the warning's.
    levels: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> tuple[Place, ...]:
        """The places that name the area in the words."""
        return (*self.chosen, *self.touched)


def where(
    places: Iterable[Place], geometry: BaseGeometry | None, own_colours: Mapping[str, str] | None = None
) -> Where:
    """The area of chosen places and a drawn shape, with the colours of single places."""
    chosen = tuple(sorted(places, key=lambda place: place.path))
    given = own_colours or {}
    own = {place.code: str(given[place.code]) for place in chosen if given.get(place.code)}
    if geometry is None:
        return Where(chosen, levels=own)
    touched = touched_townships(geometry)
    return Where(chosen, tuple(p for p in touched if not any(c.contains(p) for c in chosen)), own)


def where_of(warning: Warning) -> Where:
    """The stored area of a warning. One query."""
    rows = list(warning.areas.select_related("place"))
    chosen = tuple(row.place for row in rows if row.is_chosen)
    own = {row.place.code: row.colour for row in rows if row.is_chosen and row.colour not in ("", warning.colour)}
    return Where(chosen, tuple(row.place for row in rows if not row.is_chosen), own)


def townships_of(warning: Warning) -> list[Place]:
    """The townships that the warning reaches: chosen, under what is chosen, above a chosen village, or drawn over."""
    return townships_under(where_of(warning).named)


def townships_under(places: Iterable[Place]) -> list[Place]:
    """The townships at, under or above these places; the district's townships for the district."""
    wanted = Q(pk__in=())
    for place in places:
        wanted |= Q(path__startswith=place.path) | Q(path__in=_above(place.path))
    return list(Place.objects.filter(wanted, level=Level.TOWNSHIP).order_by("path"))


def _above(path: str) -> list[str]:
    parts = path.rstrip("/").split("/")
    return ["/".join(parts[:n]) + "/" for n in range(1, len(parts))]


def touched_townships(shape: BaseGeometry) -> list[Place]:
    """The townships whose outline a drawn shape touches."""
    return list(Place.objects.touching(shape).filter(level=Level.TOWNSHIP).order_by("path"))


def shape_of(warning: Warning, area: Where | None = None) -> BaseGeometry | None:
    """The outline of the warning: its places' outlines and what was drawn; None where none is known."""
    chosen = (area or where_of(warning)).chosen
    shapes = [row.geometry for row in _outlines([place.pk for place in chosen])]
    if warning.geometry is not None:
        shapes.append(warning.geometry)
    return unary_union(shapes) if shapes else None


def outlines_of(places: Sequence[Place]) -> list[tuple[Place, BaseGeometry]]:
    """The places whose outline is known, with it. One query."""
    return [(row.place, row.geometry) for row in _outlines([place.pk for place in places]) if row.geometry is not None]


def _outlines(place_ids: Sequence[int]) -> list[PlaceShape]:
    rows = PlaceShape.objects.select_related("place").filter(place__in=place_ids).order_by("place__path")
    return [row for row in rows if row.geometry is not None]


def bulletin_areas(warning: Warning, area: Where | None = None) -> list[BulletinArea]:
    """The areas as they go into the message: one per chosen place with its code, one for what was drawn."""
    area = area or where_of(warning)
    outlines = {row.place_id: row.geometry for row in _outlines([place.pk for place in area.chosen])}
    made = [
        BulletinArea(
            p.name_zh, p.name_en, p.code, outlines.get(p.pk), Colour(area.levels.get(p.code) or warning.colour)
        )
        for p in area.chosen
    ]
    if warning.geometry is not None:
        around = area.touched or area.chosen or (warning.place,)
        names = {language: area_text(around, drawn=True, language=language) for language in LANGUAGES}
        made.append(BulletinArea(names["zh"], names["en"], shape=warning.geometry))
    return made


def unexpired_ancestors(warning: Warning, at: datetime) -> list[Warning]:
    """The messages before this one in its chain that have not expired, oldest first.

    The profiles ask that an update or cancellation refer to every one of them; the immediate one is always named.
    """
    chain: list[Warning] = []
    step = warning.parent
    while step is not None:
        if step.published_at and (step.expires > at or step.pk == warning.parent_id):
            chain.append(step)
        step = step.parent
    return chain[::-1]


def reference_to(warning: Warning) -> Reference:
    """How later messages refer to this one; taken from the frozen bytes, so that it cannot drift."""
    alert, _findings = cap.parse(bytes(warning.cap_xml or b""))
    return Reference(alert.sender, alert.identifier, alert.sent)


def public_url(warning: Warning) -> str:
    """The page for everybody."""
    return f"{settings.PUBLIC_URL}/public/warnings/{warning.pk}/"


def bulletin(warning: Warning, *, identifier: str, sent: datetime, area: Where | None = None) -> Bulletin:
    """The warning as plain values, under an identifier and a time."""
    unit = policy()
    has_english = bool(warning.headline_en and warning.description_en)
    restricted = warning.cap_scope == CapScope.RESTRICTED
    return Bulletin(
        identifier=identifier,
        sender=unit.sender,
        sent=sent,
        status=warning.status,
        msg_type=warning.msg_type,
        scope=warning.cap_scope,
        event=_code(warning.kind),
        colour=warning.hue,
        urgency=warning.urgency,
        certainty=warning.certainty,
        expires=warning.expires,
        onset=warning.onset,
        sender_name_zh=unit.sender_name_zh,
        sender_name_en=unit.sender_name_en,
        words_zh=words(warning, "zh"),
        words_en=words(warning, "en") if has_english else None,
        areas=bulletin_areas(warning, area),
        note=warning.note,
        restriction=_restriction(warning) if restricted else "",
        references=[reference_to(before) for before in unexpired_ancestors(warning, sent)],
        response_types=warning.kind.response_types,
        web=public_url(warning) if warning.pk and warning.may_leave else "",
        contact=unit.contact,
        levels=levels.words_by_colour(warning) if warning.msg_type != MsgType.CANCEL else {},
        files=attachments.files_of(warning),
    )


def _restriction(warning: Warning) -> str:
    if warning.status == Status.ACTUAL:
        return "仅限责任单位和责任人 / for the units and persons responsible only"
    return "演练或测试，不得对外发布 / exercise or test, not for the public"


def words(warning: Warning, language: str) -> Words:
    """The warning's texts in one language."""
    english = language.startswith("en")
    if english and warning.headline_en:
        return Words(warning.headline_en, warning.description_en, warning.instruction_en)
    return Words(warning.headline_zh, warning.description_zh, warning.instruction_zh)


def check(warning: Warning, *, at: datetime, area: Where | None = None) -> tuple[cap.Alert, bytes, list[cap.Finding]]:
    """The message as it would go out at this time, its XML (empty if it cannot be written), and every finding.

    `area` is given for a warning that has not been saved.
    """
    unit = policy()
    # The name it would get: not that of a message before it, which may be of this very second.
    before = {one.identifier for one in unexpired_ancestors(warning, at)}
    name = warning.identifier or identifiers.next_free(unit.sender, at, before)
    alert = to_alert(bulletin(warning, identifier=name, sent=at, area=area))
    try:
        data = cap.build(alert)
    except cap.CapInvalid as invalid:
        return alert, b"", invalid.findings
    read, _ = cap.parse(data)
    return alert, data, cap.validate(read, "cn", event_codes())


def content_digest(warning: Warning) -> str:
    """SHA-256 of what an approver approves: words, area, colour, time, audiences; not who or when."""
    content = {
        name: getattr(warning, name)
        for name in (
            "msg_type", "status", "cap_scope", "note", "kind_id", "colour", "urgency", "certainty", "place_id",
            "headline_zh", "headline_en", "description_zh", "description_en", "instruction_zh", "instruction_en",
            "parent_id",
        )
    }  # fmt: skip
    content["onset"] = cap_time(warning.onset) if warning.onset else None
    content["expires"] = cap_time(warning.expires)
    content["audiences"] = sorted(warning.audiences)
    content["places"] = sorted(warning.areas.values_list("place__code", "is_chosen", "colour"))
    content["levels"] = warning.levels
    content["files"] = list(warning.resources.values_list("number", "sha1", "description_zh", "description_en"))
    content["geometry"] = warning.geometry.wkt if warning.geometry is not None else None
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def previews(warning: Warning, *, due: datetime | None, language: str = "zh") -> list[Preview]:
    """What each chosen audience will read or hear, as the channels will carry it."""
    text = words(warning, language)
    exercise = warning.status != Status.ACTUAL
    title = wording.marked(text.headline, exercise=exercise, language=language)
    made: list[Preview] = []
    if Audience.RESPONSIBLE in warning.audiences:
        if warning.msg_type == MsgType.CANCEL:
            link = f"{settings.PUBLIC_URL}{SAMPLE_PAGE}"
            made.append(Preview(Audience.RESPONSIBLE, "sms", joined(title, text.description, link), link))
        else:
            link = f"{settings.PUBLIC_URL}{SAMPLE_ANSWER}"
            body = _until(due, language) + wording.brief(text.instruction)
            made.append(Preview(Audience.RESPONSIBLE, "sms", joined(title, body, link), link))
    if Audience.DEPARTMENTS in warning.audiences:
        made.append(Preview(Audience.DEPARTMENTS, "inapp", f"{title}\n{text.description}"))
    if Audience.RESIDENTS in warning.audiences:
        link = f"{settings.PUBLIC_URL}{SAMPLE_PUBLIC}"
        made.append(Preview(Audience.RESIDENTS, "sms", joined(title, text.instruction, link), link))
    if Audience.LOUDSPEAKER in warning.audiences:
        spoken = wording.loudspeaker(text, exercise=exercise, language=language)
        made.append(Preview(Audience.LOUDSPEAKER, "loudspeaker", spoken))
    if Audience.PUBLIC in warning.audiences:
        page = "\n".join(part for part in (title, text.description, text.instruction) if part)
        made.append(Preview(Audience.PUBLIC, "web", page))
    return made


# Links as long as the real ones will be, so that the parts of a short message are counted right.
SAMPLE_ANSWER = f"/o/10000-100~1tGh2k~{'x' * 43}/"
SAMPLE_PUBLIC = f"/public/warnings/1000/?s=1000~{'x' * 43}"
SAMPLE_PAGE = "/alerting/1000/"


def _until(due: datetime | None, language: str) -> str:
    """The sentence with the due time that obligations puts before the words."""
    if due is None:
        return ""
    local = due.astimezone(_zone())
    return f"Due by {local:%d %b %H:%M}. " if language.startswith("en") else f"请于{local:%m月%d日 %H:%M}前完成。"


def answer_due(colour: str, at: datetime) -> datetime:
    """By when responsible persons must answer a warning of this colour published at this time."""
    minutes = policy().answer_minutes.get(colour)
    if minutes is None:
        raise Refused(
            f"The warning policy names no time to answer for {colour}: add it under answer_minutes in the pack"
        )
    return at + timedelta(minutes=float(minutes))


def default_audiences(status: str) -> list[str]:
    """Everybody, for an actual warning; officials only, for anything else."""
    return [a.value for a in Audience] if status == Status.ACTUAL else [Audience.RESPONSIBLE, Audience.DEPARTMENTS]
