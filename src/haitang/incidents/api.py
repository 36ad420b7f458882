"""The machine interface of incidents, under /api/v1/incidents/: read incidents, figures and reports; send figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status
from ninja.pagination import paginate

from haitang.accounts.models import ApiToken
from haitang.accounts.verbs import Forbidden, Refused
from haitang.geo.models import Place
from haitang.incidents import figure_kinds, queries, services
from haitang.incidents.models import Figure, Incident, State
from haitang.plans.models import ResponseLevel
from haitang.registry.paging import Pages
from haitang.spaces.models import Space

router = Router()
READ, WRITE = "read", "incidents:write"
STATES = f"^({'|'.join(State.values)})?$"
KINDS = f"^({'|'.join(figure_kinds.kinds())})?$"


class ErrorOut(Schema):
    """Why a request was not served."""

    error: str
    detail: Any


class IncidentOut(Schema):
    """An incident."""

    id: int
    name_zh: str
    name_en: str
    category: str
    hazard: str
    place: str = Field(alias="place.code")
    owner: str = Field(alias="owner.code")
    plan: str | None = Field(None, alias="plan.code")
    parent: int | None = Field(None, alias="parent_id")
    state: str
    level: str
    colour: str
    matter_zh: str
    measures_zh: str
    term_until: datetime | None
    started_at: datetime
    ended_at: datetime | None
    exercise: bool

    @staticmethod
    def resolve_level(row: Incident) -> str:
        """The numeral."""
        return ResponseLevel(row.level).name

    @staticmethod
    def resolve_exercise(row: Incident) -> bool:
        """Whether it belongs to an exercise."""
        return row.space.is_exercise


class ChangeOut(Schema):
    """A change of level."""

    at: datetime
    level_from: int | None
    level_to: int | None
    by: str = Field(alias="by_name")
    reason_zh: str
    matter_zh: str
    measures_zh: str
    term_hours: float | None
    clause: str


class TotalOut(Schema):
    """The total of one figure, as it is known now."""

    kind: str
    value: float
    unit: str
    places: dict[str, float]


class IncidentDetailOut(IncidentOut):
    """An incident with its changes, places and totals."""

    places: list[str]
    changes: list[ChangeOut]
    totals: list[TotalOut]

    @staticmethod
    def resolve_places(row: Incident) -> list[str]:
        """Codes of the places the response is for."""
        return list(row.areas.values_list("place__code", flat=True))

    @staticmethod
    def resolve_changes(row: Incident) -> Any:
        """Decisions on the level, the first one first."""
        return row.changes.all()


class FigureOut(Schema):
    """One number reported."""

    id: int
    kind: str
    place: str = Field(alias="place.code")
    value: float
    unit: str
    at: datetime
    reported_at: datetime
    source: str
    note: str
    explanation: str


class FigureIn(Schema):
    """A number to be reported. `explanation` is needed when it jumps; `at` left out means now."""

    kind: str = Field(max_length=20)
    value: float = Field(ge=0, le=1e12)
    place: str = Field("", max_length=30, description="Code of the place; left out: the reporter's own")
    at: datetime | None = None
    source: str = Field("", max_length=200)
    note: str = Field("", max_length=300)
    explanation: str = Field("", max_length=500)


class ReportOut(Schema):
    """A report upward."""

    id: int
    stage: str
    number: int
    addressee_zh: str
    law: str
    clause: str
    asked_at: datetime
    due_at: datetime | None
    phone_due_at: datetime | None
    phoned_at: datetime | None
    sent_at: datetime | None
    late: bool = Field(alias="is_late")
    text: str
    sha256: str


def _space(request: HttpRequest, right: str = READ) -> Space:
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and right not in token.rights:
        raise Forbidden(f"This access token lacks the right {right!r}; ask an administrator for one that has it")
    return request.space  # type: ignore[attr-defined,no-any-return]


def _find(request: HttpRequest, number: int, right: str = READ) -> Incident:
    rows = queries.incidents(request.user, _space(request, right))
    found: Incident = get_object_or_404(rows, pk=number if 0 < number < 2**63 else -1)
    return found


@router.get("/incidents", response=list[IncidentOut], summary="Incidents")
@paginate(Pages)
def incidents(request: HttpRequest, state: str = Query("", pattern=STATES)) -> Any:
    """Incidents in reach, the newest first."""
    rows = queries.incidents(request.user, _space(request))
    return rows.filter(state=state) if state else rows


@router.get("/incidents/{number}", response={200: IncidentDetailOut, 404: ErrorOut}, summary="One incident")
def incident(request: HttpRequest, number: int) -> Any:
    """One incident with its changes of level, places and totals."""
    found = _find(request, number)
    numbers = queries.numbers(request.user, queries.family_of(found))
    paths = {path for each in numbers for path in each.total.parts}
    codes = dict(Place.objects.filter(path__in=paths).values_list("path", "code"))
    found.totals = [  # type: ignore[attr-defined]
        {"kind": each.kind.code, "value": each.total.value, "unit": each.kind.unit_zh,
         "places": {codes[path]: row.value for path, row in each.total.parts.items()}}
        for each in numbers
    ]  # fmt: skip
    return found


@router.get(
    "/incidents/{number}/figures", response={200: list[FigureOut], 404: ErrorOut}, summary="Numbers of an incident"
)
@paginate(Pages)
def figures(request: HttpRequest, number: int, kind: str = Query("", pattern=KINDS)) -> Any:
    """Every number reported in reach, the newest first."""
    return queries.figure_rows(request.user, queries.family_of(_find(request, number)), kind)


@router.post(
    "/incidents/{number}/figures",
    response={201: FigureOut, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut, 422: ErrorOut},
    summary="Report a number",
)
def report(request: HttpRequest, number: int, body: FigureIn) -> Status[Figure]:
    """Append a number. 409 tells why it was not taken: an unexplained jump, a place outside, a value that cannot be."""
    found = _find(request, number, WRITE)
    place = get_object_or_404(Place, code=body.place) if body.place else None
    if body.at is not None and body.at.tzinfo is None:
        raise Refused(f"at={body.at.isoformat()} has no offset; write it like 2024-09-16T07:30:00+08:00")
    made = services.report_figure(
        found, kind=body.kind, value=body.value, place=place, at=body.at, source=body.source, note=body.note,
        explanation=body.explanation, by=request.user,  # type: ignore[arg-type]
    )  # fmt: skip
    return Status(201, made)


@router.get("/incidents/{number}/reports", response={200: list[ReportOut], 404: ErrorOut}, summary="Reports upward")
@paginate(Pages)
def reports(request: HttpRequest, number: int) -> Any:
    """Reports in reach with their clocks, the newest first."""
    return queries.reports(_find(request, number), request.user)
