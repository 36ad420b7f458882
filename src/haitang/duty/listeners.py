"""What the duty room hears."""

from __future__ import annotations

from django.db.models import Model

from haitang.accounts.actors import SYSTEM
from haitang.duty import services
from haitang.duty.kinds import ACCEPT
from haitang.duty.models import HandOver
from haitang.journal.models import Entry
from haitang.journal.signals import on
from haitang.obligations.models import Obligation


@on("obligations.done")
def taken_over(entry: Entry, subject: Model) -> None:
    """The next leader has taken over."""
    if isinstance(subject, Obligation) and subject.kind == ACCEPT.id:
        made = HandOver.objects.select_related("shift__roster__organisation__place").get(pk=subject.subject_id)
        services.taken_over(made, by=entry.actor or SYSTEM)
