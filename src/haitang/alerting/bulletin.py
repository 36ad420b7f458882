"""From the plain values of a warning to its CAP message. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shapely.geometry.base import BaseGeometry

from haitang.alerting import area_shapes, cap_profile_cn
from haitang.alerting.cap_model import Alert, Area, Info, Pair
from haitang.alerting.cap_values import Reference, cap_time, references_text
from haitang.alerting.colours import COLOUR_PARAMETER, Colour
from haitang.alerting.event_codes import CODE_NAME, EventCode
from haitang.alerting.wording import Words

MAX_POINTS = 100


@dataclass(frozen=True, slots=True)
class BulletinArea:
    """One area: names, the administrative code if it has one, the outline if it is known."""

    name_zh: str
    name_en: str
    code: str = ""
    shape: BaseGeometry | None = None


@dataclass(frozen=True, slots=True)
class Bulletin:
    """Everything a CAP message is made of."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    scope: str
    event: EventCode
    colour: Colour
    urgency: str
    certainty: str
    expires: datetime
    sender_name_zh: str
    sender_name_en: str
    words_zh: Words
    words_en: Words | None
    areas: Sequence[BulletinArea]
    onset: datetime | None = None
    note: str = ""
    restriction: str = ""
    references: Sequence[Reference] = ()
    incidents: str = ""
    response_types: Sequence[str] = ()
    web: str = ""
    contact: str = ""


def to_alert(bulletin: Bulletin) -> Alert:
    """The CAP message: one info in Chinese, one in English where there are English words."""
    infos = [_info(bulletin, bulletin.words_zh, english=False)]
    if bulletin.words_en is not None:
        infos.append(_info(bulletin, bulletin.words_en, english=True))
    return Alert(
        identifier=bulletin.identifier,
        sender=bulletin.sender,
        sent=cap_time(bulletin.sent),
        status=bulletin.status,
        msg_type=bulletin.msg_type,
        scope=bulletin.scope,
        restriction=_some(bulletin.restriction),
        note=_some(bulletin.note),
        references=_some(references_text(list(bulletin.references))),
        incidents=_some(bulletin.incidents),
        infos=tuple(infos),
    )


def _info(bulletin: Bulletin, words: Words, *, english: bool) -> Info:
    cancel = bulletin.msg_type == "Cancel"
    return Info(
        language="en-US" if english else "zh-CN",
        categories=bulletin.event.categories,
        event=_clean(bulletin.event.name_en or bulletin.event.name_zh) if english else bulletin.event.name_zh,
        response_types=("AllClear",) if cancel else tuple(bulletin.response_types),
        urgency="Past" if cancel else bulletin.urgency,
        severity=bulletin.colour.severity,
        certainty=bulletin.certainty,
        event_codes=(Pair(CODE_NAME, bulletin.event.code),),
        onset=cap_time(bulletin.onset) if bulletin.onset else None,
        expires=cap_time(bulletin.expires),
        sender_name=_some((bulletin.sender_name_en if english else "") or bulletin.sender_name_zh),
        headline=_some(words.headline),
        description=_some(words.description),
        instruction=_some(words.instruction),
        web=_some(bulletin.web),
        contact=_some(bulletin.contact),
        parameters=(Pair(COLOUR_PARAMETER, bulletin.colour.value.upper()),),
        areas=tuple(_area(area, english=english) for area in bulletin.areas),
    )


def _area(area: BulletinArea, *, english: bool) -> Area:
    return Area(
        description=_clean((area.name_en if english else "") or area.name_zh),
        polygons=area_shapes.to_cap(area.shape, MAX_POINTS) if area.shape is not None else (),
        geocodes=(Pair(cap_profile_cn.GEOCODE_NAME, area.code),) if area.code else (),
    )


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").strip(" \t\r\n")


def _some(text: str) -> str | None:
    return _clean(text) or None
