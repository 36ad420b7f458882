"""What SensorThings clients may do beside the registers' own verbs: records and amendments, each journalled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from haitang.accounts.actors import Actor, System
from haitang.accounts.verbs import verb
from haitang.journal.services import record
from haitang.monitoring.models import Series, StaAmendment, StaRecord, Station
from haitang.monitoring.services.network import KEEPERS
from haitang.spaces.models import Space


@verb("monitoring.add_sta_record", roles=KEEPERS)
def add_sta_record(
    *,
    kind: str,
    body: Mapping[str, Any],
    by: Actor,
    things: Iterable[int] = (),
    locations: Iterable[int] = (),
    **links: Any,
) -> StaRecord:
    """Keep an entity that came by SensorThings, or what it says of a station or series."""
    operator = None if isinstance(by, System) else by.organisation
    row = StaRecord.objects.create(kind=kind, body=dict(body), operator=operator, **links)
    row.things.set(things)
    row.locations.set(locations)
    _tell(row, "add", by, None)
    return row


@verb("monitoring.change_sta_record", roles=KEEPERS)
def change_sta_record(
    row: StaRecord,
    *,
    by: Actor,
    body: Mapping[str, Any] | None = None,
    things: Iterable[int] | None = None,
    locations: Iterable[int] | None = None,
    **links: Any,
) -> StaRecord:
    """Change what came by SensorThings."""
    before = dict(row.body)
    if body is not None:
        row.body = dict(body)
    for name, value in links.items():
        setattr(row, name, value)
    row.save()
    if things is not None:
        row.things.set(things)
    if locations is not None:
        row.locations.set(locations)
    _tell(row, "change", by, before)
    return row


@verb("monitoring.remove_sta_record", roles=KEEPERS)
def remove_sta_record(row: StaRecord, *, by: Actor) -> None:
    """Put an entity that came by SensorThings out of sight."""
    row.is_gone = True
    row.save(update_fields=["is_gone"])
    row.things.clear()
    _tell(row, "remove", by, dict(row.body))


def _tell(row: StaRecord, what: str, by: Actor, before: Mapping[str, Any] | None) -> None:
    station: Station | None = row.station
    done = {"add": ("登记", "Added"), "change": ("修改", "Changed"), "remove": ("移除", "Removed")}[what]
    name = str(row.body.get("name") or (station.code if station else row.pk))[:80]
    record(
        space=Space.live(), verb=f"monitoring.{what}_sta_record", by=by, subject=row,
        place=station.place if station else None, organisation=station.operator if station else row.operator,
        before=before, after=dict(row.body) if what != "remove" else None,
        text_zh=f"{done[0]} SensorThings {row.kind}：{name}", text_en=f"{done[1]} SensorThings {row.kind} {name}",
    )  # fmt: skip


@verb("monitoring.amend_reading", roles=KEEPERS)
def amend_reading(
    space: Space,
    series: Series,
    time_ms: int,
    *,
    by: Actor,
    body: Mapping[str, Any],
    feature: StaRecord | None = None,
    is_gone: bool = False,
) -> StaAmendment:
    """Say something else of a reading, or hide it, for SensorThings clients. The reading stays as it came."""
    found = StaAmendment.objects.filter(space=space, series=series, time_ms=time_ms).first()
    before = None if found is None else {**found.body, "gone": found.is_gone}
    row = found or StaAmendment(space=space, series=series, time_ms=time_ms)
    row.body, row.feature, row.is_gone = dict(body), feature, is_gone
    row.save()
    record(
        space=space, verb="monitoring.amend_reading", by=by, subject=series, place=series.station.place,
        organisation=series.station.operator, before=before, after={**body, "time_ms": time_ms, "gone": is_gone},
        text_zh=f"{'隐去' if is_gone else '更正'}观测值（SensorThings）：{series.code}",
        text_en=f"{'Hid' if is_gone else 'Amended'} a reading for SensorThings: {series.code}",
    )  # fmt: skip
    return row
