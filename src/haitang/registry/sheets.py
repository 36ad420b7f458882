"""Tables as files: XLSX, CSV and GeoJSON, read with limits and written so that no spreadsheet runs what they hold. Pure.

A file from outside may be a zip bomb, declare entities, claim a million columns or be in an old Chinese encoding; a cell
may begin with = and be run as a formula by whoever opens the export. Both are dealt with here and nowhere else.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

MAX_BYTES = 10_000_000
MAX_UNPACKED = 150_000_000
# One transaction writes them, and nobody else writes meanwhile (SQLite): a few seconds at most.
MAX_ROWS = 5_000
MAX_COLUMNS = 200
GEOMETRY = "geometry"

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_GUARDED = re.compile(r"^'+[=+\-@\t\r]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CRS_TAKEN = ("CRS84", "4326", "4490")

csv.field_size_limit(MAX_BYTES)

Cell = str | int | float | bool | date | None


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogue; this module knows no Django."""
    return text


class SheetError(ValueError):
    """A file that cannot be read as a table. `template` and `params` stay apart, so that a page can translate them."""

    def __init__(self, template: str, **params: object) -> None:
        self.template, self.params = template, params
        super().__init__(template % params if params else template)


@dataclass(frozen=True)
class Table:
    """A file's table: the heads in its own words, and the rows, each with its line in the file."""

    heads: list[str]
    rows: list[tuple[int, dict[str, Any]]]
    kind: str


@dataclass(frozen=True, kw_only=True)
class Head:
    """One column of a file that is written: its label, what stands in it, what may stand in it."""

    label: str
    note: str = ""
    required: bool = False
    choices: Sequence[str] = field(default_factory=tuple)
    width: int = 16


def read(data: bytes) -> Table:
    """The table in a file; what kind of file it is, its first bytes tell. Raises SheetError."""
    if len(data) > MAX_BYTES:
        raise SheetError(
            gettext_noop("The file has %(size)s MB, at most %(most)s MB are taken: split it."),
            size=f"{len(data) / 1e6:.1f}", most=MAX_BYTES // 1_000_000,
        )  # fmt: skip
    if not data.strip():
        raise SheetError(gettext_noop("The file is empty: fill in the template and bring it again."))
    if data[:4] == b"PK\x03\x04":
        table = _read_xlsx(data)
    elif data[:4] == b"\xd0\xcf\x11\xe0":
        raise SheetError(
            gettext_noop("This is an old XLS file or is locked by a password: save it as XLSX without one.")
        )
    elif data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        table = _read_geojson(data)
    else:
        table = _read_csv(data)
    if not table.rows:
        raise SheetError(gettext_noop("The file has heads but no rows: fill in at least one row."))
    return table


# -- reading ----------------------------------------------------------------------------------------------------


def _read_csv(data: bytes) -> Table:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise SheetError(gettext_noop("The text is neither UTF-8 nor GB18030: save the file as 'CSV UTF-8'."))
    if "\0" in text:
        raise SheetError(gettext_noop("The file is not text: save it as 'CSV UTF-8' or XLSX."))
    first = text.split("\n", 1)[0]
    between = max((",", "\t", ";"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    try:
        heads = _heads(next(reader, []))
        rows = [
            (line, {head: _unguarded(value.strip()) for head, value in zip(heads, cells, strict=False) if head})
            for line, cells in _limited(((reader.line_num, cells) for cells in reader), heads)
        ]
    except csv.Error as error:
        raise SheetError(
            gettext_noop("Line %(line)s cannot be read (%(error)s): look for a quotation mark that is not closed."),
            line=reader.line_num, error=error,
        ) from error  # fmt: skip
    return Table([head for head in heads if head], rows, "csv")


def _unguarded(text: str) -> str:
    return text[1:] if _GUARDED.match(text) else text


def _limited(lines: Iterable[tuple[int, Sequence[Any]]], heads: Sequence[str]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Lines that are not empty, so many as are taken."""
    taken = 0
    for number, cells in lines:
        # A single cell in the last line of a sheet would have openpyxl walk over a million empty ones.
        if number > 20 * MAX_ROWS:
            raise SheetError(
                gettext_noop("The sheet goes on to line %(line)s: delete the empty lines at its end."),
                line=f"{number:,}",
            )
        if not any(value is not None and str(value).strip() for value in cells):
            continue
        taken += 1
        if taken > MAX_ROWS:
            raise SheetError(gettext_noop("The file has more than %(most)s rows: split it."), most=f"{MAX_ROWS:,}")
        if any(str(value or "").strip() for value in cells[len(heads) :]):
            raise SheetError(
                gettext_noop("Line %(line)s has more cells than there are heads (%(heads)s): look for a comma too many."),
                line=number, heads=len(heads),
            )  # fmt: skip
        yield number, cells


def _heads(cells: Sequence[Any]) -> list[str]:
    heads = [str(cell or "").strip().rstrip("*").strip() for cell in cells]
    while heads and not heads[-1]:
        heads.pop()
    if not any(heads):
        raise SheetError(gettext_noop("The first row is empty: it must hold the heads of the columns."))
    if len(heads) > MAX_COLUMNS:
        raise SheetError(gettext_noop("The file has more than %(most)s columns: remove the others."), most=MAX_COLUMNS)
    twice = sorted({head for head in heads if head and heads.count(head) > 1})
    if twice:
        raise SheetError(
            gettext_noop("The head %(head)s stands over two columns: rename or remove one."), head="、".join(twice)
        )
    return heads


def _read_xlsx(data: bytes) -> Table:
    _check_package(data)
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        try:
            page = next((each for each in book.worksheets if each.sheet_state == "visible"), None)
            if page is None:
                raise SheetError(gettext_noop("The workbook has no visible sheet."))
            # What the file claims about its size is not believed: it would have empty cells made by the million.
            page.reset_dimensions()  # type: ignore[union-attr]
            lines = page.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True)
            heads = _heads(next(lines, ()))
            rows = [
                (line, {head: _cell_text(value) for head, value in zip(heads, cells, strict=False) if head})
                for line, cells in _limited(enumerate(lines, start=2), heads)
            ]
        finally:
            book.close()
    except SheetError:
        raise
    except Exception as error:
        # openpyxl has no error of its own: a broken part shows as KeyError, ParseError, TypeError and others.
        raise SheetError(
            gettext_noop(
                "The workbook cannot be read (%(error)s): open it in a spreadsheet program and save it again."
            ),
            error=type(error).__name__,
        ) from error
    return Table([head for head in heads if head], rows, "xlsx")


def _check_package(data: bytes) -> None:
    """Refuse a package that unpacks to too much, or whose parts declare entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = package.infolist()
            if len(parts) > 2_000 or sum(part.file_size for part in parts) > MAX_UNPACKED:
                raise SheetError(
                    gettext_noop("The workbook unpacks to more than %(most)s MB: copy the table into a new workbook."),
                    most=MAX_UNPACKED // 1_000_000,
                )
            if not any(part.filename == "[Content_Types].xml" for part in parts):
                raise SheetError(gettext_noop("This ZIP file is not a workbook: bring XLSX, CSV or GeoJSON."))
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with package.open(part) as opened:
                        if b"<!DOCTYPE" in opened.read(2048).upper():
                            raise SheetError(
                                gettext_noop("The workbook declares entities, which no spreadsheet program does.")
                            )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise SheetError(
            gettext_noop(
                "The workbook cannot be read (%(error)s): open it in a spreadsheet program and save it again."
            ),
            error=type(error).__name__,
        ) from error


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value).strip()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _read_geojson(data: bytes) -> Table:
    try:
        loaded = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SheetError(
            gettext_noop("The GeoJSON cannot be read (%(error)s): export it again, in UTF-8."), error=str(error)[:120]
        ) from error
    if isinstance(loaded, Mapping) and loaded.get("type") == "Feature":
        loaded = {"type": "FeatureCollection", "features": [loaded]}
    features = loaded.get("features") if isinstance(loaded, Mapping) else None
    if not isinstance(features, list):
        raise SheetError(gettext_noop("The GeoJSON is not a FeatureCollection: export the layer as one."))
    crs = json.dumps(loaded.get("crs") or "")
    if loaded.get("crs") and not any(name in crs for name in _CRS_TAKEN):
        raise SheetError(
            gettext_noop("The GeoJSON is in %(crs)s: export it in WGS-84 (EPSG:4326) or CGCS2000 degrees (EPSG:4490)."),
            crs=crs[:80],
        )
    if len(features) > MAX_ROWS:
        raise SheetError(gettext_noop("The file has more than %(most)s rows: split it."), most=f"{MAX_ROWS:,}")
    heads: dict[str, None] = {}
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, feature in enumerate(features, start=1):
        properties = (feature.get("properties") or {}) if isinstance(feature, Mapping) else None
        if not isinstance(feature, Mapping) or not isinstance(properties, Mapping):
            raise SheetError(
                gettext_noop("Feature %(number)s is not a GeoJSON feature: export the layer again."), number=number
            )
        cells: dict[str, Any] = {str(name).strip(): _property_text(value) for name, value in properties.items()}
        if feature.get("geometry") is not None:
            cells[GEOMETRY] = feature["geometry"]
        heads.update(dict.fromkeys(cells))
        rows.append((number, cells))
    if len(heads) > MAX_COLUMNS:
        raise SheetError(gettext_noop("The file has more than %(most)s columns: remove the others."), most=MAX_COLUMNS)
    return Table(list(heads), rows, "geojson")


def _property_text(value: Any) -> str:
    if isinstance(value, list | dict):
        is_words = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return "|".join(value) if is_words else json.dumps(value, ensure_ascii=False)
    return _cell_text(value)


# -- writing ----------------------------------------------------------------------------------------------------


def guarded(value: Cell) -> str:
    """A CSV cell that no spreadsheet runs: text that begins like a formula gets an apostrophe, which `read` takes away."""
    if value is None:
        return ""
    if isinstance(value, str):
        clean = _CONTROL.sub("", value)
        return f"'{clean}" if clean.startswith(_FORMULA) or _GUARDED.match(clean) else clean
    return _cell_text(value)


def write_csv(heads: Sequence[Head], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """CSV piece by piece, with the mark by which Excel knows UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out)
    out.write("\ufeff")
    writer.writerow([guarded(head.label) for head in heads])
    for number, row in enumerate(rows, start=1):
        writer.writerow([guarded(cell) for cell in row])
        if number % 500 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def write_xlsx(title: str, heads: Sequence[Head], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A workbook of one sheet. Text stays text, whatever it begins with."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet_title(title))
    page.freeze_panes = "A2"
    for number, head in enumerate(heads, start=1):
        page.column_dimensions[_letter(number)].width = head.width
    bold = Font(bold=True)

    def made(value: Cell, *, head: bool = False) -> Any:
        if not isinstance(value, str):
            return value
        cell: Any = WriteOnlyCell(page, value="")
        cell._value = _CONTROL.sub("", value)[:32_000]  # past the setter, which would take "=..." for a formula
        cell.data_type = "s"
        if value.startswith(_FORMULA):
            cell.quotePrefix = True
        if head:
            cell.font = bold
        return cell

    page.append([made(head.label, head=True) for head in heads])
    for row in rows:
        page.append([made(cell) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def write_template(title: str, heads: Sequence[Head], choices_title: str) -> bytes:
    """An empty workbook to fill in: needed columns are coloured, each head has its note, choices drop down."""
    from openpyxl import Workbook
    from openpyxl.comments import Comment
    from openpyxl.styles import Font, PatternFill
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet_title(title)
    lists = book.create_sheet(sheet_title(choices_title))
    page.freeze_panes = "A2"
    used = 0
    for number, head in enumerate(heads, start=1):
        letter = _letter(number)
        cell = page.cell(row=1, column=number, value=head.label + (" *" if head.required else ""))
        cell.data_type = "s"
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="FFE8CC" if head.required else "E7F0F7")
        page.column_dimensions[letter].width = head.width
        if head.note:
            cell.comment = Comment(head.note, "Haitang", width=320, height=120)
        if head.choices:
            used += 1
            lists.cell(row=1, column=used, value=head.label).font = Font(bold=True)
            for k, choice in enumerate(head.choices, start=2):
                lists.cell(row=k, column=used, value=_CONTROL.sub("", choice)).data_type = "s"
            column = _letter(used)
            where = f"'{lists.title}'!${column}$2:${column}${len(head.choices) + 1}"
            rule = DataValidation(type="list", formula1=where, allow_blank=True, showErrorMessage=False)
            page.add_data_validation(rule)
            rule.add(f"{letter}2:{letter}{MAX_ROWS + 1}")
    if not used:
        book.remove(lists)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheet_title(title: str) -> str:
    """A title that a workbook takes: without the signs it forbids, at most 31 characters."""
    return re.sub(r"[\[\]:*?/\\']", " ", title).strip()[:31] or "Sheet1"


def _letter(number: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(number))
