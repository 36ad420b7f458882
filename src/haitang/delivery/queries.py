"""What the pages and the API read: messages and deliveries in reach, counted, filtered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery, Message
from haitang.delivery.states import REACHED, State
from haitang.spaces.models import Space

# What a list can be narrowed to: its name, and the states it stands for.
OUTCOMES: Mapping[str, tuple[State, ...]] = {
    "waiting": (State.QUEUED,),
    "sent": (State.SENT,),
    "reached": REACHED,
    "failed": (State.FAILED,),
    "blocked": (State.BLOCKED,),
}


def space_of(request: HttpRequest) -> Space:
    """The world in view."""
    return request.space  # type: ignore[attr-defined,no-any-return]


def messages(user: Any, space: Space) -> QuerySet[Message]:
    """The messages of a space that somebody may see, newest first."""
    return Message.objects.visible_to(user).filter(space=space).order_by("-pk")


def narrowed(
    rows: QuerySet[Message], user: Any, *, q: str = "", outcome: str = "", channel: str = ""
) -> QuerySet[Message]:
    """Messages by words in the title or a recipient's name, by what became of them, by channel."""
    seen = Delivery.objects.visible_to(user).filter(message=OuterRef("pk")).order_by()
    if q:
        named = seen.filter(Q(name__icontains=q) | Q(organisation__name_zh__icontains=q))
        rows = rows.filter(Q(title_zh__icontains=q) | Q(title_en__icontains=q) | Exists(named))
    wanted = seen
    if channel in CHANNELS:
        wanted = wanted.filter(channel=channel)
    if outcome in OUTCOMES:
        wanted = wanted.filter(state__in=OUTCOMES[outcome])
    return rows.filter(Exists(wanted)) if wanted is not seen else rows


def counts(user: Any, space: Space) -> dict[str, int]:
    """How many deliveries in reach stand where: by name of OUTCOMES. One query."""
    rows = Delivery.objects.visible_to(user).filter(space=space).order_by().values_list("state").annotate(n=Count("pk"))
    return summed(rows)


def summed(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts by state as counts by name of OUTCOMES."""
    by_state = dict(rows)
    return {name: sum(by_state.get(state, 0) for state in states) for name, states in OUTCOMES.items()}


def counts_of(user: Any, found: Iterable[Message]) -> dict[int, dict[str, int]]:
    """For each message, how many of its deliveries in reach stand where. One query."""
    rows = Delivery.objects.visible_to(user).filter(message__in=[m.pk for m in found]).order_by()
    by_message: dict[int, list[tuple[str, int]]] = {}
    for message, state, number in rows.values_list("message", "state").annotate(n=Count("pk")):
        by_message.setdefault(message, []).append((state, number))
    return {message: summed(pairs) for message, pairs in by_message.items()}


def deliveries(user: Any, message: Message) -> QuerySet[Delivery]:
    """The deliveries of a message that somebody may see, in order."""
    rows = Delivery.objects.visible_to(user).filter(message=message)
    return rows.select_related("user", "organisation").order_by("number", "position")


def inbox(user: Any, space: Space) -> QuerySet[Delivery]:
    """A person's messages in the app, unread first, then newest first."""
    rows = Delivery.objects.filter(user=user, space=space, channel="inapp").exclude(state=State.BLOCKED)
    return rows.select_related("message__sender").annotate(is_read=Count("read_at")).order_by("is_read", "-pk")
