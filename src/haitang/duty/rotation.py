"""Whose turn it is: shifts of a roster and the people who take them, counted from its first day. Pure: no Django.

A roster changes hands at the same times of every day; shift number 0 begins at the first change on or after its first
day, and every post passes to its next person with every shift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TypeVar

P = TypeVar("P")
# 抽查: called and answered within a minute is full marks, after five minutes none (a city standard gives five minutes
# to wake the responsible person; ../shared/domain/law.md, secondary).
FULL_S, NONE_S = 60, 300


@dataclass(frozen=True)
class Turn:
    """One shift: its number since the roster's beginning, and from when until when it lasts."""

    number: int
    start: datetime
    end: datetime


def parse_changes(texts: Sequence[str]) -> tuple[time, ...]:
    """Times of hand-over from text such as "08:00", in order of the day. ValueError says which cannot be read."""
    found = []
    for text in texts:
        try:
            found.append(time.fromisoformat(text))
        except ValueError:
            raise ValueError(f"{text!r} is not a time of day: write it like 08:00") from None
    if not found or len(set(found)) != len(found):
        raise ValueError("give at least one time of hand-over, each once")
    return tuple(sorted(found))


def turns(changes: Sequence[time], first_day: date, zone: tzinfo, since: datetime, until: datetime) -> Iterator[Turn]:
    """The shifts that overlap [since, until), in order; none before the first day."""
    per_day = len(changes)
    day = max(first_day, since.astimezone(zone).date() - timedelta(days=1))
    while datetime.combine(day, changes[0], zone) < until:
        for k, change in enumerate(changes):
            start = datetime.combine(day, change, zone)
            following = changes[k + 1] if k + 1 < per_day else changes[0]
            end = datetime.combine(day if k + 1 < per_day else day + timedelta(days=1), following, zone)
            if start < until and end > since:
                yield Turn((day - first_day).days * per_day + k, start, end)
        day += timedelta(days=1)


def whose(people: Sequence[P], number: int) -> P | None:
    """Who takes a post in the shift of this number; None where a post has nobody."""
    return people[number % len(people)] if people else None


def score(answered_s: int | None) -> int:
    """Marks of a spot check, 0 to 100, by the seconds until somebody answered (None: nobody did)."""
    if answered_s is None or answered_s >= NONE_S:
        return 0
    if answered_s <= FULL_S:
        return 100
    return round(100 * (NONE_S - answered_s) / (NONE_S - FULL_S))
