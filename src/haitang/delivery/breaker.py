"""When a gateway is left alone: a circuit breaker for each. Pure; the caller brings the time.

Closed: letters go. After so many *different* letters in a row have failed for a reason of the gateway's own, it opens:
nothing goes for a pause that doubles with every vain attempt. Then it is half open: one letter goes as a probe; what
becomes of it closes the breaker or opens it again. One letter that fails ten times opens nothing: the letter may be at
fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half_open"
THRESHOLD: Final = 5
BASE_S: Final = 5.0
MOST_S: Final = 120.0
# Reasons that say something about the gateway, not about the letter.
OF_THE_GATEWAY: Final = frozenset({"connection", "timeout", "server", "credentials", "answer"})


def concerns(reason: str) -> bool:
    """Whether a reason for a failure (a code, perhaps with words after a colon) counts against the gateway."""
    return reason.partition(":")[0] in OF_THE_GATEWAY


@dataclass
class Breaker:
    """One gateway's breaker. Times are seconds of a clock that never goes back."""

    threshold: int = THRESHOLD
    base_s: float = BASE_S
    most_s: float = MOST_S
    state: str = CLOSED
    reason: str = ""
    retry_at: float = 0.0
    _vain: int = 0
    _failed: set[str] = field(default_factory=set)
    _probe: str = ""

    @property
    def failures(self) -> int:
        """How many different letters have failed since the last success."""
        return len(self._failed)

    def wait(self, key: str, at: float) -> float:
        """0 when this letter may go now; otherwise seconds until it is worth asking again."""
        if self.state == CLOSED:
            return 0.0
        if self.state == OPEN:
            if at < self.retry_at:
                return self.retry_at - at
            self.state, self._probe = HALF_OPEN, ""
        if self._probe in ("", key):
            self._probe = key
            return 0.0
        # Somebody else's letter is the probe: it tells soon.
        return self.base_s

    def succeeded(self) -> bool:
        """The gateway took a letter, or refused it for the letter's own fault; True where that changes the state."""
        changed = self.state != CLOSED
        self.state, self.reason, self.retry_at, self._vain, self._probe = CLOSED, "", 0.0, 0, ""
        self._failed.clear()
        return changed

    def failed(self, key: str, reason: str, at: float) -> bool:
        """The gateway did not take a letter; True where that changes the state."""
        self._failed.add(key)
        self.reason = reason
        before = self.state
        if self.state == HALF_OPEN or (self.state == CLOSED and len(self._failed) >= self.threshold):
            self.state, self._probe = OPEN, ""
            self.retry_at = at + min(self.most_s, self.base_s * 2.0**self._vain)
            self._vain += 1
        return self.state != before

    def released(self, key: str) -> None:
        """The probe was not sent after all."""
        if self._probe == key:
            self._probe = ""


@dataclass
class Breakers:
    """The breakers of one process, by channel and gateway."""

    threshold: int = THRESHOLD
    _by_gateway: dict[tuple[str, str], Breaker] = field(default_factory=dict)

    def of(self, channel: str, gateway: str) -> Breaker:
        """The breaker of a gateway, closed at first."""
        return self._by_gateway.setdefault((channel, gateway), Breaker(self.threshold))
