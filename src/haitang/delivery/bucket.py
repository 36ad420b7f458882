"""How fast letters may go to a gateway: a token bucket for each. Pure; the caller brings the time.

A bucket holds at most `burst` tokens and gains `rate_per_s`; a letter takes one.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class _Level:
    tokens: float
    at: float


@dataclass
class Buckets:
    """The buckets of one channel, by gateway (a robot has its own). Times are seconds of a clock that never goes back."""

    rate_per_s: float
    burst: int
    _levels: dict[str, _Level] = field(default_factory=dict)

    def take(self, gateway: str, at: float) -> float:
        """Take a token: 0 when the letter may go now, otherwise seconds until it may; then nothing was taken."""
        level = self._levels.setdefault(gateway, _Level(float(self.burst), at))
        level.tokens = min(float(self.burst), level.tokens + max(0.0, at - level.at) * self.rate_per_s)
        level.at = max(level.at, at)
        if level.tokens >= 1.0 - 1e-9:
            level.tokens -= 1.0
            return 0.0
        return (1.0 - level.tokens) / self.rate_per_s

    def take_many(self, gateway: str, at: float, number: int) -> float:
        """Take many tokens at once, or none: 0 when the letters may go now. So many go in debt that a burst is not exceeded."""
        level = self._levels.setdefault(gateway, _Level(float(self.burst), at))
        level.tokens = min(float(self.burst), level.tokens + max(0.0, at - level.at) * self.rate_per_s)
        level.at = max(level.at, at)
        needed = min(float(number), float(self.burst))
        if level.tokens >= needed - 1e-9:
            level.tokens -= number
            return 0.0
        return (needed - level.tokens) / self.rate_per_s

    def drain(self, gateway: str, at: float, wait_s: float) -> None:
        """The gateway said that it is too much: nothing more for `wait_s` seconds."""
        self._levels[gateway] = _Level(min(0.0, 1.0 - wait_s * self.rate_per_s), at)
