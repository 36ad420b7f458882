"""Plan coverage, K5: the plans that must be there against those that are, with the places that lack one."""

from __future__ import annotations

import pytest

from haitang.accounts.roles import Role
from haitang.plans import services
from haitang.plans.models import Plan
from haitang.plans.tests import factories

REQUIRED = """
[[required]]
kind = "special"
hazard = "typhoon"
level = "district"
name_zh = "区级防汛防台专项预案"
[[required]]
kind = "special"
hazard = "earthquake"
level = "district"
name_zh = "区级地震专项预案"
[[required]]
kind = "township"
level = "township"
name_zh = "乡镇应急预案"
"""


@pytest.fixture
def required(world, load) -> None:
    load(flood=factories.FLOOD, required=REQUIRED, towns=factories.TOWNSHIPS)
    Plan.objects.filter(code="T-TS-900003").update(is_active=False)


def test_each_required_plan_is_counted_and_the_lack_is_named(world, required) -> None:
    told = [
        (row.required.name_zh, row.present, row.total, [place.code for place in row.missing])
        for row in services.coverage()
    ]
    assert told == [
        ("区级防汛防台专项预案", 1, 1, []), ("区级地震专项预案", 0, 1, ["900000"]), ("乡镇应急预案", 2, 3, ["900003"]),
    ]  # fmt: skip


def test_a_township_is_told_of_its_own_plans_only(world, required) -> None:
    rows = services.coverage(world.south)
    assert [(row.present, row.total) for row in rows] == [(0, 0), (0, 0), (0, 1)]
    assert rows[0].percent is None


def test_the_page_names_the_places_without_a_plan(client, world, required) -> None:
    client.force_login(world.engineer)
    page = client.get("/plans/coverage/").content.decode()
    assert "南港镇" in page and "区级地震专项预案" in page and "60" in page


def test_the_interface_gives_the_same(client, world, required) -> None:
    client.force_login(world.engineer)
    rows = client.get("/api/v1/plans/coverage").json()
    assert [(row["kind"], row["present"], row["missing"]) for row in rows][2] == ("township", 2, ["900003"])


def test_those_who_do_not_work_with_plans_are_told_nothing(client, world, required) -> None:
    client.force_login(world.person(Role.ENTERPRISE, world.towns[2]))
    assert "乡镇应急预案" not in client.get("/plans/coverage/").content.decode()
    assert client.get("/api/v1/plans/coverage").json() == []
