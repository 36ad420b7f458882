"""Leaders' instructions 领导指示: who must do what by when, received, answered, confirmed; open until every one is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OPERATIONS
from haitang.accounts.verbs import Refused, verb
from haitang.incidents.kinds import ORDER
from haitang.incidents.models import Incident, Order
from haitang.incidents.services import tasks
from haitang.incidents.services.common import journal, must_reach, must_run, person
from haitang.journal.services import thread_of
from haitang.obligations import services as obligations
from haitang.spaces.clock import now

MOST_CHARS = 1000


@verb("incidents.order", roles=OPERATIONS)
def give(
    incident: Incident, *, text: str, organisations: Sequence[Organisation], by: Actor, leader: str = "", due_at: datetime | None = None
) -> Order:  # fmt: skip
    """Take down a leader's instruction and oblige organisations to carry it out."""
    must_reach(by, incident.place)
    must_run(incident)
    text = " ".join(text.split())
    if not text or len(text) > MOST_CHARS:
        raise Refused(_("An order has 1 to %(most)s characters; this one %(n)s") % {"most": MOST_CHARS, "n": len(text)})
    if not organisations:
        raise Refused(_("Say who must carry the order out: choose at least one organisation"))
    at = now(incident.space)
    if due_at is not None and due_at <= at:
        raise Refused(_("The order would be due before it is given: choose a later time"))
    leader = leader.strip() or (by.name_zh if isinstance(by, User) else by.name)
    order = Order.objects.create(
        incident=incident, text=text, leader=leader[:80], given_at=at, due_at=due_at, noted_by=person(by)
    )
    order.organisations.set(organisations)
    for body in organisations:
        obligations.issue(
            space=incident.space, kind=ORDER, owner=body, subject=order, thread=incident, by=by, due_at=due_at, colour=incident.colour,
            title_zh=f"{leader}指示：{text}", title_en=f"Order of {leader}: {text}", detail_zh=incident.name_zh,
            detail_en=incident.name_en or incident.name_zh, key=f"{thread_of(order)}:{body.code}",
        )  # fmt: skip
    names = "、".join(body.name_zh for body in organisations)
    journal(
        incident, "order", by, f"{leader}指示：{text}（{names}）", f"Order of {leader}: {text} ({', '.join(body.name_en or body.name_zh for body in organisations)})",
        subject=order, after={"text": text, "leader": leader, "due_at": due_at, "organisations": [body.code for body in organisations]},
    )  # fmt: skip
    return order


@verb("incidents.withdraw_order", roles=OPERATIONS)
def withdraw(order: Order, *, by: Actor, reason: str) -> Order:
    """Take an instruction back from those who have not carried it out."""
    must_reach(by, order.incident.place)
    if not reason.strip():
        raise Refused(_("Say why the order is taken back"))
    if order.withdrawn_at is not None:
        raise Refused(_("This order was taken back already"))
    order.withdrawn_at = now(order.incident.space)
    order.save(update_fields=["withdrawn_at"])
    tasks.withdraw(obligations.for_subject(order).filter(kind=ORDER), reason.strip())
    journal(
        order.incident,
        "withdraw_order",
        by,
        f"撤回指示：{order.text}（{reason}）",
        f"Order taken back: {order.text} ({reason})",
        subject=order,
    )
    return order
