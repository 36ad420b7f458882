"""Rules on history: which alarms they would have raised, and how well those met what happened. Pure.

The kernel is the one that judges live readings (`evaluate.py`), so what comes out is what would have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from haitang.monitoring.evaluate import evaluate, tick
from haitang.monitoring.rules import Floats, Ints, RuleSet, RuleSpec, State, Transitions, compile_rules, fresh

CHUNK = 200_000
"""Readings judged at once: bounds the memory, changes nothing."""


@dataclass(frozen=True)
class Told:
    """Everything that was told of all rules, in order of time."""

    rules: RuleSet
    state: State
    transitions: Transitions

    def of(self, rule_id: int) -> list[tuple[int, int]]:
        """(time, new level) of each change of one rule."""
        mine = self.rules.id[self.transitions.rule] == rule_id
        found = self.transitions.pick(mine)
        return list(zip(found.time_ms.tolist(), found.new.tolist(), strict=True))

    def episodes(self, rule_id: int) -> list[Episode]:
        """The alarms of one rule."""
        found = self.transitions.pick(self.rules.id[self.transitions.rule] == rule_id)
        episodes: list[Episode] = []
        open_: Episode | None = None
        columns = (found.time_ms, found.new, found.value, found.peak, found.peak_ms)
        for at, level, value, peak, peak_ms in zip(*(column.tolist() for column in columns), strict=True):
            if open_ is None:
                if level:
                    open_ = Episode(at, None, level, value, peak, peak_ms)
                continue
            open_ = Episode(open_.start_ms, None, max(open_.level, level), open_.first, peak, peak_ms)
            if not level:
                episodes.append(Episode(open_.start_ms, at, open_.level, open_.first, peak, peak_ms))
                open_ = None
        if open_ is None:
            return episodes
        at = int(np.flatnonzero(self.rules.id == rule_id)[0])  # its peak may have grown since its last change
        peak, peak_ms = float(self.state.peak[at]), int(self.state.peak_ms[at])
        return [*episodes, Episode(open_.start_ms, None, open_.level, open_.first, peak, peak_ms)]


@dataclass(frozen=True)
class Episode:
    """One would-be alarm: from, until (None: to the end of the history), highest colour (1 blue to 4 red), peak."""

    start_ms: int
    end_ms: int | None
    level: int
    first: float
    peak: float
    peak_ms: int


def series_of(specs: Iterable[RuleSpec]) -> list[int]:
    """The series whose readings these rules need."""
    return sorted({series for spec in specs for series in (spec.series, spec.minus) if series is not None})


def replay(specs: Sequence[RuleSpec], series_ids: Ints, time_ms: Ints, values: Floats, end_ms: int) -> Told:
    """Judge a history (any order) from nothing up to `end_ms`; readings of one time count in the order given."""
    rules = compile_rules(series_of(specs), specs)
    order = np.argsort(time_ms, kind="stable")
    order = order[time_ms[order] <= end_ms]
    at = rules.locate(series_ids)
    order = order[at[order] >= 0]
    state, parts = fresh(rules), []
    for begin in range(0, len(order), CHUNK):
        rows = order[begin : begin + CHUNK]
        outcome = evaluate(state, rules, at[rows], time_ms[rows], values[rows], reuse=True)
        state = outcome.state
        parts.append(outcome.transitions)
    parts.append(tick(state, rules, end_ms, reuse=True).transitions)
    found = Transitions.join([Transitions.none(), *parts])
    return Told(rules, state, found.pick(np.lexsort((np.arange(len(found)), found.time_ms))))


@dataclass(frozen=True)
class Score:
    """Alarms against events. `leads_s`: of each event that was met, how long before it began the alarm opened."""

    hits: int
    misses: int
    false_alarms: int
    leads_s: tuple[float, ...]

    @property
    def detected(self) -> float | None:
        """Share of events that were met (POD)."""
        events = self.hits + self.misses
        return self.hits / events if events else None

    @property
    def false_share(self) -> float | None:
        """Share of alarms that met no event (FAR)."""
        alarms = self.false_alarms + self.hits
        return self.false_alarms / alarms if alarms else None

    @property
    def success(self) -> float | None:
        """Critical success index (CSI)."""
        whole = self.hits + self.misses + self.false_alarms
        return self.hits / whole if whole else None

    @property
    def lead_s(self) -> float | None:
        """The middle lead time."""
        return float(np.median(self.leads_s)) if self.leads_s else None


def score(episodes: Sequence[Episode], events: Sequence[tuple[int, int]], reach_ms: int, end_ms: int) -> Score:
    """Events (from, to) are met by an alarm that stands between `reach_ms` before their beginning and their end.

    Several alarms of one event count as one hit; a lead below nought came late.
    """
    useful: set[int] = set()
    leads = []
    for begin, end in events:
        met = [
            i
            for i, each in enumerate(episodes)
            if each.start_ms <= end and (end_ms if each.end_ms is None else each.end_ms) >= begin - reach_ms
        ]
        useful |= set(met)
        if met:
            leads.append((begin - episodes[met[0]].start_ms) / 1000)
    return Score(len(leads), len(events) - len(leads), len(episodes) - len(useful), tuple(leads))
