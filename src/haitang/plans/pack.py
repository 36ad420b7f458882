"""Plans in a data pack: every `plans/*.toml` of the pack. A file holds one plan, or the list of plans a district must have.

One plan:

    [plan]
    code = "CM-FLOOD"                   # unique in the whole pack; stays the same from version to version
    name_zh = "崇明区防汛防台专项应急预案"
    name_en = "Chongming flood and typhoon plan"
    kind = "special"                    # overall special department township village enterprise event
    hazards = ["typhoon", "rainstorm"]  # the `hazard` keys of alerting's event kinds; [] for a plan about anything
    version = "2024"
    place = "310151"                    # code of the place the plan is for
    owner = "CM-FLOODHQ"                # organisation that keeps the plan and leads the response
    approved = 2024-05-06               # dates are TOML dates, without quotes; leave out what is not known
    filed = 2024-05-20                  # filed with the government above
    review = 2027-05-06                 # to be reviewed by
    cumulative = true                   # each level includes the actions of the graver-numbered (milder) levels; default true
    source = "..."                      # where the text comes from, with its date
    note_zh = ""                        # optional remark, shown on the plan's page
    note_en = ""
    is_demo = false                     # true: made up for the demonstration, and shown as such

    [[level]]                           # one table each; a plan with responses has all four
    level = "IV"                        # I II III IV; I is the gravest
    colour = "blue"                     # red orange yellow blue
    condition = "typhoon >= blue or rainstorm >= blue"   # see below; "" means started by decision only
    start = "propose"                   # "propose" asks the commander; "auto" starts at once
    term_hours = 24                     # the expected term that a start must state (突发事件应对法 art. 72)
    measures_zh = "加强值班值守……"        # the measures a start must state, in one paragraph
    measures_en = "..."
    clause = "4.3.1"                    # where the plan's text says so

    [[level.action]]                    # follows the level it belongs to
    code = "patrol-seawall"             # unique within the plan's level; the same code at a graver level replaces it there
    text_zh = "巡查海塘、水闸，报告险情"
    text_en = "Patrol sea walls and sluices, report danger"
    by = ["CM-WATER", "townships"]      # who: organisation codes or patterns, see below; one task for each
    minutes = 120                       # limit, counted from the start of the level
    clause = "4.3.1(2)"
    confirm = false                     # true: the command must confirm what is reported done
    photo = false                       # true: wanted with a photograph
    moves = "inspection"                # what it sets moving, one of MOVES: evacuation shelter closure traffic teams
                                        # supplies inspection information recovery, or "" for none

`by` patterns: "townships", "villages", "departments", "enterprises", "social" mean every organisation of that kind that
stands in the area of the response (departments: at the plan's place); "owner" is the plan's owner, "command" the command
centre of the plan's place. Anything else is an organisation's code.

Conditions speak of the warnings in force, by hazard, colour and place, and are read by `plans.conditions`:

    typhoon >= orange                          the gravest typhoon warning that touches the plan's place is orange or red
    rainstorm = red or typhoon >= red          = < <= > >= compare colours: blue < yellow < orange < red
    typhoon >= yellow and storm_surge >= blue  `and` binds closer than `or`; brackets group
    rainstorm >= orange in 310151101           touches that place (or one inside it)
    typhoon >= yellow in 3 townships           touches at least three townships of the plan's place
    any >= red                                 any hazard

One plan for each township (or village) of a place, from one file: `for_each = "townships"` in `[plan]` in place of
`owner`; `place` is then the place whose townships are meant. `{code}`, `{name_zh}`, `{name_en}` of the township may stand
in `code`, `name_zh`, `name_en` and `note_*` of the plan; the owner is the organisation of that kind that stands at the
township. A village plan may have no levels.

    [plan]
    code = "CM-TS-{code}"
    name_zh = "{name_zh}防汛防台应急预案"
    kind = "township"
    for_each = "townships"              # or "villages"
    place = "310151"

The plans a district must have (K5, plan coverage), in a file of their own such as `plans/required.toml`:

    [[required]]
    kind = "special"                    # kind of plan
    hazard = "typhoon"                  # optional: the plan must name this hazard
    level = "district"                  # every place of this level: district township village
    name_zh = "区级防汛防台专项预案"
    name_en = "District flood and typhoon plan"
    source = "..."                      # rule that asks for it
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation, OrganisationKind
from haitang.geo.models import Level, Place
from haitang.packs import Pack, PackError, section
from haitang.plans import conditions
from haitang.plans.models import Moves, PlanKind, ResponseLevel, Start
from haitang.plans.services import ActionData, LevelData, PlanData, require_plan, save

_EACH = {
    "townships": (Level.TOWNSHIP, OrganisationKind.TOWNSHIP),
    "villages": (Level.VILLAGE, OrganisationKind.VILLAGE),
}
_PLAN = frozenset(
    [
        "code",
        "name_zh",
        "name_en",
        "kind",
        "hazards",
        "version",
        "place",
        "owner",
        "approved",
        "filed",
        "review",
        "cumulative",
        "source",
        "note_zh",
        "note_en",
        "is_demo",
        "for_each",
    ]
)
_LEVEL = frozenset(
    ["level", "colour", "condition", "start", "term_hours", "measures_zh", "measures_en", "clause", "action"]
)
_ACTION = frozenset(["code", "text_zh", "text_en", "by", "minutes", "clause", "confirm", "photo", "moves"])
_REQUIRED = frozenset(["kind", "hazard", "level", "name_zh", "name_en", "source"])
_COLOURS = frozenset(conditions.COLOURS)
_NUMERALS = {level.name: level.value for level in ResponseLevel}


@section("plans.plans", after=("geo.places", "accounts.organisations"))
def plans(pack: Pack, by: Actor) -> int:
    """Take in every plan of the pack, and the list of plans the district must have."""
    taken = 0
    for file in pack.files("plans/*.toml"):
        told = pack.toml(file)
        _Reading(file, told, "").only(frozenset({"plan", "level", "required"}))
        for data in _plans(file, told):
            save(data, by=by)
            taken += 1
        for number, row in enumerate(told.get("required", ()), start=1):
            one = _Reading(file, row, f"required {number}").only(_REQUIRED)
            require_plan(
                kind=one.choice("kind", PlanKind.values), level=one.choice("level", Level.values),
                hazard=one.text("hazard"), name_zh=one.needed("name_zh"), name_en=one.text("name_en"),
                source=one.text("source"), by=by,
            )  # fmt: skip
            taken += 1
    return taken


class _Reading:
    """One table of a TOML file, read with errors that name file, table, field, value and remedy."""

    def __init__(self, file: str, table: Any, where: str) -> None:
        self.file, self.where = file, where
        if not isinstance(table, Mapping):
            raise PackError(file, "is not a table", "Write it as [plan] or [[level]]", field=where)
        self.table: Mapping[str, Any] = table

    def error(self, name: str, rule: str, remedy: str = "") -> PackError:
        field = f"{self.where}: {name}" if self.where else name
        return PackError(self.file, rule, remedy, field=field, value=self.table.get(name))

    def only(self, known: frozenset[str]) -> _Reading:
        for name in self.table:
            if name not in known:
                raise self.error(name, "is not a field here", f"Known are {', '.join(sorted(known))}")
        return self

    def _typed(self, name: str, kind: type | tuple[type, ...], words: str, default: Any) -> Any:
        value = self.table.get(name, default)
        if value is default:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(name, f"is not {words}")
        return value

    def text(self, name: str) -> str:
        return str(self._typed(name, str, "a text in quotes", "")).strip()

    def needed(self, name: str) -> str:
        found = self.text(name)
        if not found:
            raise self.error(name, "a value is needed here")
        return found

    def flag(self, name: str, default: bool) -> bool:
        return bool(self._typed(name, bool, "true or false", default))

    def number(self, name: str) -> float | None:
        found = self._typed(name, (int, float), "a number without quotes", None)
        return None if found is None else float(found)

    def minutes(self, name: str) -> int | None:
        found = self._typed(name, int, "a whole number of minutes", None)
        if found is not None and not 0 <= found <= 1_000_000:
            raise self.error(name, "is not between 0 and 1,000,000 minutes")
        return found if found is None else int(found)

    def day(self, name: str) -> date | None:
        return self._typed(name, date, "a date; write it without quotes, like 2024-09-16", None)  # type: ignore[no-any-return]

    def words(self, name: str) -> tuple[str, ...]:
        found = self.table.get(name, [])
        found = [found] if isinstance(found, str) else found
        if not isinstance(found, list) or not all(isinstance(each, str) and each.strip() for each in found):
            raise self.error(name, "is not a list of texts", 'Write it like ["A", "B"]')
        return tuple(dict.fromkeys(each.strip() for each in found))

    def choice(self, name: str, allowed: Any, default: str | None = None) -> str:
        found = self.text(name) or default or ""
        if found not in allowed:
            raise self.error(name, "is not one of the known values", f"Write one of {', '.join(map(str, allowed))}")
        return found


def _plans(file: str, told: Mapping[str, Any]) -> Iterator[PlanData]:
    if "plan" not in told:
        if "level" in told:
            raise PackError(file, "has levels but no [plan]", "Put the plan's own table first", field="plan")
        return
    head = _Reading(file, told["plan"], "plan").only(_PLAN)
    levels = tuple(_levels(file, told.get("level", ())))
    code = head.needed("place")
    place = Place.objects.filter(code=code).first()
    if place is None:
        raise head.error("place", "is not a known place", "Use a code of places.csv")
    each = head.text("for_each")
    if not each:
        yield _plan(head, levels, place, _owner(head), {})
        return
    if each not in _EACH:
        raise head.error("for_each", "is not one of the known values", f"Write one of {', '.join(_EACH)}")
    if head.text("owner"):
        raise head.error("owner", "does not stand beside for_each", "The owner is the organisation of each place")
    if "{code}" not in head.needed("code"):
        raise head.error("code", "must hold {code}, or all the plans would be one")
    level, kind = _EACH[each]
    owners = {
        row.place_id: row for row in Organisation.objects.filter(kind=kind, place__isnull=False).order_by("-path")
    }
    for below in place.subtree().filter(level=level).order_by("path"):
        owner = owners.get(below.pk)
        if owner is not None:  # a place without its organisation shows in the coverage as one without a plan
            filling = {"code": below.code, "name_zh": below.name_zh, "name_en": below.name_en or below.name_zh}
            yield _plan(head, levels, below, owner, filling)


def _owner(head: _Reading) -> Organisation:
    found = Organisation.objects.filter(code=head.needed("owner")).first()
    if found is None:
        raise head.error("owner", "is not a known organisation", "Use a code of the pack's organisations")
    return found


def _plan(
    head: _Reading, levels: tuple[LevelData, ...], place: Place, owner: Organisation, filling: Mapping[str, str]
) -> PlanData:
    def fill(name: str) -> str:
        text = head.text(name)
        try:
            named = {part for _literal, part, _spec, _conversion in string.Formatter().parse(text) if part is not None}
            return text.format_map(filling) if filling and named <= set(filling) else text
        except (ValueError, IndexError) as error:
            raise head.error(name, f"has brackets that cannot be filled: {error}") from error

    head.needed("code"), head.needed("name_zh")
    return PlanData(
        code=fill("code"), name_zh=fill("name_zh"), name_en=fill("name_en"), kind=head.choice("kind", PlanKind.values),
        version=head.needed("version"), place=place, owner=owner, hazards=head.words("hazards"),
        approved_on=head.day("approved"), filed_on=head.day("filed"), review_on=head.day("review"),
        cumulative=head.flag("cumulative", True), source=head.text("source"), note_zh=fill("note_zh"),
        note_en=fill("note_en"), is_demo=head.flag("is_demo", False), levels=levels,
    )  # fmt: skip


def _levels(file: str, rows: Any) -> Iterator[LevelData]:
    seen: set[int] = set()
    for row in rows:
        numeral = str(row.get("level", "")) if isinstance(row, Mapping) else ""
        one = _Reading(file, row, f"level {numeral}").only(_LEVEL)
        level = _NUMERALS[one.choice("level", tuple(_NUMERALS))]
        if level in seen:
            raise one.error("level", "stands twice in the file")
        seen.add(level)
        condition = " ".join(one.text("condition").split())
        if condition:
            try:
                conditions.parse(condition)
            except conditions.ConditionError as error:
                raise one.error("condition", str(error)) from error
        start = one.choice("start", Start.values, Start.PROPOSE)
        if start == Start.AUTO and not condition:
            raise one.error("start", "a level without a condition cannot start by itself", "Write a condition")
        yield LevelData(
            level=level, colour=one.choice("colour", _COLOURS, ResponseLevel(level).colour), condition=condition, start=start,
            term_hours=one.number("term_hours"), measures_zh=one.text("measures_zh"), measures_en=one.text("measures_en"),
            clause=one.text("clause"), actions=tuple(_actions(file, numeral, row.get("action", ()))),
        )  # fmt: skip


def _actions(file: str, numeral: str, rows: Any) -> Iterator[ActionData]:
    seen: set[str] = set()
    for row in rows:
        name = str(row.get("code", "")) if isinstance(row, Mapping) else ""
        one = _Reading(file, row, f"level {numeral}, action {name}").only(_ACTION)
        code = one.needed("code")
        if code in seen:
            raise one.error("code", "stands twice in the level")
        seen.add(code)
        yield ActionData(
            code=code, text_zh=one.needed("text_zh"), text_en=one.text("text_en"), by=one.words("by"),
            minutes=one.minutes("minutes"), clause=one.text("clause"), confirm=one.flag("confirm", False),
            photo=one.flag("photo", False), moves=one.choice("moves", ("", *Moves.values), ""),
        )  # fmt: skip
