"""Counts of what happened at the receipts' door and left no delivery behind."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F
from django.utils import timezone

from haitang.delivery.models import Tally


def count(channel: str, outcomes: Mapping[str, int]) -> None:
    """Add to a channel's counts. Two queries for each outcome that is not zero."""
    for outcome, number in outcomes.items():
        if number:
            row, _made = Tally.objects.get_or_create(channel=channel, outcome=outcome)
            Tally.objects.filter(pk=row.pk).update(count=F("count") + number, last_at=timezone.now())
