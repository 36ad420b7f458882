"""$filter and $orderby: text to a tree. Pure; bounded in length, in tokens and in nesting.

    or < and < not < eq ne gt ge lt le < add sub < mul div mod < - < ( )

A leaf is a literal (number, text, time, interval, duration, geometry, true false null) or a path (`result`,
`properties/owner`, `Thing/name`); a call is one of `predicate.FUNCTIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from haitang.monitoring.sensorthings import moments
from haitang.monitoring.sensorthings.errors import StaError, bad

MOST_CHARACTERS = 4000
MOST_TOKENS = 400
MOST_NESTING = 24
MOST_ORDERS = 8

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
SUMS = frozenset({"add", "sub"})
PRODUCTS = frozenset({"mul", "div", "mod"})


@dataclass(frozen=True)
class Literal:
    """A value: float, int, str, bool, None, moments.Span, timedelta or a shapely geometry."""

    value: object


@dataclass(frozen=True)
class Name:
    """A path to a property, perhaps over relations."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """An operator or a function with its arguments."""

    name: str
    args: tuple[Tree, ...]


Tree = Literal | Name | Call

_TIME = r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+\- ]\d\d:?\d\d)?)?"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<tag>geography|geometry|duration)'(?P<tagged>[^']*)'
    | '(?P<text>(?:[^']|'')*)'
    | (?P<time>{_TIME}(?:/{_TIME})?)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<name>[@A-Za-z_][\w.@]*(?:/[@A-Za-z_][\w.@\-]*)*)
    | (?P<mark>[(),\-])
    )""",
    re.X,
)
_DURATION = re.compile(r"^(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


def parse_filter(text: str, functions: frozenset[str]) -> Tree:
    """The tree of a $filter; StaError says at which character it is wrong."""
    return _Parser(text, "$filter", functions).whole()


def parse_orderby(text: str, functions: frozenset[str]) -> list[tuple[Tree, bool]]:
    """Keys of an $orderby with whether each is descending."""
    parser = _Parser(text, "$orderby", functions)
    found = [parser.order()]
    while parser.take("mark", ","):
        found.append(parser.order())
        if len(found) > MOST_ORDERS:
            raise bad(f"$orderby has more than {MOST_ORDERS} keys", "$orderby")
    parser.end()
    return found


def names(tree: Tree) -> Sequence[tuple[str, ...]]:
    """Every path that a tree reads."""
    if isinstance(tree, Name):
        return [tree.parts]
    if isinstance(tree, Call):
        return [parts for arg in tree.args for parts in names(arg)]
    return []


class _Parser:
    def __init__(self, text: str, part: str, functions: frozenset[str]) -> None:
        if len(text) > MOST_CHARACTERS:
            raise bad(f"{part} has {len(text)} characters; at most {MOST_CHARACTERS} are read", part)
        self._text, self._part, self._functions = text, part, functions
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def _split(self) -> list[tuple[str, str, int]]:
        tokens: list[tuple[str, str, int]] = []
        at, text = 0, self._text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise bad(f"{self._part}, character {at + 1}: cannot read {text[at : at + 20]!r}", self._part)
            kind = found.lastgroup or ""
            if kind == "tagged":
                tokens.append((found["tag"], found["tagged"], at))
            else:
                tokens.append((kind, found[kind], at))
            at = found.end()
            if len(tokens) > MOST_TOKENS:
                raise bad(f"{self._part} has more than {MOST_TOKENS} words", self._part)
        return tokens

    def take(self, kind: str, *texts: str) -> str | None:
        """The next token, if it is one of these."""
        if self._at < len(self._tokens):
            found = self._tokens[self._at]
            if found[0] == kind and (not texts or found[1] in texts):
                self._at += 1
                return found[1]
        return None

    def fail(self, wanted: str) -> NoReturn:
        """Say what was expected where."""
        if self._at < len(self._tokens):
            _kind, text, at = self._tokens[self._at]
            raise bad(f"{self._part}, character {at + 1}: expected {wanted}, found {text!r}", self._part)
        raise bad(f"{self._part} ends where {wanted} was expected", self._part)

    def end(self) -> None:
        """Nothing may follow."""
        if self._at < len(self._tokens):
            self.fail("the end or an operator")

    def whole(self) -> Tree:
        tree = self._or()
        self.end()
        return tree

    def order(self) -> tuple[Tree, bool]:
        tree = self._sum()
        turn = self.take("name", "asc", "desc", "ASC", "DESC", "Asc", "Desc")
        return tree, (turn or "").lower() == "desc"

    def _or(self) -> Tree:
        tree = self._and()
        while self.take("name", "or"):
            tree = Call("or", (tree, self._and()))
        return tree

    def _and(self) -> Tree:
        tree = self._not()
        while self.take("name", "and"):
            tree = Call("and", (tree, self._not()))
        return tree

    def _not(self) -> Tree:
        if self.take("name", "not"):
            return Call("not", (self._deeper(self._not),))
        return self._comparison()

    def _deeper(self, rule: object) -> Tree:
        self._depth += 1
        if self._depth > MOST_NESTING:
            raise bad(f"{self._part} is nested deeper than {MOST_NESTING}", self._part)
        tree: Tree = rule()  # type: ignore[operator]
        self._depth -= 1
        return tree

    def _comparison(self) -> Tree:
        tree = self._sum()
        operator = self.take("name", *COMPARISONS)
        return Call(operator, (tree, self._sum())) if operator else tree

    def _sum(self) -> Tree:
        tree = self._product()
        while operator := self.take("name", *SUMS):
            tree = Call(operator, (tree, self._product()))
        return tree

    def _product(self) -> Tree:
        tree = self._factor()
        while operator := self.take("name", *PRODUCTS):
            tree = Call(operator, (tree, self._factor()))
        return tree

    def _factor(self) -> Tree:
        if self.take("mark", "-"):
            return Call("neg", (self._deeper(self._factor),))
        if self.take("mark", "("):
            tree = self._deeper(self._or)
            if not self.take("mark", ")"):
                self.fail(")")
            return tree
        for kind, read in (
            ("text", lambda t: t.replace("''", "'")), ("number", _number), ("time", self._time),
            ("duration", self._duration), ("geography", self._geometry), ("geometry", self._geometry),
        ):  # fmt: skip
            found = self.take(kind)
            if found is not None:
                return Literal(read(found))
        name = self.take("name")
        if name is None:
            self.fail("a value")
        return self._named(name)

    def _named(self, name: str) -> Tree:
        if name in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[name])
        if not self.take("mark", "("):
            return Name(tuple(name.split("/")))
        if name not in self._functions:
            raise bad(
                f"{self._part}: there is no function {name!r}; there are {', '.join(sorted(self._functions))}",
                self._part,
            )
        args: list[Tree] = []
        if not self.take("mark", ")"):
            args.append(self._deeper(self._or))
            while self.take("mark", ","):
                args.append(self._deeper(self._or))
            if not self.take("mark", ")"):
                self.fail(", or )")
        return Call(name, tuple(args))

    def _time(self, text: str) -> moments.Span:
        try:
            # In an address a plus that was not encoded arrives as a space.
            return moments.span("/".join(_dated(part.replace(" ", "+")) for part in text.split("/")))
        except ValueError as error:
            raise bad(f"{self._part}: {text!r} is no time ({error})", self._part) from None

    def _duration(self, text: str) -> timedelta:
        found = _DURATION.match(text)
        if found is None:
            raise bad(f"{self._part}: {text!r} is no duration; write for example duration'PT1H30M'", self._part)
        days, hours, minutes = (int(found[n] or 0) for n in (2, 3, 4))
        try:
            length = timedelta(days=days, hours=hours, minutes=minutes, seconds=float(found[5] or 0))
        except OverflowError:
            raise bad(f"{self._part}: the duration {text!r} is too long", self._part) from None
        return -length if found[1] else length

    def _geometry(self, text: str) -> object:
        import shapely

        try:
            return shapely.from_wkt(text.split(";", 1)[-1])
        except (shapely.errors.ShapelyError, ValueError):
            raise bad(
                f"{self._part}: {text[:60]!r} is no geometry; write for example geography'POINT(121.4 31.6)'",
                self._part,
            ) from None


def _number(text: str) -> float | int:
    if text.isdigit() and len(text) < 20:
        return int(text)
    return float(text)


def _dated(text: str) -> str:
    return text if "T" in text else f"{text}T00:00:00Z"


__all__ = ["COMPARISONS", "Call", "Literal", "Name", "StaError", "Tree", "names", "parse_filter", "parse_orderby"]
