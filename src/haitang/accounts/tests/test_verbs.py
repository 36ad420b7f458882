"""Verbs: the role is checked, all of it is one transaction, and every verb is listed. P1, A1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from haitang.accounts.actors import SYSTEM, Actor
from haitang.accounts.models import Organisation
from haitang.accounts.roles import EVERYONE, OFFICIALS, OPERATIONS, PRIVILEGED, SEES_PLACE, STAFF, Role
from haitang.accounts.tests.conftest import World
from haitang.accounts.verbs import VERBS, Forbidden, may, require, verb


@pytest.fixture
def rename() -> Iterator[Any]:
    @verb("test.rename", roles={Role.COMMANDER, Role.TOWNSHIP})
    def change(organisation: Organisation, *, name: str, by: Actor) -> str:
        """Give an organisation another name.

        More words.
        """
        organisation.name_zh = name
        organisation.save()
        if name == "bad":
            raise RuntimeError("after the change")
        return f"{name} by {by.username}"

    yield change
    del VERBS["test.rename"]


def test_the_roles_that_a_verb_names_may_use_it_and_no_others(world: World, rename: Any) -> None:
    for name, user in world.people.items():
        if user.role in {Role.COMMANDER, Role.TOWNSHIP}:
            assert rename(world.bodies["WATER"], name="水务", by=user) == f"水务 by {name}"
            assert may(user, "test.rename")
        else:
            assert not may(user, "test.rename")
            with pytest.raises(Forbidden, match=r"test\.rename"):
                rename(world.bodies["WATER"], name="不行", by=user)
    world.bodies["WATER"].refresh_from_db()
    assert world.bodies["WATER"].name_zh == "水务"


@pytest.mark.parametrize("actor", [None, AnonymousUser(), object()])
def test_a_visitor_may_nothing(world: World, rename: Any, actor: Any) -> None:
    with pytest.raises(Forbidden):
        rename(world.bodies["WATER"], name="不行", by=actor)
    with pytest.raises(Forbidden):
        require("test.rename", actor)


def test_a_closed_account_may_nothing(world: World, rename: Any) -> None:
    world.people["commander"].is_active = False
    with pytest.raises(Forbidden):
        rename(world.bodies["WATER"], name="不行", by=world.people["commander"])


def test_the_platform_itself_may_everything(world: World, rename: Any) -> None:
    assert rename(world.bodies["WATER"], name="水务", by=SYSTEM) == "水务 by system"


def test_a_verb_that_fails_leaves_nothing_behind(world: World, rename: Any) -> None:
    with pytest.raises(RuntimeError):
        rename(world.bodies["WATER"], name="bad", by=world.people["commander"])
    world.bodies["WATER"].refresh_from_db()
    assert world.bodies["WATER"].name_zh == "WATER"


def test_it_is_listed_with_its_roles_and_its_first_line(rename: Any) -> None:
    listed = VERBS["test.rename"]
    assert (listed.roles, listed.doc) == ({Role.COMMANDER, Role.TOWNSHIP}, "Give an organisation another name.")
    assert rename.__name__ == "change"


def test_a_name_is_given_once(rename: Any) -> None:
    with pytest.raises(RuntimeError, match="declared twice"):
        verb("test.rename", roles=())(lambda by: None)


def test_every_verb_of_the_platform_names_known_roles_and_says_what_it_does() -> None:
    from haitang.accounts import services  # noqa: F401 - declares them

    assert VERBS
    for name, listed in VERBS.items():
        assert set(listed.roles) <= set(Role), name
        assert listed.doc.endswith((".", "?", ":")) or " " in listed.doc, name
        assert "." in name and name == name.lower(), name


def test_the_groups_of_roles_hold_each_other() -> None:
    assert OPERATIONS < OFFICIALS < STAFF < EVERYONE
    assert PRIVILEGED < OFFICIALS
    assert Role.ADMIN not in OPERATIONS
    assert not {Role.ENTERPRISE, Role.SOCIAL, Role.RESIDENT} & SEES_PLACE
    assert Role.MACHINE not in STAFF
