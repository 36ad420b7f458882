"""Reading obligations: what is mine, what waits for me, in the order in which it presses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, IntegerField, Min, Q, QuerySet, When
from django.http import HttpRequest

from haitang.accounts.models import User
from haitang.geo.names import localised
from haitang.obligations import reach
from haitang.obligations.kinds import KINDS
from haitang.obligations.models import OPEN, PENDING, Obligation, State
from haitang.spaces.models import Space

TABS = ("mine", "organisation", "all")
STATUSES = ("open", "overdue", "waiting", "closed", "any")
# The record of everything that was ever asked: long, read newest first, not counted more often than needed.
RECORDS = frozenset({"closed", "any"})


def space_of(request: HttpRequest) -> Space:
    """The world this visitor looks at (set by the spaces middleware)."""
    return request.space  # type: ignore[attr-defined,no-any-return]


def seen_by(user: User, space: Space) -> QuerySet[Obligation]:
    """The obligations of a space that this user sees."""
    rows: QuerySet[Obligation] = Obligation.objects.visible_to(user).filter(space=space)
    return rows.select_related("owner", "person", "place", "issued_by")


def of_tab(rows: QuerySet[Obligation], tab: str, user: User) -> QuerySet[Obligation]:
    """Mine (to do or to decide), my organisation's and those below it, or all in reach."""
    if tab == "mine":
        return rows.filter(reach.mine(user) | reach.awaiting(user))
    if tab == "organisation":
        body = user.organisation
        return rows.filter(owner__path__startswith=body.path) if body else rows.filter(person=user)
    return rows


def of_status(rows: QuerySet[Obligation], status: str, user: User) -> QuerySet[Obligation]:
    """Those that need somebody now, the overdue, those that wait for a decision, the closed, or any."""
    if status == "open":
        return rows.filter(PENDING, Q(state__in=OPEN) | reach.awaiting(user))
    if status == "overdue":
        return rows.filter(PENDING, state__in=OPEN, overdue_at__isnull=False)
    if status == "waiting":
        return rows.filter(PENDING).exclude(state__in=OPEN)
    if status == "closed":
        return rows.exclude(state__in=OPEN)
    return rows


def searched(rows: QuerySet[Obligation], text: str) -> QuerySet[Obligation]:
    """Those that hold every word in title, detail, owner or place."""
    for word in text.split()[:6]:
        names = (
            "title_zh",
            "title_en",
            "detail_zh",
            "owner__name_zh",
            "owner__name_en",
            "place__name_zh",
            "place__name_en",
            "clause",
        )
        condition = Q()
        for name in names:
            condition |= Q(**{f"{name}__icontains": word})
        rows = rows.filter(condition)
    return rows


def by_urgency(rows: QuerySet[Obligation]) -> QuerySet[Obligation]:
    """Overdue first, then red, then what waits for a decision, then by due time; the closed last, newest first."""
    open_ = Q(state__in=OPEN)
    rank = Case(
        When(open_ & Q(overdue_at__isnull=False), then=0), When(open_ & Q(colour="red"), then=1), When(state=State.REFUSED, then=2),
        When(open_, then=3), When(state=State.DONE, then=4), default=5, output_field=IntegerField(),
    )  # fmt: skip
    return rows.alias(rank=rank).order_by("rank", F("due_at").asc(nulls_last=True), "-issued_at", "-pk")


def in_order(rows: QuerySet[Obligation], status: str) -> QuerySet[Obligation]:
    """What presses first where something may still press; the newest first where the list is a record."""
    return rows.order_by("-issued_at", "-pk") if status in RECORDS else by_urgency(rows)


def needs(user: User, space: Space) -> QuerySet[Obligation]:
    """What this user has to do or to decide now, the most pressing first."""
    rows = seen_by(user, space).filter(PENDING)
    rows = rows.filter((reach.mine(user) & Q(state__in=OPEN)) | reach.awaiting(user))
    return by_urgency(rows)


@dataclass(frozen=True)
class Silence:
    """An organisation with the number of obligations it has not answered, and how many of them are overdue."""

    owner_id: int
    name_zh: str
    name_en: str
    unanswered: int
    overdue: int
    oldest: Any

    @property
    def name(self) -> str:
        """The organisation's name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    @property
    def colour(self) -> str:
        """Red once something is overdue."""
        return "red" if self.overdue else "yellow"


def silent(user: User, space: Space) -> list[Silence]:
    """Organisations that have taken no notice of something yet, or are overdue with it; the worst first. One query.

    What has a board of its own is left out.
    """
    elsewhere = [kind.id for kind in KINDS.values() if kind.has_board]
    rows = Obligation.objects.visible_to(user).filter(PENDING, space=space).exclude(kind__in=elsewhere).filter(
        Q(state=State.ISSUED) | Q(state__in=OPEN, overdue_at__isnull=False)
    )  # fmt: skip
    counted: Iterable[dict[str, Any]] = (
        rows.order_by().values("owner_id", "owner__name_zh", "owner__name_en")
        .annotate(unanswered=Count("pk"), overdue=Count("pk", filter=Q(overdue_at__isnull=False)), oldest=Min("opened_at"))
        .order_by("-overdue", "-unanswered", "owner__path")
    )  # fmt: skip
    return [
        Silence(row["owner_id"], row["owner__name_zh"], row["owner__name_en"], row["unanswered"], row["overdue"], row["oldest"])
        for row in counted
    ]  # fmt: skip
