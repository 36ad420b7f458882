"""What can be done with obligations. `issue` is called inside another verb's transaction; the others are verbs.

Every verb checks role and reach, locks the row, moves it, journals once, and leaves the given object as it now is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, connection, transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.delivery.channel import channel_of
from haitang.geo.models import Place
from haitang.journal.services import record, thread_of
from haitang.obligations import answered, evidence, ladder, reach, recipients
from haitang.obligations.escalation import hold, run_due, send, set_next
from haitang.obligations.kinds import KINDS, ORDERED, kind_of
from haitang.obligations.models import MOVES, OPEN, PENDING, Evidence, Obligation, Reply, State
from haitang.obligations.reach import ANSWERERS, DIRECTORS
from haitang.obligations.wording import english, local, names
from haitang.spaces.clock import now
from haitang.spaces.models import Space

__all__ = [
    "add_evidence", "complete", "confirm", "decline", "for_subject", "issue", "open_for", "order", "receive", "refuse", "remark", "reopen",
    "run_due", "start", "withdraw",
]  # fmt: skip

MOST_NOTE, MOST_REASON = 1000, 500


def issue(
    *,
    space: Space,
    kind: str,
    owner: Organisation,
    subject: Model,
    title_zh: str,
    title_en: str,
    by: Actor,
    due_at: datetime | None,
    person: User | None = None,
    place: Place | None = None,
    thread: Model | str = "",
    colour: str = "",
    detail_zh: str = "",
    detail_en: str = "",
    ladder: Sequence[Mapping[str, Any]] | None = None,
    url: str = "",
    clause: str = "",
    data: Mapping[str, Any] | None = None,
    key: str = "",
) -> Obligation:
    """Oblige an organisation to something; called inside the transaction of the verb that asks for it.

    Without a `place` it lies where its owner does; without a `ladder` the kind's own is climbed, by `run_due`. A `key`
    makes issuing idempotent: the obligation of that key in this space is returned as it is. In `data`, `link_hours`
    says how long answer links live, and `drill` keeps its messages from every transport, also in the live space.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("obligations.issue must run in the transaction of the change that asks for it")
    if kind not in KINDS:
        raise ValueError(f"obligation kind {kind!r} is not declared; add_kind it in the slice's kinds.py")
    if key and (known := Obligation.objects.filter(space=space, key=key).first()):
        return known
    at = now(space)
    steps = _in_time(kind_of(kind).ladder if ladder is None else ladder, at, due_at)
    getter = getattr(subject, "get_absolute_url", None)
    obligation = Obligation(
        space=space, kind=kind, key=key, owner=owner, person=person, place=place or owner.place, colour=colour, clause=clause,
        subject_type=subject._meta.label_lower, subject_id=str(subject.pk),
        thread=thread if isinstance(thread, str) else thread_of(thread),
        title_zh=title_zh[:200], title_en=title_en[:300], detail_zh=detail_zh, detail_en=detail_en,
        url=url or (str(getter()) if getter else ""), data=dict(data or {}), issued_by=None if isinstance(by, System) else by,
        issued_at=at, opened_at=at, due_at=due_at, ladder=steps,
    )  # fmt: skip
    set_next(obligation)
    try:
        with transaction.atomic():
            obligation.save()
    except IntegrityError:
        known = Obligation.objects.filter(space=space, key=key).first() if key else None
        if known is None:
            raise
        return known
    zh, en = names(obligation)
    until_zh = f"，{local(due_at):%m-%d %H:%M}前完成" if due_at else ""
    until_en = f", due by {local(due_at):%m-%d %H:%M}" if due_at else ""
    _record(
        obligation, "issue", by, after={"state": obligation.state, "owner": owner.code, "due_at": due_at, "kind": kind},
        text_zh=f"下达{owner.name_zh}：{zh}{until_zh}", text_en=f"Issued to {english(obligation)}: {en}{until_en}",
    )  # fmt: skip
    return obligation


def _in_time(rows: Iterable[Mapping[str, Any]], opened: datetime, due: datetime | None) -> list[dict[str, Any]]:
    steps = ladder.in_time(ladder.parse(rows), opened, due)
    for name in {name for step in steps for name in step.channels}:
        channel_of(name)  # a channel that there is not is found now, not in the night of the storm
    return [step.plain() for step in steps]


@verb("obligations.order", roles=reach.ORDERERS)
def order(
    *,
    space: Space,
    kind: str,
    owners: Sequence[Organisation],
    title_zh: str,
    by: Actor,
    due_at: datetime,
    title_en: str = "",
    detail_zh: str = "",
    detail_en: str = "",
    colour: str = "",
) -> list[Obligation]:
    """Give a task to organisations in one's reach, outside any incident or warning."""
    if kind not in ORDERED:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(ORDERED)}")
    if not title_zh.strip():
        raise Refused(_("Say what must be done."))
    if not owners:
        raise Refused(_("Choose at least one organisation."))
    if due_at <= now(space):
        raise Refused(_("It would be due before it is given: choose a later time."))
    if not isinstance(by, System):
        within = set(reach.may_order(by).filter(pk__in=[owner.pk for owner in owners]).values_list("pk", flat=True))
        if outside := [owner.name for owner in owners if owner.pk not in within]:
            raise Forbidden(_("Outside your reach: %(names)s") % {"names": ", ".join(outside)})
    return [
        issue(
            space=space, kind=kind, owner=owner, subject=owner, title_zh=title_zh.strip(), title_en=title_en.strip() or title_zh.strip(),
            detail_zh=detail_zh, detail_en=detail_en, by=by, due_at=due_at, colour=colour,
        )
        for owner in owners
    ]  # fmt: skip


@verb("obligations.receive", roles=ANSWERERS)
def receive(obligation: Obligation, *, by: Actor) -> Obligation:
    """Say that the owner has taken notice of it."""
    _lock(obligation)
    reach.must_answer(by, obligation)
    at = now(obligation.space)
    return _move(
        obligation, State.RECEIVED, "receive", by, {"received_at": at, "received_by": _person(by)}, zh="签收", en="Received"
    )  # fmt: skip


@verb("obligations.start", roles=ANSWERERS)
def start(obligation: Obligation, *, by: Actor) -> Obligation:
    """Say that work on it has begun."""
    _lock(obligation)
    reach.must_answer(by, obligation)
    return _move(
        obligation,
        State.STARTED,
        "start",
        by,
        {**_noticed(obligation, by), "started_at": now(obligation.space)},
        zh="开始办理",
        en="Started",
    )


@verb("obligations.done", roles=ANSWERERS)
def complete(
    obligation: Obligation,
    *,
    by: Actor,
    note: str = "",
    photos: Sequence[File[bytes]] = (),
    position: tuple[float, float] | None = None,
    link: str = "",
) -> Obligation:
    """Say that it is done, with a note, photographs and the place (longitude, latitude in WGS-84) if wanted.

    `link` is the path of the signed link by which the answer came.
    """
    _lock(obligation)
    reach.must_answer(by, obligation)
    note = _text(note, MOST_NOTE, pgettext("obligation", "note"))
    lon, lat = _position(position)
    at = now(obligation.space)
    changes = {
        **_noticed(obligation, by), "done_at": at, "done_by": _person(by), "done_note": note, "done_lon": lon, "done_lat": lat,
    }  # fmt: skip
    _check_move(obligation, State.DONE)
    if isinstance(by, User) and not _is_last(obligation, by, at, note):
        answered.note(obligation, by, link)
        return obligation
    added = [evidence.keep(obligation, photo, by=_person(by), at=at, lon=lon, lat=lat) for photo in photos]
    kept = [row for row in added if row is not None]
    if isinstance(by, User):
        answered.note(obligation, by, link)
    late = obligation.due_at is not None and at > obligation.due_at
    minutes = int((at - obligation.due_at).total_seconds() // 60) if obligation.due_at and late else 0
    zh, en = (f"逾期 {minutes} 分钟完成", f"Done {minutes} min late") if late else ("完成", "Done")
    return _move(
        obligation, State.DONE, "done", by, changes, zh=zh, en=en, remark=note,
        more={"late": late, "evidence": [row.sha256 for row in kept]},
    )  # fmt: skip


def _is_last(obligation: Obligation, by: User, at: datetime, note: str) -> bool:
    """Keep what this person confirmed; whether enough have now. Where one is enough, nothing is kept."""
    if obligation.needed == 1:
        return True
    Reply.objects.update_or_create(
        obligation=obligation,
        user=by,
        round=obligation.round,
        defaults={"is_negative": False, "note": note[:500], "at": at},
    )
    given = Reply.objects.filter(obligation=obligation, round=obligation.round, is_negative=False).count()
    if given >= obligation.needed:
        return True
    changes = _noticed(obligation, by)
    text_zh, text_en = f"（{given}/{obligation.needed}人确认）", f" ({given} of {obligation.needed} have confirmed)"
    if obligation.state == State.ISSUED:
        _move(obligation, State.RECEIVED, "receive", by, changes, zh="确认" + text_zh, en="Confirmed" + text_en)
    else:
        zh, en = names(obligation)
        _record(
            obligation, "reply", by, after={"confirmed": given, "needed": obligation.needed},
            text_zh=f"{by.name_zh or by.username}确认{text_zh}：{zh}", text_en=f"Confirmed by {by.name_en or by.name_zh}{text_en}: {en}",
        )  # fmt: skip
    return False


@verb("obligations.decline", roles=ANSWERERS)
def decline(obligation: Obligation, *, by: Actor, reason: str) -> Obligation:
    """Say that one cannot answer or act; it stays open, and who comes next is asked at once.

    The next group is asked when all whom the last rung asked have declined; its timer starts then.
    """
    _lock(obligation)
    reach.must_answer(by, obligation)
    if not obligation.kind_info.may_decline:
        raise Refused(_("A negative answer is not foreseen here."))
    if not obligation.is_open:
        raise Refused(
            _("It has ended as %(state)s; there is nothing to answer.") % {"state": obligation.state_info.label}
        )
    reason, at = _reason(reason), now(obligation.space)
    if isinstance(by, User):
        Reply.objects.update_or_create(
            obligation=obligation,
            user=by,
            round=obligation.round,
            defaults={"is_negative": True, "note": reason, "at": at},
        )
    after: dict[str, Any] = {"reason": reason}
    if _all_said_no(obligation, at):
        steps = ladder.hurried(obligation.steps, obligation.step, obligation.opened_at, at)
        obligation.ladder = [step.plain() for step in steps]
        set_next(obligation)
        obligation.save(update_fields=["ladder", "next_at"])
        after["next_at"] = obligation.next_at
    zh, en = names(obligation)
    who_zh, who_en = (
        (by.name, by.name) if isinstance(by, System) else (by.name_zh or by.username, by.name_en or by.name_zh)
    )
    _record(
        obligation, "decline", by, after=after, colour="orange", text_zh=f"{obligation.owner.name_zh}{who_zh}无法响应：{zh}（{reason}）",
        text_en=f"{who_en} of {english(obligation)} cannot: {en} ({reason})",
    )  # fmt: skip
    return obligation


def _all_said_no(obligation: Obligation, at: datetime) -> bool:
    """Whether everybody whom the last rung asked has declined. Three queries."""
    if not obligation.step:
        return True
    asked, _found_at = recipients.people(obligation, obligation.steps[obligation.step - 1].to, at)
    declined = set(
        Reply.objects.filter(obligation=obligation, round=obligation.round, is_negative=True).values_list(
            "user", flat=True
        )
    )
    return {user.pk for user in asked} <= declined


@verb("obligations.confirm", roles=DIRECTORS)
def confirm(obligation: Obligation, *, by: Actor) -> Obligation:
    """Confirm that what was reported done is done."""
    _lock(obligation)
    _check_move(obligation, State.CONFIRMED)
    reach.must_confirm(by, obligation)
    return _move(
        obligation,
        State.CONFIRMED,
        "confirm",
        by,
        {"confirmed_at": now(obligation.space)},
        zh="确认完成",
        en="Confirmed",
    )


@verb("obligations.refuse", roles=ANSWERERS)
def refuse(obligation: Obligation, *, by: Actor, reason: str) -> Obligation:
    """Say that the owner cannot do it, and why; it goes back to whoever issued it, who is told."""
    _lock(obligation)
    reach.must_answer(by, obligation)
    if not obligation.kind_info.may_refuse:
        raise Refused(_("This cannot be refused: it only asks for an answer."))
    reason = _reason(reason)
    changes = {"refused_at": now(obligation.space), "refused_reason": reason}
    _move(obligation, State.REFUSED, "refuse", by, changes, zh="无法完成", en="Refused", remark=reason, colour="orange")
    _tell_issuer(obligation, reason)
    return obligation


@verb("obligations.reopen", roles=DIRECTORS)
def reopen(
    obligation: Obligation,
    *,
    by: Actor,
    reason: str,
    due_at: datetime | None = None,
    owner: Organisation | None = None,
    person: User | None = None,
) -> Obligation:
    """Ask for it again: not done well enough, refused, or withdrawn by mistake. The ladder begins anew.

    It may go to another owner. Without a new `due_at` it has as long as it had at first.
    """
    _lock(obligation)
    reach.must_direct(by, obligation)
    reason = _reason(reason)
    at = now(obligation.space)
    if due_at is not None and due_at <= at:
        raise Refused(_("The new due time is over already: choose a later one."))
    if due_at is None and obligation.due_at is not None:
        due_at = at + (obligation.due_at - obligation.opened_at)
    if owner is not None and owner.pk != obligation.owner_id:
        obligation.place = owner.place if obligation.place_id == obligation.owner.place_id else obligation.place
        obligation.owner, obligation.person = owner, None
    steps = [step.plain() for step in ladder.in_time(obligation.steps, at, due_at)]
    changes = {
        "opened_at": at, "due_at": due_at, "ladder": steps, "step": 0,
        "round": obligation.round + 1, "received_at": None, "received_by": None, "started_at": None, "done_at": None, "done_by": None,
        "done_note": "", "done_lon": None, "done_lat": None, "confirmed_at": None, "refused_at": None, "refused_reason": "",
        "overdue_at": None, "owner": obligation.owner, "person": person or obligation.person, "place": obligation.place,
    }  # fmt: skip
    return _move(
        obligation,
        State.ISSUED,
        "reopen",
        by,
        changes,
        zh="重新下达",
        en="Reopened",
        remark=reason,
        more={"owner": obligation.owner.code},
    )


@verb("obligations.withdraw", roles=DIRECTORS)
def withdraw(obligation: Obligation, *, by: Actor, reason: str = "") -> Obligation:
    """Take it back: nobody needs to do it any more."""
    _lock(obligation)
    reach.must_direct(by, obligation)
    reason = _text(reason, MOST_REASON, pgettext("obligation", "reason"))
    return _move(obligation, State.WITHDRAWN, "withdraw", by, {}, zh="撤回", en="Withdrawn", remark=reason)


@verb("obligations.evidence", roles=ANSWERERS)
def add_evidence(
    obligation: Obligation, *, by: Actor, files: Sequence[File[bytes]], note: str = "", position: tuple[float, float] | None = None
) -> list[Evidence]:  # fmt: skip
    """Add photographs or files that show what was done; one that is there already is passed over."""
    _lock(obligation)
    reach.must_answer(by, obligation)
    if not obligation.is_open and obligation.state != State.DONE:
        raise Refused(
            _("It has ended as %(state)s; no evidence can be added.") % {"state": obligation.state_info.label}
        )
    if not files:
        raise Refused(_("Choose a photograph or a file."))
    note, at = _text(note, 300, pgettext("obligation", "note")), now(obligation.space)
    lon, lat = _position(position)
    added = [evidence.keep(obligation, file, by=_person(by), at=at, note=note, lon=lon, lat=lat) for file in files]
    kept = [row for row in added if row is not None]
    if kept:
        zh, en = names(obligation)
        tail = f"（{note}）" if note else ""
        _record(
            obligation, "evidence", by, after={"evidence": [row.sha256 for row in kept], "note": note},
            text_zh=f"上传佐证 {len(kept)} 份：{zh}{tail}", text_en=f"Evidence added ({len(kept)}): {en}" + (f" ({note})" if note else ""),
        )  # fmt: skip
    return kept


@verb("obligations.remark", roles=ANSWERERS)
def remark(obligation: Obligation, *, by: Actor, text: str) -> Obligation:
    """Add a remark to its record: how far it is, what is in the way."""
    _lock(obligation)
    if not isinstance(by, System) and not reach.answers_for(by, obligation):
        reach.must_direct(by, obligation)
    text = _text(text, MOST_NOTE, pgettext("obligation", "remark"))
    if not text:
        raise Refused(_("The remark is empty. Write what you saw or did."))
    owner = obligation.owner
    _record(
        obligation,
        "remark",
        by,
        after={"text": text},
        text_zh=f"{owner.name_zh}：{text}",
        text_en=f"{english(obligation)}: {text}",
    )
    return obligation


def for_subject(subject: Model) -> QuerySet[Obligation]:
    """The obligations about a thing, in the order of issue; whoever shows them filters by `visible_to`."""
    rows: QuerySet[Obligation] = Obligation.objects.filter(
        subject_type=subject._meta.label_lower, subject_id=str(subject.pk)
    )
    return rows.select_related("owner", "person", "place").order_by("pk")


def open_for(user: User, space: Space) -> QuerySet[Obligation]:
    """What this user has to do now, in the order in which it is due."""
    rows: QuerySet[Obligation] = Obligation.objects.visible_to(user).filter(
        PENDING, reach.mine(user), space=space, state__in=OPEN
    )
    return rows.select_related("owner", "person", "place").order_by("due_at", "pk")


# -- inside -----------------------------------------------------------------------------------------------------


def _lock(obligation: Obligation) -> None:
    """Hold the row and see it as it is now: two people may press at once."""
    hold(obligation.space)
    rows = Obligation.objects.select_for_update(of=("self",))
    obligation.refresh_from_db(
        from_queryset=rows.select_related("space", "owner__place", "owner__parent", "person", "place", "issued_by")
    )


def _check_move(obligation: Obligation, to: State) -> None:
    allowed = MOVES[State(obligation.state)]
    if to not in allowed:
        raise Refused(
            _("It is %(state)s already and cannot become %(new)s; from here it can become: %(allowed)s.")
            % {
                "state": obligation.state_info.label,
                "new": to.label,
                "allowed": _(", ").join(str(state.label) for state in State if state in allowed),
            }
        )


def _move(
    obligation: Obligation,
    to: State,
    name: str,
    by: Actor,
    changes: Mapping[str, Any],
    *,
    zh: str,
    en: str,
    remark: str = "",
    colour: str = "",
    more: Mapping[str, Any] | None = None,
) -> Obligation:
    """The only place where the state changes: check, change, look when to look again, save, journal once."""
    _check_move(obligation, to)
    before = obligation.state
    for field, value in changes.items():
        setattr(obligation, field, value)
    obligation.state = to
    obligation.is_pending = obligation.must_be_seen_to
    set_next(obligation)
    obligation.save(update_fields=["state", "is_pending", "next_at", *changes])
    title_zh, title_en = names(obligation)
    tail_zh, tail_en = (f"（{remark}）", f" ({remark})") if remark else ("", "")
    _record(
        obligation, name, by, before={"state": before},
        after={"state": to, "due_at": obligation.due_at, **({"note": remark} if remark else {}), **(more or {})}, colour=colour,
        text_zh=f"{obligation.owner.name_zh}{zh}：{title_zh}{tail_zh}", text_en=f"{en}, {english(obligation)}: {title_en}{tail_en}",
    )  # fmt: skip
    return obligation


def _record(
    obligation: Obligation, name: str, by: Actor, *, text_zh: str, text_en: str, after: Mapping[str, Any],
    before: Mapping[str, Any] | None = None, colour: str = "",
) -> None:  # fmt: skip
    record(
        space=obligation.space, verb=f"obligations.{name}", by=by, subject=obligation, place=obligation.place,
        organisation=obligation.owner, thread=obligation.own_thread, colour=colour or obligation.shade,
        before=before, after=after, text_zh=text_zh, text_en=text_en,
    )  # fmt: skip


def _noticed(obligation: Obligation, by: Actor) -> dict[str, Any]:
    """Whoever starts or does it has received it."""
    if obligation.received_at is not None:
        return {}
    return {"received_at": now(obligation.space), "received_by": _person(by)}


def _person(by: Actor) -> User | None:
    return None if isinstance(by, System) else by


def _text(text: str, most: int, what: str) -> str:
    text = text.strip()
    if len(text) > most:
        raise Refused(
            _("The %(what)s has %(n)s characters; at most %(most)s fit.") % {"what": what, "n": len(text), "most": most}
        )
    return text


def _reason(reason: str) -> str:
    reason = _text(reason, MOST_REASON, pgettext("obligation", "reason"))
    if not reason:
        raise Refused(_("Give a reason: whoever reads this later must understand it."))
    return reason


def _position(position: tuple[float, float] | None) -> tuple[float | None, float | None]:
    if position is None:
        return None, None
    lon, lat = position
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise Refused(_("The position %(lon)s, %(lat)s is not on the earth.") % {"lon": lon, "lat": lat})
    return lon, lat


def _tell_issuer(obligation: Obligation, reason: str) -> None:
    users, _found_at = recipients.people(obligation, "issuer", now(obligation.space))
    zh, en = names(obligation)
    if users:
        send(
            obligation, users, ("inapp", "sms"), key="refused", title=(f"【无法完成】{zh}", f"Refused: {en}"),
            body=(f"{obligation.owner.name_zh}：{reason}", f"{english(obligation)}: {reason}"),
        )  # fmt: skip
