"""The one door: whatever way readings come in (HTTP, MQTT, a file, a replay), they pass here.

Decode and check; write to the log (durable from here on); evaluate. What comes back says how many rows are safe and
why the others are not. Safe does not mean judged: if evaluation fails, the log still holds the readings and the next
step judges them.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from django.utils import timezone

from haitang.accounts.verbs import Refused
from haitang.monitoring import counts, edition, gate, intake
from haitang.monitoring.batch import (
    Allowed,
    Batch,
    BatchError,
    Columns,
    Lot,
    Prefix,
    Reason,
    Rejection,
    decode,
    decode_all,
    decode_csv,
    decode_lots,
)
from haitang.spaces.clock import now
from haitang.spaces.models import Space

_flood = threading.Lock()
_turned_away: defaultdict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
_turned_away_at: dict[int, float] = {}


@dataclass(frozen=True)
class Receipt:
    """What the door says: rows made durable, rows refused by reason, and the first hundred refusals in detail."""

    accepted: int
    refused: Mapping[Reason, int] = field(default_factory=dict)
    rejections: Sequence[Rejection] = ()


@dataclass(frozen=True)
class Parcel:
    """One body as it arrived, and who sent it. `allowed` says which series codes it may write; None means all."""

    body: bytes
    source: str
    allowed: Allowed | None = None
    received_at: datetime | None = None
    form: str = "json"


def receive(space: Space, parcel: Parcel) -> Receipt:
    """Take one body in; raises BatchError when it cannot be read at all, Refused when the space is closed."""
    return receive_all(space, [parcel], strict=True)[0]


def receive_all(space: Space, parcels: Sequence[Parcel], *, strict: bool = False) -> list[Receipt]:
    """Take several bodies in with one commit. Unless `strict`, one that cannot be read is counted and passed over."""
    if not space.is_open:
        raise Refused("This exercise is closed; it takes no readings any more")
    network = edition.network()
    moment = now(space)
    now_ms = round(moment.astimezone(UTC).timestamp() * 1000)
    receipts: list[Receipt] = []
    together: defaultdict[tuple[str, datetime], list[Batch]] = defaultdict(list)
    tally = _not_counted_yet(space)
    arrived = timezone.now()
    for parcel, batch in zip(parcels, _decode(parcels, network, now_ms), strict=True):
        if isinstance(batch, BatchError):
            tally[parcel.source, "body_refused"] += 1
            if strict:
                counts.add(space, tally)
                raise batch
            receipts.append(Receipt(0, {Reason.MALFORMED: 1}))
            continue
        for reason, number in batch.refused.items():
            tally[parcel.source, reason.value] += number
        if len(batch):
            together[parcel.source, parcel.received_at or arrived].append(batch)
        receipts.append(Receipt(len(batch), batch.refused, batch.rejections))
    if together or tally:
        gate.enter(space, [_group(source, at, found, network) for (source, at), found in together.items()], tally)
    return receipts


def receive_columns(space: Space, columns: Columns, source: str, allowed: Allowed | None = None) -> Receipt:
    """Take in columns that were read some other way (a file, another system's answer)."""
    if not space.is_open:
        raise Refused("This exercise is closed; it takes no readings any more")
    network = edition.network()
    batch = decode(columns, network.catalogue, round(now(space).astimezone(UTC).timestamp() * 1000), allowed)
    tally = _not_counted_yet(space)
    for reason, number in batch.refused.items():
        tally[source, reason.value] += number
    groups = [_group(source, timezone.now(), [batch], network)] if len(batch) else []
    if groups or tally:
        gate.enter(space, groups, tally)
    return Receipt(len(batch), batch.refused, batch.rejections)


@dataclass(frozen=True)
class Sack:
    """Many bodies of one sender, for `receive_sacks`."""

    bodies: Sequence[bytes]
    source: str
    allowed: Allowed | None = None
    received_at: datetime | None = None


def receive_sacks(space: Space, sacks: Sequence[Sack]) -> list[Lot]:
    """Take in what many small messages brought, with one commit and without a receipt for each.

    What comes back says of each sack which bodies could not be read and which were not taken whole.
    """
    if not space.is_open:
        raise Refused("This exercise is closed; it takes no readings any more")
    network = edition.network()
    now_ms = round(now(space).astimezone(UTC).timestamp() * 1000)
    lots = decode_lots([(sack.bodies, sack.allowed) for sack in sacks], network.catalogue, now_ms)
    tally = _not_counted_yet(space)
    together: defaultdict[tuple[str, datetime], list[Lot]] = defaultdict(list)
    arrived = timezone.now()
    for sack, lot in zip(sacks, lots, strict=True):
        if lot.unreadable:
            tally[sack.source, "body_refused"] += len(lot.unreadable)
        for reason, number in lot.refused.items():
            tally[sack.source, reason.value] += number
        if len(lot):
            together[sack.source, sack.received_at or arrived].append(lot)
    if together or tally:
        gate.enter(space, [_group(source, at, found, network) for (source, at), found in together.items()], tally)
    return lots


def _group(source: str, at: datetime, batches: Sequence[Batch | Lot], network: edition.Network) -> intake.Group:
    """What one sender sent at one time, in one piece."""
    return intake.Group(
        source, at, network.ids[np.concatenate([each.series for each in batches])],
        np.concatenate([each.time_ms for each in batches]), np.concatenate([each.value for each in batches]),
    )  # fmt: skip


def count_refusal(space: Space, source: str, outcome: str) -> None:
    """Count a body that was refused before it was read. A flood of them costs one statement a second, not one each."""
    with _flood:
        _turned_away[space.pk][source, outcome] += 1
        moment = time.monotonic()
        if moment - _turned_away_at.get(space.pk, -math.inf) < 1.0:
            return  # the next body, refused or taken, carries it along
        _turned_away_at[space.pk] = moment
    counts.add(space, _not_counted_yet(space))


def _not_counted_yet(space: Space) -> Counter[tuple[str, str]]:
    with _flood:
        return _turned_away.pop(space.pk, Counter())


def by_prefix(prefix: str) -> Allowed | None:
    """May write the series whose codes begin so; an empty prefix allows all."""
    return Prefix(prefix) if prefix else None


def _decode(parcels: Sequence[Parcel], network: edition.Network, now_ms: int) -> list[Batch | BatchError]:
    if all(parcel.form == "json" for parcel in parcels):
        return decode_all([(parcel.body, parcel.allowed) for parcel in parcels], network.catalogue, now_ms)
    return [_decode_file(parcel, network, now_ms) for parcel in parcels]


def _decode_file(parcel: Parcel, network: edition.Network, now_ms: int) -> Batch | BatchError:
    try:
        return decode_csv(parcel.body.decode("utf-8-sig"), network.catalogue, now_ms, parcel.allowed)
    except UnicodeDecodeError as error:
        return BatchError("malformed", f"The file is not UTF-8: {error}; save it as CSV UTF-8")
    except BatchError as error:
        return error
