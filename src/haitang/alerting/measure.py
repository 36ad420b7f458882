"""How fast a warning was issued, received and answered: order statistics over recipients, gaps between steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

SHARES: Final = (0.5, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the recipients of one warning did. Times in seconds after `start`; None while a share has not been reached."""

    asked: int
    answered: int
    seconds_to: Mapping[float, float | None]

    @property
    def rate(self) -> float:
        """Answered over asked; 0 where nobody was asked."""
        return self.answered / self.asked if self.asked else 0.0


def answers(start: datetime, at: Sequence[datetime | None], shares: Sequence[float] = SHARES) -> Answers:
    """Measure answers (None: has not answered). A share is of everybody asked, so the silent count against it."""
    seconds = sorted(max(0.0, (moment - start).total_seconds()) for moment in at if moment is not None)
    return Answers(len(at), len(seconds), {share: time_to(share, len(at), seconds) for share in shares})


def time_to(share: float, asked: int, seconds: Sequence[float]) -> float | None:
    """When the first `share` of `asked` had answered, from sorted times; None where they have not."""
    if not 0 < share <= 1:
        raise ValueError(f"a share lies in (0, 1], got {share}")
    needed = math.ceil(share * asked - 1e-9)
    return seconds[needed - 1] if 0 < needed <= len(seconds) else None


def curve(start: datetime, at: Sequence[datetime | None]) -> list[tuple[float, float]]:
    """The share answered as a step curve: (seconds after start, share of everybody asked), from (0, 0)."""
    seconds = sorted(max(0.0, (moment - start).total_seconds()) for moment in at if moment is not None)
    return [(0.0, 0.0), *((second, (number + 1) / len(at)) for number, second in enumerate(seconds))]


@dataclass(frozen=True, slots=True)
class Step:
    """The time between two named moments."""

    start: str
    end: str
    seconds: float


def steps(moments: Sequence[tuple[str, datetime | None]]) -> list[Step]:
    """The gaps between those of the named moments that have happened, in the order given."""
    known = [(name, moment) for name, moment in moments if moment is not None]
    return [
        Step(first, second, (after - before).total_seconds()) for (first, before), (second, after) in pairwise(known)
    ]
