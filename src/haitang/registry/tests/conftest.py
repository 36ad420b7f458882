"""Fixtures of the kit's tests; those of resources use them, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from haitang.registry.tests import factories


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    cache.clear()


@pytest.fixture
def world(db: None) -> factories.World:
    return factories.world()


@pytest.fixture
def sign_in(client: Client, world: factories.World, settings: Any) -> Callable[[str], Client]:
    """A browser in which one of the people, by name, has signed in."""
    settings.DEMO = True  # demonstration people need no second factor

    def as_person(name: str) -> Client:
        client.force_login(world[name])
        return client

    return as_person


Api = Callable[..., Any]


@pytest.fixture
def api(client: Client, world: factories.World) -> Api:
    """Call the API with a token: api("duty", "get", "/registry/shelters", rights=(...), body={...})."""

    def call(name: str, method: str, path: str, body: Any = None, rights: tuple[str, ...] = ("read", "registers:write", "resources:write"),
             space: Any = None) -> Any:  # fmt: skip
        secret = factories.token(world[name], *rights, space=space)
        extra = {"data": body, "content_type": "application/json"} if body is not None else {}
        return getattr(client, method)(f"/api/v1{path}", headers={"Authorization": f"Bearer {secret}"}, **extra)

    return call
