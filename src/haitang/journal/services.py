"""Write the journal, verify it, export it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation
from haitang.geo.models import Place
from haitang.journal import chain
from haitang.journal.models import Entry, Head
from haitang.journal.signals import entry_written
from haitang.spaces.clock import now
from haitang.spaces.models import Space


def thread_of(subject: Model) -> str:
    """The name of the thread of a larger thing, "incidents.incident:7"."""
    return f"{subject._meta.label_lower}:{subject.pk}"


def _plain(value: Mapping[str, Any] | None) -> Any:
    return None if value is None else _lasting(json.loads(json.dumps(value, cls=DjangoJSONEncoder)))


def _lasting(value: Any) -> Any:
    """The value as both stores give it back, so that its hash holds: neither keeps NaN, nor PostgreSQL 1e16 as a float."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if abs(value) >= 1e16 or value == 0 else value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_lasting(each) for each in value]
    if isinstance(value, dict):
        return {_text(name): _lasting(each) for name, each in value.items()}
    return value


def _text(text: str) -> str:
    """Text without the signs that no database keeps: NUL, half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def record(
    *,
    space: Space,
    verb: str,
    by: Actor,
    subject: Model,
    place: Place | None = None,
    organisation: Organisation | None = None,
    thread: Model | str = "",
    colour: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    text_zh: str = "",
    text_en: str = "",
    url: str = "",
) -> Entry:
    """Append one entry, in the transaction of the change it tells of. Three queries.

    The space's head row is locked until that transaction ends, so entries of a space commit in the order of
    their numbers and a reader that has seen number n has seen all before it.
    """
    note = Note(verb=verb, subject=subject, place=place, organisation=organisation, thread=thread, colour=colour,
                before=before, after=after, text_zh=text_zh, text_en=text_en, url=url)  # fmt: skip
    return record_all(space=space, by=by, notes=(note,))[0]


@dataclass(frozen=True, kw_only=True)
class Note:
    """What one entry is to say; `record_all` takes many."""

    verb: str
    subject: Model
    place: Place | None = None
    organisation: Organisation | None = None
    thread: Model | str = ""
    colour: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    text_zh: str = ""
    text_en: str = ""
    url: str = ""


def record_all(*, space: Space, by: Actor, notes: Sequence[Note]) -> list[Entry]:
    """Append one entry for each note, in their order, as `record` does. A few queries for all of them together."""
    if not connection.in_atomic_block:
        raise RuntimeError("journal.record must run in the transaction of the change it tells of")
    if not notes:
        return []
    head = Head.objects.select_for_update().get_or_create(space=space)[0]
    system = isinstance(by, System)
    at, recorded_at = now(space), timezone.now()
    entries: list[Entry] = []
    seq, prev = head.seq, head.hash
    for note in notes:
        seq += 1
        subject = note.subject
        row: dict[str, Any] = {
            "space": space.pk,
            "seq": seq,
            "at": at,
            "recorded_at": recorded_at,
            "actor": by.pk,
            "actor_name": by.name if system else (getattr(by, "name_zh", "") or by.username),
            "verb": note.verb,
            "subject_type": subject._meta.label_lower,
            "subject_id": str(subject.pk),
            "thread": note.thread if isinstance(note.thread, str) else thread_of(note.thread),
            "place_path": note.place.path if note.place else None,
            "organisation_path": note.organisation.path if note.organisation else None,
            "colour": note.colour,
            "text_zh": _text(note.text_zh)[:400],
            "text_en": _text(note.text_en)[:400],
            "url": note.url or _url_of(subject),
            "before": _plain(note.before),
            "after": _plain(note.after),
            "prev": prev,
        }
        prev = row["hash"] = chain.digest(row)
        entries.append(
            Entry(**{k: v for k, v in row.items() if k not in {"space", "actor"}}, space=space, actor_id=by.pk)
        )
    if len(entries) == 1:
        entries[0].save()
    else:
        Entry.objects.bulk_create(entries, batch_size=500)
    Head.objects.filter(space=space).update(seq=seq, hash=prev)
    # Listeners in this process act in the same transaction: what they do stands or falls with the change.
    for entry, note in zip(entries, notes, strict=True):
        entry_written.send(sender=Entry, entry=entry, subject=note.subject)
    return entries


def _url_of(subject: Model) -> str:
    getter = getattr(subject, "get_absolute_url", None)
    return str(getter()) if getter else ""


def _row(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in chain.FIELDS if name not in {"space", "actor"}}
    return {**row, "space": entry.space_id, "actor": entry.actor_id, "hash": entry.hash}


def verify(space: Space, *, anchors: Mapping[int, str] | None = None) -> list[chain.Fault]:
    """Check one space's chain; an empty list means that nothing was changed, removed or reordered."""
    with transaction.atomic():
        head = Head.objects.filter(space=space).first()
        entries = Entry.objects.filter(space=space).order_by("seq").iterator(chunk_size=2000)
        end = (head.seq, head.hash) if head else (0, chain.GENESIS)
        return list(chain.verify((_row(entry) for entry in entries), head=end, anchors=anchors))


def export(space: Space) -> Iterator[str]:
    """One space's journal as JSON lines, with hashes, for an archive or another platform."""
    for entry in Entry.objects.filter(space=space).order_by("seq").iterator(chunk_size=2000):
        yield json.dumps(_row(entry), cls=DjangoJSONEncoder, ensure_ascii=False)


def write_anchors(path: Path) -> int:
    """Append the present heads to a file outside the database; returns how many were written."""
    known = {(a["space"], a["seq"]) for a in _anchor_lines(path)}
    heads = [h for h in Head.objects.select_related("space") if h.seq and (h.space.slug, h.seq) not in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as out:
        for head in heads:
            line = {"space": head.space.slug, "seq": head.seq, "hash": head.hash, "at": timezone.now().isoformat()}
            out.write(json.dumps(line) + "\n")
    return len(heads)


def read_anchors(path: Path, space: Space) -> dict[int, str]:
    """The anchors of one space: seq to hash."""
    return {a["seq"]: a["hash"] for a in _anchor_lines(path) if a["space"] == space.slug}


def _anchor_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
