"""The permission without which no connection is opened. An exercise or a drill never gets one.

`transport` is the only module of this slice that opens connections, each of its functions wants a permit, and a permit
cannot be made for a delivery of an exercise space or of a drill. Whatever path a delivery takes to its channel (first
attempt, retry after a crash, next channel, another worker), it comes by here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haitang.delivery.models import Delivery


class ExerciseLeak(RuntimeError):
    """Something tried to let an exercise's message out. Nothing was sent."""


class Permit:
    """Permission to open a connection for one delivery of the live space."""

    __slots__ = ("key",)

    def __init__(self, delivery: Delivery) -> None:
        if delivery.message.is_drill or delivery.space.is_exercise or delivery.message.space_id != delivery.space_id:
            raise ExerciseLeak(f"delivery {delivery.pk} belongs to an exercise and must not leave")
        self.key = delivery.key


def require(permit: object) -> None:
    """Raise ExerciseLeak for whatever is not a permit."""
    if not isinstance(permit, Permit):
        raise ExerciseLeak("a connection was asked for without a permit")
