"""Putting a warning together from what a composer, an alarm or a warning before it gives. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.verbs import Forbidden, Refused
from haitang.alerting import composing, levels
from haitang.alerting.colours import Colour
from haitang.alerting.composing import URGENCY, Texts, Where
from haitang.alerting.models import PUBLIC_AUDIENCES, CapScope, EventKind, MsgType, State, Status, Warning
from haitang.geo.models import Place
from haitang.journal.services import thread_of
from haitang.spaces.clock import now
from haitang.spaces.models import Space

DEFAULT_HOURS = 12.0


@dataclass(frozen=True)
class Cause:
    """What gave rise to a warning: a subject's thread ("monitoring.alarm:7"), its words, and when it happened."""

    thread: str = ""
    zh: str = ""
    en: str = ""
    at: datetime | None = None


class AlarmLike(Protocol):
    """What a warning needs to know of an alarm; `monitoring.Alarm` is one."""

    pk: Any
    space: Any
    place: Any
    colour: str
    what_zh: str
    what_en: str
    opened_at: Any

    @property
    def series(self) -> Any:
        """The series whose `quantity` rose."""


@dataclass(frozen=True)
class Composed:
    """A warning as it would be drafted: not stored, with its area and the words that the template gives."""

    warning: Warning
    where: Where
    filled: Texts


def compose(
    *,
    space: Space,
    kind: EventKind,
    colour: str,
    by: Actor,
    places: Sequence[Place] = (),
    geometry: BaseGeometry | None = None,
    texts: Texts | None = None,
    expires: datetime | None = None,
    onset: datetime | None = None,
    audiences: Sequence[str] | None = None,
    status: str | None = None,
    cap_scope: str | None = None,
    urgency: str | None = None,
    certainty: str = "Likely",
    note: str = "",
    cause: Cause = Cause(),
    worded_at: datetime | None = None,
    own_colours: Mapping[str, str] | None = None,
) -> Composed:
    """Put a warning together without storing it; texts left empty come from the template of kind and colour.

    `own_colours`: codes of places whose colour is not the warning's, with it.
    `worded_at` is the time that the words name; the composer's page keeps it while somebody is writing.
    """
    at = now(space)
    status = status or (Status.EXERCISE if space.is_exercise else Status.ACTUAL)
    template = composing.template_for(kind, colour)
    expires = expires or at + timedelta(hours=template.valid_hours if template else DEFAULT_HOURS)
    warning = Warning(
        space=space,
        status=status,
        cap_scope=cap_scope or (CapScope.PUBLIC if status == Status.ACTUAL else CapScope.RESTRICTED),
        note=note or (_exercise_note(space) if status != Status.ACTUAL else ""),
        kind=kind,
        colour=Colour(colour).value,
        urgency=urgency or URGENCY[Colour(colour)],
        certainty=certainty,
        onset=onset,
        expires=expires,
        audiences=list(composing.default_audiences(status) if audiences is None else audiences),
        composed_by=person(by),
        composed_at=at,
        cause=cause.thread,
        cause_zh=cause.zh[:300],
        cause_en=cause.en[:300],
        cause_at=cause.at,
    )
    where = area_within(places, geometry, by, own_colours)
    settle(warning, where, geometry, by)
    filled = _filled(warning, where, at=worded_at or at)
    set_texts(warning, filled, texts)
    check_plain(warning, at)
    return Composed(warning, where, filled)


def compose_update(
    warning: Warning,
    *,
    by: Actor,
    colour: str | None = None,
    expires: datetime | None = None,
    places: Sequence[Place] | None = None,
    geometry: BaseGeometry | None = None,
    texts: Texts | None = None,
    worded_at: datetime | None = None,
    replacing: Warning | None = None,
    own_colours: Mapping[str, str] | None = None,
) -> Composed:
    """Put an update together without storing it: extend, upgrade, downgrade, move. `replacing` is its draft so far."""
    at = _may_follow(warning, by, replacing)
    colour = colour or warning.colour
    if places is None:
        geometry = warning.geometry if geometry is None else geometry
        before = composing.where_of(warning)
        places = before.chosen
        own_colours = not_graver(before.levels, colour) if own_colours is None else own_colours
    template = composing.template_for(warning.kind, colour)
    hours = template.valid_hours if template else DEFAULT_HOURS
    until = expires or max(warning.expires, at + timedelta(hours=hours))
    follower = _follower(warning, MsgType.UPDATE, colour, until, at, by)
    where = area_within(places, geometry, by, own_colours)
    settle(follower, where, geometry, by)
    filled = _filled(follower, where, at=worded_at or at)
    filled = _as_update(filled, warning, Colour(colour))
    set_texts(follower, filled, texts)
    check_plain(follower, at)
    return Composed(follower, where, filled)


def compose_cancel(warning: Warning, *, by: Actor, reason_zh: str = "", reason_en: str = "") -> Composed:
    """Put the cancellation of a warning in force together without storing it."""
    at = _may_follow(warning, by)
    follower = _follower(warning, MsgType.CANCEL, warning.colour, warning.expires, at, by)
    places = composing.where_of(warning).chosen
    # The area was checked when the warning was composed, and a cancellation names the same.
    where = area_within(places, warning.geometry, SYSTEM)
    follower.geometry = warning.geometry
    unit, kind = composing.policy(), warning.kind
    texts = Texts(
        headline_zh=f"{unit.sender_name_zh}解除{kind.name_zh}{warning.hue.zh}色预警",
        headline_en=f"{unit.sender_name_en or unit.sender_name_zh} ends the {warning.colour} {kind.name_en or kind.name_zh} warning",
    )
    because_zh = f"{reason_zh.rstrip('。')}。" if reason_zh else ""
    because_en = f"{reason_en.rstrip('.')}. " if reason_en else ""
    texts = replace(
        texts, description_zh=f"{because_zh}{texts.headline_zh}。", description_en=f"{because_en}{texts.headline_en}."
    )
    set_texts(follower, texts, None)
    return Composed(follower, where, texts)


def alarm_cause(alarm: AlarmLike) -> Cause:
    """An alarm as the cause of a warning."""
    where_zh = getattr(alarm.place, "name_zh", "") or ""
    where_en = getattr(alarm.place, "name_en", "") or where_zh
    return Cause(
        thread=thread_of(alarm),  # type: ignore[arg-type]
        zh=f"{where_zh}{alarm.what_zh}",
        en=f"{where_en}: {alarm.what_en}".strip(": "),
        at=alarm.opened_at,
    )


def kind_of_quantity(quantity: str) -> EventKind | None:
    """The kind of event that a measured quantity announces, by the pack's table."""
    kinds = EventKind.objects.filter(is_active=True).order_by("code")
    return next((kind for kind in kinds if quantity in kind.quantities), None)


def person(by: Actor) -> User | None:
    """The person who acts; None where it is the platform."""
    return None if isinstance(by, System) else by


def _exercise_note(space: Space) -> str:
    return f"演练：{space.name_zh}" if space.is_exercise else "演练、测试消息"


def not_graver(own_colours: Mapping[str, str], colour: str) -> dict[str, str]:
    """What stays of places' own colours when the warning's changes: none is graver than it, none the same."""
    return {code: found for code, found in own_colours.items() if Colour(found).rank < Colour(colour).rank}


def _filled(warning: Warning, where: Where, *, at: datetime) -> Texts:
    """The template's words for the warning's colour; those for other colours are set on the warning."""
    word_levels(warning, where, at=at)
    own = _words(warning, where, warning.colour, at)
    said = {language: levels.sentence(where.chosen, where.levels, language) for language in composing.LANGUAGES}
    return replace(
        own,
        description_zh=own.description_zh + said["zh"],
        description_en=own.description_en + said["en"] if own.description_en else "",
    )


def word_levels(warning: Warning, where: Where, *, at: datetime | None = None) -> None:
    """Set the words for places of other colours, from the templates of those."""
    levels.check(warning.colour, where.levels, where.chosen, drawn=warning.geometry is not None)
    at = at or now(warning.space)
    others = sorted(set(where.levels.values()) - {warning.colour}, key=lambda name: -Colour(name).rank)
    made = {name: _words(warning, where, name, at) for name in others}
    warning.levels = {name: {key: getattr(texts, key) for key in levels.KEPT} for name, texts in made.items()}


def _words(warning: Warning, where: Where, colour: str, at: datetime) -> Texts:
    return composing.texts_from_template(
        kind=warning.kind, colour=colour, area=where, drawn=warning.geometry is not None, sent=at, expires=warning.expires,
        cause_zh=warning.cause_zh, cause_en=warning.cause_en,
    )  # fmt: skip


def area_within(
    places: Iterable[Place], geometry: BaseGeometry | None, by: Actor, own_colours: Mapping[str, str] | None = None
) -> Where:
    """The area of places and a drawn shape; refused where it is empty, or lies outside the actor's reach."""
    area = composing.where(places, geometry, own_colours)
    if not area.named:
        raise Refused(_("A warning needs an area: choose townships, or draw one that touches a township"))
    reach = None if isinstance(by, System) or by.organisation is None else by.organisation.place
    outside = [p.name for p in area.named if reach is not None and not reach.contains(p)]
    if outside:
        raise Forbidden(_("Outside your jurisdiction: %(places)s") % {"places": ", ".join(outside)})
    return area


def settle(warning: Warning, where: Where, geometry: BaseGeometry | None, by: Actor) -> None:
    """Set the area and who issues: the composer's organisation, else that of the highest place."""
    warning.geometry = geometry
    top = min(where.named, key=lambda place: place.path)
    organisation = None if isinstance(by, System) else by.organisation
    if organisation is not None and organisation.place is not None:
        warning.owner, warning.place = organisation, organisation.place
    elif warning.owner_id is None:
        root = top.ancestors().first() or top
        command = Organisation.objects.filter(place=root).order_by("path").first()
        if command is None:
            raise Refused(_("No organisation stands at %(place)s: load the pack's organisations") % {"place": root})
        warning.owner, warning.place = command, root


def set_texts(warning: Warning, filled: Texts | None, given: Texts | None) -> None:
    """Set the texts given, and from the template those that are not."""
    for field in fields(Texts):
        text = getattr(given, field.name) if given else ""
        if text or filled:
            setattr(warning, field.name, text.strip() or getattr(filled, field.name, ""))


def _as_update(filled: Texts, before: Warning, colour: Colour) -> Texts:
    """The template's words, with a headline that says what became of the warning before."""
    if colour is before.hue:
        zh, en = "继续发布", "extends"
        return replace(
            filled,
            headline_zh=filled.headline_zh.replace("发布", zh, 1),
            headline_en=filled.headline_en.replace("issues", en, 1),
        )
    word_zh, word_en = ("升级", "raises") if colour.rank > before.hue.rank else ("降级", "lowers")
    unit = composing.policy()
    kind = before.kind
    return replace(
        filled,
        headline_zh=f"{unit.sender_name_zh}将{kind.name_zh}{before.hue.zh}色预警{word_zh}为{colour.zh}色预警",
        headline_en=(
            f"{unit.sender_name_en or unit.sender_name_zh} {word_en} the {kind.name_en} warning "
            f"from {before.colour} to {colour.value}"
        ),
    )


def check_plain(warning: Warning, at: datetime) -> None:
    """Refuse what no message may be: over before it begins, or an exercise that looks or goes like the real thing."""
    if warning.expires <= at:
        raise Refused(_("The warning would expire before it is issued: choose a later time"))
    if warning.onset and warning.expires <= warning.onset:
        raise Refused(_("The warning would expire before the event begins: choose a later time"))
    if warning.space.is_exercise and warning.status == Status.ACTUAL:
        raise Refused(_("In an exercise a warning has the status Exercise; leave the exercise to issue an actual one"))
    if warning.status != Status.ACTUAL:
        leaving = PUBLIC_AUDIENCES & set(warning.audiences)
        if leaving or warning.cap_scope == CapScope.PUBLIC:
            raise Refused(_("An exercise or test does not go to the public: choose responsible persons or departments"))


def reaches(by: Actor, warning: Warning) -> bool:
    """Whether the warning is issued at or below the actor's own place."""
    if isinstance(by, System):
        return True
    place = by.organisation.place if by.organisation else None
    return place is not None and place.contains(warning.place)


def must_reach(warning: Warning, by: Actor) -> None:
    """Reading a warning that names one's township does not make it one's own: it is handled where it is issued, or above."""
    if not reaches(by, warning):
        raise Forbidden(_("This warning is handled by %(owner)s") % {"owner": warning.owner})


def _may_follow(warning: Warning, by: Actor, replacing: Warning | None = None) -> datetime:
    """Refuse a follower of a warning that is not in force, or that has one already. The time in its space."""
    must_reach(warning, by)
    at = now(warning.space)
    if warning.state != State.PUBLISHED or warning.msg_type == MsgType.CANCEL:
        raise Refused(_("Only a warning in force can be updated or cancelled"))
    if warning.expires <= at:
        raise Refused(_("The warning has expired: issue a new one"))
    others = warning.followers.exclude(state=State.DISCARDED)
    other = others.exclude(pk=replacing.pk).first() if replacing is not None else others.first()
    if other is not None:
        raise Refused(_("This warning already has a successor: %(other)s (%(state)s)") % {"other": other, "state": other.get_state_display()})  # fmt: skip
    return at


def _follower(warning: Warning, msg_type: str, colour: str, expires: datetime, at: datetime, by: Actor) -> Warning:
    return Warning(
        space=warning.space, msg_type=msg_type, status=warning.status, cap_scope=warning.cap_scope, note=warning.note,
        kind=warning.kind, colour=colour, certainty=warning.certainty, urgency=URGENCY[Colour(colour)],
        onset=None if warning.onset and warning.onset <= at else warning.onset, expires=expires,
        audiences=warning.audiences, parent=warning, root=warning.root or warning, owner=warning.owner,
        place=warning.place, composed_by=person(by), composed_at=at, cause=warning.cause, cause_zh=warning.cause_zh,
        cause_en=warning.cause_en, cause_at=warning.cause_at,
    )  # fmt: skip
