"""Reading: a resource path and query options to an answer. Filter, count, order, skip, top, then expand and select."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from haitang.monitoring.sensorthings import grammar, moments
from haitang.monitoring.sensorthings.errors import bad, missing
from haitang.monitoring.sensorthings.options import Expand, Options
from haitang.monitoring.sensorthings.paths import Path
from haitang.monitoring.sensorthings.predicate import Many, compile_tree, truth
from haitang.monitoring.sensorthings.readings import Readings, cut
from haitang.monitoring.sensorthings.schema import Kind
from haitang.monitoring.sensorthings.world import Node, Page, World

MOST_NODES = 100_000
"""Entities in one answer, expanded ones included."""
MOST_COMPARED = 200_000
"""Entities that one request may have filtered or ordered."""


class Server:
    """Answers what one user asks about one space."""

    def __init__(self, world: World, now_ms: int) -> None:
        self.world, self.now_ms = world, now_ms
        self.readings = Readings(world, self.finish)
        self._made = 0

    # --- the path

    def entity(self, path: Path) -> Node:
        """The entity that a path leads to."""
        node = self._first(path)
        for number, step in enumerate(path.steps[1:], start=1):
            if step.id is None and step.many and number == len(path.steps) - 1:
                return node
            node = self._follow(node, step.relation, step.id)
        return node

    def _first(self, path: Path) -> Node:
        step = path.steps[0]
        found = None
        if step.id is not None:
            if step.kind.name == "Observation":
                found = self.readings.one(step.id)
            else:
                found = next(iter(self.world.by_number(step.kind.name, [step.id])), None)
        if found is None:
            raise missing(
                f"There is no {step.kind.name} with the number {step.id}, or not in your reach", step.relation
            )
        return found

    def _follow(self, node: Node, relation: str, number: int | None) -> Node:
        if node.kind.relations[relation][0] == "Observation":
            found = self.readings.one(number or 0)
            belongs = found is not None and (
                found.keys["series"] == node.id
                if node.kind.name == "Datastream"
                else any(each.id == node.id for each in self.world.related([found], "FeatureOfInterest")[0])
            )
            nodes = [found] if found is not None and belongs else []
        else:
            nodes = self.world.related([node], relation)[0]
        for each in nodes:
            if number is None or each.id == number:
                return each
        raise missing(f"{node.kind.name}({node.id}) has no such {relation}", relation)

    # --- collections

    def page(self, path: Path, options: Options) -> Page:
        """One page of the collection that a path leads to, with what is to be expanded."""
        kind = path.last.kind
        if len(path.steps) == 1:
            page = self._all(kind, options)
        else:
            node = self.entity(path)
            if kind.name == "Observation":
                page = self._observations_of(node, options)
            else:
                page = cut(self.finish(self.world.related([node], path.last.relation)[0], options), options)
        self.expand(page.nodes, options.expand)
        return page

    def _all(self, kind: Kind, options: Options) -> Page:
        if kind.name == "Observation":
            return self.readings.everywhere(self.world.datastreams(), options)
        by_number = not options.orderby or (
            len(options.orderby) == 1 and options.orderby[0] == (grammar.Name(("id",)), False)
        )
        if kind.name in ("Thing", "Datastream") and options.filter is None and by_number:
            nodes = self.world.all(kind.name, (options.skip, options.size + 1))
            count = self.world.size(kind.name) if options.count else None
            return Page(nodes[: options.size], count, len(nodes) > options.size)
        return cut(self.finish(self.world.all(kind.name), options), options)

    def _observations_of(self, node: Node, options: Options) -> Page:
        if node.kind.name == "Datastream":
            return self.readings.by_stream([node], options)[0]
        if "station" in node.keys:
            streams = self.world.datastreams(stations=[node.keys["station"]])
            return self.readings.everywhere(streams, options, feature=0)
        streams = self.world.datastreams(self.readings.with_feature(node.keys["record"]))
        return self.readings.everywhere(streams, options, feature=node.keys["record"])

    def finish(self, nodes: list[Node], options: Options) -> list[Node]:
        """Filter and order entities."""
        trees = [options.filter] if options.filter is not None else []
        trees += [tree for tree, _down in options.orderby]
        if trees and len(nodes) > MOST_COMPARED:
            raise bad(
                f"This would compare {len(nodes)} entities, at most {MOST_COMPARED} are compared; narrow the path",
                "$filter",
            )
        self.prepare(nodes, [parts for tree in trees for parts in grammar.names(tree)])
        if options.filter is not None:
            test = compile_tree(options.filter, value_at, self.now_ms)
            nodes = [node for node in nodes if truth(test(node))]
        for tree, descending in reversed(options.orderby):
            key = compile_tree(tree, value_at, self.now_ms, "$orderby")
            nodes = sorted(nodes, key=_rank(key), reverse=descending)
        return nodes

    def prepare(self, nodes: Sequence[Node], paths: Sequence[tuple[str, ...]]) -> None:
        """Load the entities that these paths pass through, a few queries for each relation."""
        if not nodes:
            return
        onward: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        for parts in paths:
            if parts[0] in nodes[0].kind.relations:
                onward[parts[0]].append(parts[1:])
        for relation, rest in onward.items():
            found = self.world.related(nodes, relation)
            for node, children in zip(nodes, found, strict=True):
                node.related[relation] = children
            self.prepare([child for children in found for child in children], rest)

    # --- expanding

    def expand(self, nodes: Sequence[Node], wanted: Sequence[Expand]) -> None:
        """Load related entities for many at once, each with its own options."""
        self._made += len(nodes)
        if self._made > MOST_NODES:
            raise bad(f"The answer would hold more than {MOST_NODES} entities; ask for fewer with $top", "$expand")
        if not nodes:
            return
        for each in wanted:
            pages = self._pages(nodes, each)
            for node, page in zip(nodes, pages, strict=True):
                node.expanded[each.relation] = page
            self.expand([child for page in pages for child in page.nodes], each.options.expand)

    def _pages(self, nodes: Sequence[Node], wanted: Expand) -> list[Page]:
        options = wanted.options
        if nodes[0].kind.relations[wanted.relation][0] == "Observation":
            if nodes[0].kind.name == "Datastream":
                if len(nodes) * min(options.size, 2) > MOST_NODES:
                    raise bad(
                        f"The answer would hold more than {MOST_NODES} entities; ask for fewer with $top", "$expand"
                    )
                return self._by_stream(nodes, options)
            return [self._observations_of(node, options) for node in nodes]
        found = self.world.related(nodes, wanted.relation)
        many = nodes[0].kind.relations[wanted.relation][1]
        return [cut(self.finish(children, options), options) if many else Page(children) for children in found]

    def _by_stream(self, nodes: Sequence[Node], options: Options) -> list[Page]:
        once = {node.id: node for node in nodes}
        pages = dict(zip(once, self.readings.by_stream(list(once.values()), options), strict=True))
        return [pages[node.id] for node in nodes]

    # --- writing out

    def link(self, node: Node) -> str:
        """The address of an entity."""
        return f"{self.world.root}/{node.kind.plural}({node.id})"

    def written(self, node: Node, options: Options) -> dict[str, Any]:
        """An entity as JSON."""
        link, select = self.link(node), options.select
        told: dict[str, Any] = {}
        if select is None or "id" in select or "@iot.id" in select:
            told["@iot.id"] = node.id
        if select is None or "@iot.selfLink" in select:
            told["@iot.selfLink"] = link
        if select is None:
            for name, value in node.row.items():
                if value is not None or name == "resultTime":
                    told[name] = value  # noqa: PERF403 - keeps the links before
        else:
            for name in select:
                first, *rest = name.split("/")
                if first in node.kind.properties:
                    value = node.row.get(first)
                    told[first] = value if not rest else _within(told.get(first), value, rest)
        inner = {each.relation: each.options for each in options.expand}
        for relation, (_kind, many) in node.kind.relations.items():
            if relation in inner:
                told.update(self._expanded(node, relation, many, inner[relation], link))
            elif select is None or relation in select:
                told[f"{relation}@iot.navigationLink"] = f"{link}/{relation}"
        return told

    def _expanded(self, node: Node, relation: str, many: bool, options: Options, link: str) -> dict[str, Any]:
        page = node.expanded[relation]
        if not many:
            return {relation: self.written(page.nodes[0], options)} if page.nodes else {}
        told: dict[str, Any] = {}
        if page.count is not None:
            told[f"{relation}@iot.count"] = page.count
        told[relation] = [self.written(child, options) for child in page.nodes]
        if page.more:
            told[f"{relation}@iot.nextLink"] = f"{link}/{relation}?{_next_of(options)}"
        return told


def _next_of(options: Options) -> str:
    return f"$top={options.size}&$skip={options.skip + options.size}" + (f"&{options.asked}" if options.asked else "")


def next_link(address: str, given: Sequence[tuple[str, str]], options: Options) -> str:
    """The address of the page after this one."""
    kept = [(name, value) for name, value in given if name not in ("$skip", "$top")]
    kept += [("$top", str(options.size)), ("$skip", str(options.skip + options.size))]
    return address + "?" + "&".join(f"{quote(name, safe='$')}={quote(value, safe='$(),/;=:')}" for name, value in kept)


def _within(before: Any, value: Any, names: Sequence[str]) -> Any:
    """The part of a JSON property that was selected, in its place."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    for name in reversed(names):
        value = {name: value}
    return {**before, **value} if isinstance(before, dict) else value


def value_at(node: Node, parts: tuple[str, ...]) -> Any:
    """A property of an entity, over relations that are loaded: Many where one of them leads to several."""
    first, rest = parts[0], parts[1:]
    if first in node.kind.relations:
        children = node.related.get(first, [])
        values: list[Any] = []
        for child in children:
            value = value_at(child, rest)
            values += value.values if isinstance(value, Many) else [value]
        if node.kind.relations[first][1]:
            return Many(values)
        return values[0] if values else None
    if first in ("id", "@iot.id"):
        return node.id
    value = node.row.get(first)
    if first in node.kind.times and isinstance(value, str):
        try:
            return moments.span(value)
        except ValueError:
            return None
    for name in rest:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def raw_at(node: Node, parts: Sequence[str]) -> Any:
    """A property as it is written, or a part of it."""
    value: Any = node.row
    for name in parts:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _rank(key: Callable[[Node], Any]) -> Callable[[Node], tuple[int, Any]]:
    def rank(node: Node) -> tuple[int, Any]:
        value = key(node)
        if isinstance(value, Many):
            value = value.values[0] if value.values else None
        if value is None:
            return 0, 0
        if isinstance(value, bool | int | float):
            return 1, value
        if isinstance(value, moments.Span):
            return 2, (value.start, value.end)
        return 3, str(value)

    return rank
