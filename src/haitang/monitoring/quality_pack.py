"""Limits of the quality tests in a data pack. Section `monitoring.quality`.

`quality.csv`, one row for a quantity or for a series; what a cell leaves empty is taken from the quantity's row, or is
built in (`quality_defaults.py`). Values in the quantity's own unit, times in seconds, rates per hour:

    quantity,series,suspect_low,suspect_high,spike_suspect,spike_fail,rate_suspect,off,source
    tide_level,,-1.0,6.5,,,,,"range of the district's gauges, estimate"
    ,R-XH.level,,,,,,rate|spike,"pumped canal: jumps are real"

- columns: suspect_low suspect_high fail_low fail_high spike_suspect spike_fail rate_suspect rate_fail flat_suspect_s
  flat_fail_s flat_tolerance attenuated_s attenuated_suspect attenuated_fail gap_suspect_s gap_fail_s late_suspect_s
  late_fail_s ahead_suspect_s near_suspect near_fail near_km; only those that are used need stand in the file
- `climatology`: twelve pairs, January first: `1.0:4.2|1.0:4.2|...`
- `off`: tests that are switched off, divided by |: range climatology spike rate flat attenuated gap neighbour clock
- `mutes`: 1 keeps failed readings from the alarm rules
- `source`: where the limits come from
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from haitang.accounts.actors import Actor
from haitang.monitoring import services
from haitang.monitoring.models import Series
from haitang.monitoring.models.quality import NUMBERS
from haitang.monitoring.quantities import QUANTITIES
from haitang.packs import Pack, PackError, Row, section

FILE = "quality.csv"
OPTIONAL = {*NUMBERS, "near_km", "climatology", "off", "mutes", "source", "demo"}


@section("monitoring.quality", after=("monitoring.network",))
def limits(pack: Pack, by: Actor) -> int:
    """What readings are tested against."""
    if not pack.has(FILE):
        return 0
    series = {each.code: each for each in Series.objects.select_related("station")}
    taken = 0
    for row in pack.table(FILE, needed={"quantity", "series"}, optional=OPTIONAL):
        quantity, code = row["quantity"], row["series"]
        if bool(quantity) == bool(code):
            raise row.error("quantity", "a row speaks of a quantity or of a series", "Fill one of the two columns")
        if quantity and quantity not in QUANTITIES:
            raise row.error("quantity", "no such quantity is known", f"Use one of {', '.join(QUANTITIES)}")
        if code and code not in series:
            raise row.error("series", "no such series is known", "Write a code of series.csv")
        fields: dict[str, Any] = {name: row.number(name) for name in (*NUMBERS, "near_km") if name in row}
        fields |= {name: row[name] for name in ("off", "source") if name in row}
        fields |= {to: row.flag(name) for name, to in (("mutes", "mutes"), ("demo", "is_demo")) if name in row}
        fields["climatology"] = _months(row)
        try:
            services.set_quality(by=by, quantity=quantity, series=series.get(code), **fields)
        except ValidationError as error:
            name, faults = next(iter(error.message_dict.items()))
            if name in row:
                raise row.error(name, " ".join(faults)) from error
            raise PackError(row.file, " ".join(faults), row=row.line) from error
        taken += 1
    return taken


def _months(row: Row) -> list[list[float]]:
    pairs = []
    for word in row.words("climatology") if "climatology" in row else ():
        try:
            low, high = (float(part) for part in word.split(":"))
        except ValueError:
            raise row.error(
                "climatology", "is not a pair low:high", "Write twelve pairs like 1.0:4.2|1.0:4.3"
            ) from None
        pairs.append([low, high])
    return pairs
