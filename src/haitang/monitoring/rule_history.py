"""A rule on the stored history of a world: the alarms it would have raised, held against what happened."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from haitang.accounts.verbs import Refused
from haitang.monitoring import backtest, rule_network, store
from haitang.monitoring.alarms import at
from haitang.monitoring.backtest import Episode, Score
from haitang.monitoring.models import Colour, Rule
from haitang.monitoring.queries import ms
from haitang.spaces.models import Space

MOST_SERIES = 200
MOST_READINGS = 6_000_000
"""Readings one back-test on the page may take: a year of eleven series, once a minute."""
MOST_LISTED = 500


@dataclass(frozen=True)
class WouldBe:
    """One alarm that the rule would have raised."""

    opened: datetime
    ended: datetime | None
    colour: Colour
    first: float
    peak: float
    peak_at: datetime
    useful: bool | None

    @property
    def hours(self) -> float | None:
        """How long it would have stood."""
        return None if self.ended is None else (self.ended - self.opened).total_seconds() / 3600


@dataclass(frozen=True)
class Report:
    """What a back-test found; `score` is None where there was nothing to hold the alarms against."""

    readings: int
    series: int
    seconds: float
    episodes: list[WouldBe]
    more: int
    score: Score | None
    events: list[tuple[datetime, datetime]]


def run(
    space: Space,
    rule: Rule,
    start: datetime,
    end: datetime,
    *,
    level: int = 1,
    against: Rule | None = None,
    events: Sequence[tuple[datetime, datetime]] = (),
    reach_s: float = 6 * 3600,
) -> Report:
    """Judge the stored readings in [start, end) with the kernel that judges live ones.

    Events are those given, and the alarms of the rule `against` in the same history.
    """
    began = time.perf_counter()
    told, readings, number = _told(space, rule, start, end)
    episodes = [each for each in told.of_rule if each.level >= level]
    spans = [(ms(a), ms(b)) for a, b in events]
    if against is not None:
        other, _readings, _series = _told(space, against, start, end)
        spans += [(each.start_ms, ms(end) if each.end_ms is None else each.end_ms) for each in other.of_rule]
    held = bool(against or events)
    score = backtest.score(episodes, spans, round(reach_s * 1000), ms(end)) if held else None
    shown = [_would_be(each, spans if held else None, round(reach_s * 1000), ms(end)) for each in episodes]
    return Report(
        readings, number, time.perf_counter() - began, shown[-MOST_LISTED:], max(0, len(shown) - MOST_LISTED), score,
        [(at(a), at(b)) for a, b in sorted(spans)],
    )  # fmt: skip


@dataclass(frozen=True)
class _Told:
    of_rule: list[Episode]


def _told(space: Space, rule: Rule, start: datetime, end: datetime) -> tuple[_Told, int, int]:
    needed = rule_network.with_needed(rule)
    series = backtest.series_of(needed)
    if len(series) > MOST_SERIES:
        raise Refused(
            _("The rule looks at %(n)s series; a back-test takes %(most)s.") % {"n": len(series), "most": MOST_SERIES}
        )
    # A window that reaches back before the beginning is filled; what was raised before is not known.
    early = ms(start) - max(round(spec.window_s * 1000) for spec in needed)
    columns = store.read_many(space.pk, series, early, ms(end))
    if len(columns[0]) > MOST_READINGS:
        raise Refused(
            _("There are %(n)s readings in this span; take a shorter one (at most %(most)s).")
            % {"n": len(columns[0]), "most": MOST_READINGS}
        )
    found = backtest.replay(needed, *columns, ms(end)).episodes(rule.pk or rule_network.DRAFT)
    return (
        _Told([each for each in found if each.end_ms is None or each.end_ms >= ms(start)]),
        len(columns[0]),
        len(series),
    )


def _would_be(each: Episode, spans: list[tuple[int, int]] | None, reach_ms: int, end_ms: int) -> WouldBe:
    until = end_ms if each.end_ms is None else each.end_ms
    useful = None if spans is None else any(each.start_ms <= b and until >= a - reach_ms for a, b in spans)
    ended = None if each.end_ms is None else at(each.end_ms)
    return WouldBe(at(each.start_ms), ended, Colour.of(each.level), each.first, each.peak, at(each.peak_ms), useful)


def marks(report: Report, most: int = 60) -> list[dict[str, Any]]:
    """The would-be alarms for a chart."""
    return [
        {"at": each.opened.isoformat(), "label": str(each.colour.label), "colour": each.colour.value}
        for each in report.episodes[-most:]
    ]
