"""Whom the scripted cast can play, and how a seeded person behaves. Pure: no Django.

Every decision is drawn anew from the run's seed and the name of what it is about, so that it is the same whenever and
however often it is asked for: the cast has no memory that a killed process could lose.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any


class Part(StrEnum):
    """A part that the cast can play, or leave to people."""

    DUTY = "duty"
    COMMAND = "command"
    DEPARTMENTS = "departments"
    TOWNSHIPS = "townships"


EVERYBODY = frozenset(Part)
# What the command line's --cast takes.
CASTS: Mapping[str, frozenset[Part]] = {
    "all": EVERYBODY,
    "townships": frozenset({Part.TOWNSHIPS, Part.DEPARTMENTS}),
    "none": frozenset(),
}


class Manner(StrEnum):
    """How somebody answers."""

    PROMPT = "prompt"
    LATE = "late"
    SILENT = "silent"


class CastError(ValueError):
    """A scenario's [cast] table has an unknown key, or a value of the wrong kind; the message names it."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How the cast behaves: minutes are medians of the exercise's time, shares lie between 0 and 1."""

    acknowledge_min: float = 4.0
    draft_min: float = 6.0
    submit_min: float = 2.0
    approve_min: float = 5.0
    publish_min: float = 1.5
    start_min: float = 6.0
    answer_min: float = 4.0
    late_min: float = 26.0
    # A silent one is reached by telephone in the end: so long after the duty room was told.
    phoned_min: float = 14.0
    late: float = 0.16
    silent: float = 0.08
    receive_min: float = 5.0
    begin_min: float = 8.0
    # How much of its time a task takes: a median near the limit makes some of them late.
    task_share: float = 0.62
    # ... and how much whoever is late with it.
    late_share: float = 1.25
    confirm_min: float = 12.0
    # A warning is lowered, and a lower response accepted, when so much time has passed without a graver alarm.
    calm_min: float = 75.0
    report_min: float = 25.0
    losses_min: float = 70.0
    evaluate_min: float = 70.0
    spread: float = 0.45


@dataclass(frozen=True, slots=True)
class Instruction:
    """An order that the commander gives: so many minutes after the response reached a level, to organisations by code."""

    level: int
    after_min: float
    text: str
    to: Sequence[str]
    due_min: float


@dataclass(frozen=True, slots=True)
class Directions:
    """What a scenario tells its cast: manners, and what townships have to report."""

    manners: Manners = Manners()
    # Hazards for which the whole district is warned, not only the townships whose stations report.
    wide: frozenset[str] = frozenset()
    # The plan's actions by which lists are checked and people are moved, and how many, by code of the township's place.
    list_action: str = ""
    move_action: str = ""
    moved: Mapping[str, int] = field(default_factory=dict)
    # The share of those moved that stays in shelters; the others go to relatives.
    sheltered: float = 0.55
    # What is lost, by kind of figure, in the whole district; reported from that moment on.
    losses: Mapping[str, int] = field(default_factory=dict)
    losses_from: datetime | None = None
    orders: Sequence[Instruction] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Directions:
        """The directions of a scenario's [cast] table; CastError names what is wrong."""
        names = {each.name for each in fields(Manners)}
        known = names | {each.name for each in fields(cls)} - {"manners"} | {"order"} - {"orders"}
        unknown = sorted(set(table) - known)
        if unknown:
            raise CastError(f"cast: {unknown} are unknown; use {sorted(known)}")
        return cls(
            manners=Manners(**{name: _number(table, name) for name in names & set(table)}),
            wide=frozenset(_texts(table, "wide")),
            list_action=str(table.get("list_action", "")),
            move_action=str(table.get("move_action", "")),
            moved=_counts(table, "moved"),
            sheltered=_number(table, "sheltered", 0.55),
            losses=_counts(table, "losses"),
            losses_from=_moment(table, "losses_from"),
            orders=[_instruction(number, row) for number, row in enumerate(table.get("order", ()))],
        )


def _number(table: Mapping[str, Any], name: str, default: float = 0.0) -> float:
    found = table.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
        raise CastError(f"cast.{name} ({found!r}): must be a number of 0 or more")
    return float(found)


def _texts(table: Mapping[str, Any], name: str) -> list[str]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise CastError(f"cast.{name} ({found!r}): must be a list of texts")
    return found


def _counts(table: Mapping[str, Any], name: str) -> dict[str, int]:
    found = table.get(name, {})
    if not isinstance(found, Mapping) or not all(isinstance(each, int) and each >= 0 for each in found.values()):
        raise CastError(f"cast.{name} ({found!r}): must be a table of whole numbers")
    return {str(key): int(value) for key, value in found.items()}


def _moment(table: Mapping[str, Any], name: str) -> datetime | None:
    found = table.get(name)
    if found is not None and (not isinstance(found, datetime) or found.tzinfo is None):
        raise CastError(f"cast.{name} ({found!r}): must be a time with its offset")
    return found


def _instruction(number: int, row: object) -> Instruction:
    where = f"cast.order[{number}]"
    if not isinstance(row, Mapping) or not isinstance(row.get("text"), str) or not isinstance(row.get("to"), list):
        raise CastError(f"{where}: needs level, after_min, text, to (a list of codes) and due_min")
    level = row.get("level")
    if level not in (1, 2, 3, 4):
        raise CastError(f"{where}.level ({level!r}): must be 1 to 4")
    return Instruction(
        level, _number(row, "after_min"), row["text"], [str(code) for code in row["to"]], _number(row, "due_min", 60.0)
    )


def draw(seed: int, *names: object) -> random.Random:
    """The dice for one decision."""
    return random.Random("|".join(str(part) for part in (seed, *names)))


def minutes(median: float, spread: float, dice: random.Random) -> float:
    """A time in minutes, log-normal around its median, between a tenth of it and five times it."""
    # Box-Muller by hand: random.gauss keeps a half of each pair.
    u, v = 1.0 - dice.random(), dice.random()
    normal = math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
    return median * min(5.0, max(0.1, math.exp(spread * normal)))


def manner(manners: Manners, dice: random.Random, *, urgency: float = 1.0) -> Manner:
    """Whether this one answers promptly, late or not at all; `urgency` below 1 makes the bad cases rarer."""
    fate = dice.random()
    if fate < manners.silent * urgency:
        return Manner.SILENT
    if fate < (manners.silent + manners.late) * urgency:
        return Manner.LATE
    return Manner.PROMPT
