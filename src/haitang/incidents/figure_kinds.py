"""What is counted in an incident, and when a change of a number is a jump that must be explained. Pure; data in TOML."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("figure_kinds.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureKind:
    """One thing that is counted. `jump_min` and `jump_share`: see `is_jump`; `max` is the largest number that is believed."""

    code: str
    name_zh: str
    name_en: str
    unit_zh: str
    unit_en: str
    jump_min: float
    jump_share: float
    max: float
    group: str = "loss"
    colour: str = ""
    whole: bool = True


class FigureError(ValueError):
    """A number that cannot be taken: `template` and `params` say why and what would mend it."""

    def __init__(self, template: str, **params: object) -> None:
        self.template, self.params = template, params
        super().__init__(template % params)


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogue; this module knows no Django."""
    return text


def read(rows: Iterable[Mapping[str, Any]]) -> dict[str, FigureKind]:
    """Kinds from plain tables; ValueError names table, field and rule."""
    known = {field.name for field in fields(FigureKind)}
    kinds: dict[str, FigureKind] = {}
    for number, row in enumerate(rows, start=1):
        where = f"kind {number} ({row.get('code', '')})"
        unknown = sorted(set(row) - known)
        if unknown:
            raise ValueError(f"{where}: {unknown[0]} is not a field; known are {', '.join(sorted(known))}")
        try:
            kind = FigureKind(**row)
        except TypeError as error:
            raise ValueError(f"{where}: {error}") from error
        if kind.code in kinds:
            raise ValueError(f"{where}: the code stands twice")
        if kind.jump_min < 0 or kind.jump_share < 0 or kind.max <= 0:
            raise ValueError(f"{where}: jump_min, jump_share and max are not negative")
        kinds[kind.code] = kind
    return kinds


@lru_cache(maxsize=1)
def kinds() -> dict[str, FigureKind]:
    """All kinds by code, in the order in which they are shown."""
    return read(tomllib.loads(FILE.read_text(encoding="utf-8"))["kind"])


def kind(code: str) -> FigureKind:
    """One kind; a plain one for a code that is not used any more."""
    found = kinds().get(code)
    return found or FigureKind(
        code=code, name_zh=code, name_en=code, unit_zh="", unit_en="", jump_min=0, jump_share=0, max=math.inf
    )


def check(what: FigureKind, value: float) -> float:
    """The number, if it can be one of this kind; FigureError otherwise."""
    names = {"what_zh": what.name_zh, "what_en": what.name_en, "value": shown(value)}
    if not math.isfinite(value):
        raise FigureError(gettext_noop("The number is not finite: write digits."))
    if value < 0:
        raise FigureError(gettext_noop("%(value)s is negative: a number counted is 0 or more."), **names)
    if value > what.max:
        raise FigureError(gettext_noop("%(value)s is more than is believed (%(most)s): check the digits and the unit."),
                          **names, most=shown(what.max))  # fmt: skip
    if what.whole and value != int(value):
        raise FigureError(gettext_noop("%(value)s is not a whole number, and this is counted in whole ones."), **names)
    return value


def is_jump(what: FigureKind, before: float | None, after: float) -> bool:
    """Whether the change from one number of a place to its next must be explained. A first number is no jump."""
    if before is None:
        return False
    change = abs(after - before)
    return change > 0 and change >= what.jump_min and change >= what.jump_share * before


def shown(value: float) -> str:
    """A number with thousands parted and no needless digits."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")
