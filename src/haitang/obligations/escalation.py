"""The one loop: whatever is due by the space's clock is told to whom the ladder names, and marked when it is overdue."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import OperationalError, transaction

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.delivery import services as delivery
from haitang.journal.models import Head
from haitang.journal.services import record
from haitang.obligations import ladder, links, recipients, wording
from haitang.obligations.models import OPEN, Obligation, State
from haitang.spaces.clock import now
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

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
    zh, en = wording.names(obligation)
    record(
        space=obligation.space, verb="obligations.overdue", by=SYSTEM, subject=obligation, place=obligation.place,
        organisation=obligation.owner, thread=obligation.own_thread, colour="red", after={"due_at": obligation.due_at, "state": obligation.state},
        text_zh=f"逾期未完成：{zh}（{obligation.owner.name_zh}）", text_en=f"Overdue: {en} ({wording.english(obligation)})",
    )  # fmt: skip


def _climb(obligation: Obligation, index: int, at: datetime) -> None:
    step = obligation.steps[index]
    users, found_at = recipients.people(obligation, step.to, at)
    # The first asking is no reminder: the issue tells of it, and the message itself.
    again = index > 0 or step.origin != "issued" or step.after_s > 0
    as_planned = found_at == step.to
    if found_at == "workers":
        _send_out(obligation, index, users)
        return
    above = [user for user in users if user.organisation_id != obligation.owner_id]
    if found_at not in ABOVE or (as_planned and not again):
        above = []
    asked = [user for user in users if user not in above]
    if asked:
        title, body = wording.request(obligation, again=again)
        send(obligation, asked, step.channels, key=f"step{index}", title=title, body=body, in_order=step.in_order)
    if above:
        title, body = wording.pressing(obligation)
        send(obligation, above, step.channels, key=f"step{index}:above", title=title, body=body, in_order=step.in_order)
    if as_planned and not again:
        return
    text_zh, text_en = wording.chased(obligation, users, step.to, found_at)
    record(
        space=obligation.space, verb="obligations.escalate", by=SYSTEM, subject=obligation, place=obligation.place,
        organisation=obligation.owner, thread=obligation.own_thread, colour=obligation.shade if users else "red",
        after={"step": index, "to": found_at, "wanted": step.to, "channels": list(step.channels), "people": [user.pk for user in users],
               "planned_at": step.at(obligation.opened_at, obligation.due_at)},
        text_zh=text_zh, text_en=text_en,
    )  # fmt: skip


def _send_out(obligation: Obligation, index: int, users: Sequence[User]) -> None:
    """The rung of the grid workers: whoever hears of it gives each of them his own task; they do not answer for the owner."""
    zh, en = wording.names(obligation)
    record(
        space=obligation.space, verb="obligations.escalate", by=SYSTEM, subject=obligation, place=obligation.place,
        organisation=obligation.owner, thread=obligation.own_thread, colour=obligation.shade,
        after={"step": index, "to": "workers", "wanted": "workers", "channels": list(obligation.steps[index].channels),
               "people": [user.pk for user in users], "planned_at": obligation.steps[index].at(obligation.opened_at, obligation.due_at)},
        text_zh=f"派 {len(users)} 名网格员上门：{zh}", text_en=f"Sending {len(users)} grid workers to the doors: {en}",
    )  # fmt: skip


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
        # Who answers with one press may answer by voice too: by saying back the code of his own call.
        data={"readback": True} if "voice" in channels and obligation.kind_info.one_press and obligation.is_open else None,
    )  # fmt: skip
