"""One value of a row in its forms: text for people and sheets, a cell of the list, plain data for machines."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import shapely
from django.db.models import BooleanField, CharField, Field, FloatField, ForeignKey, IntegerField, TextField
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from shapely.geometry.base import BaseGeometry

from haitang.geo.fields import GeometryField
from haitang.registry.declare import Column, Register
from haitang.registry.words import WordsField

AnyField = Field[Any, Any]
DASH = '<span class="text-secondary">—</span>'
_COLOURS = frozenset({"red", "orange", "yellow", "blue", "green", "grey"})


def label_of(register: Register, column: Column) -> str:
    """A column's head: what was declared, else what the model calls the field."""
    if column.label:
        return str(column.label)
    if column.name == "name":
        return pgettext("register", "Name")
    found = register.find(column.name)
    return str(capfirst(str(found.verbose_name))) if found is not None else column.name


def field_label(field: AnyField) -> str:
    """What people call a field."""
    return str(capfirst(str(field.verbose_name)))


def code_of(thing: Any) -> str:
    """By what a row that another row points to is known."""
    return str(getattr(thing, "code", thing.pk))


def read(row: Any, path: str) -> Any:
    """The value at a path, None where it breaks off."""
    value = row
    for part in path.split("__"):
        value = getattr(value, part, None)
        if value is None:
            return None
    return value


def mask(text: str) -> str:
    """What is shown of a personal value: 张**, 138****5678; one can tell who is meant when one knows it already."""
    if len(text) >= 7:
        return f"{text[:3]}****{text[-4:]}" if len(text) >= 11 else f"{text[:2]}****{text[-1:]}"
    return text[:1] + "*" * max(len(text) - 1, 1) if text else ""


def text(field: AnyField | None, value: Any) -> str:
    """The value as people read it, in their language; empty for none."""
    if value is None or value == "":
        return ""
    if isinstance(field, WordsField):
        labels = dict(field.words.choices) if field.words else {}
        return "、".join(str(labels.get(word, word)) for word in value)
    if field is not None and field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "Y-m-d H:i") if timezone.is_aware(value) else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:,.6f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    if isinstance(value, BaseGeometry):
        return shape_text(value)
    return str(value)


def shape_text(shape: BaseGeometry) -> str:
    """A point as its coordinates, anything else as what it is and how large."""
    if shape.geom_type == "Point":
        return f"{shape.x:.6f}, {shape.y:.6f}"  # type: ignore[attr-defined]
    return _("%(kind)s, %(points)s points") % {
        "kind": shape.geom_type,
        "points": int(shapely.get_num_coordinates(shape)),
    }


def plain(field: AnyField | None, value: Any) -> Any:
    """The value for machines: codes for what is pointed to, ISO 8601 for times, GeoJSON for shapes."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(field, ForeignKey):
        return code_of(value)
    if isinstance(value, datetime):
        return (timezone.localtime(value) if timezone.is_aware(value) else value).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, BaseGeometry):
        return shapely.geometry.mapping(value)
    if isinstance(value, list | tuple):
        return list(value)
    return str(value)


def snapshot(register: Register, row: Any, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """A row as the journal keeps it: plain values of the form's fields, people masked, large shapes by their sum.

    The journal cannot forget, so what somebody may ask to be deleted does not go into it.
    """
    found: dict[str, Any] = {}
    for name in names or tuple(register.form):
        field = register.field(name)
        if isinstance(field, ForeignKey):
            pointed = getattr(row, name)
            found[name] = None if pointed is None else code_of(pointed)
            continue
        value = getattr(row, name)
        if name in register.personal:
            value = mask(str(value or ""))
        elif isinstance(value, BaseGeometry):
            value = _shape_sum(value)
        else:
            value = plain(field, value)
        found[name] = value
    return found


def _shape_sum(shape: BaseGeometry) -> str:
    if shape.geom_type == "Point":
        return shapely.to_wkt(shape, rounding_precision=7)
    import hashlib

    return f"{shape.geom_type} {hashlib.sha256(shapely.to_wkb(shape)).hexdigest()[:16]}"


def badge(label: str, colour: Any) -> SafeString:
    """A state's badge, as the frame's `state` component makes it."""
    name = str(getattr(colour, "value", colour) or "grey")
    shade = name if name in _COLOURS else "grey"
    return format_html('<span class="state c-{}">{}</span>', shade, label)


Cell = Callable[[Any], str]


def cell_maker(register: Register, column: Column) -> Cell:
    """How a column's cells are made: a function from row to safe HTML, settled once for all rows of a page.

    `html.escape`, not Django's: a list makes hundreds of cells, and none of their values is HTML already.
    """
    path = column.name
    if path == "name":
        return lambda row: html.escape(str(row)) or DASH
    field = register.find(path)
    get: Callable[[Any], Any] = (lambda row: read(row, path)) if "__" in path else attrgetter(path)
    if path in register.personal:
        return lambda row: html.escape(mask(str(get(row) or ""))) or DASH
    if field is not None and field.choices and not isinstance(field, WordsField):
        made: dict[Any, str] = {
            value: badge(str(label), column.colours[value]) if value in column.colours else html.escape(str(label))
            for value, label in field.flatchoices
        }
        return lambda row: made.get(get(row)) or cell(field, get(row))
    if isinstance(field, ForeignKey):
        return _pointer_maker(field, path)
    if isinstance(field, CharField | TextField) and not isinstance(field, WordsField):
        return lambda row: html.escape(get(row) or "") or DASH
    return lambda row: cell(field, get(row))


def _pointer_maker(field: AnyField, path: str) -> Cell:
    """Cells of what is pointed to: the rows of a page point to a few things, each is named once."""
    named: dict[Any, str] = {}
    key = attrgetter(field.attname) if "__" not in path else (lambda row: code_of(read(row, path)))

    def make(row: Any) -> str:
        pk = key(row)
        if pk is None:
            return DASH
        found = named.get(pk)
        if found is None:
            found = named[pk] = html.escape(str(read(row, path)))
        return found

    return make


def cell(field: AnyField | None, value: Any) -> str:
    """One value as safe HTML."""
    return html.escape(text(field, value)) or DASH


def is_number(field: AnyField | None) -> bool:
    """Whether values are numbers: they stand to the right, and sheets hold them as numbers."""
    return isinstance(field, IntegerField | FloatField) or getattr(field, "max_digits", None) is not None


def is_flag(field: AnyField | None) -> bool:
    """Whether values are yes or no."""
    return isinstance(field, BooleanField)


def is_shape(field: AnyField | None) -> bool:
    """Whether values are shapes."""
    return isinstance(field, GeometryField)
