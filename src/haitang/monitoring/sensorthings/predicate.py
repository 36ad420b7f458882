"""What a $filter says of one entity: trees made into functions. Pure.

`get(entity, parts)` is given by the caller and returns a property's value, or `Many` values where a path passes through a
collection: a comparison holds then if it holds for one of them. A missing value compares as null: only `eq null` holds.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from haitang.monitoring.sensorthings import moments
from haitang.monitoring.sensorthings.errors import StaError, bad
from haitang.monitoring.sensorthings.grammar import COMPARISONS, Call, Literal, Name, Tree
from haitang.monitoring.sensorthings.moments import Span

Get = Callable[[Any, tuple[str, ...]], Any]
Test = Callable[[Any], Any]


@dataclass(frozen=True)
class Many:
    """Values of a path through a collection."""

    values: list[Any]


def compile_tree(tree: Tree, get: Get, now_ms: int, part: str = "$filter") -> Test:
    """A function of one entity. StaError at once where a function has the wrong number of arguments."""
    if isinstance(tree, Literal):
        value = tree.value
        return lambda _entity: value
    if isinstance(tree, Name):
        parts = tree.parts
        return lambda entity: get(entity, parts)
    args = [compile_tree(arg, get, now_ms, part) for arg in tree.args]
    return _operator(tree.name, args, part) or _function(tree, args, now_ms, part)


def _operator(name: str, args: list[Test], part: str) -> Test | None:
    if name == "and":
        first, second = args
        return lambda entity: truth(first(entity)) and truth(second(entity))
    if name == "or":
        first, second = args
        return lambda entity: truth(first(entity)) or truth(second(entity))
    if name == "not":
        (only,) = args
        return lambda entity: not truth(only(entity))
    if name in COMPARISONS:
        first, second = args
        return lambda entity: _any(lambda a, b: compare(name, a, b), first(entity), second(entity))
    if name in _SUMS:
        first, second = args
        does = _SUMS[name]
        return lambda entity: _arithmetic(does, name, first(entity), second(entity), part)
    if name == "neg":
        (only,) = args
        return lambda entity: _arithmetic(operator.sub, "-", 0, only(entity), part)
    return None


def _any(test: Callable[[Any, Any], bool], a: Any, b: Any) -> bool:
    lefts = a.values if isinstance(a, Many) else (a,)
    rights = b.values if isinstance(b, Many) else (b,)
    return any(test(x, y) for x in lefts for y in rights)


def truth(value: Any) -> bool:
    """Whether a condition holds; a value that is no condition does not."""
    return any(value.values) if isinstance(value, Many) else value is True


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip


def compare(name: str, a: Any, b: Any) -> bool:
    """One comparison. Numbers and numbers in text compare as numbers, times in text as times; else text with text."""
    if a is None or b is None:
        return (a is b) if name == "eq" else (a is not b) if name == "ne" else False
    if isinstance(a, Span) or isinstance(b, Span):
        first, second = _span(a), _span(b)
        return first is not None and second is not None and _compare_spans(name, first, second)
    numbers = _numeric(a), _numeric(b)
    if isinstance(a, str) != isinstance(b, str) or (_is_number(a) and _is_number(b)):
        x, y = numbers
        if x is not None and y is not None:
            return bool(_COMPARE[name](x, y))
        a, b = _text(a), _text(b)
    if type(a) is not type(b):
        return name == "ne"
    try:
        return bool(_COMPARE[name](a, b))
    except TypeError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numeric(value: Any) -> float | None:
    if _is_number(value):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _text(value: Any) -> str:
    return "true" if value is True else "false" if value is False else str(value)


def _span(value: Any) -> Span | None:
    if isinstance(value, Span):
        return value
    if isinstance(value, str):
        try:
            return moments.span(value)
        except ValueError:
            return None
    return None


def _compare_spans(name: str, a: Span, b: Span) -> bool:
    if name == "eq":
        return a == b
    if name == "ne":
        return a != b
    if a.is_instant and b.is_instant:
        return bool(_COMPARE[name](a.start, b.start))
    # An interval is before another when it ends no later than the other begins (18-088, table 23).
    if name == "lt":
        return a.end <= b.start
    if name == "gt":
        return a.start >= b.end
    return a.start <= b.start if name == "le" else a.end >= b.end


def _sum(sign: int) -> Callable[[Any, Any], Any]:
    def does(a: Any, b: Any) -> Any:
        if isinstance(a, Span) and isinstance(b, timedelta):
            shift = sign * round(b.total_seconds() * 1000)
            return Span(a.start + shift, a.end + shift)
        if isinstance(a, Span) and isinstance(b, Span) and sign < 0:
            return timedelta(milliseconds=a.start - b.start)
        return a + b if sign > 0 else a - b

    return does


_SUMS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": _sum(1), "sub": _sum(-1), "mul": operator.mul, "div": operator.truediv, "mod": math.fmod,
}  # fmt: skip


def _arithmetic(does: Callable[[Any, Any], Any], name: str, a: Any, b: Any, part: str) -> Any:
    if isinstance(a, Many) or isinstance(b, Many):
        raise bad(f"{part}: {name} cannot reckon with a collection", part)
    if a is None or b is None:
        return None
    if isinstance(b, timedelta | Span) and isinstance(a, str):
        a = _span(a)
    try:
        found = does(a, b)
    except ZeroDivisionError:
        return None
    except (TypeError, ValueError, OverflowError):
        raise bad(f"{part}: {name} cannot reckon with {_said(a)} and {_said(b)}", part) from None
    return found if not isinstance(found, float) or math.isfinite(found) else None


def _said(value: Any) -> str:
    return repr(value)[:40]


def _when(value: Any) -> datetime:
    found = _span(value)
    if found is None:
        raise TypeError
    return datetime.fromtimestamp(found.start / 1000, UTC)


def _offset(value: Any) -> int:
    _when(value)
    return 0  # times are kept in UTC


def _shape(value: Any) -> Any:
    import shapely
    from shapely.geometry import shape

    if isinstance(value, shapely.Geometry):
        return value
    if isinstance(value, dict):
        return shape(value.get("geometry", value) if value.get("type") == "Feature" else value)
    raise TypeError


def _geo(name: str) -> Callable[..., Any]:
    return lambda a, b: bool(getattr(_shape(a), name)(_shape(b)))


def _relate(a: Any, b: Any, pattern: str) -> bool:
    return bool(_shape(a).relate_pattern(_shape(b), pattern))


def _substring(text: str, start: float, length: float | None = None) -> str:
    begin = int(start)
    return text[begin:] if length is None else text[begin : begin + int(length)]


def _string(does: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any) -> Any:
        if not isinstance(args[0], str):
            raise TypeError
        return does(*args)

    return checked


def _strings(does: Callable[[str, str], Any]) -> Callable[..., Any]:
    def checked(a: Any, b: Any) -> Any:
        if not isinstance(a, str) or not isinstance(b, str):
            raise TypeError
        return does(a, b)

    return checked


_ENDLESS_MS = 253_402_300_799_000
_NULLARY: Mapping[str, Callable[[int], Any]] = {
    "now": lambda now_ms: Span(now_ms, now_ms),
    "mindatetime": lambda _now: Span(-62_135_596_800_000, -62_135_596_800_000),
    "maxdatetime": lambda _now: Span(_ENDLESS_MS, _ENDLESS_MS),
}
_CALLS: Mapping[str, tuple[int, int, Callable[..., Any]]] = {
    "substringof": (2, 2, _strings(lambda a, b: a in b)),
    "contains": (2, 2, _strings(lambda a, b: b in a)),
    "startswith": (2, 2, _strings(lambda a, b: a.startswith(b))),
    "endswith": (2, 2, _strings(lambda a, b: a.endswith(b))),
    "length": (1, 1, _string(len)),
    "indexof": (2, 2, _strings(lambda a, b: a.find(b))),
    "substring": (2, 3, _string(_substring)),
    "tolower": (1, 1, _string(str.lower)),
    "toupper": (1, 1, _string(str.upper)),
    "trim": (1, 1, _string(str.strip)),
    "concat": (2, 2, lambda a, b: _text(a) + _text(b)),
    "year": (1, 1, lambda t: _when(t).year),
    "month": (1, 1, lambda t: _when(t).month),
    "day": (1, 1, lambda t: _when(t).day),
    "hour": (1, 1, lambda t: _when(t).hour),
    "minute": (1, 1, lambda t: _when(t).minute),
    "second": (1, 1, lambda t: _when(t).second),
    "fractionalseconds": (1, 1, lambda t: _when(t).microsecond / 1e6),
    "date": (1, 1, lambda t: _when(t).strftime("%Y-%m-%d")),
    "time": (1, 1, lambda t: _when(t).strftime("%H:%M:%S.%f")[:-3]),
    "totaloffsetminutes": (1, 1, _offset),
    "round": (1, 1, lambda x: math.floor(x + 0.5)),
    "floor": (1, 1, math.floor),
    "ceiling": (1, 1, math.ceil),
    "geo.distance": (2, 2, lambda a, b: _shape(a).distance(_shape(b))),
    "geo.length": (1, 1, lambda a: _shape(a).length),
    "geo.intersects": (2, 2, _geo("intersects")),
    "st_equals": (2, 2, _geo("equals")),
    "st_disjoint": (2, 2, _geo("disjoint")),
    "st_touches": (2, 2, _geo("touches")),
    "st_within": (2, 2, _geo("within")),
    "st_overlaps": (2, 2, _geo("overlaps")),
    "st_crosses": (2, 2, _geo("crosses")),
    "st_intersects": (2, 2, _geo("intersects")),
    "st_contains": (2, 2, _geo("contains")),
    "st_relate": (3, 3, _relate),
}
FUNCTIONS = frozenset(_CALLS) | frozenset(_NULLARY)


def _function(tree: Call, args: list[Test], now_ms: int, part: str) -> Test:
    if tree.name in _NULLARY:
        if args:
            raise bad(f"{part}: {tree.name}() takes nothing", part)
        value = _NULLARY[tree.name](now_ms)
        return lambda _entity: value
    least, most, does = _CALLS[tree.name]
    if not least <= len(args) <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        raise bad(f"{part}: {tree.name} takes {wanted} arguments, {len(args)} are given", part)

    def call(given: Iterable[Any]) -> Any:
        given = list(given)
        if any(value is None for value in given):
            return None
        try:
            return does(*given)
        except StaError:
            raise
        except Exception:  # noqa: BLE001 - whatever a geometry library makes of a shape that it does not like
            return None

    def run(entity: Any) -> Any:
        values = [arg(entity) for arg in args]
        spread = next((n for n, value in enumerate(values) if isinstance(value, Many)), None)
        if spread is None:
            return call(values)
        return Many([call([*values[:spread], each, *values[spread + 1 :]]) for each in values[spread].values])

    return run
