"""Times of the standard: ISO 8601 instants with their offset, and intervals `start/end`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPACT_OFFSET = re.compile(r"([+-]\d\d)(\d\d)$")


@dataclass(frozen=True, slots=True)
class Span:
    """An instant (start equals end) or an interval, in milliseconds since 1970, UTC."""

    start: int
    end: int

    @property
    def is_instant(self) -> bool:
        """Whether it is one moment."""
        return self.start == self.end


def instant_ms(text: str) -> int:
    """Milliseconds of one instant; ValueError when it is none, or has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(_COMPACT_OFFSET.sub(r"\1:\2", text))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write for example 2024-09-15T08:00:00+08:00")
    delta = moment - _EPOCH
    return delta.days * 86_400_000 + delta.seconds * 1000 + (delta.microseconds + 500) // 1000


def span(text: str) -> Span:
    """An instant or interval; ValueError when it is neither."""
    first, slash, second = text.partition("/")
    start = instant_ms(first)
    end = instant_ms(second) if slash else start
    if end < start:
        raise ValueError(f"{text!r} ends before it begins")
    return Span(start, end)


def iso(time_ms: int) -> str:
    """One instant as the standard writes it: UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def told(when: Span) -> str:
    """A span as the standard writes it."""
    return iso(when.start) if when.is_instant else f"{iso(when.start)}/{iso(when.end)}"
