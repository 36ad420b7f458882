"""What follows in replay when a response changes: the evaluation's history learns the exercise's times."""

from __future__ import annotations

from django.db.models import Model

from haitang.incidents.models import Incident
from haitang.journal.models import Entry
from haitang.journal.signals import on
from haitang.replay import history, services


def refresh(entry: Entry, subject: Model) -> None:
    """Renew the history beside an exercise's evaluation."""
    if isinstance(subject, Incident) and subject.space.is_exercise and subject.parent_id is None:
        run = services.find(subject.space)
        if run is not None:
            history.tell(run)


for _verb in ("incidents.start", "incidents.change_level", "incidents.end"):
    on(_verb)(refresh)
