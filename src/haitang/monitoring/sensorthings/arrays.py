"""Observations as they come: single ones and data arrays to columns, and data arrays out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from haitang.monitoring.sensorthings import moments
from haitang.monitoring.sensorthings.errors import StaError, bad

MOST_ROWS = 50_000
MOST_LEVELS, MOST_BYTES = 40, 64_000
"""Of one JSON property: properties, parameters, a location."""
EXTRAS = ("resultTime", "resultQuality", "validTime", "parameters")
COMPONENTS = ("phenomenonTime", "result", *EXTRAS, "FeatureOfInterest/id", "FeatureOfInterest/@iot.id")
OUT = ("id", "phenomenonTime", "result", *EXTRAS)


@dataclass(slots=True)
class Said:
    """What is said of one observation beside series, time and value."""

    body: dict[str, Any] = field(default_factory=dict)
    feature: int | None = None


@dataclass
class Rows:
    """Observations on their way to the door, in order: columns, what is said of some, and why others cannot be taken."""

    series: list[int] = field(default_factory=list)
    time_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    said: dict[int, Said] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.series)

    def add(self, series: int, time_ms: int, value: float, said: Said | None = None, fault: str = "") -> None:
        """Append one."""
        if said is not None:
            self.said[len(self.series)] = said
        if fault:
            self.faults[len(self.series)] = fault
        self.series.append(series)
        self.time_ms.append(time_ms)
        self.value.append(value)


def result(value: object) -> float:
    """A result as a number; StaError for what a series cannot hold."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.inf
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            raise bad(f"result is {value[:40]!r}; a Datastream here holds numbers (OM_Measurement)", "result") from None
    else:
        raise bad("result must be a number: a Datastream here holds measurements", "result")
    if not math.isfinite(number):
        raise bad("result must be a finite number; leave the observation out if nothing was measured", "result")
    return number


def time_of(value: object) -> tuple[int, dict[str, Any]]:
    """The time a reading is kept under (the end of an interval), and what is said beside it."""
    if not isinstance(value, str):
        raise bad(
            "phenomenonTime must be a time such as 2024-09-15T08:00:00+08:00, or an interval start/end",
            "phenomenonTime",
        )
    try:
        found = moments.span(value)
    except (ValueError, OverflowError):
        raise bad(
            f"phenomenonTime is {value[:60]!r}; write a time such as 2024-09-15T08:00:00+08:00", "phenomenonTime"
        ) from None
    return found.end, {} if found.is_instant else {"phenomenonTime": moments.told(found)}


def extras(body: Mapping[str, Any]) -> dict[str, Any]:
    """What an observation says beside its time and result, checked."""
    told = {name: body[name] for name in EXTRAS if body.get(name) is not None}
    for name in ("resultTime", "validTime"):
        if name in told:
            try:
                told[name] = moments.told(moments.span(told[name]))
            except (ValueError, TypeError, OverflowError):
                raise bad(
                    f"{name} is {str(told[name])[:60]!r}; write a time such as 2024-09-15T08:00:00+08:00", name
                ) from None
    for name in ("resultQuality", "parameters"):
        modest(told.get(name), name)
    if not isinstance(told.get("parameters", {}), dict):
        raise bad("parameters must be an object", "parameters")
    return told


def modest(value: object, part: str) -> None:
    """Refuse JSON that nobody could write out again: nested too deep, or too long."""
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            break
    else:
        raise bad(f"{part} is nested deeper than {MOST_LEVELS}", part)
    if len(orjson.dumps(value)) > MOST_BYTES:
        raise StaError(413, f"{part} has more than {MOST_BYTES} bytes", part)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def reference(given: object, part: str) -> int:
    """The number in {"@iot.id": 5}."""
    if isinstance(given, Mapping):
        given = given.get("@iot.id", given.get("id"))
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 2**63:
        return given
    raise bad(f'{part} must be {{"@iot.id": a whole number}}', part)


def read_arrays(document: object) -> Rows:
    """Read the body of CreateObservations; a row that cannot be read has a fault, the others go on."""
    if not isinstance(document, list):
        raise bad("CreateObservations takes a list of {Datastream, components, dataArray}", "body")
    rows = Rows()
    for number, block in enumerate(document):
        part = f"body[{number}]"
        if not isinstance(block, dict) or not isinstance(block.get("dataArray"), list):
            raise bad(f"{part} has no dataArray", part)
        if "MultiDatastream" in block:
            raise StaError(501, "MultiDatastreams are not served", part)
        series = reference(block.get("Datastream"), f"{part}.Datastream")
        _read_block(rows, series, block.get("components"), block["dataArray"], part)
    return rows


def _read_block(rows: Rows, series: int, names: object, array: Sequence[Any], part: str) -> None:
    if not isinstance(names, list) or any(name not in COMPONENTS for name in names):
        raise bad(f"{part}.components may hold {', '.join(COMPONENTS)}", f"{part}.components")
    if "phenomenonTime" not in names or "result" not in names or len(set(names)) != len(names):
        raise bad(f"{part}.components must hold phenomenonTime and result, each name once", f"{part}.components")
    if len(rows) + len(array) > MOST_ROWS:
        raise StaError(413, f"More than {MOST_ROWS} observations; split them", part)
    if names == ["phenomenonTime", "result"]:
        _read_plain(rows, series, array)
        return
    for row in array:
        try:
            if not isinstance(row, list) or len(row) != len(names):
                raise bad(f"A row has one entry for each of {', '.join(names)}", part)
            _read_row(rows, series, dict(zip(names, row, strict=True)))
        except StaError as error:
            rows.add(series, 0, 0.0, fault=error.message)


def _read_plain(rows: Rows, series: int, array: Sequence[Any]) -> None:
    """The common case, without a dictionary for each row."""
    instant = moments.instant_ms
    for row in array:
        try:
            when, value = row
            if (type(value) is float and math.isfinite(value)) or type(value) is int:
                rows.add(series, instant(when), float(value))
                continue
            _read_row(rows, series, {"phenomenonTime": when, "result": value})
        except StaError as error:
            rows.add(series, 0, 0.0, fault=error.message)
        except (ValueError, TypeError, OverflowError):
            try:
                when, value = row
                _read_row(rows, series, {"phenomenonTime": when, "result": value})
            except StaError as error:
                rows.add(series, 0, 0.0, fault=error.message)
            except (ValueError, TypeError):
                rows.add(series, 0, 0.0, fault="A row has one entry for each of phenomenonTime, result")


def _read_row(rows: Rows, series: int, given: Mapping[str, Any]) -> None:
    time_ms, said = time_of(given.get("phenomenonTime"))
    value = result(given.get("result"))
    said |= extras(given)
    feature = given.get("FeatureOfInterest/id", given.get("FeatureOfInterest/@iot.id"))
    number = None if feature is None else reference(feature, "FeatureOfInterest/id")
    rows.add(series, time_ms, value, Said(said, number) if said or number is not None else None)


def written(
    groups: Mapping[int, Sequence[tuple[int, Mapping[str, Any]]]], root: str, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Observations (number, properties) by Datastream, as data arrays."""
    return [
        {
            "Datastream@iot.navigationLink": f"{root}/Datastreams({series})",
            "components": list(names),
            "dataArray@iot.count": len(rows),
            "dataArray": [[number if name == "id" else row.get(name) for name in names] for number, row in rows],
        }
        for series, rows in groups.items()
    ]  # fmt: skip
