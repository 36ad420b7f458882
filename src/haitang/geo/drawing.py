"""Outlines drawn where none can be had: an outline divided among seats in proportion to their areas. Pure.

Degrees in and out (WGS-84); the division itself (`power_diagram`) is made in metres. A drawing is not a survey, and
whoever shows it must say so.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from haitang.geo.power_diagram import fit
from haitang.geo.shapes import to_degrees, to_metres

Floats = NDArray[np.float64]
# About a metre: more digits would feign a survey, and a rounding error would look like a change.
DIGITS = 5


def draw(outline: BaseGeometry, seats: Floats, areas_km2: Floats) -> list[BaseGeometry]:
    """One area for each seat (n, 2: lon, lat), in order. Raises PowerDiagramError where there is no division.

    Every island is divided among its own seats; an islet without a seat goes to the seat nearest to it.
    """
    lon, lat = round(outline.centroid.x, 2), round(outline.centroid.y, 2)
    land = to_metres(outline, lon, lat)
    points = to_metres(shapely.points(seats), lon, lat)
    metres = shapely.get_coordinates(points)
    islands = [part for part in shapely.get_parts(land) if part.area > 0]
    home = np.argmin([shapely.distance(island, points) for island in islands], axis=0)
    cells: list[BaseGeometry] = [shapely.Polygon()] * len(seats)
    for number, island in enumerate(islands):
        mine = np.flatnonzero(home == number)
        if not len(mine):
            nearest = int(np.argmin(shapely.distance(island, points)))
            cells[nearest] = cells[nearest].union(island)
            continue
        for index, cell in zip(mine, fit(metres[mine], areas_km2[mine], island).cells, strict=True):
            cells[index] = cells[index].union(cell)
    return [shapely.set_precision(to_degrees(cell, lon, lat), 10.0**-DIGITS) for cell in cells]
