"""Observations: readings of the store with what clients said beside them. Reads arrays first, makes entities of the page only.

The newest observation of every Datastream is one `store.latest`. What cannot be answered from (series, time) alone is read
through and tested, up to a bound; beyond it the request is told to narrow itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from haitang.monitoring import store
from haitang.monitoring.models import StaAmendment
from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.rules import Floats, Ints
from haitang.monitoring.sensorthings import ids, moments
from haitang.monitoring.sensorthings.errors import bad
from haitang.monitoring.sensorthings.grammar import Call, Literal, Name, Tree
from haitang.monitoring.sensorthings.moments import Span
from haitang.monitoring.sensorthings.options import Options
from haitang.monitoring.sensorthings.schema import KINDS
from haitang.monitoring.sensorthings.world import Node, Page, World

MOST_SCANNED = 200_000
"""Readings that one request may have read through."""
MOST_SERIES = 2_000
"""Series that one request over all Observations may read."""
KIND = KINDS["Observation"]
Finish = Callable[[list[Node], Options], list[Node]]


@dataclass(frozen=True)
class Amendment:
    """What was said of one reading, or changed of it."""

    body: Mapping[str, Any]
    feature: int | None
    is_gone: bool


@dataclass(frozen=True)
class Plan:
    """What of the options the store answers by itself: a stretch of time and an order; `rest` is tested row by row."""

    start: int = -store.FOREVER_MS
    end: int = store.FOREVER_MS
    rest: Tree | None = None
    descending: bool | None = False
    """None when the order is another than by time."""

    @property
    def is_simple(self) -> bool:
        """Whether arrays suffice."""
        return self.rest is None and self.descending is not None


def plan(options: Options) -> Plan:
    """Take conditions on the time, and an order by it, off a request."""
    start, end, rest = -store.FOREVER_MS, store.FOREVER_MS, []
    for part in _conjuncts(options.filter):
        bounds = _bounds(part)
        if bounds is None:
            rest.append(part)
        else:
            start, end = max(start, bounds[0]), min(end, bounds[1])
    tree: Tree | None = None
    for part in rest:
        tree = part if tree is None else Call("and", (tree, part))
    descending: bool | None = False
    if options.orderby:
        key, down = options.orderby[0]
        by_time = isinstance(key, Name) and key.parts in (("phenomenonTime",), ("id",), ("@iot.id",))
        descending = down if by_time and len(options.orderby) == 1 else None
    return Plan(start, end, tree, descending)


def _conjuncts(tree: Tree | None) -> list[Tree]:
    if tree is None:
        return []
    if isinstance(tree, Call) and tree.name == "and":
        return [each for arg in tree.args for each in _conjuncts(arg)]
    return [tree]


_MIRROR = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq"}


def _bounds(tree: Tree) -> tuple[int, int] | None:
    """The stretch [start, end) that a comparison of phenomenonTime with an instant means."""
    if not isinstance(tree, Call) or tree.name not in _MIRROR:
        return None
    name, (left, right) = tree.name, tree.args
    if isinstance(left, Literal):
        name, left, right = _MIRROR[name], right, left
    if not (isinstance(left, Name) and left.parts == ("phenomenonTime",) and isinstance(right, Literal)):
        return None
    value = right.value
    if isinstance(value, str):
        try:
            value = moments.span(value)
        except ValueError:
            return None
    if not isinstance(value, Span) or not value.is_instant:
        return None
    at, ever = value.start, store.FOREVER_MS
    return {"gt": (at + 1, ever), "ge": (at, ever), "lt": (-ever, at), "le": (-ever, at + 1), "eq": (at, at + 1)}[name]


def narrowed(tree: Tree | None) -> int | None:
    """The one Datastream that a filter over all Observations is about, if it names one."""
    for part in _conjuncts(tree):
        if isinstance(part, Call) and part.name == "eq":
            left, right = part.args
            if isinstance(left, Literal):
                left, right = right, left
            if isinstance(left, Name) and isinstance(right, Literal) and isinstance(right.value, int):
                if left.parts in (("Datastream", "id"), ("Datastream", "@iot.id")):
                    return right.value
                if left.parts in (("id",), ("@iot.id",)):
                    return ids.reading(right.value)[0]
    return None


@dataclass
class Readings:
    """Reads observations for one request; `finish` filters and orders entities (see `serve`)."""

    world: World
    finish: Finish
    scanned: int = 0
    _amended: dict[int, dict[int, Amendment]] = field(default_factory=dict)

    def amendments(self, series: Iterable[int]) -> dict[int, dict[int, Amendment]]:
        """Amendments by series and time. One query."""
        rows = StaAmendment.objects.filter(space=self.world.space, series_id__among=sorted(series))
        found: defaultdict[int, dict[int, Amendment]] = defaultdict(dict)
        for sid, time, body, feature, gone in rows.values_list("series_id", "time_ms", "body", "feature_id", "is_gone"):
            found[sid][time] = Amendment(body, feature, gone)
        return found

    def with_feature(self, record: int) -> list[int]:
        """Series some of whose readings name this feature."""
        rows = StaAmendment.objects.filter(space=self.world.space, feature=record)
        return list(rows.order_by().values_list("series_id", flat=True).distinct())

    def by_stream(self, streams: Sequence[Node], options: Options) -> list[Page]:
        """A page of observations for each of these Datastreams."""
        self._amended = self.amendments(node.id for node in streams)
        planned = plan(options)
        wants_newest = (
            planned.is_simple and planned.descending and options.skip == 0 and options.size == 1 and not options.count
            and planned.start == -store.FOREVER_MS and planned.end == store.FOREVER_MS
        )  # fmt: skip
        plain = [node.id for node in streams if node.id not in self._amended] if wants_newest else []
        newest = store.latest(self.world.space.pk, plain) if plain else {}
        pages: list[Page] = []
        for node in streams:
            if wants_newest and node.id not in self._amended:
                found = newest.get(node.id)
                pages.append(Page([self._node(node, *found)] if found else [], None, bool(found)))
            else:
                pages.append(self._page(node, options, planned))
        return pages

    def _page(self, stream: Node, options: Options, planned: Plan) -> Page:
        amended = self._amended.get(stream.id)
        if amended or not planned.is_simple:
            nodes = self._scan(stream, planned if not amended else Plan())
            return cut(self.finish(nodes, options), options)
        space, last = self.world.space.pk, options.skip + options.size + 1
        newest = last if planned.descending and not options.count else None
        times, values = store.read(space, stream.id, planned.start, planned.end, newest=newest)
        return self._slice(stream, times, values, options, planned)

    def _slice(self, stream: Node, times: Ints, values: Floats, options: Options, planned: Plan) -> Page:
        count = len(times) if options.count else None
        if planned.descending:
            times, values = times[::-1], values[::-1]
        begin, end = options.skip, options.skip + options.size
        more = len(times) > end
        chosen = zip(times[begin:end].tolist(), values[begin:end].tolist(), strict=True)
        return Page([self._node(stream, time, value) for time, value in chosen], count, more)

    def _scan(self, stream: Node, planned: Plan) -> list[Node]:
        """Every reading of a series in a stretch of time, as entities."""
        times, values = store.read(self.world.space.pk, stream.id, planned.start, planned.end)
        self._spend(len(times))
        amended = self._amended.get(stream.id, {})
        nodes = []
        for time, value in zip(times.tolist(), values.tolist(), strict=True):
            told = amended.get(time)
            if told is None:
                nodes.append(self._node(stream, time, value))
            elif not told.is_gone:
                nodes.append(self._node(stream, time, value, told))
        return nodes

    def _spend(self, rows: int) -> None:
        self.scanned += rows
        if self.scanned > MOST_SCANNED:
            raise bad(
                f"This would read through more than {MOST_SCANNED} observations; narrow it by phenomenonTime or to one Datastream",
                "$filter",
            )

    def everywhere(self, streams: Sequence[Node], options: Options, feature: int | None = None) -> Page:
        """One page over many Datastreams. `feature`: only readings with this feature's record (0: with none of their own)."""
        number = narrowed(options.filter)
        if number is not None:
            streams = [node for node in streams if node.id == number]
        newest = store.latest(self.world.space.pk, [node.id for node in streams])
        streams = [node for node in streams if node.id in newest]
        self._amended = self.amendments(node.id for node in streams)
        planned = plan(options)
        if feature is not None or self._amended or not planned.is_simple:
            self._bound(streams)
            nodes = [each for node in streams for each in self._scan(node, Plan() if self._amended else planned)]
            if feature is not None:
                nodes = [each for each in nodes if (each.keys["feature"] or 0) == feature]
            return cut(self.finish(nodes, options), options)
        if planned.descending and options.orderby and not options.count:
            # The newest n of all lie in the n series that were heard last.
            last = options.skip + options.size + 1
            streams = sorted(streams, key=lambda node: -newest[node.id][0])[:last]
            return self._merged(streams, options, planned, last)
        if options.orderby or options.count:
            return self._merged(streams, options, planned, None)
        return self._in_turn(streams, options, planned)

    def _bound(self, streams: Sequence[Node]) -> None:
        if len(streams) > MOST_SERIES:
            raise bad(
                f"This would read {len(streams)} Datastreams, at most {MOST_SERIES} are read for one request; "
                "ask for Datastreams(n)/Observations, or filter by Datastream/id",
                "$filter",
            )

    def _merged(self, streams: Sequence[Node], options: Options, planned: Plan, newest: int | None) -> Page:
        self._bound(streams)
        parts = [
            store.read(self.world.space.pk, node.id, planned.start, planned.end, newest=newest) for node in streams
        ]
        which = np.repeat(np.arange(len(parts)), [len(times) for times, _values in parts])
        times = np.concatenate([np.empty(0, np.int64), *(times for times, _ in parts)])
        values = np.concatenate([np.empty(0), *(values for _, values in parts)])
        by_time = bool(options.orderby) and options.orderby[0][0] == Name(("phenomenonTime",))
        order = np.lexsort((which, times)) if by_time else np.arange(len(times))
        if planned.descending:
            order = order[::-1]
        begin, end = options.skip, options.skip + options.size
        nodes = [self._node(streams[which[at]], int(times[at]), float(values[at])) for at in order[begin:end].tolist()]
        return Page(nodes, len(times) if options.count else None, len(times) > end)

    def _in_turn(self, streams: Sequence[Node], options: Options, planned: Plan) -> Page:
        """In order of number: series after series, until the page is full."""
        skip, wanted = options.skip, options.size + 1
        nodes: list[Node] = []
        for number, node in enumerate(streams):
            if number >= MOST_SERIES:
                self._bound(streams)
            times, values = store.read(self.world.space.pk, node.id, planned.start, planned.end)
            if skip >= len(times):
                skip -= len(times)
                continue
            end = skip + wanted - len(nodes)
            for time, value in zip(times[skip:end].tolist(), values[skip:end].tolist(), strict=True):
                nodes.append(self._node(node, time, value))
            skip = 0
            if len(nodes) >= wanted:
                break
        return Page(nodes[: options.size], None, len(nodes) > options.size)

    def one(self, number: int) -> Node | None:
        """The observation with this number, if the user sees it."""
        series, time = ids.reading(number)
        found = self.world.datastreams([series])
        if not found:
            return None
        times, values = store.read(self.world.space.pk, series, time, time + 1)
        told = self.amendments([series]).get(series, {}).get(time)
        if not len(times) or (told is not None and told.is_gone):
            return None
        return self._node(found[0], time, float(values[0]), told)

    def _node(self, stream: Node, time: int, value: float, told: Amendment | None = None) -> Node:
        row: dict[str, Any] = {
            "phenomenonTime": moments.iso(time), "result": outward(stream, value), "resultTime": None,
        }  # fmt: skip
        feature = None
        if told is not None:
            row.update(told.body)
            feature = told.feature
        return Node(
            KIND, ids.observation(stream.id, time), row, {"series": stream.id, "time": time, "feature": feature}
        )


def outward(stream: Node, value: float) -> float | int:
    """A value of the store in the unit of the Datastream; a whole number is written as one."""
    scale, offset = QUANTITIES[stream.keys["quantity"]].factor(stream.keys["unit"])
    if (scale, offset) != (1.0, 0.0):
        value = float(f"{(value - offset) / scale:.12g}")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def cut(nodes: list[Node], options: Options) -> Page:
    """The page of entities that are filtered and ordered."""
    begin, end = options.skip, options.skip + options.size
    return Page(nodes[begin:end], len(nodes) if options.count else None, len(nodes) > end)


__all__ = ["Page", "Readings", "cut", "plan"]
