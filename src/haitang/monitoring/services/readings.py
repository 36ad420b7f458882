"""Readings that a person brings."""

from __future__ import annotations

from haitang.accounts.actors import Actor, System
from haitang.accounts.verbs import verb
from haitang.journal.services import record
from haitang.monitoring.door import Parcel, Receipt, receive
from haitang.monitoring.models import Series
from haitang.monitoring.services.network import KEEPERS
from haitang.spaces.models import Space


@verb("monitoring.backfill", roles=KEEPERS)
def backfill(space: Space, *, body: bytes, by: Actor) -> Receipt:
    """Take in a CSV file of readings; raises BatchError when it cannot be read at all.

    A person may write the series that he sees; rows of others are refused one by one.
    """
    allowed = None
    if not isinstance(by, System):
        allowed = frozenset(Series.objects.visible_to(by).values_list("code", flat=True)).__contains__
    receipt = receive(space, Parcel(body, f"file:{by.username}", allowed, form="csv"))
    record(
        space=space, verb="monitoring.backfill", by=by, subject=space,
        after={"accepted": receipt.accepted, "refused": {reason.value: n for reason, n in receipt.refused.items()}},
        text_zh=f"补录观测数据 {receipt.accepted} 条", text_en=f"Back-filled {receipt.accepted} readings",
    )  # fmt: skip
    return receipt
