"""A district writes its plans as readable files; the platform takes them in, and says what it cannot read (K5, 3.5.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from haitang.journal.models import Entry
from haitang.packs import PackError
from haitang.plans.models import Plan, PlanAction, RequiredPlan
from haitang.plans.tests import factories


def test_a_plan_is_taken_in_with_its_levels_and_actions(world, flood: Plan) -> None:
    assert (flood.name_zh, flood.kind, flood.hazards, flood.owner) == (
        "试验区防汛防台专项应急预案",
        "special",
        ["typhoon", "rainstorm"],
        world.hq,
    )
    assert [(level.level, level.colour) for level in flood.levels.all()] == [
        (1, "red"),
        (2, "orange"),
        (3, "yellow"),
        (4, "blue"),
    ]
    move = PlanAction.objects.get(level__plan=flood, code="move")
    assert (move.by, move.minutes, move.confirm, move.moves, move.clause) == (
        ["townships"],
        240,
        True,
        "evacuation",
        "4.3.3(1)",
    )
    assert PlanAction.objects.get(level__plan=flood, code="shelters").photo


def test_taking_it_in_again_changes_nothing(flood: Plan, load) -> None:
    entries = Entry.objects.count()
    level = flood.levels.get(level=2).pk
    load(flood=factories.FLOOD)
    assert Entry.objects.count() == entries
    assert flood.levels.get(level=2).pk == level


def test_a_new_version_replaces_the_text_and_is_journalled(flood: Plan, load) -> None:
    load(
        flood=factories.FLOOD.replace('version = "2024"', 'version = "2025"').replace("minutes = 240", "minutes = 180")
    )
    flood.refresh_from_db()
    assert flood.version == "2025"
    assert PlanAction.objects.get(level__plan=flood, code="move").minutes == 180
    entry = Entry.objects.filter(verb="plans.save").order_by("-id").first()
    assert (
        entry
        and entry.before == {"version": "2024"}
        and entry.text_zh == "修订预案：试验区防汛防台专项应急预案（2025）"
    )


def test_one_file_gives_every_township_its_plan(world, load) -> None:
    assert load(towns=factories.TOWNSHIPS) == 3
    plan = Plan.objects.get(code="T-TS-900002")
    assert (plan.name_zh, plan.place, plan.owner) == ("西港镇防汛防台应急预案", world.west, world.towns[1])


def test_what_must_be_there_is_taken_in(world, load) -> None:
    load(
        required='[[required]]\nkind = "special"\nhazard = "typhoon"\nlevel = "district"\nname_zh = "区级防汛防台预案"\n'
    )
    row = RequiredPlan.objects.get()
    assert (row.kind, row.hazard, row.level) == ("special", "typhoon", "district")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('place = "900000"', 'place = "1"', "plans/flood.toml, plan: place ('1'): is not a known place"),
        ('owner = "HQ"', 'owner = "X"', "plan: owner ('X'): is not a known organisation"),
        ('kind = "special"', 'kind = "spezial"', "plan: kind ('spezial'): is not one of the known values. Write one of overall"),
        ('version = "2024"', "version = 2024", "plan: version (2024): is not a text in quotes"),
        ("approved = 2024-05-06", 'approved = "2024-05-06"', "write it without quotes, like 2024-09-16"),
        ('level = "III"', 'level = "IV"', "level IV: level ('IV'): stands twice"),
        ('level = "III"', 'level = "V"', "level V: level ('V'): is not one of the known values"),
        ('condition = "typhoon = red"', 'condition = "typhoon = crimson"', "level I: condition ('typhoon = crimson'): “crimson” at position 11 is not a colour"),
        ("minutes = 240", "minutes = -1", "level II, action move: minutes (-1): is not between 0"),
        ("minutes = 240", 'minutes = "4h"', "is not a whole number of minutes"),
        ('code = "bridge"', 'code = "move"', "level II, action move: code ('move'): stands twice in the level"),
        ('moves = "closure"', 'moves = "dancing"', "action bridge: moves ('dancing'): is not one of the known values"),
        ('clause = "4.3.4"', 'claus = "4.3.4"', "level I: claus ('4.3.4'): is not a field here. Known are action, clause"),
        ("confirm = true", "confirm = 1", "is not true or false"),
    ],
)  # fmt: skip
def test_a_fault_names_file_table_field_value_and_remedy(world, load, old: str, new: str, says: str) -> None:
    assert old in factories.FLOOD
    with pytest.raises(PackError) as caught:
        load(flood=factories.FLOOD.replace(old, new, 1))
    assert says in str(caught.value)


def test_a_level_without_a_condition_cannot_start_by_itself(world, load) -> None:
    text = factories.FLOOD.replace('condition = "typhoon = red"', 'condition = ""\nstart = "auto"')
    with pytest.raises(PackError, match="cannot start by itself"):
        load(flood=text)


def test_plans_for_each_township_need_a_code_each(world, load) -> None:
    with pytest.raises(PackError, match=r"must hold \{code\}"):
        load(towns=factories.TOWNSHIPS.replace("T-TS-{code}", "T-TS"))


PACKS = sorted(Path(__file__).parents[4].joinpath("packs").glob("*/plans/*.toml"))


@pytest.mark.parametrize("path", PACKS, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_the_plans_we_ship_can_be_read(path: Path) -> None:
    """Without the places and organisations they name: the reading of levels and actions alone."""
    import tomllib

    from haitang.plans.pack import _levels

    told = tomllib.loads(path.read_text(encoding="utf-8"))
    assert (
        list(_levels(path.name, told.get("level", ())))
        or "required" in told
        or "for_each" in told["plan"]
        or told["plan"]["code"]
    )
