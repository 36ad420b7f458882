"""What can be done in the duty room: plan, swap, note, hand over, take over, check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OFFICIALS, OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.duty import open_items, rotation
from haitang.duty.kinds import ACCEPT
from haitang.duty.models import HandOver, Note, Post, Roster, Seat, Shift, SpotCheck
from haitang.journal.services import record
from haitang.obligations import services as obligations
from haitang.spaces.clock import now
from haitang.spaces.models import Space

KEEPERS = OPERATIONS | {Role.ADMIN, Role.DEPARTMENT, Role.TOWNSHIP}
AHEAD = timedelta(days=8)
TO_ACCEPT = timedelta(minutes=30)


@verb("duty.register", roles={Role.ADMIN, Role.DUTY_OFFICER})
def register(
    *, code: str, organisation: Organisation, name_zh: str, changes: Sequence[str], first_day: date, posts: Iterable[Mapping[str, Any]],
    by: Actor, name_en: str = "", source: str = "", is_demo: bool = False,
) -> Roster:  # fmt: skip
    """Set up a roster, or change the one with this code. Shifts that are planned already stay as they are."""
    try:
        rotation.parse_changes(changes)
    except ValueError as error:
        raise ValidationError({"changes": str(error)}) from error
    wanted = {
        "organisation": organisation, "name_zh": name_zh, "name_en": name_en, "changes": list(changes), "first_day": first_day,
        "source": source, "is_demo": is_demo,
    }  # fmt: skip
    roster = Roster.objects.filter(code=code).first() or Roster(code=code)
    before = _state(roster) if roster.pk else None
    for name, value in wanted.items():
        setattr(roster, name, value)
    roster.full_clean()
    roster.save()
    rows = [
        {"name_zh": post["name_zh"], "name_en": post.get("name_en", ""), "leads": post.get("leads", False), "people": [person.pk for person in post["people"]]}
        for post in posts
    ]  # fmt: skip
    if sum(row["leads"] for row in rows) != 1:
        raise ValidationError({"posts": _("Exactly one post of a roster leads the shift.")})
    for rank, row in enumerate(rows, start=1):
        Post.objects.update_or_create(roster=roster, rank=rank, defaults=row)
    roster.posts.filter(rank__gt=len(rows)).delete()
    if _state(roster) != before:
        record(space=Space.live(), verb="duty.register", by=by, subject=roster, place=organisation.place, organisation=organisation,
               text_zh=f"登记值班表：{name_zh}", text_en=f"Roster registered: {name_en or name_zh}")  # fmt: skip
    return roster


def _state(roster: Roster) -> list[Any]:
    posts = list(roster.posts.order_by("rank").values_list("name_zh", "name_en", "leads", "people"))
    return [
        roster.organisation_id,
        roster.name_zh,
        roster.name_en,
        roster.changes,
        roster.first_day,
        roster.source,
        posts,
    ]


def plan(roster: Roster, since: datetime, until: datetime) -> list[Shift]:
    """The shifts that overlap [since, until), written down if they were not; what was swapped stays. Idempotent."""
    changes = rotation.parse_changes(roster.changes)
    turns = list(rotation.turns(changes, roster.first_day, timezone.get_default_timezone(), since, until))
    there = set(
        Shift.objects.filter(roster=roster, start__in=[turn.start for turn in turns]).values_list("start", flat=True)
    )
    missing = [turn for turn in turns if turn.start not in there]
    posts = list(roster.posts.order_by("rank")) if missing else []
    for turn in missing:
        shift, made = Shift.objects.get_or_create(
            roster=roster, start=turn.start, defaults={"number": turn.number, "end": turn.end}
        )
        if made:
            Seat.objects.bulk_create(
                Seat(shift=shift, post=post, person_id=rotation.whose(post.people, turn.number)) for post in posts
            )
    rows = Shift.objects.filter(roster=roster, start__lt=until, end__gt=since)
    return list(
        rows.select_related("roster__organisation").prefetch_related("seats__post", "seats__person").order_by("start")
    )


def current(roster: Roster, moment: datetime) -> Shift | None:
    """The shift on watch."""
    return next((shift for shift in plan(roster, moment, moment + AHEAD) if shift.covers(moment)), None)


def on_watch(rosters: Sequence[Roster], moment: datetime) -> dict[int, Shift]:
    """The shift on watch of each roster that has one, by roster. Three queries for all whose shifts are planned."""
    rows = Shift.objects.filter(roster__in=list(rosters), start__lte=moment, end__gt=moment)
    found = {
        shift.roster_id: shift
        for shift in rows.select_related("roster__organisation").prefetch_related("seats__post", "seats__person")
    }
    for roster in rosters:
        if roster.pk not in found and (shift := current(roster, moment)):
            found[roster.pk] = shift
    return found


def following(shift: Shift) -> Shift | None:
    """The shift after this one."""
    found = plan(shift.roster, shift.end, shift.end + timedelta(days=2))
    return next((each for each in found if each.start >= shift.end), None)


@verb("duty.swap", roles=KEEPERS)
def swap(seat: Seat, *, person: User, by: Actor, reason: str) -> Seat:
    """Let somebody else take a post in one shift."""
    _must_keep(by, seat.shift)
    if not reason.strip():
        raise Refused(_("Say why: whoever looks at the roster later must understand it."))
    if seat.shift.end <= now(Space.live()):
        raise Refused(_("That shift is over; its record stays as it is."))
    before = seat.person.name_zh if seat.person else ""
    seat.person, seat.is_swapped = person, True
    seat.save(update_fields=["person", "is_swapped"])
    _record(seat.shift, "swap", by, before={"person": before}, after={"person": person.name_zh, "reason": reason[:300]},
            zh=f"调班：{seat.post.name_zh}由{person.name_zh}值班（{reason}）", en=f"Swapped: {person.name_en or person.name_zh} takes {seat.post.name_en or seat.post.name_zh}")  # fmt: skip
    return seat


@verb("duty.note", roles=OFFICIALS)
def note(shift: Shift, *, text: str, by: Actor) -> Note:
    """Write a line into the duty log."""
    _must_keep(by, shift)
    text = text.strip()
    if not text or len(text) > 1000:
        raise Refused(_("Write between 1 and 1,000 characters."))
    assert not isinstance(by, System)
    line = Note.objects.create(shift=shift, at=now(Space.live()), by=by, text=text)
    _record(shift, "note", by, after={"text": text}, zh=f"值班日志：{text}", en=f"Duty log: {text}")
    return line


@verb("duty.hand_over", roles=KEEPERS)
def hand_over(shift: Shift, *, by: Actor, note: str = "") -> HandOver:
    """Hand the shift over to the next one, with everything that is open; the next leader must take it over."""
    _must_keep(by, shift)
    space, moment = Space.live(), now(Space.live())
    if HandOver.objects.filter(shift=shift).exists():
        raise Refused(_("This shift has been handed over already."))
    if moment < shift.start:
        raise Refused(_("The shift has not begun yet."))
    after = following(shift)
    if after is None:
        raise Refused(_("No shift follows: mend the roster first."))
    assert not isinstance(by, System)
    made = HandOver.objects.create(
        shift=shift, to=after, at=moment, by=by, note=note.strip()[:2000], items=open_items.listed(by, space)
    )
    roster = shift.roster
    leader = after.leader
    obligations.issue(
        space=space, kind=ACCEPT.id, owner=roster.organisation, person=leader, subject=made, by=by, key=f"duty.accept:{made.pk}",
        title_zh=f"接班：{roster.name_zh}", title_en=f"Take over: {roster.name_en or roster.name_zh}",
        detail_zh=f"交接事项{len(made.items)}项。{made.note}", detail_en=f"{len(made.items)} open items. {made.note}",
        due_at=max(moment, after.start) + TO_ACCEPT, thread=made,
    )  # fmt: skip
    _record(shift, "hand_over", by, after={"items": len(made.items), "to": after.start, "note": made.note},
            zh=f"交班：{roster.name_zh}，未了事项{len(made.items)}项", en=f"Handed over with {len(made.items)} open items")  # fmt: skip
    return made


def taken_over(made: HandOver, *, by: Actor) -> None:
    """Note that the next shift has taken over; the listener calls it when the obligation is done."""
    if made.accepted_at is not None:
        return
    made.accepted_at, made.accepted_by = now(Space.live()), None if isinstance(by, System) else by
    made.save(update_fields=["accepted_at", "accepted_by"])
    _record(made.shift, "accept", by, zh=f"接班：{made.shift.roster.name_zh}", en="Taken over")


@verb("duty.check", roles=OPERATIONS | {Role.ADMIN})
def spot_check(shift: Shift, *, answered_s: int | None, by: Actor, note: str = "") -> SpotCheck:
    """Note a spot check of another duty room: how long it took to answer the telephone."""
    assert not isinstance(by, System)
    if answered_s is not None and not 0 <= answered_s <= 3600:
        raise Refused(_("Seconds until the answer lie between 0 and 3,600; leave it empty where nobody answered."))
    marks = rotation.score(answered_s)
    made = SpotCheck.objects.create(
        shift=shift, at=now(Space.live()), by=by, answered_s=answered_s, score=marks, note=note[:300]
    )
    said_zh = "无人接听" if answered_s is None else f"{answered_s}秒接听"
    said_en = "nobody answered" if answered_s is None else f"answered after {answered_s} s"
    _record(shift, "check", by, after={"answered_s": answered_s, "score": marks}, colour="" if marks else "red",
            zh=f"抽查{shift.roster.name_zh}：{said_zh}，{marks}分", en=f"Spot check: {said_en}, {marks} marks")  # fmt: skip
    return made


def _must_keep(by: Actor, shift: Shift) -> None:
    """Only people of the organisation that keeps this watch, or of one above it."""
    if isinstance(by, System):
        return
    mine = by.organisation.path if by.organisation else None
    if mine is None or not shift.roster.organisation.path.startswith(mine):
        raise Forbidden(_("This duty room is not yours."))


def _record(
    shift: Shift, what: str, by: Actor, *, zh: str, en: str, before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None, colour: str = "",
) -> None:  # fmt: skip
    organisation = shift.roster.organisation
    record(space=Space.live(), verb=f"duty.{what}", by=by, subject=shift, thread=shift, place=organisation.place,
           organisation=organisation, colour=colour, before=before, after=after, text_zh=zh, text_en=en)  # fmt: skip
