"""When a level of a plan is met: a small readable expression over the warnings in force, read and weighed here. Pure.

    typhoon >= orange or rainstorm = red
    (typhoon >= yellow and storm_surge >= blue) or any >= red
    rainstorm >= orange in 310151101
    typhoon >= yellow in 3 townships

Nothing is evaluated as code: the text becomes a tree of `Comparison`, `And` and `Or`. Colours compare blue < yellow < orange < red.
A test without a place looks at the gravest warning of the hazard that touches the plan's place; where none is in force no
test holds, so a condition never holds in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

COLOURS: Final = ("blue", "yellow", "orange", "red")
RANK: Final = {colour: rank for rank, colour in enumerate(COLOURS, start=1)}
ANY: Final = "any"
LONGEST: Final = 500
MOST_TESTS: Final = 24
DEEPEST: Final = 20

_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "=": lambda found, wanted: found == wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
}
_WORD = re.compile(r"\s*(?:(?P<op><=|>=|==|=|<|>)|(?P<bracket>[()])|(?P<word>[A-Za-z0-9_][A-Za-z0-9_.-]*))")
_RESERVED = frozenset({"and", "or", "in", "townships", "township"})


class ConditionError(ValueError):
    """A condition that cannot be read: where, why, how to mend it. `template` and `params` can be translated."""

    def __init__(self, template: str, position: int = 0, **params: object) -> None:
        self.template, self.params, self.position = template, params, position
        super().__init__(template % params)


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogue; this module knows no Django."""
    return text


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: hazard, operator, colour; at a place (its code) or in at least so many townships."""

    hazard: str
    operator: str
    colour: str
    place: str = ""
    townships: int = 0

    def meets(self, rank: int) -> bool:
        """Whether a colour of this rank (0: no warning) meets the comparison."""
        return rank > 0 and _COMPARE[self.operator](rank, RANK[self.colour])


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple[Node, ...]


Node = Comparison | And | Or


@dataclass(frozen=True, slots=True)
class Signal:
    """One warning in force: hazard, colour, and the paths of the places it is for ("310151/310151101/")."""

    hazard: str
    colour: str
    places: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plan stands on: the path of its place, the paths of the townships there, and places' paths by code."""

    path: str
    townships: tuple[str, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)


def touches(one: str, other: str) -> bool:
    """Whether two places (paths) overlap: one is the other, or lies inside it."""
    return one.startswith(other) or other.startswith(one)


# -- reading ----------------------------------------------------------------------------------------------------


@dataclass
class _Reader:
    text: str
    words: list[tuple[str, str, int]]
    next: int = 0
    tests: int = 0
    depth: int = 0

    def peek(self) -> tuple[str, str, int]:
        return self.words[self.next] if self.next < len(self.words) else ("end", "", len(self.text))

    def take(self) -> tuple[str, str, int]:
        word = self.peek()
        self.next += 1
        return word

    def is_word(self, *words: str) -> bool:
        kind, text, _at = self.peek()
        return kind == "word" and text.lower() in words


def parse(text: str) -> Node:
    """Read a condition. Raises ConditionError with the position of the fault."""
    if len(text) > LONGEST:
        raise ConditionError(gettext_noop("The condition has %(n)s characters, at most %(most)s are read: shorten it."),
                             n=len(text), most=LONGEST)  # fmt: skip
    reader = _Reader(text, list(_words(text)))
    if not reader.words:
        raise ConditionError(gettext_noop("The condition is empty: write one such as “typhoon >= orange”."))
    node = _either(reader)
    kind, word, at = reader.peek()
    if kind != "end":
        raise _unexpected(word, at, gettext_noop("“and”, “or” or the end"))
    return node


def _words(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while text[at:].strip():
        found = _WORD.match(text, at)
        if found is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise ConditionError(
                gettext_noop("“%(sign)s” at position %(at)s means nothing here: use names, colours, = < > and brackets."),
                start, sign=text[start], at=start + 1,
            )  # fmt: skip
        kind = str(found.lastgroup)
        word = found[kind]
        yield kind, "=" if word == "==" else word, found.start(kind)
        at = found.end()


def _unexpected(word: str, at: int, wanted: str) -> ConditionError:
    if not word:
        return ConditionError(gettext_noop("The condition ends too early: %(wanted)s is missing."), at, wanted=wanted)
    return ConditionError(
        gettext_noop("“%(word)s” at position %(at)s is not expected: %(wanted)s should stand there."),
        at, word=word, at=at + 1, wanted=wanted,
    )  # fmt: skip


def _either(reader: _Reader) -> Node:
    parts = [_both(reader)]
    while reader.is_word("or"):
        reader.take()
        parts.append(_both(reader))
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _both(reader: _Reader) -> Node:
    parts = [_one(reader)]
    while reader.is_word("and"):
        reader.take()
        parts.append(_one(reader))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _one(reader: _Reader) -> Node:
    kind, word, at = reader.take()
    if kind == "bracket" and word == "(":
        reader.depth += 1
        if reader.depth > DEEPEST:
            raise ConditionError(gettext_noop("The brackets are nested deeper than %(most)s."), at, most=DEEPEST)
        inner = _either(reader)
        kind, word, at = reader.take()
        if word != ")":
            raise _unexpected(word, at, "“)”")
        reader.depth -= 1
        return inner
    if kind != "word" or word.lower() in _RESERVED:
        raise _unexpected(word, at, gettext_noop("a hazard such as “typhoon”, or “any”"))
    reader.tests += 1
    if reader.tests > MOST_TESTS:
        raise ConditionError(
            gettext_noop("The condition has more than %(most)s comparisons: split the level."), at, most=MOST_TESTS
        )
    return _comparison(reader, word.lower())


def _comparison(reader: _Reader, hazard: str) -> Comparison:
    kind, operator, at = reader.take()
    if kind != "op":
        raise _unexpected(operator, at, gettext_noop("a comparison (= < <= > >=)"))
    kind, colour, at = reader.take()
    if colour.lower() not in RANK:
        if not colour:
            raise _unexpected("", at, gettext_noop("a colour"))
        raise ConditionError(gettext_noop("“%(word)s” at position %(at)s is not a colour: write red, orange, yellow or blue."),
                             at, word=colour, at=at + 1)  # fmt: skip
    place, townships = "", 0
    if reader.is_word("in"):
        reader.take()
        kind, place, at = reader.take()
        if kind != "word" or place.lower() in _RESERVED:
            raise _unexpected(place, at, gettext_noop("a place's code, or a number of townships"))
        if reader.is_word("townships", "township"):
            reader.take()
            if not place.isascii() or not place.isdigit() or not 1 <= int(place) <= 9999:
                raise ConditionError(
                    gettext_noop("“%(word)s” at position %(at)s is not a number of townships: write 1 or more."),
                    at, word=place, at=at + 1,
                )  # fmt: skip
            place, townships = "", int(place)
    return Comparison(hazard, operator, colour.lower(), place, townships)


# -- weighing ---------------------------------------------------------------------------------------------------


def comparisons(node: Node) -> Iterator[Comparison]:
    """The comparisons of a condition, in order."""
    if isinstance(node, Comparison):
        yield node
    else:
        for part in node.parts:
            yield from comparisons(part)


def speaks_of(node: Node, hazard: str) -> bool:
    """Whether a warning of this hazard can matter to the condition."""
    return any(test.hazard in (hazard, ANY) for test in comparisons(node))


def holds(node: Node, signals: Sequence[Signal], ground: Ground) -> bool:
    """Whether the condition holds with these warnings in force."""
    if isinstance(node, And):
        return all(holds(part, signals, ground) for part in node.parts)
    if isinstance(node, Or):
        return any(holds(part, signals, ground) for part in node.parts)
    of_hazard = [signal for signal in signals if node.hazard in (signal.hazard, ANY)]
    if node.townships:
        met = sum(node.meets(_gravest(of_hazard, township)) for township in ground.townships)
        return met >= node.townships
    where = ground.codes.get(node.place) if node.place else ground.path
    return where is not None and node.meets(_gravest(of_hazard, where))


def _gravest(signals: Iterable[Signal], where: str) -> int:
    ranks = (RANK[each.colour] for each in signals if any(touches(place, where) for place in each.places))
    return max(ranks, default=0)


def can_hold(node: Node, *, townships: int | None = None) -> bool:
    """Whether any warnings at all could meet the condition. Sound, not complete: False means surely never.

    Two tests about the same hazard and place look at the same colour; `townships` is how many the plan's place has.
    """
    return any(_agree(conjunct, townships) for conjunct in _alternatives(node))


def _agree(tests: Sequence[Comparison], townships: int | None) -> bool:
    allowed: dict[tuple[str, str], set[int]] = {}
    for test in tests:
        ranks = {rank for rank in RANK.values() if test.meets(rank)}
        if not ranks or (townships is not None and test.townships > townships):
            return False
        if test.townships or test.hazard == ANY:
            continue  # "any" and counts look at several warnings, which need not agree
        key = (test.hazard, test.place)
        allowed[key] = allowed.get(key, set(RANK.values())) & ranks
        if not allowed[key]:
            return False
    return True


def _alternatives(node: Node) -> Iterator[tuple[Comparison, ...]]:
    if isinstance(node, Comparison):
        yield (node,)
    elif isinstance(node, Or):
        for part in node.parts:
            yield from _alternatives(part)
    else:
        yield from _joined(node.parts)


def _joined(parts: Sequence[Node]) -> Iterator[tuple[Comparison, ...]]:
    if not parts:
        yield ()
        return
    for first in _alternatives(parts[0]):
        for rest in _joined(parts[1:]):
            yield first + rest


# -- saying -----------------------------------------------------------------------------------------------------

_COLOUR_ZH: Final = {"blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"}
_SAY_ZH: Final = {"=": "为{}", "<": "低于{}", "<=": "为{}及以下", ">": "高于{}", ">=": "达到{}及以上"}
_SAY_EN: Final = {"=": "is {}", "<": "is below {}", "<=": "is {} or below", ">": "is above {}", ">=": "is {} or above"}


def describe(node: Node, language: str, *, hazards: Mapping[str, str] | None = None,
             places: Mapping[str, str] | None = None) -> str:  # fmt: skip
    """The condition as a sentence; `hazards` and `places` give names for hazards and place codes."""
    chinese = language.startswith("zh")
    if isinstance(node, Comparison):
        return _say(node, chinese, hazards or {}, places or {})
    joint = {(True, True): "，且", (True, False): "；或", (False, True): " and ", (False, False): " or "}
    parts = []
    for part in node.parts:
        text = describe(part, language, hazards=hazards, places=places)
        nested = isinstance(part, And | Or)
        parts.append((f"（{text}）" if chinese else f"({text})") if nested else text)
    return joint[chinese, isinstance(node, And)].join(parts)


def _say(test: Comparison, chinese: bool, hazards: Mapping[str, str], places: Mapping[str, str]) -> str:
    name = hazards.get(test.hazard, test.hazard)
    if chinese:
        what = "任一预警" if test.hazard == ANY else f"{name}预警"
        where = f"在{places.get(test.place, test.place)}" if test.place else ""
        if test.townships:
            where = f"在至少 {test.townships} 个乡镇"
        return what + where + _SAY_ZH[test.operator].format(_COLOUR_ZH[test.colour])
    what = "any warning" if test.hazard == ANY else f"the {name} warning"
    where = f" in {places.get(test.place, test.place)}" if test.place else ""
    if test.townships:
        where = f" in at least {test.townships} townships"
    return f"{what} {_SAY_EN[test.operator].format(test.colour)}{where}"
