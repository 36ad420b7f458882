"""Square grid cells in metres: counting points, covering shapes, naming a cell. Pure.

Cells are squares of the CGCS2000 3-degree Gauss-Krüger plane of one zone, aligned to its kilometre lines, so that a cell
found here is the square on a surveyor's map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from haitang.geo.coordinates import CoordinateError, from_gauss_kruger, to_gauss_kruger, zone_of

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """A grid of squares with sides of `size_m` metres in one zone."""

    zone: int
    size_m: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.size_m) and self.size_m >= 1):
            raise ValueError(f"The cell size is {self.size_m} m: give at least 1 m.")
        zone_of(self.zone * 3.0)

    @classmethod
    def around(cls, lon: float, size_m: float) -> Grid:
        """The grid of the zone in which a longitude lies."""
        return cls(int(zone_of(lon)), size_m)

    def cells(self, lon: ArrayLike, lat: ArrayLike) -> Indices:
        """Column and row of the cell that holds each point, shape (n, 2)."""
        east, north = to_gauss_kruger(np.atleast_1d(lon), np.atleast_1d(lat), self.zone)
        plane = np.column_stack((east - self.zone * 1e6, north))
        return np.floor(plane / self.size_m).astype(np.int64)

    def counts(
        self, lon: ArrayLike, lat: ArrayLike, weights: ArrayLike | None = None
    ) -> tuple[Indices, NDArray[np.float64]]:
        """The cells that hold points, shape (m, 2), and how many (or the sum of their weights) each holds."""
        found, which = np.unique(self.cells(lon, lat), axis=0, return_inverse=True)
        given = None if weights is None else np.asarray(weights, dtype=np.float64)
        return found, np.bincount(which.ravel(), weights=given, minlength=len(found)).astype(np.float64)

    def outlines(self, cells: ArrayLike) -> NDArray[np.object_]:
        """Each cell's square, in degrees. Edges are straight in the plane; over a cell's side that differs by millimetres."""
        index = np.asarray(cells, dtype=np.float64).reshape(-1, 2)
        low, high = index * self.size_m, (index + 1) * self.size_m
        squares = shapely.box(low[:, 0] + self.zone * 1e6, low[:, 1], high[:, 0] + self.zone * 1e6, high[:, 1])
        return np.asarray(
            shapely.transform(squares, lambda xy: np.column_stack(from_gauss_kruger(xy[:, 0], xy[:, 1], self.zone)))
        )

    def covering(self, shape: BaseGeometry, limit: int = 200_000) -> Indices:
        """The cells that share a point with a shape (degrees), shape (m, 2). ValueError when the box has over `limit`."""
        plane = shapely.transform(
            shape, lambda xy: np.column_stack(to_gauss_kruger(xy[:, 0], xy[:, 1], self.zone)) - (self.zone * 1e6, 0)
        )
        west, south, east, north = np.floor(np.array(plane.bounds) / self.size_m).astype(np.int64)
        count = int((east - west + 1) * (north - south + 1))
        if count > limit:
            raise ValueError(
                f"The shape's box holds {count} cells of {self.size_m:g} m, at most {limit} are made: choose larger cells."
            )
        columns, rows = np.meshgrid(np.arange(west, east + 1), np.arange(south, north + 1), indexing="ij")
        index = np.column_stack((columns.ravel(), rows.ravel()))
        low = index * self.size_m
        squares = shapely.box(low[:, 0], low[:, 1], low[:, 0] + self.size_m, low[:, 1] + self.size_m)
        shapely.prepare(plane)
        return np.asarray(index[shapely.intersects(plane, squares)])

    def name(self, cell: ArrayLike) -> str:
        """A name that says zone, size, column and row: "40-1000-632-3498"."""
        column, row = np.asarray(cell, dtype=np.int64).ravel()
        return f"{self.zone}-{self.size_m:g}-{column}-{row}"


def parse_name(name: str) -> tuple[Grid, tuple[int, int]]:
    """The grid and the cell of a name made by `Grid.name`. CoordinateError if it is none."""
    try:
        zone, size, column, row = name.split("-")
        return Grid(int(zone), float(size)), (int(column), int(row))
    except ValueError as error:
        raise CoordinateError(f"{name!r} is not a cell's name: it looks like 40-1000-632-3498.") from error
