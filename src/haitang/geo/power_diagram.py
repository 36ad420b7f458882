"""Areas for seats whose sizes are known: a power diagram with prescribed areas, clipped to an outline. Pure.

Where no official boundary can be had, a district is divided so that every township has its published area and lies
around its seat. That is a drawing, not a survey, and whoever shows it must say so.

Method: the weights w that give cell i the area a_i maximise the concave dual of semi-discrete optimal transport; its
gradient is the misfit of the areas, its Hessian the lengths of the common edges over twice the distance of the seats.
Damped Newton keeps every cell from vanishing. Source: F. Aurenhammer, F. Hoffmann, B. Aronov, "Minkowski-type theorems
and least-squares clustering", Algorithmica 20 (1998); J. Kitagawa, Q. Mérigot, B. Thibert, "Convergence of a Newton
algorithm for semi-discrete optimal transport", J. Eur. Math. Soc. 21 (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]


class PowerDiagramError(ValueError):
    """Seats, areas or outline for which there is no diagram."""


@dataclass(frozen=True)
class PowerDiagram:
    """The fitted cells. `residual` is the largest misfit of an area, as a share of its target.

    Targets are the given areas times `scale`, so that they fill the outline: published areas seldom add up to the
    outline's own (tidal flats, water, the year of the map).
    """

    cells: list[BaseGeometry]
    weights_m2: Floats
    targets_km2: Floats
    areas_km2: Floats
    scale: float
    iterations: int

    @property
    def residual(self) -> float:
        """The largest relative misfit."""
        return float(np.max(np.abs(self.areas_km2 - self.targets_km2) / self.targets_km2))


def power_diagram(seats: Floats, areas: Floats, outline: BaseGeometry) -> list[BaseGeometry]:
    """The cells of `fit`, one for each seat, in the order of the seats."""
    return fit(seats, areas, outline).cells


def fit(
    seats: Floats, areas: Floats, outline: BaseGeometry, *, tolerance: float = 1e-4, max_iterations: int = 100
) -> PowerDiagram:
    """Divide `outline` (metres) among `seats` (n, 2; metres) in proportion to `areas` (n; km²).

    Stops when no area misses its target by more than `tolerance` (a share), or when no step improves; see `residual`.
    The parts of the outline should be worth dividing together: give each island its own seats, its own call.
    """
    seats, areas = np.asarray(seats, dtype=np.float64), np.asarray(areas, dtype=np.float64)
    _check(seats, areas, outline)
    shapely.prepare(outline)
    total = outline.area
    scale = total / (areas.sum() * 1e6)
    targets = areas * 1e6 * scale
    # Lengths in units of the outline's size keep the system well scaled.
    frame = _frame(seats, outline)
    distance = np.hypot(*(seats[:, None] - seats[None]).transpose(2, 0, 1))
    weights = _start(seats, targets, outline, frame)
    cells, sizes, edges = _cells(seats, weights, outline, frame)
    turn = 0
    while turn < max_iterations and np.max(np.abs(sizes - targets) / targets) > tolerance:
        turn += 1
        step = _newton(sizes - targets, edges, distance)
        floor = 0.5 * min(sizes[sizes > 0].min(), targets.min())
        before = np.linalg.norm(sizes - targets)
        pace = 1.0
        while pace > 1e-6:
            tried = weights + pace * step
            found = _cells(seats, tried, outline, frame)
            if found[1].min() >= min(floor, sizes.min()) and np.linalg.norm(found[1] - targets) < before:
                break
            pace /= 2
        else:
            break
        weights = tried - tried.mean()
        cells, sizes, edges = found
    return PowerDiagram(cells, weights, targets / 1e6, sizes / 1e6, scale, turn)


def _check(seats: Floats, areas: Floats, outline: BaseGeometry) -> None:
    if seats.ndim != 2 or seats.shape[1] != 2 or areas.shape != (len(seats),) or not len(seats):
        raise PowerDiagramError(
            f"Seats have shape {seats.shape} and areas {areas.shape}: give n seats as (n, 2) and n areas."
        )
    if not np.isfinite(seats).all():
        raise PowerDiagramError("A seat's coordinate is not a finite number: give metres.")
    if not (np.isfinite(areas).all() and (areas > 0).all()):
        raise PowerDiagramError(f"Areas are {areas.tolist()}: each must be a number greater than nought, in km².")
    if len(np.unique(seats.round(3), axis=0)) < len(seats):
        raise PowerDiagramError("Two seats stand on the same point: move one of them.")
    if not outline.is_valid or outline.area <= 0:
        raise PowerDiagramError("The outline is not a valid area: mend it first.")


def _frame(seats: Floats, outline: BaseGeometry) -> Floats:
    """A square so large that it holds outline and seats; its corners, counter-clockwise."""
    low = np.minimum(seats.min(axis=0), outline.bounds[:2])
    high = np.maximum(seats.max(axis=0), outline.bounds[2:])
    margin = (high - low).max() + 1.0
    (west, south), (east, north) = low - margin, high + margin
    return np.array([(west, south), (east, south), (east, north), (west, north)])


def _start(seats: Floats, targets: Floats, outline: BaseGeometry, frame: Floats) -> Floats:
    """Weights under which no cell is empty: nought, or, where a seat's own cell misses the outline, raised step by step."""
    weights = np.zeros(len(seats))
    for _turn in range(200):
        sizes = _cells(seats, weights, outline, frame)[1]
        empty = sizes <= 1e-3 * targets
        if not empty.any():
            return weights
        weights[empty] += 0.02 * outline.area
    raise PowerDiagramError("A seat lies so far from the outline that no area falls to it: check its position.")


def _newton(misfit: Floats, edges: Floats, distance: Floats) -> Floats:
    """The step that would mend the misfit if cells changed linearly; one weight is held, for only differences count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        exchange = np.where(edges > 0, edges / (2 * distance), 0.0)
    matrix = np.diag(exchange.sum(axis=1)) - exchange
    # lstsq, for islands that touch no other cell make the matrix singular; the step is then the smallest that mends the rest.
    return np.asarray(np.linalg.lstsq(matrix, -misfit, rcond=1e-12)[0])


def _cells(
    seats: Floats, weights: Floats, outline: BaseGeometry, frame: Floats
) -> tuple[list[BaseGeometry], Floats, Floats]:
    """Cells clipped to the outline, their areas (m²), and the lengths (m) of the common edges inside it, (n, n)."""
    count = len(seats)
    edges = np.zeros((count, count))
    shapes: list[BaseGeometry] = []
    for i in range(count):
        ring, walls = _convex_cell(i, seats, weights, frame)
        if len(ring) < 3:
            shapes.append(shapely.Polygon())
            continue
        shapes.append(shapely.intersection(shapely.Polygon(ring), outline))
        inner = np.flatnonzero(walls >= 0)
        if len(inner):
            segments = shapely.linestrings(np.stack((ring[inner], np.roll(ring, -1, axis=0)[inner]), axis=1))
            np.add.at(edges[i], walls[inner], shapely.length(shapely.intersection(segments, outline)))
    areal = [_areal(shape) for shape in shapes]
    return areal, np.asarray(shapely.area(areal)), (edges + edges.T) / 2


def _convex_cell(i: int, seats: Floats, weights: Floats, frame: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The cell of seat i within the frame: corners counter-clockwise, and for each side which seat lies behind it (-1 none).

    A point x belongs to i where |x - s_i|² - w_i is least.
    """
    ring, walls = frame, np.full(4, -1, dtype=np.int64)
    centre = seats[i]
    # Near seats first: they cut most, so that later cuts have few corners to look at.
    for j in np.argsort(np.sum((seats - centre) ** 2, axis=1) - weights):
        if j == i:
            continue
        normal = 2 * (seats[j] - centre)
        offset = seats[j] @ seats[j] - centre @ centre - weights[j] + weights[i]
        side = ring @ normal - offset
        inside = side <= 0
        if inside.all():
            continue
        if not inside.any():
            return np.empty((0, 2)), np.empty(0, dtype=np.int64)
        ring, walls = _cut(ring, walls, side, inside, int(j))
    return ring, walls


def _cut(
    ring: Floats, walls: NDArray[np.int64], side: Floats, inside: NDArray[np.bool_], wall: int
) -> tuple[Floats, NDArray[np.int64]]:
    """The part of a convex ring on the inner side of a line; the new side carries `wall`."""
    corners: list[Floats] = []
    behind: list[int] = []
    for k in range(len(ring)):
        after = (k + 1) % len(ring)
        if inside[k]:
            corners.append(ring[k])
            behind.append(int(walls[k]))
        if inside[k] != inside[after]:
            share = side[k] / (side[k] - side[after])
            corners.append(ring[k] + share * (ring[after] - ring[k]))
            behind.append(wall if inside[k] else int(walls[k]))
    return np.array(corners), np.array(behind, dtype=np.int64)


def _areal(shape: BaseGeometry) -> BaseGeometry:
    """Only the areas of a clip: it may leave points and lines where cell and outline merely touch."""
    if shape.geom_type in {"Polygon", "MultiPolygon"}:
        return shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type in {"Polygon", "MultiPolygon"}]
    return shapely.union_all(parts) if parts else shapely.Polygon()
