"""Where a delivery stands, and what may follow what."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy


class State(models.TextChoices):
    """Where one delivery stands: how far the message got on one channel to one recipient."""

    QUEUED = "queued", pgettext_lazy("delivery", "Waiting to be sent")
    SENT = "sent", pgettext_lazy("delivery", "Sent")
    DELIVERED = "delivered", pgettext_lazy("delivery", "Delivered")
    READ = "read", pgettext_lazy("delivery", "Read")
    ANSWERED = "answered", pgettext_lazy("delivery", "Answered")
    FAILED = "failed", pgettext_lazy("delivery", "Failed")
    BLOCKED = "blocked", pgettext_lazy("delivery", "Blocked in an exercise")

    @property
    def colour(self) -> str:
        """The colour of its badge. Red is kept for what asks for action now: a failure that nobody mended."""
        return _COLOURS[self]

    @property
    def reached(self) -> bool:
        """Whether the message is known to have arrived."""
        return self in REACHED


_COLOURS = {
    State.QUEUED: "blue",
    State.SENT: "blue",
    State.DELIVERED: "green",
    State.READ: "green",
    State.ANSWERED: "green",
    State.FAILED: "orange",
    State.BLOCKED: "grey",
}
REACHED = (State.DELIVERED, State.READ, State.ANSWERED)

# What may follow what. A receipt that comes late or twice never takes a delivery back; a positive receipt after a
# failure is the truth (the telephone was switched on again). An operator may queue a failed delivery anew.
MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENT, *REACHED, State.FAILED}),
    State.SENT: frozenset({*REACHED, State.FAILED}),
    State.DELIVERED: frozenset({State.READ, State.ANSWERED}),
    State.READ: frozenset({State.ANSWERED}),
    State.ANSWERED: frozenset(),
    State.FAILED: frozenset({*REACHED, State.QUEUED}),
    State.BLOCKED: frozenset(),
}


def may_follow(before: str, after: str) -> bool:
    """Whether a delivery in state `before` may move to `after`."""
    return State(after) in MOVES[State(before)]
