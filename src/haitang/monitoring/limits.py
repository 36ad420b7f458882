"""How much one sender may send: a token bucket each, in the memory of this process. Pure."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

READINGS_PER_S = 100_000.0
"""Lasting rate of one sender in one process: ten times what a district's network sends in its busiest second."""
BURST = 400_000.0


@dataclass
class Bucket:
    """Fills at `rate` up to `burst`; taking more than it holds is refused."""

    rate: float
    burst: float
    level: float = field(init=False)
    at: float | None = None

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self, amount: float, now_s: float) -> float:
        """0 if `amount` was taken; else the seconds after which it would be there (nothing is taken).

        More than a whole bucket counts as a whole bucket, or it would never pass.
        """
        amount = min(amount, self.burst)
        if self.at is not None:
            self.level = min(self.burst, self.level + max(0.0, now_s - self.at) * self.rate)
        self.at = now_s
        if amount <= self.level:
            self.level -= amount
            return 0.0
        return (amount - self.level) / self.rate

    def due(self, amount: float, now_s: float) -> float:
        """The seconds after which `amount` would be there; nothing is taken."""
        level = self.level
        if self.at is not None:
            level = min(self.burst, level + max(0.0, now_s - self.at) * self.rate)
        return max(0.0, (amount - level) / self.rate)

    def borrow(self, amount: float, now_s: float) -> float:
        """Take `amount` in any case; the seconds after which the bucket is even again, 0 if it is."""
        if self.at is not None:
            self.level = min(self.burst, self.level + max(0.0, now_s - self.at) * self.rate)
        self.at = now_s
        self.level -= amount
        return max(0.0, -self.level / self.rate)


class Limiter:
    """One bucket per sender."""

    def __init__(self, rate: float = READINGS_PER_S, burst: float = BURST) -> None:
        self.rate, self.burst = rate, burst
        self._buckets: dict[object, Bucket] = {}
        self._lock = threading.Lock()

    def take(self, sender: object, amount: float, now_s: float) -> float:
        """As `Bucket.take`, for this sender."""
        with self._lock:
            bucket = self._buckets.setdefault(sender, Bucket(self.rate, self.burst))
            return bucket.take(amount, now_s)

    def due(self, sender: object, amount: float, now_s: float) -> float:
        """As `Bucket.due`, for this sender."""
        with self._lock:
            bucket = self._buckets.get(sender)
            return bucket.due(amount, now_s) if bucket else 0.0
