"""The second stage: rules about rules. Conditions joined by and, or, not, k of n; rules that hold others back.

It lives on the few changes of colour, not on readings. Changes wait in the state's queue until the clock (`tick`) has
passed them and are taken in order of their own time, so what comes out does not depend on which series was heard first.

A compound's `combines`, with ids in place of codes:

    {"span_ms": 21600000, "colours": {"3": NODE, "4": NODE}}        # 1 blue to 4 red
    NODE = {"k": 2, "of": [NODE, ...]} | {"not": NODE} | {"k": 1, "at": 2, "groups": [[[rule, rule], [rule]], ...]}

A group has stations, a station rules; the last form holds where in one group at least k stations have a rule that is, or
was within the span, at colour `at`. Of a rule that is held back its own colour counts, as if nothing held it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from haitang.monitoring.rules import NEVER, STANDS, RuleSet, State, Transitions, members


@dataclass(frozen=True)
class _Compound:
    """One compound rule: its position, its conditions by colour (0 blue), and the rows of the rules it looks at."""

    rule: int
    slot: int
    span_ms: int
    colours: Mapping[int, Any]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class _Held:
    """One rule that may be held back: positions of it and rows of it and of the rule that does so."""

    rule: int
    row: int
    by: int
    at: int


@dataclass(frozen=True)
class _Program:
    compounds: tuple[_Compound, ...]
    held: tuple[_Held, ...]


def _program(rules: RuleSet) -> _Program | None:
    if not len(rules.plan):
        return None
    return _compiled(rules.plan.tobytes(), rules.id.tobytes(), rules.watched.tobytes(), rules.timer.tobytes())


@lru_cache(maxsize=32)
def _compiled(plan: bytes, ids: bytes, watched: bytes, timer: bytes) -> _Program:
    given = json.loads(plan)
    index = {rule: i for i, rule in enumerate(np.frombuffer(ids, np.int64).tolist())}
    row, slot = np.frombuffer(watched, np.int64).tolist(), np.frombuffer(timer, np.int64).tolist()

    def rows(node: Mapping[str, Any]) -> Any:
        """The node with rows of the state in place of ids; rules that are not there count as never raised."""
        if "groups" in node:
            groups = [
                [[row[index[rule]] for rule in station if rule in index] for station in group]
                for group in node["groups"]
            ]
            return {"k": node["k"], "at": node["at"], "groups": groups}
        if "not" in node:
            return {"not": rows(node["not"])}
        return {"k": node["k"], "of": [rows(each) for each in node["of"]]}

    compounds = []
    for rule, each in given["combines"].items():
        colours = {int(level) - 1: rows(node) for level, node in sorted(each["colours"].items())}
        seen = tuple(sorted(set().union(*(members(node) for node in colours.values()))))
        at = index[int(rule)]
        compounds.append(_Compound(at, slot[at], each["span_ms"], colours, seen))
    held = [
        _Held(index[int(rule)], row[index[int(rule)]], row[index[by]], at)
        for rule, (by, at) in given["inhibits"].items()
        if by in index and row[index[by]] >= 0
    ]
    return _Program(
        tuple(sorted(compounds, key=lambda each: each.rule)), tuple(sorted(held, key=lambda each: each.rule))
    )


def listen(state: State, rules: RuleSet, found: Transitions) -> None:
    """Put the changes that the second stage looks at into its queue."""
    if not len(rules.plan) or not len(found):
        return
    mine = found.pick(rules.watched[found.rule] >= 0)
    if len(mine):
        more = np.stack([mine.time_ms, mine.rule, mine.new.astype(np.int64), mine.peak_ms], axis=1)
        state.queue = np.concatenate([state.queue, more])
        state.queued = np.concatenate([state.queued, np.stack([mine.value, mine.peak], axis=1)])


def release(state: State, rules: RuleSet, now_ms: int) -> tuple[Transitions, bool]:
    """Bring the second stage up to `now_ms` (without it): the changes it made, and whether the state changed."""
    program = _program(rules)
    if program is None:
        return Transitions.none(), False
    run = _Run(state, rules, program)
    moved = False
    due = state.queue[:, 0] < now_ms
    order = np.lexsort((state.queue[due, 1], state.queue[due, 0]))
    events, told = state.queue[due][order].tolist(), state.queued[due][order].tolist()
    if events:
        state.queue, state.queued = state.queue[~due], state.queued[~due]
    clock, at = int(state.clock_ms[0]), 0
    while True:
        timer = run.next_end(clock)
        event = max(events[at][0], clock) if at < len(events) else STANDS
        moment = min(timer, event)
        if moment >= now_ms:
            break
        clock, moved = moment, True
        while at < len(events) and events[at][0] <= moment:
            run.take(events[at], told[at], moment)
            at += 1
        run.judge(moment)
    if run.is_behind(clock):  # what a change of rules left to be judged anew
        clock, moved = now_ms - 1, True
        run.judge(clock)
    state.clock_ms[0] = clock
    return run.transitions(), moved


class _Run:
    """One run of the second stage over a state."""

    def __init__(self, state: State, rules: RuleSet, program: _Program) -> None:
        self.state, self.rules, self.program = state, rules, program
        self.until: list[list[int]] = state.until_ms.tolist()
        self.found: list[tuple[int, int, float, int, int, float, int]] = []

    def take(self, event: list[int], told: list[float], moment: int) -> None:
        """A watched rule has a new colour."""
        _time, rule, level, peak_ms = event
        row = int(self.rules.watched[rule])
        until = self.until[row]
        for colour in range(4):
            if colour < level:
                until[colour] = STANDS
            elif until[colour] == STANDS:
                until[colour] = moment
        self.state.until_ms[row] = until
        self.state.said[row] = (*told, peak_ms)

    def is_behind(self, moment: int) -> bool:
        """Whether what holds at the moment of the last judgement was not judged then."""
        since, shown = self.state.since_ms, self.state.shown
        return any(
            since[each.rule, colour] == NEVER and self._holds(node, each.span_ms, moment)
            for each in self.program.compounds
            for colour, node in each.colours.items()
        ) or any(shown[each.rule] != self._let_through(each) for each in self.program.held)

    def next_end(self, clock: int) -> int:
        """When, after `clock`, the next duration or span of a compound ends."""
        ends = []
        for each in self.program.compounds:
            hold = int(self.rules.hold_ms[each.rule])
            leave = self.rules.leave_ms[each.slot].tolist()
            ends += [t + hold for t in self.state.since_ms[each.rule].tolist() if t != NEVER]
            back = self.state.back_ms[each.slot].tolist()
            ends += [t + wait for t, wait in zip(back, leave, strict=True) if t != NEVER]
            if each.span_ms:
                ends += [t + each.span_ms for row in each.rows for t in self.until[row] if t not in (NEVER, STANDS)]
        return min((end for end in ends if end > clock), default=STANDS)

    def judge(self, moment: int) -> None:
        """What all compounds and rules that may be held back say at this moment."""
        for each in self.program.compounds:
            self._judge(each, moment)
        for held in self.program.held:
            level, before = self._let_through(held), int(self.state.shown[held.rule])
            if level != before:
                value, peak, peak_ms = self.state.said[held.row].tolist()
                self.state.shown[held.rule] = level
                self.found.append((held.rule, moment, value, before, level, peak, int(peak_ms)))

    def _level(self, row: int) -> int:
        return self.until[row].count(STANDS)

    def _let_through(self, each: _Held) -> int:
        return 0 if self._level(each.by) >= each.at else self._level(each.row)

    def _holds(self, node: Mapping[str, Any], span_ms: int, moment: int) -> bool:
        if "not" in node:
            return not self._holds(node["not"], span_ms, moment)
        if "of" in node:
            return sum(self._holds(each, span_ms, moment) for each in node["of"]) >= node["k"]
        colour = node["at"] - 1
        return any(
            sum(
                any(
                    (until := self.until[row][colour]) == STANDS or NEVER != until > moment - span_ms for row in station
                )
                for station in group
            )
            >= node["k"]
            for group in node["groups"]
        )

    def _judge(self, each: _Compound, moment: int) -> None:
        state, rules, rule = self.state, self.rules, each.rule
        hold, before = int(rules.hold_ms[rule]), int(state.level[rule])
        for colour, node in each.colours.items():
            if self._holds(node, each.span_ms, moment):
                state.back_ms[each.slot, colour] = NEVER
                if state.since_ms[rule, colour] == NEVER:
                    state.since_ms[rule, colour] = moment
                if moment - state.since_ms[rule, colour] >= hold:
                    state.raised[rule, colour] = True
            else:
                state.since_ms[rule, colour] = NEVER
                if state.back_ms[each.slot, colour] == NEVER:
                    state.back_ms[each.slot, colour] = moment
                back = moment - state.back_ms[each.slot, colour]
                if back >= rules.leave_ms[each.slot, colour] and not rules.latch[rule]:
                    state.raised[rule, colour] = False
        level = max((colour + 1 for colour in range(4) if state.raised[rule, colour]), default=0)
        value = float(sum(self._level(row) > 0 for row in each.rows))
        if level and (before == 0 or value > state.peak[rule]):
            state.peak[rule], state.peak_ms[rule] = value, moment
        if level != before:
            peak, peak_ms = float(state.peak[rule]), int(state.peak_ms[rule])
            self.found.append((rule, moment, value, before, level, peak, peak_ms))
            state.level[rule] = level
        if not level:
            state.peak[rule], state.peak_ms[rule] = np.nan, NEVER

    def transitions(self) -> Transitions:
        """What was found, in order."""
        if not self.found:
            return Transitions.none()
        rule, time, value, old, new, peak, peak_ms = zip(*self.found, strict=True)
        whole = np.int64
        return Transitions(
            rule=np.array(rule, whole), row=np.full(len(rule), -1, whole), time_ms=np.array(time, whole),
            value=np.array(value, np.float64), old=np.array(old, np.int8), new=np.array(new, np.int8),
            peak=np.array(peak, np.float64), peak_ms=np.array(peak_ms, whole),
        )  # fmt: skip
