"""When to try again: exponential, with a jitter drawn from the delivery's key. Pure.

A second after a first failure the gateway is probably as dead as before, so each pause doubles; the jitter keeps a
thousand letters that failed together from coming back together.
"""

from __future__ import annotations

import random

BASE_S = 2.0
MOST_S = 120.0


def pause_s(attempt: int, key: str, *, base_s: float = BASE_S, most_s: float = MOST_S) -> float:
    """Seconds to wait after the `attempt`-th attempt (1, 2, ...) has failed: between 75 % and 125 % of the step."""
    step = min(most_s, base_s * 2.0 ** (max(1, attempt) - 1))
    return step * random.Random(f"{key}:{attempt}").uniform(0.75, 1.25)
