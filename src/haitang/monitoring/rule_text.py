"""Rules as text: TOML that a person reads and writes, to plain fields and back. Pure; knows neither series nor database.

[[rule]]
code = "T-NM.level.warn"
series = "T-NM.level"
name = "南门潮位"
compare = "last"          # last sum max min mean count rate trend baseline
window = "1 h"            # for all but last
minus = "R-NHY.level"     # instead: the difference to another series
outlook = "2 h"           # trend: how far it is carried on; damping = "6 h" lets it fade
danger = "above"          # or below
blue = 4.6                # yellow, orange, red; or silence = "1 h" with silence_colour = "blue"
hysteresis = 0.05
hold = "10 min"           # clear = "20 min", lower = "1 h", latch = true
months = "6-9"            # hours = "22-6"
inhibited_by = "CODE"     # inhibited_at = "orange"
group = "storm"           # source, confidence, demo, draft, name_en

[rule.when]               # instead of thresholds: a compound rule
span = "6 h"
all = [{rule = "A", at = "yellow"}, {quantity = "rain", k = 2, within = "township"}, {not = {rule = "B"}}]
red = {k = 2, of = [...]} # or conditions for single colours

[[rule.test]]             # tried whenever the rule is taken in
readings = [["0:00", 4.5], ["0:10", 4.7]]
expect = [["0:10", "blue"]]
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

COLOURS = ("blue", "yellow", "orange", "red")
COMPARE = ("last", "sum", "max", "min", "mean", "count", "rate", "trend", "baseline")
MOST_CONDITIONS = 60
"""Conditions in one compound rule, and how deep they may stand in each other."""
MOST_DEEP = 6
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class RuleTextError(ValueError):
    """A rule cannot be read: which rule, key, value, what is wrong, what to do."""

    def __init__(self, key: str, value: object, rule: str, remedy: str, code: str = "") -> None:
        self.key, self.value, self.rule, self.remedy, self.code = key, value, rule, remedy, code
        where = f"{code}: {key}" if code else key
        super().__init__(f"{where} ({_short(value)}): {rule}. {remedy}")

    def of(self, code: str) -> RuleTextError:
        """The same, of the rule with this code."""
        return RuleTextError(self.key, self.value, self.rule, self.remedy, code)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def seconds(key: str, value: object) -> int:
    """A duration: "10 min", "1 h", "2 d", "90 s", or whole seconds."""
    found: float | None = None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", value.strip())):
        found = float(match[1]) * _UNITS[match[2]]
    if found is None or not math.isfinite(found) or not 0 <= found <= 366 * 86_400 or found != int(found):
        raise RuleTextError(key, value, "is not a duration", 'Write "10 min", "1 h", "3 d" or whole seconds')
    return int(found)


def duration(value: int) -> str:
    """Seconds as "10 min"."""
    for unit in ("d", "h", "min"):
        if value and value % _UNITS[unit] == 0 and (unit != "d" or value >= 2 * 86_400):
            return f"{value // _UNITS[unit]} {unit}"
    return f"{value} s"


def mask(key: str, text: str) -> int:
    """Months "6-9,12" or hours "22-6" as bits. Hours end before the second figure, months with it; both may wrap."""
    first, size = (1, 12) if key == "months" else (0, 24)
    remedy = 'Write "6-9" or "1,2,12"' if key == "months" else 'Write "22-6" (from 22:00 to 6:00) or "8-18"'
    if not text.strip():
        return (1 << size) - 1
    bits = 0
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,2})(?:\s*-\s*(\d{1,2}))?\s*", part)
        if match is None:
            raise RuleTextError(key, text, "cannot be read", remedy)
        begin, end = int(match[1]), int(match[2] or match[1])
        last = size - 1 + first
        if not first <= begin <= last or not first <= end <= (last if key == "months" else 24):
            raise RuleTextError(key, text, f"lies outside {first} to {last}", remedy)
        span = (end - begin) % size + (1 if key == "months" else 0)
        if key == "hours" and match[2] is None:
            span = 1
        for step in range(span or size):
            bits |= 1 << (begin - first + step) % size
    return bits


# -- reading -------------------------------------------------------------------------------------------------------


def parse(text: str) -> list[dict[str, Any]]:
    """The rules of a TOML text as fields by name; RuleTextError names what cannot be taken."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleTextError("TOML", "", f"cannot be read: {error}", "Mend the text; strings stand in quotes") from error
    extra = sorted(set(table) - {"rule"})
    rules = table.get("rule", [])
    if extra or not isinstance(rules, list) or not all(isinstance(each, dict) for each in rules):
        raise RuleTextError(extra[0] if extra else "rule", "", "stands outside a rule", "Begin each rule with [[rule]]")
    return [from_table(each) for each in rules]


def from_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """One rule's table as fields by name."""
    code = table.get("code", "")
    code = code if isinstance(code, str) else ""
    try:
        return _from_table(table)
    except RuleTextError as error:
        raise error.of(code) from error


def _from_table(table: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(table) - set(_FIELDS) - {"when", "test"})
    if unknown:
        raise RuleTextError(
            unknown[0], table[unknown[0]], "is no key of a rule", f"Known: {', '.join(_FIELDS)}, when, test"
        )
    found = {
        field: read(key, table[key]) if key in table else default for key, (field, read, default) in _FIELDS.items()
    }
    for key in ("code", "series"):
        if not found[key]:
            raise RuleTextError(key, "", "is missing", f'Write {key} = "..."')
    for key in ("months", "hours"):
        mask(key, found[key])
    found["condition"] = _when(table["when"]) if "when" in table else None
    found["tests"] = [_test(number, each) for number, each in enumerate(_list("test", table.get("test", [])), start=1)]
    return found


def _text(most: int) -> Callable[[str, object], str]:
    def read(key: str, value: object) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise RuleTextError(key, value, f"is no text of at most {most} characters", "Put it in quotes, shorter")
        return value.strip()

    return read


def _code(key: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.match(value) or len(value) > 80:
        raise RuleTextError(key, value, "is no code", "Use letters, digits, dot, dash and underscore")
    return value


def _number(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise RuleTextError(key, value, "is not a number", "Write digits with a point, without a unit")
    return float(value)


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise RuleTextError(key, value, "is neither true nor false", "Write true or false, without quotes")
    return value


def _one_of(*choices: str) -> Callable[[str, object], str]:
    def read(key: str, value: object) -> str:
        if value not in choices:
            raise RuleTextError(key, value, "is not known", f"Use one of {', '.join(choices)}")
        return str(value)

    return read


def _danger(key: str, value: object) -> str:
    return "falling" if _one_of("above", "below")(key, value) == "below" else "rising"


# TOML key: (field of the model, how it is read, what it is when left out).
_FIELDS: dict[str, tuple[str, Callable[[str, Any], Any], Any]] = {
    "code": ("code", _code, ""),
    "series": ("series", _code, ""),
    "name": ("name_zh", _text(80), ""),
    "name_en": ("name_en", _text(120), ""),
    "compare": ("aggregate", _one_of(*COMPARE), "last"),
    "window": ("window_s", seconds, 0),
    "minus": ("minus", _code, ""),
    "outlook": ("lead_s", seconds, 0),
    "damping": ("damping_s", seconds, 0),
    "danger": ("direction", _danger, "rising"),
    **{colour: (colour, _number, None) for colour in COLOURS},
    "hysteresis": ("hysteresis", _number, 0.0),
    "hold": ("hold_s", seconds, 0),
    "clear": ("clear_s", seconds, 0),
    "lower": ("lower_s", seconds, 0),
    "latch": ("latch", _flag, False),
    "silence": ("silence_s", seconds, 0),
    "silence_colour": ("silence_colour", _one_of(*COLOURS), "blue"),
    "months": ("months", _text(40), ""),
    "hours": ("hours", _text(40), ""),
    "inhibited_by": ("inhibited_by", _code, ""),
    "inhibited_at": ("inhibited_at", _one_of(*COLOURS), "blue"),
    "group": ("group_key", _text(40), ""),
    "source": ("source", _text(500), ""),
    "confidence": ("confidence", _text(60), ""),
    "demo": ("is_demo", _flag, False),
    "draft": ("is_draft", _flag, False),
}


def _list(key: str, value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > 200:
        raise RuleTextError(key, value, "is no list", "Write [ ... , ... ]")
    return value


def _when(value: object) -> dict[str, Any]:
    """What a compound rule waits for: {"span_s", and "node" (for each colour the same) or "colours"}."""
    if not isinstance(value, dict):
        raise RuleTextError("when", value, "is no table", "Write [rule.when] and the conditions below it")
    span = seconds("when.span", value.get("span", 0))
    by_colour = {colour: value[colour] for colour in COLOURS if colour in value}
    rest = {key: each for key, each in value.items() if key != "span" and key not in by_colour}
    if bool(rest) == bool(by_colour):
        raise RuleTextError(
            "when", sorted(value), "needs conditions, for all colours together or for single ones",
            "Write all = [...] or any = [...], or red = {all = [...]}",
        )  # fmt: skip
    budget = iter(range(MOST_CONDITIONS))
    if rest:
        return {"span_s": span, "node": node("when", rest, budget)}
    return {"span_s": span, "colours": {c: node(f"when.{c}", each, budget) for c, each in by_colour.items()}}


def node(key: str, value: object, budget: Iterator[int] | None = None, deep: int = 0) -> dict[str, Any]:
    """One condition, checked."""
    budget = iter(range(MOST_CONDITIONS)) if budget is None else budget
    if not isinstance(value, dict) or deep > MOST_DEEP or next(budget, None) is None:
        rule = "is no condition" if not isinstance(value, dict) else "has too many conditions in it"
        raise RuleTextError(key, value, rule, f"Use at most {MOST_CONDITIONS} conditions, {MOST_DEEP} deep")
    for word in ("all", "any"):
        if set(value) == {word}:
            below = [node(f"{key}.{word}", each, budget, deep + 1) for each in _list(f"{key}.{word}", value[word])]
            return {word: _some(f"{key}.{word}", below)}
    if set(value) == {"not"}:
        return {"not": node(f"{key}.not", value["not"], budget, deep + 1)}
    if set(value) == {"k", "of"}:
        below = [node(f"{key}.of", each, budget, deep + 1) for each in _list(f"{key}.of", value["of"])]
        return {"k": _count(f"{key}.k", value["k"], len(below)), "of": _some(f"{key}.of", below)}
    if "rule" in value and set(value) <= {"rule", "at"}:
        return {"rule": _code(f"{key}.rule", value["rule"]), **_at(key, value)}
    if "quantity" in value and set(value) <= {"quantity", "kind", "place", "k", "within", "at"}:
        return _selection(key, value)
    raise RuleTextError(
        key, sorted(value), "is no condition",
        "Use {rule = ...}, {quantity = ..., k = 2, within = ...}, {all = [...]}, {any = [...]}, {k = 2, of = [...]}, {not = {...}}",
    )  # fmt: skip


def _selection(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"quantity": _code(f"{key}.quantity", value["quantity"])}
    found |= {part: _code(f"{key}.{part}", value[part]) for part in ("kind", "place") if part in value}
    found["k"] = _count(f"{key}.k", value.get("k", 1), 1000)
    if "within" in value:
        within = value["within"]
        far = within.removesuffix("km").strip() if isinstance(within, str) and within.endswith("km") else ""
        if within not in ("district", "township") and not (re.fullmatch(r"\d+(\.\d+)?", far) and 0 < float(far) <= 500):
            raise RuleTextError(f"{key}.within", within, "is not known", 'Write "district", "township" or "5 km"')
        found["within"] = f"{float(far):g} km" if far else within
    return {**found, **_at(key, value)}


def _at(key: str, value: Mapping[str, Any]) -> dict[str, str]:
    return {"at": _one_of(*COLOURS)(f"{key}.at", value["at"])} if "at" in value else {}


def _some(key: str, below: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not below:
        raise RuleTextError(key, below, "is empty", "Name at least one condition")
    return below


def _count(key: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise RuleTextError(key, value, f"is no whole number from 1 to {most}", "Say how many must hold")
    return value


def minutes(key: str, value: object) -> float:
    """A time of a test: "1:30" (hours and minutes) or minutes."""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,4}):([0-5]\d)", value)):
        return int(match[1]) * 60.0 + int(match[2])
    return _number(key, value)


def _test(number: int, value: object) -> dict[str, Any]:
    key = f"test {number}"
    if not isinstance(value, dict) or not {"readings", "expect"} <= set(value) <= {
        "name",
        "readings",
        "expect",
        "start",
    }:
        raise RuleTextError(key, value, "is no test", "Give readings and expect, and perhaps name and start")
    given = value["readings"]
    readings = given if isinstance(given, dict) else {"": given}
    for code, rows in readings.items():
        for row in _list(f"{key}.readings", rows):
            if not isinstance(row, list) or len(row) != 2:
                raise RuleTextError(f"{key}.readings {code}", row, "is no reading", 'Write ["0:10", 4.7]')
            minutes(f"{key}.readings", row[0])
            _number(f"{key}.readings", row[1])
    for row in _list(f"{key}.expect", value["expect"]):
        if not isinstance(row, list) or len(row) != 2:
            raise RuleTextError(f"{key}.expect", row, "is no change of colour", 'Write ["0:10", "blue"]')
        minutes(f"{key}.expect", row[0])
        _one_of(*COLOURS, "none")(f"{key}.expect", row[1])
    start = value.get("start", "")
    return {
        "name": _text(80)(f"{key}.name", value.get("name", "")), "readings": given, "expect": value["expect"],
        **({"start": _text(40)(f"{key}.start", start)} if start else {}),
    }  # fmt: skip


# -- writing -------------------------------------------------------------------------------------------------------


def dump(rules: Sequence[Mapping[str, Any]]) -> str:
    """Fields by name as TOML; `parse` gives them back."""
    return "\n".join(_rule(each) for each in rules)


def _rule(fields: Mapping[str, Any]) -> str:
    lines = ["[[rule]]"]
    for key, (field, read, default) in _FIELDS.items():
        value = fields.get(field, default)
        if value == default or value is None:
            continue
        if read is seconds:
            value = duration(int(value))
        elif read is _danger:
            value = "below"
        lines.append(f"{key} = {_value(value)}")
    if fields.get("condition"):
        condition = fields["condition"]
        lines += ["", "[rule.when]"]
        if condition.get("span_s"):
            lines.append(f"span = {_value(duration(condition['span_s']))}")
        below = condition.get("node") or condition["colours"]
        lines += [f"{key} = {_value(each)}" for key, each in below.items()]
    for test in fields.get("tests") or []:
        lines += ["", "[[rule.test]]"]
        lines += [f"{key} = {_value(each)}" for key, each in test.items() if each != ""]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    # JSON's escapes are TOML's, but for the slash and for what lies beyond the first plane, which stays as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
