"""Entries are written with the change they tell of, once, for ever; what the database holds verifies. P1, A1."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haitang.accounts.actors import SYSTEM
from haitang.journal.models import Entry, Head, JournalEdited
from haitang.journal.services import export, read_anchors, record, verify, write_anchors
from haitang.journal.signals import entry_written, on
from haitang.journal.tests.conftest import World
from haitang.spaces.models import ClockMode, Space, SpaceKind


def write(world: World, text: str = "发生", **more: Any) -> Entry:
    with transaction.atomic():
        return record(space=world.space, verb="test.happen", by=SYSTEM, subject=world.district, text_zh=text, **more)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_can_be_recorded() -> None:
    space = Space.live()
    with pytest.raises(RuntimeError, match="in the transaction of the change"):
        record(space=space, verb="test.happen", by=SYSTEM, subject=space)
    assert not Entry.objects.exists()


def test_an_entry_falls_with_its_transaction(world: World) -> None:
    write(world)
    with transaction.atomic():
        write(world, "不成立")
        transaction.set_rollback(True)
    write(world)
    assert list(Entry.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2]
    assert verify(world.space) == []


def test_who_what_where_and_when_stand_in_it(world: World) -> None:
    with transaction.atomic():
        entry = record(
            space=world.space, verb="test.happen", by=world.duty, subject=world.east, place=world.east,
            organisation=world.easterner.organisation, thread=world.district, colour="red", before={"level": 3},
            after={"level": 2, "at": datetime(2024, 9, 16, tzinfo=UTC)}, text_zh="升级", text_en="Raised",
        )  # fmt: skip
    entry.refresh_from_db()
    assert (entry.actor, entry.actor_name, entry.subject_type, entry.subject_id) == (
        world.duty, "duty", "geo.place", str(world.east.pk),
    )  # fmt: skip
    assert (entry.place_path, entry.organisation_path) == ("900000/900001/", "EASTERNER/")
    assert entry.thread == f"geo.place:{world.district.pk}"
    assert (entry.before, entry.after) == ({"level": 3}, {"level": 2, "at": "2024-09-16T00:00:00Z"})
    assert entry.text == "升级"


def test_the_time_is_the_spaces_own(world: World) -> None:
    moment = datetime(2024, 9, 16, 7, 30, tzinfo=UTC)
    drill = Space.objects.create(
        slug="drill", kind=SpaceKind.EXERCISE, name_zh="演练", clock_mode=ClockMode.STEPPED, clock_base=moment
    )
    with transaction.atomic():
        entry = record(space=drill, verb="test.happen", by=SYSTEM, subject=world.district)
    assert entry.at == moment
    assert entry.recorded_at.year > 2024


def test_spaces_have_chains_of_their_own(world: World) -> None:
    drill = Space.objects.create(slug="drill", kind=SpaceKind.EXERCISE, name_zh="演练")
    for space in (world.space, drill, world.space):
        with transaction.atomic():
            record(space=space, verb="test.happen", by=SYSTEM, subject=world.district)
    assert list(Entry.objects.filter(space=world.space).order_by("seq").values_list("seq", flat=True)) == [1, 2]
    assert list(Entry.objects.filter(space=drill).values_list("seq", flat=True)) == [1]
    assert verify(world.space) == verify(drill) == []


def test_an_entry_can_be_neither_changed_nor_removed_through_the_product(world: World) -> None:
    entry = write(world)
    entry.text_zh = "改写"
    with pytest.raises(JournalEdited):
        entry.save()
    with pytest.raises(JournalEdited):
        entry.delete()


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE journal_entry SET text_zh = '改写' WHERE seq = 2", "changed"),
        ("UPDATE journal_entry SET at = '2000-01-01 00:00:00+00:00' WHERE seq = 2", "changed"),
        ("DELETE FROM journal_entry WHERE seq = 2", "removed"),
        ("DELETE FROM journal_entry WHERE seq = 4", "cut"),
        ("UPDATE journal_entry SET seq = CASE seq WHEN 2 THEN 3 ELSE 2 END WHERE seq IN (2, 3)", "changed"),
        ("UPDATE journal_head SET seq = 3", "cut"),
    ],
)
def test_what_was_done_behind_the_products_back_is_found(world: World, sql: str, kind: str) -> None:
    for number in range(4):
        write(world, f"第{number}条")
    assert verify(world.space) == []
    if "CASE" in sql:  # unique while it is being exchanged: by way of a free number
        statements = [
            "UPDATE journal_entry SET seq = 99 WHERE seq = 2",
            "UPDATE journal_entry SET seq = 2 WHERE seq = 3",
            "UPDATE journal_entry SET seq = 3 WHERE seq = 99",
        ]
    else:
        statements = [sql]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    assert kind in {fault.kind for fault in verify(world.space)}


def test_a_head_put_back_with_its_tail_is_found_by_the_anchor(world: World, tmp_path: Path) -> None:
    anchors = tmp_path / "outside" / "anchors.jsonl"
    for number in range(3):
        write(world, f"第{number}条")
    assert write_anchors(anchors) == 1
    assert write_anchors(anchors) == 0  # nothing new to anchor
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM journal_entry WHERE seq = 3")
    last = Entry.objects.get(seq=2)
    Head.objects.update(seq=2, hash=last.hash)
    assert verify(world.space) == []
    found = verify(world.space, anchors=read_anchors(anchors, world.space))
    assert [(fault.seq, fault.kind) for fault in found] == [(3, "anchor")]


def test_an_export_carries_every_entry_with_its_hash(world: World) -> None:
    for number in range(3):
        write(world, f"第{number}条", after={"n": number})
    lines = [json.loads(line) for line in export(world.space)]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert [line["hash"] for line in lines] == list(Entry.objects.order_by("seq").values_list("hash", flat=True))
    assert lines[1]["prev"] == lines[0]["hash"]


texts = st.text(max_size=12) | st.sampled_from(["\0", "\ud800", "a\0b"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.dictionaries(texts, values, max_size=3), after=st.dictionaries(texts, values, max_size=3), text=texts)
def test_whatever_is_recorded_verifies_when_it_is_read_back(
    world: World, before: dict[str, Any], after: dict[str, Any], text: str
) -> None:
    """Both stores give back what was hashed: numbers, empty texts, nested lists, signs of every script."""
    write(world, text, before=before, after=after)
    assert verify(world.space) == []


def test_listeners_hear_their_verb_in_the_same_transaction(world: World) -> None:
    heard: list[tuple[str, bool]] = []

    @on("test.*")
    def listen(entry: Entry, subject: Any) -> None:
        heard.append((entry.verb, connection.in_atomic_block))

    try:
        write(world)
        with transaction.atomic():
            record(space=world.space, verb="other.happen", by=SYSTEM, subject=world.district)
    finally:
        entry_written.disconnect(dispatch_uid=f"{listen.__module__}.{listen.__qualname__}:test.*")
    assert heard == [("test.happen", True)]


def test_a_listener_that_fails_takes_the_change_with_it(world: World) -> None:
    def fail(**_: Any) -> None:
        raise ValueError("listener")

    entry_written.connect(fail)
    try:
        with pytest.raises(ValueError, match="listener"):
            write(world)
    finally:
        entry_written.disconnect(fail)
    assert not Entry.objects.exists()


def test_entries_are_seen_by_officials_within_their_reach_only(world: World) -> None:
    write(world, place=world.east)
    write(world, place=world.west)
    write(world)  # of the whole district
    count = lambda user: Entry.objects.visible_to(user).count()  # noqa: E731
    assert [count(user) for user in (world.duty, world.easterner, world.westerner, world.enterprise)] == [3, 1, 1, 0]
    from django.contrib.auth.models import AnonymousUser

    assert count(AnonymousUser()) == 0
