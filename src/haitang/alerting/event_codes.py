"""The table of event codes in use: data of the district's pack, never a list in code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

# valueName under which the national code travels in a CAP eventCode.
CODE_NAME: Final = "GB/T 35561"


@dataclass(frozen=True, slots=True)
class EventCode:
    """One kind of event: code, names, CAP categories; `hazard` is the platform's own short key (`typhoon`)."""

    code: str
    hazard: str
    name_zh: str
    name_en: str
    categories: tuple[str, ...] = ("Met",)


class EventCodes(Mapping[str, EventCode]):
    """The codes in use, by code."""

    def __init__(self, rows: Iterable[EventCode]) -> None:
        self._rows: dict[str, EventCode] = {}
        for row in rows:
            if row.code in self._rows:
                raise ValueError(f"event code {row.code} stands twice in the table: keep one row")
            self._rows[row.code] = row

    def __getitem__(self, code: str) -> EventCode:
        return self._rows[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def of_hazard(self, hazard: str) -> EventCode | None:
        """The code of a hazard; None where the table has none."""
        return next((row for row in self._rows.values() if row.hazard == hazard), None)
