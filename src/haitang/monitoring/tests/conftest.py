"""Every test begins with an evaluator that remembers nothing."""

import pytest

from haitang.monitoring import door, engine
from haitang.monitoring.services import watching


@pytest.fixture(autouse=True)
def _nothing_remembered():
    engine._shelf = engine._Shelf()
    watching._looked.clear()
    door._turned_away.clear()
    door._turned_away_at.clear()
