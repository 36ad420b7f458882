"""How resources stand in a world at a moment: asked by lists, layers, pages and other slices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, DecimalField, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from haitang.geo.models import Place
from haitang.resources.models import HeadCount, Shelter, ShelterState, StockMove, Supply, Team, TeamState, TeamStatus
from haitang.spaces.models import Space

_ZERO = Decimal(0)
_MONEY = DecimalField(max_digits=12, decimal_places=2)


@dataclass(frozen=True)
class ShelterNow:
    """A shelter at a moment: open or not, how many people were counted last, and when. `people` None: never counted."""

    is_open: bool
    people: int | None
    counted_at: datetime | None
    capacity: int

    @property
    def inside(self) -> int:
        """People inside; none before the first count and after closing."""
        return (self.people or 0) if self.is_open else 0

    @property
    def level(self) -> str:
        """closed, open, filling (80 % and more) or full: what the map and the bars are coloured by."""
        if not self.is_open:
            return "closed"
        if self.inside >= self.capacity:
            return "full"
        return "filling" if self.inside >= 0.8 * self.capacity else "open"


@dataclass(frozen=True)
class TeamNow:
    """A team at a moment: what it is doing, since when, for what."""

    status: TeamStatus
    since: datetime | None
    task: str


def _open_at(space: Space, at: datetime | None) -> Q:
    if at is None:
        return Q(space=space, closed_at__isnull=True)
    return Q(space=space, opened_at__lte=at) & (Q(closed_at__isnull=True) | Q(closed_at__gt=at))


def _newest(rows: QuerySet[Any], at: datetime | None) -> QuerySet[Any]:
    return rows.filter(is_newest=True) if at is None else rows.filter(at__lte=at).order_by("-at", "-id")


def with_occupancy(shelters: QuerySet[Any], space: Space, at: datetime | None = None) -> QuerySet[Any]:
    """Shelters with `now_open`, `now_people`, `now_counted_at` in a world; `at` None is the present. One query."""
    newest = _newest(HeadCount.objects.filter(space=space, shelter=OuterRef("pk")), at)
    return shelters.annotate(
        now_open=Exists(ShelterState.objects.filter(_open_at(space, at), shelter=OuterRef("pk"))),
        now_people=Subquery(newest.values("people")[:1]),
        now_counted_at=Subquery(newest.values("at")[:1]),
    )


def shelters_now(space: Space, keys: Iterable[Any], at: datetime | None = None) -> dict[Any, ShelterNow]:
    """Shelters by primary key. Three small queries for the present, one for another moment."""
    wanted = list(keys)
    if at is not None:
        rows = with_occupancy(Shelter.objects.filter(pk__among=wanted), space, at)
        told = rows.values_list("pk", "now_open", "now_people", "now_counted_at", "capacity")
        return {pk: ShelterNow(is_open, people, when, room) for pk, is_open, people, when, room in told}
    open_now = set(
        ShelterState.objects.filter(_open_at(space, None), shelter__among=wanted).values_list("shelter", flat=True)
    )
    counts = HeadCount.objects.filter(space=space, shelter__among=wanted, is_newest=True)
    newest = {pk: (people, when) for pk, people, when in counts.values_list("shelter", "people", "at")}
    rooms = Shelter.objects.filter(pk__among=wanted).order_by().values_list("pk", "capacity")
    return {pk: ShelterNow(pk in open_now, *newest.get(pk, (None, None)), room) for pk, room in rooms}


def open_shelters(shelters: QuerySet[Any], space: Space, at: datetime | None = None) -> QuerySet[Any]:
    """Those of the shelters that are open in a world, with their occupancy. One query that looks at no closed one."""
    standing = ShelterState.objects.filter(_open_at(space, at)).values("shelter")
    return with_occupancy(shelters.filter(pk__in=standing), space, at)


def people_in_shelters(space: Space, at: datetime | None = None, place: Place | None = None) -> int:
    """People in all open shelters of a world, or of a place and below: by the newest count of each. One query."""
    rows = Shelter.objects.filter(place__path__startswith=place.path) if place else Shelter.objects.all()
    found = open_shelters(rows, space, at).aggregate(total=Sum("now_people"))
    return found["total"] or 0


def with_status(teams: QuerySet[Any], space: Space, at: datetime | None = None) -> QuerySet[Any]:
    """Teams with `now_status`, `now_since`, `now_task` in a world. One query."""
    newest = _newest(TeamState.objects.filter(space=space, team=OuterRef("pk")), at)
    return teams.annotate(
        now_status=Coalesce(Subquery(newest.values("status")[:1]), Value(TeamStatus.AVAILABLE.value)),
        now_since=Subquery(newest.values("at")[:1]),
        now_task=Coalesce(Subquery(newest.values("task")[:1]), Value("")),
    )


def teams_now(space: Space, keys: Iterable[Any], at: datetime | None = None) -> dict[Any, TeamNow]:
    """Teams by primary key. One query."""
    wanted = list(keys)
    found = dict.fromkeys(wanted, TeamNow(TeamStatus.AVAILABLE, None, ""))
    if at is None:
        states = TeamState.objects.filter(space=space, team__among=wanted, is_newest=True).values_list(
            "team", "status", "at", "task"
        )
    else:
        rows = with_status(Team.objects.filter(pk__among=wanted), space, at)
        states = rows.values_list("pk", "now_status", "now_since", "now_task")
    found.update((pk, TeamNow(TeamStatus(status), since, task)) for pk, status, since, task in states)
    return found


def teams_by_status(teams: QuerySet[Any], space: Space) -> dict[TeamStatus, tuple[int, int]]:
    """How many teams and members do what. One query."""
    rows = with_status(teams, space).order_by().values("now_status").annotate(teams=Count("pk"), people=Sum("members"))
    found = {TeamStatus(row["now_status"]): (row["teams"], row["people"] or 0) for row in rows}
    return {status: found.get(status, (0, 0)) for status in TeamStatus}


def with_stock(supplies: QuerySet[Any], space: Space) -> QuerySet[Any]:
    """Supplies with `now_stock` in a world: an exercise takes from what lies there in life, and only on paper."""
    if not space.is_exercise:
        return supplies.annotate(now_stock=F("stock"))
    moved = StockMove.objects.filter(space=space, supply=OuterRef("pk")).order_by().values("supply")
    total = Subquery(moved.annotate(total=Sum("quantity")).values("total"), output_field=_MONEY)
    return supplies.annotate(now_stock=F("stock") + Coalesce(total, Value(_ZERO, output_field=_MONEY)))


def stock_now(space: Space, keys: Iterable[Any]) -> dict[Any, Decimal]:
    """Stocks by the supply's primary key. One query."""
    return dict(with_stock(Supply.objects.filter(pk__in=list(keys)), space).values_list("pk", "now_stock"))


def under_minimum(supplies: QuerySet[Any], space: Space) -> QuerySet[Any]:
    """Supplies of which there is less than there should be."""
    return with_stock(supplies, space).filter(now_stock__lt=F("minimum"))


def figure(quantity: Decimal) -> str:
    """A quantity without noughts that say nothing."""
    return f"{quantity.normalize():f}"
