"""A small world in the test database: the district of packs/sanzhou with its demonstration people, and an event in it."""

from __future__ import annotations

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.accounts.roles import Role
from haitang.config import loading
from haitang.spaces.models import Space


def load_sanzhou() -> None:
    """The tiny district with everything its pack brings."""
    loading.load(loading.find("sanzhou"), demo=True, again=True)


def first_of(role: Role) -> User:
    """The demonstration account that the sign-in page offers for a role."""
    found = User.objects.filter(role=role, is_demo=True).select_related("organisation__place").order_by("pk").first()
    assert found is not None, f"packs/sanzhou brings nobody of role {role}"
    return found


def run_scenario(name: str = "tiny") -> Space:
    """Play a scenario of the tiny district from beginning to end; returns its exercise space."""
    from haitang.replay import headless

    return headless.run(name, by=SYSTEM, pack="sanzhou").space
