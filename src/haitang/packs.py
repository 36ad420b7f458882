"""Data packs: a district's own data as readable files, and how slices take them in.

A slice declares in its `pack.py` (imported at start) what it reads from a pack:

    @section("resources.shelters", after=("geo.places", "accounts.organisations"))
    def shelters(pack: Pack, by: Actor) -> int:
        for row in pack.rows("shelters.csv"):
            register(code=row["code"], capacity=row.integer("capacity"), by=by, ...)
        return number_of_rows_taken

`haitang load-pack` runs all sections in one transaction, each after those it names. Loading a pack again updates what
changed and journals only that. `demo=True` marks a section of invented records: it runs only for a demonstration.
"""

from __future__ import annotations

import csv
import io
import json
import math
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.dateparse import parse_date, parse_datetime


class PackError(ValueError):
    """A pack cannot be taken in: file, row and field, the value, the rule, the remedy."""

    def __init__(self, file: str, rule: str, remedy: str = "", *, row: int | None = None, field: str = "", value: object = None) -> None:  # fmt: skip
        self.file, self.row, self.field, self.value, self.rule, self.remedy = file, row, field, value, rule, remedy
        where = file + (f", line {row}" if row is not None else "") + (f", {field}" if field else "")
        shown = f" ({value!r})" if value is not None else ""
        super().__init__(f"{where}{shown}: {rule}" + (f". {remedy}" if remedy else ""))


class Row(Mapping[str, str]):
    """One row of a CSV file; the methods read typed values and name row and field when they cannot."""

    def __init__(self, file: str, line: int, cells: Mapping[str, str]) -> None:
        self.file, self.line, self._cells = file, line, cells

    def __getitem__(self, name: str) -> str:
        try:
            return self._cells[name]
        except KeyError:
            raise self.error(name, "the file has no such column", "Add the column to the first line") from None

    def __contains__(self, name: object) -> bool:
        return name in self._cells

    def get(self, name: str, default: Any = None) -> Any:
        """The text of a cell, the default where the file has no such column."""
        return self._cells.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def error(self, field: str, rule: str, remedy: str = "") -> PackError:
        """An error about one cell of this row."""
        return PackError(self.file, rule, remedy, row=self.line, field=field, value=self._cells.get(field))

    def cleaned(self, instance: Model, *, exclude: Collection[str] = ()) -> None:
        """Raise PackError for the first field of the instance that its model does not take. No queries."""
        try:
            instance.clean_fields(exclude=set(exclude))
        except ValidationError as error:
            field, texts = next(iter(error.message_dict.items()))
            if field in self:
                raise self.error(field, " ".join(texts)) from error
            raise PackError(self.file, " ".join(texts), row=self.line, field=field) from error

    def needed(self, name: str) -> str:
        """The text of a cell that must not be empty."""
        if not self[name]:
            raise self.error(name, "a value is needed here")
        return self[name]

    def number(self, name: str) -> float | None:
        """A number, None where the cell is empty."""
        try:
            found = float(self[name]) if self[name] else None
        except ValueError:
            found = math.nan
        if found is not None and not math.isfinite(found):
            raise self.error(name, "is not a number", "Write digits with a point, without units")
        return found

    def integer(self, name: str) -> int | None:
        """A whole number, None where the cell is empty."""
        found = self.number(name)
        if found is not None and found != int(found):
            raise self.error(name, "is not a whole number")
        return None if found is None else int(found)

    def flag(self, name: str) -> bool:
        """1, true, yes; or 0, false, no and empty."""
        text = self[name].lower()
        if text in {"1", "true", "yes"}:
            return True
        if text in {"", "0", "false", "no"}:
            return False
        raise self.error(name, "is neither yes nor no", "Write 1 or 0")

    def date(self, name: str) -> date | None:
        """A date, None where the cell is empty."""
        found = parse_date(self[name]) if self[name] else None
        if self[name] and found is None:
            raise self.error(name, "is not a date", "Write it like 2024-09-16")
        return found

    def moment(self, name: str) -> datetime | None:
        """A time with its offset, None where the cell is empty."""
        found = parse_datetime(self[name]) if self[name] else None
        if self[name] and (found is None or found.tzinfo is None):
            raise self.error(name, "is not a time with an offset", "Write it like 2024-09-16T07:30:00+08:00")
        return found

    def words(self, name: str) -> list[str]:
        """The parts of a cell that lists several, divided by |."""
        return [word.strip() for word in self[name].split("|") if word.strip()]


class Member(Row):
    """One feature of a GeoJSON file: its properties as cells, its geometry as it stands there; `line` counts features."""

    def __init__(self, file: str, number: int, cells: Mapping[str, str], geometry: Any) -> None:
        super().__init__(file, number, cells)
        self.geometry = geometry

    def error(self, field: str, rule: str, remedy: str = "") -> PackError:
        """An error about one property of this feature, or about its geometry."""
        value = None if field == "geometry" else self._cells.get(field)
        return PackError(self.file, rule, remedy, field=f"feature {self.line}, {field}", value=value)


class Pack:
    """One pack: a folder with `pack.toml`, read file by file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "pack.toml").is_file():
            raise PackError(
                str(folder / "pack.toml"), "there is no such file", "A pack is a folder in packs/ with a pack.toml"
            )
        self.about: dict[str, Any] = self.toml("pack.toml")

    @property
    def name(self) -> str:
        """The pack's folder name."""
        return self.folder.name

    def has(self, file: str) -> bool:
        """Whether the pack brings this file."""
        return (self.folder / file).is_file()

    def files(self, pattern: str) -> list[str]:
        """The pack's files of a pattern such as `plans/*.toml`, as paths inside the pack, in order of name."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.glob(pattern))

    def toml(self, file: str) -> dict[str, Any]:
        """A TOML file; an empty dict where the pack does not bring it."""
        path = self.folder / file
        if not path.is_file():
            return {}
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PackError(file, str(error), "Mend the file; it is TOML in UTF-8") from error

    def rows(self, file: str) -> Iterator[Row]:
        """The rows of a CSV file in UTF-8, none where the pack does not bring it. Lines that begin with # are comments."""
        numbered = self._lines(file)
        reader = csv.reader((line for _number, line in numbered), strict=True)
        names: list[str] = []
        while True:
            try:
                cells = [cell.strip() for cell in next(reader)]
            except StopIteration:
                return
            except csv.Error as error:
                line = numbered[max(reader.line_num, 1) - 1][0]
                raise PackError(
                    file, str(error), "Quotes enclose a whole cell; a quote inside is written twice", row=line
                ) from error
            line = numbered[reader.line_num - 1][0]
            if not names:
                names = cells
                twice = next((name for name in names if names.count(name) > 1), None)
                if twice is not None:
                    raise PackError(file, "the column stands twice", "Keep one of them", row=line, field=twice)
                continue
            if len(cells) != len(names):
                raise PackError(file, "has another number of cells than the first line", "Count the commas", row=line)
            yield Row(file, line, dict(zip(names, cells, strict=True)))

    def _lines(self, file: str) -> list[tuple[int, str]]:
        path = self.folder / file
        if not path.is_file():
            return []
        try:
            lines = list(io.StringIO(path.read_text(encoding="utf-8-sig")))
        except UnicodeDecodeError as error:
            raise PackError(file, str(error), "Save the file in UTF-8") from error
        numbered = [(n, line) for n, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
        for number, line in numbered:
            if "\0" in line:
                raise PackError(file, "holds a NUL character", "Save the file as plain text in UTF-8", row=number)
        return numbered

    def table(self, file: str, *, needed: Collection[str], optional: Collection[str] = ()) -> Iterator[Row]:
        """As `rows`, with the columns checked: none missing, none unknown. Optional ones left out read as empty."""
        known = {*needed, *optional}
        for row in self.rows(file):
            for name in sorted(known - set(row)):
                if name in needed:
                    raise PackError(file, "the file has no such column", "Add the column to the first line", field=name)
            for name in row:
                if name not in known:
                    raise PackError(
                        file, "no such column is known here", f"Known: {', '.join(sorted(known))}", field=name
                    )
            yield Row(file, row.line, {**dict.fromkeys(known, ""), **row})

    def members(self, file: str, *, optional: Collection[str] = ()) -> Iterator[Member]:
        """The features of a GeoJSON file, none where the pack does not bring it; optional properties may be missing."""
        path = self.folder / file
        if not path.is_file():
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise PackError(file, str(error), "Mend the file; it is GeoJSON in UTF-8") from error
        features = found.get("features") if isinstance(found, dict) else None
        if not isinstance(features, list):
            raise PackError(file, "is not a FeatureCollection", "Export the layer as GeoJSON")
        for number, feature in enumerate(features, start=1):
            properties = feature.get("properties") if isinstance(feature, dict) else None
            if not isinstance(properties, dict):
                raise PackError(file, f"feature {number} is not a feature with properties")
            cells = {str(name): "" if value is None else _text(value) for name, value in properties.items()}
            yield Member(file, number, {**dict.fromkeys(optional, ""), **cells}, feature.get("geometry"))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value).strip()


# `by` is an accounts Actor; the type stands above this module.
Take = Callable[[Pack, Any], int]


@dataclass(frozen=True)
class Section:
    """What one slice reads from a pack."""

    name: str
    take: Take
    after: Sequence[str] = ()
    demo: bool = False


SECTIONS: dict[str, Section] = {}


def section(name: str, *, after: Sequence[str] = (), demo: bool = False) -> Callable[[Take], Take]:
    """Declare what a slice reads from a pack; the decorated function returns how many rows it took."""

    def decorate(take: Take) -> Take:
        known = SECTIONS.get(name)
        if known and known.take is not take:
            raise RuntimeError(f"pack section {name} is declared twice")
        SECTIONS[name] = Section(name, take, tuple(after), demo)
        return take

    return decorate


def in_order(sections: Mapping[str, Section] = SECTIONS) -> list[Section]:
    """The sections, each after those it names; a name that no installed slice declares is passed over."""
    done: dict[str, Section] = {}
    under_way: list[str] = []

    def visit(name: str) -> None:
        if name in done or name not in sections:
            return
        if name in under_way:
            raise RuntimeError(f"pack sections wait for each other: {' -> '.join([*under_way, name])}")
        under_way.append(name)
        for before in sections[name].after:
            visit(before)
        under_way.pop()
        done[name] = sections[name]

    for name in sorted(sections, key=lambda each: (sections[each].demo, each)):
        visit(name)
    return list(done.values())
