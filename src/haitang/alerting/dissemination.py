"""How a warning reaches people: asked for approval, sent to each audience, answers asked for and no longer asked for.

Called by `services` inside the transaction of its verbs. Obligations escalate silence, delivery carries the words; this
module says who and what. An exercise or test has no public audience (`services` refuses it) and nothing here sends one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import SYSTEM, Actor, System
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.alerting import area_shapes, composing, subscriptions, targeting, wording
from haitang.alerting.colours import Colour
from haitang.alerting.models import Audience, MsgType, Policy, Status, Subscription, Warning, place_chain
from haitang.alerting.recipient_lists import Exposed, RecipientList
from haitang.alerting.wording import Words
from haitang.delivery import cell_broadcast
from haitang.delivery import services as delivery
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery, Message
from haitang.delivery.services import Recipient
from haitang.delivery.states import State as DeliveryState
from haitang.geo.models import Level, Place
from haitang.journal.services import thread_of
from haitang.obligations import links, reach
from haitang.obligations import services as obligations
from haitang.obligations.models import OPEN, Obligation
from haitang.obligations.recipients import workers
from haitang.spaces.clock import now
from haitang.spaces.models import Space

APPROVE, ANSWER, KNOCK = "alerting.approve", "alerting.answer", "alerting.door_knock"
# How long the grid workers have for the doors of their village.
KNOCK_FOR = timedelta(minutes=30)
# Residents who asked for it come after the lists of the first wave.
RESIDENTS_WAVE = 2
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
    places = [one.place for one in reached]
    _tell_lists(warning, places, by=by)
    if not warning.may_reach_public:
        return
    if Audience.RESIDENTS in warning.audiences:
        _tell_residents(warning, places, by=by)
    if Audience.LOUDSPEAKER in warning.audiences:
        _speak(warning, bodies, by=by)
    if Audience.PUBLIC in warning.audiences:
        _broadcast(warning, by=by)


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
            data={"link_hours": policy.link_hours, "drill": warning.status != Status.ACTUAL, **_needed(policy, warning.colour)},
            key=f"{thread_of(warning)}:{one.place.code}",
        )  # fmt: skip


def _needed(policy: Policy, colour: str) -> dict[str, int]:
    number = int(policy.reach.get("confirmations", {}).get(colour, 1))
    return {"confirmations": number} if number > 1 else {}


def knock(warning: Warning, answer: Obligation) -> list[Obligation]:
    """One task for each organisation below the silent township that has grid workers: tell the households."""
    bodies: dict[int, Organisation] = {}
    for worker in workers(answer.owner):
        if worker.organisation is not None:
            bodies.setdefault(worker.organisation.pk, worker.organisation)
    zh, en = composing.words(warning, "zh"), composing.words(warning, "en")
    return [
        obligations.issue(
            space=warning.space, kind=KNOCK, owner=body, subject=warning, place=body.place, by=SYSTEM,
            title_zh=_marked(warning, f"上门叫应：{zh.headline}", "zh"), title_en=_marked(warning, f"Knock at the doors: {en.headline}", "en"),
            detail_zh=f"{answer.owner.name_zh}未应答，请逐户上门告知并回报已告知户数。{wording.brief(zh.instruction)}",
            detail_en=f"{answer.owner.name_en or answer.owner.name_zh} does not answer: tell each household and report how many. {wording.brief(en.instruction)}",
            due_at=now(warning.space) + KNOCK_FOR, thread=thread_name(warning), colour=warning.colour, url=warning.get_absolute_url(),
            data={"drill": warning.status != Status.ACTUAL, "for": answer.pk}, key=f"{thread_of(answer)}:{answer.round}:knock:{body.code}",
        )
        for body in bodies.values()
    ]  # fmt: skip


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
        expires_at=_until(warning), data={"wave": 0},
    )  # fmt: skip


def _until(warning: Warning) -> datetime | None:
    """Until when what waits is sent; the end of a warning is told whenever it can be."""
    return None if warning.msg_type == MsgType.CANCEL else warning.expires


def _wave(warning: Warning, number: int) -> dict[str, Any]:
    """What `delivery.send` is told of a wave: from when, until when, its number."""
    minutes = float(composing.policy().reach.get("wave_minutes", 0)) * number
    start = warning.published_at or now(warning.space)
    at = start + timedelta(minutes=minutes) if minutes else None
    return {"not_before": at, "expires_at": _until(warning), "data": {"wave": number}}


def lists_for(warning: Warning) -> list[RecipientList]:
    """The lists that are told of this hazard and colour, by wave. One query."""
    found = [
        each for each in RecipientList.objects.filter(is_active=True, archived_at=None).order_by("wave", "code")
        if (not each.hazards.split() or warning.kind.hazard in each.hazards.split())
        and Colour(each.least).rank <= warning.hue.rank
    ]  # fmt: skip
    return found if warning.may_reach_public else [each for each in found if not each.is_public]


def members_inside(
    lists: Sequence[RecipientList], places: Sequence[Place], shape: BaseGeometry | None
) -> dict[int, list[Exposed]]:
    """The members of lists inside the area, by list: by position where both are known, else by place. One query."""
    under = Q(pk__in=())
    for place in places:
        under |= Q(place__path__startswith=place.path)
    rows = (
        Exposed.objects.filter(under, list__in=lists, archived_at=None)
        .select_related("owner__place", "place")
        .order_by("list", "pk")
    )
    members = list(rows)
    placed = [one for one in members if one.geometry is not None] if shape is not None else []
    out: set[int] = set()
    if shape is not None and placed:
        at = np.array([(one.geometry.x, one.geometry.y) for one in placed])
        held = targeting.inside(shape, at[:, 0], at[:, 1])
        out = {one.pk for one, within in zip(placed, held, strict=True) if not within}
    found: dict[int, list[Exposed]] = {}
    for one in members:
        if one.pk not in out:
            found.setdefault(one.list_id, []).append(one)
    return found


def _tell_lists(warning: Warning, places: Sequence[Place], *, by: Actor) -> None:
    """The people at risk in one way, each list in its wave. Public lists are never told in an exercise."""
    lists = lists_for(warning)
    if not lists or warning.msg_type == MsgType.CANCEL:
        return
    inside = members_inside(lists, places, composing.shape_of(warning))
    zh, en = _both(warning)
    for each in lists:
        people = inside.get(each.pk, [])
        for channel in ("sms", "email"):
            to = [
                Recipient(
                    name=one.name_zh, phone=one.phone if channel == "sms" else "", email=one.email if channel == "email" else "",
                    organisation=None if each.is_public else one.owner, url=subscriptions.link(None, warning) if each.is_public else "",
                )
                for one in people if (one.phone if channel == "sms" else one.email)
            ]  # fmt: skip
            if to:
                delivery.send(
                    space=warning.space, key=f"{thread_of(warning)}:list:{each.code}:{channel}", to=to, channels=(channel,),
                    title_zh=_marked(warning, zh.headline, "zh"), title_en=_marked(warning, en.headline, "en"),
                    body_zh=zh.instruction, body_en=en.instruction, about=warning, thread=thread_name(warning), colour=warning.colour,
                    by=by, drill=warning.status != Status.ACTUAL, **_wave(warning, each.wave),
                )  # fmt: skip


@dataclass(frozen=True)
class Preview:
    """One wave of one audience before it goes: how many people, by channel, and how many minutes after publication."""

    wave: int
    audience: str
    people: int
    channels: dict[str, int]
    after_min: float

    @property
    def ways(self) -> list[tuple[Any, int]]:
        """The channels by their names."""
        return [(CHANNELS[name].label if name in CHANNELS else name, number) for name, number in self.channels.items()]


def audience_preview(warning: Warning) -> list[Preview]:
    """Whom a warning would come to, by wave and channel, were it published now. About ten queries."""
    reached = townships(warning)
    bodies = [one.organisation for one in reached if one.organisation is not None]
    places, minutes = [one.place for one in reached], float(composing.policy().reach.get("wave_minutes", 0))
    rows: list[Preview] = []

    def add(wave: int, audience: Any, people: int, **channels: int) -> None:
        if people:
            rows.append(Preview(wave, str(audience), people, {k: v for k, v in channels.items() if v}, wave * minutes))

    if Audience.RESPONSIBLE in warning.audiences:
        asked = len(people_told(bodies))
        add(0, Audience.RESPONSIBLE.label, asked, inapp=asked, sms=asked)
    if Audience.DEPARTMENTS in warning.audiences:
        told = len(people_told(warning.kind.departments.all()))
        add(0, Audience.DEPARTMENTS.label, told, inapp=told, sms=told)
    lists = lists_for(warning)
    inside = members_inside(lists, places, composing.shape_of(warning)) if lists else {}
    for each in lists:
        people = inside.get(each.pk, [])
        add(
            each.wave,
            each.name,
            len(people),
            sms=sum(bool(p.phone) for p in people),
            email=sum(bool(p.email) for p in people),
        )
    if warning.may_reach_public:
        if Audience.LOUDSPEAKER in warning.audiences:
            add(0, Audience.LOUDSPEAKER.label, len(bodies), loudspeaker=len(bodies), screen=len(bodies))
        if Audience.RESIDENTS in warning.audiences:
            asked_for = subscribers(places)
            add(
                RESIDENTS_WAVE,
                Audience.RESIDENTS.label,
                len(asked_for),
                sms=sum(bool(r.phone) for r in asked_for),
                email=sum(bool(r.email) for r in asked_for),
            )
    return sorted(rows, key=lambda each: each.wave)


def release_waves(space: Space) -> int:
    """Let the next wave of a warning go as soon as everything before it has left; the worker calls it. Returns how many messages."""
    waiting = Message.objects.filter(space=space, about_type="alerting.warning", not_before__gt=now(space))
    freed = 0
    for about in sorted(set(waiting.values_list("about_id", flat=True))):
        own = Message.objects.filter(space=space, about_type="alerting.warning", about_id=about)
        numbers = {message.pk: int(message.data.get("wave", 0)) for message in own.only("pk", "data")}
        coming = min(numbers[pk] for pk in waiting.filter(about_id=about).values_list("pk", flat=True))
        before = [pk for pk, number in numbers.items() if number < coming]
        if not Delivery.objects.filter(message__in=before, state=DeliveryState.QUEUED).exists():
            with transaction.atomic():
                freed += delivery.release(
                    own.filter(pk__in=[pk for pk, number in numbers.items() if number == coming]), space
                )
    return freed


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
                **_wave(warning, RESIDENTS_WAVE),
            )  # fmt: skip


def _speak(warning: Warning, bodies: Sequence[Organisation], *, by: Actor) -> None:
    if not bodies:
        return
    zh, en = _both(warning)
    delivery.send(
        space=warning.space, key=f"{thread_of(warning)}:loudspeaker",
        to=[Recipient(organisation=body, name=body.name_zh) for body in bodies], channels=("loudspeaker", "screen"),
        title_zh=zh.headline, title_en=en.headline,
        body_zh=wording.loudspeaker(zh, exercise=False, language="zh"),
        body_en=wording.loudspeaker(en, exercise=False, language="en"),
        about=warning, thread=thread_name(warning), colour=warning.colour, by=by, expires_at=_until(warning), data={"wave": 0},
    )  # fmt: skip


def _broadcast(warning: Warning, *, by: Actor) -> None:
    """To every phone in the area, where the policy wants that for this colour; an end stops what was broadcast."""
    if warning.colour not in composing.policy().reach.get("cell_colours", []):
        return
    root = warning.root or warning
    code, number = root.pk % 1024, Warning.objects.filter(root=root, published_at__isnull=False).count()
    if warning.msg_type == MsgType.CANCEL:
        parent = warning.parent or root
        identifier = cell_broadcast.message_identifier(parent.hue.severity, parent.urgency, parent.certainty)
        asked: dict[str, Any] = {
            "stop": {"identifier": identifier, "serial": cell_broadcast.serial_number(code, max(0, number - 1))}
        }
    else:
        shape = composing.shape_of(warning)
        if shape is None:
            return
        polygons = [area_shapes.simplify_outward(part) .shape if len(part.exterior.coords) > cell_broadcast.MOST_VERTICES else part
                    for part in area_shapes.polygons_of(shape)]  # fmt: skip
        asked = {
            "identifier": cell_broadcast.message_identifier(warning.hue.severity, warning.urgency, warning.certainty),
            "code": code, "update": number, "until": warning.expires.isoformat(),
            "polygons": [[[x, y] for x, y, *_ in part.exterior.coords] for part in polygons],
        }  # fmt: skip
    zh, en = _both(warning)
    delivery.send(
        space=warning.space, key=f"{thread_of(warning)}:cell", to=[Recipient(organisation=warning.owner, name=warning.owner.name_zh)],
        channels=("cellbroadcast",), title_zh=zh.headline, title_en=en.headline, body_zh=zh.instruction, body_en=en.instruction,
        about=warning, thread=thread_name(warning), colour=warning.colour, by=by, expires_at=_until(warning),
        data={"wave": 0, "broadcast": asked},
    )  # fmt: skip


def stop_asking(warning: Warning, *, by: Actor) -> None:
    """No answer to an ended warning is waited for any more, and what still waits of it is not sent."""
    _withdraw([*open_obligations(warning, ANSWER), *open_obligations(warning, KNOCK)], "")
    delivery.stop(Message.objects.filter(about_type="alerting.warning", about_id=str(warning.pk)), warning.space)


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
