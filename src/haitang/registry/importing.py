"""From a file to rows that can be put on record: which column fills which field, what is new, what changes, what is wrong.

Every bad cell is reported at once, with row, column, value, rule and remedy. Nothing is written here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from haitang.accounts.actors import Actor
from haitang.geo.coordinates import CoordinateError, convert_shapes
from haitang.geo.shapes import GeometryError, parse
from haitang.registry import services
from haitang.registry.declare import Register
from haitang.registry.forms import FlagField, PointerField, as_data, form_class, may_call
from haitang.registry.models import ImportRun
from haitang.registry.sheets import GEOMETRY, Head
from haitang.registry.values import field_label, is_flag, is_number, is_shape, mask, read, text
from haitang.registry.words import WordsField

LON, LAT = "lon", "lat"
_CHUNK = 500
_VALUE_MOST = 80
# What else a column may be called: what people write, and what exports of other systems say.
_ALSO = {LON: ("lng", "longitude", "x", "经度", "东经"), LAT: ("latitude", "y", "纬度", "北纬")}
# The labels of the two columns that no model field has.
POSITION = {LON: gettext_noop("longitude"), LAT: gettext_noop("latitude")}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what stands there, which rule it breaks, how to mend it."""

    row: int
    column: str
    value: str
    rule: str
    remedy: str

    def as_dict(self) -> dict[str, Any]:
        """For keeping."""
        return asdict(self)


@dataclass(frozen=True)
class Taken:
    """One row that can be put on record."""

    line: int
    row: Any
    is_new: bool
    # (field, before, after) as people read them.
    changes: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Checked:
    """What a file's check found."""

    rows: list[Taken]
    problems: list[Problem]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are new, change something, change nothing, or are bad."""
        new = sum(each.is_new for each in self.rows)
        changed = sum(bool(each.changes) and not each.is_new for each in self.rows)
        bad = len({problem.row for problem in self.problems})
        return {"new": new, "changed": changed, "same": len(self.rows) - new - changed, "bad": bad}


def columns(register: Register) -> list[str]:
    """The columns of a register's sheets, in order: the form's fields, a point as longitude and latitude."""
    names: list[str] = []
    for name in register.form:
        if is_shape(register.field(name)):
            names += [LON, LAT] if register.is_point else [GEOMETRY]
        else:
            names.append(name)
    return names


def column_label(register: Register, name: str) -> str:
    """What a column of a sheet is called, in the reader's language."""
    if name in POSITION:
        return _(POSITION[name]).capitalize()
    if name == GEOMETRY and register.geometry is not None:
        return field_label(register.geometry)
    return field_label(register.field(name))


def heads(register: Register, by: Actor) -> list[Head]:
    """The heads of the template: what each column is called, what may stand in it, whether it is needed."""
    made = form_class(register, by=by)
    found = []
    for name in columns(register):
        if name in register.personal and not may_call(register, by):
            continue
        form_field = made.base_fields.get(name)
        required = bool(form_field and form_field.required and not isinstance(form_field, FlagField))
        required = required and not register.field(name).has_default()
        choices = tuple(_choices(form_field)) if form_field else ()
        label = column_label(register, name)
        found.append(Head(label=label, note=_note(register, name, form_field, required), required=required,
                          choices=choices[:1000], width=max(12, min(40, 2 * len(label) + 4))))  # fmt: skip
    return found


def guess(register: Register, found: Iterable[str]) -> dict[str, str]:
    """Which field each head of a file means; "" for none. A field is given to the first head that names it."""
    names = _aliases(register)
    mapping: dict[str, str] = {}
    for head in found:
        target = names.get(_folded(head), "")
        mapping[head] = "" if target in mapping.values() else target
    return mapping


def check(register: Register, run: ImportRun, *, by: Actor) -> Checked:
    """Check all rows of a file against the register as it is now. A few queries, and some for what is new."""
    return _Check(register, run, by).made()


class _Check:
    """The check of one file."""

    def __init__(self, register: Register, run: ImportRun, by: Actor) -> None:
        self.register, self.run, self.by = register, run, by
        self.problems: list[Problem] = []
        self.taken: list[Taken] = []
        self.head_of = {target: head for head, target in run.mapping.items() if target and head in run.heads}
        self._classes: dict[tuple[str, ...], type[forms.ModelForm[Any]]] = {}
        # One cache of pointers for all forms of the file.
        self._known: dict[str, dict[str, Any]] = {}

    def made(self) -> Checked:
        if self.register.key not in self.head_of:
            label = column_label(self.register, self.register.key)
            self._say(
                1,
                label,
                "",
                _("The file has no column for it."),
                _("Say below which column it is, or add it to the file."),
            )
            return Checked([], self.problems)
        rows = [(line, self._targets(cells)) for line, cells in self.run.rows]
        keys = [self._key(cells) for _line, cells in rows]
        stored, inside = self._stored(keys)
        seen: dict[str, int] = {}
        for (line, cells), key in zip(rows, keys, strict=True):
            first = seen.setdefault(key, line)
            if not key:
                self._say(line, self.register.key, "", _("A value is needed here."), _("Fill in the cell."))
            elif first != line:
                self._say(line, self.register.key, key, _("It stands in line %(line)s already.") % {"line": first},
                          _("Remove one of the two rows."))  # fmt: skip
            elif key in stored and stored[key].pk not in inside:
                self._say(line, self.register.key, key, _("This row exists and lies outside your reach."),
                          _("Remove it from the file, or ask its owner to change it."))  # fmt: skip
            else:
                self._row(line, cells, stored.get(key))
        return Checked(self.taken, self.problems)

    def _targets(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        return {target: cells.get(head, "") for target, head in self.head_of.items()}

    def _key(self, cells: Mapping[str, Any]) -> str:
        """The code in the key's cell; exports write "code name" for what is pointed to."""
        text = str(cells.get(self.register.key, "")).strip()
        if isinstance(self.register.field(self.register.key), ForeignKey):
            return text.split(" ", 1)[0]
        return text

    def _stored(self, keys: Sequence[str]) -> tuple[dict[str, Any], set[Any]]:
        """The rows that exist already, by key, and which of them lie within reach."""
        joins = [name for name in self.register.form if isinstance(self.register.field(name), ForeignKey)]
        wanted = sorted({key for key in keys if key and key.isprintable()})
        stored: dict[str, Any] = {}
        inside: set[Any] = set()
        for start in range(0, len(wanted), _CHUNK):
            chosen = {f"{self.register.key_path}__in": wanted[start : start + _CHUNK]}
            rows = self.register.model._default_manager.filter(**chosen).select_related(*joins)
            stored.update((self.register.key_of(row), row) for row in rows)
            inside |= set(services.reach(self.register, self.by).filter(**chosen).values_list("pk", flat=True))
        return stored, inside

    def _row(self, line: int, cells: dict[str, Any], stored: Any) -> None:
        before = len(self.problems)
        values = self._values(line, cells, stored)
        names = (
            tuple(name for name in self.register.form if name in values)
            if stored is not None
            else tuple(self.register.form)
        )
        if stored is not None and not names:
            if len(self.problems) == before:
                self.taken.append(Taken(line, stored, is_new=False))
            return
        made = self._class(names)
        instance = copy.copy(stored) if stored is not None else None
        form = made(as_data(self.register, values), instance=instance)
        # A position or a masked value that was refused above is not in the form: each wrong cell is told once.
        if form.is_valid():
            if len(self.problems) == before:
                changes = self._changes(stored, form.instance, names)
                self.taken.append(Taken(line, form.instance, stored is None, changes))
            return
        for name, errors in form.errors.as_data().items():
            for error in errors:
                self._tell(line, name, cells, form.fields.get(name), error)

    def _values(self, line: int, cells: dict[str, Any], stored: Any) -> dict[str, Any]:
        """Cells by field: positions put together, masked names and numbers left as they are on record."""
        values: dict[str, Any] = {}
        for name, value in cells.items():
            if name in (LON, LAT, GEOMETRY):
                continue
            if name in self.register.personal:
                if not may_call(self.register, self.by):
                    continue
                if stored is not None and str(value) == mask(str(read(stored, name) or "")):
                    continue
                if "**" in str(value):
                    self._say(
                        line,
                        name,
                        value,
                        _("The value is masked."),
                        _("Write the whole value, or leave out the column."),
                    )
                    continue
            values[name] = self._default(name) if value == "" and self._has_default(name) else value
        if stored is not None:
            values.pop(self.register.key, None)
        if stored is None:
            values.update(
                (name, self._default(name))
                for name in self.register.form
                if name not in values and self._has_default(name)
            )
        if self.register.geometry is not None:
            self._position(line, cells, values)
        return values

    def _has_default(self, name: str) -> bool:
        """Whether the model says what stands in a field that nobody filled in."""
        field = self.register.field(name)
        return field.has_default() and not is_shape(field) and not isinstance(field, WordsField)

    def _default(self, name: str) -> Any:
        return self.register.field(name).get_default()

    def _position(self, line: int, cells: dict[str, Any], values: dict[str, Any]) -> None:
        shape: Any = cells.get(GEOMETRY)
        column = GEOMETRY if GEOMETRY in cells else LON
        if not shape and (LON in cells or LAT in cells):
            lon, lat = str(cells.get(LON, "")).strip(), str(cells.get(LAT, "")).strip()
            if bool(lon) != bool(lat):
                rule, remedy = _("Longitude and latitude belong together."), _("Fill in both, or neither.")
                self._say(line, LON if not lon else LAT, "", rule, remedy)
                return
            for name, number in ((LON, lon), (LAT, lat)):
                try:
                    float(number or 0)
                except ValueError:
                    self._say(
                        line, name, number, _("It is not a number."), _("Write degrees with a point, like 121.4046.")
                    )
                    return
            shape = f"{lon},{lat}" if lon else ""
        if GEOMETRY not in cells and LON not in cells and LAT not in cells:
            return
        name = self.register.geometry.name if self.register.geometry is not None else GEOMETRY
        if not shape:
            values[name] = ""
            return
        try:
            made = parse(shape, self.register.geometry.kinds if self.register.geometry is not None else ())
            system = str(self.run.mapping.get("*crs", "wgs84"))
            values[name] = convert_shapes(made, system, "wgs84") if system not in ("wgs84", "cgcs2000") else made
        except GeometryError as error:
            rule, remedy = _parts(_(error.template) % error.params)
            self._say(line, column, shape, rule, remedy)
        except CoordinateError as error:
            self._say(line, column, shape, str(error), _("Choose the coordinate system the file is in."))

    def _class(self, names: tuple[str, ...]) -> type[forms.ModelForm[Any]]:
        if names not in self._classes:
            made = self._classes[names] = form_class(self.register, by=self.by, names=names, bulk=True)
            for name, each in made.base_fields.items():
                if isinstance(each, PointerField):
                    each.known = self._known.setdefault(name, {})
        return self._classes[names]

    def _changes(self, stored: Any, row: Any, names: Sequence[str]) -> list[tuple[str, str, str]]:
        """What the row changes, as people read it; nothing for a new row but that it is one."""
        if stored is None:
            return []
        old, new = services.exact(self.register, stored), services.exact(self.register, row)
        found = []
        for name in names:
            if old[name] != new[name]:
                before, after = (self._shown(each, name) for each in (stored, row))
                found.append((field_label(self.register.field(name)), before, after))
        return found

    def _shown(self, row: Any, name: str) -> str:
        value = read(row, name)
        shown = text(self.register.field(name), value)
        return mask(shown) if name in self.register.personal else shown

    def _tell(self, line: int, name: str, cells: Mapping[str, Any], form_field: Any, error: ValidationError) -> None:
        rule = " ".join(error.messages)
        if name == "__all__":
            self._say(line, "", "", rule, _("Compare the row with the register."))
            return
        missing = name not in cells and not (
            is_shape(self.register.field(name)) and (LON in cells or GEOMETRY in cells)
        )
        remedy = _remedy(error.code or "", form_field)
        if missing:
            remedy = _("The row is new, so the file needs this column: add it.")
        column = LON if is_shape(self.register.field(name)) and LON in cells else name
        value = cells.get(name, "") if column == name else f"{cells.get(LON)}, {cells.get(LAT)}"
        self._say(line, column, mask(str(value)) if name in self.register.personal else value, rule, remedy)

    def _say(self, line: int, name: str, value: Any, rule: str, remedy: str) -> None:
        head = self.head_of.get(name)
        if head is None and (name in POSITION or name == GEOMETRY or self.register.find(name) is not None):
            head = column_label(self.register, name)
        shown = value if isinstance(value, str) else "" if value is None else str(value)
        short = shown if len(shown) <= _VALUE_MOST else shown[: _VALUE_MOST - 1] + "…"
        self.problems.append(Problem(line, head or name, short, rule, remedy))


def _parts(message: str) -> tuple[str, str]:
    """Rule and remedy of a shape's error, which stand on two sides of its last colon."""
    rule, _colon, remedy = message.replace("：", ": ").rpartition(": ")
    return (rule, remedy) if rule else (message, "")


def _remedy(code: str, form_field: Any) -> str:
    if code == "required":
        return _("Fill in the cell.")
    if code in ("unique", "unique_together"):
        return _("Give it a code of its own.")
    if isinstance(form_field, PointerField):
        return _("Write a code that the sheet of choices in the template lists.")
    if code in ("invalid_choice", "invalid_list"):
        listed = list(_choices(form_field))
        more = "…" if len(listed) > 12 else ""
        return _("Write one of these: %(choices)s") % {"choices": "、".join(listed[:12]) + more}
    if isinstance(form_field, FlagField):
        return _("Write yes or no.")
    if isinstance(form_field, forms.DateTimeField):
        return _("Write it like 2026-05-31 08:30.")
    if isinstance(form_field, forms.DateField):
        return _("Write it like 2026-05-31.")
    if isinstance(form_field, forms.IntegerField | forms.FloatField | forms.DecimalField):
        return _("Write a number in digits, without a unit, within the limits.")
    if code == "max_length":
        return _("Write it shorter.")
    return _("Correct the cell.")


def _choices(form_field: Any) -> Iterable[str]:
    """What may be written into a cell of this field; nothing where anything may."""
    if isinstance(form_field, PointerField) and form_field.queryset is not None:
        return [_pointer(each) for each in form_field.queryset[:1000]]
    if isinstance(form_field, FlagField):
        return [_("yes"), _("no")]
    if isinstance(form_field, forms.ChoiceField):
        pairs: Any = form_field.choices
        flat = [(value, label) for value, label in pairs if not isinstance(label, list | tuple)]
        return [str(label) for value, label in flat if value not in (None, "")]
    return []


def _pointer(thing: Model) -> str:
    """How sheets write what is pointed to: the code for the machine, the name for people."""
    return f"{getattr(thing, 'code', thing.pk)} {thing}"


def _note(register: Register, name: str, form_field: Any, required: bool) -> str:
    """The note of a column's head in the template."""
    field_ = register.find(name)
    parts = [_("Needed.") if required else _("May be empty.")]
    if name == register.key:
        parts.append(_("A row with a known code is changed, a row with a new one is added."))
    if name in POSITION:
        parts.append(_("Degrees with a point, like 121.4046; both or neither."))
    elif name == GEOMETRY:
        parts.append(_("GeoJSON or WKT in degrees; a GeoJSON file brings it by itself."))
    elif isinstance(form_field, PointerField):
        parts.append(_("The code, as the sheet of choices lists it; the name will do where only one bears it."))
    elif isinstance(field_, WordsField):
        parts.append(_("One or several, divided by 、: %(choices)s") % {"choices": "、".join(_choices(form_field))})
    elif is_flag(field_):
        parts.append(_("Write yes or no."))
    elif field_ is not None and field_.choices:
        parts.append(_("Write one of these: %(choices)s") % {"choices": "、".join(_choices(form_field))})
    elif isinstance(form_field, forms.DateField):
        parts.append(_("Write it like 2026-05-31."))
    elif is_number(field_):
        parts.append(_("A number in digits, without a unit."))
    elif form_field is not None and getattr(form_field, "max_length", None):
        parts.append(_("At most %(most)s characters.") % {"most": form_field.max_length})
    if form_field is not None and form_field.help_text:
        parts.append(str(form_field.help_text))
    return "\n".join(parts)


def _folded(head: str) -> str:
    return "".join(head.casefold().split()).replace("_", "").rstrip("*")


@lru_cache(maxsize=64)
def _aliases(register_: Register) -> dict[str, str]:
    """Every way to name a column, folded, to the column: the field, its label in each language, and other usual names."""
    found: dict[str, str] = {}
    names = columns(register_)
    for name in names:
        for other in _ALSO.get(name, ()):
            found.setdefault(_folded(other), name)
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for name in names:
                found[_folded(column_label(register_, name))] = name
    if register_.key not in ("code",):
        found.setdefault("code", register_.key)
        found.setdefault("编码", register_.key)
    found.update((_folded(name), name) for name in names)
    found[GEOMETRY] = GEOMETRY
    return found
