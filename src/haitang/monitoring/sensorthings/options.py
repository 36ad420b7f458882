"""Query options: $filter $expand $select $orderby $top $skip $count $resultFormat, nested in $expand. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from haitang.monitoring.sensorthings import grammar
from haitang.monitoring.sensorthings.errors import StaError, bad
from haitang.monitoring.sensorthings.predicate import FUNCTIONS
from haitang.monitoring.sensorthings.schema import KINDS, Kind

MOST_TOP = 10_000
USUAL_TOP = 100
MOST_SKIP = 10_000_000
MOST_DEPTH = 5
MOST_EXPANDS = 40
KNOWN = ("$filter", "$expand", "$select", "$orderby", "$top", "$skip", "$count", "$resultFormat")


@dataclass(frozen=True)
class Expand:
    """One relation to be answered in place, with its own options."""

    relation: str
    options: Options


@dataclass(frozen=True)
class Options:
    """What was asked of one collection or entity."""

    filter: grammar.Tree | None = None
    orderby: Sequence[tuple[grammar.Tree, bool]] = ()
    select: Sequence[str] | None = None
    expand: Sequence[Expand] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    data_array: bool = False
    asked: str = ""
    """What was asked apart from $top and $skip, as it stands in an address."""

    @property
    def size(self) -> int:
        """How many entities one page holds."""
        return USUAL_TOP if self.top is None else self.top


def parse(given: Sequence[tuple[str, str]], kind: Kind) -> Options:
    """Read (name, value) pairs of an address; StaError names the option that is wrong."""
    texts: dict[str, str] = {}
    for name, value in given:
        if not name.startswith("$"):
            continue
        if name not in KNOWN:
            raise bad(f"There is no query option {name}; there are {', '.join(KNOWN)}", name[:40])
        if name in texts:
            raise bad(f"{name} is given twice", name)
        texts[name] = value
    return _Reader().options(texts, kind, 0)


@dataclass
class _Reader:
    expands: int = 0

    def options(self, texts: Mapping[str, str], kind: Kind, depth: int) -> Options:
        found = Options()
        if text := texts.get("$filter", "").strip():
            tree = grammar.parse_filter(text, FUNCTIONS)
            _check_names(tree, kind, "$filter")
            found = replace(found, filter=tree)
        if text := texts.get("$orderby", "").strip():
            keys = grammar.parse_orderby(text, FUNCTIONS)
            for tree, _descending in keys:
                _check_names(tree, kind, "$orderby")
            found = replace(found, orderby=tuple(keys))
        if "$select" in texts:
            found = replace(found, select=_select(texts["$select"], kind))
        if text := texts.get("$expand", "").strip():
            found = replace(found, expand=self.expand(text, kind, depth))
        if "$top" in texts:
            found = replace(found, top=_whole(texts["$top"], "$top", MOST_TOP))
        if "$skip" in texts:
            found = replace(found, skip=_whole(texts["$skip"], "$skip", MOST_SKIP))
        if "$count" in texts:
            found = replace(found, count=_flag(texts["$count"]))
        if "$resultFormat" in texts:
            if texts["$resultFormat"] != "dataArray" or kind.name != "Observation" or depth:
                raise bad("$resultFormat is dataArray, and for a collection of Observations", "$resultFormat")
            found = replace(found, data_array=True)
        kept = [
            f"{name}={quote(value, safe='$(),/;=:')}" for name, value in texts.items() if name not in ("$top", "$skip")
        ]
        return replace(found, asked="&".join(kept))

    def expand(self, text: str, kind: Kind, depth: int) -> tuple[Expand, ...]:
        if depth >= MOST_DEPTH:
            raise bad(f"$expand is nested deeper than {MOST_DEPTH}", "$expand")
        if depth == 0 and len(text) > grammar.MOST_CHARACTERS:
            raise bad(f"$expand has {len(text)} characters; at most {grammar.MOST_CHARACTERS} are read", "$expand")
        found: dict[str, Options] = {}
        for item in split(text, ",", "$expand"):
            self.expands += 1
            if self.expands > MOST_EXPANDS:
                raise bad(f"$expand names more than {MOST_EXPANDS} relations", "$expand")
            path, inner = _outer(item.strip())
            first, _slash, rest = path.partition("/")
            if first not in kind.relations:
                raise bad(
                    f"$expand: {kind.name} has no relation {first[:60]!r}; it has {', '.join(kind.relations)}",
                    "$expand",
                )
            child = KINDS[kind.relations[first][0]]
            if rest:
                tail = f"{rest}({inner})" if inner else rest
                options = Options(expand=self.expand(tail, child, depth + 1))
            else:
                options = self.options(dict(_pairs(inner)), child, depth + 1)
            before = found.get(first)
            found[first] = options if before is None else _joined(before, options)
        return tuple(Expand(name, options) for name, options in found.items())


def _joined(before: Options, after: Options) -> Options:
    """A/B,A/C is A with both B and C; what else is said of A is said by the last."""
    together = {each.relation: each for each in (*before.expand, *after.expand)}
    base = after if after.asked or after.top is not None or after.skip else before
    return replace(base, expand=tuple(together.values()))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for option in split(text, ";", "$expand") if text else ():
        name, equals, value = option.strip().partition("=")
        if not equals or name not in KNOWN:
            raise bad(
                f"$expand: {option.strip()[:60]!r} is no option; write for example Observations($top=1;$orderby=phenomenonTime desc)",
                "$expand",
            )
        if name in seen:
            raise bad(f"$expand: {name} is given twice", "$expand")
        seen.add(name)
        yield name, value


def split(text: str, mark: str, part: str) -> list[str]:
    """Split at a mark that stands outside quotes and brackets."""
    found, depth, quoted, begin = [], 0, False, 0
    for at, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth < 0:
                raise bad(f"{part}: a ) too many at character {at + 1}", part)
        elif letter == mark and not depth:
            found.append(text[begin:at])
            begin = at + 1
    if depth or quoted:
        raise bad(f"{part}: a bracket or quotation mark is not closed", part)
    found.append(text[begin:])
    return found


def _outer(item: str) -> tuple[str, str]:
    """`Observations($top=1)` -> ("Observations", "$top=1")."""
    path, bracket, rest = item.partition("(")
    if not bracket:
        return path, ""
    if not rest.endswith(")"):
        raise bad(f"$expand: {item[:60]!r} goes on after its bracket", "$expand")
    return path, rest[:-1]


def _select(text: str, kind: Kind) -> tuple[str, ...]:
    chosen = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in chosen:
        if name.split("/")[0] not in (*kind.properties, *kind.relations, "id", "@iot.id", "@iot.selfLink"):
            raise bad(f"$select: {kind.name} has neither a property nor a relation {name[:60]!r}", "$select")
    if not chosen:
        raise bad("$select names nothing", "$select")
    return chosen


def _check_names(tree: grammar.Tree, kind: Kind, part: str) -> None:
    """Every path must begin with a property, or pass relations to one."""
    for parts in grammar.names(tree):
        at, names = kind, list(parts)
        while names and names[0] in at.relations:
            name = names.pop(0)
            at = KINDS[at.relations[name][0]]
            if at.name == "Observation":
                raise StaError(
                    501,
                    f"{part}: conditions on Observations of an entity are not served; ask for its Observations",
                    part,
                )
        if not names or names[0] not in (*at.properties, "id", "@iot.id", "@iot.selfLink"):
            raise bad(f"{part}: {at.name} has no property {'/'.join(names)[:60]!r}", part)


def _whole(text: str, name: str, most: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise bad(f"{name} is {text[:20]!r}; write a whole number from 0", name)
    value = int(text)
    if name == "$top":
        return min(value, most)
    if value > most:
        raise bad(f"{name} is {value}; at most {most}", name)
    return value


def _flag(text: str) -> bool:
    if text.strip().lower() not in {"true", "false"}:
        raise bad(f"$count is {text[:20]!r}; write true or false", "$count")
    return text.strip().lower() == "true"


__all__ = ["Expand", "Options", "parse", "split"]
