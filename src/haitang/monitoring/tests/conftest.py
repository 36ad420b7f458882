"""Every test begins with an evaluator that remembers nothing."""

import pytest

from haitang.monitoring import engine


@pytest.fixture(autouse=True)
def _nothing_remembered():
    engine._shelf = engine._Shelf()
