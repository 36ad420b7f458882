"""What it costs in people when a channel takes few points, or whole townships: whom it reaches besides, whom it misses. Pure.

People are taken to live evenly over their township, which is all that its count tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from haitang.alerting.area_shapes import M_PER_DEGREE, polygons_of, simplify_outward

CHANNEL_POINTS = 100


@dataclass(frozen=True, slots=True)
class Home:
    """A township's outline and how many people live in it."""

    shape: BaseGeometry
    people: int


@dataclass(frozen=True, slots=True)
class Spill:
    """What one way of telling an area makes of it: points, people meant, reached besides, missed, and square kilometres besides."""

    points: int
    people: int
    over: int
    under: int
    over_km2: float


def simplified(shape: BaseGeometry, most: int = CHANNEL_POINTS) -> BaseGeometry:
    """Every part with at most `most` points, none of the shape cut off."""
    parts = [
        part if len(part.exterior.coords) <= most else simplify_outward(part, most).shape for part in polygons_of(shape)
    ]
    return unary_union(parts)


def compare(meant: BaseGeometry, told: BaseGeometry, homes: Sequence[Home]) -> Spill:
    """People in what is told against people in what is meant."""
    besides, missed = told.difference(meant), meant.difference(told)
    km2 = besides.area * M_PER_DEGREE**2 * math.cos(math.radians(meant.centroid.y)) / 1e6
    return Spill(points(told), people_in(meant, homes), people_in(besides, homes), people_in(missed, homes), km2)


def points(shape: BaseGeometry) -> int:
    """Points of all outlines."""
    return sum(len(part.exterior.coords) for part in polygons_of(shape))


def people_in(shape: BaseGeometry, homes: Sequence[Home]) -> int:
    """People in a shape, by the share of each township's ground."""
    if shape.is_empty:
        return 0
    shares = (
        home.people * shape.intersection(home.shape).area / home.shape.area
        for home in homes
        if home.shape.area and shape.intersects(home.shape)
    )
    return round(sum(shares))
