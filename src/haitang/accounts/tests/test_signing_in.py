"""Signing in, the second factor of those who can speak to the public, and plain answers to refused verbs. P1."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from haitang.accounts.middleware import ErrorMiddleware
from haitang.accounts.models import PersonalRead, User
from haitang.accounts.roles import PRIVILEGED, Role
from haitang.accounts.services import edit_profile, log_read, people_of, register_user
from haitang.accounts.tests.conftest import World, person
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry

ANYWHERE = "/journal/stream-address/"


def test_a_person_signs_in_with_name_and_password(world: World, client: Client) -> None:
    world.people["east"].set_password("a long pass phrase")
    world.people["east"].save()
    assert client.post(reverse("account_login"), {"login": "east", "password": "wrong"}).status_code == 200
    assert "_auth_user_id" not in client.session
    answer = client.post(reverse("account_login"), {"login": "east", "password": "a long pass phrase"})
    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(world.people["east"].pk)


def test_a_machine_account_cannot_sign_in(world: World, client: Client) -> None:
    world.people["city"].set_unusable_password()
    world.people["city"].save()
    client.post(reverse("account_login"), {"login": "city", "password": ""})
    assert "_auth_user_id" not in client.session


def test_nobody_signs_up(db: None, client: Client) -> None:
    before = User.objects.count()
    client.post(reverse("account_signup"), {"username": "new", "password1": "a long pass phrase"})
    assert User.objects.count() == before


@pytest.mark.parametrize("role", list(Role))
def test_privileged_roles_reach_nothing_before_a_second_factor(world: World, client: Client, role: Role) -> None:
    someone = person("somebody", role, world.bodies["EOC"])
    client.force_login(someone)
    answer = client.get(ANYWHERE)
    if role in PRIVILEGED:
        assert answer.status_code == 302
        assert answer["Location"] == reverse("mfa_activate_totp")
        assert client.get(f"/api/v1{ANYWHERE}").status_code == 302
        Authenticator.objects.create(user=someone, type=Authenticator.Type.TOTP, data={"secret": "x"})
        assert client.get(ANYWHERE).status_code == 200
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("demo", "is_demo", "passes"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_only_demonstration_accounts_of_a_demonstration_go_without(
    world: World, client: Client, settings: object, demo: bool, is_demo: bool, passes: bool
) -> None:
    settings.DEMO = demo  # type: ignore[attr-defined]
    world.people["commander"].is_demo = is_demo
    world.people["commander"].save()
    client.force_login(world.people["commander"])
    assert (client.get(ANYWHERE).status_code == 200) is passes


def test_the_pages_that_set_a_factor_up_and_sign_out_stay_open(world: World, client: Client) -> None:
    client.force_login(world.people["admin"])
    assert client.get(reverse("account_logout")).status_code == 200
    assert client.get(reverse("account_change_password")).headers.get("Location") != reverse("mfa_activate_totp")
    assert client.get(reverse("mfa_activate_totp")).headers.get("Location") != reverse("mfa_activate_totp")


def answer_to(error: Exception, *, method: str = "post", referer: str = "") -> HttpResponse | None:
    request: HttpRequest = getattr(RequestFactory(), method)(
        "/somewhere/", headers={"referer": referer} if referer else {}
    )
    request._messages = _Messages()  # type: ignore[attr-defined]
    return ErrorMiddleware(lambda _: HttpResponse()).process_exception(request, error)


class _Messages:
    def add(self, *_: object) -> None:
        """Take a message."""


def test_a_forbidden_verb_is_answered_by_403() -> None:
    with pytest.raises(PermissionDenied, match="no"):
        answer_to(Forbidden("no"))


@pytest.mark.parametrize(
    ("referer", "target"),
    [
        ("http://testserver/warnings/3/", "http://testserver/warnings/3/"),
        ("https://elsewhere.example/", "/"),
        ("", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_a_refused_verb_leads_back_to_the_page_and_to_no_other_site(referer: str, target: str) -> None:
    answer = answer_to(Refused("not now"), referer=referer)
    assert answer is not None
    assert answer["Location"] == target


def test_other_errors_are_left_to_django() -> None:
    assert answer_to(ValueError("x")) is None
    with pytest.raises(BadRequest):  # there is no form to go back to
        answer_to(Refused("x"), method="get")


def test_one_changes_ones_own_contact_points_and_nobody_elses(world: World) -> None:
    east, west, admin = (world.people[name] for name in ("east", "west", "admin"))
    edit_profile(east, by=east, phone="19900000001", email="", wecom_id="")
    assert User.objects.get(pk=east.pk).phone == "19900000001"
    with pytest.raises(Forbidden):
        edit_profile(east, by=west, phone="19900000002", email="", wecom_id="")
    edit_profile(east, by=admin, phone="19900000003", email="", wecom_id="")
    assert Entry.objects.filter(verb="accounts.edit_profile").count() == 2
    # The numbers themselves are personal and stay out of the journal, which is kept for ever.
    assert not any("1990000" in str(row) for row in Entry.objects.values("before", "after", "text_zh", "text_en"))


def test_reading_personal_data_leaves_a_trace(world: World) -> None:
    log_read(world.people["duty"], User, purpose="导出通讯录", count=40)
    log_read(world.people["duty"], world.people["east"], purpose="x" * 300)
    first, second = PersonalRead.objects.order_by("pk")
    assert (first.subject_type, first.subject_id, first.count) == ("accounts.user", "", 40)
    assert (second.subject_id, len(second.purpose)) == (str(world.people["east"].pk), 120)
    assert [name for name, user in world.people.items() if PersonalRead.objects.visible_to(user).exists()] == ["admin"]


def test_people_are_called_in_their_order(world: World) -> None:
    body = world.bodies["TE"]
    person("deputy", Role.TOWNSHIP, body, rank=2)
    person("first", Role.TOWNSHIP, body, rank=0)
    person("gone", Role.TOWNSHIP, body, rank=0, is_active=False)
    assert [user.username for user in people_of(body)] == ["first", "east", "deputy"]


def test_an_administrator_opens_an_account_with_a_password_that_works_once_told(world: World, client: Client) -> None:
    _user, password = register_user(
        username="fresh", role=Role.TOWNSHIP, organisation=world.bodies["TE"], name_zh="新人", by=world.people["admin"]
    )
    assert client.login(username="fresh", password=password)
    assert not any(password in str(row) for row in Entry.objects.values())
    with pytest.raises(Forbidden):
        register_user(
            username="x", role=Role.ADMIN, organisation=world.bodies["TE"], name_zh="x", by=world.people["duty"]
        )
