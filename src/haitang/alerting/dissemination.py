"""How a warning reaches people: asked for approval, sent to each audience, answers asked for and no longer asked for.

Called by `services` inside the transaction of its verbs. Obligations escalate silence, delivery carries the words; this
module says who and what. An exercise or test has no public audience (`services` refuses it) and nothing here sends one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.alerting import composing, subscriptions, wording
from haitang.alerting.models import Audience, MsgType, Status, Subscription, Warning, place_chain
from haitang.alerting.wording import Words
from haitang.delivery import services as delivery
from haitang.delivery.services import Recipient
from haitang.geo.models import Level, Place
from haitang.journal.services import thread_of
from haitang.obligations import links, reach
from haitang.obligations import services as obligations
from haitang.obligations.models import OPEN, Obligation
from haitang.spaces.clock import now

APPROVE, ANSWER = "alerting.approve", "alerting.answer"
# A message that asks for no answer, and a call that was asked for by hand.
PLAIN_CHANNELS = ("inapp", "sms")
CALL_CHANNELS = ("inapp", "sms", "voice")
# How many persons of an organisation are told what asks for no answer.
TOLD_PER_BODY = 2


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
    found = approvers(warning)
    first = found[0] if found else None
    kind = warning.kind
    obligations.issue(
        space=warning.space, kind=APPROVE, owner=(first and first.organisation) or warning.owner, person=first, subject=warning,
        title_zh=_marked(warning, f"审批预警：{warning.headline_zh}", "zh"),
        title_en=_marked(warning, f"Approve: {warning.headline_en or warning.headline_zh}", "en"),
        detail_zh=f"{kind.name_zh}{warning.hue.zh}色预警已提请审批，批准后方可发布。",
        detail_en=f"A {warning.colour} {kind.name_en or kind.name_zh} warning waits; it can go out once approved.",
        by=by, due_at=composing.answer_due(warning.colour, now(warning.space)), place=warning.place,
        thread=thread_name(warning), colour=warning.colour, url=warning.get_absolute_url(),
        data={"drill": warning.status != Status.ACTUAL},
    )  # fmt: skip


def approval_given(warning: Warning, *, by: Actor) -> None:
    """The request for approval is done."""
    for one in open_obligations(warning, APPROVE):
        own = isinstance(by, System) or reach.answers_for(by, one)
        obligations.complete(one, by=by if own else SYSTEM, note=warning.reply)


def approval_refused(warning: Warning, *, by: Actor) -> None:
    """The request for approval falls away: sent back, or dropped."""
    _withdraw(open_obligations(warning, APPROVE), warning.reply)


def open_obligations(warning: Warning, kind: str) -> list[Obligation]:
    """The obligations of a kind about this warning that still stand. One query."""
    return list(obligations.for_subject(warning).filter(kind=kind, state__in=OPEN))


def _withdraw(rows: Iterable[Obligation], reason: str) -> None:
    # By the platform: the verb that led to it names the person, and that person need not direct the obligation.
    for one in rows:
        obligations.withdraw(one, by=SYSTEM, reason=reason)


# Sending.


@dataclass(frozen=True)
class Township:
    """A township a warning reaches and the organisation that answers for it; None is a gap in the chain of responsibility."""

    place: Place
    organisation: Organisation | None


def townships(warning: Warning) -> list[Township]:
    """The townships a stored warning reaches, with who answers for each. Three queries."""
    return responsible_for(composing.townships_of(warning))


def responsible_for(places: Sequence[Place]) -> list[Township]:
    """Who answers for each of these townships. One query."""
    rows = Organisation.objects.filter(place__in=places, kind=OrganisationKind.TOWNSHIP).order_by("-path")
    bodies = {body.place_id: body for body in rows}
    return [Township(place, bodies.get(place.pk)) for place in places]


def send_out(warning: Warning, *, by: Actor) -> None:
    """Send a published warning to its audiences."""
    reached = townships(warning)
    bodies = [one.organisation for one in reached if one.organisation is not None]
    if Audience.RESPONSIBLE in warning.audiences:
        if warning.msg_type == MsgType.CANCEL:
            _tell(warning, "responsible", people_told(bodies), by=by)
        else:
            _ask(warning, reached, by=by)
    if Audience.DEPARTMENTS in warning.audiences:
        _tell(warning, "departments", people_told(warning.kind.departments.all()), by=by)
    if not warning.may_reach_public:
        return
    if Audience.RESIDENTS in warning.audiences:
        _tell_residents(warning, [one.place for one in reached], by=by)
    if Audience.LOUDSPEAKER in warning.audiences:
        _speak(warning, bodies, by=by)


def _ask(warning: Warning, reached: Sequence[Township], *, by: Actor) -> None:
    """One answer per township organisation; the policy's ladder calls the persons, one after the other."""
    policy = composing.policy()
    due = composing.answer_due(warning.colour, warning.published_at or now(warning.space))
    zh, en = composing.words(warning, "zh"), composing.words(warning, "en")
    for one in reached:
        if one.organisation is None:
            continue
        obligations.issue(
            space=warning.space, kind=ANSWER, owner=one.organisation, subject=warning, place=one.place,
            title_zh=_marked(warning, zh.headline, "zh"), title_en=_marked(warning, en.headline, "en"),
            detail_zh=wording.brief(zh.instruction), detail_en=wording.brief(en.instruction), by=by, due_at=due,
            thread=thread_name(warning), colour=warning.colour, ladder=policy.ladder, url=warning.get_absolute_url(),
            data={"link_hours": policy.link_hours, "drill": warning.status != Status.ACTUAL}, key=f"{thread_of(warning)}:{one.place.code}",
        )  # fmt: skip


def people_told(bodies: Iterable[Organisation]) -> list[User]:
    """The first persons of each organisation, in the order in which they are called. One query."""
    rows = User.objects.filter(organisation__in=list(bodies), is_active=True).select_related("organisation__place")
    taken: dict[int | None, int] = {}
    chosen = []
    for user in rows.order_by("organisation__path", "rank", "pk"):
        taken[user.organisation_id] = taken.get(user.organisation_id, 0) + 1
        if taken[user.organisation_id] <= TOLD_PER_BODY:
            chosen.append(user)
    return chosen


def _marked(warning: Warning, text: str, language: str) -> str:
    return wording.marked(text, exercise=warning.status != Status.ACTUAL, language=language)


def _both(warning: Warning) -> tuple[Words, Words]:
    return composing.words(warning, "zh"), composing.words(warning, "en")


def _tell(warning: Warning, audience: str, people: Sequence[User], *, by: Actor) -> None:
    """The words, to read; no answer is asked for."""
    if not people:
        return
    zh, en = _both(warning)
    delivery.send(
        space=warning.space, key=f"{thread_of(warning)}:{audience}", to=people, channels=PLAIN_CHANNELS,
        title_zh=_marked(warning, zh.headline, "zh"), title_en=_marked(warning, en.headline, "en"),
        body_zh=zh.description, body_en=en.description, url=f"{settings.PUBLIC_URL}{warning.get_absolute_url()}",
        about=warning, thread=thread_name(warning), colour=warning.colour, by=by, drill=warning.status != Status.ACTUAL,
    )  # fmt: skip


def subscribers(places: Sequence[Place]) -> list[Subscription]:
    """Who asked to be told of warnings for any of these townships, or for the district they lie in. One query."""
    above = {path for place in places for path in place_chain(place.path)}
    wanted = Q(place__in=[place.pk for place in places]) | Q(place__path__in=above, place__level=Level.DISTRICT)
    return list(Subscription.objects.filter(wanted, ended_at=None).order_by("pk"))


def _tell_residents(warning: Warning, places: Sequence[Place], *, by: Actor) -> None:
    asked = subscribers(places)
    zh, en = _both(warning)
    for channel in ("sms", "email"):
        to = [
            Recipient(
                phone=row.phone if channel == "sms" else "", email=row.email if channel == "email" else "",
                language=row.language, url=subscriptions.link(row, warning),
            )
            for row in asked
            if (row.phone if channel == "sms" else row.email)
        ]  # fmt: skip
        if to:
            delivery.send(
                space=warning.space, key=f"{thread_of(warning)}:residents:{channel}", to=to, channels=(channel,),
                title_zh=zh.headline, title_en=en.headline, body_zh=zh.instruction, body_en=en.instruction,
                url=subscriptions.link(None, warning), about=warning, thread=thread_name(warning), colour=warning.colour, by=by,
            )  # fmt: skip


def _speak(warning: Warning, bodies: Sequence[Organisation], *, by: Actor) -> None:
    if not bodies:
        return
    zh, en = _both(warning)
    delivery.send(
        space=warning.space, key=f"{thread_of(warning)}:loudspeaker",
        to=[Recipient(organisation=body, name=body.name_zh) for body in bodies], channels=("loudspeaker",),
        title_zh=zh.headline, title_en=en.headline,
        body_zh=wording.loudspeaker(zh, exercise=False, language="zh"),
        body_en=wording.loudspeaker(en, exercise=False, language="en"),
        about=warning, thread=thread_name(warning), colour=warning.colour, by=by,
    )  # fmt: skip


def stop_asking(warning: Warning, *, by: Actor) -> None:
    """No answer to an ended warning is waited for any more."""
    _withdraw(open_obligations(warning, ANSWER), "")


def call_again(warning: Warning, one: Obligation, people: Sequence[User], *, number: int, by: Actor) -> None:
    """Ask for an answer once more, now, by every channel that wakes somebody up, each person with an own link."""
    zh, en = _both(warning)
    delivery.send(
        space=warning.space, key=f"{thread_of(one)}:call{number}",
        to=[Recipient.of(user, url=links.make(one, user)) for user in people], channels=CALL_CHANNELS,
        title_zh=_marked(warning, f"【再次叫应】{zh.headline}", "zh"), title_en=_marked(warning, f"Please answer: {en.headline}", "en"),
        body_zh=wording.brief(zh.instruction), body_en=wording.brief(en.instruction),
        url=f"{settings.PUBLIC_URL}{warning.get_absolute_url()}", about=one, thread=thread_name(warning), colour=warning.colour,
        by=by, drill=warning.status != Status.ACTUAL,
    )  # fmt: skip
