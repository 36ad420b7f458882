"""Whether warnings came true: hits, late ones, misses, false alarms, lead times; POD, FAR, CSI. Pure.

One forecast is an unbroken span in which a place was warned of a hazard at a colour or a graver one (an update continues
it); one event an unbroken span in which the place saw that hazard at that colour or a graver one. So every colour has a
table of its own, as is usual for thresholds. POD counts events, FAR counts forecasts, because one forecast may hold two
events; CSI follows from both (Roebber 2009, eq. 4: 1/CSI = 1/POD + 1/(1 - FAR) - 1), and is a/(a + b + c) where each forecast
holds one event.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

# Two crossings of one threshold within this time are one event: rain pauses.
GAP: Final = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a place was warned of, or saw, a hazard at a rank (1 blue to 4 red). `name` leads back to it."""

    hazard: str
    place: str
    rank: int
    start: datetime
    end: datetime
    name: str = ""

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"{self.name or 'a span'} ends at {self.end} before it starts at {self.start}")


@dataclass(frozen=True, slots=True)
class Seen:
    """One event with what the warnings made of it: hit, late (warned only after it had begun) or miss."""

    event: Span
    verdict: str
    lead_s: float | None = None
    forecast: str = ""


@dataclass(frozen=True)
class Table:
    """A contingency table; the shares are None where they divide by nothing."""

    hits: int = 0
    late: int = 0
    misses: int = 0
    false_alarms: int = 0
    # Forecasts that held at least one event.
    true_forecasts: int = 0
    leads_s: Sequence[float] = ()

    @property
    def events(self) -> int:
        """Everything that happened."""
        return self.hits + self.late + self.misses

    @property
    def forecasts(self) -> int:
        """Everything that was warned of."""
        return self.true_forecasts + self.false_alarms

    @property
    def pod(self) -> float | None:
        """Probability of detection: events warned of in time over all events."""
        return self.hits / self.events if self.events else None

    @property
    def far(self) -> float | None:
        """False alarm ratio: forecasts without an event over all forecasts."""
        return self.false_alarms / self.forecasts if self.forecasts else None

    @property
    def csi(self) -> float | None:
        """Critical success index (threat score)."""
        pod, far = self.pod, self.far
        if pod is None and far is None:
            return None
        if not pod or far is None or far == 1.0:
            return 0.0
        return 1.0 / (1.0 / pod + 1.0 / (1.0 - far) - 1.0)

    @property
    def bias(self) -> float | None:
        """Forecasts over events: above 1 means warned too often."""
        return self.forecasts / self.events if self.events else None

    @property
    def lead_s(self) -> float | None:
        """Median lead time of the hits, seconds from publication to the first crossing."""
        return median(self.leads_s) if self.leads_s else None

    def __add__(self, other: Table) -> Table:
        return Table(
            self.hits + other.hits, self.late + other.late, self.misses + other.misses, self.false_alarms + other.false_alarms,
            self.true_forecasts + other.true_forecasts, (*self.leads_s, *other.leads_s),
        )  # fmt: skip


@dataclass(frozen=True)
class Verified:
    """The table of one hazard at one rank, with every event and every forecast that came to nothing."""

    table: Table
    seen: Sequence[Seen]
    false_alarms: Sequence[Span]


def merged(spans: Iterable[Span], gap: timedelta = timedelta(0)) -> list[Span]:
    """Spans of one hazard and place that touch, overlap or lie within `gap` made one, whatever their rank; by place and time.

    The first keeps its name; the rank is the highest.
    """
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.hazard, each.place, each.start, each.end)):
        last = found[-1] if found else None
        if last and (last.hazard, last.place) == (span.hazard, span.place) and span.start <= last.end + gap:
            found[-1] = Span(
                last.hazard, last.place, max(last.rank, span.rank), last.start, max(last.end, span.end), last.name
            )
        else:
            found.append(span)
    return found


def verify(
    forecasts: Iterable[Span], events: Iterable[Span], rank: int, gap: timedelta = GAP, until: datetime | None = None
) -> Verified:
    """Judge the forecasts of at least this rank by the events of at least this rank. Hazards and places meet by name.

    A forecast that ends only at `until` (the present) is not false yet.
    """
    warned = merged(span for span in forecasts if span.rank >= rank)
    happened = merged((span for span in events if span.rank >= rank), gap)
    by_place: dict[tuple[str, str], list[Span]] = {}
    for span in warned:
        by_place.setdefault((span.hazard, span.place), []).append(span)
    seen: list[Seen] = []
    true: set[tuple[str, str, datetime]] = set()
    for event in happened:
        over = [
            f for f in by_place.get((event.hazard, event.place), ()) if f.start <= event.end and f.end >= event.start
        ]
        true.update((f.hazard, f.place, f.start) for f in over)
        ahead = [f for f in over if f.start <= event.start]
        if ahead:
            first = ahead[0]
            seen.append(Seen(event, "hit", (event.start - first.start).total_seconds(), first.name))
        elif over:
            seen.append(Seen(event, "late", None, over[0].name))
        else:
            seen.append(Seen(event, "miss"))
    wrong = [f for f in warned if (f.hazard, f.place, f.start) not in true and (until is None or f.end < until)]
    count = {verdict: sum(each.verdict == verdict for each in seen) for verdict in ("hit", "late", "miss")}
    table = Table(
        count["hit"], count["late"], count["miss"], len(wrong), len(true),
        tuple(each.lead_s for each in seen if each.lead_s is not None),
    )  # fmt: skip
    return Verified(table, seen, wrong)


def by_hazard_and_rank(
    forecasts: Sequence[Span],
    events: Sequence[Span],
    ranks: Sequence[int] = (1, 2, 3, 4),
    until: datetime | None = None,
) -> Mapping[tuple[str, int], Verified]:
    """A table for each hazard that was warned of or happened, at each rank that occurs."""
    found: dict[tuple[str, int], Verified] = {}
    for hazard in sorted({span.hazard for span in (*forecasts, *events)}):
        f = [span for span in forecasts if span.hazard == hazard]
        e = [span for span in events if span.hazard == hazard]
        for rank in ranks:
            verified = verify(f, e, rank, until=until)
            if verified.table.events or verified.table.forecasts:
                found[hazard, rank] = verified
    return found


def percent(share: float | None) -> int | None:
    """A share in whole per cent."""
    return None if share is None or math.isnan(share) else round(100 * share)
