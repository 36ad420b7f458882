"""A small district that issues warnings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache

from haitang.alerting.tests import factories as make
from haitang.spaces.models import Space


@pytest.fixture(autouse=True)
def _own_cache(settings: Any) -> None:
    # The cache in the data folder is shared with whoever else runs tests; what is counted here is counted alone.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "alerting"}}
    cache.clear()


@pytest.fixture
def house(db: None) -> SimpleNamespace:
    return make.district()


@pytest.fixture
def live(db: None) -> Space:
    return Space.live()


@pytest.fixture
def exercise(db: None) -> Space:
    return make.exercise()


@pytest.fixture
def sign_in(client: Any, house: SimpleNamespace) -> Any:
    """Sign in as one of the people, by name, in a space."""

    def enter(name: str, space: Space | None = None) -> Any:
        client.force_login(house.people[name])
        session = client.session
        session["space"] = space.pk if space else None
        session.save()
        return client

    return enter


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Privileged roles are sent to set up a second factor; these tests are not about that.
    monkeypatch.setattr("haitang.accounts.middleware.is_mfa_enabled", lambda user: True)
