"""The verbs of registers: put rows on record, change, archive, delete and import them, within the actor's reach.

Every register has its own verbs in the list of verbs ("registry.resources.shelter.edit"), so that who may do what is
read in one place. Registers are the same in every world and belong to the live one: an exercise cannot change them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from django.db.models import ForeignKey, Model, ProtectedError, QuerySet, RestrictedError
from django.db.models.deletion import Collector
from django.utils import translation
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import EVERYONE
from haitang.accounts.verbs import Forbidden, Refused, require, verb
from haitang.geo.models import Place
from haitang.journal.services import Note, record_all, thread_of
from haitang.registry.declare import Register
from haitang.registry.models import ImportRun, RunState, SavedView
from haitang.registry.values import field_label, snapshot
from haitang.spaces.clock import now
from haitang.spaces.models import Space

MAX_VIEWS = 30
_CHUNK = 500


@dataclass(frozen=True)
class Outcome:
    """What became of rows that were to be put on record."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


def reach(register: Register, by: Actor) -> QuerySet[Any]:
    """The rows that this actor may change, if his role may change any."""
    rows = register.model._default_manager.all()
    return rows if isinstance(by, System) else rows.filter(register.reached.condition(by))


def may_change(register: Register, row: Any, by: Actor) -> bool:
    """Whether this row lies within the actor's reach. One query."""
    return reach(register, by).filter(pk=row.pk).exists()


def fingerprint(register: Register, row: Any) -> str:
    """A short sum of what the form shows of a row; it tells whether somebody changed the row meanwhile."""
    text = json.dumps(exact(register, row), cls=DjangoJSONEncoder, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save(register: Register, row: Any, *, by: Actor, space: Space | None = None, seen: str = "") -> bool:
    """Put a new row on record or change one; True if anything changed.

    `seen` is the fingerprint of the row as the editor saw it; Refused if it is another by now.
    """
    outcome = put(register, [row], by=by, space=space, seen=seen)
    return outcome.unchanged == 0


def put(
    register: Register,
    rows: Sequence[Any],
    *,
    by: Actor,
    space: Space | None = None,
    seen: str = "",
    checked: bool = False,
    thread: Model | str = "",
) -> Outcome:
    """Put new rows on record and change known ones: all of them, or none.

    Each row is checked as the model says, unless a form has done so (`checked`). Forbidden if one lies outside the
    actor's reach, before or after. Journals each row that changed, with what changed.
    """
    world = _live(space)
    _allow(register, rows, by)
    if not checked:
        for row in rows:
            if register.derive is not None:
                register.derive(row)
            row.full_clean()
    notes: list[Note] = []
    counts: Counter[str] = Counter()
    try:
        with transaction.atomic():
            for start in range(0, len(rows), _CHUNK):
                chunk = rows[start : start + _CHUNK]
                stored = _stored(register, chunk, by)
                for row in chunk:
                    before = stored.get(row.pk) if not row._state.adding else None
                    if seen and before is not None and fingerprint(register, before) != seen:
                        raise Refused(
                            _("%(row)s has been changed by somebody else meanwhile: look at it again, then change it.")
                            % {"row": before}
                        )
                    note = _write(register, row, before, thread)
                    counts["unchanged" if note is None else "created" if before is None else "changed"] += 1
                    if note is not None:
                        notes.append(note)
                _still_in_reach(register, chunk, by)
            record_all(space=world, by=by, notes=notes)
    except IntegrityError as error:
        raise Refused(_("Somebody else put the same code on record meanwhile: look again.")) from error
    return Outcome(counts["created"], counts["changed"], counts["unchanged"])


def archive(register: Register, rows: Iterable[Any], *, by: Actor, space: Space | None = None, reason: str = "") -> int:
    """Put rows away: they leave lists and map and stay on record. Returns how many there were to put away."""
    return _put_away(register, rows, by, space, away=True, reason=reason)


def restore(register: Register, rows: Iterable[Any], *, by: Actor, space: Space | None = None) -> int:
    """Fetch archived rows back."""
    return _put_away(register, rows, by, space, away=False)


def delete(register: Register, row: Any, *, by: Actor, space: Space | None = None) -> None:
    """Delete a row for ever, if nothing refers to it. What stood in it stays in the journal."""
    world = _live(space)
    require(register.verb("delete"), by)
    with transaction.atomic():
        found = reach(register, by).select_for_update(of=("self",)).filter(pk=row.pk).first()
        if found is None:
            raise Forbidden(_out_of_reach(row))
        refuse_if_referred_to(found)
        note = _note(register, found, "delete", before=snapshot(register, found), after=None, zh="删除{thing}：{row}",
                     en="Deleted {thing}: {row}")  # fmt: skip
        record_all(space=world, by=by, notes=[note])
        found.delete()


def refuse_if_referred_to(row: Any) -> None:
    """Refused, with what refers to the row, unless it can go without anything going with it."""
    collector = Collector(using=row._state.db or "default", origin=row)
    others: list[Any] = []
    try:
        collector.collect([row])
    except ProtectedError as error:
        others = list(error.protected_objects)
    except RestrictedError as error:
        others = list(error.restricted_objects)
    else:
        others = [thing for things in collector.data.values() for thing in things if thing != row]
        others += [thing for fast in collector.fast_deletes for thing in fast]
    if others:
        kinds = Counter(str(thing._meta.verbose_name) for thing in others)
        listed = "、".join(f"{name} {count}" for name, count in sorted(kinds.items()))
        raise Refused(_("%(row)s cannot be deleted, because others refer to it (%(others)s): archive it instead.")
                      % {"row": row, "others": listed})  # fmt: skip


def take_in(
    register: Register, run: ImportRun, *, by: User, space: Space | None = None, only_good: bool = False
) -> Outcome:
    """Put the rows of a file on record. Refused if some are bad, unless only the good ones were asked for."""
    from haitang.registry.importing import check

    world = _live(space)
    require(register.verb("import"), by)
    if run.state != RunState.CHECKED:
        raise Refused(_("This file has been taken in already."))
    found = check(register, run, by=by)
    bad = {problem.row for problem in found.problems}
    if bad and not only_good:
        raise Refused(_("%(count)s rows cannot be taken: mend them, or take in only the others.") % {"count": len(bad)})
    if not found.rows:
        raise Refused(_("No row of the file can be taken: mend it and bring it again."))
    with transaction.atomic():
        fresh = ImportRun.objects.select_for_update().get(pk=run.pk)
        if fresh.state != RunState.CHECKED:
            raise Refused(_("This file has been taken in already."))
        outcome = put(register, [each.row for each in found.rows], by=by, space=world, checked=True, thread=run)
        run.state, run.done_at = RunState.DONE, now(world)
        # The rows are on record now; the file's copy may hold names and telephones and has no more use.
        run.rows, run.problems = [], [problem.as_dict() for problem in found.problems]
        run.counts = {"new": outcome.created, "changed": outcome.changed, "same": outcome.unchanged, "bad": len(bad)}
        run.save()
        note = _note(register, run, "import", before=None, after={**run.counts, "file": run.file_name},
                     zh=f"导入{{thing}}：新增 {outcome.created}，修改 {outcome.changed}，未取 {len(bad)}",
                     en=f"Imported {{thing}}: {outcome.created} new, {outcome.changed} changed, {len(bad)} not taken",
                     organisation=by.organisation, url=register.url())  # fmt: skip
        record_all(space=world, by=by, notes=[note])
    return outcome


@verb("registry.save_view", roles=EVERYONE)
def save_view(register: Register, *, name: str, query: str, by: User) -> SavedView:
    """Keep filters and order of a list for oneself. Not journalled: it changes nothing but a person's own shortcut."""
    mine = SavedView.objects.filter(user=by, register=register.slug)
    if mine.exclude(name=name).count() >= MAX_VIEWS:
        raise Refused(_("You have %(most)s saved views here: delete one first.") % {"most": MAX_VIEWS})
    return SavedView.objects.update_or_create(user=by, register=register.slug, name=name, defaults={"query": query})[0]


@verb("registry.drop_view", roles=EVERYONE)
def drop_view(view: SavedView, *, by: User) -> None:
    """Forget a saved view of one's own."""
    SavedView.objects.filter(pk=view.pk, user=by).delete()


# -- parts ------------------------------------------------------------------------------------------------------


def _live(space: Space | None) -> Space:
    if space is not None and space.is_exercise:
        raise Refused(_("Registers belong to the live world: leave the exercise to change them."))
    return space or Space.live()


def _allow(register: Register, rows: Iterable[Any], by: Actor) -> None:
    for action in {"create" if row._state.adding else "edit" for row in rows}:
        require(register.verb(action), by)


def _stored(register: Register, rows: Sequence[Any], by: Actor) -> dict[Any, Any]:
    """The known ones of the rows as they stand in the store, locked; Forbidden if one is out of reach."""
    known = [row.pk for row in rows if not row._state.adding]
    if not known:
        return {}
    joins = [name for name in register.form if isinstance(register.field(name), ForeignKey)]
    held = reach(register, by).select_for_update(of=("self",)).select_related(*joins)
    found: dict[Any, Any] = {each.pk: each for each in held.filter(pk__in=known)}
    for row in rows:
        if not row._state.adding and row.pk not in found:
            raise Forbidden(_out_of_reach(row))
    return found


def _still_in_reach(register: Register, rows: Sequence[Any], by: Actor) -> None:
    if isinstance(by, System):
        return
    inside = set(reach(register, by).filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    for row in rows:
        if row.pk not in inside:
            raise Forbidden(_out_of_reach(row))


def _out_of_reach(row: Any) -> str:
    return _("%(row)s lies outside your reach: give it a place or an owner within your own organisation's.") % {
        "row": row
    }


def exact(register: Register, row: Any) -> dict[str, Any]:
    """The form's fields in the clear, comparable."""
    found: dict[str, Any] = {}
    for name in register.form:
        field = register.field(name)
        value = getattr(row, field.attname if isinstance(field, ForeignKey) else name)
        found[name] = _shape_sum(value) if isinstance(value, BaseGeometry) else value
    return found


def _shape_sum(shape: BaseGeometry) -> str:
    """A sum of the shape's corners to a tenth of a millimetre: text and binary forms of one shape do not differ in it."""
    corners = np.round(shapely.get_coordinates(shape), 9) + 0.0
    return f"{shape.geom_type}:{hashlib.sha256(corners.tobytes()).hexdigest()}"


def _write(register: Register, row: Any, before: Any, thread: Model | str) -> Note | None:
    """Save one row; the note of what changed, None if nothing did."""
    if before is None:
        row.save()
        shown = {name: value for name, value in snapshot(register, row).items() if value not in (None, "", [])}
        return _note(
            register,
            row,
            "create",
            before=None,
            after=shown,
            zh="登记{thing}：{row}",
            en="New {thing}: {row}",
            thread=thread,
        )
    old, new = exact(register, before), exact(register, row)
    changed = tuple(name for name in register.form if old[name] != new[name])
    if not changed:
        return None
    row.save()
    return _note(register, row, "edit", before=snapshot(register, before, changed), after=snapshot(register, row, changed),
                 zh="修改{thing}{row}：{fields}", en="Changed {thing} {row}: {fields}", changed=changed, thread=thread)  # fmt: skip


def _put_away(
    register: Register, rows: Iterable[Any], by: Actor, space: Space | None, *, away: bool, reason: str = ""
) -> int:
    world = _live(space)
    require(register.verb("archive"), by)
    if not register.archives:
        raise Refused(_("Rows of this register cannot be archived."))
    wanted = [row.pk for row in rows]
    moment = now(world) if away else None
    with transaction.atomic():
        held = reach(register, by).select_for_update(of=("self",)).filter(pk__in=wanted)
        found = list(held)
        if len(found) != len(set(wanted)):
            raise Forbidden(_("Some of these rows lie outside your reach."))
        acted = [row for row in found if (row.archived_at is None) == (moment is not None)]
        notes = []
        for row in acted:
            row.archived_at = moment
            row.save(update_fields=["archived_at"])
            zh, en = (
                ("归档{thing}：{row}", "Archived {thing}: {row}")
                if moment
                else ("恢复{thing}：{row}", "Fetched back {thing}: {row}")
            )
            notes.append(_note(register, row, "archive", before={"archived": moment is None},
                               after={"archived": moment is not None, "reason": reason}, zh=zh, en=en))  # fmt: skip
        record_all(space=world, by=by, notes=notes)
    return len(acted)


def _note(register: Register, row: Any, action: str, *, before: Any, after: Any, zh: str, en: str,
          changed: Sequence[str] = (), thread: Model | str = "", organisation: Organisation | None = None,
          url: str = "") -> Note:  # fmt: skip
    told = {}
    for language, template in (("zh-hans", zh), ("en", en)):
        with translation.override(language):
            fields = ("、" if language == "zh-hans" else ", ").join(
                field_label(register.field(name)) for name in changed
            )
            told[language] = template.format(thing=register.thing, row=row, fields=fields)
    place = row if isinstance(row, Place) else getattr(row, "place", None)
    owner = organisation or getattr(row, "owner", None) or getattr(row, "organisation", None)
    return Note(
        verb=register.verb(action), subject=row, before=before, after=after, text_zh=told["zh-hans"], text_en=told["en"],
        place=place if isinstance(place, Place) else None,
        organisation=owner if isinstance(owner, Organisation) else None,
        thread=thread if isinstance(thread, str) else thread_of(thread),
        url=url or ("" if action == "delete" or isinstance(row, ImportRun) else register.page_of(register.key_of(row))),
    )  # fmt: skip
