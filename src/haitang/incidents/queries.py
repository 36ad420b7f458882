"""What pages, cards, layers and the API read of incidents. Everything starts from `visible_to`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import shapely
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.models import Organisation, User
from haitang.alerting import answers
from haitang.alerting.models import Warning
from haitang.geo.models import Place, PlaceShape
from haitang.geo.names import localised
from haitang.incidents import figure_kinds, totals
from haitang.incidents.kinds import ORDER, REPORT, TASK
from haitang.incidents.models import Figure, Incident, Order, Report, ResponseProposal, State
from haitang.incidents.services.figures import rows_of
from haitang.journal.models import Entry
from haitang.journal.services import thread_of
from haitang.obligations.models import OPEN, Obligation
from haitang.obligations.models import State as Duty
from haitang.resources.models import Shelter
from haitang.resources.queries import with_occupancy
from haitang.spaces.models import Space

Who = User | AnonymousUser
TIMELINE = 60
FINISHED = (Duty.DONE, Duty.CONFIRMED)
SHELTERS = 12


def incidents(user: Who, space: Space) -> QuerySet[Incident]:
    """The incidents of a space in the user's reach, the newest first."""
    rows: QuerySet[Incident] = Incident.objects.visible_to(user).filter(space=space)
    return rows.select_related("place", "owner", "plan", "commander", "parent", "space")


def current(user: Who, space: Space) -> list[Incident]:
    """The responses under way, the gravest first, a township's after the district's. One query."""
    return list(incidents(user, space).filter(state=State.ACTIVE).order_by("place__path", "level", "started_at"))


def proposals(user: Who, space: Space) -> QuerySet[ResponseProposal]:
    """What waits for a decision in the user's reach."""
    rows: QuerySet[ResponseProposal] = ResponseProposal.objects.visible_to(user).filter(space=space, state="open")
    return rows.select_related("plan", "place", "owner", "warning__kind", "incident").order_by(
        "place__path", "level", "pk"
    )


@dataclass(frozen=True)
class Proposed:
    """A proposal of the district with those of its townships, decided together; or a township's own."""

    proposal: ResponseProposal
    below: Sequence[ResponseProposal] = ()


def proposed(user: Who, space: Space) -> list[Proposed]:
    """Proposals as the commander is asked: the townships' of the same warning stand with the district's. One query."""
    rows = list(proposals(user, space))
    heads = [row for row in rows if row.place.parent_id is None]
    found, taken = [], set()
    for head in heads:
        below = [row for row in rows if row.warning_id == head.warning_id and row.pk != head.pk and row.place.path.startswith(head.place.path)
                 and row.kind in ("start", "raise") and head.kind in ("start", "raise") and row.place_id != head.place_id]  # fmt: skip
        taken |= {row.pk for row in below}
        found.append(Proposed(head, below))
    return found + [Proposed(row) for row in rows if row.place.parent_id is not None and row.pk not in taken]


# -- one incident -----------------------------------------------------------------------------------------------


def family_of(incident: Incident) -> list[Incident]:
    """The incident and the townships' responses under it. One query."""
    return [incident, *incident.children.select_related("place", "plan", "owner").order_by("place__path")]


def threads_of(family: Iterable[Incident]) -> list[str]:
    """The journal's threads of these incidents."""
    return [thread_of(each) for each in family]


# What every task goes through; the timeline leaves it to the board and to the journal.
ROUTINE = Q(verb__startswith="delivery.") | Q(
    verb__in=[f"obligations.{what}" for what in ("issue", "escalate", "receive", "start", "evidence", "withdraw")]
)


def timeline(incident: Incident, user: Who, family: Sequence[Incident], *, whole: bool = False) -> list[Entry]:
    """What happened, newest first: of the incident, its townships' responses and its warnings. Two queries.

    Without `whole` the routine of tasks and messages is left out.
    """
    threads = threads_of(family) + [f"alerting.warning:{pk}" for pk in incident.warnings.values_list("pk", flat=True)]
    rows = Entry.objects.visible_to(user).filter(space=incident.space_id, thread__in=threads)
    rows = rows if whole else rows.exclude(ROUTINE)
    return list(rows.order_by("-id")[:TIMELINE])


@dataclass
class Lane:
    """One organisation's tasks by where they stand."""

    organisation: Organisation
    waiting: list[Obligation] = field(default_factory=list)
    under_way: list[Obligation] = field(default_factory=list)
    done: list[Obligation] = field(default_factory=list)
    overdue: list[Obligation] = field(default_factory=list)
    refused: list[Obligation] = field(default_factory=list)

    def put(self, task: Obligation) -> None:
        """Sort one task in."""
        if task.state == Duty.REFUSED:
            self.refused.append(task)
        elif task.is_overdue:
            self.overdue.append(task)
        elif task.state in FINISHED:
            self.done.append(task)
        elif task.state == Duty.STARTED:
            self.under_way.append(task)
        else:
            self.waiting.append(task)

    @property
    def rank(self) -> tuple[bool, bool, bool, str]:
        """Overdue and refused on top, what is all done at the bottom."""
        return (not self.overdue, not self.refused, not (self.waiting or self.under_way), self.organisation.path)


@dataclass(frozen=True)
class Board:
    """All tasks of an incident by organisation, and how many stand where."""

    lanes: Sequence[Lane]

    def count(self, column: str) -> int:
        """How many tasks stand in a column."""
        return sum(len(getattr(lane, column)) for lane in self.lanes)

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self.count(column) for column in ("waiting", "under_way", "done", "overdue", "refused"))

    @property
    def columns(self) -> list[tuple[str, str, str, int]]:
        """Name, label, colour and number of each column."""
        told = [
            ("waiting", _("Not begun"), "yellow"), ("under_way", _("Under way"), "blue"), ("overdue", _("Overdue"), "red"),
            ("refused", _("Refused"), "orange"), ("done", _("Done"), "green"),
        ]  # fmt: skip
        return [(name, label, colour, self.count(name)) for name, label, colour in told]


def tasks(user: Who, family: Sequence[Incident]) -> QuerySet[Obligation]:
    """The tasks in reach that were not withdrawn."""
    rows: QuerySet[Obligation] = Obligation.objects.visible_to(user).filter(
        subject_type=Incident._meta.label_lower, subject_id__in=[str(each.pk) for each in family], kind__startswith=TASK
    )
    rows = rows.exclude(state=Duty.WITHDRAWN).select_related("owner", "person", "place").order_by("due_at", "pk")
    return rows.defer("ladder", "detail_zh", "detail_en")


def board(user: Who, family: Sequence[Incident]) -> Board:
    """The tasks board: one lane per organisation. One query."""
    lanes: dict[int, Lane] = {}
    for task in tasks(user, family):
        lanes.setdefault(task.owner_id, Lane(task.owner)).put(task)
    return Board(sorted(lanes.values(), key=lambda lane: lane.rank))


@dataclass(frozen=True)
class OrderRow:
    """An order and how far each organisation is with it."""

    order: Order
    duties: Sequence[Obligation]

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to carry it out."""
        return any(duty.is_open for duty in self.duties)


def orders(incident: Incident, user: Who) -> list[OrderRow]:
    """Orders in reach, the newest first, each with its duties. Two queries."""
    rows = list(Order.objects.visible_to(user).filter(incident=incident))
    duties = Obligation.objects.visible_to(user).filter(
        kind=ORDER, subject_type=Order._meta.label_lower, subject_id__in=[str(row.pk) for row in rows]
    )
    by_order: dict[str, list[Obligation]] = {}
    for duty in duties.select_related("owner").order_by("owner__path"):
        by_order.setdefault(duty.subject_id, []).append(duty)
    return [OrderRow(row, by_order.get(str(row.pk), ())) for row in rows]


def reports(incident: Incident, user: Who) -> QuerySet[Report]:
    """Reports in reach, the newest first."""
    rows: QuerySet[Report] = Report.objects.visible_to(user).filter(incident=incident, withdrawn_at=None)
    return rows.select_related("sent_by").order_by("-number")


@dataclass(frozen=True)
class Number:
    """One figure's total as a tile shows it."""

    kind: figure_kinds.FigureKind
    total: totals.Total
    share: float | None = None

    @property
    def label(self) -> str:
        """What is counted, in the reader's language."""
        return localised(self.kind.name_zh, self.kind.name_en)

    @property
    def unit(self) -> str:
        """The unit, in the reader's language."""
        return localised(self.kind.unit_zh, self.kind.unit_en)

    @property
    def shown(self) -> str:
        """The number."""
        return figure_kinds.shown(self.total.value)

    @property
    def colour(self) -> str:
        """Dead and missing stand out when there are any."""
        return self.kind.colour if self.total.value else ""

    @property
    def newest(self) -> datetime:
        """When the newest number it is made of was so."""
        return max(row.at for row in self.total.parts.values())


def numbers(user: Who, family: Sequence[Incident]) -> list[Number]:
    """The totals of what was reported in reach. One query."""
    found = {kind: total for kind, rows in rows_of(family, user).items() if (total := totals.total(rows))}
    wanted = found["to_move"].value if "to_move" in found else 0
    return [
        Number(figure_kinds.kind(kind), total, min(1.0, total.value / wanted) if kind == "moved" and wanted else None)
        for kind, total in found.items()
    ]


def course(user: Who, family: Sequence[Incident], kind: str) -> dict[str, Any]:
    """The description of a chart of one figure's total over time (docs/components.md)."""
    what = figure_kinds.kind(kind)
    rows = rows_of(family, user)
    points = totals.course(rows.get(kind, []))
    wanted = totals.total(rows.get("to_move", ())) if kind == "moved" else None
    label = localised(what.name_zh, what.name_en)
    aim = [{"value": wanted.value, "label": _("to be moved"), "colour": "grey"}] if wanted else []
    return {
        "kind": "line", "unit": localised(what.unit_zh, what.unit_en), "digits": 0 if what.whole else 2, "min": 0, "thresholds": aim,
        "series": [{"name": label, "data": [[timezone.localtime(at).isoformat(), value] for at, value in points], "step": True, "area": True}],
        "marks": [
            {"at": timezone.localtime(change.at).isoformat(), "label": change.label}
            for change in family[0].changes.all()
        ],
    }  # fmt: skip


def figure_rows(user: Who, family: Sequence[Incident], kind: str = "") -> QuerySet[Figure]:
    """Every number reported in reach, the newest first."""
    rows: QuerySet[Figure] = Figure.objects.visible_to(user).filter(incident__in=[each.pk for each in family])
    rows = rows.filter(kind=kind) if kind else rows
    return rows.select_related("place", "reporter", "organisation").order_by("-at", "-pk")


@dataclass(frozen=True)
class WarningRow:
    """A warning of an incident with how many have answered it."""

    warning: Warning
    answered: int
    asked: int


def warnings(incident: Incident, user: Who) -> list[WarningRow]:
    """The published messages of the incident's warnings in reach, the newest first. Three queries."""
    roots = list(incident.warnings.values_list("pk", flat=True))
    rows = Warning.objects.visible_to(user).filter(Q(pk__in=roots) | Q(root__in=roots), published_at__isnull=False)
    found = list(rows.defer("cap_xml").select_related("kind").order_by("-published_at", "-pk"))
    counted = answers.counts(found, user)  # type: ignore[arg-type]
    return [WarningRow(row, *counted.get(row.pk, (0, 0))) for row in found]


def shelters(incident: Incident, user: Who) -> list[Shelter]:
    """The open shelters of the incident's area with how full they are, the fullest first. One query."""
    area = Q(place__path__startswith=incident.place.path)
    rows = with_occupancy(Shelter.objects.visible_to(user).filter(area), incident.space, incident.ended_at)
    open_ones = [row for row in rows.filter(now_open=True).select_related("place") if row.capacity]
    for row in open_ones:
        row.percent = min(100, round(100 * (row.now_people or 0) / row.capacity))
    return sorted(open_ones, key=lambda row: -row.percent)[:SHELTERS]


def own_map(incident: Incident, names: Iterable[Place]) -> dict[str, Any]:
    """The page's own layer: the places the response is for, in the level's colour. One query."""
    shapes = PlaceShape.objects.filter(place__in=list(names)).select_related("place")
    features = [
        {
            "type": "Feature", "geometry": shapely.geometry.mapping(shape.geometry),
            "properties": {"name": shape.place.name, "subtitle": str(incident.numeral.label)},
        }
        for shape in shapes
    ]  # fmt: skip
    return {
        "layers": [
            {
                "id": "incident-area", "label": incident.name, "kind": "geojson",
                "data": {"type": "FeatureCollection", "features": features},
                "style": {"type": "fill", "colour": incident.shade, "opacity": 0.1, "outline": incident.shade, "width": 2, "by": "", "colours": {}, "label": "name"},
            }
        ]
    }  # fmt: skip


def bounds_of(incident: Incident) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the places the response is for. One query."""
    rows = PlaceShape.objects.filter(place__in=incident.areas.values("place")).values_list(
        "west", "south", "east", "north"
    )
    boxes = [box for box in rows if None not in box]
    if not boxes:
        return None
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


# -- many incidents ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """A response under way in one line: how many of its tasks are done, open, overdue."""

    incident: Incident
    total: int = 0
    done: int = 0
    overdue: int = 0
    moved: Number | None = None
    harm: Sequence[Number] = ()
    children: int = 0


def standings(user: Who, space: Space, rows: Sequence[Incident]) -> list[Standing]:
    """Incidents with the counts of their tasks and people moved; townships' responses counted into the district's. Three queries."""
    shown = {row.pk for row in rows}
    below: dict[int, list[Incident]] = {}
    for child in incidents(user, space).filter(parent__in=shown):
        below.setdefault(child.parent_id or 0, []).append(child)
    counted = _counts(user, [*rows, *(child for each in below.values() for child in each)])
    found = []
    for row in rows:
        family = [row, *below.get(row.pk, ())]
        sums = [sum(counted.get(each.pk, (0, 0, 0))[n] for each in family) for n in range(3)]
        figures = numbers(user, family)
        moved = next((each for each in figures if each.kind.code == "moved"), None)
        harm = [each for each in figures if each.kind.code in ("injured", "dead", "missing") and each.total.value]
        found.append(Standing(row, *sums, moved=moved, harm=harm, children=len(family) - 1))
    return found


def _counts(user: Who, rows: Sequence[Incident]) -> dict[int, tuple[int, int, int]]:
    done = Count("pk", filter=Q(state__in=(Duty.DONE, Duty.CONFIRMED)))
    overdue = Count("pk", filter=Q(state__in=OPEN, overdue_at__isnull=False))
    counted = tasks(user, rows).order_by().values("subject_id").annotate(total=Count("pk"), done=done, overdue=overdue)
    told = counted.values_list("subject_id", "total", "done", "overdue")
    return {int(pk): (total, finished, late) for pk, total, finished, late in told}


def due_next(user: Who, space: Space, limit: int = 8) -> list[Obligation]:
    """What is due next in a space: tasks, orders and reports, the overdue first. One query."""
    rows = Obligation.objects.visible_to(user).filter(space=space, state__in=OPEN, due_at__isnull=False)
    mine = rows.filter(Q(kind__startswith=TASK) | Q(kind__in=(ORDER, REPORT)))
    return list(mine.select_related("owner").order_by("due_at", "pk")[:limit])
