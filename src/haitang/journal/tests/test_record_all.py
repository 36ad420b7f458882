"""Many entries at once make the same chain as one after the other. P1."""

from __future__ import annotations

import pytest
from django.db import transaction

from haitang.accounts.actors import SYSTEM
from haitang.geo.models import Level, Place
from haitang.journal.models import Entry
from haitang.journal.services import Note, record, record_all, verify
from haitang.journal.signals import entry_written
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def _notes(count: int) -> list[Note]:
    places = [Place.objects.create(code=f"N{k}", name_zh=f"地{k}", level=Level.DISTRICT) for k in range(count)]
    return [Note(verb="test.note", subject=place, place=place, after={"k": k}) for k, place in enumerate(places)]


def test_the_chain_holds_across_many_and_single_entries() -> None:
    space, notes = Space.live(), _notes(3)
    with transaction.atomic():
        record(space=space, verb="test.one", by=SYSTEM, subject=notes[0].subject)
        entries = record_all(space=space, by=SYSTEM, notes=notes)
        record(space=space, verb="test.one", by=SYSTEM, subject=notes[0].subject)
    assert [entry.after["k"] for entry in entries] == [0, 1, 2]
    assert list(Entry.objects.filter(space=space).order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4, 5]
    assert verify(space) == []


def test_listeners_hear_each_of_them_and_may_record_themselves() -> None:
    heard: list[int] = []

    def listener(sender: object, entry: Entry, **_: object) -> None:
        if entry.verb == "test.note":
            heard.append(entry.pk)
            record(space=entry.space, verb="test.answer", by=SYSTEM, subject=entry.space)

    entry_written.connect(listener)
    try:
        with transaction.atomic():
            entries = record_all(space=Space.live(), by=SYSTEM, notes=_notes(2))
    finally:
        entry_written.disconnect(listener)
    assert heard == [entry.pk for entry in entries]
    assert verify(Space.live()) == []


def test_many_entries_cost_as_many_queries_as_two() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    space = Space.live()
    counts = []
    for size in (2, 40):
        Place.objects.all().delete()
        notes = _notes(size)
        with transaction.atomic(), CaptureQueriesContext(connection) as seen:
            record_all(space=space, by=SYSTEM, notes=notes)
        counts.append(len(seen))
    assert counts[0] >= counts[1]
