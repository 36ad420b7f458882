"""The machine interface of monitoring, under /api/v1/monitoring/: send readings; read stations, series and alarms."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status
from ninja.pagination import paginate

from haitang.accounts.models import ApiToken, Organisation
from haitang.accounts.tokens import TokenAuth
from haitang.accounts.verbs import Forbidden
from haitang.monitoring import corrections, door, queries, services, store
from haitang.monitoring.alarms import at
from haitang.monitoring.batch import MAX_BYTES, MAX_ROWS, BatchError
from haitang.monitoring.limits import Limiter
from haitang.monitoring.models import Alarm, AlarmState, Series, Station
from haitang.monitoring.models.readings import Outcome
from haitang.registry.paging import Pages
from haitang.spaces.clock import now
from haitang.spaces.models import Space

router = Router()
limiter = Limiter()

WRITE, READ = "readings:write", "read"
MOST_POINTS = 50_000
STATES = "^(active|acknowledged|cleared|closed)?$"

_TIMES = {
    "description": "ISO 8601 with its offset, or Unix time in seconds (above 1e11: in milliseconds)",
    "oneOf": [{"type": "string"}, {"type": "number"}],
}
_NAME = {"description": "The code of the series, or its number", "oneOf": [{"type": "string"}, {"type": "integer"}]}
_ROW = {
    "type": "object",
    "required": ["series", "time", "value"],
    "properties": {
        "series": _NAME,
        "time": _TIMES,
        "value": {"type": "number"},
        "unit": {"type": "string"},
    },
}
_BODY = {
    "anyOf": [
        {
            "type": "object",
            "description": "Columns of equal length; one time may serve all",
            "required": ["series", "time", "value"],
            "properties": {
                "series": {"type": "array", "items": _NAME},
                "time": {"oneOf": [{"type": "array", "items": _TIMES}, _TIMES]},
                "value": {"type": "array", "items": {"type": "number"}},
                "unit": {"type": "array", "items": {"type": "string"}},
            },
        },
        {
            "type": "object",
            "description": "The same with short names; time in milliseconds",
            "required": ["s", "t", "v"],
            "properties": {
                "s": {"type": "array", "items": _NAME},
                "t": {"oneOf": [{"type": "array", "items": _TIMES}, _TIMES]},
                "v": {"type": "array", "items": {"type": "number"}},
            },
        },
        {"type": "array", "items": _ROW, "maxItems": MAX_ROWS},
    ]
}


class RejectionOut(Schema):
    """One row that was not taken."""

    row: int
    reason: str
    field: str
    value: str
    rule: str
    remedy: str


class ReceiptOut(Schema):
    """What became of a batch: rows that are durable now, and rows refused by reason."""

    accepted: int
    refused: dict[str, int]
    rejections: list[RejectionOut]


class ErrorOut(Schema):
    """Why a request was not served."""

    error: str
    detail: Any


class StationOut(Schema):
    """A station."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    lon: float | None = Field(None, alias="west")
    lat: float | None = Field(None, alias="south")
    place: str | None = Field(None, alias="place.code")
    is_demo: bool


class SeriesOut(Schema):
    """A series with its newest reading in the space of the asker. Its number may stand for its code in readings."""

    number: int
    code: str
    station: str
    quantity: str
    unit: str
    interval_s: int
    datum: str
    time: datetime | None
    value: float | None
    colour: str
    stale: bool


class ReadingsOut(Schema):
    """Readings of one series as columns, oldest first, in the canonical unit."""

    series: str
    unit: str
    time: list[datetime]
    value: list[float]
    truncated: bool


class AlarmOut(Schema):
    """An alarm."""

    id: int
    station: str = Field(alias="station.code")
    series: str = Field(alias="series.code")
    place: str | None = Field(None, alias="place.code")
    kind: str
    state: str
    colour: str
    peak_colour: str
    what_zh: str
    what_en: str
    unit: str
    threshold: float | None
    first_value: float
    peak_value: float
    peak_at: datetime
    opened_at: datetime
    acknowledged_at: datetime | None
    cleared_at: datetime | None
    closed_at: datetime | None


class NoteIn(Schema):
    """A short note."""

    note: str = Field("", max_length=200)


class RemarkIn(Schema):
    """A remark."""

    text: str = Field(min_length=1, max_length=1000)


class ShelveIn(Schema):
    """For how long an alarm leaves the desk, and why."""

    hours: float = Field(ge=0.1, le=24)
    reason: str = Field(min_length=1, max_length=200)


class AssignIn(Schema):
    """The code of the organisation that shall answer."""

    organisation: str = Field(max_length=40)


def _space(request: HttpRequest, right: str = READ) -> Space:
    """The space of the asker; a token must carry the right."""
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and right not in token.rights:
        raise Forbidden(f"This access token lacks the right {right!r}; ask an administrator for one that has it")
    return request.space  # type: ignore[attr-defined,no-any-return]


@router.post(
    "/readings",
    auth=TokenAuth(),
    response={200: ReceiptOut, 400: ErrorOut, 413: ErrorOut, 422: ReceiptOut, 429: ErrorOut},
    summary="Send readings",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}}},
)
def send_readings(request: HttpRequest, response: HttpResponse) -> Status[Any]:
    """Take in a batch. `accepted` readings are durable when the answer arrives; sending one again changes nothing.

    The binary form (docs/monitoring.md) is known by its first bytes, whatever the content type says.

    422 when not one row could be taken. Bad rows are named with field, value, rule and remedy (the first hundred).
    """
    received = timezone.now()
    space = _space(request, WRITE)
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    source = f"http:{token.name}"
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > MAX_BYTES:
        door.count_refusal(space, source, Outcome.BODY_REFUSED)
        detail = f"The body has {length} bytes; send at most {MAX_BYTES} and split larger batches"
        return Status(413, {"error": "too_large", "detail": detail})
    # A reading is some 40 bytes on the wire: good enough to hold back a flood before it is decoded.
    wait = limiter.take(token.pk, max(1.0, len(request.body) / 40), time.monotonic())
    if wait:
        door.count_refusal(space, source, Outcome.RATE_LIMITED)
        response["Retry-After"] = str(int(wait) + 1)
        return Status(429, {"error": "rate_limited", "detail": f"Too much at once; send again after {wait:.1f} s"})
    parcel = door.Parcel(request.body, source, door.by_prefix(token.prefix), received)
    try:
        receipt = door.receive(space, parcel)
    except BatchError as error:
        return Status(400 if error.code == "malformed" else 413, {"error": error.code, "detail": str(error)})
    answer = {
        "accepted": receipt.accepted,
        "refused": {reason.value: number for reason, number in receipt.refused.items()},
        "rejections": list(receipt.rejections),
    }
    return Status(422 if receipt.refused and not receipt.accepted else 200, answer)


@router.get("/stations", response=list[StationOut], summary="Stations")
@paginate(Pages)
def stations(request: HttpRequest, kind: str = "", place: str = "") -> Any:
    """Stations in reach, by kind and by the code of a place they lie in or below."""
    _space(request)
    rows = Station.objects.visible_to(request.user).filter(is_active=True).select_related("place").defer("geometry")
    if kind:
        rows = rows.filter(kind=kind)
    if place:
        rows = rows.filter(place__path__contains=f"{place}/")
    return rows.order_by("code")


@router.get("/series", response=list[SeriesOut], summary="Series with their newest readings")
def series_now(
    request: HttpRequest, station: str = "", quantity: str = "", limit: int = Query(500, ge=1, le=5000)
) -> Any:
    """Series in reach, each with its newest reading and the colour of its open alarms."""
    space = _space(request)
    rows = Series.objects.visible_to(request.user).filter(is_active=True).select_related("station").order_by("code")
    if station:
        rows = rows.filter(station__code=station)
    if quantity:
        rows = rows.filter(quantity=quantity)
    return [
        {
            "number": each.series.pk, "code": each.series.code, "station": each.series.station.code, "quantity": each.series.quantity,
            "unit": each.series.kind.unit, "interval_s": each.series.interval_s, "datum": each.series.datum,
            "time": each.at, "value": each.value, "colour": each.colour, "stale": each.is_stale,
        }
        for each in queries.series_now(space, list(rows[:limit]))
    ]  # fmt: skip


@router.get("/series/{code}/readings", response={200: ReadingsOut, 404: ErrorOut}, summary="Readings of one series")
def readings(
    request: HttpRequest,
    code: str,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = Query(10_000, ge=1, le=MOST_POINTS),
    corrected: bool = False,
) -> Any:
    """Readings in [start, end), oldest first; without `start` the last day. The newest `limit` of them.

    As they came; with `corrected`, as stewards corrected them.
    """
    space = _space(request)
    series = get_object_or_404(Series.objects.visible_to(request.user), code=code)
    until = _aware(end) or now(space) + timedelta(minutes=5)
    since = _aware(start) or until - timedelta(days=1)
    found, value = store.read(space.pk, series.pk, queries.ms(since), queries.ms(until), newest=limit + 1)
    truncated = len(found) > limit
    if corrected:
        changes = corrections.of(space, series.pk, queries.ms(since), queries.ms(until))
        found, value = corrections.applied(changes, found, value)
    return {
        "series": series.code, "unit": series.kind.unit, "time": [at(t) for t in found[-limit:].tolist()],
        "value": value[-limit:].tolist(), "truncated": truncated,
    }  # fmt: skip


def _aware(moment: datetime | None) -> datetime | None:
    return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment


@router.get("/alarms", response=list[AlarmOut], summary="Alarms")
@paginate(Pages)
def alarms(request: HttpRequest, state: str = Query("", pattern=STATES)) -> Any:
    """Alarms in reach, the gravest first."""
    space = _space(request)
    rows = Alarm.objects.visible_to(request.user).filter(space=space).select_related("station", "series", "place")
    return rows.filter(state=AlarmState(state)) if state else rows


@router.get("/alarms/{number}", response={200: AlarmOut, 404: ErrorOut}, summary="One alarm")
def alarm(request: HttpRequest, number: int) -> Alarm:
    """One alarm in reach."""
    return _alarm(request, number)


def _alarm(request: HttpRequest, number: int) -> Alarm:
    rows = Alarm.objects.visible_to(request.user).filter(space=_space(request))
    found: Alarm = get_object_or_404(
        rows.select_related("station", "series", "place"), pk=number if number < 2**63 else -1
    )
    return found


_ACTED = {200: AlarmOut, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut}


@router.post("/alarms/{number}/acknowledge", response=_ACTED, summary="Acknowledge an alarm")
def acknowledge(request: HttpRequest, number: int, body: NoteIn) -> Alarm:
    """Say that somebody deals with it."""
    return services.acknowledge(_alarm(request, number), by=request.user, note=body.note)  # type: ignore[arg-type]


@router.post("/alarms/{number}/comment", response=_ACTED, summary="Add a remark to an alarm")
def comment(request: HttpRequest, number: int, body: RemarkIn) -> Alarm:
    """Add a remark."""
    return services.comment(_alarm(request, number), text=body.text, by=request.user)  # type: ignore[arg-type]


@router.post("/alarms/{number}/shelve", response=_ACTED, summary="Take an alarm off the desk for a while")
def shelve(request: HttpRequest, number: int, body: ShelveIn) -> Alarm:
    """It comes back by itself, or at once when its colour rises."""
    found = _alarm(request, number)
    until = now(found.space) + timedelta(hours=body.hours)
    return services.shelve(found, until=until, reason=body.reason, by=request.user)  # type: ignore[arg-type]


@router.post("/alarms/{number}/unshelve", response=_ACTED, summary="Bring a shelved alarm back")
def unshelve(request: HttpRequest, number: int) -> Alarm:
    """Bring it back to the desk now."""
    return services.unshelve(_alarm(request, number), by=request.user)  # type: ignore[arg-type]


@router.post("/alarms/{number}/assign", response=_ACTED, summary="Assign an alarm")
def assign(request: HttpRequest, number: int, body: AssignIn) -> Alarm:
    """Make an organisation answer for it."""
    found = _alarm(request, number)
    organisation = get_object_or_404(Organisation.objects.visible_to(request.user), code=body.organisation)
    return services.assign(found, organisation=organisation, by=request.user)  # type: ignore[arg-type]


@router.post("/alarms/{number}/close", response=_ACTED, summary="Close a cleared alarm")
def close(request: HttpRequest, number: int, body: NoteIn) -> Alarm:
    """Put it away."""
    return services.close(_alarm(request, number), by=request.user, note=body.note)  # type: ignore[arg-type]
