"""An answer is told back to the messages that asked for it, so that the receipts say by which way it came."""

from __future__ import annotations

from haitang.accounts.models import User
from haitang.delivery import outbox
from haitang.delivery.models import INAPP, Delivery
from haitang.delivery.states import State
from haitang.obligations.models import Obligation
from haitang.spaces.clock import now


def note(obligation: Obligation, user: User, link: str = "") -> None:
    """Mark what this person was sent as answered: what carried the `link` (its path), or without one what stood in the app.

    Rows that the outbox holds at this moment are passed over: nobody waits here for a gateway. One query and one per row.
    """
    rows = Delivery.objects.select_for_update(of=("self",), skip_locked=True).filter(
        user=user, message__about_type=obligation._meta.label_lower, message__about_id=str(obligation.pk),
        state__in=(State.SENT, State.DELIVERED, State.READ),
    )  # fmt: skip
    rows = rows.filter(url__endswith=link).exclude(channel=INAPP) if link else rows.filter(channel=INAPP)
    at = now(obligation.space)
    for delivery in rows.order_by("pk"):
        outbox.advance(delivery, State.ANSWERED, at)
