"""What can be done with warnings: compose, approve by another, publish, update, cancel, end. The slice's face.

Publishing freezes the message and hands it to `dissemination`; answers come back through `answers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.models import User
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.alerting import attachments, cap, composing, dissemination, drafting, guards, identifiers, signing
from haitang.alerting.colours import Colour
from haitang.alerting.composing import Texts, Where
from haitang.alerting.models import (
    MOVES,
    EventKind,
    MsgType,
    State,
    Warning,
    WarningPlace,
    WarningResource,
    WarningTemplate,
)
from haitang.geo.models import Place
from haitang.journal.services import record, thread_of
from haitang.obligations.models import Obligation
from haitang.spaces.clock import now
from haitang.spaces.models import Space

COMPOSERS = OPERATIONS | {Role.DEPARTMENT}


@verb("alerting.draft", roles=COMPOSERS)
def draft(
    *,
    space: Space,
    kind: EventKind,
    colour: str,
    by: Actor,
    places: Sequence[Place] = (),
    geometry: BaseGeometry | None = None,
    texts: Texts | None = None,
    cause: drafting.Cause = drafting.Cause(),  # noqa: B008  frozen
    **more: Any,
) -> Warning:
    """Draft a warning for places or a drawn area; see `drafting.compose` for what can be given."""
    _refuse_twin(space, cause)
    made = drafting.compose(
        space=space, kind=kind, colour=colour, places=places, geometry=geometry, texts=texts, cause=cause, by=by, **more
    )
    warning = made.warning
    warning.save()
    _save_areas(warning, made.where)
    _journal(warning, "draft", by, f"拟制{_name_zh(warning)}", f"Drafted: {warning.headline_en or warning.headline_zh}")
    return warning


@verb("alerting.draft_from_alarm", roles=COMPOSERS)
def draft_from_alarm(
    alarm: drafting.AlarmLike,
    *,
    by: Actor,
    kind: EventKind | None = None,
    colour: str | None = None,
    places: Sequence[Place] | None = None,
) -> Warning:
    """Compose a warning from an alarm: what it measures gives the kind, its township the area, unless given."""
    cause = drafting.alarm_cause(alarm)
    kind = kind or drafting.kind_of_quantity(alarm.series.quantity)
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


@verb("alerting.edit", roles=COMPOSERS)
def edit(
    warning: Warning,
    *,
    by: Actor,
    places: Sequence[Place] | None = None,
    geometry: BaseGeometry | None = None,
    texts: Texts | None = None,
    own_colours: Mapping[str, str] | None = None,
    **changes: Any,
) -> Warning:
    """Change a draft. `places` given (with or without `geometry`, `own_colours`) replaces the area; other fields by name."""
    _lock(warning, by)
    _refuse_unless_draft(warning)
    allowed = {"kind", "colour", "urgency", "certainty", "onset", "expires", "audiences", "note", "cap_scope"}
    unknown = set(changes) - allowed
    if unknown:
        raise Refused(_("Cannot change %(fields)s of a warning") % {"fields": ", ".join(sorted(unknown))})
    before = {name: _plain(getattr(warning, name)) for name in changes}
    for name, value in changes.items():
        setattr(warning, name, value)
    if places is not None:
        where = drafting.area_within(places, geometry, by, own_colours)
        drafting.settle(warning, where, geometry, by)
        warning.areas.all().delete()
    else:
        where = composing.where_of(warning)
        if "colour" in changes:
            where = replace(where, levels=drafting.not_graver(where.levels, warning.colour))
            warning.areas.all().delete()
    drafting.word_levels(warning, where)
    if places is not None or "colour" in changes:
        _save_areas(warning, where)
    drafting.set_texts(warning, None, texts)
    drafting.check_plain(warning, now(warning.space))
    warning.edited_by = drafting.person(by)
    warning.save()
    after = {name: _plain(getattr(warning, name)) for name in changes}
    _journal(warning, "edit", by, f"修改{_name_zh(warning)}", "Edited the draft", before=before, after=after)
    return warning


@verb("alerting.submit", roles=COMPOSERS)
def submit(warning: Warning, *, by: Actor) -> Warning:
    """Put a draft before an approver; refused while the validator finds an error."""
    _lock(warning, by)
    _refuse_errors(warning)
    warning.submitted_by, warning.submitted_at = drafting.person(by), now(warning.space)
    _move(warning, State.SUBMITTED, "submitted_by", "submitted_at")
    _journal(warning, "submit", by, f"提请审批{_name_zh(warning)}", "Submitted for approval")
    dissemination.ask_for_approval(warning, by=by)
    return warning


@verb("alerting.approve", roles={Role.COMMANDER})
def approve(warning: Warning, *, by: Actor, note: str = "") -> Warning:
    """Approve a submitted warning. Refused to whoever composed, changed or submitted it: four eyes."""
    _lock(warning, by)
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
    _lock(warning, by)
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
    _lock(warning, by)
    _move(warning, State.DISCARDED)
    _journal(warning, "discard", by, f"废弃{_name_zh(warning)}", "Discarded")
    dissemination.approval_refused(warning, by=by)
    return warning


@verb("alerting.publish", roles=OPERATIONS)
def publish(warning: Warning, *, by: Actor) -> Warning:
    """Issue an approved warning: freeze its bytes, end the message it follows, send it to its audiences."""
    _lock(warning, by)
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
        _lock(parent, by)
        if parent.state != State.PUBLISHED:
            raise Refused(_("The warning it follows is no longer in force: issue a new warning instead"))
    warning.identifier = _free_identifier(warning.space, at)
    warning.published_at = at
    _freeze(warning, at)
    _move(warning, State.PUBLISHED, "identifier", "published_at", "cap_xml", "sha256", "signer")
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


@verb("alerting.remind", roles=OPERATIONS | {Role.DEPARTMENT})
def remind(warning: Warning, answer: Obligation, *, by: Actor) -> list[User]:
    """Call a township that has not answered once more, at once, besides what the ladder does. Returns whom."""
    _lock(warning, by)
    if not warning.is_in_force:
        raise Refused(_("The warning is no longer in force: no answer is waited for"))
    answer = (
        Obligation.objects.select_for_update(of=("self",)).select_related("owner__place", "place").get(pk=answer.pk)
    )
    if answer.kind != dissemination.ANSWER or answer.subject_id != str(warning.pk):
        raise Refused(_("This is not an answer to the warning"))
    if not answer.is_open:
        raise Refused(_("%(owner)s has answered already") % {"owner": answer.owner})
    people = dissemination.people_told([answer.owner])
    if not people:
        raise Refused(_("%(owner)s has nobody to call: add a responsible person") % {"owner": answer.owner})
    number = int(answer.data.get("calls", 0)) + 1
    answer.data = {**answer.data, "calls": number}
    answer.save(update_fields=["data"])
    dissemination.call_again(warning, answer, people, number=number, by=by)
    names_zh = "、".join(user.name_zh for user in people)
    names_en = ", ".join(user.name_en or user.name_zh for user in people)
    body = answer.owner
    record(
        space=warning.space, verb="alerting.remind", by=by, subject=warning, place=answer.place, organisation=body,
        thread=dissemination.thread_name(warning), colour=warning.colour, after={"township": body.code, "calls": number},
        text_zh=f"再次叫应{body.name_zh}（{names_zh}）", text_en=f"Called {body.name_en or body.name_zh} again ({names_en})",
    )  # fmt: skip
    return people


@verb("alerting.update", roles=COMPOSERS)
def update(warning: Warning, *, by: Actor, **changes: Any) -> Warning:
    """Draft an update of a warning in force; it replaces it when published. See `drafting.compose_update` for what can be given."""
    made = drafting.compose_update(warning, by=by, **changes)
    follower = made.warning
    follower.save()
    _save_areas(follower, made.where)
    _journal(follower, "draft", by, f"拟制更新：{follower.headline_zh}", f"Drafted an update: {follower.headline_en}")
    return follower


@verb("alerting.step", roles=COMPOSERS)
def step(warning: Warning, what: str, *, by: Actor) -> Warning:
    """Extend (`extend`), raise (`upgrade`) or lower (`downgrade`) a warning in force: draft the update and submit it."""
    rank = warning.hue.rank + {"extend": 0, "upgrade": 1, "downgrade": -1}[what]
    colour = next((one for one in Colour if one.rank == rank), None)
    if colour is None or not WarningTemplate.objects.filter(kind=warning.kind, colour=colour.value).exists():
        raise Refused(_("This kind of event has no words for the next colour: use Update and write them"))
    template = composing.template_for(warning.kind, colour.value)
    hours = template.valid_hours if template else drafting.DEFAULT_HOURS
    at = now(warning.space)
    until = at + timedelta(hours=hours)
    # Extended from its end where it would end soon enough anyway; never shorter than it was.
    if what == "extend":
        until = max(until, warning.expires + timedelta(hours=min(hours, 6)))
        until = max(warning.expires + timedelta(minutes=30), min(until, at + timedelta(hours=24)))
    else:
        until = max(until, warning.expires)
    return submit(update(warning, by=by, colour=colour.value, expires=until), by=by)


@verb("alerting.cancel", roles=COMPOSERS)
def cancel(warning: Warning, *, by: Actor, reason_zh: str = "", reason_en: str = "") -> Warning:
    """Draft the cancellation of a warning in force and submit it at once; approved and published it ends the warning."""
    made = drafting.compose_cancel(warning, by=by, reason_zh=reason_zh, reason_en=reason_en)
    follower = made.warning
    follower.save()
    _save_areas(follower, made.where)
    _journal(follower, "draft", by, f"拟制解除：{follower.headline_zh}", f"Drafted: {follower.headline_en}")
    return submit(follower, by=by)


@verb("alerting.attach", roles=COMPOSERS)
def attach(
    warning: Warning, *, by: Actor, content: bytes, description_zh: str, description_en: str = ""
) -> WarningResource:
    """Add a file to a draft."""
    _lock(warning, by)
    _refuse_unless_draft(warning)
    made = attachments.make(warning, content=content, description_zh=description_zh, description_en=description_en)
    made.save()
    after = {"file": made.name, "size": made.size, "sha1": made.sha1}
    _journal(warning, "attach", by, f"添加附件：{made.description_zh}", f"Attached: {made.description_en or made.description_zh}", after=after)  # fmt: skip
    return made


@verb("alerting.detach", roles=COMPOSERS)
def detach(warning: Warning, number: int, *, by: Actor) -> None:
    """Take a file away from a draft."""
    _lock(warning, by)
    _refuse_unless_draft(warning)
    found = warning.resources.filter(number=number).first()
    if found is None:
        raise Refused(_("The warning has no such file"))
    found.delete()
    _journal(warning, "detach", by, f"移除附件：{found.description_zh}", f"Removed: {found.description_en or found.description_zh}")  # fmt: skip


def _refuse_unless_draft(warning: Warning) -> None:
    if warning.state != State.DRAFT:
        raise Refused(
            _("Only a draft can be changed; this warning is %(state)s") % {"state": warning.get_state_display()}
        )


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
    _lock(warning, by)
    if warning.state != State.PUBLISHED or warning.expires > now(warning.space):
        return 0
    _end(warning, State.EXPIRED, warning.expires, by=by)
    _journal(warning, "expire", by, f"到期失效：{warning.headline_zh}", f"Expired: {warning.headline_en}")
    return 1


# How things are done.


def _refuse_twin(space: Space, cause: drafting.Cause) -> None:
    """One alarm makes one warning at a time."""
    again = standing_for(space, cause.thread) if cause.thread else None
    if again is not None:
        raise Refused(_("There is a warning from this cause already: %(warning)s") % {"warning": again})


def standing_for(space: Space, cause: str) -> Warning | None:
    """The warning that this cause (an alarm's thread) has led to and that has not ended. One query."""
    ended = (State.DISCARDED, State.UPDATED, State.CANCELLED, State.EXPIRED)
    found: Warning | None = Warning.objects.filter(space=space, cause=cause).exclude(state__in=ended).first()
    return found


def _plain(value: Any) -> Any:
    return getattr(value, "code", value)


def _save_areas(warning: Warning, where: Where) -> None:
    rows = [
        WarningPlace(warning=warning, place=place, colour=where.levels.get(place.code) or warning.colour)
        for place in where.chosen
    ]
    rows += [
        WarningPlace(warning=warning, place=place, is_chosen=False, colour=warning.colour) for place in where.touched
    ]
    WarningPlace.objects.bulk_create(rows)


def _refuse_errors(warning: Warning) -> None:
    at = now(warning.space).replace(microsecond=0)
    findings = cap.errors([*composing.check(warning, at=at)[2], *guards.look(warning, at=at)])
    if findings:
        from django.utils.translation import get_language

        language = get_language() or "zh"
        first = "; ".join(f"{f.what(language)} {f.fix(language)}" for f in findings[:3])
        raise Refused(_("The message has errors: %(errors)s") % {"errors": first})


def _free_identifier(space: Space, at: datetime) -> str:
    unit = composing.policy().sender
    stem = identifiers.make(unit, at, 0)[:-1]
    taken = {
        str(row)
        for row in Warning.objects.filter(space=space, identifier__startswith=stem).values_list("identifier", flat=True)
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
    data, warning.signer = signing.signed(data, warning)
    warning.cap_xml, warning.sha256 = data, hashlib.sha256(data).hexdigest()


def _lock(warning: Warning, by: Actor) -> None:
    """Hold the row and see it as it is now: two people may press at once. Refused outside the actor's reach."""
    warning.refresh_from_db(from_queryset=Warning.objects.select_for_update())
    drafting.must_reach(warning, by)


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


def chain_of(warning: Warning, among: QuerySet[Warning] | None = None) -> list[Warning]:
    """The messages about the same thing, oldest first; whoever shows them passes those the reader sees. One query."""
    root = warning.root_id or warning.pk
    rows = Warning.objects.all() if among is None else among
    rows = rows.filter(Q(pk=root) | Q(root=root)).defer("cap_xml").select_related("kind")
    return list(rows.order_by("composed_at", "pk"))


def texts_of(warning: Warning) -> dict[str, str]:
    """The six texts, for forms."""
    return {name: getattr(warning, name) for name in asdict(Texts())}
