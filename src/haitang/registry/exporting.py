"""From rows to files: XLSX and CSV that the kit's import takes back unchanged, GeoJSON for maps and machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import shapely
from django.db.models import ForeignKey, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.registry.declare import Register
from haitang.registry.forms import may_call
from haitang.registry.importing import LAT, LON, Problem, column_label, columns, heads
from haitang.registry.sheets import GEOMETRY, Cell, Head, sheet_title, write_csv, write_template, write_xlsx
from haitang.registry.values import code_of, is_flag, mask, plain, read, text

XLSX_MOST = 20_000
FLAT_MOST = 100_000
FORMATS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "geojson": "application/geo+json",
}


def most(kind: str) -> int:
    """How many rows a file of this kind takes at most."""
    return XLSX_MOST if kind == "xlsx" else FLAT_MOST


def export(register: Register, rows: QuerySet[Any], kind: str, by: Any) -> Iterator[str | bytes]:
    """The file, piece by piece. Personal fields are masked except for who may see them."""
    read_rows = _whole(register, rows)
    clear = may_call(register, by)
    if kind == "geojson":
        yield from _geojson(register, read_rows, clear)
        return
    names = columns(register)
    named = [Head(label=column_label(register, name), width=18) for name in names]
    lines = ([_sheet_cell(register, row, name, clear) for name in names] for row in read_rows)
    if kind == "csv":
        yield from write_csv(named, lines)
    else:
        yield write_xlsx(register.title, named, lines)


def template(register: Register, by: Any) -> bytes:
    """An empty workbook for this register, with notes and choices."""
    return write_template(register.title, heads(register, by), _("Choices"))


def report(problems: Sequence[Problem], kind: str) -> Iterator[str | bytes]:
    """The report of an import as a file."""
    named = [Head(label=label, width=width) for label, width in
             ((_("Row"), 8), (_("Column"), 20), (_("Value"), 30), (_("Rule"), 50), (_("Remedy"), 60))]  # fmt: skip
    lines: Iterable[list[Cell]] = ([p.row, p.column, p.value, p.rule, p.remedy] for p in problems)
    if kind == "csv":
        yield from write_csv(named, lines)
    else:
        yield write_xlsx(_("Import report"), named, lines)


def file_name(register: Register, kind: str) -> str:
    """What a download is called: the register and the day."""
    return f"{sheet_title(register.title)}-{timezone.localdate():%Y%m%d}.{kind}"


def _whole(register: Register, rows: QuerySet[Any]) -> Iterator[Any]:
    joins = [name for name in register.form if isinstance(register.field(name), ForeignKey)]
    # `defer(None)`: the list goes without shapes, the file does not.
    return rows.defer(None).select_related(*joins).iterator(chunk_size=1000)


def _sheet_cell(register: Register, row: Any, name: str, clear: bool) -> Cell:
    if register.is_point and name in (LON, LAT):
        return row.west if name == LON else row.south  # type: ignore[no-any-return]
    field = register.geometry if name == GEOMETRY else register.field(name)
    value = read(row, register.geometry.name if name == GEOMETRY and register.geometry else name)
    if value is None:
        return None
    if name == GEOMETRY:
        return shapely.to_wkt(value, rounding_precision=7)
    if name in register.personal and not clear:
        return mask(str(value))
    if isinstance(field, ForeignKey):
        return f"{code_of(value)} {value}"
    if is_flag(field) or (field is not None and field.choices) or isinstance(value, list):
        return text(field, value)
    if isinstance(value, datetime):
        return text(field, value)
    if isinstance(value, str | int | float | date):
        return value
    return str(plain(field, value))


def _geojson(register: Register, rows: Iterable[Any], clear: bool) -> Iterator[str]:
    shape_name = register.geometry.name if register.geometry else ""
    yield '{"type": "FeatureCollection", "name": ' + json.dumps(register.slug) + ', "features": ['
    for number, row in enumerate(rows):
        feature = {
            "type": "Feature",
            "id": register.key_of(row),
            "geometry": plain(register.geometry, read(row, shape_name)) if shape_name else None,
            "properties": as_plain(register, row, clear),
        }
        yield ("," if number else "") + json.dumps(feature, ensure_ascii=False)
    yield "]}"


def as_plain(register: Register, row: Any, clear: bool) -> dict[str, Any]:
    """A row's fields for machines, without its shape."""
    found: dict[str, Any] = {}
    for name in register.form:
        field = register.field(name)
        if register.geometry is not None and name == register.geometry.name:
            continue
        value = plain(field, read(row, name))
        if name in register.personal and not clear:
            value = mask(str(value or ""))
        found[name] = value
    return found
