"""What pages show of the disaster chains: what may follow an alarm, and the graph with its live state as a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from haitang.geo.names import localised
from haitang.monitoring import chains
from haitang.monitoring.models import Alarm, Chain, Colour
from haitang.monitoring.services import watching
from haitang.monitoring.services.watching import Present

LEAST = 0.05
"""What is less likely than this within six hours is not listed."""
CONFIDENCE = {
    "cited": gettext_lazy("cited"), "expert": gettext_lazy("expert estimate"), "memory": gettext_lazy("from memory"), "demo": gettext_lazy("demonstration"),
}  # fmt: skip
WIDTH, HEIGHT, COLUMN, ROW, EDGE, TOP = 146, 54, 188, 80, 14, 16
ROUND = {"hazard": 4, "state": 24, "impact": 12}


@dataclass(frozen=True)
class Chance:
    """Something that may follow: its name, how likely within 1, 3 and 6 hours in percent, when, by which way, how sure that is."""

    name: str
    advice: str
    colour: str
    percents: tuple[int, int, int]
    low_h: float
    high_h: float
    way: str
    confidence: Any

    @property
    def when(self) -> str:
        """The span in which four of five cases fall."""
        return f"{self.low_h:.1f}-{self.high_h:.1f} h"


def chances(here: Present, among: set[str] | None = None) -> list[Chance]:
    """What may follow from what was observed, the most likely first; `among` limits the nodes."""
    graph = here.chain.graph
    sure = {edge.id: edge.confidence for edge in graph.edges}
    found = []
    for each in here.outlooks:
        node = graph.nodes[each.node]
        if each.within[6.0] < LEAST or (among is not None and each.node not in among):
            continue
        # A way is as sure as its least sure step.
        least = max((sure[name] for name in each.edges), key=chains.CONFIDENCES.index, default="expert")
        one, three, six = (round(each.within[hours] * 100) for hours in chains.HORIZONS_H)
        way = " → ".join(_name(graph.nodes[name]) for name in each.path)
        advice = localised(node.do_zh, node.do_en)
        found.append(
            Chance(_name(node), advice, node.colour, (one, three, six), each.low_h, each.high_h, way, CONFIDENCE[least])
        )  # type: ignore[arg-type]
    return found


def of_alarm(alarm: Alarm, user: Any) -> list[tuple[Chain, list[Chance]]]:
    """What this alarm may lead to, by chain, given everything its reader sees observed besides. Empty for one that is over."""
    if not alarm.is_open:
        return []
    found = []
    evidence: list[Alarm] | None = None
    for chain in Chain.objects.visible_to(user).filter(is_active=True):
        shown = chains.observed(chain.graph, [(alarm.series.quantity, Colour(alarm.peak_colour).level, 0.0)])
        if not shown:
            continue
        if evidence is None:
            evidence = watching.evidence(alarm.space, user)
        after = _after(chain.graph, set(shown))
        listed = chances(watching.present(alarm.space, chain, evidence, user=user), after)
        if listed:
            found.append((chain, listed))
    return found


def _after(graph: chains.Graph, begin: set[str]) -> set[str]:
    reached, fresh = set(begin), set(begin)
    while fresh:
        fresh = {edge.target for edge in graph.edges if fresh & {edge.source, *edge.needs}} - reached
        reached |= fresh
    return reached


@dataclass(frozen=True)
class Box:
    """A node as it is drawn: its corner, its lines of text with their places, its shape."""

    x: int
    y: int
    lines: Sequence[tuple[int, int, str]]
    round: int
    # A colour's name where it was observed; "expected" where it may follow; "" otherwise.
    state: str
    note: str
    title: str


@dataclass(frozen=True)
class Arrow:
    """An edge as it is drawn: a path, its state (confirmed, live or quiet), dashed for a need, and its tooltip."""

    d: str
    state: str
    dashed: bool
    title: str


@dataclass(frozen=True)
class Step:
    """An edge as it is listed."""

    source: str
    needs: str
    target: str
    percent: int
    learned: int
    hits: int
    misses: int
    lag: str
    attenuation: str
    confidence: Any
    evidence: str
    reference: str
    state: str


@dataclass(frozen=True)
class Drawing:
    """The graph with its live state."""

    width: int
    height: int
    box_width: int
    box_height: int
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    steps: Sequence[Step] = field(default_factory=list)


def drawing(here: Present) -> Drawing:
    """The chain as a drawing: causes to the left, what was observed in its colour, what may follow with its probability."""
    graph = here.chain.graph
    at = {
        each.node: (EDGE + each.column * COLUMN, EDGE + TOP + round(each.row * ROW)) for each in chains.laid_out(graph)
    }
    within = {each.node: each for each in here.outlooks if each.within[6.0] >= LEAST}
    boxes = []
    for name, node in graph.nodes.items():
        x, y = at[name]
        seen, coming = here.seen.get(name), within.get(name)
        state = Colour.of(seen.level).value if seen else "expected" if coming else ""
        note = _("observed") if seen else f"{coming.within[6.0]:.0%} / 6 h" if coming else ""
        texts = [*_broken(_name(node)), note] if note else _broken(_name(node))
        first = y + (HEIGHT - 15 * (len(texts) - 1)) // 2 + 4
        lines = [(x + WIDTH // 2, first + 15 * number, text) for number, text in enumerate(texts)]
        boxes.append(Box(x, y, lines, ROUND[node.kind], state, note, localised(node.do_zh, node.do_en) or _name(node)))
    arrows, steps = [], []
    for edge in graph.edges:
        state = _state(here, edge, set(within))
        title = f"{edge.probability:.0%}, {edge.low_h:g}-{edge.high_h:g} h"
        arrows += [
            Arrow(_curve(at[cause], at[edge.target]), state, cause != edge.source, title) for cause in (edge.source, *edge.needs)
        ]  # fmt: skip
        hits, misses = here.tally.get(edge.id, (0, 0))
        steps.append(
            Step(
                _name(graph.nodes[edge.source]), " + ".join(_name(graph.nodes[name]) for name in edge.needs), _name(graph.nodes[edge.target]),
                round(edge.probability * 100), round(here.probabilities[edge.id] * 100), hits, misses, f"{edge.low_h:g}-{edge.high_h:g} h",
                f"× {edge.attenuation:g}" if edge.attenuation < 1 else "", CONFIDENCE[edge.confidence], localised(edge.evidence_zh, edge.evidence_en),
                edge.reference, state,
            )
        )  # fmt: skip
    # The quiet ones first, so that the live ones are drawn over them.
    arrows.sort(key=lambda each: ("", "live", "confirmed").index(each.state))
    width = max(x for x, _y in at.values()) + WIDTH + EDGE
    height = max(y for _x, y in at.values()) + HEIGHT + EDGE
    return Drawing(width, height, WIDTH, HEIGHT, boxes, arrows, steps)


def _state(here: Present, edge: chains.Edge, coming: set[str]) -> str:
    """Confirmed: cause and consequence were observed, in this order. Live: the cause was, or may come, and the consequence may follow."""
    source, target = here.seen.get(edge.source), here.seen.get(edge.target)
    if source and target:
        return "confirmed" if source.age_h >= target.age_h else ""
    return "live" if edge.target in coming and (source or edge.source in coming) else ""


def _curve(begin: tuple[float, float], end: tuple[float, float]) -> str:
    x, y = begin[0] + WIDTH, begin[1] + HEIGHT / 2
    to_x, to_y = end[0] - 4, end[1] + HEIGHT / 2
    if end[0] > begin[0]:
        bend = max(20.0, (to_x - x) / 2)
        return f"M{x:.0f} {y:.0f} C{x + bend:.0f} {y:.0f} {to_x - bend:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
    # Backwards: over the top of both.
    x, y, to_x, to_y = begin[0] + WIDTH / 2, begin[1], end[0] + WIDTH / 2, end[1] - 4
    top = min(y, to_y) - 26
    return f"M{x:.0f} {y:.0f} C{x:.0f} {top:.0f} {to_x:.0f} {top:.0f} {to_x:.0f} {to_y:.0f}"


def _broken(name: str) -> list[str]:
    """A name in at most two lines that fit the box: ten Chinese characters or twenty Latin letters a line."""
    room, lines, used = 20, [""], 0
    parts = name.split(" ") if " " in name else list(name)
    joint = " " if " " in name else ""
    for part in parts:
        size = sum(2 if ord(letter) > 0x2E7F else 1 for letter in part) + len(joint)
        if used + size > room + len(joint) and lines[-1] and len(lines) < 2:
            lines.append("")
            used = 0
        lines[-1] = f"{lines[-1]}{joint}{part}" if lines[-1] else part
        used += size
    return lines


def _name(node: chains.Node) -> str:
    return localised(node.name_zh, node.name_en)
