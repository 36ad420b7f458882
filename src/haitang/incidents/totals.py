"""From series of numbers reported by places to one total: the latest of each place, nothing counted twice. Pure.

A place's number stands for everything inside it: where a township has reported, what its villages reported is not added to
it. Where the two differ the difference is told (`Difference`), not hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One reported number: the place's path ("310151/310151101/"), as of when, order of writing, value."""

    path: str
    at: datetime
    order: int
    value: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A place whose own number is not what the places inside it add up to."""

    path: str
    own: float
    inside: float


@dataclass(frozen=True, slots=True)
class Total:
    """The total with the places it is made of, and the differences found."""

    value: float
    parts: Mapping[str, Row]
    differences: tuple[Difference, ...] = ()


def latest(rows: Iterable[Row], until: datetime | None = None) -> dict[str, Row]:
    """The newest number of each place; of the same moment the one written last."""
    found: dict[str, Row] = {}
    for row in rows:
        if until is not None and row.at > until:
            continue
        known = found.get(row.path)
        if known is None or (row.at, row.order) > (known.at, known.order):
            found[row.path] = row
    return found


def _heads(paths: Iterable[str]) -> list[str]:
    heads: list[str] = []
    for path in sorted(paths):
        if not heads or not path.startswith(heads[-1]):
            heads.append(path)
    return heads


def total(rows: Iterable[Row], until: datetime | None = None) -> Total | None:
    """The total as it was known at `until` (now); None where nobody has reported."""
    newest = latest(rows, until)
    if not newest:
        return None
    heads = _heads(newest)
    differences = []
    for head in heads:
        inside = [path for path in newest if path != head and path.startswith(head)]
        if inside:
            added = sum(newest[path].value for path in _heads(inside))
            if added != newest[head].value:
                differences.append(Difference(head, newest[head].value, added))
    return Total(sum(newest[head].value for head in heads), {head: newest[head] for head in heads}, tuple(differences))


def course(rows: Sequence[Row]) -> list[tuple[datetime, float]]:
    """The total after each report, in order of time: a step curve. One point for each moment."""
    points: list[tuple[datetime, float]] = []
    newest: dict[str, Row] = {}
    for row in sorted(rows, key=lambda each: (each.at, each.order)):
        newest[row.path] = row
        value = sum(newest[head].value for head in _heads(newest))
        if points and points[-1][0] == row.at:
            points[-1] = (row.at, value)
        else:
            points.append((row.at, value))
    return points


def first_at_least(points: Sequence[tuple[datetime, float]], wanted: float) -> datetime | None:
    """When a course first reached a value; None if it never did."""
    return next((at for at, value in points if value >= wanted), None)
