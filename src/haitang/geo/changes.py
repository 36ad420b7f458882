"""What geo tells those above it: the ground was changed. The journal listens, for geo itself knows no journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.dispatch import Signal

from haitang.geo.merging import Merged
from haitang.geo.models import Place


@dataclass(frozen=True)
class Change:
    """A load that changed something: the verb it goes by, the place it concerns, who did it, which codes."""

    verb: str
    place: Place
    by: Any
    merged: Merged


# Sent with `change`, inside the transaction.
ground_changed = Signal()


def tell(verb: str, merged: Merged, by: Any) -> None:
    """Tell what was loaded, where it changed anything."""
    place = Place.objects.order_by("path").first()
    if merged and place is not None:
        ground_changed.send(sender=Place, change=Change(verb, place, by, merged))
