"""Loops compiled by numba where it is installed, as they stand where it is not.

A loop is written once, in plain Python over arrays. `compiled(loop)` gives the machine's version of it: built at its first
use, kept on disk, and never imported before it is asked for, so that importing the engine stays cheap. Without numba (or
with HAITANG_NO_NUMBA=1) the loop itself is returned: the same answer, slower.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

Loop = TypeVar("Loop", bound=Callable[..., Any])


@cache
def has_numba() -> bool:
    """Whether loops are compiled here."""
    return os.environ.get("HAITANG_NO_NUMBA") != "1" and find_spec("numba") is not None


def compiled(loop: Loop, *, parallel: bool = False) -> Loop:
    """The loop, compiled if it can be. `parallel` spreads its `prange` over the cores."""
    return _built(loop, parallel) if has_numba() else loop


@cache
def _built(loop: Any, parallel: bool) -> Any:
    numba = importlib.import_module("numba")
    if parallel:
        # In the plain loop prange is range; in the compiled one it is numba's.
        sys.modules[loop.__module__].__dict__["prange"] = numba.prange
    return numba.njit(cache=True, parallel=parallel, nogil=True)(loop)
