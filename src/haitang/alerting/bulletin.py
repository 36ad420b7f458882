"""From the plain values of a warning to its CAP message. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shapely.geometry.base import BaseGeometry

from haitang.alerting import area_shapes, cap_profile_cn
from haitang.alerting.cap_model import Alert, Area, Info, Pair, Resource
from haitang.alerting.cap_values import Reference, cap_time, references_text
from haitang.alerting.colours import AREA_COLOURS, COLOUR_PARAMETER, Colour, write_areas
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
    # Its own colour where a message holds several; None for the message's.
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class BulletinFile:
    """A file that goes with the message and is fetched from `url`."""

    description_zh: str
    description_en: str
    mime_type: str
    size: int
    sha1: str
    url: str


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
    # The words for areas of another colour, Chinese and English.
    levels: Mapping[Colour, tuple[Words, Words | None]] = field(default_factory=dict)
    files: Sequence[BulletinFile] = ()


def to_alert(bulletin: Bulletin) -> Alert:
    """The CAP message: an info in Chinese, one in English where there are English words; so for each colour, gravest first.

    A reader that knows no parameter of ours still gives every area its own severity.
    """
    infos = []
    for colour, areas in _by_colour(bulletin):
        words_zh, words_en = bulletin.levels.get(colour, (bulletin.words_zh, bulletin.words_en))
        if colour is bulletin.colour:
            words_zh, words_en = bulletin.words_zh, bulletin.words_en
        infos.append(_info(bulletin, words_zh, colour, areas, english=False))
        if bulletin.words_en is not None and words_en is not None:
            infos.append(_info(bulletin, words_en, colour, areas, english=True))
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


def _by_colour(bulletin: Bulletin) -> list[tuple[Colour, list[BulletinArea]]]:
    """The areas of each colour, gravest first; a cancellation ends all of them at once."""
    if bulletin.msg_type == "Cancel":
        return [(bulletin.colour, list(bulletin.areas))]
    groups: dict[Colour, list[BulletinArea]] = {}
    for area in bulletin.areas:
        groups.setdefault(area.colour or bulletin.colour, []).append(area)
    if not groups:
        return [(bulletin.colour, [])]
    return sorted(groups.items(), key=lambda pair: -pair[0].rank)


def _colours(bulletin: Bulletin, colour: Colour) -> tuple[Pair, ...]:
    own = Pair(COLOUR_PARAMETER, colour.value.upper())
    found = {area.code or area.name_zh: area.colour or bulletin.colour for area in bulletin.areas}
    if bulletin.msg_type == "Cancel" or len(set(found.values())) < 2:
        return (own,)
    return (own, Pair(AREA_COLOURS, write_areas(found)))


def _file(file: BulletinFile, *, english: bool) -> Resource:
    return Resource(
        description=_clean((file.description_en if english else "") or file.description_zh),
        mime_type=file.mime_type, size=str(file.size), uri=file.url, digest=file.sha1,
    )  # fmt: skip


def _info(bulletin: Bulletin, words: Words, colour: Colour, areas: Sequence[BulletinArea], *, english: bool) -> Info:
    cancel = bulletin.msg_type == "Cancel"
    return Info(
        language="en-US" if english else "zh-CN",
        categories=bulletin.event.categories,
        event=_clean(bulletin.event.name_en or bulletin.event.name_zh) if english else bulletin.event.name_zh,
        response_types=("AllClear",) if cancel else tuple(bulletin.response_types),
        urgency="Past" if cancel else bulletin.urgency,
        severity=colour.severity,
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
        parameters=_colours(bulletin, colour),
        resources=tuple(_file(file, english=english) for file in bulletin.files),
        areas=tuple(_area(area, english=english) for area in areas),
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
