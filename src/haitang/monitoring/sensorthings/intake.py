"""Observations into the store: by the one door, durable before anybody is told, with what is said of them beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from haitang.accounts.models import ApiToken
from haitang.monitoring import door, edition, store, wire
from haitang.monitoring.batch import Rejection, decode_json
from haitang.monitoring.models import Series, StaAmendment, StaRecord
from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.sensorthings import arrays, ids
from haitang.monitoring.sensorthings.arrays import Rows, Said
from haitang.monitoring.sensorthings.errors import StaError, bad
from haitang.spaces.clock import now
from haitang.spaces.models import Space

_LISTED = 100


@dataclass(frozen=True)
class Stream:
    """What taking in needs to know of a Datastream."""

    code: str
    station: int
    quantity: str
    unit: str
    has_place: bool
    is_marked: bool
    """Whether its station's feature of interest is listed."""


@dataclass
class _Known:
    """Datastreams by number, as of one edition of the network."""

    edition: int = -1
    streams: dict[int, Stream] = field(default_factory=dict)


_known = _Known()


def streams(numbers: set[int]) -> dict[int, Stream]:
    """Datastreams in use, by number. They are kept in memory until the network changes."""
    global _known  # noqa: PLW0603 - one table per process, replaced whole
    current = edition.number()
    if _known.edition != current:
        _known = _Known(current)
    table = _known.streams
    wanted = numbers - table.keys()
    if wanted:
        table.update(_load(wanted))
    return {number: table[number] for number in numbers if number in table}


def remembered(number: int) -> Stream | None:
    """A Datastream that `streams` has just looked up, without asking again."""
    return _known.streams.get(number)


def _load(numbers: set[int]) -> dict[int, Stream]:
    rows = list(
        Series.objects.filter(pk__among=sorted(numbers), is_active=True, station__is_active=True).values_list(
            "pk", "code", "station_id", "quantity", "unit", "station__west"
        )
    )
    stations = {row[2] for row in rows}
    made = dict(
        StaRecord.objects.filter(kind="Thing", station_id__among=sorted(stations)).values_list("station_id", "body")
    )
    return {
        pk: Stream(
            code, station, quantity, unit, west is not None,
            (not made.get(station, {}).get("made") or bool(made[station].get("feature")))
            and made.get(station, {}).get("feature") is not False,
        )
        for pk, code, station, quantity, unit, west in rows
    }  # fmt: skip


def take_in(space: Space, rows: Rows, token: ApiToken, received_at: datetime | None = None) -> list[str | int]:
    """Make observations durable; for each its number, or what is wrong with it."""
    known = streams(set(rows.series))
    allowed = door.by_prefix(token.prefix)
    features = _features(rows)
    faults = dict(rows.faults)
    for number, series in enumerate(rows.series):
        if number in faults:
            continue
        stream, said = known.get(series), rows.said.get(number)
        if stream is None or (allowed is not None and not allowed(stream.code)):
            faults[number] = f"Datastream({series}) does not exist, or this token may not write it"
        elif said is not None and said.feature is not None and not _feature_fits(said.feature, stream, features):
            faults[number] = f"FeatureOfInterest({said.feature}) does not exist"
        elif not stream.has_place and (said is None or said.feature is None):
            faults[number] = "the Thing has no Location: give a FeatureOfInterest, or the Thing a Location"
    good = [number for number in range(len(rows)) if number not in faults]
    columns = np.array(rows.series, np.int64), np.array(rows.time_ms, np.int64), np.array(rows.value, np.float64)
    for begin in range(0, len(good), wire.MAX_ROWS):
        part = np.array(good[begin : begin + wire.MAX_ROWS], np.int64)
        for at, why in _through_the_door(space, [column[part] for column in columns], token, received_at).items():
            faults[int(part[at])] = why
    _mark(known, rows, faults)
    _keep_said(space, rows, faults, known)
    return [
        faults[number] if number in faults else ids.observation(series, rows.time_ms[number])
        for number, series in enumerate(rows.series)
    ]


def _through_the_door(
    space: Space, columns: Sequence[np.ndarray], token: ApiToken, received_at: datetime | None
) -> dict[int, str]:
    body = wire.pack(*columns)
    allowed = door.by_prefix(token.prefix)
    receipt = door.receive(space, door.Parcel(body, f"sta:{token.name}", allowed, received_at))
    refused = sum(receipt.refused.values())
    if refused <= len(receipt.rejections):
        return {each.row: _why(each) for each in receipt.rejections}
    # The door names the first hundred only; the others are found by looking again, a hundred rows at a time.
    catalogue = edition.network().catalogue
    now_ms = round(now(space).astimezone(UTC).timestamp() * 1000)
    faults: dict[int, str] = {}
    for begin in range(0, len(columns[0]), _LISTED):
        part = wire.pack(*(column[begin : begin + _LISTED] for column in columns))
        for each in decode_json(part, catalogue, now_ms, allowed).rejections:
            faults[begin + each.row] = _why(each)
    return faults


def _why(each: Rejection) -> str:
    return f"{each.field} {each.value}: {each.rule}; {each.remedy}"


def _features(rows: Rows) -> set[int]:
    wanted = {said.feature for said in rows.said.values() if said.feature is not None}
    owned = [key for own, key in map(ids.split, wanted) if own]
    found = StaRecord.objects.filter(pk__among=sorted(owned), kind="FeatureOfInterest", is_gone=False)
    return {ids.own(pk) for pk in found.values_list("pk", flat=True)} if owned else set()


def _feature_fits(number: int, stream: Stream, features: set[int]) -> bool:
    return number in features or (number == ids.derived(stream.station) and stream.has_place)


def _mark(known: dict[int, Stream], rows: Rows, faults: dict[int, str]) -> None:
    """Stations that came by SensorThings: the first observation without a feature of its own makes one."""
    fresh = {stream.station for stream in known.values() if not stream.is_marked}
    if not fresh:
        return
    used = {
        known[series].station
        for number, series in enumerate(rows.series)
        if number not in faults and (number not in rows.said or rows.said[number].feature is None)
    } & fresh
    for record in StaRecord.objects.filter(kind="Thing", station_id__among=sorted(used)):
        record.body["feature"] = True
        record.save(update_fields=["body"])
    if used:
        edition.bump()


def _keep_said(space: Space, rows: Rows, faults: dict[int, str], known: dict[int, Stream]) -> None:
    amendments = []
    for number, said in rows.said.items():
        if number in faults:
            continue
        series = rows.series[number]
        own = said.feature if said.feature != ids.derived(known[series].station) else None
        if said.body or own:
            amendments.append(_amendment(space, series, rows.time_ms[number], said, own))
    if amendments:
        StaAmendment.objects.bulk_create(
            amendments, update_conflicts=True, unique_fields=["space", "series", "time_ms"],
            update_fields=["body", "feature", "is_gone"], batch_size=2000,
        )  # fmt: skip


def _amendment(space: Space, series: int, time_ms: int, said: Said, feature: int | None) -> StaAmendment:
    record = ids.split(feature)[1] if feature else None
    return StaAmendment(space=space, series_id=series, time_ms=time_ms, body=said.body, feature_id=record)


def standing(space: Space, series: int, time_ms: int) -> float | None:
    """What the store holds for a series at a time."""
    times, values = store.read(space.pk, series, time_ms, time_ms + 1)
    return float(values[0]) if len(times) else None


def revive(space: Space, rows: Rows) -> bool:
    """An observation that had been deleted and is sent again is there again, as it is said now."""
    series, time_ms = rows.series[0], rows.time_ms[0]
    gone = StaAmendment.objects.filter(space=space, series_id=series, time_ms=time_ms, is_gone=True).first()
    if gone is None:
        return False
    said = rows.said.get(0, Said())
    gone.body, gone.is_gone = {**said.body, "result": rows.value[0]}, False
    gone.save(update_fields=["body", "is_gone"])
    return True


def inward(stream: Stream, value: float) -> float:
    """A value in the unit of the Datastream as the store holds it."""
    scale, offset = QUANTITIES[stream.quantity].factor(stream.unit)
    return value * scale + offset


def single(body: object, series: int, now_ms: int) -> Rows:
    """The columns of one observation for a Datastream; StaError names what is wrong with it."""
    if not isinstance(body, dict):
        raise bad("The body must be an object", "body")
    rows = Rows()
    said: dict[str, Any] = {}
    if body.get("phenomenonTime") is None:
        time_ms = now_ms
    else:
        time_ms, said = arrays.time_of(body["phenomenonTime"])
    if "result" not in body:
        raise bad("result is missing", "result")
    said |= arrays.extras(body)
    feature = body.get("FeatureOfInterest")
    number = None if feature is None else arrays.reference(feature, "FeatureOfInterest")
    rows.add(series, time_ms, arrays.result(body["result"]), Said(said, number) if said or number is not None else None)
    return rows


def observations_from(topic: str, payload: bytes, now_ms: int) -> bytes:
    """An MQTT message on `.../Datastreams(5)/Observations`, `.../Observations` or `.../CreateObservations` as a body for the door.

    Time and value only: what else it says of the observation is left to HTTP. StaError says why it cannot be read.
    """
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise bad(f"The payload is not JSON: {error}", "payload") from None
    *_, before, last = ["", *topic.split("/")]
    if last == "CreateObservations":
        rows = arrays.read_arrays(document)
        if rows.faults:
            raise bad(next(iter(rows.faults.values())), "payload")
    elif last == "Observations" and before.startswith("Datastreams("):
        text = before.removeprefix("Datastreams(").removesuffix(")")
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            raise bad(f"{before!r} names no Datastream", "topic")
        rows = single(document, int(text), now_ms)
    elif last == "Observations" and isinstance(document, dict):
        rows = single(document, arrays.reference(document.get("Datastream"), "Datastream"), now_ms)
    else:
        raise StaError(
            404,
            f"Observations are published to Observations or Datastreams(n)/Observations, not to {last[:60]!r}",
            "topic",
        )
    return wire.pack(np.array(rows.series), np.array(rows.time_ms), np.array(rows.value))


__all__ = ["inward", "observations_from", "remembered", "revive", "single", "standing", "streams", "take_in"]
