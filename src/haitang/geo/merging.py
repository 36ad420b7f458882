"""Bring many rows from a data pack into their table at once: new ones created, changed ones updated, others left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model


@dataclass
class Merged:
    """What a merge did, by the rows' keys."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.created or self.changed)

    def __iadd__(self, other: Merged) -> Merged:
        self.created += other.created
        self.changed += other.changed
        return self


def merge(
    rows: Sequence[Model],
    *,
    fields: Collection[str],
    key: str = "code",
    slowly: Collection[str] = (),
    among: Iterable[Any] | None = None,
) -> Merged:
    """Create or update rows of one model by their key; the rows have their primary keys afterwards.

    A row in which one of the fields named `slowly` differs is saved by its own `save`. `among` are the rows that may be
    there already, where the caller has read them. Three queries for any number of rows, more for the slow ones.
    """
    if not rows:
        return Merged()
    model = type(rows[0])
    manager = model._default_manager
    there = manager.all() if among is None else among
    known = {getattr(row, key): row for row in there}
    done = Merged()
    new, changed = [], []
    for row in rows:
        name = getattr(row, key)
        old = known.get(name)
        if old is None:
            new.append(row)
            done.created.append(str(name))
            continue
        row.pk = old.pk
        differing = {one for one in fields if getattr(row, one) != getattr(old, one)}
        if not differing:
            continue
        done.changed.append(str(name))
        for one in differing:
            setattr(old, one, getattr(row, one))
        if differing & set(slowly):
            old.save()
        else:
            changed.append(old)
    manager.bulk_create(new, batch_size=500)
    if changed:
        manager.bulk_update(changed, list(fields), batch_size=200)
    return done
