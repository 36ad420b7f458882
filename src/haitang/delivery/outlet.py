"""The one place where messages leave, and where it is decided that an exercise's never do."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from haitang.delivery import outbox, simulator
from haitang.delivery.models import Delivery
from haitang.delivery.states import State
from haitang.spaces.clock import now
from haitang.spaces.models import Space


class Permit:
    """Permission to open a connection."""


def pump(space: Space | None = None, limit: int = 500) -> int:
    """Hand out what is due in a space, or in all open ones; returns how many deliveries moved."""
    spaces = [space] if space is not None else list(Space.objects.filter(is_open=True))
    return sum(_simulate(each, limit) for each in spaces)


def _simulate(space: Space, limit: int) -> int:
    moment = now(space)
    moved = 0
    with transaction.atomic():
        due = Delivery.objects.select_for_update(of=("self",), skip_locked=True).filter(
            space=space, message__is_drill=True, next_at__lte=moment
        )
        for delivery in due.select_related("message", "user", "organisation").order_by("next_at", "pk")[:limit]:
            moved += _step(delivery, moment)
    return moved


def _step(delivery: Delivery, moment: object) -> int:
    seed = f"{delivery.message.key}|{delivery.number}"
    moved = 0
    for event in simulator.course(seed, delivery.channel):
        at = delivery.created_at + timedelta(seconds=event.after_s)
        if at > moment:  # type: ignore[operator]
            Delivery.objects.filter(pk=delivery.pk).update(next_at=at)
            return moved
        if outbox.advance(delivery, State(event.state), at, event.reason):
            moved += 1
            if event.state == State.FAILED:
                outbox.hand_on(delivery, at)
    Delivery.objects.filter(pk=delivery.pk).update(next_at=None)
    return moved
