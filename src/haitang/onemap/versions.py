"""Which state of the data a tile shows: the last journal entry that concerns its layer.

Every change is journalled in its own transaction, so a layer has changed exactly when an entry with one of its verbs was
added to the space looked at, or to the live space, which keeps what all worlds share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max

from haitang.geo.catalogue import Layer
from haitang.journal.models import Entry, Head
from haitang.spaces.models import Space

# On PostgreSQL entries of two spaces may commit in another order than that of their keys: look back a little.
_LOOK_BACK = 1000


@dataclass
class _Known:
    """The last entry of each verb of a space, as far as this process has read."""

    heads: dict[int, str] = field(default_factory=dict)
    last: dict[tuple[int, str], tuple[int, Any]] = field(default_factory=dict)
    read_to: int = 0


_known = _Known()


def version_of(layer: Layer, space: Space) -> str:
    """A text that changes whenever the layer may have. One small query, and one more after a change."""
    # The head's hash, not its number: a database that was restored or rolled back may give a number twice.
    heads = dict(Head.objects.filter(space__in={space.pk, _live_pk()}).values_list("space_id", "hash"))
    if any(_known.heads.get(pk) != digest for pk, digest in heads.items()):
        _read_on()
        _known.heads.update(heads)
    newest = [
        entry
        for (pk, verb), entry in _known.last.items()
        if pk in heads and any(verb.startswith(prefix) for prefix in layer.live)
    ]
    if not newest:
        return "0"
    key, recorded_at = max(newest)
    return f"{key}.{recorded_at.timestamp():.6f}"


def _read_on() -> None:
    newest = Entry.objects.order_by().filter(id__gt=_known.read_to - _LOOK_BACK)
    for pk, verb, key, recorded_at in newest.values_list("space_id", "verb").annotate(Max("id"), Max("recorded_at")):
        _known.last[pk, verb] = (key, recorded_at)
        _known.read_to = max(_known.read_to, key)


def _live_pk() -> int:
    return Space.live().pk
