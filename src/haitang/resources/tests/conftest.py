"""The fixtures of the register kit serve here, too."""

from haitang.registry.tests.conftest import _fresh_counts, api, sign_in, world

__all__ = ["_fresh_counts", "api", "sign_in", "world"]
