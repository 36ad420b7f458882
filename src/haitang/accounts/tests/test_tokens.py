"""Access tokens: shown once, never kept, ended at once, of one space. P1; issue 2, section 6."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import ApiToken
from haitang.accounts.roles import Role
from haitang.accounts.services import mint_token, revoke_token
from haitang.accounts.tests.conftest import World
from haitang.accounts.tokens import TokenAuth, digest, find
from haitang.accounts.verbs import Forbidden
from haitang.journal.models import Entry
from haitang.spaces.models import Space, SpaceKind


def test_the_secret_is_returned_once_and_kept_nowhere(world: World) -> None:
    token, secret = mint_token(name="潮位站", user=world.people["city"], space=Space.live(), rights=["read"], by=SYSTEM)
    assert secret.startswith("ht_") and len(secret) > 40
    assert token.digest == digest(secret)
    stored = [str(value) for row in ApiToken.objects.values() for value in row.values()]
    told = [str(value) for row in Entry.objects.values() for value in row.values()]
    assert not any(secret in text for text in [*stored, *told])
    assert find(secret) == token


def test_no_two_secrets_are_alike(world: World) -> None:
    secrets = {
        mint_token(name="x", user=world.people["city"], space=Space.live(), rights=[], by=SYSTEM)[1] for _ in range(20)
    }
    assert len(secrets) == 20


def test_ended_expired_and_orphaned_tokens_open_nothing(world: World) -> None:
    def mint(**more: object) -> tuple[ApiToken, str]:
        return mint_token(name="x", user=world.people["city"], space=Space.live(), rights=[], by=SYSTEM, **more)  # type: ignore[arg-type]

    ended, secret = mint()
    revoke_token(ended, by=SYSTEM)
    assert find(secret) is None
    assert find(mint(expires_at=timezone.now() - timedelta(seconds=1))[1]) is None
    assert find(mint(expires_at=timezone.now() + timedelta(hours=1))[1]) is not None
    assert find("ht_guess") is None
    assert find("") is None
    _token, orphaned = mint()
    world.people["city"].is_active = False
    world.people["city"].save()
    assert find(orphaned) is None


def test_a_token_acts_as_its_user_in_its_own_space(world: World) -> None:
    drill = Space.objects.create(slug="drill", kind=SpaceKind.EXERCISE, name_zh="演练")
    token, secret = mint_token(name="x", user=world.people["city"], space=drill, rights=[], by=SYSTEM)
    request = RequestFactory().get("/")
    request.space = Space.live()  # type: ignore[attr-defined]
    assert TokenAuth().authenticate(request, secret) == token
    assert request.user == world.people["city"]
    assert request.space == drill  # type: ignore[attr-defined]
    assert TokenAuth().authenticate(RequestFactory().get("/"), "ht_guess") is None


def test_a_wrong_token_is_refused_at_the_door(world: World) -> None:
    from haitang.config.api import api

    path = next(iter(api.get_openapi_schema()["paths"]))
    for header in ("Bearer ht_guess", "Bearer", "Basic eDp5"):
        assert Client(HTTP_AUTHORIZATION=header).get(path).status_code in {401, 404, 405}


@pytest.mark.parametrize("name", ["admin", "duty", "commander"])
def test_operators_make_tokens_for_machines(world: World, name: str) -> None:
    _token, secret = mint_token(
        name="x", user=world.people["city"], space=Space.live(), rights=["read"], by=world.people[name]
    )
    assert find(secret)


def test_nobody_but_an_administrator_borrows_anothers_role(world: World) -> None:
    """A duty officer's token in the administrator's name would make him one."""
    duty, admin = world.people["duty"], world.people["admin"]
    with pytest.raises(Forbidden):
        mint_token(name="x", user=admin, space=Space.live(), rights=["read"], by=duty)
    assert not ApiToken.objects.exists()
    mint_token(name="x", user=duty, space=Space.live(), rights=["read"], by=duty)
    mint_token(name="x", user=duty, space=Space.live(), rights=["read"], by=admin)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER}))
def test_no_other_role_makes_tokens(world: World, role: Role) -> None:
    user = world.people["resident"]
    user.role = role
    with pytest.raises(Forbidden):
        mint_token(name="x", user=user, space=Space.live(), rights=["read"], by=user)


def test_making_and_ending_are_journalled(world: World) -> None:
    token, _secret = mint_token(
        name="潮位站", user=world.people["city"], space=Space.live(), rights=["readings:write"], by=world.people["duty"]
    )
    revoke_token(token, by=world.people["admin"])
    assert list(Entry.objects.order_by("seq").values_list("verb", "actor_name")) == [
        ("accounts.mint_token", "duty同志"), ("accounts.revoke_token", "admin同志"),
    ]  # fmt: skip
    assert Entry.objects.order_by("seq").first().after == {"name": "潮位站", "rights": ["readings:write"]}  # type: ignore[union-attr]
