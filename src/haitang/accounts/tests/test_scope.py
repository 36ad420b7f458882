"""Who sees which rows: by place, by organisation, by person, by role, and what is public. P1, 3.2.1."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haitang.accounts.models import ApiToken, Organisation, User
from haitang.accounts.roles import OFFICIALS, SEES_PLACE, Role
from haitang.accounts.scope import Scope, ScopedQuerySet, same_reach
from haitang.accounts.tests.conftest import World
from haitang.geo.models import Level, Place

VISITOR = AnonymousUser()
PLACE = Scope(place="organisation__place__path")
ORGANISATION = Scope(organisation="organisation__path")
PERSON = Scope(person="pk")


def seen(scope: Scope, user: Any) -> set[str]:
    return set(User.objects.filter(scope.condition(user)).values_list("username", flat=True))


EVERYBODY = {"admin", "duty", "commander", "water", "east", "west", "grid", "works", "rescue", "city", "resident"}


@pytest.mark.parametrize("name", ["admin", "duty", "commander", "water"])
def test_officers_of_the_district_see_every_place_and_what_has_none(world: World, name: str) -> None:
    assert seen(PLACE, world.people[name]) == EVERYBODY


def test_a_machine_sees_the_district_but_nothing_without_a_place(world: World) -> None:
    assert seen(PLACE, world.people["city"]) == EVERYBODY - {"resident"}


def test_a_township_sees_its_own_place_and_what_lies_in_it(world: World) -> None:
    assert seen(PLACE, world.people["east"]) == {"east", "grid", "works"}
    assert seen(PLACE, world.people["west"]) == {"west"}


def test_a_grid_worker_sees_the_village(world: World) -> None:
    assert seen(PLACE, world.people["grid"]) == {"grid"}


@pytest.mark.parametrize("name", ["works", "rescue", "resident"])
def test_enterprises_social_forces_and_residents_see_nothing_by_place(world: World, name: str) -> None:
    assert seen(PLACE, world.people[name]) == set()


def test_everybody_sees_the_own_body_and_those_below_it(world: World) -> None:
    assert seen(ORGANISATION, world.people["works"]) == {"works"}
    assert seen(ORGANISATION, world.people["east"]) == {"east", "grid", "works"}
    assert seen(ORGANISATION, world.people["duty"]) == {"admin", "duty", "commander"}
    assert seen(ORGANISATION, world.people["resident"]) == set()


def test_everybody_sees_what_is_tied_to_himself(world: World) -> None:
    for name, user in world.people.items():
        assert seen(PERSON, user) == {name}


def test_ties_add_up(world: World) -> None:
    assert set(User.objects.visible_to(world.people["works"]).values_list("username", flat=True)) == {"works"}
    assert set(User.objects.visible_to(world.people["grid"]).values_list("username", flat=True)) == {"grid"}
    assert set(User.objects.visible_to(world.people["resident"]).values_list("username", flat=True)) == {"resident"}


def test_a_visitor_and_a_closed_account_see_only_what_is_public(world: World) -> None:
    closed = world.people["duty"]
    closed.is_active = False
    for scope in (PLACE, ORGANISATION, PERSON, Scope(signed_in=True), Scope(roles=OFFICIALS)):
        assert seen(scope, VISITOR) == seen(scope, closed) == set()
    public = Scope(place="organisation__place__path", public=Q(username="rescue"))
    assert seen(public, VISITOR) == {"rescue"}
    assert seen(public, world.people["west"]) == {"west", "rescue"}


def test_a_model_closed_to_a_role_shows_it_the_public_rows_only(world: World) -> None:
    scope = Scope(roles=(Role.ADMIN,), public=Q(username="rescue"))
    assert seen(scope, world.people["admin"]) == EVERYBODY
    assert seen(scope, world.people["duty"]) == {"rescue"}
    narrowed = Scope(place="organisation__place__path", roles=OFFICIALS)
    assert seen(narrowed, world.people["east"]) == {"east", "grid", "works"}
    assert seen(narrowed, world.people["city"]) == set()


def test_rows_open_to_whoever_signed_in(world: World) -> None:
    assert seen(Scope(signed_in=True), world.people["resident"]) == EVERYBODY
    assert Organisation.objects.visible_to(world.people["resident"]).count() == len(world.bodies)
    assert not Organisation.objects.visible_to(VISITOR).exists()


def test_tokens_are_for_administrators(world: World) -> None:
    from haitang.spaces.models import Space

    ApiToken.objects.create(name="t", digest="0" * 64, user=world.people["city"], space=Space.live())
    visible = {name for name, user in world.people.items() if ApiToken.objects.visible_to(user).exists()}
    assert visible == {"admin"}


def test_a_code_that_begins_like_another_is_not_under_it(world: World) -> None:
    """Paths end in a slash, so E does not hold E2."""
    place = Place.objects.create(code="E2", name_zh="东二镇", level=Level.TOWNSHIP, parent=world.places["district"])
    other = Organisation.objects.create(
        code="TE2", name_zh="东二", kind="township", parent=world.bodies["GOV"], place=place
    )
    User.objects.create_user("east2", name_zh="东二", role=Role.TOWNSHIP, organisation=other)
    assert "east2" not in seen(PLACE, world.people["east"]) | seen(ORGANISATION, world.people["east"])


def test_a_model_without_a_scope_cannot_be_read_by_it(world: World) -> None:
    from haitang.journal.models import Head

    with pytest.raises(ImproperlyConfigured, match="Head declares no scope"):
        ScopedQuerySet(Head).visible_to(world.people["admin"])


def test_one_reach_has_one_key_and_another_reach_another(world: World) -> None:
    people = world.people
    assert same_reach(VISITOR) == "public"
    keys = {name: same_reach(user) for name, user in people.items()}
    assert len(set(keys.values())) == len(keys)
    twin = User.objects.create_user("twin", name_zh="同", role=Role.TOWNSHIP, organisation=world.bodies["TE"])
    assert same_reach(twin) == keys["east"]
    assert seen(PLACE, twin) == seen(PLACE, people["east"])


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_for_any_trees_the_condition_says_what_the_rule_says(world: World, data: st.DataObject) -> None:
    """The rule, spelt out row by row, is the oracle."""
    names = list(world.bodies)
    scope = Scope(
        place="organisation__place__path" if data.draw(st.booleans(), label="place") else None,
        organisation="organisation__path" if data.draw(st.booleans(), label="organisation") else None,
        person="pk" if data.draw(st.booleans(), label="person") else None,
        public=data.draw(st.sampled_from([None, Q(username="rescue")]), label="public"),
    )
    user = world.people[data.draw(st.sampled_from(list(world.people)), label="user")]
    user.role = data.draw(st.sampled_from(list(Role)), label="role")
    user.organisation = data.draw(st.sampled_from([None, *(world.bodies[name] for name in names)]), label="body")
    assert seen(scope, user) == {
        row.username for row in User.objects.select_related("organisation__place") if allowed(scope, user, row)
    }


def allowed(scope: Scope, user: User, row: User) -> bool:
    if scope.public is not None and row.username == "rescue":
        return True
    if scope.person and row.pk == user.pk:
        return True
    mine, theirs = user.organisation, row.organisation
    if scope.organisation and mine and theirs and theirs.path.startswith(mine.path):
        return True
    if not (scope.place and mine and mine.place and user.role in SEES_PLACE):
        return False
    place = theirs.place if theirs else None
    if place is None:
        return mine.place.parent_id is None and user.role != Role.MACHINE
    return place.path.startswith(mine.place.path)
