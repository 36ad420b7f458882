"""Disaster chains: what may follow what, after how long, how surely. A typed graph as data, and what it says ahead. Pure.

A *node* is a hazard, a state or an impact in an area. An *edge* says that its source, while all its `needs` hold too,
brings about its target with a probability, after a lag whose tenth and ninetieth percentile are given (log-normal
between them). `attenuation` is the factor by which the probability falls with each colour the source is below red.

**Propagation.** Each edge fires or not, once, and each lag is drawn, once, in each of many worlds (Monte Carlo with a fixed
seed, so that the same evidence gives the same answer). The time of a node is the earliest arrival over the edges that
fired: source and needs are there, then the lag. Several causes of one thing therefore combine as noisy-or, and causes
that share a cause stay dependent, which the closed formula of noisy-or would lose. Loops are allowed: times only fall
until nothing changes. The standard error of a probability is at most 0.5 / sqrt(WORLDS), half a percent.

**Observation.** A node that was observed is there since its time, whatever its causes say. A node that would have been
observed and was not has not happened *yet*: edges into it whose causes were observed are drawn from what is left of
their lag, so that the danger of a consequence that fails to appear fades. Nodes nobody watches stay open. Approximation:
what a silent node says about causes that were not observed themselves is left out.

**Learning.** `learned` moves an edge's probability by what became of the expectations it raised: the expert's figure counts
as `WEIGHT` cases (mean of a beta distribution).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS_H = (1.0, 3.0, 6.0)
WORLDS = 10_000
WEIGHT = 10.0
RED = 4
KINDS = ("hazard", "state", "impact")
CONFIDENCES = ("cited", "expert", "memory", "demo")
MAX_NODES, MAX_EDGES = 200, 1000
_Z90 = 1.2815515655446004
_LEAST_H = 1 / 60


class ChainError(ValueError):
    """A chain that contradicts itself; says where, which value, which rule, and the remedy."""


@dataclass(frozen=True)
class Sign:
    """What lets a node be observed: an alarm on a quantity, at least of this level (blue 1 to red 4)."""

    quantity: str
    level: int = 1


@dataclass(frozen=True)
class Node:
    """A hazard, state or impact. `prior` is how likely it holds when nobody has observed it (spring tide, low ground)."""

    id: str
    name_zh: str
    name_en: str
    kind: str = "hazard"
    signs: tuple[Sign, ...] = ()
    prior: float = 0.0
    # From which probability within six hours on somebody is told to watch for it; 0 for never.
    watch_from: float = 0.0
    colour: str = "yellow"
    do_zh: str = ""
    do_en: str = ""


@dataclass(frozen=True)
class Edge:
    """What brings about what. `low_h` and `high_h` are the 10th and 90th percentile of the lag in hours."""

    source: str
    target: str
    probability: float
    low_h: float
    high_h: float
    needs: tuple[str, ...] = ()
    attenuation: float = 1.0
    confidence: str = "expert"
    evidence_zh: str = ""
    evidence_en: str = ""
    reference: str = ""

    @property
    def id(self) -> str:
        """What the edge is known by: "surge>overtopping"; with needs "surge+spring_tide>overtopping"."""
        return f"{'+'.join((self.source, *self.needs))}>{self.target}"


@dataclass(frozen=True)
class Graph:
    """A checked chain."""

    code: str
    name_zh: str
    name_en: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    source: str = ""


@dataclass(frozen=True)
class Seen:
    """A node that was observed: so many hours ago (0 now), at a level from 1 blue to 4 red."""

    age_h: float
    level: int = RED


@dataclass(frozen=True)
class Outlook:
    """What a node has ahead: probability within each horizon, when (10 %, 50 %, 90 % of the worlds in which it comes), by which way."""

    node: str
    within: Mapping[float, float]
    low_h: float
    middle_h: float
    high_h: float
    # From the observed node to this one.
    path: tuple[str, ...] = ()
    edges: tuple[str, ...] = ()


def parse(given: Mapping[str, Any]) -> Graph:
    """A chain from plain data (`node` and `edge` tables of TOML). ChainError names table, number, field, value and rule."""
    code = _text(given, "code", "chain", needed=True)
    nodes: dict[str, Node] = {}
    for number, row in enumerate(_tables(given, "node"), start=1):
        node = _node(row, f"node {number}")
        if node.id in nodes:
            raise ChainError(f"node {number}: id {node.id!r} stands twice; rename one")
        nodes[node.id] = node
    edges: list[Edge] = []
    for number, row in enumerate(_tables(given, "edge"), start=1):
        edge = _edge(row, f"edge {number}", nodes)
        if any(edge.id == known.id for known in edges):
            raise ChainError(f"edge {number}: {edge.id} stands twice; keep one")
        edges.append(edge)
    if not nodes or len(nodes) > MAX_NODES or len(edges) > MAX_EDGES:
        raise ChainError(f"chain {code}: between 1 and {MAX_NODES} nodes and at most {MAX_EDGES} edges are taken")
    name_zh = _text(given, "name_zh", "chain", needed=True)
    return Graph(
        code, name_zh, _text(given, "name_en", "chain") or name_zh, nodes, tuple(edges), _text(given, "source", "chain")
    )


def _node(row: Mapping[str, Any], where: str) -> Node:
    _known(row, where, "id name_zh name_en kind signs prior watch_from colour do_zh do_en")
    signs = row.get("signs", [])
    if not isinstance(signs, list):
        raise ChainError(f"{where}: signs is a list like [{{quantity = 'rain', colour = 'yellow'}}]")
    read: list[Sign] = []
    for sign in signs:
        if not isinstance(sign, Mapping) or sign.get("colour", "blue") not in COLOURS or not sign.get("quantity"):
            raise ChainError(f"{where}: sign {sign!r} needs a quantity, and a colour of {', '.join(COLOURS)}")
        read.append(Sign(str(sign["quantity"]), COLOURS.index(sign.get("colour", "blue")) + 1))
    kind, colour = row.get("kind", "hazard"), row.get("colour", "yellow")
    if kind not in KINDS:
        raise ChainError(f"{where}: kind {kind!r} is none of {', '.join(KINDS)}")
    if colour not in COLOURS:
        raise ChainError(f"{where}: colour {colour!r} is none of {', '.join(COLOURS)}")
    return Node(
        id=_text(row, "id", where, needed=True), name_zh=_text(row, "name_zh", where, needed=True),
        name_en=_text(row, "name_en", where) or _text(row, "name_zh", where), kind=kind, signs=tuple(read),
        prior=_number(row, "prior", where, 0.0, 1.0, 0.0), watch_from=_number(row, "watch_from", where, 0.0, 1.0, 0.0), colour=colour,
        do_zh=_text(row, "do_zh", where), do_en=_text(row, "do_en", where),
    )  # fmt: skip


def _edge(row: Mapping[str, Any], where: str, nodes: Mapping[str, Node]) -> Edge:
    _known(row, where, "from to needs probability lag_h attenuation confidence evidence_zh evidence_en source")
    ends = [_text(row, "from", where, needed=True), _text(row, "to", where, needed=True), *row.get("needs", [])]
    for end in ends:
        if end not in nodes:
            raise ChainError(f"{where}: {end!r} is no node of this chain; mend the name or add the node")
    if ends[0] == ends[1] or ends[1] in ends[2:]:
        raise ChainError(f"{where}: {ends[1]!r} cannot bring itself about")
    lag = row.get("lag_h")
    if not isinstance(lag, list) or len(lag) != 2 or not all(isinstance(each, int | float) for each in lag):
        raise ChainError(f"{where}: lag_h {lag!r} must be the 10th and 90th percentile in hours, like [1, 6]")
    if not 0 <= lag[0] <= lag[1] <= 24 * 30:
        raise ChainError(f"{where}: lag_h {lag!r} must be two hours in order, from 0 to 720")
    confidence = row.get("confidence", "expert")
    if confidence not in CONFIDENCES:
        raise ChainError(f"{where}: confidence {confidence!r} is none of {', '.join(CONFIDENCES)}")
    reference = _text(row, "source", where)
    if confidence == "cited" and not reference:
        raise ChainError(f"{where}: a cited edge names its source")
    return Edge(
        source=ends[0], target=ends[1], needs=tuple(ends[2:]), probability=_number(row, "probability", where, 0.0, 1.0, None),
        low_h=float(lag[0]), high_h=float(lag[1]), attenuation=_number(row, "attenuation", where, 0.0, 1.0, 1.0),
        confidence=confidence, evidence_zh=_text(row, "evidence_zh", where), evidence_en=_text(row, "evidence_en", where),
        reference=reference,
    )  # fmt: skip


COLOURS = ("blue", "yellow", "orange", "red")


def _tables(given: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = given.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ChainError(f"{name}: write each as a table [[{name}]]")
    return rows


def _known(row: Mapping[str, Any], where: str, names: str) -> None:
    for name in row:
        if name not in names.split():
            raise ChainError(f"{where}: no field {name!r} is known here; known: {names.replace(' ', ', ')}")


def _text(row: Mapping[str, Any], name: str, where: str, *, needed: bool = False) -> str:
    value = row.get(name, "")
    if not isinstance(value, str) or (needed and not value):
        raise ChainError(f"{where}: {name} {value!r} must be a text{' that is not empty' if needed else ''}")
    return value


def _number(row: Mapping[str, Any], name: str, where: str, low: float, high: float, default: float | None) -> float:
    value = row.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ChainError(f"{where}: {name} {value!r} must be a number from {low:g} to {high:g}")
    return float(value)


def learned(probability: float, hits: int, misses: int) -> float:
    """An edge's probability after so many of its expectations came true and so many did not."""
    return (probability * WEIGHT + hits) / (WEIGHT + hits + misses)


def observed(graph: Graph, alarms: Sequence[tuple[str, int, float]]) -> dict[str, Seen]:
    """Which nodes these alarms (quantity, level, age in hours) show: the oldest that fits, at the highest level."""
    seen: dict[str, Seen] = {}
    for node in graph.nodes.values():
        fits = [
            (age, level) for quantity, level, age in alarms
            for sign in node.signs if sign.quantity == quantity and level >= sign.level
        ]  # fmt: skip
        if fits:
            seen[node.id] = Seen(max(age for age, _ in fits), max(level for _, level in fits))
    return seen


def ahead(
    graph: Graph,
    seen: Mapping[str, Seen],
    *,
    watched: Sequence[str] = (),
    probabilities: Mapping[str, float] | None = None,
    horizons_h: Sequence[float] = HORIZONS_H,
    worlds: int = WORLDS,
    seed: int = 20240916,
) -> list[Outlook]:
    """What may follow, the most likely within the last horizon first. Nodes that were observed are left out.

    `watched` are the nodes that would have been observed had they happened; `probabilities` replace the edges' own by
    their id (see `learned`). Costs about a millisecond an edge with 10,000 worlds.
    """
    if not seen:
        return []
    order = list(graph.nodes)
    at = {name: number for number, name in enumerate(order)}
    random = np.random.default_rng(seed)
    times = np.full((len(order), worlds), np.inf)
    for name, node in graph.nodes.items():
        if name in seen:
            times[at[name]] = -seen[name].age_h
        elif node.prior:
            times[at[name], random.random(worlds) < node.prior] = -np.inf
    strongest = max(each.level for each in seen.values())
    delays = [
        _delays(edge, seen, strongest, edge.target in watched, (probabilities or {}).get(edge.id, edge.probability), random, worlds)
        for edge in graph.edges
    ]  # fmt: skip
    through = np.full((len(order), worlds), -1, np.int64)
    for _round in range(len(order) + 1):
        changed = False
        for number, edge in enumerate(graph.edges):
            if edge.target in seen:
                continue
            causes = times[[at[edge.source], *(at[name] for name in edge.needs)]]
            # A state that always held adds no time; without any dated cause the edge has no beginning.
            start = causes.max(axis=0)
            arrival = np.where(np.isfinite(start), start + delays[number], np.inf)
            target = at[edge.target]
            sooner = arrival < times[target] - 1e-12
            if sooner.any():
                times[target][sooner] = arrival[sooner]
                through[target][sooner] = number
                changed = True
        if not changed:
            break
    found = []
    for name in order:
        row = times[at[name]]
        caused = through[at[name]] >= 0
        if name in seen or not caused.any():
            continue
        when = np.maximum(row, 0.0)
        within = {hours: float(np.mean(caused & (when <= hours))) for hours in horizons_h}
        low, middle, high = np.quantile(when[caused], (0.1, 0.5, 0.9))
        path, edges = _path(graph, name, through, at, seen)
        found.append(Outlook(name, within, float(low), float(middle), float(high), path, edges))
    return sorted(found, key=lambda each: (-each.within[horizons_h[-1]], each.middle_h))


def _delays(edge: Edge, seen: Mapping[str, Seen], strongest: int, watched: bool, probability: float,
            random: np.random.Generator, worlds: int) -> Floats:  # fmt: skip
    """The lag in each world, infinite where the edge does not fire."""
    from scipy.special import ndtr, ndtri

    own = seen.get(edge.source)
    chance = probability * edge.attenuation ** (RED - (own.level if own else strongest))
    low, high = max(edge.low_h, _LEAST_H), max(edge.high_h, _LEAST_H)
    mean, spread = (math.log(low) + math.log(high)) / 2, max((math.log(high) - math.log(low)) / (2 * _Z90), 1e-6)
    passed = 0.0
    causes = [seen.get(name) for name in (edge.source, *edge.needs)]
    if watched and all(causes):
        # Not arrived yet, though all its causes are there since `age`: only what is left of the lag remains.
        age = min(each.age_h for each in causes if each)
        passed = float(ndtr((math.log(age) - mean) / spread)) if age > 0 else 0.0
    chance = chance * (1 - passed) / (1 - chance * passed) if passed < 1 else 0.0
    fires = random.random(worlds) < chance
    share = passed + (1 - passed) * random.random(worlds)
    lag = np.exp(mean + spread * ndtri(np.clip(share, 1e-12, 1 - 1e-12)))
    return np.where(fires, lag, np.inf)


def _path(graph: Graph, name: str, through: Ints, at: Mapping[str, int], seen: Mapping[str, Seen]) -> tuple[tuple[str, ...], tuple[str, ...]]:  # fmt: skip
    """The way by which a node is reached in most worlds."""
    path, edges = [name], []
    worlds = through[at[name]] >= 0
    while path[-1] not in seen:
        by = through[at[path[-1]]][worlds]
        by = by[by >= 0]
        if not len(by):
            break
        number = int(np.bincount(by).argmax())
        worlds = worlds & (through[at[path[-1]]] == number)
        edges.append(graph.edges[number].id)
        if graph.edges[number].source in path:
            break
        path.append(graph.edges[number].source)
    return tuple(reversed(path)), tuple(reversed(edges))


@dataclass(frozen=True)
class Drawn:
    """Where a node stands in the drawing: column from the first causes on, row within it."""

    node: str
    column: int
    row: float


def laid_out(graph: Graph) -> list[Drawn]:
    """Nodes in columns by the longest way from a first cause (loops broken where they close), each column centred."""
    depth = dict.fromkeys(graph.nodes, 0)
    edges = [(edge.source, edge.target) for edge in _forward(graph)]
    for _round in range(len(graph.nodes)):
        moved = False
        for source, target in edges:
            if depth[target] < depth[source] + 1:
                depth[target], moved = depth[source] + 1, True
        if not moved:
            break
    # A cause that only joins in stands just before what it joins.
    for name in graph.nodes:
        if not any(target == name for _, target in edges):
            follows = [depth[target] for source, target in edges if source == name]
            depth[name] = max(0, min(follows) - 1) if follows else 0
    columns: dict[int, list[str]] = {}
    for name in graph.nodes:
        columns.setdefault(depth[name], []).append(name)
    tallest = max(len(names) for names in columns.values())
    placed: dict[str, float] = {}
    drawn = []
    for column in sorted(columns):
        names = columns[column]

        def pull(name: str) -> float:
            before = [placed[source] for source, target in edges if target == name and source in placed]
            return sum(before) / len(before) if before else tallest / 2

        names = sorted(names, key=pull)
        for number, name in enumerate(names):
            placed[name] = number + (tallest - len(names)) / 2
            drawn.append(Drawn(name, column, placed[name]))
    return drawn


def _forward(graph: Graph) -> list[Edge]:
    """The edges without those that close a loop, and one for each need."""
    pairs = [
        Edge(cause, edge.target, 0, 0, 0) for edge in graph.edges for cause in (edge.source, *edge.needs)
    ]  # fmt: skip
    follows: dict[str, set[str]] = {name: set() for name in graph.nodes}
    kept = []
    for pair in pairs:
        stack, reached = [pair.target], {pair.target}
        while stack:
            for name in follows[stack.pop()] - reached:
                reached.add(name)
                stack.append(name)
        if pair.source not in reached:
            follows[pair.source].add(pair.target)
            kept.append(pair)
    return kept
