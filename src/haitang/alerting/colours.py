"""The four Chinese warning colours and what CAP calls them.

Source: 突发事件应对法 article on four levels; mapping in general use (red Extreme, orange Severe, yellow Moderate, blue Minor).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from haitang.alerting.cap_model import Info


class Colour(StrEnum):
    """A warning's colour; `rank` 1 (blue) to 4 (red)."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"

    @property
    def rank(self) -> int:
        """1 for blue to 4 for red."""
        return _RANK[self]

    @property
    def severity(self) -> str:
        """The CAP severity."""
        return _SEVERITY[self]

    @property
    def zh(self) -> str:
        """One Chinese character."""
        return _ZH[self]

    @property
    def level_zh(self) -> str:
        """The level in Chinese as bulletins print it."""
        return _LEVEL_ZH[self]


# CAP has no colour: it travels in a parameter of this name.
COLOUR_PARAMETER: Final = "ColorCode"
# Where one message holds several colours, every info says all of them: "990000101=ORANGE 990000103=YELLOW".
AREA_COLOURS: Final = "AreaColorCode"
_RANK: Final = {Colour.RED: 4, Colour.ORANGE: 3, Colour.YELLOW: 2, Colour.BLUE: 1}
_SEVERITY: Final = {
    Colour.RED: "Extreme", Colour.ORANGE: "Severe", Colour.YELLOW: "Moderate", Colour.BLUE: "Minor",
}  # fmt: skip
_ZH: Final = {Colour.RED: "红", Colour.ORANGE: "橙", Colour.YELLOW: "黄", Colour.BLUE: "蓝"}
_LEVEL_ZH: Final = {
    Colour.RED: "Ⅰ级/特别严重", Colour.ORANGE: "Ⅱ级/严重", Colour.YELLOW: "Ⅲ级/较重", Colour.BLUE: "Ⅳ级/一般",
}  # fmt: skip
_BY_SEVERITY: Final = {severity: colour for colour, severity in _SEVERITY.items()}
_BY_ZH: Final = {zh: colour for colour, zh in _ZH.items()}
# "升级为", "更新为", "降级为": the colour that counts stands after the word.
_AFTER = re.compile(r"(?:升级|更新|变更|调整|降级|降)?为.*?([红橙黄蓝])色")
_ANY = re.compile(r"([红橙黄蓝])色")


def from_severity(severity: str) -> Colour | None:
    """The colour of a CAP severity; None for Unknown."""
    return _BY_SEVERITY.get(severity)


def parse(text: str) -> Colour | None:
    """Read RED, Red, 红, 红色; None for anything else."""
    word = text.strip()
    return _BY_ZH.get(word.removesuffix("色")) or (Colour(word.lower()) if word.lower() in list(Colour) else None)


def in_headline(headline: str) -> Colour | None:
    """The colour a Chinese headline announces; of "更新 A 为 B" it is B."""
    match = _AFTER.search(headline) or _ANY.search(headline)
    return _BY_ZH[match[1]] if match else None


def changes(headline: str) -> bool:
    """Whether a headline tells of a change from one colour to another."""
    return _AFTER.search(headline) is not None and len(set(_ANY.findall(headline))) > 1


def of_info(info: Info) -> Colour | None:
    """The colour of an info: its parameter, else what its headline announces, else its severity."""
    return (
        parse(info.parameter(COLOUR_PARAMETER) or "")
        or in_headline(info.headline or "")
        or from_severity(info.severity)
    )


def write_areas(levels: Mapping[str, Colour]) -> str:
    """Places with their colours, as one parameter holds them."""
    return " ".join(f"{_plain(name)}={colour.value.upper()}" for name, colour in levels.items())


def _plain(name: str) -> str:
    return re.sub(r"[=\s]", "", name)


def read_areas(text: str) -> dict[str, Colour]:
    """Read what `write_areas` wrote; what is no colour is left out."""
    pairs = (part.rpartition("=") for part in text.split())
    return {name: colour for name, _, word in pairs if name and (colour := parse(word))}
