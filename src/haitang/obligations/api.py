"""The machine interface of obligations, under /api/v1/obligations/: read them, answer them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import BaseModel

from haitang.accounts.models import ApiToken
from haitang.accounts.verbs import Forbidden, require
from haitang.obligations import queries, reach, services
from haitang.obligations.models import Obligation
from haitang.spaces.models import Space

router = Router()

READ, WRITE = "read", "obligations:write"
BIGGEST = 2**63 - 1
TEXT = r"^[^\x00]*$"


class ErrorOut(Schema):
    """Why a request was not served."""

    error: str
    detail: Any


class EvidenceOut(Schema):
    """A photograph or file; its content is served to people, by scope."""

    name: str
    content_type: str
    size: int
    sha256: str
    note: str
    lon: float | None
    lat: float | None
    added_at: datetime


class ObligationOut(Schema):
    """An obligation."""

    id: int
    kind: str
    state: str
    colour: str
    title_zh: str
    title_en: str
    owner: str = Field(alias="owner.code")
    person: str | None = Field(None, alias="person.username")
    place: str | None = Field(None, alias="place.code")
    subject_type: str
    subject_id: str
    thread: str
    clause: str
    issued_at: datetime
    due_at: datetime | None
    received_at: datetime | None
    started_at: datetime | None
    done_at: datetime | None
    confirmed_at: datetime | None
    overdue_at: datetime | None
    is_overdue: bool
    is_late: bool


class DetailOut(ObligationOut):
    """An obligation with all that is said about it."""

    detail_zh: str
    detail_en: str
    url: str
    done_note: str
    refused_reason: str
    evidence: list[EvidenceOut]

    @staticmethod
    def resolve_evidence(row: Obligation) -> list[Any]:
        """The files, oldest first."""
        return list(row.evidence.all())


class PageOut(Schema):
    """One page of a list, and how many there are in all."""

    count: int
    items: list[ObligationOut]


class ReportIn(BaseModel):  # no Schema: that would take any value for an empty report
    """That it is done: a note, and where (WGS-84 degrees), if wanted."""

    note: str = Field("", max_length=services.MOST_NOTE, pattern=TEXT)
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)


class ReasonIn(BaseModel):
    """Why."""

    reason: str = Field(min_length=1, max_length=services.MOST_REASON, pattern=TEXT)


class Filters(Schema):
    """What of the list is wanted. `tab`: whose; `status`: in what condition; `q`: words in title, owner or place."""

    tab: Literal["mine", "organisation", "all"] = "all"
    status: Literal["open", "overdue", "waiting", "closed", "any"] = "any"
    kind: str = Field("", max_length=40, pattern=TEXT)
    q: str = Field("", max_length=80, pattern=TEXT)
    thread: str = Field("", max_length=80, pattern=TEXT)
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=1_000_000)


def _space(request: HttpRequest, right: str) -> Space:
    """The space of the asker; a token must carry the right."""
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and right not in token.rights:
        raise Forbidden(f"This access token lacks the right {right!r}; ask an administrator for one that has it")
    return queries.space_of(request)


def _find(request: HttpRequest, id: int, verb: str = "") -> Obligation:
    space = _space(request, WRITE if verb else READ)
    if verb:
        require(f"obligations.{verb}", request.user)
    if not 0 < id <= BIGGEST:
        raise Obligation.DoesNotExist
    return queries.seen_by(request.user, space).get(pk=id)


@router.get("/", response={200: PageOut, 403: ErrorOut, 422: ErrorOut}, summary="Obligations")
def index(request: HttpRequest, filters: Query[Filters]) -> Any:
    """Obligations in reach, the most pressing first."""
    rows = queries.seen_by(request.user, _space(request, READ))
    if filters.kind:
        rows = rows.filter(kind=filters.kind)
    if filters.thread:
        rows = rows.filter(thread=filters.thread)
    rows = queries.of_status(queries.searched(rows, filters.q), filters.status, request.user)
    rows = queries.of_tab(rows, filters.tab, request.user)
    page = queries.in_order(rows, filters.status)[filters.offset : filters.offset + filters.limit]
    return {"count": rows.order_by().count(), "items": list(page)}


@router.get("/{id}", response={200: DetailOut, 403: ErrorOut, 404: ErrorOut, 422: ErrorOut}, summary="One obligation")
def detail(request: HttpRequest, id: int) -> Any:
    """One obligation with its evidence."""
    return _find(request, id)


ANSWERS = {200: DetailOut, 400: ErrorOut, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut, 422: ErrorOut}


@router.post("/{id}/receive", response=ANSWERS, summary="Receive")
def receive(request: HttpRequest, id: int) -> Any:
    """Say that the owner has taken notice."""
    return services.receive(_find(request, id, "receive"), by=request.user)


@router.post("/{id}/start", response=ANSWERS, summary="Start")
def start(request: HttpRequest, id: int) -> Any:
    """Say that work has begun."""
    return services.start(_find(request, id, "start"), by=request.user)


@router.post("/{id}/complete", response=ANSWERS, summary="Report done")
def complete(request: HttpRequest, id: int, report: ReportIn) -> Any:
    """Say that it is done."""
    position = None if report.lon is None or report.lat is None else (report.lon, report.lat)
    found = _find(request, id, "done")
    reach.must_be_here(found)
    return services.complete(found, by=request.user, note=report.note, position=position)


@router.post("/{id}/confirm", response=ANSWERS, summary="Confirm")
def confirm(request: HttpRequest, id: int) -> Any:
    """Confirm what was reported done."""
    return services.confirm(_find(request, id, "confirm"), by=request.user)


@router.post("/{id}/decline", response=ANSWERS, summary="Answer in the negative")
def decline(request: HttpRequest, id: int, given: ReasonIn) -> Any:
    """Say that one cannot; it stays open, and whoever comes next is asked."""
    return services.decline(_find(request, id, "decline"), by=request.user, reason=given.reason)


@router.post("/{id}/refuse", response=ANSWERS, summary="Refuse")
def refuse(request: HttpRequest, id: int, given: ReasonIn) -> Any:
    """Say that the owner cannot do it, and why."""
    return services.refuse(_find(request, id, "refuse"), by=request.user, reason=given.reason)
