"""What can be done with warnings: compose, approve by another, publish, update, cancel, end. The slice's face.

Publishing freezes the message and hands it to `dissemination`; answers come back through `answers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db.models import Q
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.alerting import cap, composing, dissemination, identifiers
from haitang.alerting.colours import Colour
from haitang.alerting.composing import URGENCY, Texts, Where
from haitang.alerting.models import (
    MOVES,
    PUBLIC_AUDIENCES,
    CapScope,
    EventKind,
    MsgType,
    State,
    Status,
    Warning,
    WarningPlace,
)
from haitang.geo.models import Place
from haitang.journal.services import record, thread_of
from haitang.spaces.clock import now
from haitang.spaces.models import Space

COMPOSERS = OPERATIONS | {Role.DEPARTMENT}
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


@verb("alerting.draft", roles=COMPOSERS)
def draft(
    *,
    space: Space,
    kind: EventKind,
    colour: str,
    places: Sequence[Place] = (),
    by: Actor,
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
) -> Warning:
    """Compose a warning for places or a drawn area; texts left empty come from the template of kind and colour."""
    at = now(space)
    status = status or (Status.EXERCISE if space.is_exercise else Status.ACTUAL)
    if space.is_exercise and status == Status.ACTUAL:
        raise Refused(_("In an exercise a warning has the status Exercise; leave the exercise to issue an actual one"))
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
        composed_by=_person(by),
        composed_at=at,
        cause=cause.thread,
        cause_zh=cause.zh,
        cause_en=cause.en,
        cause_at=cause.at,
    )
    where = _where(places, geometry, by)
    _place(warning, where, geometry, by)
    filled = composing.texts_from_template(
        kind=kind, colour=warning.colour, area=where, drawn=geometry is not None, sent=at, expires=expires,
        cause_zh=cause.zh, cause_en=cause.en,
    )  # fmt: skip
    _set_texts(warning, filled, texts)
    _check_plain(warning, at)
    warning.save()
    _save_areas(warning, where)
    _journal(warning, "draft", by, f"拟制{_name_zh(warning)}", f"Drafted: {warning.headline_en or warning.headline_zh}")
    return warning


@verb("alerting.draft_from_alarm", roles=COMPOSERS)
def draft_from_alarm(
    alarm: AlarmLike,
    *,
    by: Actor,
    kind: EventKind | None = None,
    colour: str | None = None,
    places: Sequence[Place] | None = None,
) -> Warning:
    """Compose a warning from an alarm. What it measures gives the kind, its township the area, until somebody says otherwise.

    One alarm makes one warning at a time.
    """
    cause = alarm_cause(alarm)
    ended = (State.DISCARDED, State.UPDATED, State.CANCELLED, State.EXPIRED)
    again = Warning.objects.filter(space=alarm.space, cause=cause.thread).exclude(state__in=ended).first()
    if again is not None:
        raise Refused(_("There is a warning from this alarm already: %(warning)s") % {"warning": again})
    kind = kind or kind_of_quantity(alarm.series.quantity)
    if kind is None:
        raise Refused(_("No kind of event is set for %(what)s: choose one") % {"what": alarm.what_zh})
    if places is None:
        places = composing.townships_under([alarm.place]) if alarm.place else ()
    return draft(
        space=alarm.space,
        kind=kind,
        colour=colour or alarm.colour,
        places=places,
        cause=cause,
        by=by,
        certainty="Observed",
    )


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


@verb("alerting.edit", roles=COMPOSERS)
def edit(
    warning: Warning,
    *,
    by: Actor,
    places: Sequence[Place] | None = None,
    geometry: BaseGeometry | None = None,
    texts: Texts | None = None,
    **changes: Any,
) -> Warning:
    """Change a draft. `places` given (with or without `geometry`) replaces the area; other fields by name."""
    _lock(warning)
    if warning.state != State.DRAFT:
        raise Refused(
            _("Only a draft can be changed; this warning is %(state)s") % {"state": warning.get_state_display()}
        )
    allowed = {"kind", "colour", "urgency", "certainty", "onset", "expires", "audiences", "note", "cap_scope"}
    unknown = set(changes) - allowed
    if unknown:
        raise Refused(_("Cannot change %(fields)s of a warning") % {"fields": ", ".join(sorted(unknown))})
    before = {name: _plain(getattr(warning, name)) for name in changes}
    for name, value in changes.items():
        setattr(warning, name, value)
    if places is not None:
        where = _where(places, geometry, by)
        _place(warning, where, geometry, by)
        warning.areas.all().delete()
        _save_areas(warning, where)
    _set_texts(warning, None, texts)
    _check_plain(warning, now(warning.space))
    warning.edited_by = _person(by)
    warning.save()
    after = {name: _plain(getattr(warning, name)) for name in changes}
    _journal(warning, "edit", by, f"修改{_name_zh(warning)}", "Edited the draft", before=before, after=after)
    return warning


@verb("alerting.submit", roles=COMPOSERS)
def submit(warning: Warning, *, by: Actor) -> Warning:
    """Put a draft before an approver; refused while the validator finds an error."""
    _lock(warning)
    _refuse_errors(warning)
    warning.submitted_by, warning.submitted_at = _person(by), now(warning.space)
    _move(warning, State.SUBMITTED, "submitted_by", "submitted_at")
    _journal(warning, "submit", by, f"提请审批{_name_zh(warning)}", "Submitted for approval")
    dissemination.ask_for_approval(warning, by=by)
    return warning


@verb("alerting.approve", roles={Role.COMMANDER})
def approve(warning: Warning, *, by: Actor, note: str = "") -> Warning:
    """Approve a submitted warning. Refused to whoever composed, changed or submitted it: four eyes."""
    _lock(warning)
    if isinstance(by, System):
        raise Forbidden(_("A person approves a warning, not the platform"))
    if by.pk in {warning.composed_by_id, warning.edited_by_id, warning.submitted_by_id}:
        raise Forbidden(_("Another person must approve: you composed, changed or submitted this warning"))
    warning.approved_by, warning.approved_at, warning.reply = by, now(warning.space), note[:300]
    warning.approved_digest = composing.content_digest(warning)
    _move(warning, State.APPROVED, "approved_by", "approved_at", "reply", "approved_digest")
    _journal(warning, "approve", by, f"批准{_name_zh(warning)}", "Approved", after={"note": note})
    dissemination.approval_given(warning, by=by)
    return warning


@verb("alerting.reject", roles={Role.COMMANDER})
def reject(warning: Warning, *, by: Actor, reason: str) -> Warning:
    """Send a submitted or approved warning back to its composer, with the reason."""
    _lock(warning)
    if not reason.strip():
        raise Refused(_("Say why: the composer needs the reason"))
    warning.reply, warning.approved_digest = reason[:300], ""
    warning.approved_by = warning.approved_at = None
    _move(warning, State.DRAFT, "reply", "approved_digest", "approved_by", "approved_at")
    _journal(
        warning, "reject", by, f"退回{_name_zh(warning)}：{reason}", f"Sent back: {reason}", after={"reason": reason}
    )
    dissemination.approval_refused(warning, by=by)
    return warning


@verb("alerting.discard", roles=COMPOSERS)
def discard(warning: Warning, *, by: Actor) -> Warning:
    """Drop a warning that has not been published; its record stays."""
    _lock(warning)
    _move(warning, State.DISCARDED)
    _journal(warning, "discard", by, f"废弃{_name_zh(warning)}", "Discarded")
    dissemination.approval_refused(warning, by=by)
    return warning


@verb("alerting.publish", roles=OPERATIONS)
def publish(warning: Warning, *, by: Actor) -> Warning:
    """Issue an approved warning: freeze its bytes, end the message it follows, send it to its audiences."""
    _lock(warning)
    if warning.state != State.APPROVED:
        raise Refused(
            _("Only an approved warning can be published; this one is %(state)s")
            % {"state": warning.get_state_display()}
        )
    if warning.approved_digest != composing.content_digest(warning):
        raise Refused(_("The warning was changed after it was approved: send it back and have it approved again"))
    at = now(warning.space).replace(microsecond=0)
    parent = warning.parent
    if parent is not None:
        _lock(parent)
        if parent.state != State.PUBLISHED:
            raise Refused(_("The warning it follows is no longer in force: issue a new warning instead"))
    warning.identifier = _free_identifier(at)
    warning.published_at = at
    _freeze(warning, at)
    _move(warning, State.PUBLISHED, "identifier", "published_at", "cap_xml", "sha256")
    if parent is not None:
        _end(parent, State.CANCELLED if warning.msg_type == MsgType.CANCEL else State.UPDATED, at, by=by)
    if warning.msg_type == MsgType.CANCEL:
        warning.ended_at = at
        warning.save(update_fields=["ended_at"])
    after = {
        "identifier": warning.identifier, "sha256": warning.sha256, "colour": warning.colour, "kind": warning.kind.code,
        "hazard": warning.kind.hazard, "msg_type": warning.msg_type, "status": warning.status,
        "expires": warning.expires, "places": [p.code for p in composing.townships_of(warning)],
    }  # fmt: skip
    text_zh, text_en = f"发布：{warning.headline_zh}", f"Published: {warning.headline_en or warning.headline_zh}"
    _journal(warning, "publish", by, text_zh, text_en, after=after)
    dissemination.send_out(warning, by=by)
    return warning


@verb("alerting.update", roles=COMPOSERS)
def update(
    warning: Warning,
    *,
    by: Actor,
    colour: str | None = None,
    expires: datetime | None = None,
    places: Sequence[Place] | None = None,
    geometry: BaseGeometry | None = None,
    texts: Texts | None = None,
) -> Warning:
    """Draft an update of a warning in force: extend, upgrade, downgrade, move. It replaces it when published."""
    at = _may_follow(warning)
    colour = colour or warning.colour
    if places is None:
        geometry = warning.geometry if geometry is None else geometry
        places = composing.where_of(warning).chosen
    template = composing.template_for(warning.kind, colour)
    hours = template.valid_hours if template else DEFAULT_HOURS
    until = expires or max(warning.expires, at + timedelta(hours=hours))
    follower = _follower(warning, MsgType.UPDATE, colour, until, at, by)
    where = _where(places, geometry, by)
    _place(follower, where, geometry, by)
    filled = composing.texts_from_template(
        kind=warning.kind, colour=colour, area=where, drawn=geometry is not None, sent=at, expires=until,
        cause_zh=warning.cause_zh, cause_en=warning.cause_en,
    )  # fmt: skip
    _set_texts(follower, _as_update(filled, warning, Colour(colour)), texts)
    _check_plain(follower, at)
    follower.save()
    _save_areas(follower, where)
    _journal(follower, "draft", by, f"拟制更新：{follower.headline_zh}", f"Drafted an update: {follower.headline_en}")
    return follower


@verb("alerting.cancel", roles=COMPOSERS)
def cancel(warning: Warning, *, by: Actor, reason_zh: str = "", reason_en: str = "") -> Warning:
    """Draft the cancellation of a warning in force and submit it at once; approved and published it ends the warning."""
    at = _may_follow(warning)
    follower = _follower(warning, MsgType.CANCEL, warning.colour, warning.expires, at, by)
    places = composing.where_of(warning).chosen
    where = _where(places, warning.geometry, SYSTEM)
    _place(follower, where, warning.geometry, SYSTEM)
    unit = composing.policy()
    kind = warning.kind
    follower.headline_zh = f"{unit.sender_name_zh}解除{kind.name_zh}{warning.hue.zh}色预警"
    follower.headline_en = (
        f"{unit.sender_name_en or unit.sender_name_zh} ends the {warning.colour} {kind.name_en} warning"
    )
    follower.description_zh = f"{reason_zh.rstrip('。') + '。' if reason_zh else ''}{follower.headline_zh}。"
    follower.description_en = f"{reason_en.rstrip('.') + '. ' if reason_en else ''}{follower.headline_en}."
    follower.save()
    _save_areas(follower, where)
    _journal(follower, "draft", by, f"拟制解除：{follower.headline_zh}", f"Drafted: {follower.headline_en}")
    return submit(follower, by=by)


def expire_due(space: Space, *, limit: int = 200) -> int:
    """End the warnings whose time is over; the scheduler calls it. Returns how many ended."""
    at = now(space)
    due = Warning.objects.filter(space=space, state=State.PUBLISHED, expires__lte=at).order_by("expires")[:limit]
    ended = 0
    for warning in due:
        ended += _expire(warning, by=SYSTEM)
    return ended


@verb("alerting.expire", roles=())
def _expire(warning: Warning, *, by: Actor) -> int:
    """End a warning whose time is over."""
    _lock(warning)
    if warning.state != State.PUBLISHED or warning.expires > now(warning.space):
        return 0
    _end(warning, State.EXPIRED, warning.expires, by=by)
    _journal(warning, "expire", by, f"到期失效：{warning.headline_zh}", f"Expired: {warning.headline_en}")
    return 1


# How things are done.


def _person(by: Actor) -> User | None:
    return None if isinstance(by, System) else by


def _exercise_note(space: Space) -> str:
    return f"演练：{space.name_zh}" if space.is_exercise else "演练、测试消息"


def _plain(value: Any) -> Any:
    return getattr(value, "code", value)


def _where(places: Iterable[Place], geometry: BaseGeometry | None, by: Actor) -> Where:
    area = composing.where(places, geometry)
    if not area.named:
        raise Refused(_("A warning needs an area: choose townships, or draw one that touches a township"))
    reach = None if isinstance(by, System) or by.organisation is None else by.organisation.place
    outside = [p.name for p in area.named if reach is not None and not reach.contains(p)]
    if outside:
        raise Forbidden(_("Outside your jurisdiction: %(places)s") % {"places": ", ".join(outside)})
    return area


def _place(warning: Warning, where: Where, geometry: BaseGeometry | None, by: Actor) -> None:
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


def _save_areas(warning: Warning, where: Where) -> None:
    rows = [WarningPlace(warning=warning, place=place) for place in where.chosen]
    rows += [WarningPlace(warning=warning, place=place, is_chosen=False) for place in where.touched]
    WarningPlace.objects.bulk_create(rows)


def _set_texts(warning: Warning, filled: Texts | None, given: Texts | None) -> None:
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


def _check_plain(warning: Warning, at: datetime) -> None:
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


def _refuse_errors(warning: Warning) -> None:
    findings = cap.errors(composing.check(warning, at=now(warning.space).replace(microsecond=0))[2])
    if findings:
        from django.utils.translation import get_language

        language = get_language() or "zh"
        first = "; ".join(f"{f.what(language)} {f.fix(language)}" for f in findings[:3])
        raise Refused(_("The message has errors: %(errors)s") % {"errors": first})


def _free_identifier(at: datetime) -> str:
    unit = composing.policy().sender
    stem = identifiers.make(unit, at, 0)[:-1]
    taken = {
        str(row) for row in Warning.objects.filter(identifier__startswith=stem).values_list("identifier", flat=True)
    }
    try:
        return identifiers.next_free(unit, at, taken)
    except ValueError as error:
        raise Refused(str(error)) from error


def _freeze(warning: Warning, at: datetime) -> None:
    _alert, data, findings = composing.check(warning, at=at)
    errors = cap.errors(findings)
    if errors or not data:
        raise Refused("; ".join(f"{f.xpath}: {f.what('en')}" for f in errors))
    warning.cap_xml, warning.sha256 = data, hashlib.sha256(data).hexdigest()


def _may_follow(warning: Warning) -> datetime:
    """Refuse a follower of a warning that is not in force, or that has one already. The time in its space."""
    at = now(warning.space)
    if warning.state != State.PUBLISHED or warning.msg_type == MsgType.CANCEL:
        raise Refused(_("Only a warning in force can be updated or cancelled"))
    if warning.expires <= at:
        raise Refused(_("The warning has expired: issue a new one"))
    other = warning.followers.exclude(state=State.DISCARDED).first()
    if other is not None:
        raise Refused(_("This warning already has a successor: %(other)s (%(state)s)") % {"other": other, "state": other.get_state_display()})  # fmt: skip
    return at


def _follower(warning: Warning, msg_type: str, colour: str, expires: datetime, at: datetime, by: Actor) -> Warning:
    return Warning(
        space=warning.space, msg_type=msg_type, status=warning.status, cap_scope=warning.cap_scope, note=warning.note,
        kind=warning.kind, colour=colour, certainty=warning.certainty, urgency=URGENCY[Colour(colour)],
        onset=None if warning.onset and warning.onset <= at else warning.onset, expires=expires,
        audiences=warning.audiences, parent=warning, root=warning.root or warning, owner=warning.owner,
        place=warning.place, composed_by=_person(by), composed_at=at, cause=warning.cause, cause_zh=warning.cause_zh,
        cause_en=warning.cause_en, cause_at=warning.cause_at,
    )  # fmt: skip


def _lock(warning: Warning) -> None:
    """Hold the row and see its present state: two people may press at once."""
    current = Warning.objects.select_for_update().only("state").get(pk=warning.pk)
    warning.state = current.state


def _move(warning: Warning, state: str, *also: str) -> None:
    allowed = MOVES.get(warning.state, frozenset())
    if state not in allowed:
        names = ", ".join(str(State(one).label) for one in sorted(allowed)) or _("nothing: it has ended")
        raise Refused(
            _("A warning that is %(state)s cannot become %(new)s; possible: %(allowed)s")
            % {"state": warning.get_state_display(), "new": State(state).label, "allowed": names}
        )
    warning.state = state
    warning.save(update_fields=["state", *also])


def _end(warning: Warning, state: str, at: datetime, *, by: Actor) -> None:
    warning.ended_at = at
    _move(warning, state, "ended_at")
    dissemination.stop_asking(warning, by=by)


def _name_zh(warning: Warning) -> str:
    return f"{warning.kind.name_zh}{warning.hue.zh}色预警"


def _journal(
    warning: Warning, what: str, by: Actor, text_zh: str, text_en: str,
    before: dict[str, Any] | None = None, after: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    record(
        space=warning.space, verb=f"alerting.{what}", by=by, subject=warning, place=warning.place,
        organisation=warning.owner, thread=thread_of(warning.root or warning), colour=warning.colour,
        before=before, after=after, text_zh=text_zh, text_en=text_en,
    )  # fmt: skip


def chain_of(warning: Warning) -> list[Warning]:
    """All messages about the same thing, oldest first. One query."""
    root = warning.root_id or warning.pk
    rows = Warning.objects.filter(Q(pk=root) | Q(root=root)).defer("cap_xml").select_related("kind")
    return list(rows.order_by("composed_at", "pk"))


def texts_of(warning: Warning) -> dict[str, str]:
    """The six texts, for forms."""
    return {name: getattr(warning, name) for name in asdict(Texts())}
