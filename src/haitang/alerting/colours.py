"""The four Chinese warning colours and what CAP calls them.

Source: 突发事件应对法 article on four levels; mapping in general use (red Extreme, orange Severe, yellow Moderate, blue Minor).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


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
