"""How a warning reaches people: asked for approval, sent to each audience, answers asked for and no longer asked for.

Called by `services` inside the transaction of its verbs. Obligations escalate silence, delivery carries the words; this
module says who and what. An exercise or test has no public audience (`services` refuses it) and nothing here sends one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.alerting import composing, wording
from haitang.alerting.models import Audience, MsgType, Status, Subscription, Warning, place_chain
from haitang.geo.models import Level, Place
from haitang.journal.services import thread_of
from haitang.spaces.clock import now

APPROVE, ANSWER = "alerting.approve", "alerting.answer"
# Channels of a message that asks for no answer.
PLAIN_CHANNELS = ("inapp", "sms")


def thread_name(warning: Warning) -> str:
    """The thread of everything about this warning and its followers."""
    return thread_of(warning.root or warning)


# Approval.


def approvers(warning: Warning) -> list[User]:
    """The commanders who may approve it: in reach of its place, and not the ones who wrote it. One query."""
    wrote = [pk for pk in (warning.composed_by_id, warning.edited_by_id, warning.submitted_by_id) if pk]
    rows = User.objects.filter(
        role=Role.COMMANDER, is_active=True, organisation__place__path__in=place_chain(warning.place.path)
    )
    return list(rows.exclude(pk__in=wrote).select_related("organisation").order_by("organisation__path", "rank", "pk"))


def ask_for_approval(warning: Warning, *, by: Actor) -> None:
    """One obligation for the commanders; its button leads to the warning, where it is read before it is approved."""
    from haitang.obligations import services as obligations

    found = approvers(warning)
    owner = found[0].organisation if found else warning.owner
    assert owner is not None
    kind = warning.kind
    obligations.issue(
        space=warning.space, kind=APPROVE, owner=owner, person=found[0] if found else None, subject=warning,
        title_zh=f"审批：{warning.headline_zh}", title_en=f"Approve: {warning.headline_en or warning.headline_zh}",
        detail_zh=f"{kind.name_zh}{warning.hue.zh}色预警待审批", detail_en=f"A {warning.colour} {kind.name_en} warning waits",
        by=by, due_at=composing.answer_due(warning.colour, now(warning.space)), place=warning.place,
        thread=thread_name(warning), colour=warning.colour, url=warning.get_absolute_url(),
    )  # fmt: skip


def approval_given(warning: Warning, *, by: Actor) -> None:
    """The request for approval is done."""
    from haitang.obligations import services as obligations

    for one in open_obligations(warning, APPROVE):
        obligations.complete(one, by=by, note=warning.reply)


def approval_refused(warning: Warning, *, by: Actor) -> None:
    """The request for approval falls away: sent back, or dropped."""
    from haitang.obligations import services as obligations

    for one in open_obligations(warning, APPROVE):
        obligations.withdraw(one, by=by, reason=warning.reply)


def open_obligations(warning: Warning, kind: str) -> list:  # type: ignore[type-arg]
    """The obligations of a kind about this warning that still stand."""
    from haitang.obligations import services as obligations

    return [one for one in obligations.for_subject(warning).filter(kind=kind).order_by("pk") if one.is_open]


# Sending.


@dataclass(frozen=True)
class Township:
    """A township a warning reaches and the organisation that answers for it; None is a gap in the chain of responsibility."""

    place: Place
    organisation: Organisation | None


def townships(warning: Warning) -> list[Township]:
    """The townships a warning reaches, with who answers for each. Three queries."""
    places = composing.townships_of(warning)
    rows = Organisation.objects.filter(place__in=places, kind=OrganisationKind.TOWNSHIP).order_by("-path")
    bodies = {body.place_id: body for body in rows}
    return [Township(place, bodies.get(place.pk)) for place in places]


def send_out(warning: Warning, *, by: Actor) -> None:
    """Send a published warning to its audiences."""
    reached = townships(warning)
    bodies = [one.organisation for one in reached if one.organisation is not None]
    if Audience.RESPONSIBLE in warning.audiences:
        if warning.msg_type == MsgType.CANCEL:
            _tell(warning, "responsible", _people(bodies, 2), by=by)
        else:
            _ask(warning, reached, by=by)
    if Audience.DEPARTMENTS in warning.audiences:
        _tell(warning, "departments", _people(warning.kind.departments.all(), 2), by=by)
    if not warning.may_reach_public:
        return
    if Audience.RESIDENTS in warning.audiences:
        _tell_residents(warning, [one.place for one in reached], by=by)
    if Audience.LOUDSPEAKER in warning.audiences:
        _speak(warning, bodies, by=by)


def _ask(warning: Warning, reached: Sequence[Township], *, by: Actor) -> None:
    """One answer per township organisation; the policy's ladder calls the persons, one after the other."""
    from haitang.obligations import services as obligations

    policy = composing.policy()
    due = composing.answer_due(warning.colour, warning.published_at or now(warning.space))
    zh, en = composing.words(warning, "zh"), composing.words(warning, "en")
    exercise = warning.status != Status.ACTUAL
    for one in reached:
        if one.organisation is None:
            continue
        obligations.issue(
            space=warning.space, kind=ANSWER, owner=one.organisation, subject=warning, place=one.place,
            title_zh=wording.marked(zh.headline, exercise=exercise, language="zh"),
            title_en=wording.marked(en.headline, exercise=exercise, language="en"),
            detail_zh=zh.instruction, detail_en=en.instruction, by=by, due_at=due, thread=thread_name(warning),
            colour=warning.colour, ladder=policy.ladder, url=warning.get_absolute_url(),
            data={"link_hours": policy.link_hours},
        )  # fmt: skip


def _people(bodies: Iterable[Organisation], most: int) -> list[User]:
    """The first `most` persons of each organisation, in the order in which they are called. One query."""
    rows = User.objects.filter(organisation__in=list(bodies), is_active=True).select_related("organisation")
    taken: dict[int | None, int] = {}
    chosen = []
    for user in rows.order_by("organisation__path", "rank", "pk"):
        taken[user.organisation_id] = taken.get(user.organisation_id, 0) + 1
        if taken[user.organisation_id] <= most:
            chosen.append(user)
    return chosen


def _tell(warning: Warning, audience: str, people: Sequence[User], *, by: Actor) -> None:
    """The words, to read; no answer is asked for."""
    from haitang.delivery import services as delivery

    if not people:
        return
    zh, en = composing.words(warning, "zh"), composing.words(warning, "en")
    exercise = warning.status != Status.ACTUAL
    delivery.send(
        space=warning.space, key=f"{thread_of(warning)}:{audience}", to=people, channels=PLAIN_CHANNELS,
        title_zh=wording.marked(zh.headline, exercise=exercise, language="zh"),
        title_en=wording.marked(en.headline, exercise=exercise, language="en"),
        body_zh=zh.description, body_en=en.description, url=f"{settings.PUBLIC_URL}{warning.get_absolute_url()}",
        about=warning, thread=thread_name(warning), colour=warning.colour, by=by, drill=exercise,
    )  # fmt: skip


def subscribers(places: Sequence[Place]) -> list[Subscription]:
    """Who asked to be told of warnings for any of these townships, or for the district they lie in. One query."""
    wanted = Q(place__in=[place.pk for place in places])
    above = {path for place in places for path in place_chain(place.path)}
    wanted |= Q(place__path__in=above, place__level=Level.DISTRICT)
    return list(Subscription.objects.filter(wanted, ended_at=None).order_by("pk"))


def _tell_residents(warning: Warning, places: Sequence[Place], *, by: Actor) -> None:
    from haitang.delivery import services as delivery

    asked = subscribers(places)
    page = composing.public_url(warning) if warning.may_leave else f"{settings.PUBLIC_URL}/public/"
    zh, en = composing.words(warning, "zh"), composing.words(warning, "en")
    for channel in ("sms", "email"):
        to = [
            delivery.Recipient(
                name=str(row.pk), phone=row.phone if channel == "sms" else "", email=row.email if channel == "email" else "",
                language=row.language, url=page,
            )
            for row in asked
            if (row.phone if channel == "sms" else row.email)
        ]  # fmt: skip
        if to:
            delivery.send(
                space=warning.space, key=f"{thread_of(warning)}:residents:{channel}", to=to, channels=(channel,),
                title_zh=zh.headline, title_en=en.headline, body_zh=zh.instruction, body_en=en.instruction, url=page,
                about=warning, thread=thread_name(warning), colour=warning.colour, by=by,
            )  # fmt: skip


def _speak(warning: Warning, bodies: Sequence[Organisation], *, by: Actor) -> None:
    from haitang.delivery import services as delivery

    if not bodies:
        return
    zh, en = composing.words(warning, "zh"), composing.words(warning, "en")
    delivery.send(
        space=warning.space, key=f"{thread_of(warning)}:loudspeaker",
        to=[delivery.Recipient(organisation=body, name=body.name_zh) for body in bodies], channels=("loudspeaker",),
        title_zh=zh.headline, title_en=en.headline,
        body_zh=wording.loudspeaker(zh, exercise=False, language="zh"),
        body_en=wording.loudspeaker(en, exercise=False, language="en"),
        about=warning, thread=thread_name(warning), colour=warning.colour, by=by,
    )  # fmt: skip


def stop_asking(warning: Warning, *, by: Actor) -> None:
    """No answer to an ended warning is waited for any more."""
    from haitang.obligations import services as obligations

    for one in open_obligations(warning, ANSWER):
        obligations.withdraw(one, by=by, reason="")
