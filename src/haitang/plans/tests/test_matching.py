"""Publishing a warning asks for the level of the matching plan, for district and township (3.1.4)."""

from __future__ import annotations

import pytest

from haitang.plans import services
from haitang.plans.conditions import Signal
from haitang.plans.models import Plan
from haitang.plans.tests import factories


def levels(found: list[services.Proposal]) -> list[tuple[str, int, list[str]]]:
    return [(each.plan.code, each.level.level, [place.code for place in each.places]) for each in found]


@pytest.mark.parametrize(
    ("hazard", "colour", "level"),
    [("typhoon", "blue", 4), ("typhoon", "yellow", 3), ("typhoon", "orange", 2), ("typhoon", "red", 1), ("rainstorm", "yellow", 4), ("rainstorm", "red", 2)],
)  # fmt: skip
def test_the_gravest_level_whose_condition_holds_is_proposed(
    world, flood: Plan, hazard: str, colour: str, level: int
) -> None:
    assert levels(services.matching(hazard, colour, [world.district])) == [
        ("T-FLOOD", level, ["900001", "900002", "900003"])
    ]


def test_a_warning_for_some_townships_is_answered_there(world, flood: Plan) -> None:
    assert levels(services.matching("typhoon", "orange", [world.east, world.south])) == [
        ("T-FLOOD", 2, ["900001", "900003"])
    ]


def test_a_hazard_that_no_plan_speaks_of_proposes_nothing(world, flood: Plan) -> None:
    assert services.matching("fog", "red", [world.district]) == []


def test_a_plan_out_of_force_proposes_nothing(world, flood: Plan) -> None:
    services.retire(flood, by=world.duty)
    assert services.matching("typhoon", "red", [world.district]) == []


def test_townships_with_a_plan_get_their_own_proposal(world, flood: Plan, load) -> None:
    load(flood=factories.FLOOD, towns=factories.TOWNSHIPS)
    found = services.matching("typhoon", "orange", [world.east, world.west])
    assert levels(found) == [
        ("T-FLOOD", 2, ["900001", "900002"]), ("T-TS-900001", 2, ["900001"]), ("T-TS-900002", 2, ["900002"]),
    ]  # fmt: skip
    assert [each.level.start for each in found] == ["propose", "auto", "auto"]


def test_other_warnings_in_force_count_too(world, load) -> None:
    both = factories.FLOOD.replace(
        'condition = "typhoon = red"', 'condition = "typhoon >= orange and storm_surge >= orange"'
    )
    load(flood=both)
    assert levels(services.matching("typhoon", "orange", [world.district]))[0][1] == 2
    surge = Signal("storm_surge", "red", frozenset({world.east.path}))
    assert levels(services.matching("typhoon", "orange", [world.district], also=[surge]))[0][1] == 1


def test_a_level_is_not_proposed_by_a_hazard_its_condition_does_not_name(world, flood: Plan) -> None:
    """A typhoon in force does not make a rainstorm warning propose the typhoon's level."""
    storm = Signal("typhoon", "red", frozenset({world.district.path}))
    assert levels(services.matching("rainstorm", "blue", [world.district], also=[storm])) == [
        ("T-FLOOD", 2, ["900001", "900002", "900003"])
    ]


def test_matching_asks_few_queries_however_many_plans(world, load, django_assert_max_num_queries) -> None:
    load(flood=factories.FLOOD, towns=factories.TOWNSHIPS)
    with django_assert_max_num_queries(3):
        services.matching("typhoon", "red", [world.district])


def test_a_graver_level_includes_the_milder_ones_actions(flood: Plan) -> None:
    assert [action.code for action in services.actions_at(flood, 4)] == ["watch"]
    assert [action.code for action in services.actions_at(flood, 2)] == ["move", "bridge", "shelters", "watch"]
    at_one = {action.code: action for action in services.actions_at(flood, 1)}
    assert set(at_one) == {"watch", "move", "bridge", "shelters"}
    assert at_one["watch"].text_zh == "主要负责人到岗值守", "an action of the same code replaces the milder level's"


def test_a_plan_that_does_not_add_up_has_only_the_levels_own(flood: Plan) -> None:
    flood.cumulative = False
    assert [action.code for action in services.actions_at(flood, 2)] == ["move", "bridge"]


def test_patterns_mean_the_organisations_of_the_area(world, flood: Plan, django_assert_max_num_queries) -> None:
    asked = ["townships", "WATER", "command", "owner", "departments", "NOBODY"]
    with django_assert_max_num_queries(1):
        meant = services.organisations_of(flood, asked, [world.east, world.south])
    assert {name: [each.code for each in rows] for name, rows in meant.items()} == {
        "townships": ["TS1", "TS3"], "WATER": ["WATER"], "command": ["CMD"], "owner": ["HQ"],
        "departments": ["HQ", "POLICE", "WATER"], "NOBODY": [],
    }  # fmt: skip
