"""Teams move between statuses as the table allows, with a time stamp each; an impossible move names the possible ones. 3.6.2."""

from __future__ import annotations

from datetime import timedelta

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.registry.tests.factories import T0, World, exercise, team
from haitang.resources import queries, services
from haitang.resources.models import MOVES, Team, TeamState, TeamStatus
from haitang.spaces.models import Space

WAY = (TeamStatus.ASSIGNED, TeamStatus.EN_ROUTE, TeamStatus.ON_SCENE, TeamStatus.RETURNING, TeamStatus.AVAILABLE)


def test_a_whole_deployment_is_stamped_step_by_step(world: World) -> None:
    space, row = exercise(), team(world)
    for minute, status in enumerate(WAY):
        space.clock_base = T0 + timedelta(minutes=10 * minute)
        space.save()
        services.set_team_status(
            row, space=space, status=status, by=world["east"], task="转移新村沙群众" if minute == 0 else ""
        )
    log = list(TeamState.objects.order_by("at").values_list("status", "at", "task"))
    assert [each[0] for each in log] == list(WAY)
    assert [each[1] for each in log] == [T0 + timedelta(minutes=10 * k) for k in range(5)]
    assert [each[2] for each in log] == ["转移新村沙群众"] * 4 + [""]
    past = queries.teams_now(space, [row.pk], T0 + timedelta(minutes=25))[row.pk]
    assert past.status == TeamStatus.ON_SCENE and past.task == "转移新村沙群众"
    assert queries.teams_now(space, [row.pk])[row.pk].status == TeamStatus.AVAILABLE


@pytest.mark.parametrize("start", TeamStatus)
def test_only_the_moves_of_the_table_are_possible(world: World, start: TeamStatus) -> None:
    for wanted in TeamStatus:
        space, row = exercise(), team(world)
        if start != TeamStatus.AVAILABLE:
            TeamState.objects.create(space=space, team=row, status=start, at=T0)
        if wanted in MOVES[start]:
            assert services.set_team_status(row, space=space, status=wanted, by=SYSTEM).status == wanted
        else:
            with pytest.raises(Refused) as refused:
                services.set_team_status(row, space=space, status=wanted, by=SYSTEM)
            assert all(str(each.label) in str(refused.value) for each in MOVES[start])


def test_every_status_can_be_left_and_reached() -> None:
    assert set(MOVES) == set(TeamStatus) and all(MOVES.values())
    assert set().union(*MOVES.values()) == set(TeamStatus)


def test_an_exercise_does_not_move_teams_in_life(world: World) -> None:
    space, row = exercise(), team(world)
    services.set_team_status(row, space=space, status="assigned", by=world["duty"])
    assert queries.teams_now(Space.live(), [row.pk])[row.pk].status == TeamStatus.AVAILABLE


def test_moves_are_journalled_with_both_statuses(world: World) -> None:
    space, row = exercise(), team(world, name_zh="蓝天队", members=12)
    services.set_team_status(
        row, space=space, status="assigned", by=world["east"], task="排涝", thread="incidents.incident:3"
    )
    entry = Entry.objects.get(space=space, verb="resources.set_team_status")
    assert (entry.before, entry.thread) == ({"status": "available"}, "incidents.incident:3")
    assert (
        entry.after == {"status": "assigned", "task": "排涝", "members": 12}
        and "蓝天队" in entry.text_zh
        and "排涝" in entry.text_zh
    )


def test_who_sends_whom(world: World) -> None:
    mine = team(world, owner=world.bodies["rescue"], place=world.places["district"])
    services.set_team_status(mine, space=exercise(), status="assigned", by=world["social"])
    for name, row in (("west", team(world)), ("social", team(world)), ("grid", team(world)), ("resident", team(world))):
        with pytest.raises(Forbidden):
            services.set_team_status(row, space=exercise(), status="assigned", by=world[name])


def test_what_there_is_not_is_refused(world: World) -> None:
    with pytest.raises(Refused):
        services.set_team_status(team(world), space=exercise(), status="lost", by=SYSTEM)
    with pytest.raises(Refused):
        services.set_team_status(team(world, archived_at=T0), space=exercise(), status="assigned", by=SYSTEM)


def test_statuses_are_counted_in_one_query(world: World, django_assert_num_queries: object) -> None:
    space = exercise()
    for k in range(4):
        row = team(world, members=10)
        if k < 2:
            services.set_team_status(row, space=space, status="assigned", by=SYSTEM)
    with django_assert_num_queries(1):  # type: ignore[operator]
        counts = queries.teams_by_status(Team.objects.all(), space)
    assert (
        counts[TeamStatus.ASSIGNED] == (2, 20)
        and counts[TeamStatus.AVAILABLE] == (2, 20)
        and counts[TeamStatus.ON_SCENE] == (0, 0)
    )
