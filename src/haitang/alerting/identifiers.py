"""Identifiers of warnings in China: `ZZZZZZDDDUUUXX_YYYYMMDDhhmmss_N`.

ZZZZZZ region (GB/T 2260), DDD agency (GB/T 4657), UUU unit in the agency, XX extension, time of entry in Beijing time,
N serial 0-9 within the same unit and second. Published identifiers often lack `_N` and use an eleven-digit unit code;
both are read. Source: GB/T 35965.1-2018 as quoted by the published rules on field values; observed feeds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from haitang.alerting.cap_values import BEIJING

_FORM = re.compile(r"(\d{6})(\d{3})(\d{2,3})(\d{2,3})?_(\d{14})(?:_(\d))?", re.ASCII)
_UNIT = re.compile(r"\d{14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CnIdentifier:
    """The parts of an identifier; `serial` None where the message gave none."""

    unit: str
    entered: datetime
    serial: int | None

    @property
    def region(self) -> str:
        """GB/T 2260 code of the region."""
        return self.unit[:6]

    @property
    def agency(self) -> str:
        """GB/T 4657 code of the agency, three digits."""
        return self.unit[6:9]

    @property
    def is_full(self) -> bool:
        """True for the full form with a fourteen-digit unit and a serial."""
        return len(self.unit) == 14 and self.serial is not None

    def __str__(self) -> str:
        stem = f"{self.unit}_{self.entered.astimezone(BEIJING):%Y%m%d%H%M%S}"
        return stem if self.serial is None else f"{stem}_{self.serial}"


def parse(text: str) -> CnIdentifier | None:
    """Read an identifier in the full or a shortened form; None where it is neither."""
    match = _FORM.fullmatch(text)
    if match is None or len(text.partition("_")[0]) not in (11, 14):
        return None
    try:
        entered = datetime.strptime(match[5], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return CnIdentifier(text.partition("_")[0], entered, int(match[6]) if match[6] else None)


def make(unit: str, entered: datetime, serial: int) -> str:
    """The identifier of a message entered by a unit (14 digits) at an aware time; `serial` 0 to 9."""
    if not _UNIT.fullmatch(unit):
        raise ValueError(
            f"the issuing unit's code is 14 digits (region 6, agency 3, unit 3, extension 2), got {unit!r}"
        )
    if not 0 <= serial <= 9:
        raise ValueError(f"at most ten messages per unit and second (serial 0 to 9), got {serial}")
    return str(CnIdentifier(unit, entered, serial))


def next_free(unit: str, entered: datetime, taken: set[str]) -> str:
    """The first identifier of this unit and second that is not taken; ValueError when all ten are."""
    for serial in range(10):
        identifier = make(unit, entered, serial)
        if identifier not in taken:
            return identifier
    raise ValueError(f"ten messages of unit {unit} in one second already; try again in a second")
