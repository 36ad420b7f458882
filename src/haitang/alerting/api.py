"""Warnings for machines: list, one, its CAP XML, and CAP messages in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from haitang.accounts.models import ApiToken
from haitang.accounts.verbs import Forbidden
from haitang.alerting import answers, cap, inbound
from haitang.alerting.cap_xml import MAX_BYTES
from haitang.alerting.feed import CAP_TYPE
from haitang.alerting.models import State, Warning

router = Router()
PAGE = 50


class WarningOut(Schema):
    """One warning."""

    id: int
    identifier: str | None
    msg_type: str
    status: str
    scope: str = Field(alias="cap_scope")
    state: str
    event_code: str = Field(alias="kind.code")
    event_zh: str = Field(alias="kind.name_zh")
    event_en: str = Field(alias="kind.name_en")
    colour: str
    headline_zh: str
    headline_en: str
    composed_at: datetime
    published_at: datetime | None
    expires: datetime
    ended_at: datetime | None
    sha256: str


class WarningFull(WarningOut):
    """One warning with its texts and areas."""

    description_zh: str
    description_en: str
    instruction_zh: str
    instruction_en: str
    note: str
    audiences: list[str]
    places: list[str]
    references: list[int]
    asked: int = Field(0, description="Townships asked for an answer, within your scope")
    answered: int = Field(0, description="Townships that have answered, within your scope")

    @staticmethod
    def resolve_places(obj: Warning) -> list[str]:
        """Codes of the chosen places."""
        return [area.place.code for area in obj.areas.all() if area.is_chosen]

    @staticmethod
    def resolve_references(obj: Warning) -> list[int]:
        """The warning it follows."""
        return [obj.parent_id] if obj.parent_id else []


class Filters(Schema):
    """What to list."""

    state: State | None = None
    colour: str | None = Field(None, pattern="^(red|orange|yellow|blue)$")
    since: datetime | None = Field(None, description="Published at or after this time")
    page: int = Field(1, ge=1, le=10_000)


class WarningPage(Schema):
    """One page of warnings, newest first."""

    count: int
    results: list[WarningOut]


class ReceivedOut(Schema):
    """What became of a CAP message sent in."""

    id: int
    new: bool
    identifier: str
    sender: str
    findings: list[dict[str, Any]]


class Unreadable(Schema):
    """Why a CAP message could not be read."""

    error: str
    detail: dict[str, Any]


def _visible(request: HttpRequest) -> Any:
    rows = Warning.objects.visible_to(request.user).filter(space=request.space)  # type: ignore[attr-defined]
    return rows.defer("cap_xml", "geometry").select_related("kind")


def _right(request: HttpRequest, right: str) -> None:
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and right not in token.rights:
        raise Forbidden(f"This access token lacks the right {right}: ask an administrator for one that has it")


@router.get("/warnings", response=WarningPage, url_name="alerting_warnings")
def list_warnings(request: HttpRequest, filters: Query[Filters]) -> dict[str, Any]:
    """Warnings in your scope and space, newest first, 50 a page."""
    _right(request, "read")
    rows = _visible(request)
    if filters.state:
        rows = rows.filter(state=filters.state)
    if filters.colour:
        rows = rows.filter(colour=filters.colour)
    if filters.since:
        rows = rows.filter(published_at__gte=filters.since)
    start = (filters.page - 1) * PAGE
    return {"count": rows.count(), "results": list(rows[start : start + PAGE])}


@router.get("/warnings/{int:warning_id}", response=WarningFull, url_name="alerting_warning")
def get_warning(request: HttpRequest, warning_id: int) -> Warning:
    """One warning."""
    _right(request, "read")
    found = _visible(request).prefetch_related("areas__place").get(pk=_bounded(warning_id))
    found.answered, found.asked = answers.counts([found], request.user).get(found.pk, (0, 0))
    warning: Warning = found
    return warning


@router.get("/warnings/{int:warning_id}/cap", url_name="alerting_cap")
def get_cap(request: HttpRequest, warning_id: int) -> HttpResponse:
    """The frozen CAP 1.2 message of a published warning, byte for byte."""
    _right(request, "read")
    rows = Warning.objects.visible_to(request.user).filter(space=request.space)  # type: ignore[attr-defined]
    found = rows.only("cap_xml", "sha256").get(pk=_bounded(warning_id))
    if not found.cap_xml:
        raise Http404
    return HttpResponse(bytes(found.cap_xml), content_type=CAP_TYPE, headers={"ETag": f'"{found.sha256}"'})


@router.post(
    "/cap", response={200: ReceivedOut, 201: ReceivedOut, 413: Unreadable, 422: Unreadable}, url_name="alerting_cap_in"
)
def cap_in(request: HttpRequest) -> Status[dict[str, Any]]:
    """Take a CAP message (XML in the body) from another platform.

    It is kept as it came, with every finding of the validator; 201 when new, 200 when the same bytes were here before.
    It is not passed on: a warning of our own is composed from it.
    """
    _right(request, "cap:write")
    told = request.headers.get("Content-Length", "")
    length = int(told) if told.isascii() and told.isdigit() else 0
    if length > MAX_BYTES:
        inbound.count_refusal("unreadable")
        finding = cap.Finding("TOO_LARGE", "/", f"{length} > {MAX_BYTES}")
        return Status(413, {"error": finding.code, "detail": finding.as_dict()})
    try:
        received, new = inbound.receive(space=request.space, data=request.body, by=request.user)  # type: ignore[attr-defined,arg-type]
    except cap.CapUnreadable as error:
        return Status(422, {"error": error.finding.code, "detail": error.finding.as_dict()})
    shown = {name: getattr(received, name) for name in ("id", "identifier", "sender", "findings")}
    return Status(201 if new else 200, {**shown, "new": new})


def _bounded(number: int) -> int:
    # SQLite's integers end at 2^63; a larger one is no key of ours.
    if not 0 < number < 2**63:
        raise Warning.DoesNotExist
    return number
