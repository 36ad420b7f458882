"""A district that responds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.incidents.tests.factories import Loop
from haitang.packs import Pack
from haitang.plans import pack as plans_pack
from haitang.plans.models import Plan
from haitang.plans.tests import factories as plan_factories


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _no_second_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haitang.accounts.middleware.is_mfa_enabled", lambda user: True)


@pytest.fixture
def loop(db: None) -> Loop:
    return Loop()


@pytest.fixture
def load(loop: Loop, tmp_path: Path) -> Any:
    def take(**files: str) -> None:
        (tmp_path / "pack.toml").write_text('name = "test"', encoding="utf-8")
        (tmp_path / "plans").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "plans" / f"{name}.toml").write_text(text, encoding="utf-8")
        plans_pack.plans(Pack(tmp_path), SYSTEM)

    return take


@pytest.fixture
def flood(load: Any) -> Plan:
    load(flood=plan_factories.FLOOD)
    return Plan.objects.get(code="T-FLOOD")


@pytest.fixture
def towns(load: Any, flood: Plan) -> None:
    """Every township has a plan of its own that asks first."""
    load(flood=plan_factories.FLOOD, towns=plan_factories.TOWNSHIPS.replace('start = "auto"', 'start = "propose"'))


@pytest.fixture
def enter(client: Any, loop: Loop) -> Any:
    """Sign in, looking at the exercise."""

    def sign_in(user: User) -> Any:
        client.force_login(user)
        session = client.session
        session["space"] = loop.space.pk
        session.save()
        return client

    return sign_in
