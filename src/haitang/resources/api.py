"""The machine interface of resources, under /api/v1/resources/: how they stand in the token's world, and what is done.

What is on record about them is read and changed under /api/v1/registry/shelters, teams and supplies.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from haitang.accounts.models import ApiToken
from haitang.accounts.roles import STAFF
from haitang.accounts.verbs import Forbidden
from haitang.resources import queries, services
from haitang.resources.models import Shelter, Supply, Team, TeamStatus
from haitang.spaces.models import Space

router = Router()
READ, WRITE = "read", "resources:write"
Status = Literal["available", "assigned", "en_route", "on_scene", "returning", "out_of_service"]


class ResourceError(Schema):
    """Why a request was not served."""

    error: str
    detail: Any


class ShelterNowOut(Schema):
    """A shelter as it stands."""

    code: str
    name_zh: str
    name_en: str
    place: str
    is_open: bool
    people: int | None = Field(None, description="The newest count; null before the first")
    counted_at: datetime | None = None
    capacity: int


class TeamNowOut(Schema):
    """A team as it stands."""

    code: str
    name_zh: str
    name_en: str
    place: str
    members: int
    status: str
    since: datetime | None = None
    task: str


class SupplyNowOut(Schema):
    """A supply as it stands."""

    code: str
    name_zh: str
    name_en: str
    place: str
    unit: str
    stock: float
    minimum: float


class HeadsIn(Schema):
    """A head count."""

    people: int = Field(ge=0, le=services.PEOPLE_MOST)
    at: datetime | None = Field(None, description="When they were counted, in the world's time; now if left out")
    source: str = Field("", max_length=80)


class HeadsOut(Schema):
    """The count as it was put on record."""

    shelter: str
    people: int
    at: datetime


class StatusIn(Schema):
    """Where a team goes."""

    status: Status
    task: str = Field("", max_length=200)


class StatusOut(Schema):
    """The status as it was put on record."""

    team: str
    status: str
    at: datetime
    task: str


class QuantityIn(Schema):
    """How much goes out or comes back."""

    quantity: float = Field(gt=0, le=1e9, allow_inf_nan=False)
    to: str = Field("", max_length=120)
    note: str = Field("", max_length=200)


class MoveOut(Schema):
    """The line of the ledger."""

    supply: str
    quantity: float
    balance: float
    at: datetime


_ERRORS = {403: ResourceError, 404: ResourceError, 409: ResourceError, 422: ResourceError}
_LIMIT = Query(500, ge=1, le=1000)
_OFFSET = Query(0, ge=0, le=1_000_000)


def _space(request: HttpRequest, right: str = READ) -> Space:
    """The world of the asker; a token must carry the right."""
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and right not in token.rights:
        raise Forbidden(f"This access token lacks the right {right!r}; ask an administrator for one that has it")
    if getattr(request.user, "role", None) not in STAFF:
        raise Forbidden("Resources are open to those who work with them")
    return request.space  # type: ignore[attr-defined,no-any-return]


def _row(request: HttpRequest, model: Any, code: str) -> Any:
    found = (
        model.objects.visible_to(request.user).defer("geometry").filter(code=code).first()
        if code.isprintable()
        else None
    )
    if found is None:
        raise ObjectDoesNotExist
    return found


def _known(row: Any) -> dict[str, Any]:
    return {"code": row.code, "name_zh": row.name_zh, "name_en": row.name_en, "place": row.place.code}


@router.get("/shelters", response={200: list[ShelterNowOut], **_ERRORS}, summary="Shelters as they stand")
def shelters(request: HttpRequest, only_open: bool = False, limit: int = _LIMIT, offset: int = _OFFSET) -> Any:
    """Open or closed, people counted, room."""
    space = _space(request)
    rows = queries.with_occupancy(Shelter.objects.visible_to(request.user).current(), space)
    if only_open:
        rows = rows.filter(now_open=True)
    return [
        {
            **_known(row),
            "is_open": row.now_open,
            "people": row.now_people,
            "counted_at": row.now_counted_at,
            "capacity": row.capacity,
        }
        for row in rows.select_related("place").defer("geometry").order_by("code")[offset : offset + limit]
    ]


@router.post("/shelters/{code}/heads", response={200: HeadsOut, **_ERRORS}, summary="Put a head count on record")
def heads(request: HttpRequest, code: str, body: HeadsIn) -> Any:
    """Earlier counts stay; people in a closed shelter open it."""
    space = _space(request, WRITE)
    at = timezone.make_aware(body.at) if body.at is not None and timezone.is_naive(body.at) else body.at
    count = services.count_heads(
        _row(request, Shelter, code), space=space, people=body.people, by=request.user, at=at, source=body.source
    )
    return {"shelter": code, "people": count.people, "at": count.at}


@router.get("/teams", response={200: list[TeamNowOut], **_ERRORS}, summary="Rescue teams as they stand")
def teams(
    request: HttpRequest, status: str = Query("", max_length=20), limit: int = _LIMIT, offset: int = _OFFSET
) -> Any:
    """What they are doing, since when, for what."""
    space = _space(request)
    rows = queries.with_status(Team.objects.visible_to(request.user).current(), space)
    if status:
        rows = rows.filter(now_status=status if status in TeamStatus.values else "")
    return [
        {**_known(row), "members": row.members, "status": row.now_status, "since": row.now_since, "task": row.now_task}
        for row in rows.select_related("place").defer("geometry").order_by("code")[offset : offset + limit]
    ]


@router.post("/teams/{code}/status", response={200: StatusOut, **_ERRORS}, summary="Move a team to another status")
def team_status(request: HttpRequest, code: str, body: StatusIn) -> Any:
    """409, with what is possible, if the status cannot follow the present one."""
    space = _space(request, WRITE)
    state = services.set_team_status(
        _row(request, Team, code), space=space, status=body.status, by=request.user, task=body.task
    )
    return {"team": code, "status": state.status, "at": state.at, "task": state.task}


@router.get("/supplies", response={200: list[SupplyNowOut], **_ERRORS}, summary="Supplies as they stand")
def supplies(request: HttpRequest, only_short: bool = False, limit: int = _LIMIT, offset: int = _OFFSET) -> Any:
    """Stock in the asker's world, and the minimum."""
    space = _space(request)
    mine = Supply.objects.visible_to(request.user).current()
    rows = queries.under_minimum(mine, space) if only_short else queries.with_stock(mine, space)
    return [
        {**_known(row), "unit": row.unit, "stock": float(row.now_stock), "minimum": float(row.minimum)}
        for row in rows.select_related("place").defer("geometry").order_by("code")[offset : offset + limit]
    ]


@router.post("/supplies/{code}/take", response={200: MoveOut, **_ERRORS}, summary="Take out of a store")
def take(request: HttpRequest, code: str, body: QuantityIn) -> Any:
    """409 if there is not so much."""
    space = _space(request, WRITE)
    move = services.take_stock(
        _row(request, Supply, code), space=space, quantity=body.quantity, by=request.user, to=body.to, note=body.note
    )
    return {"supply": code, "quantity": float(move.quantity), "balance": float(move.balance), "at": move.at}


@router.post("/supplies/{code}/return", response={200: MoveOut, **_ERRORS}, summary="Bring back to a store")
def bring_back(request: HttpRequest, code: str, body: QuantityIn) -> Any:
    """409 if it is more than is out."""
    space = _space(request, WRITE)
    move = services.return_stock(
        _row(request, Supply, code), space=space, quantity=body.quantity, by=request.user, to=body.to, note=body.note
    )
    return {"supply": code, "quantity": float(move.quantity), "balance": float(move.balance), "at": move.at}
