"""What can be done with plans, and what others ask of them: matching levels, actions at a level, who they mean, findings.

Incidents ask `matching` when a warning goes out, `actions_at` and `organisations_of` when a level starts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import OFFICIALS, OPERATIONS, Role
from haitang.accounts.verbs import Forbidden, Refused, verb
from haitang.geo.models import Level as PlaceLevel
from haitang.geo.models import Place
from haitang.journal.services import record
from haitang.plans import conditions, findings, hazards
from haitang.plans.conditions import ConditionError, Ground, Signal
from haitang.plans.models import Plan, PlanAction, PlanLevel, RequiredPlan, ResponseLevel
from haitang.spaces.clock import now
from haitang.spaces.models import Space

KEEPERS = OPERATIONS | {Role.ADMIN}
_BY_PLACE_KIND = {
    "townships": OrganisationKind.TOWNSHIP,
    "villages": OrganisationKind.VILLAGE,
    "enterprises": OrganisationKind.ENTERPRISE,
    "social": OrganisationKind.SOCIAL,
}
_PLURAL = {OrganisationKind.DEPARTMENT: "departments", OrganisationKind.COMMAND: "command"}


# -- keeping plans ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ActionData:
    """One action, ready to be stored."""

    code: str
    text_zh: str
    text_en: str = ""
    by: tuple[str, ...] = ()
    minutes: int | None = None
    clause: str = ""
    confirm: bool = False
    photo: bool = False
    moves: str = ""


@dataclass(frozen=True, kw_only=True)
class LevelData:
    """One level, ready to be stored."""

    level: int
    colour: str
    condition: str = ""
    start: str = "propose"
    term_hours: float | None = None
    measures_zh: str = ""
    measures_en: str = ""
    clause: str = ""
    actions: tuple[ActionData, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlanData:
    """A plan, ready to be stored."""

    code: str
    name_zh: str
    kind: str
    version: str
    place: Place
    owner: Organisation
    name_en: str = ""
    hazards: tuple[str, ...] = ()
    approved_on: date | None = None
    filed_on: date | None = None
    review_on: date | None = None
    cumulative: bool = True
    source: str = ""
    note_zh: str = ""
    note_en: str = ""
    is_demo: bool = False
    levels: tuple[LevelData, ...] = field(default=())

    def digest(self) -> str:
        """A fingerprint of all it says."""
        told = {name: value for name, value in vars(self).items() if name not in {"place", "owner", "levels"}}
        told |= {"place": self.place.code, "owner": self.owner.code, "levels": [asdict(level) for level in self.levels]}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@verb("plans.save", roles=KEEPERS)
def save(data: PlanData, *, by: Actor) -> Plan:
    """Take a plan in, or a new version of it. The same text again changes nothing and is not journalled."""
    _reach(data.place, by)
    known = Plan.objects.filter(code=data.code).first()
    digest = data.digest()
    if known and known.digest == digest:
        return known
    plan = known or Plan(code=data.code)
    before = {"version": known.version} if known else None
    for name, value in vars(data).items():
        if name != "levels":
            setattr(plan, name, list(value) if name == "hazards" else value)
    plan.is_active, plan.digest = True, digest
    plan.save()
    plan.levels.all().delete()
    for level in data.levels:
        told = {name: value for name, value in vars(level).items() if name != "actions"}
        row = PlanLevel.objects.create(plan=plan, **told)
        PlanAction.objects.bulk_create(
            PlanAction(level=row, order=order, **{**asdict(action), "by": list(action.by)})
            for order, action in enumerate(level.actions)
        )
    text_zh, text_en = ("修订", "revised") if known else ("录入", "registered")
    _journal(plan, "save", by, f"{text_zh}预案：{plan.name_zh}（{plan.version}）",
             f"Plan {text_en}: {plan.name_en or plan.name_zh} ({plan.version})", before=before,
             after={"version": plan.version, "levels": len(data.levels), "sha256": digest})  # fmt: skip
    return plan


@verb("plans.set_level", roles=KEEPERS)
def set_level(level: PlanLevel, *, condition: str, start: str, term_hours: float | None, by: Actor) -> PlanLevel:
    """Change when a level is met, how it starts and for how long it is expected to last."""
    _reach(level.plan.place, by)
    condition = " ".join(condition.split())
    if condition:
        try:
            conditions.parse(condition)
        except ConditionError as error:
            raise Refused(say(error)) from error
    elif start == "auto":
        raise Refused(_("A level without a condition cannot start by itself: write a condition, or let it propose"))
    before = {name: getattr(level, name) for name in ("condition", "start", "term_hours")}
    level.condition, level.start, level.term_hours = condition, start, term_hours
    level.save(update_fields=list(before))
    after = {name: getattr(level, name) for name in before}
    if after != before:
        plan = level.plan
        _journal(plan, "set_level", by, f"修改{plan.name_zh}{level.numeral.zh}响应的启动条件",
                 f"Level {level.numeral.name} of {plan.name_en or plan.name_zh} changed", before=before, after=after)  # fmt: skip
    return level


@verb("plans.set_dates", roles=KEEPERS)
def set_dates(
    plan: Plan, *, approved_on: date | None, filed_on: date | None, review_on: date | None, by: Actor
) -> Plan:
    """Note when a plan was approved and filed, and when it is to be reviewed."""
    _reach(plan.place, by)
    if approved_on and filed_on and filed_on < approved_on:
        raise Refused(_("A plan is filed after it is approved: correct one of the dates"))
    before = {name: getattr(plan, name) for name in ("approved_on", "filed_on", "review_on")}
    plan.approved_on, plan.filed_on, plan.review_on = approved_on, filed_on, review_on
    plan.save(update_fields=list(before))
    after = {name: getattr(plan, name) for name in before}
    if after != before:
        _journal(plan, "set_dates", by, f"更新预案批准备案信息：{plan.name_zh}",
                 f"Dates of the plan changed: {plan.name_en or plan.name_zh}", before=before, after=after)  # fmt: skip
    return plan


@verb("plans.retire", roles=KEEPERS)
def retire(plan: Plan, *, by: Actor) -> Plan:
    """Put a plan out of force; its record stays."""
    _reach(plan.place, by)
    if plan.is_active:
        plan.is_active, plan.digest = False, ""
        plan.save(update_fields=["is_active", "digest"])
        _journal(plan, "retire", by, f"废止预案：{plan.name_zh}", f"Plan out of force: {plan.name_en or plan.name_zh}")
    return plan


@verb("plans.require", roles=KEEPERS)
def require_plan(*, kind: str, level: str, hazard: str = "", name_zh: str, name_en: str = "", source: str = "",
                 by: Actor) -> RequiredPlan:  # fmt: skip
    """Say that every place of a level must have a plan of this kind."""
    told = {"name_zh": name_zh, "name_en": name_en, "source": source}
    row, new = RequiredPlan.objects.get_or_create(kind=kind, hazard=hazard, level=level, defaults=told)
    if new or any(getattr(row, name) != value for name, value in told.items()):
        for name, value in told.items():
            setattr(row, name, value)
        row.save()
        record(space=Space.live(), verb="plans.require", by=by, subject=row, after={"kind": kind, "level": level},
               text_zh=f"规定应编预案：{name_zh}", text_en=f"Plan required: {name_en or name_zh}")  # fmt: skip
    return row


def _reach(place: Place, by: Actor) -> None:
    reach = None if isinstance(by, System) or by.organisation is None else by.organisation.place
    if reach is not None and not reach.contains(place):
        raise Forbidden(_("Outside your jurisdiction: %(places)s") % {"places": place.name})


def _journal(plan: Plan, what: str, by: Actor, text_zh: str, text_en: str, *, before: dict[str, Any] | None = None,
             after: dict[str, Any] | None = None) -> None:  # fmt: skip
    record(space=Space.live(), verb=f"plans.{what}", by=by, subject=plan, place=plan.place, organisation=plan.owner,
           thread=plan, before=before, after=after, text_zh=text_zh, text_en=text_en)  # fmt: skip


def say(error: ConditionError) -> str:
    """A condition's fault in the reader's language."""
    return _(error.template) % {k: _(v) if k == "wanted" else v for k, v in error.params.items()}  # type: ignore[arg-type]


# -- what a warning asks for ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposal:
    """A level that a warning asks for: the plan's level, and the townships (or the place itself) it is for."""

    level: PlanLevel
    places: tuple[Place, ...]

    @property
    def plan(self) -> Plan:
        """The plan whose level it is."""
        return self.level.plan


def matching(hazard: str, colour: str, places: Iterable[Place], *, also: Iterable[Signal] = ()) -> list[Proposal]:
    """The levels that a warning meets, for the district and for each township with a plan. Three queries.

    `also` are the other warnings in force; of each plan the gravest level counts whose condition speaks of the hazard.
    """
    here = Signal(hazard, colour, frozenset(place.path for place in places))
    signals = [here, *also]
    plans = Plan.objects.filter(is_active=True, levels__isnull=False).distinct().select_related("place", "owner__place")
    near = [plan for plan in plans.prefetch_related("levels") if _near(plan.place.path, here.places)]
    townships = list(Place.objects.filter(level=PlaceLevel.TOWNSHIP)) if near else []
    found = []
    for plan in near:
        ground = _ground(plan.place, townships, near)
        level = _met(plan, hazard, signals, ground)
        if level is not None:
            found.append(Proposal(level, _area(plan, level, signals, townships)))
    return sorted(
        found,
        key=lambda each: (each.plan.place.path.count("/"), each.level.level, each.plan.place.path, each.plan.code),
    )


def level_met(plan: Plan, signals: Sequence[Signal]) -> PlanLevel | None:
    """The gravest level of a plan whose condition holds with these warnings in force; None where none does. Two queries."""
    townships = list(Place.objects.filter(level=PlaceLevel.TOWNSHIP, path__startswith=plan.place.path))
    return _met(plan, None, signals, _ground(plan.place, townships, [plan]))


def hazards_of(plan: Plan) -> set[str]:
    """The hazards whose warnings a plan speaks of: those it names, and those of its conditions. One query."""
    found = set(plan.hazards)
    for condition in plan.levels.values_list("condition", flat=True):
        try:
            found |= {test.hazard for test in conditions.comparisons(conditions.parse(condition))}
        except ConditionError:
            continue
    return found


def _near(path: str, places: Iterable[str]) -> bool:
    return any(conditions.touches(path, place) for place in places)


def _ground(place: Place, townships: Sequence[Place], plans: Sequence[Plan] = ()) -> Ground:
    below = tuple(each.path for each in townships if each.path.startswith(place.path))
    codes = {each.code: each.path for each in townships} | {plan.place.code: plan.place.path for plan in plans}
    return Ground(place.path, below, codes | {place.code: place.path})


def _met(plan: Plan, hazard: str | None, signals: Sequence[Signal], ground: Ground) -> PlanLevel | None:
    for level in plan.levels.all():  # prefetched, the gravest first
        if not level.condition:
            continue
        try:
            node = conditions.parse(level.condition)
        except ConditionError:
            continue  # the linter shows it on the plan's page
        speaks = hazard is None or conditions.speaks_of(node, hazard)
        if speaks and conditions.holds(node, signals, ground):
            level.plan = plan
            return level
    return None


def _area(plan: Plan, level: PlanLevel, signals: Sequence[Signal], townships: Sequence[Place]) -> tuple[Place, ...]:
    node = conditions.parse(level.condition)
    paths = {path for each in signals if conditions.speaks_of(node, each.hazard) for path in each.places}
    inside = [each for each in townships if each.path.startswith(plan.place.path) and _near(each.path, paths)]
    return tuple(inside) or (plan.place,)


# -- what a level sets moving -----------------------------------------------------------------------------------


def actions_at(plan: Plan, level: int) -> list[PlanAction]:
    """The actions of a level, with those of the milder levels where the plan adds up; one of each code. One query."""
    rows = PlanAction.objects.filter(level__plan=plan, level__level__gte=level).select_related("level")
    if not plan.cumulative:
        rows = rows.filter(level__level=level)
    by_code: dict[str, PlanAction] = {}
    for action in rows.order_by("level__level", "order", "pk"):
        by_code.setdefault(action.code, action)
    return list(by_code.values())


def organisations_of(plan: Plan, by: Collection[str], places: Iterable[Place]) -> dict[str, list[Organisation]]:
    """Whom each code or pattern means in an area: {"townships": [...], "WATER": [...]}. One query."""
    paths = [place.path for place in places]
    kinds = {_BY_PLACE_KIND[each]: each for each in by if each in _BY_PLACE_KIND}
    asked = set(kinds) | {
        kind for kind in (OrganisationKind.DEPARTMENT, OrganisationKind.COMMAND) if _PLURAL[kind] in by
    }
    wanted = Q(code__in=list(by)) | Q(kind__in=asked) | Q(pk=plan.owner_id)
    rows = Organisation.objects.filter(wanted).select_related("place").order_by("path")
    found: dict[str, list[Organisation]] = {each: [] for each in by}
    for row in rows:
        where = row.place.path if row.place else ""
        if row.code in found:
            found[row.code].append(row)
        if row.kind in kinds and where and any(where.startswith(path) for path in paths):
            found[kinds[OrganisationKind(row.kind)]].append(row)
        pattern = _PLURAL.get(OrganisationKind(row.kind), "")
        if pattern in found and row.place_id == plan.place_id:
            found[pattern].append(row)
        if "owner" in found and row.pk == plan.owner_id:
            found["owner"].append(row)
    return found


# -- findings ---------------------------------------------------------------------------------------------------


def check(plan: Plan) -> list[findings.Finding]:
    """What the linter finds in a plan. Six queries, however long the plan."""
    levels = list(plan.levels.prefetch_related("actions"))
    facts = findings.PlanFacts(
        levels=tuple(
            findings.LevelFacts(
                level.level, level.condition,
                tuple(findings.ActionFacts(each.code, tuple(each.by), each.minutes, each.clause) for each in level.actions.all()),
                has_term=level.term_hours is not None, has_measures=bool(level.measures_zh),
            )
            for level in levels
        ),
        cumulative=plan.cumulative, approved_on=plan.approved_on, filed_on=plan.filed_on, review_on=plan.review_on,
    )  # fmt: skip
    return findings.check(facts, _world(plan))


def _world(plan: Plan) -> findings.World:
    townships = [
        place for place in Place.objects.filter(level=PlaceLevel.TOWNSHIP) if place.path.startswith(plan.place.path)
    ]
    meant = organisations_of(plan, findings.PATTERNS, townships or [plan.place])
    staffed = User.objects.filter(is_active=True, organisation__isnull=False).values_list(
        "organisation__code", flat=True
    )
    codes = dict(Place.objects.exclude(level=PlaceLevel.GRID).values_list("code", "path"))
    return findings.World(
        organisations={each.code: each.name for each in Organisation.objects.all()},
        staffed=frozenset(staffed.distinct()),
        patterns={name: tuple(each.code for each in rows) for name, rows in meant.items()},
        ground=Ground(plan.place.path, tuple(place.path for place in townships), codes),
        hazards=frozenset(hazards.names()),
        today=timezone.localdate(now()),
    )


def say_finding(finding: findings.Finding) -> str:
    """A finding in the reader's language."""
    params = dict(finding.params)
    if isinstance(params.get("error"), ConditionError):
        params["why"] = say(params["error"])  # type: ignore[arg-type]
    return _(finding.template) % params


def describe(condition: str, *, places: dict[str, str] | None = None) -> str:
    """A condition as a sentence in the reader's language; the text itself where it cannot be read."""
    language = get_language() or "zh"
    try:
        node = conditions.parse(condition)
    except ConditionError:
        return condition
    return conditions.describe(node, language, hazards=hazards.labels(language), places=places)


# -- coverage, K5 -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """How far one required plan is there: places that have it, and those that do not."""

    required: RequiredPlan
    present: int
    missing: tuple[Place, ...]

    @property
    def total(self) -> int:
        """How many places must have it."""
        return self.present + len(self.missing)

    @property
    def percent(self) -> float | None:
        """The share of places that have it; None where no place must."""
        return 100 * self.present / self.total if self.total else None


def coverage_for(user: User | AnonymousUser) -> list[Coverage]:
    """Coverage of the user's own area; nothing for those who do not work with plans."""
    organisation = getattr(user, "organisation", None)
    if getattr(user, "role", None) not in OFFICIALS or organisation is None or organisation.place is None:
        return []
    return coverage(organisation.place, RequiredPlan.objects.visible_to(user))


def coverage(root: Place | None = None, required: QuerySet[RequiredPlan] | None = None) -> list[Coverage]:
    """Each required plan against the places at or below `root` that must have it (K5). Three queries."""
    rows = list(RequiredPlan.objects.all() if required is None else required)
    places = Place.objects.filter(level__in={row.level for row in rows}).order_by("path")
    if root is not None:
        places = places.filter(path__startswith=root.path)
    by_level: dict[str, list[Place]] = {}
    for place in places:
        by_level.setdefault(place.level, []).append(place)
    kept = Plan.objects.filter(is_active=True).values_list("place_id", "kind", "hazards")
    plans: dict[tuple[int, str], list[list[str]]] = {}
    for place_id, kind, of in kept:
        plans.setdefault((place_id, kind), []).append(of)

    def has(place: Place, row: RequiredPlan) -> bool:
        found = plans.get((place.pk, row.kind), [])
        return any(row.hazard in of for of in found) if row.hazard else bool(found)

    return [
        Coverage(row, sum(has(place, row) for place in by_level.get(row.level, ())),
                 tuple(place for place in by_level.get(row.level, ()) if not has(place, row)))
        for row in rows
    ]  # fmt: skip


def level_label(level: int) -> str:
    """The level's numeral in the reader's language."""
    return str(ResponseLevel(level).label)
