"""Corrected readings: made of the raw ones and of what stewards said about stretches of them, whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from haitang.monitoring import store
from haitang.monitoring.models import Correction, CorrectionKind
from haitang.monitoring.rules import Floats, Ints
from haitang.spaces.models import Space


def of(space: Space, series_id: int, start_ms: int, end_ms: int) -> list[Correction]:
    """The corrections in force that touch a span, the oldest first."""
    rows = Correction.objects.filter(space=space, series_id=series_id, withdrawn_at=None).order_by("made_at", "pk")
    return [row for row in rows.select_related("made_by") if ms(row.end) >= start_ms and ms(row.start) < end_ms]


def ms(moment: object) -> int:
    """An aware time as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)  # type: ignore[attr-defined]


def applied(corrections: Iterable[Correction], time: Ints, value: Floats) -> tuple[Ints, Floats]:
    """Readings as corrected: each correction after the one before; what was taken out of use is left out."""
    value, used = value.copy(), np.ones(len(time), np.bool_)
    for each in corrections:
        inside = (time >= ms(each.start)) & (time <= ms(each.end))
        if each.kind == CorrectionKind.OFFSET:
            value[inside] += each.value or 0.0
        elif each.kind == CorrectionKind.REPLACE:
            value[inside] = each.value if each.value is not None else np.nan
        else:
            used &= ~inside
    return time[used], value[used]


def read(space: Space, series_id: int, start_ms: int, end_ms: int) -> tuple[Ints, Floats]:
    """Readings of one series in [start_ms, end_ms) as corrected. `store.read` gives them raw."""
    time, value = store.read(space.pk, series_id, start_ms, end_ms)
    found = of(space, series_id, start_ms, end_ms)
    return applied(found, time, value) if found else (time, value)
