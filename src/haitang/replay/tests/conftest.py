"""The tiny district with its people, network, plan and shelters, and its invented storm."""

from __future__ import annotations

import pytest

from haitang.config import loading
from haitang.monitoring import engine


@pytest.fixture(autouse=True)
def _nothing_remembered():
    engine._shelf = engine._Shelf()


@pytest.fixture
def sanzhou(db: None, settings, monkeypatch) -> str:
    """Load the pack and make it the district's own."""
    monkeypatch.setenv("HAITANG_PACK", "sanzhou")
    loading.load(loading.find("sanzhou"), demo=True, again=True)
    return "sanzhou"
