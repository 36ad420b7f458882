"""What resources do when others act: a stock that the register changed gets its line in the ledger."""

from __future__ import annotations

from django.db.models import Model

from haitang.journal.models import Entry
from haitang.journal.signals import on
from haitang.resources.models import Supply
from haitang.resources.services import settle_ledger


@on("registry.resources.supply.*")
def _stock_on_record(entry: Entry, subject: Model) -> None:
    if isinstance(subject, Supply) and subject.pk is not None and "stock" in (entry.after or {}):
        settle_ledger(subject, by_pk=entry.actor_id)
