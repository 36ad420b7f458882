"""Who has answered a warning and who has not: one row per township, and how long it took. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from haitang.accounts.models import User
from haitang.alerting import dissemination, measure
from haitang.alerting.dissemination import ANSWER
from haitang.alerting.models import Warning
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery
from haitang.delivery.states import State as DeliveryState
from haitang.geo.models import Place
from haitang.obligations import services as obligations
from haitang.obligations.models import OPEN, Obligation, State
from haitang.spaces.models import Space

MET = (State.DONE, State.CONFIRMED)


@dataclass(frozen=True)
class Call:
    """The newest delivery on one channel to one person."""

    channel: str
    state: DeliveryState
    name: str
    at: datetime
    reason: str = ""

    @property
    def label(self) -> Any:
        """The channel's name."""
        return CHANNELS[self.channel].label if self.channel in CHANNELS else self.channel

    @property
    def icon(self) -> str:
        """The channel's sign."""
        return CHANNELS[self.channel].icon if self.channel in CHANNELS else "send"


@dataclass(frozen=True)
class Row:
    """One township: whom it was asked of, how far the calls got, who answered."""

    place: Place
    obligation: Obligation | None
    calls: Sequence[Call] = ()
    seconds: float | None = None
    people: Sequence[str] = field(default_factory=tuple)
    answered_over: Any = ""

    @property
    def is_answered(self) -> bool:
        """Whether somebody answered."""
        return self.obligation is not None and self.obligation.state in MET

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still waited for."""
        return self.obligation is not None and self.obligation.is_open

    @property
    def is_overdue(self) -> bool:
        """Whether the answer is late and has not come."""
        return self.obligation is not None and self.obligation.is_overdue

    @property
    def callees(self) -> list[tuple[str, list[Call]]]:
        """Each person or group called, in the order in which they were, with the channels."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.name, []).append(call)
        return list(found.items())

    @property
    def on_behalf(self) -> bool:
        """Whether somebody of another organisation answered for it."""
        one = self.obligation
        return bool(one and one.done_by and one.done_by.organisation_id != one.owner_id)

    @property
    def took(self) -> str:
        """How long the answer took, in words."""
        return span(self.seconds)

    @property
    def rank(self) -> int:
        """What needs a call first comes first."""
        if self.obligation is None:
            return 0
        return 1 if self.is_overdue else 2 if self.is_waiting else 4 if self.is_answered else 3


@dataclass(frozen=True)
class Board:
    """All townships of a warning that the reader sees, and the figures over them."""

    rows: Sequence[Row]
    measured: measure.Answers
    start: datetime | None

    @property
    def waiting(self) -> int:
        """How many answers are waited for."""
        return sum(row.is_waiting for row in self.rows)

    @property
    def overdue(self) -> int:
        """How many are late."""
        return sum(row.is_overdue for row in self.rows)

    @property
    def gaps(self) -> int:
        """How many townships have nobody who answers for them."""
        return sum(row.obligation is None for row in self.rows)

    @property
    def percent(self) -> int:
        """The share answered."""
        return round(100 * self.measured.rate)

    @property
    def times(self) -> list[tuple[int, str]]:
        """How long until 50, 90, 95 % had answered, in words; empty where they have not."""
        return [(round(100 * share), span(seconds)) for share, seconds in self.measured.seconds_to.items()]


def span(seconds: float | None) -> str:
    """A span of time in few words; empty for none."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return _("%(n)s s") % {"n": round(seconds)}
    if seconds < 6000:
        return _("%(n)s min") % {"n": round(seconds / 60)}
    return _("%(n)s h") % {"n": f"{seconds / 3600:.1f}"}


def asked(warning: Warning) -> QuerySet[Obligation]:
    """The answers asked for."""
    return obligations.for_subject(warning).filter(kind=ANSWER)


def measured(warning: Warning) -> measure.Answers:
    """How many answered and how fast, over all townships asked. One query."""
    return _measure(warning, list(asked(warning).values_list("done_at", flat=True)))


def _measure(warning: Warning, at: Sequence[datetime | None]) -> measure.Answers:
    start = warning.published_at
    return measure.answers(start, at) if start is not None else measure.Answers(0, 0, dict.fromkeys(measure.SHARES))


def board(warning: Warning, user: User | AnonymousUser) -> Board:
    """Every township that the warning asked, within the reader's scope. Six queries whatever the number of townships."""
    seen = list(
        asked(warning).filter(pk__in=Obligation.objects.visible_to(user).values("pk")).select_related("done_by")
    )
    calls = _calls(seen)
    rows = [_row(one, calls[str(one.pk)]) for one in seen]
    answered_for = {one.place_id for one in seen}
    if warning.is_in_force and _sees_all(warning, user):
        rows += [
            Row(one.place, None)
            for one in dissemination.townships(warning)
            if one.organisation is None and one.place.pk not in answered_for
        ]
    rows.sort(key=lambda row: (row.rank, row.place.path))
    return Board(rows, _measure(warning, [one.done_at for one in seen]), warning.published_at)


def _sees_all(warning: Warning, user: User | AnonymousUser) -> bool:
    organisation = getattr(user, "organisation", None)
    return bool(organisation and organisation.place and organisation.place.contains(warning.place))


def _row(one: Obligation, calls: Sequence[Delivery]) -> Row:
    newest: dict[tuple[str, str], Delivery] = {}
    for call in calls:
        newest[call.name, call.channel] = call
    shown = [
        Call(call.channel, DeliveryState(call.state), call.name, call.answered_at or call.delivered_at or call.created_at, call.reason)
        for call in newest.values()
    ]  # fmt: skip
    seconds = (one.done_at - one.issued_at).total_seconds() if one.done_at else None
    over = next((call.label for call in shown if call.state is DeliveryState.ANSWERED), "")
    people = list(dict.fromkeys(call.name for call in shown))
    assert one.place is not None
    return Row(one.place, one, shown, seconds, people, over)


def _calls(rows: Sequence[Obligation]) -> dict[str, list[Delivery]]:
    """The deliveries of the messages about these obligations, oldest first. One query."""
    found: defaultdict[str, list[Delivery]] = defaultdict(list)
    label = Obligation._meta.label_lower
    about = Delivery.objects.filter(message__about_type=label, message__about_id__in=[str(one.pk) for one in rows])
    for call in about.select_related("message").order_by("message_id", "number", "position"):
        found[call.message.about_id].append(call)
    return found


def curve(warning: Warning, rows: Sequence[Row]) -> list[tuple[datetime, float]]:
    """The share answered over time, as a step curve in per cent."""
    start = warning.published_at
    if start is None:
        return []
    steps = measure.curve(start, [row.obligation.done_at for row in rows if row.obligation])
    return [(start + timedelta(seconds=second), round(100 * share, 1)) for second, share in steps]


def counts(warnings: Sequence[Warning], user: User | AnonymousUser) -> dict[int, tuple[int, int]]:
    """Answered and asked of each warning, within the reader's scope. One query."""
    rows = (
        Obligation.objects.visible_to(user)
        .filter(kind=ANSWER, subject_type="alerting.warning", subject_id__in=[str(warning.pk) for warning in warnings])
        .order_by()
        .values_list("subject_id")
        .annotate(answered=Count("pk", filter=Q(state__in=MET)), asked=Count("pk"))
    )
    return {int(pk): (answered, total) for pk, answered, total in rows}


def unanswered(space: Space, user: User | AnonymousUser) -> QuerySet[Obligation]:
    """The answers still waited for in a space, the longest overdue first."""
    rows: QuerySet[Obligation] = Obligation.objects.visible_to(user).filter(space=space, kind=ANSWER, state__in=OPEN)
    return rows.select_related("owner", "place").order_by("due_at", "place__path")
