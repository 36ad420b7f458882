"""By when reports are due: rules as data (law, clause, minutes), read from TOML, kept in the store, chosen for an incident."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from haitang.accounts.actors import Actor
from haitang.accounts.roles import Role
from haitang.accounts.verbs import verb
from haitang.incidents.models import Category, Incident, ReportRule, Stage
from haitang.journal.services import record
from haitang.plans.models import ResponseLevel
from haitang.spaces.models import Space

FILE = Path(__file__).parents[1] / "rules.toml"
MOST_MINUTES = 60 * 24 * 366


@dataclass(frozen=True, kw_only=True)
class RuleData:
    """One rule, ready to be stored."""

    code: str
    stage: str
    written_minutes: int
    addressee_zh: str
    law: str
    level: int = ResponseLevel.IV.value
    category: str = ""
    hazard: str = ""
    phone_minutes: int | None = None
    addressee_en: str = ""
    clause: str = ""
    since: date | None = None


@lru_cache(maxsize=1)
def _told() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def own() -> list[RuleData]:
    """The rules that come with the platform."""
    return read(_told()["report"])


def decide_minutes() -> int:
    """How long a proposed level may wait for its decision."""
    return int(_told()["decide"]["minutes"])


def read(rows: Iterable[Mapping[str, Any]]) -> list[RuleData]:
    """Rules from plain tables; ValueError names rule, field, value and what is allowed."""
    known = {field.name for field in fields(RuleData)}
    found: dict[str, RuleData] = {}
    for number, row in enumerate(rows, start=1):
        where = f"report {number} ({row.get('code', '')})"
        for name in row:
            if name not in known:
                raise ValueError(f"{where}: {name} is not a field; known are {', '.join(sorted(known))}")
        told = {**row, "level": _level(where, row)}
        try:
            rule = RuleData(**told)
        except TypeError as error:
            raise ValueError(f"{where}: {error}") from error
        _check(where, rule)
        if rule.code in found:
            raise ValueError(f"{where}: the code stands twice")
        found[rule.code] = rule
    return list(found.values())


def _level(where: str, row: Mapping[str, Any]) -> int:
    name = row.get("level", "IV")
    if name not in ResponseLevel.names:
        raise ValueError(f"{where}: level {name!r} is not one of I, II, III, IV")
    return ResponseLevel[name].value


def _check(where: str, rule: RuleData) -> None:
    if rule.stage not in Stage.values:
        raise ValueError(f"{where}: stage {rule.stage!r} is not one of {', '.join(Stage.values)}")
    if rule.category not in ("", *Category.values):
        raise ValueError(f"{where}: category {rule.category!r} is not one of {', '.join(Category.values)}")
    for name in ("written_minutes", "phone_minutes"):
        value = getattr(rule, name)
        if value is not None and (
            not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MOST_MINUTES
        ):
            raise ValueError(f"{where}: {name} {value!r} is not a whole number of minutes from 1 to {MOST_MINUTES}")
    if not rule.law or not rule.addressee_zh:
        raise ValueError(f"{where}: law and addressee_zh must be given")


@verb("incidents.keep_rules", roles={Role.ADMIN})
def keep(rules: Iterable[RuleData], *, by: Actor) -> int:
    """Store the rules for reports; only what changed is journalled, rules that are not given any more fall out of use."""
    rows = {row.code: row for row in ReportRule.objects.all()}
    given = {rule.code: rule for rule in rules}
    for code, rule in given.items():
        row = rows.get(code) or ReportRule(code=code)
        told = {**asdict(rule), "is_active": True}
        before = {name: getattr(row, name) for name in told} if row.pk else None
        if before == told:
            continue
        for name, value in told.items():
            setattr(row, name, value)
        row.save()
        record(space=Space.live(), verb="incidents.keep_rules", by=by, subject=row, before=before, after=told,
               text_zh=f"信息报送规则：{rule.law}", text_en=f"Rule for reports: {code}")  # fmt: skip
    ReportRule.objects.filter(is_active=True).exclude(code__in=given).update(is_active=False)
    return len(given)


def rule_for(incident: Incident, stage: str) -> ReportRule | None:
    """The most particular rule in use that fits an incident; None where there is none. One query."""
    rows = ReportRule.objects.filter(stage=stage, is_active=True, level__gte=incident.level)
    fitting = [row for row in rows if row.category in ("", incident.category) and row.hazard in ("", incident.hazard)]
    return min(fitting, key=_particular, default=None)


def _particular(rule: ReportRule) -> tuple[bool, int, bool, int, str]:
    """Smaller is more particular: a hazard's own rule, then a graver level's, then a category's, then the shortest time."""
    return (not rule.hazard, rule.level, not rule.category, rule.written_minutes, rule.code)
