"""A JSON document to readings, by a few paths. Pure.

A path names fields with dots, and places in lists with numbers: `data.stations.0.name`; an empty path is the document
itself. The mapping has a line for each value of a row:

    level = CQ-{id}.level m
    rain.h1 = CQ-{id}.rain

that is the path of the value in the row, the code of the series (with paths of the row in braces), and the unit if it is
not the one that the series is registered with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from haitang.monitoring.wire import MAX_ROWS, BatchError, Columns

_LINE = re.compile(r"^\s*(?P<path>[^=\s]*)\s*=\s*(?P<series>\S+)(?:\s+(?P<unit>\S+))?\s*$")
_HOLE = re.compile(r"\{([^{}]*)\}")
_OFFSET = re.compile(r"^([+-])(\d{2}):(\d{2})$")
MOST_LINES = 500
_MISSING = object()


class MappingError(ValueError):
    """A mapping that says nothing, or contradicts itself; `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}" if line else text)
        self.line = line


@dataclass(frozen=True)
class Rule:
    """One line of a mapping."""

    path: str
    series: str
    unit: str


def read_rules(text: str) -> list[Rule]:
    """The lines of a mapping; # begins a remark. Raises MappingError."""
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        said = line.split("#", 1)[0].strip()
        if not said:
            continue
        found = _LINE.match(said)
        if not found:
            raise MappingError(number, f"{line.strip()[:60]!r} is not: path = series [unit]")
        if found["series"].count("{") != len(_HOLE.findall(found["series"])):
            raise MappingError(number, f"the braces of {found['series']!r} do not match")
        rules.append(Rule(found["path"], found["series"], found["unit"] or ""))
    if not rules:
        raise MappingError(0, "the mapping has no line: write path = series")
    if len(rules) > MOST_LINES:
        raise MappingError(MOST_LINES + 1, f"more than {MOST_LINES} lines")
    return rules


def offset(text: str) -> timezone:
    """A time zone such as +08:00; raises MappingError."""
    found = _OFFSET.match(text)
    if not found or int(found[2]) > 14 or int(found[3]) > 59:
        raise MappingError(0, f"{text!r} is not an offset such as +08:00")
    shift = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(shift if found[1] == "+" else -shift)


def at(document: Any, path: str) -> Any:
    """What stands at a path; a mark of its own where nothing does."""
    for name in path.split(".") if path else ():
        if isinstance(document, dict):
            document = document.get(name, _MISSING)
        elif isinstance(document, list) and name.lstrip("-").isdigit() and -len(document) <= int(name) < len(document):
            document = document[int(name)]
        else:
            return _MISSING
    return document


def readings(document: Any, rows_path: str, time_path: str, rules: Sequence[Rule], zone: timezone) -> Columns:
    """The readings of a document. A value that is missing, null or empty is no reading. Raises BatchError."""
    rows = at(document, rows_path)
    if rows is _MISSING:
        raise BatchError("malformed", f"the answer has nothing at {rows_path!r}")
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list):
        raise BatchError("malformed", f"what stands at {rows_path!r} is neither a list nor an object")
    found = Columns(unit=[])
    assert found.unit is not None
    common = at(document, time_path[1:]) if time_path.startswith("/") else _MISSING
    for row in rows:
        moment = common if time_path.startswith("/") else at(row, time_path)
        for rule in rules:
            value = at(row, rule.path)
            if value is _MISSING or value is None or value == "":
                continue
            found.series.append(_filled(rule.series, row))
            found.time.append(_moment(moment, zone))
            found.value.append(_number(value))
            found.unit.append(rule.unit or None)
            if len(found) > MAX_ROWS:
                raise BatchError(
                    "too_many_rows", f"the answer has more than {MAX_ROWS} readings; ask for less at a time"
                )
    return found


def _filled(template: str, row: Any) -> str:
    def fill(hole: re.Match[str]) -> str:
        value = at(row, hole[1])
        return "" if value is _MISSING else str(value)

    return _HOLE.sub(fill, template)


def _moment(value: Any, zone: timezone) -> Any:
    if not isinstance(value, str):
        return None if value is _MISSING else value
    text = value.strip().replace("/", "-")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _number(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
