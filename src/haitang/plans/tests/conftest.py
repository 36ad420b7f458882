"""A district with three townships, its organisations and people, and a pack with a plan for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.packs import Pack
from haitang.plans import hazards
from haitang.plans import pack as plans_pack
from haitang.plans.models import Plan
from haitang.plans.tests import factories


@pytest.fixture
def world(db: None) -> factories.World:
    return factories.World()


@pytest.fixture
def known_hazards():
    before = list(hazards._sources)
    hazards.lend(
        lambda: {
            "typhoon": ("台风", "typhoon"),
            "rainstorm": ("暴雨", "rainstorm"),
            "storm_surge": ("风暴潮", "storm surge"),
        }
    )
    yield
    hazards._sources[:] = before


@pytest.fixture
def pack(tmp_path: Path):
    """Write plan files into a pack of the test's own."""

    def write(**files: str) -> Pack:
        (tmp_path / "pack.toml").write_text('name = "test"', encoding="utf-8")
        (tmp_path / "plans").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "plans" / f"{name}.toml").write_text(text, encoding="utf-8")
        return Pack(tmp_path)

    return write


@pytest.fixture
def load(pack):
    def take(**files: str) -> int:
        return plans_pack.plans(pack(**files), SYSTEM)

    return take


@pytest.fixture
def flood(world, load) -> Plan:
    """The district's flood plan of the test pack."""
    load(flood=factories.FLOOD)
    return Plan.objects.get(code="T-FLOOD")
