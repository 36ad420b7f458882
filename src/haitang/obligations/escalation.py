"""The one loop: whatever is due by the space's clock is told to whom the ladder names, and marked when it is overdue."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import OperationalError, transaction
from django.utils import timezone, translation

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.delivery import services as delivery
from haitang.journal.models import Head
from haitang.journal.services import record
from haitang.obligations import ladder, links, recipients
from haitang.obligations.models import OPEN, Obligation, State
from haitang.spaces.clock import now
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

TO_ZH = {
    "responsible": "责任人",
    "deputy": "副职",
    "all": "全体人员",
    "superior": "上级",
    "duty": "值班室",
    "issuer": "下达人",
}
TO_EN = {"responsible": "the responsible person", "deputy": "the deputy", "all": "everybody", "superior": "the superior",
         "duty": "the duty room", "issuer": "the issuer"}  # fmt: skip

# Those who are told that somebody else does not answer.
ABOVE = frozenset({"superior", "duty", "issuer"})


def next_of(obligation: Obligation) -> ladder.Next | None:
    """What the loop must do next with it; None when it has ended or nothing is left to do."""
    if not obligation.is_open:
        return None
    return ladder.upcoming(
        obligation.steps, obligation.step, opened=obligation.opened_at, due=obligation.due_at,
        received=obligation.state != State.ISSUED, overdue=obligation.overdue_at is not None,
    )  # fmt: skip


def set_next(obligation: Obligation) -> None:
    """Put the time of the next look into its column (not saved)."""
    coming = next_of(obligation)
    obligation.next_at = coming.at if coming else None


def run_due(space: Space, limit: int = 200) -> int:
    """Do what is due by now(space), at most `limit` obligations; returns how many were attended to.

    Each obligation is one transaction: the steps, their messages in the outbox and the new place on the ladder stand or
    fall together, so a process that dies in the middle leaves nothing undone and nothing done twice.
    """
    at = now(space)
    due = Obligation.objects.filter(space=space, next_at__lte=at).order_by("next_at", "pk").values_list("pk", flat=True)
    return sum(_attend_alone(space, pk, at) for pk in list(due[:limit]))


def _attend_alone(space: Space, pk: int, at: datetime) -> int:
    """One obligation that cannot be attended to must not keep the others waiting; it is tried again at the next look."""
    try:
        return _attend(space, pk, at)
    except OperationalError:
        raise  # the store itself is away: the caller waits and tries again
    except Exception:
        logger.exception("obligation %s could not be attended to", pk)
        return 0


def _attend(space: Space, pk: int, at: datetime) -> int:
    with transaction.atomic():
        hold(space)
        rows = Obligation.objects.select_for_update(of=("self",), skip_locked=True)
        rows = rows.select_related("space", "owner__parent", "person", "place", "issued_by")
        obligation = rows.filter(pk=pk, next_at__lte=at, state__in=OPEN).first()
        if obligation is None:  # answered meanwhile, or in the hands of another process
            return 0
        while (coming := next_of(obligation)) and coming.at <= at:
            if coming.index is None:
                _mark_overdue(obligation, at)
            else:
                obligation.step = coming.index + 1
                _climb(obligation, coming.index, at)
        set_next(obligation)
        obligation.save(update_fields=["overdue_at", "step", "next_at"])
        return 1


def hold(space: Space) -> None:
    """Take the space's turn in the journal before any obligation is locked.

    Whoever withdraws many obligations in one transaction holds the journal from the first entry on; a process that held
    one of the others and waited for the journal would wait forever.
    """
    Head.objects.select_for_update().filter(space=space).first()


def _mark_overdue(obligation: Obligation, at: datetime) -> None:
    obligation.overdue_at = at
    zh, en = names(obligation)
    record(
        space=obligation.space, verb="obligations.overdue", by=SYSTEM, subject=obligation, place=obligation.place,
        organisation=obligation.owner, thread=obligation.own_thread, colour="red", after={"due_at": obligation.due_at, "state": obligation.state},
        text_zh=f"逾期未完成：{zh}（{obligation.owner.name_zh}）", text_en=f"Overdue: {en} ({english(obligation)})",
    )  # fmt: skip


def _climb(obligation: Obligation, index: int, at: datetime) -> None:
    step = obligation.steps[index]
    users, found_at = recipients.people(obligation, step.to, at)
    if users:
        _tell(obligation, index, users, found_at)
    if users and not _is_reminder(step, index):
        return  # the first asking is told by the issue and by the message itself
    zh, en = names(obligation)
    if users:
        who_zh, who_en = (
            "、".join(user.name_zh for user in users),
            ", ".join(user.name_en or user.name_zh for user in users),
        )
        text_zh = f"催办{TO_ZH[found_at]}{who_zh}：{zh}（{obligation.owner.name_zh}）"
        text_en = f"Chased {TO_EN[found_at]}, {who_en}: {en} ({english(obligation)})"
    else:
        text_zh = f"无人可催办：{zh}（{obligation.owner.name_zh}没有责任人，值班室无人）"
        text_en = f"Nobody to chase: {en} ({english(obligation)} has no responsible person, and nobody is on duty)"
    record(
        space=obligation.space, verb="obligations.escalate", by=SYSTEM, subject=obligation, place=obligation.place,
        organisation=obligation.owner, thread=obligation.own_thread, colour=obligation.shade if users else "red",
        after={"step": index, "to": found_at, "wanted": step.to, "channels": list(step.channels), "people": [user.pk for user in users],
               "planned_at": step.at(obligation.opened_at, obligation.due_at)},
        text_zh=text_zh, text_en=text_en,
    )  # fmt: skip


def _is_reminder(step: ladder.Step, index: int) -> bool:
    return not (index == 0 and step.origin == "issued" and step.after_s == 0 and step.to in {"responsible", "all"})


def _tell(obligation: Obligation, index: int, users: Sequence[User], found_at: str) -> None:
    """The message of one rung: to those who must do it, a request; to those above, whom they must press."""
    step = obligation.steps[index]
    (zh, en), owner, state = names(obligation), obligation.owner, obligation.state_info
    until_zh = f"{local(obligation.due_at):%m月%d日 %H:%M}" if obligation.due_at else ""
    until_en = f"{local(obligation.due_at):%d %b %H:%M}" if obligation.due_at else ""
    if found_at in ABOVE:
        with translation.override("zh-hans"):
            state_zh = str(state.label)
        phone_zh, phone_en = (
            (f"，值班电话{owner.phone}", f", duty telephone {owner.phone}") if owner.phone else ("", "")
        )
        late_zh, late_en = ("【逾期】", "Overdue: ") if obligation.is_overdue else ("【未响应】", "No answer: ")
        title = f"{late_zh}{owner.name_zh}：{zh}", f"{late_en}{english(obligation)}: {en}"
        body = (
            f"{owner.name_zh}尚未完成（{state_zh}）" + (f"，应于{until_zh}前完成" if until_zh else "") + f"{phone_zh}。请督促。",
            f"{english(obligation)} has not done it ({state.value})" + (f", due by {until_en}" if until_en else "") + f"{phone_en}. Please press for it.",
        )  # fmt: skip
    else:
        head_zh, head_en = (
            ("【逾期】", "Overdue: ")
            if obligation.is_overdue
            else ("【催办】", "Reminder: ")
            if _is_reminder(step, index)
            else ("", "")
        )
        title = f"{head_zh}{zh}", f"{head_en}{en}"
        body = (
            (f"请于{until_zh}前完成。" if until_zh else "") + obligation.detail_zh,
            (f"Due by {until_en}. " if until_en else "") + (obligation.detail_en or obligation.detail_zh),
        )
    send(obligation, users, step.channels, key=f"step{index}", in_order=step.in_order, title=title, body=body)


def send(
    obligation: Obligation, users: Sequence[User], channels: Sequence[str], *, key: str, title: tuple[str, str], body: tuple[str, str],
    in_order: bool = False,
) -> None:  # fmt: skip
    """Put one message about it (Chinese, English) into the outbox, in the transaction of what it tells of."""
    delivery.send(
        space=obligation.space, key=f"obligation:{obligation.pk}:{obligation.round}:{key}",
        to=[delivery.Recipient.of(user, url=links.make(obligation, user)) for user in users], channels=channels,
        title_zh=title[0], title_en=title[1], body_zh=body[0], body_en=body[1],
        url=obligation.get_absolute_url(), about=obligation, thread=obligation.own_thread,
        colour="red" if obligation.is_overdue else obligation.colour, by=SYSTEM, in_order=in_order,
        drill=bool(obligation.data.get("drill")),
    )  # fmt: skip


def names(obligation: Obligation) -> tuple[str, str]:
    """The title in both languages."""
    return obligation.title_zh, obligation.title_en or obligation.title_zh


def english(obligation: Obligation) -> str:
    """The owner's English name."""
    return obligation.owner.name_en or obligation.owner.name_zh


def local(at: datetime) -> datetime:
    """The time as the district's clocks show it."""
    return timezone.localtime(at)
