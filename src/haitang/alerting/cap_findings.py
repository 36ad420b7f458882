"""What a validator has to say about a message: where, what, and how to mend it, in two languages."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class Level(StrEnum):
    """How grave a finding is: an error forbids publication, a warning wants a look, advice is good practice."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Layer(StrEnum):
    """Which of the three sieves caught it: the schema's grammar, the standard's prose, a country's profile."""

    SCHEMA = "schema"
    RULE = "rule"
    PROFILE = "profile"
    # Not the validator's: whether people understand the words, and what is valid but probably wrong.
    WORDS = "words"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class Text:
    """What one code means."""

    level: Level
    layer: Layer
    what_zh: str
    what_en: str
    fix_zh: str
    fix_en: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding at one place of one message. `line` is 0 where the message has not been written as XML yet."""

    code: str
    xpath: str
    value: str = ""
    line: int = 0

    @property
    def level(self) -> Level:
        """How grave."""
        return catalogue()[self.code].level

    @property
    def layer(self) -> Layer:
        """Which sieve."""
        return catalogue()[self.code].layer

    def what(self, language: str = "zh") -> str:
        """What is wrong."""
        text = catalogue()[self.code]
        return text.what_en if language.startswith("en") else text.what_zh

    def fix(self, language: str = "zh") -> str:
        """How to mend it."""
        text = catalogue()[self.code]
        return text.fix_en if language.startswith("en") else text.fix_zh

    def as_dict(self) -> dict[str, str | int]:
        """Plain values, for storing and for the API."""
        text = catalogue()[self.code]
        return {
            "code": self.code,
            "level": text.level.value,
            "layer": text.layer.value,
            "xpath": self.xpath,
            "line": self.line,
            "value": self.value[:200],
            "what_zh": text.what_zh,
            "what_en": text.what_en,
            "fix_zh": text.fix_zh,
            "fix_en": text.fix_en,
        }


@cache
def catalogue() -> dict[str, Text]:
    """Every code with its level, layer and words, from `cap_findings.toml`."""
    raw = tomllib.loads(files("haitang.alerting").joinpath("cap_findings.toml").read_text("utf-8"))
    return {
        code: Text(Level(row["level"]), Layer(row["layer"]), *(row[key] for key in ("zh", "en", "fix_zh", "fix_en")))
        for code, row in raw.items()
    }


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that forbid publication."""
    return [finding for finding in findings if finding.level is Level.ERROR]


class CapUnreadable(ValueError):
    """The bytes are no CAP message at all, or one that must not be opened. `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.code}: {finding.what('en')} {finding.value}".strip())
        self.finding = finding


class CapInvalid(ValueError):
    """A message that may not be written, because it would break the schema. `findings` says where."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{f.xpath} {f.code} {f.value}".strip() for f in findings))
        self.findings = findings
