"""The linter tells what is wrong with a plan before the night in which it must run (3.5.2)."""

from __future__ import annotations

from datetime import date
from typing import Any

from haitang.plans import services
from haitang.plans.conditions import Ground
from haitang.plans.findings import ERROR, ActionFacts, LevelFacts, PlanFacts, World, check
from haitang.plans.models import Plan

GROUND = Ground("9/", ("9/1/", "9/2/"), {"9": "9/", "1": "9/1/", "8": "8/"})
WORLD = World(
    organisations={"WATER": "水务局", "TS1": "东港镇", "EMPTY": "空局"}, staffed=frozenset({"WATER", "TS1"}),
    patterns={"townships": ("TS1",)}, ground=GROUND, hazards=frozenset({"typhoon"}), today=date(2024, 9, 16),
)  # fmt: skip


def action(**fields: Any) -> ActionFacts:
    return ActionFacts(**{"code": "a", "by": ("WATER",), "minutes": 60, "clause": "1", **fields})


def level(number: int = 4, condition: str = "typhoon >= blue", *actions: ActionFacts, **fields: Any) -> LevelFacts:
    return LevelFacts(number, condition, actions or (action(),), **fields)


def full(*levels: LevelFacts, **fields: Any) -> PlanFacts:
    given = {each.level for each in levels}
    conditions = {1: "typhoon = red", 2: "typhoon >= orange", 3: "typhoon >= yellow", 4: "typhoon >= blue"}
    return PlanFacts((*levels, *(level(n, conditions[n]) for n in conditions if n not in given)), **fields)


def codes(plan: PlanFacts, world: World = WORLD) -> set[str]:
    return {each.code for each in check(plan, world)}


def test_a_sound_plan_has_no_findings() -> None:
    assert check(full(), WORLD) == []


def test_a_plan_without_levels_is_only_checked_for_its_dates() -> None:
    assert codes(PlanFacts(())) == set()
    assert codes(PlanFacts((), approved_on=date(2024, 1, 1))) == {"not_filed"}
    assert codes(PlanFacts((), approved_on=date(2024, 1, 1), filed_on=date(2024, 1, 9))) == set()
    assert codes(PlanFacts((), review_on=date(2024, 1, 1))) == {"review_overdue"}


def test_a_missing_level_is_found() -> None:
    found = check(PlanFacts((level(1, "typhoon = red"), level(2, "typhoon >= orange"), level(4))), WORLD)
    assert [str(each) for each in found] == [
        "Level III is missing: add it to the plan, or the law's four levels are not covered."
    ]


def test_an_unknown_organisation_is_found() -> None:
    found = check(full(level(3, "typhoon >= yellow", action(by=("NOBODY", "WATER")))), WORLD)
    assert [(each.code, each.level, each.action, each.severity) for each in found] == [
        ("organisation_unknown", 3, "a", ERROR)
    ]


def test_an_organisation_without_a_person_is_found() -> None:
    assert codes(full(level(3, "typhoon >= yellow", action(by=("EMPTY",))))) == {"organisation_empty"}


def test_a_pattern_is_followed_to_its_people() -> None:
    assert codes(full(level(3, "typhoon >= yellow", action(by=("townships",))))) == set()
    assert codes(full(level(3, "typhoon >= yellow", action(by=("villages",))))) == {"pattern_empty"}


def test_a_condition_that_can_never_be_true_is_found() -> None:
    assert codes(full(level(1, "typhoon > red"))) == {"condition_never"}
    assert codes(full(level(1, "typhoon = red in 3 townships"))) == {"condition_never"}


def test_a_condition_that_cannot_be_read_is_found() -> None:
    assert codes(full(level(1, "typhoon >= oragne"))) == {"condition_unreadable"}


def test_a_level_that_another_always_hides_is_found() -> None:
    assert codes(full(level(3, "typhoon >= orange"))) == {"condition_same"}


def test_a_hazard_that_is_never_warned_of_is_found() -> None:
    assert codes(full(level(1, "typhoom = red"))) == {"hazard_unknown"}


def test_places_of_a_condition_are_known_and_inside() -> None:
    assert codes(full(level(1, "typhoon = red in 1"))) == set()
    assert codes(full(level(1, "typhoon = red in 77"))) == {"place_unknown"}
    assert codes(full(level(1, "typhoon = red in 8"))) == {"place_outside"}


def test_limits_are_looked_at() -> None:
    assert codes(full(level(4, "typhoon >= blue", action(minutes=0)))) == {"limit_zero"}
    assert codes(full(level(4, "typhoon >= blue", action(minutes=None)))) == {"limit_none"}


def test_what_the_law_wants_stated_is_looked_for() -> None:
    assert codes(full(level(4, "", has_term=False, has_measures=False))) == {
        "condition_none",
        "term_none",
        "measures_none",
    }
    assert codes(full(level(4, "typhoon >= blue", action(by=(), clause="")))) == {"nobody", "clause_none"}


def test_a_level_without_actions_of_its_own_needs_milder_ones() -> None:
    empty = LevelFacts(2, "typhoon >= orange")
    assert codes(full(empty)) == set()
    assert codes(full(empty, cumulative=False)) == {"no_actions"}
    assert codes(full(LevelFacts(4, "typhoon >= blue"))) == {"no_actions"}


def test_the_stored_plan_is_checked_against_the_registers(world, flood: Plan, known_hazards) -> None:
    assert [each.code for each in services.check(flood)] == []
    world.officer.is_active = False
    world.officer.save()
    [found] = services.check(flood)
    assert (found.code, found.level, found.action) == ("organisation_empty", 2, "bridge")
    assert services.say_finding(found) == "公安分局没有可以承办的人员：请登记其责任人。"


def test_checking_a_longer_plan_asks_no_more_queries(
    world, flood: Plan, known_hazards, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(9):
        services.check(flood)
