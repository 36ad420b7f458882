"""The words of a warning: templates filled in, and what each audience will read or hear. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from haitang.alerting.colours import Colour

# What a template may name. Anything else in braces is an error when the template is loaded.
FIELDS: Final = ("sender", "kind", "colour", "level", "area", "time", "until", "hours", "cause")
_FIELD = re.compile(r"\{(\w+)\}")
_EN: Final = {Colour.RED: "red", Colour.ORANGE: "orange", Colour.YELLOW: "yellow", Colour.BLUE: "blue"}
_LEVEL_EN: Final = {Colour.RED: "I", Colour.ORANGE: "II", Colour.YELLOW: "III", Colour.BLUE: "IV"}
# One message of the GSM network holds 70 characters of Chinese; parts of a longer one hold 67 each.
SMS_SINGLE: Final = 70
SMS_PART: Final = 67


@dataclass(frozen=True, slots=True)
class Facts:
    """What the words are about, in one language."""

    sender: str
    kind: str
    colour: Colour
    area: str
    sent: datetime
    expires: datetime
    cause: str = ""


def unknown_fields(text: str) -> list[str]:
    """Names in braces that no template may use."""
    return sorted(set(_FIELD.findall(text)) - set(FIELDS))


def fill(text: str, facts: Facts, *, language: str, zone: tzinfo) -> str:
    """Fill a template. Raises ValueError naming the placeholders it does not know."""
    unknown = unknown_fields(text)
    if unknown:
        raise ValueError(f"unknown placeholder {', '.join(unknown)}: use {', '.join(FIELDS)}")
    english = language.startswith("en")
    hours = (facts.expires - facts.sent).total_seconds() / 3600
    values: Mapping[str, str] = {
        "sender": facts.sender,
        "kind": facts.kind,
        "colour": _EN[facts.colour] if english else facts.colour.zh + "色",
        "level": f"Level {_LEVEL_EN[facts.colour]}" if english else facts.colour.level_zh,
        "area": facts.area,
        "time": moment(facts.sent, language, zone),
        "until": moment(facts.expires, language, zone),
        "hours": f"{hours:.0f}" if hours >= 1 else "1",
        "cause": facts.cause,
    }
    filled = tidy(_FIELD.sub(lambda match: values[match[1]], text))
    # "a {colour}": an orange warning, and nothing else begins with a vowel.
    return re.sub(r"\b([Aa]) (?=orange\b)", r"\1n ", filled) if english else filled


def tidy(text: str) -> str:
    """Without the blanks and doubled stops that an empty placeholder leaves."""
    text = re.sub(r"[ \t]+", " ", text.strip())
    return re.sub(r"([。；，])[。；，]+", r"\1", text).lstrip("。；， ")


def moment(at: datetime, language: str, zone: tzinfo) -> str:
    """A time as bulletins print it."""
    local = at.astimezone(zone)
    if language.startswith("en"):
        return f"{local:%H:%M} on {local.day} {local:%B %Y}"
    return f"{local.year}年{local.month:02d}月{local.day:02d}日{local:%H时%M分}"


def join_names(names: list[str], language: str, limit: int = 6) -> str:
    """Names in a row; a long row is cut and counted."""
    english = language.startswith("en")
    if len(names) <= limit:
        return (", " if english else "、").join(names)
    head = (", " if english else "、").join(names[:limit])
    return f"{head} and {len(names) - limit} more" if english else f"{head}等{len(names)}个乡镇"


@dataclass(frozen=True, slots=True)
class Words:
    """The three texts of a warning in one language."""

    headline: str
    description: str
    instruction: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What one audience will get over one channel; `link` stands in for each recipient's own."""

    audience: str
    channel: str
    text: str
    link: str = ""

    @property
    def said(self) -> str:
        """The text without its link."""
        return self.text.removesuffix(self.link).rstrip() if self.link else self.text

    @property
    def length(self) -> int:
        """Characters, as the GSM network counts them."""
        return len(self.text.encode("utf-16-be")) // 2

    @property
    def parts(self) -> int:
        """How many short messages it takes."""
        return sms_parts(self.text)


def sms_parts(text: str) -> int:
    """How many messages a text takes on the GSM network in UCS-2."""
    units = len(text.encode("utf-16-be")) // 2
    return 1 if units <= SMS_SINGLE else -(-units // SMS_PART)


def marked(text: str, *, exercise: bool, language: str) -> str:
    """The text, marked as an exercise before everything else if it is one."""
    if not exercise:
        return text
    return f"[EXERCISE] {text}" if language.startswith("en") else f"【演练】{text}"


def _unnumbered(text: str) -> str:
    """A list without its numbers, one sentence a line."""
    return re.sub(r"^\s*\d+[.、．]\s*", "", text, flags=re.MULTILINE)


def brief(text: str, most: int = 60) -> str:
    """The first sentences of a text that fit into `most` characters, for a short message that links to the whole."""
    flat = " ".join(_unnumbered(text).split())
    kept = ""
    for sentence in re.findall(r".+?(?:[。；！!;]|\.(?=\s|$)|$)", flat):
        if len(kept) + len(sentence) > most:
            break
        kept += sentence
    return (kept or (flat if len(flat) <= most else f"{flat[: most - 1]}…")).strip()


def loudspeaker(words: Words, *, exercise: bool, language: str = "zh") -> str:
    """What the village loudspeaker says: no signs that a voice cannot speak, said twice."""
    # A numbered list is spoken as sentences, and a bracket as a pause.
    said = _unnumbered(words.instruction).replace("\n", "" if language.startswith("zh") else " ")
    text = re.sub(r"[\[\]【】()（）/]", "，", f"{words.headline}。{said}")
    text = re.sub(r"，+", "，", text).replace("，。", "。").strip("，")
    calling = "Attention please. " if language.startswith("en") else "请注意，"
    again = " Once more. " if language.startswith("en") else "再播送一遍，"
    spoken = f"{calling}{text}{again}{text}"
    if not exercise:
        return spoken
    return f"This is an exercise. {spoken}" if language.startswith("en") else f"以下是演练，{spoken}以上是演练。"
