"""What is wrong with a plan before anybody has to run it: the plan linter. Pure.

It takes what the plan says (`PlanFacts`) and what is known of the world it speaks of (`World`), and gives findings with the
level and action they belong to. An error stops part of the plan from working; a remark should be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from haitang.plans import conditions
from haitang.plans.conditions import gettext_noop

ERROR: Final = "error"
REMARK: Final = "remark"
PATTERNS: Final = frozenset({"townships", "villages", "departments", "enterprises", "social", "owner", "command"})
LEVELS: Final = (1, 2, 3, 4)
# 突发事件应急预案管理办法 (2024) art. 26: filed within 20 working days of approval, which are about 28 days.
FILING_DAYS: Final = 28

# code: (severity, English template)

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "level_missing": (ERROR, gettext_noop("Level %(level)s is missing: add it to the plan, or the law's four levels are not covered.")),
    "condition_unreadable": (ERROR, gettext_noop("The condition cannot be read: %(why)s")),
    "condition_never": (ERROR, gettext_noop("The condition can never be true: %(text)s. Correct the colours or the number of townships.")),
    "condition_same": (ERROR, gettext_noop("The condition is the same as that of level %(other)s, which would always be proposed instead.")),
    "condition_none": (REMARK, gettext_noop("There is no condition: this level is started only by decision.")),
    "place_unknown": (ERROR, gettext_noop("The condition names the place %(code)s, which is not known: correct the code.")),
    "place_outside": (ERROR, gettext_noop("The condition names the place %(code)s, which lies outside the plan's place.")),
    "hazard_unknown": (ERROR, gettext_noop("No warning of the hazard “%(hazard)s” is ever issued: correct it, or add the kind of event.")),
    "no_actions": (ERROR, gettext_noop("The level has no actions: starting it would set nothing moving.")),
    "nobody": (ERROR, gettext_noop("Nobody is responsible for the action: name an organisation.")),
    "organisation_unknown": (ERROR, gettext_noop("The organisation %(code)s is not known: correct the code, or register it.")),
    "organisation_empty": (ERROR, gettext_noop("%(name)s has no person who could carry it out: register its responsible person.")),
    "pattern_empty": (ERROR, gettext_noop("“%(pattern)s” means no organisation at the plan's place.")),
    "limit_zero": (ERROR, gettext_noop("The limit is 0 minutes: nobody can keep it. Give the minutes the plan allows.")),
    "limit_none": (REMARK, gettext_noop("There is no time limit: it will never be overdue.")),
    "clause_none": (REMARK, gettext_noop("The clause of the plan is not given: the action cannot be traced to its text.")),
    "term_none": (REMARK, gettext_noop("The expected term is not given; starting a response must state it (art. 72).")),
    "measures_none": (REMARK, gettext_noop("The measures are not given; starting a response must state them (art. 72).")),
    "not_filed": (REMARK, gettext_noop("Approved on %(date)s and not filed: due within 20 working days.")),
    "review_overdue": (REMARK, gettext_noop("The review was due on %(date)s.")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """One action as the plan says it."""

    code: str
    by: tuple[str, ...]
    minutes: int | None
    clause: str = ""


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """One level as the plan says it."""

    level: int
    condition: str
    actions: tuple[ActionFacts, ...] = ()
    has_term: bool = True
    has_measures: bool = True


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """A plan as it says itself. A plan without levels has nothing to be run, and is only checked for its dates."""

    levels: tuple[LevelFacts, ...]
    cumulative: bool = True
    approved_on: date | None = None
    filed_on: date | None = None
    review_on: date | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What is known: organisations (code to name), which have a person, what patterns mean, hazards warned of, the ground.

    `hazards` empty means that it is not known which warnings are issued.
    """

    organisations: Mapping[str, str]
    staffed: frozenset[str]
    patterns: Mapping[str, tuple[str, ...]]
    ground: conditions.Ground
    hazards: frozenset[str] = frozenset()
    today: date | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: its code in `TEXTS`, the level and action it belongs to (0 and "" for the plan itself)."""

    code: str
    level: int = 0
    action: str = ""
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        """`ERROR` or `REMARK`."""
        return TEXTS[self.code][0]

    @property
    def template(self) -> str:
        """The English text, with places for `params`."""
        return TEXTS[self.code][1]

    def __str__(self) -> str:
        return self.template % self.params


def check(plan: PlanFacts, world: World) -> list[Finding]:
    """Everything found in a plan, errors first, gravest level first."""
    found = [*_dates(plan, world)]
    if plan.levels:
        present = {level.level for level in plan.levels}
        found += [
            Finding("level_missing", 0, "", {"level": ["I", "II", "III", "IV"][n - 1]})
            for n in LEVELS
            if n not in present
        ]
        found += _conditions(plan.levels, world)
        for level in plan.levels:
            found += _level(plan, level, world)
    return sorted(found, key=lambda each: (each.severity != ERROR, each.level, each.action))


def _dates(plan: PlanFacts, world: World) -> Iterator[Finding]:
    if world.today is None:
        return
    if plan.approved_on and not plan.filed_on and world.today > plan.approved_on + timedelta(days=FILING_DAYS):
        yield Finding("not_filed", params={"date": plan.approved_on.isoformat()})
    if plan.review_on and world.today > plan.review_on:
        yield Finding("review_overdue", params={"date": plan.review_on.isoformat()})


def _conditions(levels: Sequence[LevelFacts], world: World) -> Iterator[Finding]:
    read: dict[conditions.Node, int] = {}
    for level in sorted(levels, key=lambda each: each.level):
        if not level.condition.strip():
            yield Finding("condition_none", level.level)
            continue
        try:
            node = conditions.parse(level.condition)
        except conditions.ConditionError as error:
            yield Finding("condition_unreadable", level.level, params={"why": str(error), "error": error})
            continue
        townships = len(world.ground.townships) or None
        if not conditions.can_hold(node, townships=townships):
            yield Finding("condition_never", level.level, params={"text": level.condition})
        if node in read:
            yield Finding("condition_same", level.level, params={"other": ["I", "II", "III", "IV"][read[node] - 1]})
        read.setdefault(node, level.level)
        yield from _names(node, level.level, world)


def _names(node: conditions.Node, level: int, world: World) -> Iterator[Finding]:
    tests = list(conditions.comparisons(node))
    for hazard in dict.fromkeys(test.hazard for test in tests):
        if world.hazards and hazard != conditions.ANY and hazard not in world.hazards:
            yield Finding("hazard_unknown", level, params={"hazard": hazard})
    for code in dict.fromkeys(test.place for test in tests if test.place):
        path = world.ground.codes.get(code)
        if path is None:
            yield Finding("place_unknown", level, params={"code": code})
        elif not conditions.touches(path, world.ground.path):
            yield Finding("place_outside", level, params={"code": code})


def _level(plan: PlanFacts, level: LevelFacts, world: World) -> Iterator[Finding]:
    milder = any(other.actions for other in plan.levels if other.level > level.level)
    if not level.actions and not (plan.cumulative and milder):
        yield Finding("no_actions", level.level)
    if not level.has_term:
        yield Finding("term_none", level.level)
    if not level.has_measures:
        yield Finding("measures_none", level.level)
    for action in level.actions:
        yield from _action(level.level, action, world)


def _action(level: int, action: ActionFacts, world: World) -> Iterator[Finding]:
    if action.minutes == 0:
        yield Finding("limit_zero", level, action.code)
    if action.minutes is None:
        yield Finding("limit_none", level, action.code)
    if not action.clause:
        yield Finding("clause_none", level, action.code)
    if not action.by:
        yield Finding("nobody", level, action.code)
    for code in action.by:
        if code in PATTERNS:
            meant = world.patterns.get(code, ())
            if not meant:
                yield Finding("pattern_empty", level, action.code, {"pattern": code})
            yield from _empty(level, action.code, meant, world)
        elif code not in world.organisations:
            yield Finding("organisation_unknown", level, action.code, {"code": code})
        else:
            yield from _empty(level, action.code, (code,), world)


def _empty(level: int, action: str, codes: Sequence[str], world: World) -> Iterator[Finding]:
    for code in codes:
        if code not in world.staffed:
            yield Finding(
                "organisation_empty", level, action, {"name": world.organisations.get(code, code), "code": code}
            )
