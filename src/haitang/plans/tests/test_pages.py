"""Plans on screen: the list, the plan with its levels in words, changing what a district may change (3.5.2)."""

from __future__ import annotations

import pytest

from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.plans import services
from haitang.plans.models import Plan
from haitang.plans.tests import factories


@pytest.fixture
def demo(settings) -> None:
    settings.DEMO = True


@pytest.fixture
def signed_in(client, world):
    def sign_in(user):
        user.is_demo = True
        user.save()
        client.force_login(user)
        return client

    return sign_in


def test_the_list_shows_the_plans_in_reach(signed_in, world, flood: Plan, load, known_hazards) -> None:
    load(flood=factories.FLOOD, towns=factories.TOWNSHIPS)
    page = signed_in(world.heads[0]).get("/plans/").content.decode()
    assert "试验区防汛防台专项应急预案" in page and "东港镇防汛防台应急预案" in page, (
        "the district's plan gives the township its tasks"
    )
    assert "西港镇防汛防台应急预案" not in page
    assert "台风" in page


def test_a_long_list_costs_no_more_queries(signed_in, world, load, django_assert_max_num_queries) -> None:
    load(flood=factories.FLOOD, towns=factories.TOWNSHIPS)
    client = signed_in(world.engineer)
    with django_assert_max_num_queries(16):
        client.get("/plans/")


def test_the_plan_says_its_conditions_in_words(signed_in, world, flood: Plan, known_hazards) -> None:
    page = signed_in(world.engineer).get(flood.get_absolute_url()).content.decode()
    assert "台风预警达到橙色及以上；或暴雨预警为红色" in page
    assert "转移危险区域人员" in page and "240" in page and "未发现错误" in page


def test_a_fault_stands_beside_the_action_it_is_about(signed_in, world, load, known_hazards) -> None:
    load(flood=factories.FLOOD.replace('by = ["POLICE"]', 'by = ["POLIZEI"]'))
    plan = Plan.objects.get(code="T-FLOOD")
    page = signed_in(world.engineer).get(plan.get_absolute_url()).content.decode()
    assert "责任单位 POLIZEI 不存在" in page


def test_a_neighbours_plan_is_not_there(signed_in, world, load) -> None:
    load(towns=factories.TOWNSHIPS)
    other = Plan.objects.get(code="T-TS-900002")
    assert signed_in(world.heads[0]).get(other.get_absolute_url()).status_code == 404


@pytest.mark.parametrize("role", [Role.RESIDENT, Role.ENTERPRISE])
def test_plans_are_for_officials(signed_in, world, flood: Plan, role: Role) -> None:
    person = world.person(role, world.towns[0])
    assert signed_in(person).get(flood.get_absolute_url()).status_code == 404


def test_the_duty_room_changes_a_condition(signed_in, demo, world, flood: Plan) -> None:
    level = flood.levels.get(level=3)
    client = signed_in(world.duty)
    bad = client.post(
        f"/plans/levels/{level.pk}/", {"condition": "typhoon >= jaune", "start": "auto", "term_hours": "12"}
    )
    assert "jaune" in bad.content.decode() and "不是预警颜色" in bad.content.decode()
    client.post(
        f"/plans/levels/{level.pk}/", {"condition": " rainstorm  >= orange", "start": "auto", "term_hours": "12"}
    )
    level.refresh_from_db()
    assert (level.condition, level.start, level.term_hours) == ("rainstorm >= orange", "auto", 12)
    entry = Entry.objects.get(verb="plans.set_level")
    assert entry.before == {"condition": "typhoon >= yellow", "start": "propose", "term_hours": 24.0}


def test_a_department_only_reads(signed_in, world, flood: Plan) -> None:
    level = flood.levels.get(level=3)
    answer = signed_in(world.engineer).post(
        f"/plans/levels/{level.pk}/", {"condition": "", "start": "propose", "term_hours": ""}
    )
    assert answer.status_code == 403


def test_a_level_without_condition_does_not_start_by_itself(world, flood: Plan) -> None:
    with pytest.raises(Refused):
        services.set_level(flood.levels.get(level=3), condition="", start="auto", term_hours=None, by=world.duty)


def test_a_plan_is_not_filed_before_it_is_approved(signed_in, demo, world, flood: Plan) -> None:
    told = {"approved_on": "2024-06-01", "filed_on": "2024-05-01", "review_on": ""}
    page = signed_in(world.duty).post(f"/plans/{flood.pk}/dates/", told).content.decode()
    assert "备案应在批准之后" in page
    flood.refresh_from_db()
    assert flood.filed_on and flood.filed_on.isoformat() == "2024-05-20"


def test_a_keeper_of_one_township_does_not_change_the_districts_plan(world, flood: Plan) -> None:
    local = world.person(Role.DUTY_OFFICER, world.towns[0])
    with pytest.raises(Forbidden):
        services.retire(flood, by=local)


def test_the_interface_gives_levels_and_actions(signed_in, world, flood: Plan) -> None:
    client = signed_in(world.engineer)
    assert [row["code"] for row in client.get("/api/v1/plans/plans").json()["items"]] == ["T-FLOOD"]
    told = client.get("/api/v1/plans/plans/T-FLOOD").json()
    assert told["levels"][1]["level"] == "II" and told["levels"][1]["actions"][0]["code"] == "move"
    assert client.get("/api/v1/plans/plans/NONE").status_code == 404
